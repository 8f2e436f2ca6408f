"""Configurations of points without images: read, made complete, mixed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX, read_annotation
from landmark_heatmap.annotation.landmarks import Annotation
from landmark_heatmap.annotation.not_marked import without_predictions
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model.pose import rotation_onto

from .spline import least_squares_affine, through_affine

ENDINGS = (".fcsv", MARKUPS_SUFFIX, ".csv")
# An affine map has as many unknowns as four points in space; with a few more it tells what is off.
_FEWEST = 6


@dataclass(frozen=True, eq=False)
class Configuration:
    """name: of its file. positions: (L, 3), mm in LPS; filled: names of the landmarks that the file
    lacks or has far from where the others say, put where the others say. annotation: what was read."""

    name: str
    positions: np.ndarray
    filled: tuple = ()
    annotation: Annotation = None


def read_configurations(paths, names, template, off_mm: float) -> list:
    """The configurations in files and folders of files, in the order of `names`.

    template: (L, 3), where the landmarks are in an annotated image; by its affine image in each
    configuration what is missing is filled, and what is more than `off_mm` from it replaced. Raises
    DatasetError for a file that has too few of the landmarks, AnnotationError for one that is none.
    """
    files = _files(paths)
    found, stems = [], [_stem(path) for path in files]
    for path, stem in zip(files, stems):
        if stems.count(stem) > 1:
            stem = f"{path.parent.name}-{stem}"
        found.append(_read(path, stem, names, template, off_mm))
    return found


def _files(paths) -> list:
    files = []
    for path in map(Path, paths):
        if not path.exists():
            raise DatasetError(f"There is no '{path}'.")
        below = sorted(path.iterdir()) if path.is_dir() else [path]
        wanted = [each for each in below if each.name.lower().endswith(ENDINGS)]
        if not wanted:
            raise DatasetError(f"'{path}' holds no points: no file ends in {', '.join(ENDINGS)}.")
        files += wanted
    return files


def _stem(path: Path) -> str:
    ending = next(end for end in ENDINGS if path.name.lower().endswith(end))
    return path.name[: -len(ending)]


def _read(path: Path, stem: str, names, template, off_mm: float) -> Configuration:
    annotation = without_predictions(read_annotation(path))
    positions = annotation.positions_lps(names)
    known = np.isfinite(positions).all(1)
    if known.sum() < _FEWEST:
        has = ", ".join(annotation.names[:5])
        raise DatasetError(
            f"'{path}' places {known.sum()} of the {len(names)} landmarks that the images have"
            f" ({', '.join(names[:5])} ...), and {_FEWEST} are the fewest; it has {has} ..."
        )
    while True:
        affine = least_squares_affine(template[known], positions[known])
        told = through_affine(affine, template)
        off = np.where(known, np.linalg.norm(positions - told, axis=1), 0)
        worst = int(np.argmax(off))
        if off[worst] <= off_mm or known.sum() <= _FEWEST:
            break
        known[worst] = False
    filled = tuple(name for name, is_known in zip(names, known) if not is_known)
    return Configuration(stem, np.where(known[:, None], positions, told), filled, annotation)


def mixed(one: Configuration, other: Configuration, share: float) -> np.ndarray:
    """(L, 3): `share` of the other in one, as large as both together ask for, in the pose of one."""
    centre, centre_of_other = one.positions.mean(0), other.positions.mean(0)
    first, second = one.positions - centre, other.positions - centre_of_other
    second = second @ rotation_onto(second, first).T
    return centre + (1 - share) * first + share * second
