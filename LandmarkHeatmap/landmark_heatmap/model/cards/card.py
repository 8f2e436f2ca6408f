"""The model card: what a model is for, how far off it is, what it was made of. Needs no torch.

It stands in the model's description, so that it cannot get lost from the weights. Name, version, licence
of the weights and the landmarks' definitions have their places in the description already, and are no
part of it. After Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields

from ...errors import ModelFileError, quoted
from ...images.geometry import UNITS
from ..values import number, sequence, text, whole

LONGEST, _MOST = 20_000, 200


@dataclass(frozen=True)
class ExpectedError:
    """How far from where an expert would click the landmarks are found, on `cases` that the training has
    not seen. what: which cases these are, and how they were told apart. mean: the mean radial error, in
    `unit`; low, high: the interval that holds it with `percent` %."""

    what: str
    mean: float
    low: float
    high: float
    cases: int
    percent: float = 95.0
    unit: str = "mm"

    def __post_init__(self):
        said("An error's 'what'", self.what)
        for name in ("mean", "low", "high"):
            number(f"The card's error '{name}'", getattr(self, name), 0, 1e6)
        if not self.low <= self.mean <= self.high:
            raise ModelFileError(
                f"The card's error {self.mean:g} is not within its interval {self.low:g} to"
                f" {self.high:g}."
            )
        whole("The card's error 'cases'", self.cases, 1, 10**6)
        number("The card's error 'percent'", self.percent, 1, 100)
        if not isinstance(self.unit, str) or self.unit not in UNITS:
            raise ModelFileError(
                f"The card's error has the unit {quoted(self.unit)}; mm or px is possible."
            )


@dataclass(frozen=True)
class TrainingData:
    """What a model was trained on. citation: the publication. address: where the data are."""

    name: str
    licence: str
    citation: str
    address: str = ""

    def __post_init__(self):
        for name in ("name", "licence", "citation"):
            said(f"The data's '{name}'", getattr(self, name))
        text("The data's 'address'", self.address, LONGEST)


@dataclass(frozen=True)
class ModelCard:
    """purpose: what the model is for. not_for: what it must not be used for. population, modality: of
    whom or what, and how its images were made. errors: ExpectedErrors. data: TrainingData. not_tried: on
    which images nobody knows how it does. Raises ModelFileError for what is missing or makes no sense.
    """

    purpose: str
    not_for: tuple
    population: str
    modality: str
    errors: tuple
    data: tuple
    not_tried: tuple

    def __post_init__(self):
        for name in ("purpose", "population", "modality"):
            said(f"The card's '{name}'", getattr(self, name))
        for name in ("not_for", "not_tried"):
            object.__setattr__(self, name, sequence(f"'{name}'", getattr(self, name), 1, _MOST))
            for each in getattr(self, name):
                said(f"A line of the card's '{name}'", each)
        for name, kind in _PARTS.items():
            parts = sequence(f"The card's '{name}'", getattr(self, name), 1, _MOST)
            object.__setattr__(self, name, parts)
            if not all(isinstance(each, kind) for each in parts):
                raise ModelFileError(f"The card's '{name}' are not all {kind.__name__}.")

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, document, is_strict: bool = False) -> ModelCard:
        """is_strict: whether a word that no card has is a mistake, as in a file that a person wrote; a
        model's may be of a later version. Raises ModelFileError."""
        values = _known(document, cls, "card", is_strict)
        for name, kind in _PARTS.items():
            listed = sequence(f"The card's '{name}'", values[name], 1, _MOST)
            what = f"card's {name}"
            values[name] = tuple(kind(**_known(each, kind, what, is_strict)) for each in listed)
        return cls(**values)


_PARTS = {"errors": ExpectedError, "data": TrainingData}


def _known(document, kind, what: str, is_strict: bool) -> dict:
    """The values of a dataclass that a document has; ModelFileError if it lacks one that is needed."""
    if not isinstance(document, dict):
        raise ModelFileError(f"The {what} is {quoted(document)}; it has to be an object.")
    names = [each.name for each in fields(kind)]
    for name in document:
        if is_strict and name not in names:
            raise ModelFileError(f"The {what} says {quoted(name)}; known are {', '.join(names)}.")
    for each in fields(kind):
        if each.name not in document and each.default is MISSING:
            raise ModelFileError(f"The {what} has no '{each.name}'.")
    return {name: document[name] for name in names if name in document}


def said(name: str, value) -> None:
    """Raises ModelFileError for what is no text, or an empty one."""
    if not text(name, value, LONGEST).strip():
        raise ModelFileError(f"{name} is empty; it has to say something.")
