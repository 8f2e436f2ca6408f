"""Slicer's slice views as Qt widgets: off-screen rendering shown, mouse and keys passed on to VTK."""

from __future__ import annotations

import numpy as np
import slicer

from headless.views import SLICE_VIEWS, SliceView

from .pythonqt import QtCore, QtGui, QtWidgets

BUTTONS = {
    QtCore.Qt.LeftButton: "Left",
    QtCore.Qt.MiddleButton: "Middle",
    QtCore.Qt.RightButton: "Right",
}
KEYS = {
    QtCore.Qt.Key_Delete: "Delete",
    QtCore.Qt.Key_Backspace: "BackSpace",
    QtCore.Qt.Key_Escape: "Escape",
}


class SliceWidget(QtWidgets.QWidget):
    """qMRMLSliceWidget: one slice view. Renders only while it can be seen."""

    def __init__(self, view: SliceView, name: str, parent=None):
        super().__init__(parent)
        self._view, self._name = view, name
        self._picture = None
        self.setMouseTracking(True)
        self.setFocusPolicy(QtCore.Qt.StrongFocus)
        self.setMinimumSize(120, 120)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.forceRender)
        view.managers.AddObserver("UpdateEvent", self._later)
        view.logic.AddObserver("ModifiedEvent", self._later)

    # What Slicer's widget and the view in it have.

    def sliceLogic(self):
        return self._view.logic

    def mrmlSliceNode(self):
        return self._view.node

    def sliceView(self):
        return self

    def renderWindow(self):
        return self._view.window

    def interactor(self):
        return self._view.interactor

    def forceRender(self):
        self._picture = np.ascontiguousarray(self._view.render())
        self.update()

    scheduleRender = forceRender

    def fitSliceToBackground(self):
        self._view.logic.FitSliceToBackground()

    # For tests

    def position_of(self, world_ras) -> QtCore.QPoint:
        """Where a world point is in this widget."""
        x, y = self._view.pixel_of(world_ras)
        return QtCore.QPoint(round(x), round(self.height - 1 - y))

    # Qt

    def _later(self, *_):
        if self.isVisible() and not slicer.app.renderPaused() and not self._timer.active:
            self._timer.start(0)

    def showEvent(self, event):
        self._timer.start(0)

    def resizeEvent(self, event):
        self._view.window.SetSize(self.width, self.height)
        self._view.interactor.SetSize(self.width, self.height)
        self._view.logic.ResizeSliceNode(self.width, self.height)
        self._timer.start(0)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect, QtCore.Qt.black)
        if self._picture is not None:
            height, width, _ = self._picture.shape
            image = QtGui.QImage(
                self._picture.data, width, height, 3 * width, QtGui.QImage.Format_RGB888
            )
            painter.drawImage(0, 0, image)
        red, green, blue = SLICE_VIEWS[self._name][1]
        painter.fillRect(0, 0, self.width, 4, QtGui.QColor.fromRgbF(red, green, blue))

    def _pass_on(self, event, name, key="\0", symbol=None):
        position = event.position() if hasattr(event, "position") else None
        x, y = self._view.interactor.GetEventPosition()
        if position is not None:
            x, y = int(position.x()), int(self.height - 1 - position.y())
        modifiers = event.modifiers()
        self._view.interactor.SetEventInformation(
            x,
            y,
            int(bool(modifiers & QtCore.Qt.ControlModifier)),
            int(bool(modifiers & QtCore.Qt.ShiftModifier)),
            key,
            0,
            symbol,
        )
        self._view.interactor.InvokeEvent(f"{name}Event")

    def mousePressEvent(self, event):
        self._pass_on(event, f"{BUTTONS[event.button()]}ButtonPress")

    def mouseReleaseEvent(self, event):
        self._pass_on(event, f"{BUTTONS[event.button()]}ButtonRelease")

    def mouseMoveEvent(self, event):
        self._pass_on(event, "MouseMove")

    def wheelEvent(self, event):
        forward = event.angleDelta().y() > 0
        self._pass_on(event, f"MouseWheel{'Forward' if forward else 'Backward'}")

    def keyPressEvent(self, event):
        symbol = KEYS.get(event.key(), event.text())
        self._pass_on(event, "KeyPress", event.text()[:1] or "\0", symbol)

    def keyReleaseEvent(self, event):
        symbol = KEYS.get(event.key(), event.text())
        self._pass_on(event, "KeyRelease", event.text()[:1] or "\0", symbol)


class LayoutManager(QtCore.QObject):
    """slicer.app.layoutManager(): the slice views side by side, or one alone. No 3D view."""

    threeDViewCount = tableViewCount = plotViewCount = 0

    def __init__(self, application, views: dict):
        super().__init__()
        self._application = application
        self.viewport_widget = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(self.viewport_widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        self._widgets = {name: SliceWidget(view, name) for name, view in views.items()}
        for place, widget in zip(((0, 0), (1, 0), (1, 1)), self._widgets.values()):
            grid.addWidget(widget, *place)
        self._layout = 2  # FourUp

    def sliceViewNames(self):
        return tuple(self._widgets)

    def sliceWidget(self, name):
        return self._widgets.get(name)

    def mrmlSliceLogics(self):
        return self._application.logic.GetSliceLogics()

    def resetSliceViews(self):
        for widget in self._widgets.values():
            widget.fitSliceToBackground()

    def setLayout(self, layout):
        node = slicer.vtkMRMLLayoutNode
        alone = {
            node.SlicerLayoutOneUpRedSliceView: "Red",
            node.SlicerLayoutOneUpYellowSliceView: "Yellow",
            node.SlicerLayoutOneUpGreenSliceView: "Green",
        }.get(layout)
        for name, widget in self._widgets.items():
            widget.setVisible(alone in (None, name))
        self._layout = layout

    @property
    def layout(self):
        return self._layout

    @layout.setter
    def layout(self, layout):
        self.setLayout(layout)
