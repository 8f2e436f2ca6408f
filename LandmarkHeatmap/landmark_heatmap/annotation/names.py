"""Names of landmarks that are meant to be one, and names that nobody chose."""

from __future__ import annotations

import difflib
import re

from ..errors import AnnotationError, quoted

# Names become parts of file names, rows of tables and keys of files.
LONGEST_NAME = 200
# What Slicer calls a point of a list with its own default format: LIST-NUMBER, and a copied or second
# list of the same name is LIST_1.
_DEFAULT_LABEL = re.compile(
    r"(F|P|MarkupsFiducial|MarkupsPoint|PointList|Point)(_\d+)?-(\d+)", re.I
)


def is_default_label(name: str) -> bool:
    """Whether Slicer made the name, as 'F-1', 'F_1-1' and 'MarkupsFiducial-3'."""
    return bool(_DEFAULT_LABEL.fullmatch(name.strip()))


def has_unseen_spaces(name: str) -> bool:
    """Whether there are spaces around it, or several in one place."""
    return name != name.strip() or "  " in name


def key_of(name: str) -> str:
    """What names have in common that differ in capitals, spaces and marks between words alone.

    Of Slicer's default labels it is the number: 'F-1' and 'F_1-1' are first points of two lists.
    """
    found = _DEFAULT_LABEL.fullmatch(name.strip())
    if found:
        return f"default label {int(found[3])}"
    return re.sub(r"[\s_.-]+", " ", name.strip()).casefold()


def near(name: str, others) -> list:
    """Those of the others that may be meant by `name`, the nearest first; at most three."""
    same = [other for other in others if key_of(other) == key_of(name)]
    if same:
        return same[:3]
    keys = {}
    for other in others:
        keys.setdefault(key_of(other), other)
    return [keys[key] for key in difflib.get_close_matches(key_of(name), keys, 3, 0.8)]


def told_near(names, others) -> list:
    """Sentences about names that others may mean: \"'Nasion' may be 'nasion '\"."""
    told = []
    for name in names:
        found = near(name, others)
        if found:
            told.append(f"'{name}' may be {' or '.join(repr(other) for other in found)}")
    return told


def check_name(name: str, where: str = "") -> None:
    """Raises AnnotationError for a landmark's name that no table, file or screen could hold.

    where: what the message begins with.
    """
    if len(name) > LONGEST_NAME:
        raise AnnotationError(
            f"{where}a landmark's name has {len(name)} letters, '{name[:30]}...'; {LONGEST_NAME} are"
            " possible at the most. Put the rest into its definition."
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise AnnotationError(
            f"{where}the landmark's name {quoted(name)} is no Unicode: it has half a character."
        ) from error
