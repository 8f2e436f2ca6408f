"""What the panel says of doubts: how far off a landmark may be, and which one breaks the shape."""

from __future__ import annotations

from slicer.i18n import tr as _

from landmark_heatmap.annotation.doubt import percent
from landmark_heatmap.lengths import rough

# Legible on light and dark.
ALARM = "#d0453c"
_NOT_CALIBRATED = "#8a8a8a"


def heads(rows) -> tuple:
    """What stands above the cells: in full, and shorter where names need the room.

    It says what all rows share, so that it does not stand in each.
    """
    if not _share(rows):
        return (_("How sure"),) * 2
    doubt = next(row.doubt for row in rows if row.is_found)
    if not doubt.is_calibrated:
        return _("Off by about"), _("About")
    level = percent(doubt.level)
    return _("{level} within").format(level=level), _("{level} in").format(level=level)


def cells(rows) -> list:
    """For each row as '90 %: 2.1 mm', or 'about 2.1 mm' without calibration; of that, the length
    alone if the head says the rest. Of old results the confidence; of what was not found, that;
    nothing where no model was asked."""
    is_shared = _share(rows)
    return [_cell(row, is_shared) for row in rows]


def _share(rows) -> bool:
    """Whether all that were found say the same, but for the length."""
    doubts = [row.doubt for row in rows if row.is_found]
    kinds = {doubt and (doubt.is_calibrated, doubt.level) for doubt in doubts}
    return len(kinds) == 1 and None not in kinds


def _cell(row, is_shared: bool) -> str:
    doubt = row.doubt
    if not row.is_asked:
        return ""
    if not row.is_found:
        return _("absent")
    if doubt is None:
        return f"{row.confidence:.0%}"
    length = _length(doubt.shown_mm, row.unit)
    if is_shared:
        return length
    if not doubt.is_calibrated:
        return _("about {length}").format(length=length)
    return _("{level}: {length}").format(level=percent(doubt.level), length=length)


def in_full(row) -> str:
    """The same in sentences."""
    doubt = row.doubt
    if not row.is_asked:
        return _("No model was asked for this landmark; it is placed by hand.")
    if not row.is_found:
        return _("Not in this image, as the network has it.")
    if doubt is None:
        text = _(
            "Confidence {confidence}: so much of what the network believes lies near this place."
        )
        return text.format(confidence=f"{row.confidence:.0%}")
    if doubt.mends_mm is None or doubt.mends_mm < doubt.expected_mm:
        return _how_far(row)
    text = _("Placed right, it is expected to bring all others together nearer by {mends}.")
    return f"{_how_far(row)} {text.format(mends=_length(doubt.mends_mm, row.unit))}"


def _how_far(row) -> str:
    doubt = row.doubt
    expected = _length(doubt.expected_mm, row.unit)
    if not doubt.is_calibrated:
        text = _(
            "Expected to be about {expected} from where an expert would click, as the network itself"
            " has it. Not calibrated: the model was not tried on cases that it had not seen."
        )
        return text.format(expected=expected)
    text = _(
        "{level}: within {within} of where an expert would click; {expected} on average. Calibrated on"
        " cases that the model had not seen."
    )
    within = _length(doubt.within_mm, row.unit)
    return text.format(level=percent(doubt.level), within=within, expected=expected)


def colour(row):
    """Grey where nothing backs what is said; None elsewhere."""
    is_bare = row.doubt is not None and not row.doubt.is_calibrated
    return _NOT_CALIBRATED if is_bare else None


def breaks(row) -> str:
    """What is wrong with a row that breaks the shape, in one sentence."""
    if row.doubt.apart_mm is None:
        return _("{name} is not where the other landmarks have it.").format(name=row.name)
    apart = _length(row.doubt.apart_mm, row.unit)
    return _("{name} is {apart} from where the other landmarks have it.").format(
        name=row.name, apart=apart
    )


def standing_out(rows) -> str:
    """The same of all rows that break the shape, the worst first; empty if none does."""
    odd = sorted((row for row in rows if row.breaks_the_shape), key=lambda row: -row.doubt.oddness)
    return " ".join(map(breaks, odd))


def _length(value: float, unit: str) -> str:
    return f"{rough(value)} {unit}"
