"""The file that a person writes to give a model its card. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...annotation.landmarks import Landmark
from ...errors import ModelFileError, quoted
from ...files import read_json
from ..values import whole
from .card import ModelCard, said

CARD_SCHEMA, CARD_VERSION = "landmark-heatmap-card", 1
# What a card file may say beside the card, of what has its place in the description.
_BESIDE = ("name", "version", "licence", "text")


@dataclass(frozen=True)
class CardFile:
    """What a card file says. beside: of `name`, `version`, `licence` and `text` what it states.
    definitions: landmark to definition."""

    card: ModelCard
    beside: dict
    definitions: dict

    def applied(self, description):
        """The ModelDescription with all that. Raises ModelFileError for landmarks that it has not."""
        strange = [name for name in self.definitions if name not in description.landmarks.names]
        if strange:
            raise ModelFileError(
                f"The card defines {quoted(strange[0])}, which is no landmark of '{description.name}'."
            )
        landmarks = replace(
            description.landmarks,
            landmarks=tuple(
                Landmark(each.name, self.definitions.get(each.name, each.definition))
                for each in description.landmarks.landmarks
            ),
        )
        return replace(description, landmarks=landmarks, card=self.card, **self.beside)


def read_card(path) -> CardFile:
    """A card from a JSON file. Raises ModelFileError for one that is none, with what is wrong."""
    path = Path(path)
    document = read_json(path, ModelFileError)
    try:
        return _card_file(document)
    except ModelFileError as error:
        raise ModelFileError(f"The card '{path}' cannot be used. {error}") from error


def _card_file(document) -> CardFile:
    if not isinstance(document, dict) or document.get("schema") != CARD_SCHEMA:
        raise ModelFileError(f"It does not say that its schema is '{CARD_SCHEMA}'.")
    version = whole("Its schema_version", document.get("schema_version"), 1, 10**6)
    if version > CARD_VERSION:
        raise ModelFileError(
            f"Its schema_version is {version}; this program knows up to {CARD_VERSION}. Update"
            " LandmarkHeatmap."
        )
    for name in document:
        if name not in ("schema", "schema_version", "landmarks", "card", *_BESIDE):
            raise ModelFileError(f"It says {quoted(name)}, which no card file has.")
    definitions = document.get("landmarks", {})
    if not isinstance(definitions, dict):
        raise ModelFileError(
            f"Its 'landmarks' are {quoted(definitions)}; names with their definitions are needed."
        )
    for name, definition in definitions.items():
        said(f"The definition of '{name}'", definition)
    beside = {name: document[name] for name in _BESIDE if name in document}
    for name, value in beside.items():
        said(f"Its '{name}'", value)
    if "card" not in document:
        raise ModelFileError("It has no 'card'.")
    return CardFile(ModelCard.from_json(document["card"], is_strict=True), beside, definitions)
