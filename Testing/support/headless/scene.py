"""Booting the MRML application logic of slicer-core, and hearing what VTK complains of."""

from __future__ import annotations

import ctypes.util
import functools
import importlib
import os
import sys
import tempfile
from contextlib import suppress


def choose_off_screen_rendering() -> None:
    """Before VTK is imported. On Linux it needs EGL or OSMesa; without them it crashes, not fails."""
    if not sys.platform.startswith("linux") or "VTK_DEFAULT_OPENGL_WINDOW" in os.environ:
        return
    windows = {"EGL": "vtkEGLRenderWindow", "OSMesa": "vtkOSOpenGLRenderWindow"}
    for library, window in windows.items():
        if ctypes.util.find_library(library):
            os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = window
            return
    raise RuntimeError("Rendering needs libEGL or libOSMesa (Debian: libegl1 or libosmesa6).")


def load_triton_before_mesa() -> None:
    """Both bring an LLVM. Where Mesa has drawn before, the process dies as torch imports Triton.

    torch from PyPI has it on Linux, and imports it for the first step of a training.
    """
    with suppress(ImportError):
        importlib.import_module("triton")


choose_off_screen_rendering()
load_triton_before_mesa()

import slicer
import vtk


class Application:
    """What the Slicer application does for a scene at its start, in the same order."""

    def __init__(self):
        self.scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self._boot_files()
        # Volumes are shown through the grey table, which the application brings along.
        self.logic.GetColorLogic().SetMRMLScene(self.scene)
        self.logic.GetColorLogic().AddDefaultColorNodes()
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        for factory in (
            slicer.vtkMRMLSliceViewDisplayableManagerFactory,
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
        ):
            factory.GetInstance().SetMRMLApplicationLogic(self.logic)
        self.modules = {
            "Markups": slicer.vtkSlicerMarkupsLogic(),
            "Volumes": slicer.vtkSlicerVolumesLogic(),
            "SubjectHierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic(),
        }
        for name, module in self.modules.items():
            module.SetMRMLApplicationLogic(self.logic)
            module.SetMRMLScene(self.scene)
            self.logic.SetModuleLogic(name, module)
        # slicer.util's functions look there; ours are passed their scene.
        slicer.mrmlScene = self.scene

    def _boot_files(self) -> None:
        remote = slicer.vtkMRMLRemoteIOLogic()
        remote.SetMRMLScene(self.scene)
        remote.AddDataIOToScene()
        # Bundles are unpacked there on their way into the scene.
        self._cache = tempfile.TemporaryDirectory(prefix="headless-scene-")
        remote.GetCacheManager().SetRemoteCacheDirectory(self._cache.name)
        manager = slicer.vtkDataIOManagerLogic()
        manager.SetMRMLApplicationLogic(self.logic)
        manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
        self._file_logics = (remote, manager)


@functools.lru_cache(maxsize=1)
def shared_application() -> Application:
    """The process's one application: displayable managers of VTK know only one."""
    return Application()


class Complaints:
    """Collects what VTK reports as errors, and exceptions in observers, which are only printed.

    A context manager; `texts` holds what came while it was open.
    """

    def __init__(self):
        self.texts = []

    def __enter__(self):
        self._window = vtk.vtkOutputWindow()
        self._tag = self._window.AddObserver("ErrorEvent", self._vtk_error)
        self._previous_window = vtk.vtkOutputWindow.GetInstance()
        vtk.vtkOutputWindow.SetInstance(self._window)
        self._previous_hook, sys.excepthook = sys.excepthook, self._python_error
        return self

    def __exit__(self, *_):
        sys.excepthook = self._previous_hook
        self._window.RemoveObserver(self._tag)
        vtk.vtkOutputWindow.SetInstance(self._previous_window)

    @vtk.calldata_type(vtk.VTK_STRING)
    def _vtk_error(self, caller, event, text):
        self.texts.append(text.strip())

    def _python_error(self, kind, error, traceback):
        self.texts.append(f"{kind.__name__} in an observer: {error}")
        self._previous_hook(kind, error, traceback)
