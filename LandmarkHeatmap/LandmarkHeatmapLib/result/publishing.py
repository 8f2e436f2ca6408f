"""From a prediction, or landmarks alone, to nodes: heatmaps, beliefs, two lists, what binds them."""

from __future__ import annotations

import slicer

from landmark_heatmap.annotation.landmarks import LandmarkSet
from landmark_heatmap.detection.prediction import Prediction

from ..display.overlay import style_heatmap
from ..display.views import is_flat
from ..volumes import add_volume, remove_with_display
from . import markups, state


def publish_nodes(volume_node, prediction: Prediction = None, landmarks: LandmarkSet = None):
    """Add all nodes of a result to the volume's scene; returns the node that refers to them.

    As for PublishingSteps. All of them come, or none.
    """
    steps = PublishingSteps(volume_node, prediction, landmarks=landmarks)
    try:
        while steps.advance():
            pass
        steps.finish()
    except Exception:
        steps.undo()
        raise
    markups.show(steps.node.GetNodeReference(state.MARKUPS), True)
    return steps.node


class PublishingSteps:
    """The same one node at a time, for who must not hold up a window; `undo` after an error.

    node: the one that refers to the others; a result only after `finish`. Its landmarks are hidden
    until somebody shows them. prediction: None if no model was asked. combined: its
    combined_heatmap(), if that is there already. landmarks: of the result; those that the prediction
    does not know wait to be placed by hand. Without, they are the prediction's.
    """

    def __init__(self, volume_node, prediction: Prediction, combined=None, landmarks=None):
        landmarks = landmarks or prediction.landmarks
        self._volume, self._scene = volume_node, volume_node.GetScene()
        is_by_hand = prediction is None
        names = _Names(self._scene, volume_node.GetName(), is_by_hand)
        node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
        node.SetModuleName(state.MODULE_NAME)
        node.SetName(names.detection)
        state.write(node, state.initial(volume_node, landmarks, prediction))
        self.node = self._scene.AddNode(node)
        self._added = []
        points = () if is_by_hand else prediction.points
        beliefs = sum(point.belief is not None for point in points)
        self._expected = 3 + len(points) + beliefs
        self._folder = _Folder(self._scene, volume_node, names)
        self._nodes = _new_nodes(volume_node, landmarks, prediction, combined, names)

    @property
    def fraction(self) -> float:
        """0 to 1 of the nodes are there."""
        return len(self._added) / self._expected

    def advance(self) -> bool:
        """Make the next node; returns whether there is more to do."""
        role, each = next(self._nodes, (None, None))
        if each is None:
            return False
        self._added.append(each)
        each.SetAndObserveTransformNodeID(self._volume.GetTransformNodeID())
        self.node.SetNodeReferenceID(role, each.GetID())
        self._folder.take(each)
        return True

    def finish(self) -> None:
        """Once all nodes are there: make them a result."""
        self.node.SetNodeReferenceID(state.PARENT, self._volume.GetTransformNodeID())
        # Last, because the result is found by its volume from now on.
        self.node.SetNodeReferenceID(state.INPUT, self._volume.GetID())

    def undo(self) -> None:
        """Take everything out of the scene again."""
        there = [each for each in (*self._added, self.node) if each.GetScene() is not None]
        leave_folder(self._scene, there)
        for each in there:
            remove_with_display(each)


class _Names:
    """What the nodes of one result are called. The second one of a volume is number 2 in all of its
    names, and no name grows otherwise."""

    def __init__(self, scene, volume_name: str, is_by_hand: bool = False):
        self._kind = "by hand" if is_by_hand else "detection"
        number, self.volume, self._suffix = 1, volume_name, ""
        while any(scene.GetFirstNodeByName(name) for name in (self.detection, self.landmarks)):
            number += 1
            self._suffix = f" {number}"

    @property
    def detection(self) -> str:
        return f"{self.volume} {self._kind}{self._suffix}"

    @property
    def landmarks(self) -> str:
        return f"{self.volume} landmarks{self._suffix}"

    @property
    def heatmaps(self) -> str:
        return f"{self.volume} heatmaps{self._suffix}"

    @property
    def beliefs(self) -> str:
        return f"{self.volume} beliefs{self._suffix}"


def _new_nodes(volume_node, landmarks: LandmarkSet, prediction, combined, names: _Names):
    """(role, new node) for each node of a result, in the order in which trees list them."""
    scene, flat = volume_node.GetScene(), is_flat(volume_node)
    points = state.points_of(landmarks, prediction)
    yield state.MARKUPS, markups.add_list(scene, names.landmarks, landmarks, points, flat)
    predicted = f"{names.landmarks} as predicted"
    predicted = markups.add_list(scene, predicted, landmarks, points, flat)
    predicted.SetLocked(True)
    yield state.PREDICTED, predicted
    if prediction is None:
        return
    combined = combined or prediction.combined_heatmap()
    if combined is not None:
        yield state.COMBINED, _heatmap(scene, combined, f"{names.heatmaps} combined")
    for index, point in enumerate(points):
        if point is not None and point.heatmap is not None:
            role = state.HEATMAP.format(index=index)
            yield role, _heatmap(scene, point.heatmap, f"{names.heatmaps} {point.name}")
    for index, point in enumerate(points):
        if point is not None and point.belief is not None:
            # Seen as contours, which are made of it; nobody chooses it among the images.
            name = f"{names.beliefs} {point.name}"
            node = add_volume(scene, point.belief, name, levels=False, is_hidden=True)
            yield state.BELIEF.format(index=index), node


def _heatmap(scene, image, name: str):
    node = add_volume(scene, image, name, levels=False)
    style_heatmap(node)
    return node


class _Folder:
    """The one folder of a detection in the tree of the Data module, beside its volume, so that
    dozens of heatmaps do not crowd the tree."""

    def __init__(self, scene, volume_node, names: _Names):
        self._scene, tree = scene, _tree(scene)
        if tree is not None:
            beside = tree.GetItemByDataNode(volume_node)
            parent = tree.GetItemParent(beside) if beside else tree.GetSceneItemID()
            self._item = tree.CreateFolderItem(parent, names.detection)
            tree.SetItemExpanded(self._item, False)

    def take(self, node) -> None:
        tree = _tree(self._scene)
        if tree is None:
            return
        # The application makes an item for each node by itself; other hosts do not.
        item = tree.GetItemByDataNode(node)
        if item:
            tree.SetItemParent(item, self._item)
        else:
            tree.CreateItem(self._item, node)


def leave_folder(scene, nodes) -> None:
    """Take the items of these nodes out of the Data module's tree, and the folder that this leaves
    empty; the nodes themselves stay."""
    tree = _tree(scene)
    items = [tree.GetItemByDataNode(node) for node in nodes] if tree is not None else []
    for item in filter(None, items):
        folder = tree.GetItemParent(item)
        tree.RemoveItem(item, False, False)
        is_folder = tree.GetItemLevel(folder) == "Folder" and not tree.GetItemDataNode(folder)
        if is_folder and not tree.GetNumberOfItemChildren(folder):
            tree.RemoveItem(folder, False, False)


def _tree(scene):
    """Asked for each time: who keeps it beyond its scene keeps what is in it, too."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
