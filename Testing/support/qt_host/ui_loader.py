"""Loading a .ui file as Slicer does: the classes of ctk and qMRML come from widgets/."""

from __future__ import annotations

from xml.etree import ElementTree

from .pythonqt import QtCore, QtUiTools, QtWidgets
from .widgets import STAND_INS


class UiLoader(QtUiTools.QUiLoader):
    """QUiLoader that knows the stand-ins, and signals and slots that carry MRML objects."""

    def createWidget(self, class_name, parent=None, name=""):
        # An exception does not find its way through Qt.
        try:
            return self._create(class_name, parent, name)
        except Exception as error:
            self._error = self._error or error
            return QtWidgets.QWidget(parent)

    def _create(self, class_name, parent, name):
        if class_name in STAND_INS:
            widget = STAND_INS[class_name](parent)
            widget.setObjectName(name)
            return widget
        if class_name not in self.availableWidgets():
            raise NotImplementedError(f"the host has no {class_name}")
        return super().createWidget(class_name, parent, name)

    def load(self, file, parent=None):
        tree = ElementTree.fromstring(bytes(file.readAll()))
        connections = [
            [connection.findtext(part) for part in ("sender", "signal", "receiver", "slot")]
            for connection in tree.iter("connection")
        ]
        # Qt connects by C++ types, which stand-ins in Python cannot have.
        for parent_node in tree.findall("connections"):
            tree.remove(parent_node)
        _without_foreign_sets(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        self._error = None
        widget = super().load(buffer, parent)
        if self._error:
            raise self._error
        for sender, signal, receiver, slot in connections:
            source, target = _find(widget, sender), _find(widget, receiver)
            source.connect(signal, getattr(target, slot.partition("(")[0]))
        return widget


def _without_foreign_sets(tree) -> None:
    """Enumerations of ctk classes have no meaning for Qt; their stand-ins do without."""
    for widget in tree.iter("widget"):
        for found in list(widget.findall("property")):
            value = found.findtext("set") or found.findtext("enum") or ""
            if value.startswith(("ctk", "qMRML")):
                widget.remove(found)


def _find(widget, name):
    return widget if widget.objectName == name else widget.findChild(QtWidgets.QWidget, name)
