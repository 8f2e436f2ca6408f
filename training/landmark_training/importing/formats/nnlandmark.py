"""nnLandmark's dataset folder: nnU-Net's imagesTr with the landmarks of all cases in one JSON file.

`all_landmarks_voxel.json` is {case: {landmark: [i, j, k]}}, voxel indices in the order of NIfTI's
axes, counted from the first voxel's centre; `landmark_coordinates.json` is the same for 2D, [x, y].
Both hold the test cases too: imported are those that have an image in the image folder, imagesTr
unless another is given. `spacing.json` may contradict the image's header about the spacing, and
then the user has to say which is true. The JSON files with one case each are nnLandmark's
predictions, and no labels.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.imageio import image_stem, is_image_file

from ..frames import SPACINGS, VoxelFrame, WorldFrame
from ..table import Marks, Stated, Table, check_names, number_of, read_document
from .keypoints import coco

TAKES = ("unit", "system", "spacing_mm", "spacing_of")
_IN_VOXELS = ("all_landmarks_voxel.json", "landmark_coordinates.json")
_IN_MM = "all_landmarks_mm.json"
# nnU-Net ends the name of an image with the number of its channel.
_CHANNEL = re.compile(r"(.+)_(\d{4})")


def recognises(path: Path) -> bool:
    if path.is_dir():
        return any((path / name).is_file() for name in _IN_VOXELS)
    is_other = path.name.lower().endswith(".mrk.json") or coco.recognises(path)
    return path.suffix.lower() == ".json" and not is_other


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError, naming case and landmark, for what cannot be read or leaves a doubt."""
    file = path
    if path.is_dir():
        file = next((path / name for name in _IN_VOXELS if (path / name).is_file()), None)
        if file is None:
            raise DatasetError(f"'{path}' has no {' and no '.join(_IN_VOXELS)}.")
    in_voxels = _is_in_voxels(file, stated)
    cases = _cases(file)
    images = _images(stated.images or file.parent / "imagesTr")
    unknown = [str(image) for case, image in images.items() if case not in cases]
    if unknown:
        raise DatasetError(f"'{file}' has no landmarks for {', '.join(unknown)}.")
    spacings = _spacings(file.parent / "spacing.json")
    names = dict.fromkeys(name for case in images for name in cases[case])
    marks = []
    for case, image in images.items():
        where = f"'{file}', case '{case}'"
        points = {n: _point(values, where, n) for n, values in cases[case].items()}
        frame = _frame(points, in_voxels, spacings.get(case, {}), stated, where)
        marks.append(Marks(image, points, frame, where, case))
    left = len(cases) - len(images)
    notes = (f"'{file}': {left} cases have no image in the image folder.",) if left else ()
    return Table(tuple(marks), check_names(list(names), f"'{file}'"), notes)


def _is_in_voxels(file: Path, stated: Stated) -> bool:
    """Told by the file's name; of a file with another name by the user."""
    unit = "px" if file.name in _IN_VOXELS else "mm" if file.name == _IN_MM else stated.unit
    if unit is None or stated.unit not in (None, unit):
        raise DatasetError(
            f"'{file}' is {'in ' + unit if unit else 'in voxels or in mm'}, and --unit says"
            f" {stated.unit or 'nothing'}; state --unit px for voxel indices, --unit mm for"
            " positions in the world."
        )
    if (unit == "mm") != (stated.system is not None):
        raise DatasetError(
            f"'{file}' is in mm of which world? State --system RAS or LPS."
            if unit == "mm"
            else f"'{file}' is in voxels, which lie in no world; leave --system out."
        )
    return unit == "px"


def _frame(points: dict, in_voxels: bool, spacing: dict, stated: Stated, where: str):
    lengths = {len(point) for point in points.values() if isinstance(point, tuple)}
    if len(lengths) > 1:
        raise DatasetError(f"{where}: some landmarks have 2 numbers and some 3.")
    if not in_voxels:
        if lengths == {2}:
            raise DatasetError(f"{where}: landmarks in mm need 3 numbers, and have 2.")
        return WorldFrame(stated.system, spacing_mm=stated.spacing_mm)
    axes = 2 if lengths == {2} else 3
    if stated.spacing_mm is not None:
        return VoxelFrame(axes, None, (stated.spacing_mm,) * axes, "annotation")
    said = [_spacing(spacing, of, axes, where) for of in SPACINGS]
    return VoxelFrame(axes, *said, stated.spacing_of)


def _spacing(spacing: dict, of: str, axes: int, where: str):
    """What spacing.json says 'of' image or annotation: one number, a list, or None for nothing."""
    values = spacing.get(f"{of}_spacing")
    if values is None:
        return None
    listed = values if isinstance(values, list) else [values] * axes
    numbers = tuple(number_of(str(value)) for value in listed)
    if len(numbers) != axes or not all(n is not None and n > 0 for n in numbers):
        raise DatasetError(
            f"{where}: spacing.json has the {of}_spacing {json.dumps(values)}; it has to be {axes}"
            " positive numbers."
        )
    return numbers


def _point(values, where: str, name: str):
    if isinstance(values, list) and values and all(value is None for value in values):
        return PointState.UNJUDGED
    numbers = [number_of(str(v)) for v in values] if isinstance(values, list) else []
    if len(numbers) not in (2, 3) or None in numbers:
        raise DatasetError(
            f"{where}: landmark '{name}' is {json.dumps(values)[:80]}; it has to be a list of 2 or 3"
            " numbers."
        )
    return tuple(numbers)


def _cases(file: Path) -> dict:
    """{case: {landmark: what the file has for it}}."""
    cases = _json(file)
    has_likelihood = any(isinstance(c, dict) and "likelihood" in c for c in cases.values())
    if has_likelihood or file.name.startswith("prediction_"):
        raise DatasetError(
            f"'{file}' is what nnLandmark predicted, and no label; import {_IN_VOXELS[0]}."
        )
    wrong = [name for name, case in cases.items() if not isinstance(case, dict)]
    if wrong or not cases:
        raise DatasetError(
            f"'{file}' has to be {{case: {{landmark: [i, j, k]}}}}"
            + (f", and '{wrong[0]}' is no such case." if wrong else ", and is empty.")
        )
    return cases


def _json(file: Path) -> dict:
    document = read_document(file)
    if not isinstance(document, dict):
        raise DatasetError(f"'{file}' is no JSON object.")
    return document


def _spacings(file: Path) -> dict:
    """{case: {'image_spacing': ..., 'annotation_spacing': ...}}, empty without the file."""
    spacings = _json(file) if file.is_file() else {}
    return {case: entry for case, entry in spacings.items() if isinstance(entry, dict)}


def _images(folder: Path) -> dict:
    """{case: its image}. Raises DatasetError for a case of several channels, or a folder of none."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder '{folder}' for the images; give it by --images.")
    images = {}
    for path in sorted(p for p in folder.iterdir() if is_image_file(p)):
        channel = _CHANNEL.fullmatch(image_stem(path))
        case = channel[1] if channel else image_stem(path)
        if case in images:
            raise DatasetError(
                f"'{images[case]}' and '{path}' are of one case; copy the channel to learn from to a"
                " folder of its own, and give that by --images."
            )
        images[case] = path
    if not images:
        raise DatasetError(f"'{folder}' has no images.")
    return images
