"""The base classes of a scripted module, after the documented life of one in Slicer 5.12."""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path

import slicer

from .pythonqt import QtWidgets


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename=""):
        return os.path.join(
            os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename
        )

    def runTest(self, msec=0, **kwargs):
        raise NotImplementedError("the tests of the host run the module's test themselves")


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__[: -len("Widget")]
        self.developerMode = False
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename=""):
        return os.path.join(
            os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename
        )

    def setup(self):
        """Slicer adds the Reload and Test section here, in developer mode."""

    def cleanup(self):
        pass

    def enter(self):
        pass

    def exit(self):
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__[: -len("Logic")]
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """The module's one parameter node in the scene, made if it is not there."""
        kind = "vtkMRMLScriptedModuleNode"
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, kind)
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass(kind)
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, requestedDelay=None, msec=100):
        print(message)

    def runTest(self):
        pass


class qSlicerScriptedLoadableModuleWidget(QtWidgets.QWidget):
    """What a module's Python widget has as its parent."""

    def __init__(self, name, parent=None):
        super().__init__(parent)
        self._name, self._python, self._entered = name, None, False
        QtWidgets.QVBoxLayout(self)

    @property
    def isEntered(self):
        return self._entered

    def self(self):
        """The module's Python widget, made and set up when it is first asked for."""
        if self._python is None:
            module = sys.modules[self._name]
            self._python = getattr(module, f"{self._name}Widget")(self)
            setattr(slicer.modules, f"{self._name}Widget", self._python)
            self._python.setup()
        return self._python

    def mrmlScene(self):
        return slicer.mrmlScene

    def enter(self):
        widget = self.self()
        self._entered = True
        widget.enter()

    def exit(self):
        if self._entered:
            self._entered = False
            self._python.exit()

    def reload(self):
        """As after Reload: a new Python widget from the module as it is now in sys.modules.

        As in Slicer, it is set up and no more; that the module is open, it has to ask.
        """
        while self.layout().count():
            item = self.layout().takeAt(0)
            if item.widget() is not None:
                item.widget().deleteLater()
        self._python = None
        self.self()

    def cleanup(self):
        if self._python is not None:
            self.exit()
            self._python.cleanup()
            self._python = None


class Module:
    """qSlicerScriptedLoadableModule: what a module's class fills in, and its widget."""

    def __init__(self, path: Path):
        self.name, self.path = path.stem, str(path)
        self.title = self.helpText = self.acknowledgementText = ""
        self.categories, self.dependencies, self.contributors = [], [], []
        self.hidden, self.icon, self.index = False, None, -1
        self._widget = None

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self.name)
            self._widget.self()
        return self._widget

    def close(self):
        """As when the application ends."""
        if self._widget is not None:
            self._widget.cleanup()
            self._widget.deleteLater()
            self._widget = None
