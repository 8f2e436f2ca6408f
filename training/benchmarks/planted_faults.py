"""Faults planted into real annotations, and how many `landmark-train check` finds.

    python training/benchmarks/planted_faults.py NAME=FOLDER ... --output DIR [--trials 10] [--choose]

A trial plants faults in a case each, at random, of one kind after the other. Half of each set's
cases serve to choose the limits (--choose: a table of several limits), the other half makes the
table: faults are planted in that half alone, and only what is found there counts. All cases serve as
the others beside which a case is looked at. Writes DIR/table.md and DIR/figures.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.files import replacing, write_json
from landmark_heatmap.images.geometry import RAS_TO_LPS, apply_affine
from landmark_training.checking import shapes
from landmark_training.checking.check import find_in
from landmark_training.checking.finding import EXCHANGED, OF_THE_WHOLE, OFF, OUTSIDE
from landmark_training.checking.gather import gather
from landmark_training.checking.one_case import Limits
from landmark_training.data.cases import landmark_set_of

LEFT_RIGHT, LABELS = "left and right of a pair", "two labels exchanged"
MIRROR, FRAME, SIDES = "whole case mirrored", "another frame", "left and right of all pairs"
SHIFT, SHIFT_OF_SIZE = "a point shifted by 10 voxels", "a point shifted by 5 % of the size"
KINDS = (LEFT_RIGHT, LABELS, SHIFT, SHIFT_OF_SIZE, MIRROR, SIDES, FRAME)
_VOXELS, _SHARE = 10.0, 0.05
# At most one case in so many is wrong.
_CASES_A_FAULT = 8
# Around the defaults.
TRIED = [Limits(off=off) for off in (2.0, 3.0, 4.5)]
TRIED += [Limits(exchanged=fall) for fall in (3.0, 6.0, 9.0)]
TRIED += [Limits(mirrored_each=each) for each in (0.25, 1.0)]


@dataclass(frozen=True)
class Planted:
    kind: str
    case: str
    landmarks: tuple = ()

    def is_told_by(self, finding) -> bool:
        """As what it is, and of nothing else."""
        if finding.case != self.case:
            return False
        if self.kind in (MIRROR, SIDES, FRAME):
            return finding.kind in OF_THE_WHOLE
        if self.kind in (LEFT_RIGHT, LABELS):
            return finding.kind == EXCHANGED and set(finding.landmarks) == set(self.landmarks)
        return finding.kind in (OFF, OUTSIDE) and self.landmarks[0] in finding.landmarks

    def is_noticed_by(self, finding) -> bool:
        """That a person who follows the finding would come upon it."""
        of_it = not self.landmarks or not finding.landmarks
        return finding.case == self.case and (
            of_it or bool(set(self.landmarks) & set(finding.landmarks))
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--choose", action="store_true", help="several limits, on the first half")
    options = parser.parse_args()
    sets = [text.split("=", 1) for text in options.sets]
    tried = TRIED if options.choose else [Limits()]
    shapes.fit_joint_shape = _remembering(shapes.fit_joint_shape)
    figures = []
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        for name, folder in sets:
            looked, _ = gather([folder], tqdm)
            landmarks = landmark_set_of([folder], [each.case for each in looked])
            half = _half(looked, first=options.choose)
            for trial in tqdm(range(-1, options.trials), desc=name):
                for limits in tried:
                    seed = trial + (1000 if options.choose else 0)
                    found = _trial(looked, landmarks, half, limits, None if trial < 0 else seed)
                    figures.append({"set": name, "limits": str(limits), **found})
    except LandmarkHeatmapError as error:
        print(f"planted_faults: {error}", file=sys.stderr)
        return 2
    write_json(options.output / "figures.json", figures)
    text = choices(figures, tried) if options.choose else table(figures)
    with replacing(options.output / "table.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def _remembering(fit):
    """The same shapes are needed under several limits."""
    known = {}

    def remembered(positions):
        key = positions.shape, positions.tobytes()
        if key not in known:
            if len(known) > 60:
                known.clear()
            known[key] = fit(positions)
        return known[key]

    return remembered


def _half(looked, first: bool) -> list:
    order = np.random.default_rng(0).permutation(len(looked))
    middle = len(looked) // 2
    return sorted((order[:middle] if first else order[middle:]).tolist())


def _trial(looked, landmarks, half, limits, seed) -> dict:
    """seed: None plants nothing."""
    looked, planted = list(looked), []
    if seed is not None:
        rng = np.random.default_rng(seed)
        kinds = [kind for kind in KINDS if _is_possible(kind, looked[0], landmarks)]
        # Few at a time: a set of which half is wrong is another question.
        count = max(1, len(looked) // _CASES_A_FAULT)
        kinds = [
            kinds[(seed * count + index) % len(kinds)] for index in range(min(count, len(kinds)))
        ]
        for kind, n in zip(kinds, rng.permutation(half)):
            looked[n], fault = plant(kind, looked[n], landmarks, rng)
            planted.append(fault)
    findings, _ = find_in(looked, landmarks, limits)
    mine = {looked[n].case.name for n in half}
    findings = [each for each in findings if each.case in mine]
    right = [each for each in findings if any(p.is_told_by(each) for p in planted)]
    return {
        "planted": [p.kind for p in planted],
        "told": [any(p.is_told_by(each) for each in findings) for p in planted],
        "noticed": [any(p.is_noticed_by(each) for each in findings) for p in planted],
        "right": len(right),
        "findings": [[each.kind, each.case, list(each.landmarks)] for each in findings],
    }


def _is_possible(kind, looked, landmarks) -> bool:
    return kind not in (LEFT_RIGHT, SIDES) or bool(landmarks.mirror_pairs)


def plant(kind: str, looked, landmarks, rng) -> tuple:
    """(the case with the fault, the Planted)."""
    annotation, grid = looked.case.annotation, looked.grid
    if kind == SIDES:
        # Who takes left for right does so in all names, those without the other side included.
        other = dict(each for a, b in landmarks.mirror_pairs for each in ((a, b), (b, a)))
        points = {other.get(name, name): point for name, point in annotation.points.items()}
        case = replace(looked.case, annotation=replace(annotation, points=points))
        return replace(looked, case=case), Planted(kind, case.name)
    placed = [n for n in landmarks.names if annotation.position_lps(n) is not None]
    placed = [n for n in placed if grid.contains(annotation.position_lps(n))]
    at = {n: annotation.position_lps(n) for n in annotation.names}
    at = {n: position for n, position in at.items() if position is not None}
    which = ()
    if kind == LEFT_RIGHT:
        pairs = [pair for pair in landmarks.mirror_pairs if set(pair) <= set(placed)]
        a, b = which = pairs[rng.integers(len(pairs))]
        at[a], at[b] = at[b], at[a]
    elif kind == LABELS:
        a, b = which = tuple(rng.choice(placed, 2, replace=False).tolist())
        at[a], at[b] = at[b], at[a]
    elif kind in (SHIFT, SHIFT_OF_SIZE):
        which = (str(rng.choice(placed)),)
        direction = rng.normal(size=3) * (np.array(grid.size_ijk) > 1)
        step = grid.directions @ (direction / np.linalg.norm(direction))
        points = np.array([at[n] for n in placed])
        size = np.linalg.norm(np.ptp(points, axis=0))
        at[which[0]] = at[which[0]] + step * (
            _SHARE * size if kind == SHIFT_OF_SIZE else _VOXELS * np.median(grid.spacing_mm)
        )
    elif kind == FRAME and not grid.is_2d:
        at = {n: apply_affine(RAS_TO_LPS, position) for n, position in at.items()}
    else:
        # From the other side, as a y that is counted from the bottom: the first axis, or the second.
        axis = 1 if kind == FRAME else 0
        ijk = {n: grid.to_ijk(position) for n, position in at.items()}
        for position in ijk.values():
            position[axis] = grid.size_ijk[axis] - 1 - position[axis]
        at = {n: grid.to_lps(position) for n, position in ijk.items()}
    points = {
        n: replace(point, position_lps=tuple(at[n])) if n in at else point
        for n, point in annotation.points.items()
    }
    case = replace(looked.case, annotation=replace(annotation, points=points))
    return replace(looked, case=case), Planted(kind, case.name, which)


def table(figures) -> str:
    rows = [["set", "fault", "planted", "told as what it is", "noticed"]]
    for name in dict.fromkeys(each["set"] for each in figures):
        mine = [each for each in figures if each["set"] == name]
        for kind, (count, told, noticed) in _by_kind(mine).items():
            rows.append([name, kind, str(count), _share(told, count), _share(noticed, count)])
    lines = _lines(rows)
    rows = [["set", "findings", "right", "precision", "without those below", "untouched: findings"]]
    for name in dict.fromkeys(each["set"] for each in figures):
        mine = [each for each in figures if each["set"] == name]
        untouched = [each for each in mine if not each["planted"]]
        trials = [each for each in mine if each["planted"]]
        known = untouched[0]["findings"]
        found = sum(len(each["findings"]) for each in trials)
        right = sum(each["right"] for each in trials)
        new = sum(f not in known for each in trials for f in each["findings"])
        counts = Counter(f[0] for f in known)
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
        rows.append(
            [name, str(found), str(right), _share(right, found), _share(min(right, new), new), told]
        )
    return "\n".join([*lines, "", *_lines(rows)])


def choices(figures, tried) -> str:
    rows = [["limits", "told", "precision", "untouched: findings"]]
    for limits in map(str, tried):
        mine = [each for each in figures if each["limits"] == limits]
        told = [told for each in mine for told in each["told"]]
        found = sum(len(each["findings"]) for each in mine if each["planted"])
        right = sum(each["right"] for each in mine)
        alarms = sum(len(each["findings"]) for each in mine if not each["planted"])
        rows.append([limits, _share(sum(told), len(told)), _share(right, found), str(alarms)])
    return "\n".join(_lines(rows))


def _by_kind(figures) -> dict:
    counts = defaultdict(lambda: np.zeros(3, int))
    for each in figures:
        for kind, told, noticed in zip(each["planted"], each["told"], each["noticed"]):
            counts[kind] += (1, told, noticed)
    return {kind: counts[kind].tolist() for kind in KINDS if kind in counts}


def _share(part, whole) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _lines(rows) -> list:
    first, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [first, "|" + "---|" * len(rows[0]), *rest]


if __name__ == "__main__":
    sys.exit(main())
