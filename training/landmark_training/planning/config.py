"""All that can be set about a training run, in one object that is saved with the model."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import read_json
from landmark_heatmap.model.description import DISTRIBUTION, INDEPENDENT

PRECISIONS = ("float32", "bfloat16", "float16")
_KINDS = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
    "tuple": ((list, tuple), "a list of numbers"),
    "dict": (dict, "an object of names and values"),
}
COVARIANCES = ("fixed", "shared", "per_landmark")
# What both numpy and torch take.
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run. None means: derived from the data (see plan.py), and then printed.

    Lengths are in mm, angles in degrees. An epoch is `steps_per_epoch` batches.
    """

    name: str = ""
    licence: str = ""
    version: str = "1"
    # What the network sees, and what it is asked for.
    spacing_mm: tuple = None
    sigma_voxels: float = None
    intensity: dict = None
    features: tuple = None
    joint_features: int = 48
    # The fine stage: crops around what the coarse one found. None: if the images are finer.
    fine: bool = None
    fine_spacing_mm: tuple = None
    fine_features: tuple = None
    crop_size: tuple = None
    crops_per_image: int = 6
    head: str = DISTRIBUTION
    # Of the target Gaussians. 'shared' and 'per_landmark' learn it, and pay for growing it.
    covariance: str = "fixed"
    inflation_weight: float = 0.05
    # Whether the model gets a shape prior, to choose among the peaks of a heatmap.
    prior: bool = True
    # The losses and their weights: cross-entropy finds the place, the other shapes the heatmap.
    losses: dict = field(
        default_factory=lambda: {"cross_entropy": 1.0, "energy_normalised_mse": 0.5}
    )
    # What a point that a person moved counts, against one that was placed or confirmed.
    correction_weight: float = 2.0
    # The run, of which each stage has so many epochs; the minutes are for all of it, from reading the
    # images on. Early stop: after so many epochs without a better validation; None never stops. The
    # learning rate falls to nothing at the end, and most is gained there: stopping is a saving.
    epochs: int = 60
    steps_per_epoch: int = 30
    minutes: float = None
    patience: int = None
    batch_size: int = None
    learning_rate: float = None
    weight_decay: float = 1e-2
    validation_share: float = 0.15
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    # Augmentation. A rotation of up to so much; 180 covers arbitrary poses.
    rotation_degrees: float = None
    scaling: float = 0.15
    translation_share: float = 0.08
    elastic_share: float = 0.012
    flip: bool = None
    # Left and right, where the names do not say: pairs of landmarks, and those on the midline.
    mirror_pairs: tuple = None
    midline: tuple = None
    intensity_jitter: float = 0.25
    noise: float = 0.05
    occlusion: float = 0.2

    def __post_init__(self):
        for each in dataclasses.fields(self):
            _check_kind(each.name, each.type, getattr(self, each.name), each.default is None)
        for name in ("spacing_mm", "features", "fine_spacing_mm", "fine_features", "crop_size"):
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, (list, tuple)) or not all(map(_is_number, value)):
                    raise DatasetError(f"{name} is {value!r}; it has to be a list of numbers.")
                object.__setattr__(self, name, tuple(value))
        self._check_pairs()
        positive = (
            "epochs",
            "steps_per_epoch",
            "learning_rate",
            "batch_size",
            "minutes",
            "sigma_voxels",
            "patience",
            "correction_weight",
            "crops_per_image",
        )
        for name in positive:
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise DatasetError(f"{name} is {value!r}; it has to be a positive number.")
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise DatasetError(f"seed is {self.seed}; it has to be from 0 to {_LARGEST_SEED}.")
        if not 0 <= self.validation_share < 1:
            raise DatasetError(
                f"validation_share is {self.validation_share}; it has to be from 0 to below 1."
            )
        for name, choices in (
            ("precision", ("auto", *PRECISIONS)),
            ("covariance", COVARIANCES),
            ("head", (DISTRIBUTION, INDEPENDENT)),
        ):
            if getattr(self, name) not in choices:
                raise DatasetError(
                    f"{name} is '{getattr(self, name)}'; it has to be one of {', '.join(choices)}."
                )

    def _check_pairs(self) -> None:
        for name, pairs in (("mirror_pairs", self.mirror_pairs), ("midline", self.midline)):
            if pairs is None:
                continue
            each = pairs if name == "midline" else [n for pair in pairs for n in pair]
            if not all(isinstance(n, str) for n in each):
                raise DatasetError(f"{name} is {pairs!r}; it takes the names of landmarks.")
        if self.mirror_pairs is not None:
            object.__setattr__(self, "mirror_pairs", tuple(map(tuple, self.mirror_pairs)))

    @classmethod
    def read(cls, path) -> TrainConfig:
        """From a JSON file that names any of the settings. Raises DatasetError for others."""
        path = Path(path)
        return cls().with_settings(read_json(path, DatasetError), f"'{path}'")

    def with_settings(self, settings: dict, source: str) -> TrainConfig:
        """A copy with these settings changed. DatasetError for others, naming the source."""
        known = [each.name for each in dataclasses.fields(self)]
        if not isinstance(settings, dict):
            raise DatasetError(f"{source} holds no settings but {settings!r}.")
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise DatasetError(
                f"{source} sets {', '.join(unknown)}; the settings are {', '.join(sorted(known))}."
            )
        try:
            return dataclasses.replace(self, **settings)
        except TypeError as error:
            raise DatasetError(f"{source} has a value of the wrong type: {error}.") from error

    def replaced(self, **changes) -> TrainConfig:
        """A copy with the settings that are not None changed."""
        return dataclasses.replace(self, **{k: v for k, v in changes.items() if v is not None})

    def to_json(self) -> dict:
        return dataclasses.asdict(self)


def _check_kind(name: str, kind: str, value, may_be_none: bool) -> None:
    """kind: as the field is annotated."""
    if value is None and may_be_none:
        return
    types, told = _KINDS[kind]
    if not isinstance(value, types) or isinstance(value, bool) != (kind == "bool"):
        raise DatasetError(f"{name} is {value!r}; it has to be {told}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise DatasetError(f"{name} is {value!r}; it has to be a finite number.")


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
