"""Stand-ins for the qMRML widgets, which follow the scene."""

from __future__ import annotations

from ..pythonqt import QtCore, QtWidgets

Property, Signal = QtCore.Property, QtCore.Signal


class _Observers:
    """Observers on VTK objects that go with a widget."""

    def __init__(self, widget):
        self._tags = []
        # Not a method of the widget: when it is destroyed, that can no longer be called.
        widget.destroyed.connect(self.release)

    def add(self, target, events, callback):
        for event in events:
            self._tags.append((target, target.AddObserver(event, callback)))

    def release(self, *_):
        for target, tag in self._tags:
            target.RemoveObserver(tag)
        self._tags.clear()


class qMRMLWidget(QtWidgets.QWidget):
    SIGNALS = {"mrmlSceneChanged(vtkMRMLScene*)"}
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class _FilterModel(QtCore.QObject):
    """qMRMLSortFilterProxyModel as far as a panel uses it: nodes that are not offered."""

    def __init__(self, changed, parent=None):
        super().__init__(parent)
        self._ids, self._told = [], changed

    def _get_hidden(self):
        return list(self._ids)

    def _set_hidden(self, ids):
        self._ids = list(ids)
        self._told()

    hiddenNodeIDs = Property("QStringList", _get_hidden, _set_hidden)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """The nodes of some classes in the scene; follows the scene."""

    SIGNALS = {
        "currentNodeChanged(bool)",
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeIDChanged(QString)",
        "nodeActivated(vtkMRMLNode*)",
    }
    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._current = self._last_told = None
        self._observers = _Observers(self)
        self._values = {
            "nodeTypes": [],
            "hideChildNodeTypes": [],
            "showChildNodeTypes": True,
            "showHidden": False,
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "noneDisplay": "None",
            "baseName": "",
            "selectNodeUponCreation": True,
        }
        self._filter = _FilterModel(self._fill, self)
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._chosen)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        self._observers.release()
        self._scene = scene
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent)
            self._observers.add(scene, events, self._fill)
        self._fill()

    def sortFilterProxyModel(self):
        return self._filter

    def _nodes(self):
        """The nodes that are offered, in the scene's order."""
        values, found = self._values, []
        for index in range(self._scene.GetNumberOfNodes() if self._scene else 0):
            node = self._scene.GetNthNode(index)
            shown = any(
                node.IsA(kind) if values["showChildNodeTypes"] else node.GetClassName() == kind
                for kind in values["nodeTypes"]
            )
            shown &= not any(node.IsA(kind) for kind in values["hideChildNodeTypes"])
            shown &= values["showHidden"] or not node.GetHideFromEditors()
            if shown and node.GetID() not in self._filter._ids:
                found.append(node)
        return found

    def _fill(self, *_):
        if self._scene is None or self._scene.IsBatchProcessing():
            return
        nodes = self._nodes()
        blocked = self._box.blockSignals(True)
        self._box.clear()
        if self._values["noneEnabled"]:
            self._box.addItem(self._values["noneDisplay"], "")
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        self._box.blockSignals(blocked)
        if self._current not in nodes:
            self._current = None if self._values["noneEnabled"] or not nodes else nodes[0]
        self._show_current()

    def _show_current(self):
        blocked = self._box.blockSignals(True)
        self._box.setCurrentIndex(
            self._box.findData(self._current.GetID() if self._current else "")
        )
        self._box.blockSignals(blocked)
        if self._current is not self._last_told:
            self._last_told = self._current
            self.currentNodeChanged.emit(self._current)
            self.currentNodeIDChanged.emit(self.currentNodeID)

    def _chosen(self, index):
        node_id = self._box.itemData(index)
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if node_id else None)
        self.nodeActivated.emit(self._current)

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node):
        """A node that is not offered chooses none, as in Slicer."""
        self._current = node if node in self._nodes() else None
        self._show_current()

    def setCurrentNodeID(self, node_id):
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if node_id else None)

    def nodeCount(self):
        return len(self._nodes())

    def _get_id(self):
        return self._current.GetID() if self._current else ""

    currentNodeID = Property(str, _get_id, setCurrentNodeID)

    def _plain(kind, name):  # noqa: N805
        def get(self):
            return self._values[name]

        def put(self, value):
            self._values[name] = value
            self._fill()

        return Property(kind, get, put)

    nodeTypes = _plain("QStringList", "nodeTypes")
    hideChildNodeTypes = _plain("QStringList", "hideChildNodeTypes")
    showChildNodeTypes = _plain(bool, "showChildNodeTypes")
    showHidden = _plain(bool, "showHidden")
    noneEnabled = _plain(bool, "noneEnabled")
    addEnabled = _plain(bool, "addEnabled")
    removeEnabled = _plain(bool, "removeEnabled")
    editEnabled = _plain(bool, "editEnabled")
    renameEnabled = _plain(bool, "renameEnabled")
    noneDisplay = _plain(str, "noneDisplay")
    baseName = _plain(str, "baseName")
    selectNodeUponCreation = _plain(bool, "selectNodeUponCreation")


QMRML = (qMRMLWidget, qMRMLNodeComboBox)
