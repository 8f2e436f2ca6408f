"""The rest of Slicer that a module's panel meets: slicer.app, its windows, popups, files, packages."""

from __future__ import annotations

import functools
import importlib.util
import sys
import tempfile
import time
import types
from contextlib import contextmanager
from pathlib import Path

import slicer
from PySide6 import QtTest

from headless.scene import shared_application
from headless.views import ThreeDView, shared_slice_views
from places import ROOT

from . import parameter_node, scripted_module, widgets
from .pythonqt import QtCore, QtGui, QtWidgets, make_qt_module
from .ui_loader import UiLoader
from .views import LayoutManager

MODULE_FILE = ROOT / "LandmarkHeatmap" / "LandmarkHeatmap.py"


class User:
    """The person at the screen: what popups told them, and what they answer."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.told = []  # texts of message boxes, in order
        self.agrees = False  # to questions
        self.chooses = []  # paths, for the next file dialogs
        self.opened = []  # what was opened in the desktop: folders, links

    def answer(self, text, **options):
        """Stands in for a message box that waits."""
        self.told.append(text)
        buttons = QtWidgets.QMessageBox
        offered = options.get("standardButtons", buttons.Ok)
        for yes, no in ((buttons.Ok, buttons.Cancel), (buttons.Yes, buttons.No)):
            if offered & yes and offered & no:
                return yes if self.agrees else no
        return buttons.Ok

    def open_url(self, url):
        self.opened.append(url.toLocalFile() or url.toString())
        return True

    def choose(self, *_, **__):
        return self.chooses.pop(0) if self.chooses else ""


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


class LoopWatch:
    """The longest times between two turns of the event loop.

    cpu_ms: what the application's own thread worked; other work on the machine does not count.
    wall_ms: by the clock, waiting included.
    """

    def __init__(self):
        self.cpu_ms = self.wall_ms = 0.0
        self._last = None
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._turn)
        self._timer.start(0)

    def _turn(self):
        now = (time.thread_time(), time.perf_counter())
        if self._last is not None:
            self.cpu_ms = max(self.cpu_ms, 1000 * (now[0] - self._last[0]))
            self.wall_ms = max(self.wall_ms, 1000 * (now[1] - self._last[1]))
        self._last = now

    def stop(self):
        self._turn()
        self._timer.stop()


class Host:
    """Boots once a process; `open` gives a module's panel as the user has it in front of them."""

    def __init__(self):
        self.user = User()
        self.app = slicer.app = App()
        self.sample_data = []
        self._install()
        self.window = MainWindow(self.app)
        self.window.resize(1200, 800)
        self.window.show()

    def _install(self):
        """Put the names into Python that a module imports."""
        user = self.user
        file_dialog = type(
            "QFileDialog",
            (QtWidgets.QFileDialog,),
            {
                "getOpenFileName": staticmethod(user.choose),
                "getExistingDirectory": staticmethod(user.choose),
                "getSaveFileName": staticmethod(user.choose),
                "getOpenFileNames": staticmethod(lambda *_, **__: user.choose() or ()),
            },
        )
        desktop = type("QDesktopServices", (), {"openUrl": staticmethod(user.open_url)})
        modules = {
            "qt": make_qt_module(
                {"QUiLoader": UiLoader, "QFileDialog": file_dialog, "QDesktopServices": desktop}
            ),
            "ctk": types.ModuleType("ctk"),
            "slicer.i18n": types.ModuleType("slicer.i18n"),
            "slicer.parameterNodeWrapper": parameter_node,
            "slicer.ScriptedLoadableModule": scripted_module,
            "SampleData": types.ModuleType("SampleData"),
        }
        vars(modules["ctk"]).update({each.__name__: each for each in widgets.CTK})
        vars(modules["slicer.i18n"]).update(
            tr=lambda text: text, translate=lambda context, text: text
        )
        vars(modules["SampleData"]).update(SampleDataLogic=_sample_data(self.sample_data))
        sys.modules.update(modules)
        for each in widgets.QMRML:
            setattr(slicer, each.__name__, each)
        slicer.i18n = modules["slicer.i18n"]
        slicer.parameterNodeWrapper = parameter_node
        slicer.ScriptedLoadableModule = scripted_module
        slicer.qSlicerScriptedLoadableModuleWidget = (
            scripted_module.qSlicerScriptedLoadableModuleWidget
        )
        slicer.modules = types.SimpleNamespace()
        slicer.moduleNames = types.SimpleNamespace()
        slicer.util.messageBox = user.answer

    def load(self, path: Path = MODULE_FILE):
        """Import the module file as Slicer does when it starts."""
        name = path.stem
        if self.app.moduleManager().module(name):
            return sys.modules[name]
        # What was imported for another test may hold other stand-ins for qt.
        ours = (f"{name}Panel", f"{name}Tests")
        for other in [each for each in sys.modules if each.split(".")[0] in ours]:
            del sys.modules[other]
        specification = importlib.util.spec_from_file_location(name, path)
        loaded = importlib.util.module_from_spec(specification)
        sys.modules[name] = loaded
        specification.loader.exec_module(loaded)
        module = scripted_module.Module(path)
        self.app.moduleManager().modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        setattr(slicer.modules, f"{name}Instance", getattr(loaded, name)(module))
        self.app.startupCompleted.emit()
        return loaded

    def open(self, name="LandmarkHeatmap"):
        """Choose a module in the module selector; returns its Python widget."""
        self.load()
        slicer.util.selectModule(name)
        self.window.activateWindow()
        self.process()
        return slicer.util.getModuleWidget(name)

    def close_modules(self):
        """End the modules' panels as the application does when it closes."""
        self.window.selectModule("")
        for module in self.app.moduleManager().modules.values():
            module.close()
        self.process()

    def show_3d(self):
        """Fill the place of the 3D view; it takes seconds to draw, so tests do without."""
        self.app.layoutManager().add_3d_view(ThreeDView(shared_application()))

    def scroll_to(self, widget):
        """Scroll the panel until a widget is at its top, as far as that goes."""
        self.process()
        area = self.window.centralWidget().widget(0)
        area.verticalScrollBar().setValue(widget.mapTo(area.widget(), self.point(0, 0)).y() - 6)
        self.process()

    def start_afresh(self):
        """Everything as after a new start of the application: panel, scene, settings, user."""
        self.close_modules()
        scene = self.app.mrmlScene()
        scene.Clear(False)
        # Clearing keeps singletons, the parameter nodes of modules among them.
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode", scene):
            scene.RemoveNode(node)
        for view in shared_slice_views().values():
            view.reset()
        self.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        QtCore.QSettings().clear()
        self.user.forget()
        self.app.clipboard().clear()
        self.process()

    def process(self, milliseconds=0):
        """Let the application work off what is waiting."""
        self.app.processEvents()
        self.app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
        if milliseconds:
            loop = QtCore.QEventLoop()
            QtCore.QTimer.singleShot(milliseconds, loop.quit)
            loop.exec()

    @contextmanager
    def watching_the_loop(self):
        """Measures how long the event loop was held up; use its results after the block."""
        watch = LoopWatch()
        yield watch
        watch.stop()

    # A hand on mouse and keyboard. Positions are in the widget, from its upper left corner.

    @staticmethod
    def point(x, y):
        return QtCore.QPoint(x, y)

    def drag(self, widget, start, end, button=QtCore.Qt.LeftButton, steps=6):
        """Hover, press, move, release, as a hand does."""
        for kind, place, held in [
            (QtCore.QEvent.MouseMove, start, False),
            (QtCore.QEvent.MouseMove, start, False),
            (QtCore.QEvent.MouseButtonPress, start, True),
            *(
                (QtCore.QEvent.MouseMove, start + (end - start) * (n / steps), True)
                for n in range(1, steps + 1)
            ),
            (QtCore.QEvent.MouseButtonRelease, end, False),
        ]:
            self._mouse(widget, kind, place, button, held)
        self.process()

    def click(self, button):
        """Click a button with the left mouse key; it must be there to be clicked."""
        assert button.isVisible(), f"{button.name} cannot be seen"
        assert button.enabled, f"{button.name} is disabled"
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton)
        self.process()

    def type(self, text, widget):
        QtTest.QTest.keyClicks(widget, text.rstrip("\n"))
        if text.endswith("\n"):
            QtTest.QTest.keyClick(widget, QtCore.Qt.Key_Return)
        self.process()

    def click_at(self, widget, place, button=QtCore.Qt.LeftButton):
        self.drag(widget, place, place, button, steps=0)

    def _mouse(self, widget, kind, place, button, held):
        is_move = kind == QtCore.QEvent.MouseMove
        nothing = QtCore.Qt.NoButton
        event = QtGui.QMouseEvent(
            kind,
            QtCore.QPointF(place),
            QtCore.QPointF(widget.mapToGlobal(place)),
            nothing if is_move else button,
            button if held else nothing,
            QtCore.Qt.NoModifier,
        )
        self.app.sendEvent(widget, event)

    def wheel(self, widget, notches):
        """Turn the mouse wheel over the middle of a widget."""
        middle = QtCore.QPointF(widget.rect.center())
        event = QtGui.QWheelEvent(
            middle,
            QtCore.QPointF(widget.mapToGlobal(middle.toPoint())),
            QtCore.QPoint(),
            QtCore.QPoint(0, 120 * notches),
            QtCore.Qt.NoButton,
            QtCore.Qt.NoModifier,
            QtCore.Qt.NoScrollPhase,
            False,
        )
        self.app.sendEvent(widget, event)
        self.process()

    def press(self, key, widget=None, modifiers=QtCore.Qt.NoModifier):
        """Press and release a key where the focus is, shortcuts included."""
        QtTest.QTest.keyClick(widget or self.app.focusWidget() or self.window, key, modifiers)
        self.process()

    def drop(self, widget, paths):
        """Drag files from the desktop over a widget and let them go; returns if it took them."""
        data = QtCore.QMimeData()
        data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
        place, copy = widget.rect.center(), QtCore.Qt.CopyAction
        held = (data, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier)
        enter = QtGui.QDragEnterEvent(place, copy, *held)
        enter.ignore()
        self.app.sendEvent(widget, enter)
        if not enter.isAccepted():
            return False
        drop = QtGui.QDropEvent(QtCore.QPointF(place), copy, *held)
        self.app.sendEvent(widget, drop)
        self.process()
        return drop.isAccepted()

    def wait_until(self, condition, seconds=10.0):
        """Run the event loop until a condition holds; fails if it never does."""
        clock = QtCore.QElapsedTimer()
        clock.start()
        while not condition():
            if clock.elapsed() > 1000 * seconds:
                raise AssertionError(f"still not so after {seconds} s")
            self.process(5)


@functools.lru_cache(maxsize=1)
def the_host() -> Host:
    """The process's one host, booted when first asked for."""
    return Host()


def _sample_data(registered: list):
    def register(**what):
        registered.append(what)

    return type(
        "SampleDataLogic",
        (),
        {
            "registerCustomSampleDataSource": staticmethod(register),
        },
    )
