"""What the list of models shows of a dataset whose cases are registered. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..annotation.landmarks import LandmarkSet
from ..images.geometry import MM
from .atlas import title, told_count


@dataclass(frozen=True)
class RegisteredDescription:
    """Stands where a ModelDescription does. dimension: None, as no image has been read for it."""

    name: str
    landmarks: LandmarkSet
    version: str
    text: str
    licence: str = ""
    created: str = ""
    training: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    unit: str = MM
    dimension: int = None
    # A dataset has no card; ModelDescriptions may have one.
    card: object = None

    def told(self) -> str:
        return f"'{self.name}', {self.version}, landmarks: {len(self.landmarks)}"

    def to_json(self) -> dict:
        return {
            "name": self.name,
            "version": self.version,
            "text": self.text,
            "landmark_set": self.landmarks.to_json(),
        }


def described(name: str, landmarks: LandmarkSet, cases: int) -> RegisteredDescription:
    text = (
        f"No network: the cases of the dataset ({cases}) are laid over the image, and their landmarks go"
        " along. It needs no training, and takes some seconds a case."
    )
    return RegisteredDescription(title(name), landmarks, told_count(cases), text)
