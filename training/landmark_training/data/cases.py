"""Cases to train on: found in dataset folders and in folders of image + .mrk.json pairs, checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import (
    MARKUPS_SUFFIX,
    read_annotation,
    without_zeros,
)
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.mirror_pairs import infer_mirror_pairs
from landmark_heatmap.annotation.names import near
from landmark_heatmap.annotation.not_marked import convention_outside
from landmark_heatmap.annotation.on_image import on_image
from landmark_heatmap.annotation.sets.set_file import read_set
from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.dataset.folder import is_dataset, read_landmark_set
from landmark_heatmap.errors import AnnotationError, DatasetError, ImageFileError
from landmark_heatmap.images import identity
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.images.imageio import image_stem, is_image_file, read_image

# What an import knows of left and right, beside the images that it wrote.
LANDMARK_SET_FILE = "landmark-set.json"


@dataclass(frozen=True)
class Case:
    """One image with what is known of its landmarks. corrected: names of those a person moved.
    confirmed, model: see StoredCase."""

    name: str
    image_path: Path
    annotation: Annotation
    corrected: frozenset = frozenset()
    confirmed: frozenset = frozenset()
    model: str = ""


def image_id(path) -> str:
    """Which image it is, and not its name, which may say who it is: a digest of its voxels."""
    return identity.image_id(read_image(path))


def find_cases(folders) -> list:
    """All cases below the folders: dataset folders by their newest revisions, others as pairs.

    A pair is an image and a .mrk.json of the same name, anywhere below the folder ('images/a.nii.gz'
    and 'landmarks/a.mrk.json' too). Raises DatasetError if there is none, or a pair is incomplete.
    """
    cases = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DatasetError(f"There is no folder '{folder}'.")
        found = dataset_cases(folder) if is_dataset(folder) else _pairs(folder)
        if not found:
            raise DatasetError(f"'{folder}' holds no case: no image with its {MARKUPS_SUFFIX}.")
        cases += found
    return without_unplaced(cases)


def without_unplaced(cases) -> list:
    """The same cases without the points that a program wrote at zero for not placed."""
    # Whether a zero is a point can be told only from where the landmark lies in the other images.
    annotations = without_zeros([case.annotation for case in cases])
    return [replace(case, annotation=a) for case, a in zip(cases, annotations)]


def images_without_annotation(folders) -> list:
    """The paths of images below folders of pairs that no .mrk.json belongs to."""
    lonely = []
    for folder in map(Path, folders):
        if not is_dataset(folder):
            files = folder.rglob("*" + MARKUPS_SUFFIX)
            stems = {path.name[: -len(MARKUPS_SUFFIX)] for path in files}
            images = sorted(path for path in folder.rglob("*") if is_image_file(path))
            lonely += [path for path in images if image_stem(path) not in stems]
    return lonely


def dataset_cases(folder: Path, skip_unusable: bool = False) -> list:
    found = read_cases(folder, skip_unusable)
    return [
        Case(c.name, c.image_path, c.annotation, c.corrected, c.confirmed, c.model) for c in found
    ]


def _pairs(folder: Path) -> list:
    paths, faults = pair_paths(folder)
    for fault in faults:
        raise DatasetError(fault)
    return [read_pair(*each) for each in paths]


def pair_paths(folder: Path) -> tuple:
    """([(name, image, annotation)], sentences about what makes no pair) below a folder of pairs."""
    images, pairs, seen, faults = {}, [], {}, []
    for path in sorted(p for p in folder.rglob("*") if is_image_file(p)):
        other = images.setdefault(image_stem(path), path)
        if other != path:
            faults.append(f"'{other}' and '{path}' have the same name; which one is meant?")
    for path in sorted(folder.rglob("*" + MARKUPS_SUFFIX)):
        stem = path.name[: -len(MARKUPS_SUFFIX)]
        if stem in seen:
            faults.append(f"'{seen[stem]}' and '{path}' annotate the same image.")
            continue
        seen[stem] = path
        if stem not in images:
            faults.append(f"'{path}' has no image of the same name below '{folder}'.")
        else:
            pairs.append((stem, images[stem], path))
    return pairs, faults


def read_pair(name: str, image: Path, annotation: Path) -> Case:
    return Case(name, image, _annotation(annotation, image))


def _annotation(path: Path, image: Path) -> Annotation:
    annotation = read_annotation(path)
    try:
        return on_image(annotation, image)
    except ImageFileError:
        # It is told of, with all others, when the images are read.
        return annotation


def told_apart(cases) -> list:
    """Cases with names of their own.

    Two datasets may each have a case of the same name: the second becomes 'name (2)'.
    """
    seen, named = Counter(), []
    for case in cases:
        seen[case.name] += 1
        number = seen[case.name]
        named.append(case if number == 1 else replace(case, name=f"{case.name} ({number})"))
    return named


def landmark_set_of(folders, cases, pairs=(), midline=()) -> LandmarkSet:
    """The landmarks that the cases name, in the order of first mention, with their definitions.

    pairs, midline: what the user states of left and right. What is not stated there, datasets and
    imported folders state of their sets; the rest is told from the names.
    """
    definitions, mirror_pairs, midline = {}, [tuple(pair) for pair in pairs], list(midline)
    for folder in map(Path, folders):
        landmarks = stated_set(folder)
        if landmarks is None:
            continue
        if is_dataset(folder):
            definitions.update({m.name: m.definition for m in landmarks.landmarks})
        known = {name for pair in mirror_pairs for name in pair} | set(midline)
        mirror_pairs += [p for p in landmarks.mirror_pairs if not known & set(p)]
        known |= {name for pair in mirror_pairs for name in pair}
        midline += [name for name in landmarks.midline if name not in known]
    for case in cases:
        for name, point in case.annotation.points.items():
            definitions[name] = definitions.get(name) or point.definition
    check_stated(pairs, midline, definitions)
    mirror_pairs = [pair for pair in mirror_pairs if set(pair) <= set(definitions)]
    known = {name for pair in mirror_pairs for name in pair} | set(midline)
    inferred = infer_mirror_pairs([name for name in definitions if name not in known])
    marks = tuple(Landmark(name, text) for name, text in definitions.items())
    on_midline = tuple(name for name in midline if name in definitions)
    return LandmarkSet(marks, (*mirror_pairs, *inferred), midline=on_midline)


def with_stated(landmarks: LandmarkSet, pairs=(), midline=()) -> LandmarkSet:
    """The set of a model to go on from, with what the user states of left and right.

    Raises DatasetError for a landmark that it has not.
    """
    if not pairs and not midline:
        return landmarks
    check_stated(pairs, midline, landmarks.names)
    stated = {name for pair in pairs for name in pair} | set(midline)
    kept = tuple(pair for pair in landmarks.mirror_pairs if not stated & set(pair))
    on_midline = tuple(name for name in landmarks.midline if name not in stated)
    return replace(landmarks, mirror_pairs=(*pairs, *kept), midline=(*midline, *on_midline))


def stated_set(folder: Path):
    """The landmark set that a folder states: a dataset's, or what an import left; None for neither."""
    if is_dataset(folder):
        return read_landmark_set(folder)
    path = folder / LANDMARK_SET_FILE
    if not path.is_file():
        return None
    try:
        return read_set(path)
    except AnnotationError as error:
        raise DatasetError(str(error)) from error


