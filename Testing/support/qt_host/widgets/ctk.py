"""Stand-ins for the ctk widgets."""

from __future__ import annotations

from ..pythonqt import QtCore, QtGui, QtWidgets

Property, Signal = QtCore.Property, QtCore.Signal
HEADER_HEIGHT = 22


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header with an arrow; the layout below it shows while the button is checked."""

    SIGNALS = {"clicked()", "clicked(bool)", "toggled(bool)", "contentsCollapsed(bool)"}
    contentsCollapsed = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._hidden_by_us = []
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, HEADER_HEIGHT, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(self._follow)

    def _follow(self, is_open):
        if is_open:
            for child in self._hidden_by_us:
                child.setVisible(True)
            self._hidden_by_us = []
        else:
            self._hide_contents()
        self.setMaximumHeight(16777215 if is_open else HEADER_HEIGHT)
        self.contentsCollapsed.emit(not is_open)

    def showEvent(self, event):
        if not self.isChecked():
            self._hide_contents()  # what came into it after it was collapsed

    def _hide_contents(self):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget) and not child.isHidden():
                self._hidden_by_us.append(child)
                child.setVisible(False)

    def _get_collapsed(self):
        return not self.isChecked()

    def _set_collapsed(self, collapsed):
        self.setChecked(not collapsed)

    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def hitButton(self, point):
        return point.y() < HEADER_HEIGHT

    def minimumSizeHint(self):
        return self._with_contents("totalMinimumSize")

    def sizeHint(self):
        return self._with_contents("totalSizeHint")

    def _with_contents(self, kind):
        """The layout's size of that kind, the header included."""
        size = getattr(self.layout(), kind)() if self.layout() else QtCore.QSize(120, HEADER_HEIGHT)
        return size if self.isChecked() else QtCore.QSize(size.width(), HEADER_HEIGHT)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, self.width, HEADER_HEIGHT - 2)
        painter.fillRect(header, self.palette.button().color().darker(108))
        arrow = QtWidgets.QStyleOption()
        arrow.rect = QtCore.QRect(5, 5, 11, 11)
        arrow.palette = self.palette
        arrow.state = QtWidgets.QStyle.State_Enabled
        shape = QtWidgets.QStyle.PE_IndicatorArrowDown
        if not self.isChecked():
            shape = QtWidgets.QStyle.PE_IndicatorArrowRight
        self.style().drawPrimitive(shape, arrow, painter, self)
        painter.setPen(self.palette.windowText().color())
        painter.drawText(header.adjusted(22, 0, 0, 0), QtCore.Qt.AlignVCenter, self.text)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box for one floating-point value."""

    SIGNALS = {"valueChanged(double)", "valueIsChanging(double)", "decimalsChanged(int)"}
    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)
    _STEPS = 1000

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
        self._slider.setRange(0, self._STEPS)
        self._box = QtWidgets.QDoubleSpinBox(self)
        self._box.setRange(0, 99)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._from_box)
        self._slider.valueChanged.connect(self._from_slider)

    def _from_slider(self, step):
        low, high = self._box.minimum, self._box.maximum
        self._box.setValue(low + (high - low) * step / self._STEPS)

    def _from_box(self, value):
        self._move_slider()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _move_slider(self):
        low, high = self._box.minimum, self._box.maximum
        step = round(self._STEPS * (self._box.value - low) / (high - low)) if high > low else 0
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(step)
        self._slider.blockSignals(blocked)

    def setValue(self, value):
        self._box.setValue(value)

    def setDecimals(self, decimals):
        self._box.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setSpinBoxVisible(self, visible):
        self._box.setVisible(visible)

    def reset(self):
        self._box.setValue(self._box.minimum)

    def _forward(kind, name):  # noqa: N805
        def get(self):
            return self._box.property(name)

        def put(self, value):
            self._box.setProperty(name, value)
            self._move_slider()

        return Property(kind, get, put)

    value = _forward(float, "value")
    minimum = _forward(float, "minimum")
    maximum = _forward(float, "maximum")
    singleStep = _forward(float, "singleStep")
    decimals = _forward(int, "decimals")
    prefix = _forward(str, "prefix")
    suffix = _forward(str, "suffix")

    def _get_page(self):
        return self._slider.pageStep * (self._box.maximum - self._box.minimum) / self._STEPS

    def _set_page(self, step):
        width = self._box.maximum - self._box.minimum
        self._slider.setPageStep(max(1, round(self._STEPS * step / width)) if width else 1)

    pageStep = Property(float, _get_page, _set_page)

    def _get_tracking(self):
        return self._slider.hasTracking()

    def _set_tracking(self, tracking):
        self._slider.setTracking(tracking)

    tracking = Property(bool, _get_tracking, _set_tracking)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path, typed or browsed for, with a history in the settings."""

    SIGNALS = {"currentPathChanged(QString)", "validInputChanged(bool)"}
    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._values = {"filters": 0, "options": 0, "settingKey": "", "label": ""}
        self._box = QtWidgets.QComboBox(self)
        self._box.setEditable(True)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("...")
        self._button.clicked.connect(self.browse)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._button)
        self._box.currentTextChanged.connect(self._changed)

    def _changed(self, path):
        self.currentPathChanged.emit(path)

    def comboBox(self):
        return self._box

    def browse(self):
        import qt

        path = qt.QFileDialog.getExistingDirectory(self, "", self.currentPath)
        if path:
            self.currentPath = path

    def addCurrentPathToHistory(self):
        """The newest first, in the settings under settingKey."""
        path = self.currentPath
        if path and self._values["settingKey"]:
            history = [path] + [each for each in self._history() if each != path]
            QtCore.QSettings().setValue(self._values["settingKey"], history)
            self.retrieveHistory()

    def retrieveHistory(self):
        there, current = self._history(), self.currentPath
        blocked = self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems(there)
        self._box.blockSignals(blocked)
        self._box.setEditText(current or (there[0] if there else ""))

    def _history(self):
        there = QtCore.QSettings().value(self._values["settingKey"]) or []
        return [there] if isinstance(there, str) else list(there)

    def setCurrentPath(self, path):
        self._box.setEditText(path)

    def _get_path(self):
        return self._box.currentText

    currentPath = Property(str, _get_path, setCurrentPath)

    def _plain(kind, name):  # noqa: N805
        def get(self):
            return self._values.get(name)

        def put(self, value):
            self._values[name] = value
            if name == "settingKey":
                self.retrieveHistory()

        return Property(kind, get, put)

    filters = _plain(int, "filters")
    options = _plain(int, "options")
    settingKey = _plain(str, "settingKey")
    label = _plain(str, "label")
    nameFilters = _plain("QStringList", "nameFilters")


CTK = (ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit)
