"""What a detection gives: per landmark a position, a confidence and a heatmap. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..annotation.doubt import Doubt
from ..annotation.landmarks import Annotation, LandmarkSet, Point, PointState, position_told
from ..annotation.table import Table
from ..images.geometry import Grid, Image, apply_affine
from ..model.description import ModelIdentity

# Of a heatmap, what is below shows nothing.
_LEAST_SHOWN = 0.0
# What a table tells of a doubt.
_TOLD = ("expected_mm", "level", "within_mm", "look")


@dataclass(frozen=True, eq=False)
class LandmarkPrediction:
    """One landmark as the network sees it.

    position_lps: (3,) mm in LPS, where the heatmap peaks; given for absent landmarks too, as the
    best guess. presence: probability 0 to 1 that it is in the image at all. confidence: the share
    of all probability, absence included, that lies within two sigma of the position, over what a
    perfect heatmap has there; 0 to 1. heatmap: the marker (detection/belief.py), float32, of one
    height and width in every channel, with an affine of its own, so that it may cover only where it
    has something to show. belief: float32 on a grid of its own, 0 to 1: one less the share of the
    probability that lies where it is more probable than here, so that the contour of .5 holds half
    of it, that of .1 nine tenths, in every channel and image alike. Both None in a prediction whose
    heatmaps are gone. doubt: the same in numbers, None if nothing is known.
    """

    name: str
    position_lps: np.ndarray
    presence: float
    confidence: float
    heatmap: Image
    belief: Image = None
    doubt: Doubt = None
    sigma_mm: float = None

    def __repr__(self) -> str:
        where = "absent" if self.is_absent else position_told(self.position_lps)
        return (
            f"LandmarkPrediction('{self.name}', {where}, presence {self.presence:.2f},"
            f" confidence {self.confidence:.2f})"
        )

    @property
    def is_absent(self) -> bool:
        return self.presence < 0.5


@dataclass(frozen=True, eq=False)
class Prediction:
    """All landmarks of one image, in the order of the landmark set.

    grid: the coarse grid over the whole image. combined: the maximum over the heatmaps on that grid,
    where it is known from coarse ones; without it, it is put together from those of the points. words:
    what has to be said of the image and the result as a whole, a sentence each; none for most.
    """

    landmarks: LandmarkSet
    points: tuple
    grid: Grid
    model: ModelIdentity
    combined: Image = None
    words: tuple = ()

    def __repr__(self) -> str:
        absent = sum(point.is_absent for point in self.points)
        return (
            f"Prediction(found: {len(self.points) - absent}, absent: {absent}; by"
            f" '{self.model.name}' {self.model.version})"
        )

    def to_table(self) -> Table:
        """A row each: name, x, y, z (mm in LPS), presence, confidence (0 to 1), expected_mm, level,
        within_mm, look, state.

        state: predicted or absent; an absent landmark has no position, None. expected_mm, level,
        within_mm: as in Doubt, in the unit of the image; None where nothing is known. look: what all
        landmarks together have made of it, likewise.
        """
        rows = self.annotation().to_table()
        for row, point in zip(rows, self.points):
            state, confidence = row.pop("state"), row.pop("confidence")
            row.update(presence=float(point.presence), confidence=confidence)
            doubt = {} if point.doubt is None else point.doubt.to_json()
            row.update({name: doubt.get(name) for name in _TOLD})
            row["state"] = state
        return rows

    def annotation(self) -> Annotation:
        """The points as an annotation: predicted, or absent where the network thinks so."""
        return Annotation(
            {
                landmark.name: Point(
                    PointState.ABSENT if point.is_absent else PointState.PREDICTED,
                    None if point.is_absent else tuple(point.position_lps),
                    point.confidence,
                    landmark.definition,
                    point.doubt,
                )
                for landmark, point in zip(self.landmarks.landmarks, self.points)
            },
            unit=self.grid.unit,
        )

    def combined_heatmap(self) -> Image:
        """The maximum over the heatmaps of all landmarks that are present, on `grid`, float32.

        Heatmaps are as fine as the grid, or finer, whichever way they are turned.
        None where there are no heatmaps.
        """
        if self.combined is not None or any(point.heatmap is None for point in self.points):
            return self.combined
        combined = np.zeros(self.grid.size_ijk[::-1], dtype=np.float32)
        for point in self.points:
            if not point.is_absent:
                _add_maximum(combined, self.grid, point.heatmap)
        return Image(combined, self.grid.ijk_to_lps, self.grid.unit)


def moved(prediction: Prediction, to_lps: np.ndarray, from_lps: np.ndarray) -> Prediction:
    """What was found in an image whose IJK to LPS was `from_lps`, where the image lies by `to_lps`."""
    if np.array_equal(to_lps, from_lps):
        return prediction
    motion = np.asarray(to_lps) @ np.linalg.inv(from_lps)
    points = tuple(moved_point(point, to_lps, from_lps) for point in prediction.points)
    grid = replace(prediction.grid, ijk_to_lps=motion @ prediction.grid.ijk_to_lps)
    combined = _brought(prediction.combined, motion)
    return replace(prediction, points=points, grid=grid, combined=combined)


def moved_point(point: LandmarkPrediction, to_lps, from_lps) -> LandmarkPrediction:
    """The same of one landmark."""
    if np.array_equal(to_lps, from_lps):
        return point
    motion = np.asarray(to_lps) @ np.linalg.inv(from_lps)
    return replace(
        point,
        position_lps=apply_affine(motion, point.position_lps),
        heatmap=_brought(point.heatmap, motion),
        belief=_brought(point.belief, motion),
    )


def _brought(image: Image, motion) -> Image:
    return None if image is None else replace(image, ijk_to_lps=motion @ image.ijk_to_lps)


def _add_maximum(combined: np.ndarray, grid: Grid, heatmap: Image) -> None:
    """Raise `combined` to the heatmap's voxels, each where it lies."""
    shown = np.argwhere(heatmap.array > _LEAST_SHOWN)
    index = np.rint(grid.to_ijk(heatmap.grid.to_lps(shown[:, ::-1]))).astype(int)
    inside = ((index >= 0) & (index < grid.size_ijk)).all(1)
    values = heatmap.array[tuple(shown[inside].T)]
    np.maximum.at(combined, tuple(index[inside, ::-1].T), values)
