"""Points as they lie on an image that has no mm: where a program that showed it in mm placed them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..images.geometry import MM, PX, apply_affine
from ..images.imageio import read_place
from .annotation_files import read_made_by
from .landmarks import Annotation


def on_image(annotation: Annotation, image) -> Annotation:
    """The annotation in the unit of its image, whose path is `image`.

    Points that Slicer saved of a photograph lie where Slicer shows it, by its dots per inch and not
    turned; they are brought to its pixels. Raises ImageFileError for what is no image.
    """
    if annotation.unit == PX:
        return annotation
    place = read_place(image)
    if place.grid.unit == MM:
        return annotation
    return moved(annotation, place.from_slicer, PX)


def moved(annotation: Annotation, motion: np.ndarray, unit: str) -> Annotation:
    """All points brought elsewhere by a 4x4 affine, in LPS, where their unit is `unit`."""
    if np.array_equal(motion, np.eye(4)):
        return replace(annotation, unit=unit)
    points = {
        name: point
        if point.position_lps is None
        else replace(point, position_lps=tuple(apply_affine(motion, point.position_lps).tolist()))
        for name, point in annotation.points.items()
    }
    return replace(annotation, points=points, unit=unit)


def stated_spacing(path):
    """The size of a voxel, in mm, that was stated when an annotation file was made by a detection; None
    if none was, or it does not say."""
    spacing = read_made_by(path).get("spacingMm")
    is_number = isinstance(spacing, (int, float)) and not isinstance(spacing, bool)
    return float(spacing) if is_number and 0 < spacing < np.inf else None
