"""How sure a predicted position is, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ..lengths import rough

# What all landmarks together have made of one that did not fit: it stays, and is doubted; another peak of
# its heatmap was taken; it was seen when the network was asked again, where the others have it; or it
# was seen nowhere, and is where the others have it.
DOUBTED, OTHER_PEAK, SEEN_AGAIN, BY_SHAPE = "doubted", "other peak", "seen again", "by shape"
LOOKS = (DOUBTED, OTHER_PEAK, SEEN_AGAIN, BY_SHAPE)


@dataclass(frozen=True)
class Doubt:
    """How sure a position is, in the unit of the image.

    expected_mm: the mean distance of the position from where an expert would click, by the belief.
    level, within_mm: the probability (0 to 1) with which that is within so far; None where the model
    was not calibrated on cases that it had not seen. apart_mm: how far the position is from where the
    other landmarks have it; oddness: the same over what one in a thousand right ones exceeds, so that
    above one it breaks the shape. None where the model knows no shape. look: one of LOOKS, what all
    landmarks together have made of it; None where it fitted. mends_mm: by how much all others together
    are expected to get nearer if a person places it right; None where the model knows no shape.
    """

    expected_mm: float
    level: float = None
    within_mm: float = None
    apart_mm: float = None
    oddness: float = None
    look: str = None
    mends_mm: float = None

    @property
    def is_odd(self) -> bool:
        return self.oddness is not None and self.oddness > 1

    @property
    def worth_mm(self) -> float:
        """By how much the landmarks together are expected to get nearer if this one is placed right."""
        return self.expected_mm + (self.mends_mm or 0.0)

    @property
    def is_calibrated(self) -> bool:
        return self.level is not None and self.within_mm is not None

    @property
    def shown_mm(self) -> float:
        """The length by which doubts are compared: as far as `level` reaches, or what is expected."""
        return self.within_mm if self.is_calibrated else self.expected_mm

    def told(self, unit: str) -> str:
        """As '90 %: within 2.1 mm', or 'about 2.1 mm' without calibration. unit: mm or px."""
        if self.is_calibrated:
            return f"{percent(self.level)}: within {rough(self.within_mm)} {unit}"
        return f"about {rough(self.expected_mm)} {unit}"

    def to_json(self) -> dict:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        look = values.pop("look")
        values = {name: None if value is None else float(value) for name, value in values.items()}
        return {**values, "look": look}

    @classmethod
    def from_json(cls, document) -> Doubt:
        """Raises ValueError for a document that is none."""
        if not isinstance(document, dict):
            raise ValueError("a doubt has to be an object")
        numbers = [each.name for each in fields(cls) if each.name != "look"]
        values = {name: _length(document.get(name)) for name in numbers}
        if values["expected_mm"] is None:
            raise ValueError("a doubt needs 'expected_mm'")
        if not 0 <= (values["level"] or 0) <= 1:
            raise ValueError("the 'level' of a doubt has to be from 0 to 1")
        look = document.get("look")
        if look is not None and look not in LOOKS:
            raise ValueError(f"the 'look' of a doubt has to be one of {', '.join(LOOKS)}")
        return cls(**values, look=look)


def percent(share: float) -> str:
    """As '90 %'; rounded down, for more is not known."""
    return f"{math.floor(100 * share + 1e-6)} %"


def _length(value):
    """A number that is no less than 0, or None. Raises ValueError for anything else."""
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Whole numbers in JSON can be too large even for float(); NaN is in no order with 0.
    if not is_number or not 0 <= value < 2**63:
        raise ValueError("a doubt has numbers that are no less than 0")
    return float(value)
