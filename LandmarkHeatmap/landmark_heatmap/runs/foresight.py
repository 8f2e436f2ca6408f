"""What a training would do and why, asked before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from .asking import Asking
from .command import Fit


@dataclass(frozen=True)
class Answer:
    """text: what the command said, whether it is a plan or why there is none."""

    text: str
    is_plan: bool


class Foresight(Asking):
    """The command that says what a Fit would do, at work."""

    def __init__(self, fit: Fit, **how):
        super().__init__(fit.words_of_plan(), **how)

    def poll(self) -> Answer:
        """None as long as it is at work."""
        code = self.code()
        if code is None:
            return None
        return Answer(self.said(), True) if code == 0 else Answer(self.reason(), False)
