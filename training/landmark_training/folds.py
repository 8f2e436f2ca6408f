"""How cases are divided for a cross-validation: by patient, evenly, the same way every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmark_heatmap.errors import DatasetError

from .importing.table import csv_rows, place

_HEADER = ["case", "group"]


def read_groups(path, names) -> dict:
    """Case name to its group (its patient), from a csv file with the header case,group.

    Raises DatasetError unless it names each of `names` once, and nothing else.
    """
    path = Path(path)
    (_, header), *rows = csv_rows(path)
    if [cell.lower() for cell in header] != _HEADER:
        raise DatasetError(
            f"'{path}' begins with '{','.join(header)}'; its first line has to be case,group."
        )
    groups = {}
    for line, cells in rows:
        if len(cells) != 2 or not all(cells):
            raise DatasetError(
                f"{place(path, line)}: '{','.join(cells)}' is no case and its group."
            )
        if cells[0] in groups:
            raise DatasetError(f"{place(path, line)}: the case '{cells[0]}' comes twice.")
        groups[cells[0]] = cells[1]
    wrong = [
        f"{words} {', '.join(sorted(missing))}"
        for missing, words in (
            (set(names) - set(groups), "has no group for"),
            (set(groups) - set(names), "names cases that are not there:"),
        )
        if missing
    ]
    if wrong:
        raise DatasetError(f"'{path}' {'; it '.join(wrong)}.")
    return groups


def divide(groups: dict, folds: int, seed: int) -> list:
    """The names of each fold's cases; those of one group are in one fold, and folds of like size.

    groups: case name to group. Raises DatasetError for fewer than two folds, or more than groups.
    """
    members = {}
    for name in sorted(groups):
        members.setdefault(groups[name], []).append(name)
    if not 2 <= folds <= len(members):
        possible = (
            f"from 2 to {len(members)}" if len(members) > 1 else "there have to be two groups"
        )
        raise DatasetError(
            f"{folds} fold{'s' * (folds != 1)} of {len(members)} group{'s' * (len(members) != 1)}"
            f" are not possible: {possible}."
        )
    order = np.random.default_rng(seed).permutation(len(members))
    shuffled = [list(members.values())[i] for i in order]
    divided = [[] for _ in range(folds)]
    # The largest groups first, each to the fold that has least: as even as that makes them.
    for cases in sorted(shuffled, key=len, reverse=True):
        min(divided, key=len).extend(cases)
    return [sorted(each) for each in divided]
