"""Where a landmark may be: contours in the slices, translucent surfaces in the 3D views.

They are made of the belief, so that a contour holds the same share of the probability in every channel
and image: half of it the inner one, nine tenths the outer one, or what the model was calibrated for if
that is less. Made only when asked for. Results from before there were beliefs have a surface in 3D
alone, at half the height of the heatmap.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..volumes import ijk_to_ras
from .isosurface import isosurface
from .models import add_model, model_of

# Roles of the references from a result to its surfaces; scenes from before have the inner one.
INNER, OUTER = "heatmapSurface", "outerSurface"
INNER_SHARE, OUTER_SHARE = 0.5, 0.9
_NAMES = {INNER: "inner contour", OUTER: "outer contour"}
_COLOUR = (1.0, 0.45, 0.85)
# In 3D; and in slices, in pixels.
_OPACITY = {INNER: 0.5, OUTER: 0.2}
_LINE_WIDTH = {INNER: 2, OUTER: 1}
_HALF_HEIGHT = 0.5


class ContourSteps:
    """Makes the contours of one landmark, or of all that were found (no name), a landmark a step.

    What was shown before stays until all are made. in_slices, in_3d: where they are seen.
    Raises AnnotationError for an unknown name.
    """

    def __init__(self, result, name: str = None, in_slices: bool = True, in_3d: bool = True):
        names = result.landmarks.names if name is None else (name,)
        result.landmarks.index(names[0])  # refuses an unknown name
        self._result, self._seen = result, (in_slices, in_3d)
        self._steps = self._of_beliefs(names)
        if not result.belief_nodes:
            self._steps = self._of_heatmap(name)

    def advance(self) -> bool:
        """Do the next step; returns whether there is more to do."""
        return next(self._steps, None) is not None

    def _of_beliefs(self, names):
        result, surfaces, parent = self._result, {INNER: [], OUTER: []}, None
        for name in names:
            if not result.is_whole:
                return
            belief, index = result.belief_node(name), result.landmarks.index(name)
            # Where an absent one might have been, nobody is shown.
            if belief is not None and _is_found(result.predicted_node, index):
                parent = belief.GetTransformNodeID()
                shares = {INNER: INNER_SHARE, OUTER: outer_share(result.doubts()[index])}
                levels = [1 - share for share in shares.values()]
                for role, surface in zip(shares, _surfaces(belief, levels)):
                    surfaces[role].append(surface)
            yield name
        if result.is_whole:
            for role, parts in surfaces.items():
                _put(result, role, parts, parent, *self._seen)

    def _of_heatmap(self, name):
        result = self._result
        heatmap = result.combined_node if name is None else result.heatmap_node(name)
        yield name
        if not result.is_whole:
            return
        hide_contours(result)
        if heatmap is None:
            return
        # Where the network is not sure, half of what there is.
        peak = float(slicer.util.arrayFromVolume(heatmap).max())
        (surface,) = _surfaces(heatmap, [_HALF_HEIGHT * min(1.0, peak or 1.0)])
        # In slices, a contour that means something else each time would mislead.
        _put(result, INNER, [surface], heatmap.GetTransformNodeID(), False, self._seen[1])


def show_contours(result, name: str = None, in_slices: bool = True, in_3d: bool = True) -> None:
    """The same at once. What was shown before is replaced."""
    steps = ContourSteps(result, name, in_slices, in_3d)
    while steps.advance():
        pass


def hide_contours(result) -> None:
    for node in contour_nodes(result):
        _see(node, False, False)


def contour_nodes(result) -> list:
    """The model nodes that there are, the inner one first; none as long as nobody asked for one."""
    nodes = (model_of(result, role) for role in (INNER, OUTER))
    return [node for node in nodes if node is not None]


def outer_share(doubt) -> float:
    """How much of the probability the outer contour holds."""
    level = None if doubt is None else doubt.level
    return OUTER_SHARE if level is None else min(OUTER_SHARE, level)


def _is_found(predicted_node, index: int) -> bool:
    status = predicted_node.GetNthControlPointPositionStatus(index)
    return status == predicted_node.PositionDefined


def _surfaces(volume, levels) -> list:
    """Where the volume crosses each level, in the coordinates of the volume's node.

    Closed: outside there is nothing. A volume of one slice has them, too: where they cut that slice,
    its contours are.
    """
    padded = np.pad(slicer.util.arrayFromVolume(volume), 1)
    shift = np.eye(4)
    shift[:3, 3] = -1
    affine = ijk_to_ras(volume) @ shift
    return [isosurface(padded, affine, level) for level in levels]


def _put(result, role: str, surfaces, parent_id, in_slices: bool, in_3d: bool) -> None:
    node = model_of(result, role)
    if node is None:
        node = add_model(result, role, _NAMES[role], _COLOUR, _OPACITY[role])
        display = node.GetDisplayNode()
        display.SetSliceIntersectionThickness(_LINE_WIDTH[role])
        display.SetSliceIntersectionOpacity(1.0)
    all_of_them = vtk.vtkAppendPolyData()
    for surface in surfaces:
        all_of_them.AddInputData(surface)
    if surfaces:
        all_of_them.Update()
    node.SetAndObservePolyData(all_of_them.GetOutput())
    node.SetAndObserveTransformNodeID(parent_id)
    _see(node, in_slices, in_3d)


def _see(node, in_slices: bool, in_3d: bool) -> None:
    """Nothing is drawn anew where it is so already."""
    display = node.GetDisplayNode()
    if display is None:
        return
    wanted = (in_slices or in_3d, in_slices, in_3d)
    there = (display.GetVisibility(), display.GetVisibility2D(), display.GetVisibility3D())
    if tuple(map(bool, there)) != wanted:
        modifying = display.StartModify()
        display.SetVisibility(wanted[0])
        display.SetVisibility2D(in_slices)
        display.SetVisibility3D(in_3d)
        display.EndModify(modifying)
