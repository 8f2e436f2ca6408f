"""What a detection in the worker tells: Progress, and then Finished, Failed or Cancelled."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..detection.prediction import Prediction


@dataclass(frozen=True)
class Progress:
    """stage: what is being done. fraction: 0 to 1, never falls. seconds_left: None if unknown."""

    stage: str
    fraction: float
    seconds_left: float = None


@dataclass(frozen=True, eq=False)
class Finished:
    """device: as torch names it. device_note: why that one, if there is something to say.
    seconds: of the job's parts, as the worker measured them, and "all" of it, as seen from here."""

    prediction: Prediction
    device: str
    device_note: str = ""
    seconds: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Proposed:
    """proposals: what else would move, the farthest first. seconds: as in Finished."""

    proposals: tuple
    seconds: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """message: for the user. details: for who looks into it. The next detection may well succeed."""

    message: str
    details: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled."""
