"""The annotated cases of a dataset folder, as far as registration needs them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..annotation.landmarks import Annotation, LandmarkSet, PointState
from ..dataset.cases import read_cases
from ..dataset.folder import read_landmark_set
from ..errors import DatasetError
from ..images.identity import image_id
from ..images.imageio import read_image
from ..model.description import ModelIdentity
from .pairs import Subject, subject

# More cases take longer and hardly say more: then they are taken from all over the list.
MOST_CASES = 20


@dataclass(frozen=True, eq=False)
class AtlasCase:
    """An image file with its annotation."""

    name: str
    image_path: Path
    annotation: Annotation

    def read(self, names) -> tuple:
        """(image, positions (L, 3)). Raises ImageFileError."""
        return read_image(self.image_path), self.positions(names)

    def positions(self, names) -> np.ndarray:
        """(L, 3), LPS; NaN where a person has placed none."""
        positions = self.annotation.positions_lps(names)
        placed = [self.annotation.state(name) == PointState.PLACED for name in names]
        return np.where(np.array(placed)[:, None], positions, np.nan)

    def absent(self, names) -> np.ndarray:
        """(L,) bool: said not to be in this image."""
        return np.array([self.annotation.state(name) == PointState.ABSENT for name in names])


@dataclass(frozen=True, eq=False)
class Ready:
    """A case that was read: what is registered, what is absent (L,), which image it is, its unit."""

    subject: Subject
    absent: np.ndarray
    image: str
    unit: str


@dataclass(frozen=True, eq=False)
class Atlas:
    """Cases with at least one landmark that a person has placed. name: of the dataset."""

    name: str
    landmarks: LandmarkSet
    cases: tuple
    identity: ModelIdentity
    _read: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if not self.cases:
            raise DatasetError(
                f"'{self.name}' has no case with an image and a landmark that a person has placed:"
                " annotate and export one."
            )

    @cached_property
    def unit(self) -> str:
        """Of the first case's image: 'mm' or 'px'."""
        return self.ready(self.cases[0]).unit

    def ready(self, case: AtlasCase) -> Ready:
        """Read once, and kept at the size at which it is registered. Raises ImageFileError."""
        if case.name not in self._read:
            names = self.landmarks.names
            image, positions = case.read(names)
            self._read[case.name] = Ready(
                subject(image, positions), case.absent(names), image_id(image), image.unit
            )
        return self._read[case.name]

    def without(self, name: str) -> Atlas:
        """The same without a case, which shares what was read."""
        rest = tuple(case for case in self.cases if case.name != name)
        return Atlas(self.name, self.landmarks, rest, self.identity, self._read)


def read_atlas(folder) -> Atlas:
    """The cases of a dataset folder, 20 at most. Raises DatasetError for one that has none."""
    folder = Path(folder)
    landmarks = read_landmark_set(folder)
    cases = [
        AtlasCase(case.name, case.image_path, case.annotation)
        for case in read_cases(folder, skip_unusable=True)
    ]
    return atlas_of(folder.resolve().name, landmarks, cases)


def atlas_of(name: str, landmarks: LandmarkSet, cases) -> Atlas:
    """Of these AtlasCases, those that place a landmark."""
    names = landmarks.names
    usable = [each for each in cases if np.isfinite(each.positions(names)).any()]
    if len(usable) > MOST_CASES:
        usable = [usable[i] for i in np.linspace(0, len(usable) - 1, MOST_CASES).astype(int)]
    return Atlas(name, landmarks, tuple(usable), _identity(name, landmarks, usable))


def _identity(name: str, landmarks: LandmarkSet, cases) -> ModelIdentity:
    """Other cases, or other landmarks in one of them, are another model."""
    document = [landmarks.to_json()]
    for case in cases:
        positions = case.positions(landmarks.names)
        absent = case.absent(landmarks.names).tolist()
        document.append([case.name, np.round(np.nan_to_num(positions), 6).tolist(), absent])
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return ModelIdentity(title(name), told_count(len(cases)), digest)


def title(name: str) -> str:
    return f"Registered: {name}"


def told_count(cases: int) -> str:
    return "1 case" if cases == 1 else f"{cases} cases"
