"""The line above the table that says what would follow a correction, and its buttons."""

from __future__ import annotations

from slicer.i18n import tr as _

from landmark_heatmap.lengths import rough

from ..texts import FixedText

COLOUR = "#9a5fd0"  # legible on light and dark
# Of the text and of the buttons, in rows of the table.
LINES = 3


class ProposalLine:
    """Its place is there, empty or not, as long as somebody can be asked."""

    def __init__(self, ui):
        self._ui = ui
        self._text = FixedText(ui.proposalLabel)
        ui.proposalLabel.setStyleSheet(f"color: {COLOUR}")
        ui.proposalWidget.setVisible(False)

    def show(self, session, can_ask: bool) -> bool:
        """session: a ReviewSession, or None. Returns whether it takes its place."""
        items = session.proposals.items if session else ()
        is_shown = bool(items) or (session is not None and can_ask)
        self._ui.proposalWidget.setVisible(is_shown)
        self._text.show(told(items, session.result.unit, _("would follow")) if items else "")
        is_open = bool(items) and not session.is_placing
        self._ui.followButton.enabled = self._ui.stayButton.enabled = is_open
        is_one = is_open and session.current in session.proposals.distances
        self._ui.followOneButton.enabled = is_one
        return is_shown


def told(items, unit: str, verb: str) -> str:
    """As '2 landmarks would follow: Porion 12 mm, Orbitale 8 mm.' verb: what they do."""
    each = ", ".join(f"{item.name} {rough(item.distance_mm)} {unit}" for item in items)
    what = _("1 landmark") if len(items) == 1 else _("{count} landmarks").format(count=len(items))
    return f"{what} {verb}: {each}."


def follows(row, unit: str) -> str:
    """What is proposed of a row, in one sentence."""
    length = f"{rough(row.proposed_mm)} {unit}"
    return _("would follow by {length}: Y takes all, J this one").format(length=length)


def has_followed(row) -> str:
    return _("followed {names}; nobody has judged it yet").format(names=", ".join(row.followed))
