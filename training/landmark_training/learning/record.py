"""How a run went, epoch by epoch: progress.csv, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path

from landmark_heatmap.files import replacing
from landmark_heatmap.judging.consistency import FIGURES

from ..judging.runs import PROGRESS, read_rows

_COLUMNS = (
    *("stage", "epoch", "seconds", "loss", "sigma_mm", "skipped_steps"),
    *("mre_mm", "median_mm", "missed", "false", "score", *FIGURES),
)


class Record:
    """A row an epoch in RUN/progress.csv, and scalars in RUN/tensorboard.

    Raises DatasetError if there is a progress.csv that cannot be read.
    """

    def __init__(self, folder: Path, say):
        self.path, self.say = Path(folder) / PROGRESS, say
        self.rows = read_rows(self.path)
        self.board = _tensorboard(Path(folder) / "tensorboard", say)

    def add(self, stage: str, epoch: int, seconds: float, figures: dict) -> None:
        """figures: name to a number, or None where there is none. Raises OSError if there is no room;
        the next row brings this one along."""
        row = dict.fromkeys(_COLUMNS, "")
        row.update(stage=stage, epoch=epoch, seconds=round(seconds, 1))
        row.update({k: "" if v is None else round(v, 5) for k, v in figures.items()})
        self.rows.append(row)
        self._show(stage, epoch, figures)
        self._write()

    def _show(self, stage: str, epoch: int, figures: dict) -> None:
        """In TensorBoard, whose own thread may have met a full disk."""
        if self.board is None:
            return
        try:
            for name, value in figures.items():
                if value is not None:
                    self.board.add_scalar(f"{stage}/{name}", value, epoch)
            self.board.flush()
        except Exception as error:
            self.say(
                f"The curves for TensorBoard cannot be written: {error}. progress.csv has them."
            )
            self.board = None

    def _write(self) -> None:
        with (
            replacing(self.path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            # Of an earlier version there may be other columns.
            names = dict.fromkeys(name for row in (*self.rows, _COLUMNS) for name in row)
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def forget_after(self, stage: str, epoch: int) -> None:
        """Drop the stage's rows of later epochs: a run going on from a checkpoint repeats them."""
        self.rows = [r for r in self.rows if r["stage"] != stage or int(r["epoch"]) <= epoch]


def _tensorboard(folder: Path, say):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("  no learning curves for TensorBoard, which is not installed; progress.csv has them")
        return None
    return SummaryWriter(str(folder))
