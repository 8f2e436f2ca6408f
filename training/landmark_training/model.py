"""The model file of a run, written whenever there is a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from landmark_heatmap.description import ModelDescription
from landmark_heatmap.landmarks import LandmarkSet
from landmark_heatmap.model_file import write_model
from landmark_heatmap.prior import ShapePrior

MODEL_NAME = "model.safetensors"


@dataclass(frozen=True)
class ModelWriter:
    """description: all but the stages as trained, the metrics and the progress."""

    folder: Path
    description: ModelDescription
    prior: ShapePrior

    @property
    def path(self) -> Path:
        return self.folder / MODEL_NAME

    @property
    def landmarks(self) -> LandmarkSet:
        return self.description.landmarks

    def write(self, stages, networks, metrics: dict, progress: dict) -> None:
        """metrics: of the validation. progress: of the stage that was trained last."""
        training = {**self.description.training, f"{stages[-1].role}_progress": progress}
        judged = {f"validation_{k}": v for k, v in metrics.items() if k != "score"}
        description = replace(
            self.description, stages=tuple(stages), training=training, metrics=judged
        )
        write_model(self.path, description, networks, self.prior)
