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


class _ViewWidget(QtWidgets.QWidget):
    """A view that renders off screen, only while it can be seen, at most once per turn of the loop."""

    def __init__(self, view, colour, parent=None):
        super().__init__(parent)
        self._view, self._colour = view, QtGui.QColor.fromRgbF(*colour)
        self._picture, self._waits, self.renders = None, False, 0
        self.setMouseTracking(True)
        self.setFocusPolicy(QtCore.Qt.StrongFocus)
        self.setMinimumSize(120, 120)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.forceRender)
        view.managers.AddObserver("UpdateEvent", self._later)

    # What Slicer's views have.

    def renderWindow(self):
        return self._view.window

    def interactor(self):
        return self._view.interactor

    def forceRender(self):
        self.renders += 1
        self._picture = np.ascontiguousarray(self._view.render())
        self.update()

    scheduleRender = forceRender

    # Qt

    def _later(self, *_):
        self._waits = slicer.app.renderPaused()
        if self.isVisible() and not self._waits and not self._timer.active:
            self._timer.start(0)

    def render_what_waits(self):
        """Rendering is allowed again: catch up with what was asked for meanwhile."""
        if self._waits:
            self._later()

    def showEvent(self, event):
        self._timer.start(0)

    def resizeEvent(self, event):
        self._view.window.SetSize(self.width, self.height)
        self._view.interactor.SetSize(self.width, self.height)
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
        painter.fillRect(0, 0, self.width, 4, self._colour)

    def _pass_on(self, event, name, key="\0", symbol=None):
        x, y = self._view.interactor.GetEventPosition()
        if hasattr(event, "position"):
            x, y = int(event.position().x()), int(self.height - 1 - event.position().y())
        held = event.modifiers()
        ctrl = bool(held & QtCore.Qt.ControlModifier)
        shift = bool(held & QtCore.Qt.ShiftModifier)
        self._view.interactor.SetEventInformation(x, y, ctrl, shift, key, 0, symbol)
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
        self._key(event, "KeyPress")

    def keyReleaseEvent(self, event):
        self._key(event, "KeyRelease")

    def _key(self, event, name):
        self._pass_on(event, name, event.text()[:1] or "\0", KEYS.get(event.key(), event.text()))


class SliceWidget(_ViewWidget):
    """qMRMLSliceWidget: one slice view."""

    def __init__(self, view: SliceView, name: str, parent=None):
        super().__init__(view, SLICE_VIEWS[name][1], parent)
        view.logic.AddObserver("ModifiedEvent", self._later)

    def sliceLogic(self):
        return self._view.logic

    def mrmlSliceNode(self):
        return self._view.node

    def sliceView(self):
        return self

    def fitSliceToBackground(self):
        self._view.logic.FitSliceToBackground()

    def resizeEvent(self, event):
        super().resizeEvent(event)
        self._view.logic.ResizeSliceNode(self.width, self.height)

    def position_of(self, world_ras) -> QtCore.QPoint:
        """For tests: where a world point is in this widget."""
        x, y = self._view.pixel_of(world_ras)
        return QtCore.QPoint(round(x), round(self.height - 1 - y))


class ThreeDWidget(_ViewWidget):
    """qMRMLThreeDWidget and the view in it."""

    def __init__(self, view, parent=None):
        super().__init__(view, (0.45, 0.45, 0.75), parent)

    def threeDView(self):
        return self

    def mrmlViewNode(self):
        return self._view.node

    def resetFocalPoint(self):
        self._view.look_from_front()
        self._later()


class LayoutManager(QtCore.QObject):
    """slicer.app.layoutManager(): the slice views side by side, or one alone; a 3D view on request."""

    tableViewCount = plotViewCount = 0

    def __init__(self, application, views: dict):
        super().__init__()
        self._application = application
        self.viewport_widget = QtWidgets.QWidget()
        grid = self._grid = QtWidgets.QGridLayout(self.viewport_widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        self._widgets = {name: SliceWidget(view, name) for name, view in views.items()}
        for place, widget in zip(((0, 0), (1, 0), (1, 1)), self._widgets.values()):
            grid.addWidget(widget, *place)
        self._threed = []
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def add_3d_view(self, view):
        self._threed.append(ThreeDWidget(view))
        self._grid.addWidget(self._threed[0], 0, 1)

    @property
    def threeDViewCount(self):
        return len(self._threed)

    def threeDWidget(self, index):
        return self._threed[index]

    def sliceViewNames(self):
        return tuple(self._widgets)

    def sliceWidget(self, name):
        return self._widgets.get(name)

    def render_what_waits(self):
        for widget in (*self._widgets.values(), *self._threed):
            widget.render_what_waits()

    def mrmlSliceLogics(self):
        return self._application.logic.GetSliceLogics()

    def resetSliceViews(self):
        for widget in self._widgets.values():
            widget.fitSliceToBackground()

    def setLayout(self, layout):
        self._layout_node().SetViewArrangement(layout)

    def _layout_node(self):
        """The scene's one layout node; others may change it, so it is followed."""
        scene = self._application.scene
        node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node is None:
            node = scene.AddNode(slicer.vtkMRMLLayoutNode())
            node.AddObserver("ModifiedEvent", self._follow)
        return node

    def _follow(self, node, event):
        seen = {
            node.SlicerLayoutOneUpRedSliceView: ("Red",),
            node.SlicerLayoutOneUpYellowSliceView: ("Yellow",),
            node.SlicerLayoutOneUpGreenSliceView: ("Green",),
            node.SlicerLayoutSideBySideView: ("Red", "Yellow"),
        }.get(node.GetViewArrangement())
        for name, widget in self._widgets.items():
            widget.setVisible(seen is None or name in seen)
        for widget in self._threed:
            widget.setVisible(seen is None)
        # The second of two stands beside the first; of four, below.
        row = 0 if seen and len(seen) == 2 else 1
        self._grid.removeWidget(self._widgets["Yellow"])
        self._grid.addWidget(self._widgets["Yellow"], row, 1)

    @property
    def layout(self):
        return self._layout_node().GetViewArrangement()

    @layout.setter
    def layout(self, layout):
        self.setLayout(layout)
