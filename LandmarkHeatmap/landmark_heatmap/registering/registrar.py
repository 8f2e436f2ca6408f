"""The detector: a dataset's cases, registered to one image after another."""

from __future__ import annotations

import numpy as np

from ..detection.joint import predictions
from ..detection.prediction import Prediction, moved
from ..detection.proposals import Kept
from ..errors import PredictionError
from ..images.geometry import PX, Image, in_pixels
from ..images.identity import image_id
from .atlas import Atlas, read_atlas
from .description import RegisteredDescription, described
from .joined import Answering, shape_of, sight_of
from .pairs import carried
from .telling import plain_form, seen_of
from .views import POSE_VOXELS, View, view_of
from .votes import combined, weights_of

# Of the voxels at which cases are registered, so much is a landmark off along an axis even where all goes
# well.
_BLUR_VOXELS = 1.0


class RegisteredStart:
    """What Predictor is to a model file, for a dataset folder.

    atlas: an Atlas, or the path of a dataset folder. Raises DatasetError for one without cases.
    """

    device = "cpu"
    note = ""
    why = "Registered on one core of the processor: no PyTorch and no GPU is used."

    def __init__(self, atlas):
        self.atlas = atlas if isinstance(atlas, Atlas) else read_atlas(atlas)
        # What is asked of a Predictor's model is which one it is.
        self.model = self.atlas
        self._shapes = {}

    def __repr__(self) -> str:
        return f"RegisteredStart('{self.atlas.name}', {self.atlas.identity.version})"

    @property
    def description(self) -> RegisteredDescription:
        return described(self.atlas.name, self.atlas.landmarks, len(self.atlas.cases))

    def predict(self, image: Image, progress=None, keep=None) -> Prediction:
        """Carry the landmarks of all cases over to an image.

        progress: called with (what is being done, fraction 0 to 1) before each case, and may raise to
        end it. keep: called with a Kept, which from three cases on can tell what else would move if a
        landmark does. A case of this very image is left out, where there are others. Raises
        PredictionError for an image that is of another kind than the cases, or in which there is nothing
        to see.
        """
        progress = progress or (lambda stage, fraction: None)
        placed, image = image, in_pixels(image)
        coarse = view_of(image, POSE_VOXELS)
        ready = self._ready(image, progress)
        for each in ready:
            _check_alike(each.subject.coarse, coarse, each.unit)
        rows = []
        for number, each in enumerate(ready):
            progress(
                f"Registering case {number + 1} of {len(ready)}", 0.2 + 0.75 * number / len(ready)
            )
            rows.append(carried(each.subject, image, coarse))
        progress("Putting the cases together", 0.95)
        found, blur_mm = put_together(rows, ready)
        presences = _presences(rows, ready, image)
        seens = seen_of(self.atlas.landmarks, found, presences, coarse.grid, blur_mm)
        form, shape = plain_form(len(seens), blur_mm), self._shape(ready)
        sight = sight_of(seens, coarse.grid, form, shape)
        if keep is not None:
            keep(Kept(Answering(form, shape, (seens[0].stage,)), sight, placed))
        points = predictions(sight.answered(), form, shape, coarse.grid)
        prediction = Prediction(self.atlas.landmarks, points, coarse.grid, self.atlas.identity)
        progress("Done", 1.0)
        return moved(prediction, placed.ijk_to_lps, image.ijk_to_lps)

    def _ready(self, image: Image, progress) -> list:
        ready, own = [], image_id(image)
        for number, case in enumerate(self.atlas.cases):
            progress(f"Reading '{case.name}'", 0.2 * number / len(self.atlas.cases))
            ready.append(self.atlas.ready(case))
        others = [each for each in ready if each.image != own]
        return others or ready

    def _shape(self, ready):
        """Made once of the same cases; None of fewer than three."""
        key = tuple(each.image for each in ready)
        if key not in self._shapes:
            self._shapes = {key: shape_of(ready)}
        return self._shapes[key]


def put_together(rows, ready) -> tuple:
    """(Combined in LPS, blur in mm) of what each case says: lists of Carried."""
    positions = np.array([[each.positions_lps for each in row] for row in rows])
    likeness = np.array([[each.likeness for each in row] for row in rows])
    qualities = np.array([[each.quality for each in row] for row in rows])
    blur_mm = _BLUR_VOXELS * float(
        np.median([each.subject.near.spacing_mm.max() for each in ready])
    )
    found = combined(positions, weights_of(likeness, qualities), blur_mm)
    return found, blur_mm


def _presences(rows, ready, image: Image) -> np.ndarray:
    """(L,): the share of the cases that know of a landmark in which it is there, and comes to lie in the
    image."""
    inside = []
    for row in rows:
        positions = np.array([each.positions_lps for each in row])
        known = np.isfinite(positions).all(2)
        lies = image.grid.contains(np.where(known[..., None], positions, 0.0)) & known
        inside.append(lies.sum(0) / np.maximum(known.sum(0), 1))
    placed = np.array([np.isfinite(each.subject.positions_lps).all(1) for each in ready])
    absent = np.array([each.absent for each in ready])
    return np.where(placed, inside, 0.0).sum(0) / np.maximum((placed | absent).sum(0), 1)


def _check_alike(case: View, image: View, unit: str) -> None:
    if case.dimension != image.dimension:
        raise PredictionError(
            f"The cases are {case.dimension}D images; this image has"
            f" {' x '.join(map(str, image.grid.size_ijk))} voxels."
        )
    if unit != image.grid.unit:
        has = "no size of its voxels" if image.grid.unit == PX else "a size of its voxels in mm"
        raise PredictionError(
            f"The images of the cases are in {unit}, and this image has {has}. State the size of a voxel"
            " (--spacing MM) for all of them, or for none."
        )