def check_stated(pairs, midline, definitions) -> None:
    """That what the user states is of landmarks that there are."""
    for name in (*(name for pair in pairs for name in pair), *midline):
        if name not in definitions:
            meant = near(name, definitions)
            raise DatasetError(
                f"The pairs name '{name}', which is none of the landmarks"
                + (f"; is it {' or '.join(repr(each) for each in meant)}?" if meant else ".")
            )


def defined_by(landmarks: LandmarkSet, folders) -> LandmarkSet:
    """The same landmarks with the measurements and the skeleton that the folders state of them."""
    for folder in map(Path, folders):
        stated = stated_set(folder)
        if stated is not None:
            landmarks = landmarks.with_definitions(stated.to_json())
    return landmarks


def label_of(case_annotation: Annotation, grid: Grid) -> Annotation:
    """What a case teaches: placed points in the image, absent ones; everything else is unknown.

    A point that was placed outside the image is one that is absent from it, unless its numbers are how
    programs write that it was not placed. A prediction that nobody judged is no label.
    """
    points = {}
    for name, point in case_annotation.points.items():
        if point.state is PointState.PLACED:
            inside = bool(grid.contains(np.array(point.position_lps)))
            if inside:
                points[name] = point
            elif convention_outside(point.position_lps) is None:
                points[name] = Point(PointState.ABSENT)
        elif point.state is PointState.ABSENT:
            points[name] = point
    return Annotation(points, unit=grid.unit)


def without_never_placed(landmarks: LandmarkSet, annotations) -> tuple:
    """(the set less the landmarks that no case places, their names). DatasetError if none is left."""
    placed = {name for a in annotations for name in a.names if a.state(name) is PointState.PLACED}
    dropped = tuple(name for name in landmarks.names if name not in placed)
    kept = tuple(m for m in landmarks.landmarks if m.name in placed)
    if not kept:
        raise DatasetError("No case has a landmark that a person placed inside its image.")
    pairs = tuple(p for p in landmarks.mirror_pairs if set(p) <= placed)
    midline = tuple(name for name in landmarks.midline if name in placed)
    return LandmarkSet(kept, pairs, landmarks.name, midline), dropped


def split_cases(names, share: float, seed: int, held_out: str = None) -> tuple:
    """Indices (training, validation) of the cases called `names`: shuffled, or those held out whose
    names match the pattern `held_out` ('validation-*').

    Fewer than five cases are all needed for training. Raises DatasetError for a pattern that leaves
    none on either side.
    """
    if held_out is not None:
        judging = [i for i, name in enumerate(names) if fnmatchcase(name, held_out)]
        if len(judging) in (0, len(names)):
            raise DatasetError(
                f"held_out is '{held_out}'; {'all' if judging else 'none'} of the {len(names)} cases are"
                f" called so ({', '.join(names[:3])} ...)."
            )
        return [i for i in range(len(names)) if i not in judging], judging
    order = np.random.default_rng(seed).permutation(len(names))
    held = max(1, round(len(names) * share)) if share > 0 and len(names) >= 5 else 0
    return sorted(order[held:].tolist()), sorted(order[:held].tolist())
