"""slicer.app: the application, its main window with the module selector, its managers."""

from __future__ import annotations

import tempfile

import slicer

from headless.scene import shared_application
from headless.views import shared_slice_views

from .pythonqt import QtCore, QtWidgets
from .views import LayoutManager

# What a module has in Slicer with the Data Probe open: its default width, and the height that is left
# in a window of 1000, and in one of 768, where the menus and tool bars take less.
PANEL_WIDTH = 383
_ROOM = ((768, 430), (1000, 600))


def panel_height(window_height: int) -> int:
    """The height that is left for a module's panel in a window of this height, pixels."""
    (low, least), (high, most) = _ROOM
    return round(least + (window_height - low) * (most - least) / (high - low))


class MainWindow(QtWidgets.QMainWindow):
    """The module's panel at the left, the views at the right."""

    def __init__(self, app):
        super().__init__()
        self._app = app
        self.objectName = "qSlicerMainWindow"
        self._panel = QtWidgets.QScrollArea()
        self._panel.setWidgetResizable(True)
        self._around = [self._frame("Module selection, help"), self._frame("Data Probe")]
        left = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self._around[0], self._panel, self._around[1]):
            column.addWidget(widget)
        left.setMinimumWidth(PANEL_WIDTH)
        self._split = QtWidgets.QSplitter()
        self._split.addWidget(left)
        self._split.addWidget(app.layoutManager().viewport_widget)
        self._split.setStretchFactor(1, 1)
        self.setCentralWidget(self._split)
        self._selected = ""

    @staticmethod
    def _frame(what: str):
        """A place of something of Slicer's that takes room from a module."""
        frame = QtWidgets.QLabel(what)
        frame.setAlignment(QtCore.Qt.AlignCenter)
        frame.setFrameShape(QtWidgets.QFrame.StyledPanel)
        frame.setEnabled(False)
        frame.setVisible(False)
        return frame

    def resize_as_slicer(self, width, height):
        """A window of this size, in which a module has as much room as it has in Slicer."""
        room = panel_height(height)
        for frame, share in zip(self._around, (0.45, 0.55)):
            frame.setVisible(True)
            frame.setFixedHeight(round((height - room) * share))
        self.resize(width, height)
        self._split.setSizes([PANEL_WIDTH, width - PANEL_WIDTH])

    def resize_plainly(self):
        """A window that leaves a module all of its height."""
        for frame in self._around:
            frame.setVisible(False)
        self.resize(1200, 800)

    def panel_area(self):
        """The scroll area that the module's panel lies in."""
        return self._panel

    def moduleSelector(self):
        return self

    @property
    def selectedModule(self):
        return self._selected

    def selectModule(self, name):
        """Leave the module that is open, open this one; an empty name is a module without panel."""
        if self._selected == name:
            return
        manager = self._app.moduleManager()
        if manager.module(self._selected):
            manager.module(self._selected).widgetRepresentation().exit()
            self._panel.takeWidget()
        self._selected = name
        if manager.module(name):
            widget = manager.module(name).widgetRepresentation()
            self._panel.setWidget(widget)
            widget.show()
            widget.enter()


class IOManager:
    """Scene files only, which is what saveScene and loadScene need."""

    def saveNodes(self, filetype, properties, messages=None):
        path = properties["fileName"]
        if path.endswith(".mrb"):
            return bool(slicer.mrmlScene.WriteToMRB(path, None))
        return bool(slicer.mrmlScene.Commit(path))

    def loadNodes(self, filetype, properties, nodes=None, messages=None):
        scene, path = slicer.mrmlScene, properties["fileName"]
        if filetype != "SceneFile":
            raise NotImplementedError(f"the host loads no {filetype}")
        clear = properties.get("clear", False)
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear, None))
        scene.SetURL(path)
        return bool(scene.Connect(None) if clear else scene.Import(None))


class ModuleManager:
    def __init__(self):
        self.modules = {}

    def module(self, name):
        return self.modules.get(name)


class App(QtWidgets.QApplication):
    """slicer.app: a real QApplication with what Slicer's adds to it."""

    startupCompleted = QtCore.Signal()

    def __init__(self):
        super().__init__(["Slicer"])
        self._folder = tempfile.TemporaryDirectory(prefix="qt-host-")
        settings = QtCore.QSettings
        settings.setDefaultFormat(settings.IniFormat)
        settings.setPath(settings.IniFormat, settings.UserScope, self._folder.name)
        self.applicationName, self.organizationName = "Slicer", "host"
        self.quitOnLastWindowClosed = False
        self._mrml = shared_application()
        self._layouts = LayoutManager(self._mrml, shared_slice_views())
        self._modules, self._io = ModuleManager(), IOManager()
        self._paused = 0
        self._testing = False

    majorVersion, minorVersion = 5, 12

    def applicationLogic(self):
        return self._mrml.logic

    def mrmlScene(self):
        return self._mrml.scene

    def layoutManager(self):
        return self._layouts

    def moduleManager(self):
        return self._modules

    def coreIOManager(self):
        return self._io

    ioManager = coreIOManager

    def testingEnabled(self):
        return self._testing

    def pauseRender(self):
        self._paused += 1

    def resumeRender(self):
        self._paused -= 1
        if not self._paused:
            self._layouts.render_what_waits()

    def renderPaused(self):
        return self._paused > 0

    def userSettings(self):
        return QtCore.QSettings()

    @property
    def slicerUserSettingsFilePath(self):
        return QtCore.QSettings().fileName()

    @property
    def temporaryPath(self):
        return self._folder.name
