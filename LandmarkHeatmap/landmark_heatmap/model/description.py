"""What a model file says of its network, in plain data. Needs no torch.

The JSON form is checked on reading, value by value: a file from elsewhere can ask for nothing that
is out of proportion.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from ..annotation.landmarks import LandmarkSet
from ..errors import AnnotationError, ModelFileError, quoted
from ..images.geometry import MM, UNITS
from .cards.card import ModelCard
from .values import length, number, record, sequence, text, whole

MODEL_SCHEMA = "landmark-heatmap-model"
SCHEMA_VERSION = 1
COARSE, FINE = "coarse", "fine"
# What the output channels are: see landmark_heatmap.model.network.
DISTRIBUTION, INDEPENDENT = "distribution", "independent"
_NORMALISATIONS = ("percentiles", "window")
_MOST_LANDMARKS = 1024
# Letters.
_LONGEST = {"name": 500, "version": 500, "created": 500, "licence": 20_000, "text": 200_000}
_LONGEST_NAME, _LONGEST_DEFINITION = 500, 20_000
# Voxels of a crop: a cube of 256. How much larger one length of a model may be than another: voxels of
# thin stacks are some 50 times as long as wide.
_LARGEST_CROP = 2**24
_MOST_APART = 1000.0
# Identities of images in the record of the training, which whoever goes on from it reads.
_IMAGE_LISTS = ("training_images", "validation_images", "images_seen_before")


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
        if not isinstance(self.kind, str) or self.kind not in _NORMALISATIONS:
            raise ModelFileError(f"Unknown intensity normalisation {quoted(self.kind)}.")
        for name in ("low", "high"):
            number(f"The intensity '{name}'", getattr(self, name))
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
    scale, what the literature starts from and what is here to be compared with. aligned: whether the
    voxels of all levels lie where the interpolation between them takes them to be, so that a mirrored
    image gives mirrored heatmaps; files of networks that are half a voxel off a level do not say it.
    """

    dimension: int
    landmarks: int
    features: tuple = (16, 32, 64, 96)
    joint_features: int = 48
    joint_level: int = 3
    head: str = DISTRIBUTION
    aligned: bool = False

    def __post_init__(self):
        features = sequence("features (a number for each level)", self.features, 2, 8)
        object.__setattr__(self, "features", features)
        whole("dimension", self.dimension, 2, 3)
        whole("landmarks", self.landmarks, 1, _MOST_LANDMARKS)
        whole("joint_features", self.joint_features, 0, 1024)
        for width in features:
            whole("features", width, 1, 2048)
        whole("joint_level", self.joint_level, 0, len(features) - 1)
        if not isinstance(self.head, str) or self.head not in (DISTRIBUTION, INDEPENDENT):
            raise ModelFileError(f"Unknown network head {quoted(self.head)}.")
        if not isinstance(self.aligned, bool):
            raise ModelFileError(f"A network has aligned = {quoted(self.aligned)}.")
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
        if not isinstance(self.role, str) or self.role not in (COARSE, FINE):
            raise ModelFileError(f"Unknown stage {quoted(self.role)}; it has to be coarse or fine.")
        if (self.crop_size is None) != (self.role == COARSE):
            raise ModelFileError(
                f"The {self.role} stage has the crop size {quoted(self.crop_size)}."
            )
        if self.role == FINE:
            self._check_fine()
        if not isinstance(self.turned, bool) or self.turned and self.role == COARSE:
            raise ModelFileError(f"The {self.role} stage has turned = {quoted(self.turned)}.")
        dimension = self.network.dimension
        spacing = sequence("spacing_mm", self.spacing_mm, dimension, dimension)
        spacing = tuple(length("spacing_mm", each) for each in spacing)
        object.__setattr__(self, "spacing_mm", spacing)
        object.__setattr__(self, "sigma_mm", length("sigma_mm", self.sigma_mm))
        _check_apart(f"The {self.role} stage's spacing and sigma", (*spacing, self.sigma_mm))

    def _check_fine(self) -> None:
        dimension = self.network.dimension
        size = sequence("crop_size", self.crop_size, dimension, dimension)
        object.__setattr__(self, "crop_size", size)
        for each in size:
            whole("crop_size", each, 8, 512)
        if math.prod(size) > _LARGEST_CROP:
            raise ModelFileError(
                f"The crop size {list(size)} has {math.prod(size)} voxels; at most"
                f" {_LARGEST_CROP} are possible."
            )
        if self.network.joint_features:
            raise ModelFileError("A fine stage sees one landmark at a time: it has no joint part.")


