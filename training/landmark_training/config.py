"""All that can be set about a training run, in one object that is saved with the model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.errors import DatasetError


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
    # The loss: cross-entropy finds the place, the energy-normalised MSE shapes the heatmap.
    shape_weight: float = 0.5
    # The run.
    epochs: int = 60
    steps_per_epoch: int = 30
    minutes: float = None
    batch_size: int = None
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    validation_share: float = 0.15
    seed: int = 0
    precision: str = "auto"
    # Augmentation.
    rotation_degrees: float = 15.0
    scaling: float = 0.15
    translation_share: float = 0.08
    elastic_share: float = 0.012
    flip: bool = None
    intensity_jitter: float = 0.25
    noise: float = 0.05
    occlusion: float = 0.2

    def __post_init__(self):
        for name in ("spacing_mm", "features"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        positive = (
            "epochs",
            "steps_per_epoch",
            "learning_rate",
            "batch_size",
            "minutes",
            "sigma_voxels",
        )
        for name in positive:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DatasetError(f"{name} is {value}; it has to be positive.")
        if not 0 <= self.validation_share < 1:
            raise DatasetError(
                f"validation_share is {self.validation_share}; it has to be from 0 to below 1."
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise DatasetError(
                f"precision is '{self.precision}'; it has to be auto, float32 or bfloat16."
            )

    @classmethod
    def read(cls, path) -> TrainConfig:
        """From a JSON file that names any of the settings. Raises DatasetError for others."""
        path = Path(path)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            known = {f.name for f in dataclasses.fields(cls)}
            unknown = sorted(set(document) - known)
            if unknown:
                raise DatasetError(
                    f"'{path}' sets {', '.join(unknown)}; the settings are"
                    f" {', '.join(sorted(known))}."
                )
            return cls(**document)
        except (OSError, ValueError, TypeError) as error:
            raise DatasetError(f"'{path}' cannot be read as a configuration: {error}.") from error

    def replaced(self, **changes) -> TrainConfig:
        """A copy with the settings that are not None changed."""
        return dataclasses.replace(self, **{k: v for k, v in changes.items() if v is not None})

    def to_json(self) -> dict:
        return dataclasses.asdict(self)
