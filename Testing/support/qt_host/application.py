"""The host: boots the application and puts into Python what a module imports."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import slicer

from headless.scene import shared_application
from headless.views import ThreeDView, shared_slice_views
from places import ROOT

from . import parameter_node, scripted_module, widgets
from .hand import Hand, LoopWatch
from .pythonqt import QtCore, QtWidgets, make_qt_module
from .slicer_app import App, MainWindow
from .ui_loader import UiLoader

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


class Host(Hand):
    """Boots once a process; `open` gives a module's panel as the user has it in front of them."""

    def __init__(self):
        self.user = User()
        self.app = slicer.app = App()
        self.sample_data = []
        self._install()
        self.window = MainWindow(self.app)
        self.window.resize_plainly()
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
        area = self.window.panel_area()
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
        kept = Path(self.app.slicerUserSettingsFilePath).parent / "LandmarkHeatmap"
        shutil.rmtree(kept, ignore_errors=True)
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

    def wait_until(self, condition, seconds=60.0):
        """Run the event loop until a condition holds; fails if it never does.

        seconds: after which it is taken to hang; what trains lets everything else go first.
        """
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
