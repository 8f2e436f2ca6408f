"""Names of landmarks that make one into two, or two into one, found before a training starts."""

from __future__ import annotations

from landmark_heatmap.annotation.mirror_pairs import one_sided
from landmark_heatmap.annotation.names import has_unseen_spaces, is_default_label, key_of
from landmark_heatmap.errors import DatasetError, some

# Of a long list, so many are told.
_NAMED = 8


def check_spelling(cases) -> None:
    """That no landmark has one name in some cases and nearly the same in others.

    Two names that one case has are two landmarks. Raises DatasetError that names both, and the cases.
    """
    faults = [
        " and ".join(f"'{name}' ({some(of)})" for name, of in each) for each in spellings(cases)
    ]
    if faults:
        raise DatasetError(
            "These look like one landmark under two names, each of which would be learnt from a part of"
            " the cases:\n  " + "\n  ".join(faults[:_NAMED]) + "\nGive it one name in all cases."
        )


def spellings(cases) -> list:
    """Pairs of names that differ in capitals, spaces and marks alone and that no case has both of; each
    as (name, names of its cases)."""
    cases_of, alike, found = cases_of_names(cases), {}, []
    for name in cases_of:
        alike.setdefault(key_of(name), []).append(name)
    for names in alike.values():
        for index, second in enumerate(names):
            for first in names[:index]:
                if not set(cases_of[first]) & set(cases_of[second]):
                    found.append(tuple((n, cases_of[n]) for n in (first, second)))
    return found


def cases_of_names(cases) -> dict:
    """Of each name the names of the cases that have it."""
    cases_of = {}
    for case in cases:
        for name in case.annotation.names:
            cases_of.setdefault(name, []).append(case.name)
    return cases_of


def suspicions(cases, landmarks) -> list:
    """Sentences about names that are probably not what was meant."""
    cases_of, told = cases_of_names(cases), []
    default = [name for name in landmarks.names if is_default_label(name)]
    if default:
        where = dict.fromkeys(case for name in default for case in cases_of.get(name, ()))
        told.append(
            f"{some(default, True)}: so Slicer names points that nobody named (in {some(where)})."
        )
    spaced = [name for name in landmarks.names if has_unseen_spaces(name)]
    if spaced:
        told.append(f"{some(spaced, True)}: spaces that nobody sees are a part of the name.")
    alone = [name for name in landmarks.names if len(cases_of.get(name, ())) == 1]
    if len(cases) > 2 and alone:
        where = dict.fromkeys(cases_of[name][0] for name in alone)
        told.append(f"{some(alone, True)}: one case alone has it ({some(where)}).")
    sided = one_sided(landmarks.names, landmarks.mirror_pairs)
    if landmarks.mirror_pairs and sided:
        told.append(
            f"{some(sided, True)}: named for a side, and no partner is known; state pairs with --pairs."
        )
    return told
