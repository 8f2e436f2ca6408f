"""What a model says of itself, in sections for people: as Markdown, and as whoever shows it likes."""

from __future__ import annotations

from ...lengths import number
from ..description import ModelDescription

# Between the words of a heading and of a table, these would end a line or a cell.
_BREAKS = str.maketrans({"\n": " ", "\r": " ", "|": "\\|"})


def card_sections(model: ModelDescription) -> list:
    """[(title, lines)] of what the card says; empty for a model without one."""
    card = model.card
    if card is None:
        return []
    sections = [
        ("What it is for", [card.purpose]),
        ("What it is not for", list(card.not_for)),
        ("Of whom or what", [card.population]),
        ("How the images were made", [card.modality]),
        ("Expected error", [error_told(each) for each in card.errors]),
        ("Trained on", [_data_told(each) for each in card.data]),
        ("Never tried on", list(card.not_tried)),
    ]
    if model.licence:
        sections.insert(2, ("Licence of the weights", [model.licence]))
    return sections


def error_told(error, is_short: bool = False) -> str:
    """As '0.217 mm (0.193 to 0.241, 95 %) on 6 cases: ...'. is_short: the interval is the last of it."""
    low, high = (number(each, like=error.mean) for each in (error.low, error.high))
    interval = f"{number(error.mean)} {error.unit} ({low} to {high}"
    if is_short:
        return f"{interval})"
    return f"{interval}, {error.percent:g} %) on {error.cases} cases: {error.what}"


def markdown(model: ModelDescription) -> str:
    """The whole card as a document, with the landmarks in a table; without a card what else is known."""
    lines = [f"# {_line(model.name)} {_line(model.version)}", ""]
    if model.text:
        lines += [model.text, ""]
    # What stands for a model may have no dimension: the cases of a dataset.
    kind = f", {model.dimension}D" if model.dimension else ""
    lines += [f"{len(model.landmarks)} landmarks{kind}, lengths in {model.unit}.", ""]
    for title, said in card_sections(model) or [("Licence of the weights", [model.licence or "-"])]:
        lines += [f"## {title}", ""]
        lines += [f"- {_line(each)}" for each in said] if len(said) > 1 else said
        lines.append("")
    lines += ["## Landmarks", "", "| name | definition |", "|---|---|"]
    lines += [
        f"| {_line(each.name)} | {_line(each.definition) or '-'} |"
        for each in model.landmarks.landmarks
    ]
    return "\n".join(lines) + "\n"


def _data_told(data) -> str:
    where = f" {data.address}" if data.address else ""
    return f"{data.name}, {data.licence}. {data.citation}{where}"


def _line(text: str) -> str:
    return text.translate(_BREAKS)
