"""What is probably a mistake, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# The worst first: what hides or spoils a whole case, then landmarks, then what may be meant so.
UNUSABLE, MIRRORED, FRAME, UNLIKE = "unusable", "mirrored", "frame", "unlike the others"
EXCHANGED, DUPLICATE, OUTSIDE, OFF = "exchanged", "duplicate", "outside", "off"
NAME, WITHOUT = "name", "without annotation"
KINDS = (UNUSABLE, MIRRORED, FRAME, UNLIKE, EXCHANGED, DUPLICATE, OUTSIDE, OFF, NAME, WITHOUT)
# What is wrong with all points of a case at once.
OF_THE_WHOLE = (MIRRORED, FRAME, UNLIKE)


@dataclass(frozen=True)
class Finding:
    """One fault, in one line.

    kind: one of KINDS. reason: a sentence for a person. case: its name, empty where it is of no case.
    landmarks: the names that it is about, empty where it is about the whole case. size: how far off,
    in `unit`; None where no length says it. weight: of two of a kind the one with more is worse.
    """

    kind: str
    reason: str
    case: str = ""
    landmarks: tuple = ()
    size: float = None
    unit: str = ""
    weight: float = 0.0

    def to_json(self) -> dict:
        document = asdict(self)
        del document["weight"]
        return {**document, "landmarks": list(self.landmarks)}


def worst_first(findings) -> list:
    return sorted(findings, key=lambda each: (KINDS.index(each.kind), -each.weight, each.case))
