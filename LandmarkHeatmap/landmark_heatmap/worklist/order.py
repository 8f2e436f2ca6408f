"""In which order cases are worked on, and which comes next."""

from __future__ import annotations

from ..errors import CaseInWorkError
from .entries import CaseState, Entry, Worklist
from .locks import CaseLock

ORDERS = ("name", "teaching")


def in_order(entries, order: str) -> list:
    """The entries by title, or what teaches most first.

    A case teaches much if its image is unlike those of the training, if landmarks break the shape, and
    if the model expects to be far off: in this order. Cases that no model has looked at come after
    those that one has, by title; those that are done come last.
    """
    if order == "name":
        return list(entries)
    return sorted(entries, key=_teaching)


def _teaching(entry: Entry) -> tuple:
    is_done = entry.state is CaseState.DONE
    foreseen = entry.foreseen
    if foreseen is None:
        return is_done, True, False, 0, 0.0
    return is_done, False, not foreseen.unlike, -len(foreseen.odd), -foreseen.largest


def told_reason(entry: Entry) -> str:
    """Why a case teaches much, in words; empty if nothing is known of it."""
    foreseen = entry.foreseen
    if foreseen is None:
        return ""
    reasons = [f"{foreseen.unlike.rstrip('.')}."] if foreseen.unlike else []
    if foreseen.odd:
        reasons.append(f"Unlikely where they are: {', '.join(foreseen.odd)}.")
    if foreseen.largest:
        worst = foreseen.landmarks[
            max(range(len(foreseen.expected)), key=lambda i: foreseen.expected[i] or 0.0)
        ]
        reasons.append(
            f"{worst} may be off by {foreseen.largest:.3g} {foreseen.unit}, by '{foreseen.model}'."
        )
    return " ".join(reasons)


def next_free(entries, left_out=()):
    """The first Entry to be worked on, in the order given: one that is new or detected and that nobody
    has in work; if there is none, one that needs another look. None if there is nothing left to do.

    left_out: names of cases that do not count, those that were just done or passed over.
    """
    free = [each for each in entries if each.is_free and each.case not in left_out]
    free = [each for each in free if each.image is not None or each.revision]
    untouched = (CaseState.NEW, CaseState.DETECTED)
    for states in (untouched, (CaseState.ANOTHER_LOOK,)):
        found = next((each for each in free if each.state in states), None)
        if found is not None:
            return found
    return None


def take_next(worklist: Worklist, order: str, annotator: str, left_out=()):
    """Take what is next_free, before anybody else does: its CaseLock, or None if nothing is left.

    What somebody else has taken or exported since the list was read is passed over.
    """
    left_out = set(left_out)
    while True:
        entry = next_free(in_order(worklist.entries(), order), left_out)
        if entry is None:
            return None
        left_out.add(entry.case)
        try:
            lock = CaseLock.take(worklist.dataset, entry.case, annotator)
        except CaseInWorkError:
            continue
        if lock.revision == entry.revision:
            return lock
        lock.release()
