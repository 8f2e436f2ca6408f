"""From a prediction to nodes: heatmap volumes, two lists of landmarks, and the node that binds them."""

from __future__ import annotations

import slicer

from landmark_heatmap.prediction import Prediction

from . import markups, state
from .overlay import style_heatmap
from .volumes import add_volume


def publish_nodes(volume_node, prediction: Prediction):
    """Add all nodes of a detection to the volume's scene; returns the node that refers to them.

    All of them come, or none.
    """
    scene = volume_node.GetScene()
    node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
    node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    node.SetModuleName(state.MODULE_NAME)
    node.SetName(scene.GenerateUniqueName(f"{volume_node.GetName()} detection"))
    state.write(node, state.initial(volume_node, prediction))
    node = scene.AddNode(node)
    added = []
    try:
        for role, each in _new_nodes(scene, volume_node, prediction):
            added.append(each)
            each.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
            node.SetNodeReferenceID(role, each.GetID())
        _gather_in_subject_hierarchy(node, added)
    except Exception:
        for each in (*added, node):
            scene.RemoveNode(each)
        raise
    node.SetNodeReferenceID(state.PARENT, volume_node.GetTransformNodeID())
    # Last, because the result is found by its volume from now on.
    node.SetNodeReferenceID(state.INPUT, volume_node.GetID())
    return node


def _new_nodes(scene, volume_node, prediction: Prediction):
    """(role, new node) for each node of a detection, in the order in which trees list them."""
    base = volume_node.GetName()
    yield state.MARKUPS, markups.add_list(scene, f"{base} landmarks", prediction)
    predicted = markups.add_list(scene, f"{base} landmarks as predicted", prediction)
    markups.hide_and_lock(predicted)
    yield state.PREDICTED, predicted
    combined = prediction.combined_heatmap()
    yield state.COMBINED, _heatmap(scene, combined, f"{base} heatmaps combined")
    for index, point in enumerate(prediction.points):
        role = state.HEATMAP.format(index=index)
        yield role, _heatmap(scene, point.heatmap, f"{base} heatmap {point.name}")


def _heatmap(scene, image, name: str):
    node = add_volume(scene, image, name)
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
