"""slicer.parameterNodeWrapper, as far as a module like ours uses it.

Fields of type str, bool, int, float, list[str] and nodes; defaults; WithinRange; and the
connection of fields to the widgets that a .ui file names for them.
"""

from __future__ import annotations

import dataclasses
import json
import typing

import slicer
import vtk

from .pythonqt import QtWidgets
from .widgets.ctk import ctkPathLineEdit, ctkSliderWidget
from .widgets.qmrml import qMRMLNodeComboBox


@dataclasses.dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float

    def check(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


@dataclasses.dataclass(frozen=True)
class Choice:
    choices: typing.Sequence

    def check(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {list(self.choices)}")


@dataclasses.dataclass(frozen=True)
class Default:
    value: typing.Any

    def check(self, value) -> None:
        pass


class _Field:
    """One annotated name of the wrapped class, kept in the node as Slicer keeps it."""

    EMPTY = {str: "", bool: False, int: 0, float: 0.0, list: []}

    def __init__(self, name, annotation, default):
        self.name = name
        self.rules = getattr(annotation, "__metadata__", ())
        kind = annotation.__origin__ if self.rules else annotation
        self.kind = typing.get_origin(kind) or kind
        self.is_node = isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)
        if not self.is_node and self.kind not in self.EMPTY:
            raise NotImplementedError(f"field {name}: the host keeps no {annotation}")
        self.default = self.EMPTY.get(self.kind) if default is None else default

    def __get__(self, wrapper, owner=None):
        if wrapper is None:
            return self
        node = wrapper.parameterNode
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.kind is str:
            return text
        return self.kind(json.loads(text)) if text else self.default

    def __set__(self, wrapper, value):
        node = wrapper.parameterNode
        for rule in self.rules:
            rule.check(value)
        if self.is_node:
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, (self.kind, int if self.kind is float else self.kind)):
            raise TypeError(f"{self.name} is {value!r}, not a {self.kind.__name__}")
        node.SetParameter(self.name, value if self.kind is str else json.dumps(value))


def parameterNodeWrapper(wrapped):
    """Turn the annotations of a class into fields of a vtkMRMLScriptedModuleNode."""
    hints = typing.get_type_hints(wrapped, include_extras=True)
    fields = [_Field(name, hint, vars(wrapped).get(name)) for name, hint in hints.items()]
    names = {**vars(wrapped), **vars(_Wrapper), **{field.name: field for field in fields}}
    names["_fields"] = fields
    for unwanted in ("__dict__", "__weakref__", "__annotations__"):
        names.pop(unwanted, None)
    return type(wrapped.__name__, (), names)


class _Wrapper:
    def __init__(self, parameterNode):
        vars(self).update(parameterNode=parameterNode, _connections={})
        for field in self._fields:
            there = parameterNode.HasParameter(field.name) if not field.is_node else True
            if not there:
                field.__set__(self, field.default)

    def __setattr__(self, name, value):
        field = next((each for each in self._fields if each.name == name), None)
        if field is None:
            raise AttributeError(f"the parameter node has no field {name!r}")
        field.__set__(self, value)

    def __eq__(self, other):
        return isinstance(other, type(self)) and self.parameterNode is other.parameterNode

    def connectGui(self, gui):
        """Connect the widgets that have a SlicerParameterName; as Slicer's, it returns no tag."""
        widgets = gui.findChildren(QtWidgets.QWidget) if hasattr(gui, "findChildren") else None
        named = [(w.property("SlicerParameterName"), w) for w in widgets or vars(gui).values()]
        self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, widgets):
        """Connect these widgets, by the names of their parameters; returns a tag."""
        tag = max(self._connections, default=0) + 1
        self._connections[tag] = [
            _Connection(self, getattr(type(self), name), widget) for name, widget in widgets.items()
        ]
        return tag

    def disconnectGui(self, tag):
        """As in Slicer, a tag that there is not disconnects nothing."""
        for connection in self._connections.pop(tag, ()):
            connection.release()


class _Connection:
    """A field and a widget that follow each other."""

    # Class, its signal, how its value is read, how it is set.
    KINDS = (
        (qMRMLNodeComboBox, "currentNodeChanged", "currentNode", "setCurrentNode"),
        (QtWidgets.QAbstractButton, "toggled", "checked", "checked"),
        (ctkSliderWidget, "valueChanged", "value", "value"),
        (QtWidgets.QSpinBox, "valueChanged", "value", "value"),
        (QtWidgets.QDoubleSpinBox, "valueChanged", "value", "value"),
        (ctkPathLineEdit, "currentPathChanged", "currentPath", "currentPath"),
        (QtWidgets.QComboBox, "currentTextChanged", "currentText", "currentText"),
        (QtWidgets.QLineEdit, "textChanged", "text", "text"),
    )

    def __init__(self, wrapper, field, widget):
        self.wrapper, self.field, self.widget = wrapper, field, widget
        kinds = [kind for kind in self.KINDS if isinstance(widget, kind[0])]
        if not kinds:
            raise NotImplementedError(f"no connection to a {type(widget).__name__}")
        _, self.signal, self.getter, self.setter = kinds[0]
        for rule in field.rules:
            if isinstance(rule, WithinRange):
                widget.minimum, widget.maximum = rule.minimum, rule.maximum
        self.to_widget()
        getattr(widget, self.signal).connect(self.to_node)
        node = wrapper.parameterNode
        self.tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self.to_widget)

    def release(self):
        getattr(self.widget, self.signal).disconnect(self.to_node)
        self.wrapper.parameterNode.RemoveObserver(self.tag)

    def _shown(self):
        value = getattr(self.widget, self.getter)
        return value() if callable(value) else value

    def to_node(self, *_):
        value = self._shown()
        if value != self.field.__get__(self.wrapper):
            self.field.__set__(self.wrapper, value)

    def to_widget(self, *_):
        value = self.field.__get__(self.wrapper)
        if value != self._shown():
            if self.setter.startswith("set"):
                getattr(self.widget, self.setter)(value)
            else:
                setattr(self.widget, self.setter, value)
