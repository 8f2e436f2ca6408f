"""Names that make two landmarks of one, or one of two."""

from __future__ import annotations

import re

from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs
from landmark_heatmap.annotation.names import has_unseen_spaces, is_default_label, near
from landmark_heatmap.errors import some

from ..data.names import cases_of_names, spellings
from .finding import NAME, Finding

# A name is rare that no more cases have, and a name common that at least so many have.
_RARE_SHARE, _COMMON_SHARE = 0.1, 0.5
_FEWEST = 3


def find_names(cases) -> list:
    """Findings about the names in the annotations of cases; one for each name."""
    cases_of = cases_of_names(cases)
    findings, told = [], set()
    for pair in spellings(cases):
        (rare, of), (other, others) = sorted(pair, key=lambda each: len(each[1]))
        if rare not in told:
            told.add(rare)
            reason = (
                f"'{rare}' and '{other}' look like one landmark under two names: {len(of)} and"
                f" {len(others)} cases have them."
            )
            findings.append(_finding(reason, of, (rare, other), len(of)))
    for name, of in cases_of.items():
        reason = None if name in told else _odd(name, of, cases_of, len(cases))
        if reason:
            findings.append(_finding(reason, of, (name,), 0))
    return findings


def _finding(reason, of, names, weight) -> Finding:
    where = of[0] if len(of) == 1 else ""
    reason = reason if where else f"{reason} (in {some(of)})"
    return Finding(NAME, reason, where, names, weight=weight)


def _odd(name, of, cases_of, count):
    if is_default_label(name):
        return f"'{name}' is how Slicer names points that nobody named."
    if has_unseen_spaces(name):
        return f"'{name}' has spaces that nobody sees; they are a part of the name."
    if count < _FEWEST:
        return None
    if len(of) <= max(1, _RARE_SHARE * count):
        meant = near(name, _may_be_meant(name, of, cases_of, count))
        if meant:
            which = " or ".join(f"'{other}'" for other in meant)
            return f"'{name}' may be {which}, which {len(cases_of[meant[0]])} cases have."
        if len(of) == 1:
            return f"No other case has '{name}'."
    return None


def _may_be_meant(name, of, cases_of, count) -> list:
    """Common names that the cases with the rare one lack; of another number or side they are others."""
    return [
        other
        for other, others in cases_of.items()
        if len(others) >= _COMMON_SHARE * count
        and not set(of) & set(others)
        and re.findall(r"\d+", other) == re.findall(r"\d+", name)
        and not infer_mirror_pairs([name, other])
    ]
