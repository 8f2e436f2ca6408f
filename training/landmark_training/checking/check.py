"""All that looks like a mistake in datasets, the worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import told_readings
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.images.geometry import canonical_grid
from landmark_heatmap.model.model_file import read_description

from ..data.cases import landmark_set_of, stated_set
from ..planning.config import TrainConfig
from .copies import find_copies
from .finding import EXCHANGED, FRAME, MIRRORED, OF_THE_WHOLE, OFF, OUTSIDE, Finding, worst_first
from .frames import find_outside
from .gather import gather
from .names import find_names
from .one_case import Limits
from .shapes import Configurations, find_by_shape


@dataclass(frozen=True)
class Checked:
    """findings: the worst first, one for each fault. notes: sentences about what cannot be told, or was
    read otherwise than it stands there.
    cases: how many could be looked at."""

    findings: tuple
    notes: tuple
    cases: int

    def to_json(self) -> dict:
        found = [each.to_json() for each in self.findings]
        return {"cases": self.cases, "findings": found, "notes": list(self.notes)}


def check(
    folders, model=None, device: str = "auto", pairs=(), midline=(), progress=None
) -> Checked:
    """Look for mistakes in all cases of datasets and folders of pairs. Nothing is changed.

    model: the path of a model; cases that it was trained on are not judged by it. pairs, midline: what
    the user states of left and right. progress: wraps the cases in whatever shows how far it is. Raises
    DatasetError for folders that hold nothing, ModelFileError for a model that cannot be used.
    """
    if model is not None:
        # Without a model neither torch nor psutil is needed: in Slicer there may be none.
        from ..planning.device import device_for

        # What cannot be used is told before all images are read.
        read_description(model)
        device_for(TrainConfig(device=device))
    looked, findings = gather(folders, progress)
    if not looked and not findings:
        raise DatasetError(f"No case in {', '.join(map(str, folders))} can be looked at.")
    found, notes = [], []
    if looked:
        cases = [each.case for each in looked]
        landmarks = landmark_set_of(_readable(folders), cases, pairs, midline)
        found, notes = find_in(looked, landmarks)
        as_placed = told_readings([case.annotation for case in cases], PointState.PLACED)
        notes += [as_placed] if as_placed else []
    if model is not None and looked:
        from .by_model import find_by_model

        off, cannot = find_by_model(model, looked, device, progress)
        found, notes = found + off, notes + cannot
    found = worst_first(one_line_each([*findings, *found]))
    return Checked(tuple(found), tuple(notes), len(looked))


def find_in(looked, landmarks, limits: Limits = None) -> tuple:
    """(Findings, sentences about what cannot be told) of cases beside each other, one for each fault.

    looked: of gather.py. landmarks: the LandmarkSet of all.
    """
    cases = [each.case for each in looked]
    findings = [*find_names(cases), *find_copies(looked), *find_outside(looked, landmarks.names)]
    notes = []
    for group in _alike(looked, findings):
        found, cannot = find_by_shape(configurations(group, landmarks), limits)
        findings += found
        notes += cannot
    return one_line_each(findings), notes


def _readable(folders) -> list:
    """Those whose landmark set, if they state one, can be read; of the others a finding tells."""
    found = []
    for folder in folders:
        try:
            stated_set(Path(folder))
        except LandmarkHeatmapError:
            continue
        found.append(folder)
    return found


def _alike(looked, findings) -> list:
    """The cases in groups of one dimension and unit; told, if they are mixed."""
    groups = {}
    for each in looked:
        groups.setdefault((2 if each.grid.is_2d else 3, each.grid.unit), []).append(each)
    kinds = Counter({kind: len(group) for kind, group in groups.items()}).most_common()
    (dimension, unit), most = kinds[0]
    for kind, _ in kinds[1:]:
        for each in groups[kind]:
            reason = (
                f"Its image is {kind[0]}D, in {kind[1]}; those of {most} others are {dimension}D, in"
                f" {unit}."
            )
            findings.append(Finding(FRAME, reason, each.case.name))
    return list(groups.values())


def configurations(looked, landmarks) -> Configurations:
    """Points from the centre of the image, along its axes as they run closest to L, P, S: where a case
    lies in a scanner's coordinates says nothing."""
    positions = np.array([_in_image(each, landmarks.names) for each in looked])
    twins = tuple((landmarks.index(a), landmarks.index(b)) for a, b in landmarks.mirror_pairs)
    return Configurations(
        *(tuple(each.case.name for each in looked), landmarks.names),
        *(positions, twins, looked[0].grid.unit),
    )


def _in_image(each, names) -> np.ndarray:
    grid = canonical_grid(each.grid)
    u, _, vt = np.linalg.svd(grid.directions)
    centre = grid.to_lps((np.array(grid.size_ijk) - 1) / 2)
    along = (each.case.annotation.positions_lps(names) - centre) @ (u @ vt)
    return along[:, :2] if grid.is_2d else along


def one_line_each(findings) -> list:
    """What is found in several ways is told once, with what else was said of it.

    A case in another frame is told as that alone, whatever follows from it for its points; and a point
    that was exchanged, or lies outside, is not told once more as one that is off.
    """
    whole = {each.case: each.kind for each in reversed(worst_first(findings)) if _is_whole(each)}
    kept, lines_of = {}, {}
    for each in worst_first(findings):
        of_points = each.kind in (EXCHANGED, OUTSIDE, OFF)
        # Of a mirrored case, points are told that are off in its mirror image.
        if of_points and whole.get(each.case, MIRRORED) != MIRRORED:
            continue
        key = ("whole", each.case) if _is_whole(each) else len(kept)
        if of_points:
            points = [(each.case, name) for name in each.landmarks]
            key = next((lines_of[point] for point in points if point in lines_of), key)
            lines_of.update(dict.fromkeys(points, key))
        first = kept.get(key)
        kept[key] = (
            each if first is None else replace(first, reason=f"{first.reason} {each.reason}")
        )
    return list(kept.values())


def _is_whole(finding) -> bool:
    return finding.kind in OF_THE_WHOLE and bool(finding.case)