@dataclass(frozen=True)
class ModelDescription:
    """All that is known of a model besides its weights.

    stages: coarse first. members: how many networks each stage has; of several, the mean of what they
    say counts. training, metrics: free-form records of where the weights came from and
    what they reached, JSON data. unit: of all lengths, 'mm'; or 'px', of
    images that do not state how large their voxels are. card: a ModelCard, or None.
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
    unit: str = MM
    card: ModelCard = None

    def __post_init__(self):
        object.__setattr__(self, "stages", tuple(self.stages))
        whole("members", self.members, 1, 64)
        if not isinstance(self.unit, str) or self.unit not in UNITS:
            raise ModelFileError(
                f"Unknown unit of length {quoted(self.unit)}; mm or px is possible."
            )
        for name, longest in _LONGEST.items():
            text(f"The model's '{name}'", getattr(self, name), longest)
        _check_names(self.landmarks)
        for name in ("training", "metrics"):
            record(f"The model's '{name}'", getattr(self, name))
        _check_image_lists(self.training)
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
        _check_apart("The spacings of the stages", [s for st in self.stages for s in st.spacing_mm])

    def __repr__(self) -> str:
        return f"ModelDescription({self.told()})"

    def told(self) -> str:
        """Name, version, and what it is for, in words."""
        stages = ", ".join(
            f"{stage.role} {' x '.join(f'{mm:.3g}' for mm in stage.spacing_mm)} {self.unit}"
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
            "unit": self.unit,
            "landmark_set": self.landmarks.to_json(),
            "intensity": asdict(self.intensity),
            "stages": [asdict(stage) for stage in self.stages],
            "training": self.training,
            "metrics": self.metrics,
            "card": None if self.card is None else self.card.to_json(),
        }

    @classmethod
    def from_json(cls, document) -> ModelDescription:
        """Raises ModelFileError for a foreign, newer or impossible description."""
        if not isinstance(document, dict) or document.get("schema") != MODEL_SCHEMA:
            raise ModelFileError("It is not a LandmarkHeatmap model.")
        version = document.get("schema_version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise ModelFileError(f"Its schema version is {quoted(version)}.")
        if version > SCHEMA_VERSION:
            raise ModelFileError(
                f"It has schema version {quoted(version)}; this program knows up to {SCHEMA_VERSION}."
                " Update LandmarkHeatmap."
            )
        try:
            return cls(
                landmarks=_landmarks(document["landmark_set"]),
                intensity=IntensityNormalisation(**document["intensity"]),
                stages=tuple(map(_stage, sequence("stages", document["stages"], 1, 2))),
                # Files from before there were ensembles do not say it.
                members=document.get("members", 1),
                # Nor do files from before there were units.
                unit=document.get("unit", MM),
                # Most models are nobody's but their maker's, and have none.
                card=_card(document.get("card")),
                training=document["training"],
                metrics=document["metrics"],
                **{key: document[key] for key in _LONGEST},
            )
        except AnnotationError as error:
            raise ModelFileError(f"Its landmarks make no sense. {error}") from error
        except KeyError as error:
            raise ModelFileError(f"Its description has no {quoted(error.args[0])}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"Its description is damaged ({quoted(error, 200)}).") from error


def _card(document) -> ModelCard:
    return None if document is None else ModelCard.from_json(document)


def _landmarks(document) -> LandmarkSet:
    """Judged by their number first: what they are checked for takes its square."""
    landmarks = sequence("landmarks", document["landmarks"], 1, _MOST_LANDMARKS)
    pairs = sequence("mirror_pairs", document.get("mirror_pairs", ()), 0, _MOST_LANDMARKS // 2)
    for pair in pairs:
        sequence("A pair of mirror_pairs", pair, 2, 2)
    for landmark in landmarks:
        text("A landmark's name", landmark["name"], _LONGEST_NAME)
    return LandmarkSet.from_json(document)


def _check_names(landmarks: LandmarkSet) -> None:
    text("The landmark set's name", landmarks.name, _LONGEST_NAME)
    for landmark in landmarks.landmarks:
        text("A landmark's name", landmark.name, _LONGEST_NAME)
        text(f"The definition of '{landmark.name}'", landmark.definition, _LONGEST_DEFINITION)


def _check_image_lists(training: dict) -> None:
    for name in _IMAGE_LISTS:
        # A model that started from one which does not say what it saw knows it is unknown.
        images = training.get(name)
        if images is not None:
            for each in sequence(name, images, 0, 10**6):
                text(f"An image of '{name}'", each, _LONGEST_NAME)


def _check_apart(what: str, lengths_mm) -> None:
    shortest, longest = min(lengths_mm), max(lengths_mm)
    if longest > _MOST_APART * shortest:
        raise ModelFileError(
            f"{what} are {shortest:g} to {longest:g} mm; none may be more than"
            f" {_MOST_APART:g} times another."
        )


def _stage(document: dict) -> Stage:
    return Stage(
        document["role"],
        document["spacing_mm"],
        document["sigma_mm"],
        NetworkConfig(**document["network"]),
        document["crop_size"],
        # Files from before crops were turned do not say it.
        document.get("turned", False),
    )
