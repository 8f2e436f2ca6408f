"""What our code and our .ui file ask of Qt, and whether Slicer's widgets have it. Reads, runs nothing.

`widget_api.json` says which properties, signals and names each class has in a running Slicer.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from xml.etree import ElementTree

API_FILE = Path(__file__).parent / "qt_host" / "widget_api.json"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_LIST = "gives model indices, a list that PythonQt may not know; ask the items"
# What works in PySide6, but not for sure in every PythonQt.
_UNSURE = {
    "QListWidgetItem": "may go with its Python variable; let the list make it",
    "selectedRows": _NO_LIST,
    "selectedColumns": _NO_LIST,
    "selectedIndexes": _NO_LIST,
}
# The modules of Qt as Slicer names them.
_QT = ("qt", "ctk")
# In PySide6 a class may define them; under PythonQt they are reported to crash.
_OF_PYSIDE = ("qt.Signal", "qt.Slot", "qt.Property")


class Api:
    """The classes of Slicer's Qt: what they have, ancestors included."""

    def __init__(self, classes: dict):
        self.classes = classes

    @classmethod
    def read(cls, path: Path = API_FILE) -> Api:
        return cls(json.loads(path.read_text(encoding="utf-8"))["classes"])

    def _parts(self, name: str, part: str):
        for each in {name, *self.classes[name]["inherits"]} & set(self.classes):
            yield from self.classes[each][part]

    def properties(self, name: str) -> dict:
        found = {}
        for each in {name, *self.classes[name]["inherits"]} & set(self.classes):
            found.update(self.classes[each]["properties"])
        return found

    def signals(self, name: str) -> set:
        return set(self._parts(name, "signals"))

    def names(self, name: str) -> set:
        """All that can be read: properties, signals, methods, enumerators."""
        signals = {each.partition("(")[0] for each in self.signals(name)}
        return set(self._parts(name, "names")) | set(self.properties(name)) | signals


def widgets_in(ui: str) -> dict:
    """Object name to class of every widget and action in a .ui file."""
    tree = ElementTree.fromstring(ui)
    found = {node.get("name"): node.get("class") for node in tree.iter("widget")}
    return {**found, **{node.get("name"): "QAction" for node in tree.iter("action")}}


def faults_of_ui(ui: str, api: Api) -> list:
    """Properties that a .ui file sets and that the widget's class does not have, as sentences."""
    faults = []
    for widget in ElementTree.fromstring(ui).iter("widget"):
        kind, name = widget.get("class"), widget.get("name")
        if kind not in api.classes:
            faults.append(f"{name}: the class {kind} is unknown")
            continue
        for found in widget.findall("property"):
            if found.get("stdset") != "0" and found.get("name") not in api.properties(kind):
                faults.append(f"{name}: {kind} has no property {found.get('name')}")
            value = found.findtext("enum") or found.findtext("set") or ""
            for part in value.split("|"):
                owner, _, enumerator = part.rpartition("::")
                if owner in api.classes and enumerator not in api.names(owner):
                    faults.append(f"{name}: {owner} has no {enumerator}")
    return faults


def faults_of_code(source: str, widgets: dict, api: Api) -> list:
    """What the code asks of widgets that they do not have, as sentences with line numbers.

    Followed: `self.ui.X`, `ui.X`, `qt.X(...)`, `ctk.X(...)`, `slicer.qX(...)`, and the names they
    are assigned to, `self.Y` within the class and local ones within the function, one by one or
    several at once; and parameters that are said to be a `qt.X` or `ctk.X`.
    """
    check = _Check(widgets, api)
    tree = ast.parse(source)
    for node in tree.body:
        check.visit_scope(node, {})
    return sorted(set(check.faults), key=lambda fault: int(fault.split()[1].rstrip(":")))


