"""What was done of what was planned, and what is kept of it: in numbers and in sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from landmark_heatmap.images.geometry import MM
from landmark_heatmap.model.description import COARSE, FINE

from ..progress import duration

GOING_ON = "training was still going on"
ALL_EPOCHS = "all epochs were done"
TIME = "the time was over"
NO_BETTER = "the validation had stopped getting better"
BY_USER = "it was stopped by the user"
FAILED = "it failed"


@dataclass(frozen=True)
class Part:
    """Of a stage: how far it came, of how many epochs (None: as many as the minutes allow), and which
    epoch is kept (0: none).

    skipped_steps: that were left out since float16 could not hold their gradients.
    """

    role: str
    epochs: int
    epochs_planned: int
    steps: int
    kept_epoch: int
    kept_steps: int
    skipped_steps: int
    precision: str
    ended: str


@dataclass(frozen=True)
class RunOutcome:
    """Of a run. planned: the roles of all its stages. parts: of those that were begun. cases: how many
    were held out to validate by. minutes: how long it took, and was allowed (None: not stated).
    cut_short: why it ended, if not with its last stage. unit: of lengths.
    """

    planned: tuple
    cases: int
    minutes: float
    minutes_planned: float
    parts: tuple = ()
    cut_short: str = ""
    unit: str = MM

    def having(self, part: Part) -> RunOutcome:
        """With what is known of a stage now."""
        others = [each for each in self.parts if each.role != part.role]
        return replace(self, parts=(*others, part))

    @property
    def kept(self) -> Part:
        """The stage that was trained last among those in the model file; None if there is none."""
        kept = [part for part in self.parts if part.kept_epoch]
        return kept[-1] if kept else None

    @property
    def ended(self) -> str:
        return self.cut_short or (self.parts[-1].ended if self.parts else GOING_ON)

    @property
    def fine_stage(self) -> str:
        if FINE not in self.planned:
            return "none was planned"
        fine = next((part for part in self.parts if part.role == FINE), None)
        if fine is None or not fine.steps:
            return "not trained"
        return "kept" if fine.kept_epoch else "left out, it made the validation no better"

    def to_json(self, metrics: dict) -> dict:
        """As it stands in a model file. metrics: the figures of what is kept, of the validation."""
        kept = self.kept
        return {
            "ended": self.ended,
            "kept": kept
            and {"stage": kept.role, "epoch": kept.kept_epoch, "steps": kept.kept_steps},
            "validated_on_cases": self.cases,
            "stages": {part.role: asdict(part) for part in self.parts},
            "fine_stage": self.fine_stage,
            "minutes": round(self.minutes, 2),
            "minutes_planned": self.minutes_planned,
            "summary": self.sentences(metrics),
        }

    def sentences(self, metrics: dict) -> list:
        """What is kept, what was done, of the fine stage, of steps left out."""
        told = [self._of_what_is_kept(metrics), self._of_what_was_done()]
        if FINE in self.planned:
            told.append(f"The fine stage: {self.fine_stage}.")
        for part in self.parts:
            if part.skipped_steps:
                told.append(
                    f"{part.skipped_steps} of {part.steps} {part.role} steps were left out: their"
                    " gradients were not finite in float16."
                )
        return told

    def _of_what_is_kept(self, metrics: dict) -> str:
        kept = self.kept
        if kept is None:
            return "No model is kept."
        told = f"Kept: the {kept.role} stage of epoch {kept.kept_epoch}"
        if not self.cases:
            return f"{told}, never validated: no case was held out to judge it by."
        if not metrics:
            return f"{told}, whose error was not measured."
        cases = f"{self.cases} held-out case{'s' * (self.cases != 1)}"
        return f"{told}, {figures(metrics, self.unit)} on {cases}."

    def _of_what_was_done(self) -> str:
        planned = {part.role: part for part in self.parts}
        if self.parts:
            epochs = self.parts[0].epochs_planned
            of_all = "" if epochs is None else f" of {epochs}"
            counts = {role: planned[role].epochs if role in planned else 0 for role in self.planned}
            done = ", ".join(
                f"{count}{of_all} {role} epoch{'s' * ((epochs or count) != 1)}"
                for role, count in counts.items()
            )
        else:
            done = "no epoch"
        if self.minutes_planned is None:
            time = duration(60 * self.minutes)
        else:
            time = f"{self.minutes:.1f} of {self.minutes_planned:g} minutes"
        return f"Done: {done}, in {time}; {self.ended}."


def figures(metrics: dict, unit: str) -> str:
    """The mean error in the unit of the images, and how many points were missed or false."""
    mean = metrics.get("mre_mm")
    told = "no point located" if mean is None else f"validation MRE {mean:.3g} {unit}"
    for wrong in ("missed", "false"):
        told += f", {metrics[wrong]} {wrong}" if metrics.get(wrong) else ""
    return told


def nothing_yet(plan, cases: int) -> RunOutcome:
    """Of a run on a Plan that has not begun. cases: how many are held out."""
    planned = (COARSE,) if plan.fine is None else (COARSE, FINE)
    return RunOutcome(planned, cases, 0.0, plan.config.minutes, unit=plan.unit)
