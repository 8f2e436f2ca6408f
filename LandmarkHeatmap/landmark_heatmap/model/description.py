"""What a model file says of its network, in plain data. Needs no torch.

The JSON form is checked on reading, value by value: a file from elsewhere can ask for nothing that
is out of proportion.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from ..annotation.landmarks import LandmarkSet
from ..errors import AnnotationError, ModelFileError

MODEL_SCHEMA = "landmark-heatmap-model"
SCHEMA_VERSION = 1
COARSE, FINE = "coarse", "fine"
# What the output channels are: see landmark_heatmap.model.network.
DISTRIBUTION, INDEPENDENT = "distribution", "independent"
_NORMALISATIONS = ("percentiles", "window")


@dataclass(frozen=True)
class ModelIdentity:
    """Which model it was: name and version as its maker gave them, SHA-256 of the file."""

    name: str
    version: str
    sha256: str

    def to_json(self) -> dict:
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


@dataclass(frozen=True)
class IntensityNormalisation:
    """How intensities become the network's input, -1 to 1.

    kind 'percentiles': low and high are percentiles (0 to 100) of each image. kind 'window': they
    are intensities, Hounsfield units for CT. Values beyond them are clipped.
    """

    kind: str = "percentiles"
    low: float = 0.5
    high: float = 99.5

    def __post_init__(self):
        if self.kind not in _NORMALISATIONS:
            raise ModelFileError(f"Unknown intensity normalisation '{self.kind}'.")
        percentiles = self.kind == "percentiles"
        if not self.low < self.high or percentiles and not 0 <= self.low < self.high <= 100:
            raise ModelFileError(
                f"The intensity range {self.low} to {self.high} is impossible for {self.kind}."
            )


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a LandmarkUNet.

    dimension: 2 or 3. landmarks: output channels. features: channels at each level, from full
    resolution downwards, each level half the one before. joint_features: channels of the part that
    sees all landmarks jointly; 0 leaves it out. joint_level: the level at which it works. head:
    'distribution', one probability distribution a channel; or 'independent', heatmaps of their own
    scale, what the literature starts from and what is here to be compared with.
    """

    dimension: int
    landmarks: int
    features: tuple = (16, 32, 64, 96)
    joint_features: int = 48
    joint_level: int = 3
    head: str = DISTRIBUTION

    def __post_init__(self):
        object.__setattr__(self, "features", tuple(self.features))
        limits = {"dimension": (2, 3), "landmarks": (1, 1024), "joint_features": (0, 1024)}
        for name, (low, high) in limits.items():
            _check_whole(name, getattr(self, name), low, high)
        if not 2 <= len(self.features) <= 8:
            raise ModelFileError(f"A network has 2 to 8 levels, not {len(self.features)}.")
        for width in self.features:
            _check_whole("features", width, 1, 2048)
        _check_whole("joint_level", self.joint_level, 0, len(self.features) - 1)
        if self.head not in (DISTRIBUTION, INDEPENDENT):
            raise ModelFileError(f"Unknown network head '{self.head}'.")
        if self.head == INDEPENDENT and self.joint_features:
            raise ModelFileError("The joint part reads distributions; this head gives none.")


@dataclass(frozen=True)
class Stage:
    """One network of a model: a coarse one sees the whole image, a fine one sees crops.

    spacing_mm: along i, j, k of the canonical grid; for 2D along i, j. sigma_mm: of the target
    Gaussians. crop_size: voxels along the same axes for a fine stage, None for a coarse one. turned:
    whether the crops lie along the axes of the prior's mean shape, as the anatomy does, and not along
    those of the image.
    """

    role: str
    spacing_mm: tuple
    sigma_mm: float
    network: NetworkConfig
    crop_size: tuple = None
    turned: bool = False

    def __post_init__(self):
        if self.role not in (COARSE, FINE):
            raise ModelFileError(f"Unknown stage '{self.role}'; it has to be coarse or fine.")
        if (self.crop_size is None) != (self.role == COARSE):
            raise ModelFileError(f"The {self.role} stage has the crop size {self.crop_size}.")
        if self.role == FINE:
            self._check_fine()
        if self.turned not in (False, self.role == FINE):
            raise ModelFileError(f"The {self.role} stage has turned = {self.turned!r}.")
        object.__setattr__(self, "spacing_mm", tuple(float(s) for s in self.spacing_mm))
        lengths = (*self.spacing_mm, self.sigma_mm)
        if len(self.spacing_mm) != self.network.dimension or not all(
            math.isfinite(value) and value > 0 for value in lengths
        ):
            raise ModelFileError(
                f"Impossible spacing {self.spacing_mm} or sigma {self.sigma_mm} (mm)."
            )

    def _check_fine(self) -> None:
        object.__setattr__(self, "crop_size", tuple(self.crop_size))
        if len(self.crop_size) != self.network.dimension:
            raise ModelFileError(f"The crop size {self.crop_size} has not one number an axis.")
        for length in self.crop_size:
            _check_whole("crop_size", length, 8, 512)
        if self.network.joint_features:
            raise ModelFileError("A fine stage sees one landmark at a time: it has no joint part.")


