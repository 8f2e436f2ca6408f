"""All that can be set about a training run, in one object that is saved with the model."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path

from landmark_heatmap.errors import DatasetError, ModelFileError
from landmark_heatmap.files import read_json
from landmark_heatmap.model.description import DISTRIBUTION, INDEPENDENT, IntensityNormalisation

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

# What a number may be: (the least, the most, int if it has to be whole). Beyond these it is a slip.
_TINY = 1e-6
_RANGES = {
    **dict.fromkeys(("epochs", "steps_per_epoch", "patience"), (1, 10**6, int)),
    "batch_size": (1, 4096, int),
    "crops_per_image": (1, 1000, int),
    "joint_features": (0, 4096, int),
    "seed": (0, _LARGEST_SEED, int),
    "minutes": (_TINY, 10**6),
    "learning_rate": (1e-12, 10),
    "weight_decay": (0, 10),
    "inflation_weight": (0, 1000),
    "correction_weight": (_TINY, 1000),
    "sigma_voxels": (0.1, 100),
    "validation_share": (0, 0.95),
    "rotation_degrees": (0, 180),
    "scaling": (0, 0.9),
    "translation_share": (0, 1),
    "elastic_share": (0, 10),
    **dict.fromkeys(("intensity_jitter", "noise"), (0, 10)),
    "occlusion": (0, 1),
    **dict.fromkeys(("contrast", "grey_classes", "inversion", "ghosts"), (0, 1)),
    "uneven_brightness": (0, 3),
    "sharpening": (0, 10),
    **dict.fromkeys(("blur_mm", "slice_mm"), (0, 1000)),
}
# The same for each number of a list, and how many there may be.
_LISTS = {
    **dict.fromkeys(("spacing_mm", "fine_spacing_mm"), (1e-6, 1e6, float, 3)),
    **dict.fromkeys(("features", "fine_features"), (1, 4096, int, 10)),
    "crop_size": (8, 256, int, 3),
}


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
    # The run, of which each stage has so many epochs: by default 60, or as many as the minutes allow,
    # which are for all of it, from reading the images on. Early stop: after so many epochs without a
    # better validation; None never stops. The learning rate falls to nothing at the end, and most is
    # gained there: stopping is a saving.
    epochs: int = None
    steps_per_epoch: int = 30
    minutes: float = None
    patience: int = None
    batch_size: int = None
    learning_rate: float = None
    weight_decay: float = 1e-2
    # The cases to judge by: such a share of them, or those whose names match ("validation-*"), if stated.
    validation_share: float = 0.15
    held_out: str = None
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
    # Looks of other scanners and sequences (data/contrasts.py), all off. The share of images whose grey
    # values go through a rising curve; through one that gives each range of grey any grey; inverted.
    contrast: float = 0.0
    grey_classes: float = 0.0
    inversion: float = 0.0
    # By up to a factor exp of this the brightness varies over the image.
    uneven_brightness: float = 0.0
    # Gaussian blur, its standard deviation; details made stronger by up to so many times; slices.
    blur_mm: float = 0.0
    sharpening: float = 0.0
    slice_mm: float = 0.0
    # Of the image, how strong a copy beside it may be.
    ghosts: float = 0.0

    def __post_init__(self):
        for each in dataclasses.fields(self):
            _check_kind(each.name, each.type, getattr(self, each.name), each.default is None)
        for name, limits in _LISTS.items():
            value = getattr(self, name)
            if value is not None:
                _check_list(name, value, *limits)
                object.__setattr__(self, name, tuple(value))
        self._check_pairs()
        for name, limits in _RANGES.items():
            value = getattr(self, name)
            if value is not None:
                _check_number(name, value, *limits)
        if self.intensity is not None:
            _check_intensity(self.intensity)
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


def _check_number(name: str, value, least: float, most: float, kind=float) -> None:
    if not _is_number(value) or not least <= value <= most or (kind is int and value != int(value)):
        what = "a whole number" if kind is int else "a number"
        raise DatasetError(
            f"{name} is {value!r}; it has to be {what} from {least:.10g} to {most:.10g}."
        )


def _check_list(name: str, values, least: float, most: float, kind, longest: int) -> None:
    if not isinstance(values, (list, tuple)) or not all(map(_is_number, values)):
        raise DatasetError(f"{name} is {values!r}; it has to be a list of numbers.")
    if not 1 <= len(values) <= longest:
        raise DatasetError(f"{name} is {values!r}; it takes 1 to {longest} numbers.")
    for value in values:
        _check_number(f"{name} of {values!r}: {value!r}", value, least, most, kind)


def _check_intensity(settings: dict) -> None:
    try:
        IntensityNormalisation(**settings)
    except (TypeError, ModelFileError) as error:
        raise DatasetError(f"intensity is {settings!r}, which cannot be used: {error}.") from error


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
