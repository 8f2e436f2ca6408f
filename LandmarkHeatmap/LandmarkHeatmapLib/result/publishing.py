"""From a prediction to nodes: heatmap volumes, two lists of landmarks, and the node that binds them."""

from __future__ import annotations

import slicer

from landmark_heatmap.detection.prediction import Prediction

from ..display.overlay import style_heatmap
from ..volumes import add_volume
from . import markups, state


def publish_nodes(volume_node, prediction: Prediction):
    """Add all nodes of a detection to the volume's scene; returns the node that refers to them.

    All of them come, or none.
    """
    steps = PublishingSteps(volume_node, prediction)
    try:
        while steps.advance():
            pass
        steps.finish()
    except Exception:
        steps.undo()
        raise
    return steps.node


class PublishingSteps:
    """The same one node at a time, for who must not hold up a window; `undo` after an error.

    node: the one that refers to the others; a result only after `finish`.
    """

    def __init__(self, volume_node, prediction: Prediction):
        self._volume, self._scene = volume_node, volume_node.GetScene()
        node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
        node.SetModuleName(state.MODULE_NAME)
        node.SetName(self._scene.GenerateUniqueName(f"{volume_node.GetName()} detection"))
        state.write(node, state.initial(volume_node, prediction))
        self.node = self._scene.AddNode(node)
        self._added = []
        self._expected = 3 + len(prediction.points)
        self._nodes = _new_nodes(self._scene, volume_node, prediction)

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
        return True

    def finish(self) -> None:
        """Once all nodes are there: make them a result."""
        _gather_in_subject_hierarchy(self.node, self._added)
        self.node.SetNodeReferenceID(state.PARENT, self._volume.GetTransformNodeID())
        # Last, because the result is found by its volume from now on.
        self.node.SetNodeReferenceID(state.INPUT, self._volume.GetID())

    def undo(self) -> None:
        """Take everything out of the scene again."""
        for each in (*self._added, self.node):
            if each.GetScene() is not None:
                each.GetScene().RemoveNode(each)


def _new_nodes(scene, volume_node, prediction: Prediction):
    """(role, new node) for each node of a detection, in the order in which trees list them."""
    base = volume_node.GetName()
    yield state.MARKUPS, markups.add_list(scene, f"{base} landmarks", prediction)
    predicted = markups.add_list(scene, f"{base} landmarks as predicted", prediction)
    markups.hide_and_lock(predicted)
    yield state.PREDICTED, predicted
    combined = prediction.combined_heatmap()
    if combined is None:
        return
    yield state.COMBINED, _heatmap(scene, combined, f"{base} heatmaps combined")
    for index, point in enumerate(prediction.points):
        role = state.HEATMAP.format(index=index)
        yield role, _heatmap(scene, point.heatmap, f"{base} heatmap {point.name}")


def _heatmap(scene, image, name: str):
    node = add_volume(scene, image, name, levels=False)
    style_heatmap(node)
    return node


def _gather_in_subject_hierarchy(result_node, nodes) -> None:
    """Put the nodes into one folder, so that dozens of heatmaps do not crowd the scene's tree."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(result_node.GetScene())
    if hierarchy is None:
        return
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), result_node.GetName())
    for node in nodes:
        # The application makes an item for each node by itself; other hosts do not.
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node)
    hierarchy.SetItemExpanded(folder, False)
