"""What the detection queue is asked for, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.images.imageio import image_stem
from LandmarkHeatmapLib.result.detection_result import DetectionResult


@dataclass(eq=False)
class Job:
    """One image to detect in: a volume of the scene, or a file that is loaded when its turn comes."""

    name: str
    volume: object = None
    path: Path = None

    @classmethod
    def of_volume(cls, volume) -> Job:
        return cls(volume.GetName(), volume=volume)

    @classmethod
    def of_file(cls, path) -> Job:
        return cls(image_stem(path), path=Path(path))


@dataclass(frozen=True)
class Status:
    """What is being done. fraction: 0 to 1 of everything. seconds_left: of everything, or None."""

    text: str
    fraction: float
    seconds_left: float = None


@dataclass(frozen=True)
class Outcome:
    """What came of one job: a result or an error, a sentence each. words: what has to be said of a result
    as a whole. details: for the log."""

    name: str
    result: DetectionResult = None
    error: str = ""
    details: str = ""
    seconds: float = 0.0
    device: str = ""
    device_note: str = ""
    words: tuple = ()
