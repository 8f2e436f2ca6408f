"""Heatmaps over the image: colours, threshold, opacity, and which one is shown."""

from __future__ import annotations

import numpy as np

_TABLE_NAME = "Landmark heatmap {name}"
_COLOURS = 256
# Name to red, green and blue at equal steps. Brighter is always more, in grey print as well.
COLOUR_MAPS = {
    "embers": (
        (0.18, 0.02, 0.10),
        (0.55, 0.06, 0.14),
        (0.88, 0.28, 0.10),
        (0.99, 0.62, 0.15),
        (1.0, 0.96, 0.65),
    ),
    "sea to sand": (
        (0.27, 0.00, 0.33),
        (0.23, 0.32, 0.55),
        (0.13, 0.57, 0.55),
        (0.37, 0.79, 0.38),
        (0.99, 0.91, 0.15),
    ),
    "blue": (
        (0.03, 0.10, 0.28),
        (0.10, 0.33, 0.65),
        (0.25, 0.58, 0.90),
        (0.58, 0.80, 1.00),
        (0.92, 0.97, 1.00),
    ),
    "green": (
        (0.02, 0.18, 0.05),
        (0.05, 0.42, 0.14),
        (0.20, 0.68, 0.26),
        (0.55, 0.88, 0.50),
        (0.93, 1.00, 0.88),
    ),
}
DEFAULT_COLOUR_MAP = "embers"
DEFAULT_THRESHOLD = 0.1
DEFAULT_OPACITY = 0.6


def colour_table(scene, name: str = DEFAULT_COLOUR_MAP):
    """The scene's colour table for heatmaps, one of COLOUR_MAPS; made on the first call, saved with
    the scene. KeyError for another name."""
    stops, title = np.array(COLOUR_MAPS[name]), _TABLE_NAME.format(name=name)
    existing = scene.GetFirstNode(title, "vtkMRMLColorTableNode")
    if existing is not None:
        return existing
    # The named tables of the application are not there in every MRML scene: this one is our own.
    table = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    table.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    table.SetName(title)
    table.SetTypeToUser()
    table.SetNumberOfColors(_COLOURS)
    for index in range(_COLOURS):
        share = index / (_COLOURS - 1)
        steps = np.linspace(0, 1, len(stops))
        red, green, blue = (np.interp(share, steps, channel) for channel in stops.T)
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


def set_colour_map(result, name: str) -> None:
    """Show all heatmaps of a result in the colours of one of COLOUR_MAPS."""
    table = colour_table(result.scene, name)
    for node in result.overlay_nodes:
        if node.GetDisplayNode().GetColorNodeID() != table.GetID():
            node.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())


def _slice_composites(scene) -> list:
    nodes = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    nodes.UnRegister(None)  # GetNodesByClass leaves a reference to its caller
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
