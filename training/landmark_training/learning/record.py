"""How a run went, epoch by epoch: progress.csv, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path


class Record:
    """Appends a row an epoch to RUN/progress.csv and scalars to RUN/tensorboard."""

    def __init__(self, folder: Path, say):
        self.path = Path(folder) / "progress.csv"
        self.board = _tensorboard(Path(folder) / "tensorboard", say)

    def add(self, stage: str, epoch: int, seconds: float, figures: dict) -> None:
        """figures: name to a number, or None where there is none; the same names every time."""
        row = {"stage": stage, "epoch": epoch, "seconds": round(seconds, 1)}
        row.update({k: "" if v is None else round(v, 5) for k, v in figures.items()})
        is_new = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        if self.board is not None:
            for name, value in figures.items():
                if value is not None:
                    self.board.add_scalar(f"{stage}/{name}", value, epoch)
            self.board.flush()

    def forget_after(self, stage: str, epoch: int) -> None:
        """Drop the stage's rows of later epochs: a run going on from a checkpoint repeats them."""
        if not self.path.exists():
            return
        with open(self.path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        kept = [row for row in rows if row["stage"] != stage or int(row["epoch"]) <= epoch]
        if kept and len(kept) < len(rows):
            with open(self.path, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, kept[0])
                writer.writeheader()
                writer.writerows(kept)
        elif not kept:
            self.path.unlink()


def _tensorboard(folder: Path, say):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("  no learning curves for TensorBoard, which is not installed; progress.csv has them")
        return None
    return SummaryWriter(str(folder))
