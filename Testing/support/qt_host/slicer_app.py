"""slicer.app: the application, its main window with the module selector, its managers."""

from __future__ import annotations

import tempfile

import slicer

from headless.scene import shared_application
from headless.views import shared_slice_views

from .pythonqt import QtCore, QtWidgets
from .views import LayoutManager


class MainWindow(QtWidgets.QMainWindow):
    """The module's panel at the left, the views at the right."""

    def __init__(self, app):
        super().__init__()
        self._app = app
        self.objectName = "qSlicerMainWindow"
        self._panel = QtWidgets.QScrollArea()
        self._panel.setWidgetResizable(True)
        self._panel.setMinimumWidth(510)
        split = QtWidgets.QSplitter()
        split.addWidget(self._panel)
        split.addWidget(app.layoutManager().viewport_widget)
        split.setStretchFactor(1, 1)
        self.setCentralWidget(split)
        self._selected = ""

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

    def renderPaused(self):
        return self._paused > 0

    def userSettings(self):
        return QtCore.QSettings()

    @property
    def temporaryPath(self):
        return self._folder.name
