"""PySide6 made to behave as PythonQt does in Slicer, as far as a module's panel can tell.

In PythonQt a Qt property is an attribute and a wrong name is an error; in PySide6 the same property
is a pair of methods and a wrong name is swallowed. The classes of PySide6 are changed in place, so
that every object behaves, however it came to be. Importing this module does it, once per process.
"""

from __future__ import annotations

import os
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
# Virtual functions of C++, which calls them on Python objects as functions: left as they are.
VIRTUAL = {"sizeHint", "minimumSizeHint"}
_read, _write = QtCore.QObject.property, QtCore.QObject.setProperty
_qt_connect, _qt_disconnect = QtCore.QObject.connect, QtCore.QObject.disconnect


class QtProperty:
    """A Qt property as an attribute; from the class it is still what PySide6 has there."""

    def __init__(self, name: str, original, read_only: bool):
        self.name, self.original, self.read_only = name, original, read_only

    def __get__(self, instance, owner=None):
        if instance is None:
            return getattr(self.original, "__func__", self.original)
        return _read(instance, self.name)

    def __set__(self, instance, value):
        if self.read_only:
            raise AttributeError(f"{type(instance).__name__}.{self.name} is read only")
        if isinstance(value, os.PathLike):
            raise TypeError(f"Qt cannot convert the path {value!r} to a string")
        _write(instance, self.name, value)


def _reader(original):
    """PySide6 finds its own connect on instances before one that their class has."""

    def get(instance, name):
        if name == "connect":
            return types.MethodType(_connect, instance)
        if name == "disconnect":
            return types.MethodType(_disconnect, instance)
        return original(instance, name)

    return get


def _set_attribute(instance, name, value):
    """Only what there is can be set; a Python subclass may have attributes of its own."""
    for owner in type(instance).__mro__:
        found = vars(owner).get(name)
        if found is not None:
            if isinstance(found, QtCore.Property):  # of a class in Python
                return _write(instance, name, value)
            if hasattr(type(found), "__set__"):
                return found.__set__(instance, value)
            break
    # PythonQt lets classes written in Python have any attribute; stand-ins are for C++ ones.
    kind = type(instance)
    is_foreign = kind.__module__.startswith("PySide6") or hasattr(kind, "SIGNALS")
    # PySide6 itself keeps a signal with its object once it was looked up.
    if is_foreign and not name.startswith("_") and not isinstance(value, QtCore.SignalInstance):
        if isinstance(value, QtWidgets.QWidget) and instance.isAncestorOf(value):
            return None  # PySide6's loader of .ui files gives a widget its children; Slicer's not
        raise AttributeError(f"{kind.__name__} has no attribute {name!r} to set")
    vars(instance)[name] = value
    return None


def _connect(sender, signature, receiver, *more):
    """connect("clicked(bool)", f): f gets as many of the signal's values as are named there."""
    if not isinstance(signature, str):  # PySide6 itself, for signal.connect(f)
        return _qt_connect(signature, receiver, *more)
    normal = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    name, _, types_ = normal.partition("(")
    signals = getattr(type(sender), "SIGNALS", None)
    known = normal in signals if signals else sender.metaObject().indexOfSignal(normal) >= 0
    if not known:
        raise ValueError(f"{type(sender).__name__} has no signal {signature!r}")
    count = 0 if types_ == ")" else types_.count(",") + 1

    taken = _accepted(receiver, count)
    # PySide6 looks at how many values a function takes, and gives one that takes any none.
    call = (
        lambda: receiver(),
        lambda a: receiver(*(a,)[:taken]),
        lambda a, b: receiver(*(a, b)[:taken]),
        lambda a, b, c: receiver(*(a, b, c)[:taken]),
        lambda a, b, c, d: receiver(*(a, b, c, d)[:taken]),
    )[count]
    getattr(sender, name).connect(call)
    vars(sender).setdefault("_connections", []).append((normal, receiver, call))
    return True


def _disconnect(sender, signature, receiver, *more):
    if not isinstance(signature, str):
        return _qt_disconnect(signature, receiver, *more)
    normal = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    there = vars(sender).get("_connections", [])
    for connection in there:
        if connection[:2] == (normal, receiver):
            getattr(sender, normal.partition("(")[0]).disconnect(connection[2])
            there.remove(connection)
            return True
    return False


def _accepted(function, count: int) -> int:
    """How many of `count` values a function takes."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None or code.co_flags & 0x04:  # built in, or *args
        return count
    return min(count, code.co_argcount - hasattr(function, "__self__"))


def _class_name(instance) -> str:
    return type(instance).__name__


def _behave_as_pythonqt() -> None:
    for module in MODULES:
        for each in [getattr(module, name) for name in dir(module)]:
            if isinstance(each, type) and issubclass(each, QtCore.QObject):
                _change(each)
    for dialog in (QtWidgets.QDialog, QtWidgets.QMenu):
        dialog.exec_ = dialog.exec


def _change(each) -> None:
    each.__setattr__ = _set_attribute
    if "__getattribute__" in vars(each):  # QObject, and a few that do it in a way of their own
        each.__getattribute__ = _reader(vars(each)["__getattribute__"])
    each.className = _class_name
    each.name = QtProperty("objectName", None, False)
    meta = each.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        found = meta.property(index)
        if found.name() in VIRTUAL or (each is QtWidgets.QProgressBar and found.name() == "text"):
            continue
        original = vars(each).get(found.name())
        setattr(each, found.name(), QtProperty(found.name(), original, not found.isWritable()))


def make_qt_module(overrides: dict) -> types.ModuleType:
    """The module `qt`: everything of Qt in one place, with these names replaced."""
    module = types.ModuleType("qt")
    vars(module).update(overrides)

    def find(name):
        for each in MODULES:
            if hasattr(each, name):
                return getattr(each, name)
        raise AttributeError(f"module 'qt' has no attribute {name!r}")

    module.__getattr__ = find
    return module


_behave_as_pythonqt()
