"""A close look at one landmark in all slice views, and back to what they showed before."""

from __future__ import annotations

import numpy as np
import slicer

from ..volumes import size_ijk
from .views import FLAT_VIEW, look_at, nodes_of_class, put_slice

# How much of the image is shown around a landmark, in widths of its heatmap at half height, in widths
# of the region that holds nine tenths of the belief, and in voxels of the image: the most of these.
_WIDTHS, _REGIONS, _LEAST_VOXELS = 8.0, 2.5, 32
_OUTER_LEVEL = 0.1
# A heatmap that is narrower than this on the screen, in pixels, is not seen.
_SEEN_PIXELS = 12
# Slicer's name of the view that stands beside FLAT_VIEW where there are two.
_BESIDE = "Yellow"


def region_mm(result, name: str) -> float:
    """The side of the square around a landmark that a close look shows, mm.

    Decided by the landmark's heatmap and belief: where the network points within 2 mm, it is small.
    Raises AnnotationError for an unknown name.
    """
    volume, heatmap = result.volume_node, result.heatmap_node(name)
    extents = np.array(volume.GetSpacing()) * size_ijk(volume)
    finest = min(np.array(volume.GetSpacing())[np.array(size_ijk(volume)) > 1], default=1.0)
    region = extents.max() / 4 if heatmap is None else _WIDTHS * _width_mm(heatmap)
    belief = result.belief_node(name)
    if belief is not None:
        region = max(region, _REGIONS * _width_mm(belief, _OUTER_LEVEL))
    return float(np.clip(region, _LEAST_VOXELS * finest, extents.max()))


def _width_mm(volume, level: float = 0.5) -> float:
    """Of what is above a share of the highest: of the cube that holds as much, so that a second peak
    far away does not count as width."""
    array = slicer.util.arrayFromVolume(volume)
    axes = np.array(array.shape[::-1]) > 1
    count = np.count_nonzero(array >= level * array.max())
    size = count * np.prod(np.array(volume.GetSpacing())[axes])
    return float(size ** (1 / max(1, axes.sum())))


def show_beside(result, name: str, position_ras) -> bool:
    """Beside a flat image, which `show_flat` shows as a whole, a second view of it from near.

    Only where the landmark's heatmap is too small to be seen in the whole; returns whether it is.
    From then on that view follows as every other does. position_ras: of the landmark, world, mm.
    """
    scene = result.scene
    whole = scene.GetFirstNode(FLAT_VIEW, "vtkMRMLSliceNode")
    near = scene.GetFirstNode(_BESIDE, "vtkMRMLSliceNode")
    heatmap = result.heatmap_node(name)
    if whole is None or near is None or heatmap is None:
        return False
    mm_per_pixel = whole.GetFieldOfView()[0] / max(1, whole.GetDimensions()[0])
    if _width_mm(heatmap) >= _SEEN_PIXELS * mm_per_pixel:
        return False
    for layout in nodes_of_class(scene, "vtkMRMLLayoutNode"):
        layout.SetViewArrangement(layout.SlicerLayoutSideBySideView)
    matrix, side = _slice_to_ras(whole), region_mm(result, name)
    matrix[:3, 3] = position_ras
    pixels = np.maximum(np.array(near.GetDimensions()[:2], dtype=float), 1)
    put_slice(near, matrix, (*(side * pixels / pixels.min()), near.GetFieldOfView()[2]))
    return True


class CloseUp:
    """The slice views of a scene, near to a point or as they were before."""

    def __init__(self, scene):
        self._scene = scene
        self._before = {}  # slice node's ID: (field of view, slice to RAS)

    @property
    def is_on(self) -> bool:
        return bool(self._before)

    def show(self, position_ras, side_mm: float) -> None:
        """Show a square of that side around a world position (3,), RAS, mm, in each slice view."""
        for node in nodes_of_class(self._scene, "vtkMRMLSliceNode"):
            field, matrix = np.array(node.GetFieldOfView()), _slice_to_ras(node)
            self._before.setdefault(node.GetID(), (field, matrix.copy()))
            pixels = np.maximum(np.array(node.GetDimensions()[:2], dtype=float), 1)
            wanted = side_mm * pixels / pixels.min()
            matrix[:3, 3] = position_ras
            put_slice(node, matrix, (*wanted, field[2]))

    def end(self, position_ras=None) -> None:
        """Back to what the views showed; position_ras: what they have to show, if anything."""
        for node in nodes_of_class(self._scene, "vtkMRMLSliceNode"):
            if node.GetID() in self._before:
                field, matrix = self._before[node.GetID()]
                put_slice(node, matrix, field)
        self._before = {}
        if position_ras is not None:
            look_at(self._scene, position_ras)

    def forget(self) -> None:
        """The views show something else altogether now: there is no way back."""
        self._before = {}


def _slice_to_ras(node) -> np.ndarray:
    return slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