class _Check:
    def __init__(self, widgets, api):
        self.widgets, self.api, self.faults = widgets, api, []

    def visit_scope(self, scope, known: dict) -> None:
        """known: dotted name to class, of what surrounds the scope."""
        known = dict(known)
        if isinstance(scope, ast.ClassDef):
            for method in scope.body:
                known.update(self._own_attributes(method, known))
        else:
            self._learn_parameters(scope, known)
            for node in _own(scope):
                self._learn(node, known)
        parents = {child: node for node in ast.walk(scope) for child in ast.iter_child_nodes(node)}
        for node in _own(scope):
            if node is not scope and isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                self.visit_scope(node, known)
            elif isinstance(node, ast.Attribute):
                self._use(node, parents, known)
            elif isinstance(node, ast.Call):
                self._call(node)

    def _own_attributes(self, method, known) -> dict:
        """What a method makes of the attributes of its object."""
        within = dict(known)
        self._learn_parameters(method, within)
        for node in ast.walk(method):
            self._learn(node, within)
        return {name: kind for name, kind in within.items() if name.startswith("self.")}

    def _learn(self, node, known) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name, value in _one_by_one(target, node.value):
                    if _dotted(name):
                        self._know(known, _dotted(name), self._kind(value, known))

    def _learn_parameters(self, scope, known) -> None:
        """What a function is given hides what has the same name around it."""
        for each in _parameters(scope):
            owner, _, name = (_dotted(each.annotation) or "").rpartition(".")
            self._know(known, each.arg, name if owner in _QT else None)

    @staticmethod
    def _know(known, dotted, kind) -> None:
        if kind:
            known[dotted] = kind
        else:
            known.pop(dotted, None)

    def _call(self, node) -> None:
        """What Qt itself is called with, by the name of a class."""
        dotted = _dotted(node.func) or ""
        if node.keywords and dotted.partition(".")[0] in _QT:
            self._fault(node, f"{dotted} takes no keywords in PythonQt")

    def _kind(self, node, known):
        """The class of an expression if it is a widget that we know, else None."""
        dotted = _dotted(node)
        if dotted in known:
            return known[dotted]
        if isinstance(node, ast.Attribute) and _is_ui(node.value):
            return self.widgets.get(node.attr)
        if isinstance(node, ast.Call):
            owner, _, name = (_dotted(node.func) or "").rpartition(".")
            if owner in ("qt", "ctk", "slicer") and name in self.api.classes:
                return name
        return None

    def _use(self, node, parents, known) -> None:
        if node.attr in _UNSURE:
            self._fault(node, f"{node.attr} {_UNSURE[node.attr]}")
        if _dotted(node) in _OF_PYSIDE:
            self._fault(node, f"{_dotted(node)}: no signals of Qt are defined in Python")
        if _is_scoped(node):
            self._fault(node, f"{_dotted(node)}: PythonQt has enumerators in the class itself")
        if _is_ui(node.value) and node.attr not in self.widgets:
            self._fault(node, f"there is no widget {node.attr} in the .ui file")
        kind = self._kind(node.value, known)
        if kind is None:
            return
        if kind not in self.api.classes:
            self._fault(node, f"the class {kind} is unknown")
            return
        if node.attr not in self.api.names(kind):
            self._fault(node, f"{kind} has no {node.attr}")
            return
        found = self.api.properties(kind).get(node.attr)
        parent = parents.get(node)
        is_called = isinstance(parent, ast.Call) and parent.func is node
        if isinstance(node.ctx, ast.Store) and (found is None or "read only" in found):
            self._fault(node, f"{kind}.{node.attr} cannot be set")
        if is_called and found is not None and node.attr != "singleShot":
            self._fault(node, f"{kind}.{node.attr} is a property and cannot be called")
        if is_called and parent.keywords:
            self._fault(node, f"{kind}.{node.attr} takes no keywords in PythonQt")
        if is_called and parent.args and isinstance(parent.args[0], ast.Constant):
            self._named(node, kind, parent.args[0].value)

    def _named(self, node, kind, text) -> None:
        """connect("clicked(bool)", f), setProperty("value", 3)"""
        if node.attr in ("connect", "disconnect") and text not in self.api.signals(kind):
            self._fault(node, f"{kind} has no signal {text}")
        if node.attr == "setProperty" and text not in self.api.properties(kind):
            self._fault(node, f"{kind} has no property {text}")

    def _fault(self, node, text) -> None:
        self.faults.append(f"line {node.lineno}: {text}")


def classes_used(sources: list, ui: str) -> set:
    """The Qt classes that code makes or asks for by name, and those in the .ui file."""
    found = set(widgets_in(ui).values()) | {"QObject", "QWidget"}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            owner, _, name = (_dotted(node) or "").rpartition(".")
            if owner in _QT or (owner == "slicer" and name.startswith("q")):
                found.add(name)
    return found


def _own(scope):
    """The nodes of a scope without what lies in functions and classes within it, but these."""
    waiting = list(ast.iter_child_nodes(scope)) if isinstance(scope, _SCOPES) else [scope]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Module)


def _one_by_one(target, value):
    """(target, value) pairs of an assignment; no value where it is not known which is whose."""
    if not isinstance(target, ast.Tuple):
        return [(target, value)]
    values = value.elts if isinstance(value, ast.Tuple) else []
    if len(values) != len(target.elts) or any(isinstance(e, ast.Starred) for e in target.elts):
        values = [None] * len(target.elts)
    return zip(target.elts, values)


def _parameters(scope) -> list:
    if not isinstance(scope, (*_FUNCTIONS, ast.Lambda)):
        return []
    given = scope.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [each for each in every if each is not None and each.arg != "self"]


def _is_ui(node) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in ("ui", "_ui")


def _is_scoped(node) -> bool:
    """qt.Qt.Orientation.Horizontal, as PySide6 has it."""
    parts = (_dotted(node) or "").split(".")
    return len(parts) == 4 and parts[0] == "qt" and parts[2][:1].isupper()


def _dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None
