"""A heatmap in 3D: the closed surface at half of its height, made only when it is asked for."""

from __future__ import annotations

import numpy as np
import slicer

from ..volumes import ijk_to_ras
from .isosurface import isosurface
from .models import add_model, model_of, show_model

# Role of the reference from a result to its surface.
SURFACE = "heatmapSurface"
_LEVEL = 0.5
_COLOUR, _OPACITY = (0.99, 0.62, 0.15), 0.5


def show_surface(result, name: str = None) -> None:
    """Show one landmark's heatmap, or all combined (no name), in the 3D views; the one shown before
    is replaced. Raises AnnotationError for an unknown name."""
    heatmap = result.combined_node if name is None else result.heatmap_node(name)
    if heatmap is None:
        hide_surface(result)
        return
    node = surface_node(result) or add_model(result, SURFACE, "heatmap surface", _COLOUR, _OPACITY)
    node.SetAndObservePolyData(_surface_of(heatmap))
    node.SetAndObserveTransformNodeID(heatmap.GetTransformNodeID())
    show_model(node, True)


def hide_surface(result) -> None:
    show_model(surface_node(result), False)


def surface_node(result):
    """The model node, or None as long as nobody asked for one."""
    return model_of(result, SURFACE)


def _surface_of(heatmap):
    """In the coordinates of the heatmap's node. Closed: outside the heatmap there is nothing."""
    padded = np.pad(slicer.util.arrayFromVolume(heatmap), 1)
    shift = np.eye(4)
    shift[:3, 3] = -1
    # Where the network is not sure, half of what there is.
    level = _LEVEL * min(1.0, float(padded.max()) or 1.0)
    return isosurface(padded, ijk_to_ras(heatmap) @ shift, level)
