"""Model nodes that belong to a result: made beside its landmarks, found again by their role."""

from __future__ import annotations

import slicer


def model_of(result, role: str):
    """The model node of a role, or None as long as nobody asked for one."""
    return result.node.GetNodeReference(role)


def add_model(result, role: str, what: str, colour, opacity: float = 1.0):
    """A new model node in a role; nobody picks it with the mouse. It has no surface yet."""
    scene = result.scene
    name = scene.GenerateUniqueName(f"{result.volume_node.GetName()} {what}")
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(*colour)
    node.GetDisplayNode().SetOpacity(opacity)
    node.GetDisplayNode().SetScalarVisibility(False)
    node.SetSelectable(False)
    result.node.SetNodeReferenceID(role, node.GetID())
    put_into_folder(result, node)
    return node


def put_into_folder(result, node) -> None:
    """Put a node where the landmarks are in the tree of the Data module."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(result.scene)
    beside = tree.GetItemByDataNode(result.markups_node) if tree else 0
    if not beside:
        return
    folder, item = tree.GetItemParent(beside), tree.GetItemByDataNode(node)
    # The application makes an item for each node by itself; other hosts do not.
    if item:
        tree.SetItemParent(item, folder)
    else:
        tree.CreateItem(folder, node)


def show_model(node, is_shown: bool) -> None:
    """Show or hide a model, None too; nothing is drawn anew where it is so already."""
    display = None if node is None else node.GetDisplayNode()
    if display is not None and bool(display.GetVisibility()) != is_shown:
        display.SetVisibility(is_shown)
