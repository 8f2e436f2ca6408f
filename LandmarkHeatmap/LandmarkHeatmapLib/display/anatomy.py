"""The anatomy around the landmarks in the 3D views: rendered by Slicer, or a quick surface.

Where Slicer's volume rendering is loaded, its own logic shows the volume; elsewhere a surface of a
coarse copy does. Which intensity is seen is decided by the landmarks: it passes by most of them.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..volumes import ijk_to_ras, size_ijk
from .isosurface import coarse_copy, isosurface, level_through
from .models import add_model, model_of, show_model
from .views import is_flat

# Role of the reference from a result to its surface of the anatomy.
ANATOMY = "anatomySurface"
_MOST_VOXELS = 128
# Many triangles are slow to draw without a graphics card, and translucent ones seven times slower;
# landmarks inside are seen through it all the same.
_MOST_TRIANGLES = 200_000
_COLOUR = (0.93, 0.88, 0.78)
# Less of the image, or more, is nothing or a block.
_LEAST_SEEN, _MOST_SEEN = 0.001, 0.6


def show_anatomy(result, application_logic=None) -> None:
    """Show the volume in the 3D views, if it is not flat and has something to see.

    application_logic: the application's, where the logic of volume rendering is looked up; without
    it, or without that, there will be a surface.
    """
    steps = AnatomySteps(result, application_logic)
    while steps.advance():
        pass


class AnatomySteps:
    """The same in steps of some tens of milliseconds, for who must not hold up a window."""

    def __init__(self, result, application_logic=None):
        self._result = result
        self._logic = volume_rendering_logic(application_logic)
        self._steps = self._all()

    def advance(self) -> bool:
        """Do the next step; returns whether there is more to do."""
        return next(self._steps, None) is not None

    def _all(self):
        result = self._result
        volume = result.volume_node
        if is_flat(volume) or 0 in size_ijk(volume):
            return
        if self._logic is None and model_of(result, ANATOMY) is not None:
            show_model(model_of(result, ANATOMY), True)
            return
        array, affine = coarse_copy(
            slicer.util.arrayFromVolume(volume), ijk_to_ras(volume), _MOST_VOXELS
        )
        yield "sampled"
        positions = result.positions_lps() * [-1, -1, 1]
        positions = positions[np.isfinite(positions).all(axis=1)]
        to_ijk = np.linalg.inv(affine)
        level = level_through(array, positions @ to_ijk[:3, :3].T + to_ijk[:3, 3])
        if level is None:
            return
        yield "level found"
        if not result.is_whole:
            return
        if self._logic is not None:
            _render(self._logic, volume, array, level)
            show_model(model_of(result, ANATOMY), False)
            return
        surface = isosurface(array, affine, level)
        yield "surface found"
        if surface.GetNumberOfPolys() > _MOST_TRIANGLES:
            surface = isosurface(*_halved(array, affine), level)
            yield "coarser surface found"
        if not result.is_whole:
            return
        node = add_model(result, ANATOMY, "anatomy", _COLOUR)
        node.SetAndObservePolyData(surface)
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())


def _halved(array, affine) -> tuple:
    return coarse_copy(array, affine, max(1, max(array.shape) // 2))


def set_anatomy_shown(result, is_shown: bool, application_logic=None) -> None:
    """Hide what `show_anatomy` made, or show it again; nothing is made.

    application_logic: without it, the rendering of the volume is left as it is, for it may be the
    user's own; with it, the surface gives way to a rendering that there is.
    """
    logic, display = volume_rendering_logic(application_logic), None
    if logic is not None:
        display = logic.GetFirstVolumeRenderingDisplayNode(result.volume_node)
    if display is not None and bool(display.GetVisibility()) != is_shown:
        display.SetVisibility(is_shown)
    show_model(model_of(result, ANATOMY), is_shown and display is None)


def volume_rendering_logic(application_logic):
    """The logic of Slicer's module, or None where that is not loaded."""
    if application_logic is None:
        return None
    return application_logic.GetModuleLogic("VolumeRendering")


def _render(logic, volume, coarse, level: float) -> None:
    """Render a volume; one that somebody has set up already is shown as it is."""
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    if display is not None:
        display.SetVisibility(True)
        return
    display = logic.CreateDefaultVolumeRenderingNodes(volume)
    # Without the application's files there are no presets, and the logic complains.
    if logic.GetModuleShareDirectory():
        logic.SetRecommendedVolumeRenderingProperties(display)
    settings = display.GetVolumePropertyNode().GetVolumeProperty()
    if not _LEAST_SEEN < _share_seen(settings.GetScalarOpacity(), coarse) < _MOST_SEEN:
        _show_from(settings, level, float(coarse.max()))
    display.SetVisibility(True)


def _share_seen(opacity, coarse) -> float:
    """The share of an image that is seen with an opacity function."""
    values = coarse.ravel()[:: max(1, coarse.size // 2000)]
    return float(np.mean([opacity.GetValue(float(value)) > 0.05 for value in values]))


def _show_from(settings, level: float, highest: float) -> None:
    """Everything above a level is seen, the brighter the denser."""
    width = max(highest - level, 1e-6 * max(1.0, abs(level)))
    opacity = vtk.vtkPiecewiseFunction()
    for share, value in ((-0.05, 0.0), (0.05, 0.15), (0.5, 0.6), (1.0, 0.9)):
        opacity.AddPoint(level + share * width, value)
    colours = vtk.vtkColorTransferFunction()
    colours.AddRGBPoint(level - 0.05 * width, 0.55, 0.35, 0.25)
    colours.AddRGBPoint(level + 0.25 * width, *_COLOUR)
    colours.AddRGBPoint(highest, 1.0, 1.0, 0.98)
    settings.SetScalarOpacity(opacity)
    settings.SetColor(colours)
    settings.ShadeOn()
    settings.SetInterpolationTypeToLinear()
