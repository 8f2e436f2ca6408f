"""Heatmaps over the image: colours, threshold, opacity, and which one is shown."""

from __future__ import annotations

import numpy as np

COLOUR_TABLE_NAME = "Landmark heatmap"
_COLOURS = 256
# From dark red over orange to pale yellow: brighter is always more, in grey print as well.
_STOPS = np.array(
    [
        [0.00, 0.18, 0.02, 0.10],
        [0.25, 0.55, 0.06, 0.14],
        [0.50, 0.88, 0.28, 0.10],
        [0.75, 0.99, 0.62, 0.15],
        [1.00, 1.00, 0.96, 0.65],
    ]
)
DEFAULT_THRESHOLD = 0.1
DEFAULT_OPACITY = 0.6


def colour_table(scene):
    """The scene's colour table for heatmaps; made on the first call, saved with the scene."""
    existing = scene.GetFirstNode(COLOUR_TABLE_NAME, "vtkMRMLColorTableNode")
    if existing is not None:
        return existing
    # The named tables of the application are not there in every MRML scene: this one is our own.
    table = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    table.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    table.SetName(COLOUR_TABLE_NAME)
    table.SetTypeToUser()
    table.SetNumberOfColors(_COLOURS)
    for index in range(_COLOURS):
        share = index / (_COLOURS - 1)
        red, green, blue = (np.interp(share, _STOPS[:, 0], _STOPS[:, c]) for c in (1, 2, 3))
        table.SetColor(index, f"{share:.2f}", red, green, blue, 1.0)
    return scene.AddNode(table)


def style_heatmap(volume_node) -> None:
    """Show a heatmap volume in the heatmap colours, from 0 to 1, transparent below the threshold."""
    display = volume_node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colour_table(volume_node.GetScene()).GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetInterpolate(True)
    display.AutoThresholdOff()
    display.SetThreshold(DEFAULT_THRESHOLD, _FAR_ABOVE)
    display.ApplyThresholdOn()


# Heatmaps end near one; the upper threshold has only to be out of the way.
_FAR_ABOVE = 1e6


def show_heatmap(result, name: str = None, opacity: float = DEFAULT_OPACITY) -> None:
    """Lay one landmark's heatmap, or all combined (no name), over the image in all slice views.

    Nothing is computed or copied. Raises AnnotationError for an unknown name.
    """
    heatmap = result.combined_node if name is None else result.heatmap_node(name)
    for composite in _slice_composites(result.scene):
        composite.SetBackgroundVolumeID(result.volume_node.GetID())
        composite.SetForegroundVolumeID(None if heatmap is None else heatmap.GetID())
        composite.SetForegroundOpacity(opacity)


def hide_heatmaps(result) -> None:
    """Take this result's heatmaps out of the slice views; other overlays stay."""
    ours = {node.GetID() for node in result.overlay_nodes}
    for composite in _slice_composites(result.scene):
        if composite.GetForegroundVolumeID() in ours:
            composite.SetForegroundVolumeID(None)


def set_opacity(result, opacity: float) -> None:
    """0 to 1, in all slice views that show a heatmap of this result."""
    ours = {node.GetID() for node in result.overlay_nodes}
    for composite in _slice_composites(result.scene):
        if composite.GetForegroundVolumeID() in ours:
            composite.SetForegroundOpacity(opacity)


def set_threshold(result, threshold: float) -> None:
    """Heatmaps below this, 0 to 1, are transparent."""
    for node in result.overlay_nodes:
        node.GetDisplayNode().SetThreshold(threshold, _FAR_ABOVE)


def _slice_composites(scene) -> list:
    nodes = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    nodes.UnRegister(None)  # GetNodesByClass leaves a reference to its caller
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