@dataclass(frozen=True)
class ModelDescription:
    """All that is known of a model besides its weights.

    stages: coarse first. members: how many networks each stage has; of several, the mean of what they
    say counts. training, metrics: free-form records of where the weights came from and
    what they reached, JSON data.
    """

    name: str
    landmarks: LandmarkSet
    intensity: IntensityNormalisation
    stages: tuple
    version: str = "1"
    licence: str = ""
    text: str = ""
    created: str = ""
    members: int = 1
    training: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "stages", tuple(self.stages))
        _check_whole("members", self.members, 1, 64)
        roles = [stage.role for stage in self.stages]
        if roles not in ([COARSE], [COARSE, FINE]):
            raise ModelFileError(f"A model has a coarse stage and perhaps a fine one, not {roles}.")
        for stage in self.stages:
            if stage.network.landmarks != len(self.landmarks):
                raise ModelFileError(
                    f"The {stage.role} network has {stage.network.landmarks} channels for"
                    f" {len(self.landmarks)} landmarks."
                )
        if len({stage.network.dimension for stage in self.stages}) != 1:
            raise ModelFileError("The stages are of different dimensions.")

    def __repr__(self) -> str:
        return f"ModelDescription({self.told()})"

    def told(self) -> str:
        """Name, version, and what it is for, in words."""
        stages = ", ".join(
            f"{stage.role} {' x '.join(f'{mm:.3g}' for mm in stage.spacing_mm)} mm"
            for stage in self.stages
        )
        members = f", members: {self.members}" if self.members > 1 else ""
        return (
            f"'{self.name}' {self.version}, {self.dimension}D, landmarks: {len(self.landmarks)},"
            f" {stages}{members}"
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.stages[0].network.dimension

    def to_json(self) -> dict:
        return {
            "schema": MODEL_SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "version": self.version,
            "licence": self.licence,
            "text": self.text,
            "created": self.created,
            "members": self.members,
            "landmark_set": self.landmarks.to_json(),
            "intensity": asdict(self.intensity),
            "stages": [asdict(stage) for stage in self.stages],
            "training": self.training,
            "metrics": self.metrics,
        }

    @classmethod
    def from_json(cls, document) -> ModelDescription:
        """Raises ModelFileError for a foreign, newer or impossible description."""
        if not isinstance(document, dict) or document.get("schema") != MODEL_SCHEMA:
            raise ModelFileError("It is not a LandmarkHeatmap model.")
        version = document.get("schema_version")
        if not isinstance(version, int) or version < 1:
            raise ModelFileError(f"Its schema version is {version!r}.")
        if version > SCHEMA_VERSION:
            raise ModelFileError(
                f"It has schema version {version}; this program knows up to {SCHEMA_VERSION}."
                " Update LandmarkHeatmap."
            )
        try:
            return cls(
                landmarks=LandmarkSet.from_json(document["landmark_set"]),
                intensity=IntensityNormalisation(**document["intensity"]),
                stages=tuple(_stage(stage) for stage in document["stages"]),
                # Files from before there were ensembles do not say it.
                members=document.get("members", 1),
                training=dict(document["training"]),
                metrics=dict(document["metrics"]),
                **{key: str(document[key]) for key in _TEXTS},
            )
        except (KeyError, TypeError, ValueError, AttributeError, AnnotationError) as error:
            raise ModelFileError(f"Its description is damaged ({error!r}).") from error


_TEXTS = ("name", "version", "licence", "text", "created")


def _stage(document: dict) -> Stage:
    network = NetworkConfig(**document["network"])
    crop = document["crop_size"]
    return Stage(
        document["role"],
        tuple(document["spacing_mm"]),
        float(document["sigma_mm"]),
        network,
        None if crop is None else tuple(crop),
        # Files from before crops were turned do not say it.
        document.get("turned", False),
    )


def _check_whole(name: str, value, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ModelFileError(f"{name} is {value!r}; it has to be a whole number {low} to {high}.")
