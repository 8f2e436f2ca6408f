"""From files of any format, and a folder of images, to image + .mrk.json pairs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmark_heatmap.annotations import MARKUPS_SUFFIX, write_annotation
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import new_folder
from landmark_heatmap.geometry import Image
from landmark_heatmap.imageio import image_stem, is_image_file, read_image, write_image
from landmark_heatmap.landmarks import Annotation, Point, PointState

from ..data import check_free
from .marks import Frame2D, Marked
from .tables import is_deeplabcut, read_csv, read_deeplabcut
from .texts import read_isbi, read_nnlandmark, read_slicer, read_tps

WORLD, VOXELS = "world", "voxels"
# nnU-Net ends an image's name with the number of its channel.
_CHANNEL = re.compile(r"(.+)_\d{4}")
ISBI_SPACING_MM = 0.1


@dataclass(frozen=True)
class Format:
    """read: path, names -> Marked images. frame: (unit, origin) where the format defines them, WORLD
    for positions in space, VOXELS for indices into the image, None where the user has to. suffixes:
    of its files. spacing_mm: of its images, where it is known.
    """

    read: object
    frame: object
    suffixes: tuple
    spacing_mm: float = None


FORMATS = {
    "csv": Format(read_csv, None, (".csv",)),
    "deeplabcut": Format(read_deeplabcut, ("px", "top-left"), (".csv",)),
    "tps": Format(read_tps, ("px", "bottom-left"), (".tps",)),
    "isbi": Format(read_isbi, ("px", "top-left"), (".txt",), ISBI_SPACING_MM),
    "nnlandmark": Format(read_nnlandmark, VOXELS, ("all_landmarks_voxel.json",)),
    "slicer": Format(read_slicer, WORLD, (".fcsv", MARKUPS_SUFFIX)),
}


@dataclass(frozen=True)
class ImportJob:
    """What is imported: files, or folders of them. images: a folder, or one image that all files are
    about. output: a new folder.

    format: a name in FORMATS, or None to tell it from the files. unit, origin, spacing_mm: see
    Frame2D, for 2D formats that leave it open. names: the landmarks' names in the order of the
    columns. rows: (first, last) from 1, to import a part. mean: whether several readers' marks of
    an image are averaged.
    """

    files: tuple
    images: Path
    output: Path
    format: str = None
    unit: str = None
    origin: str = None
    spacing_mm: float = None
    names: tuple = None
    rows: tuple = None
    mean: bool = False


def import_cases(job: ImportJob, say=print) -> int:
    """Write the pairs; returns how many.

    Raises DatasetError for a file, a frame or an image that cannot be used, with the place.
    """
    files = _files(job)
    chosen = FORMATS[job.format or _told_format(files)]
    readers = [chosen.read(path, job.names) for path in files]
    frame = _frame(job, chosen)
    if job.images.is_file():
        name = image_stem(job.images)
        readers = [[Marked(name, each.points) for each in reader] for reader in readers]
    marked = _combined(readers, job.mean, say)
    if job.rows is not None:
        marked = marked[job.rows[0] - 1 : job.rows[1]]
    if not marked:
        raise DatasetError(f"There is nothing to import from {', '.join(map(str, files))}.")
    images = _images(job.images, marked)
    check_free(job.output)
    if job.output.exists():
        job.output.rmdir()
    # A bad image is met when it is read: the folder appears whole, or not at all.
    with new_folder(job.output) as temporary:
        for each in tqdm(marked, unit="case", leave=False, disable=None):
            image = read_image(images[each.image])
            if isinstance(frame, Frame2D):
                image = _on_pixels(each, image, frame)
            _write_pair(temporary, each, image, frame)
    return len(marked)


def _files(job: ImportJob) -> list:
    files = []
    suffixes = FORMATS[job.format].suffixes if job.format else _all_suffixes()
    for path in map(Path, job.files):
        if path.is_dir():
            files += sorted(p for p in path.iterdir() if p.name.lower().endswith(suffixes))
        elif path.is_file():
            files.append(path)
        else:
            raise DatasetError(f"There is no file '{path}'.")
    if not files:
        raise DatasetError(f"{', '.join(map(str, job.files))} holds no {' or '.join(suffixes)}.")
    return files


def _all_suffixes() -> tuple:
    return tuple({suffix for each in FORMATS.values() for suffix in each.suffixes})


def _told_format(files) -> str:
    """By what the files unmistakably are. Raises DatasetError where that is open."""
    found = set()
    for path in files:
        fits = [n for n, f in FORMATS.items() if path.name.lower().endswith(f.suffixes)]
        if fits == ["csv", "deeplabcut"]:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()[:4]
            fits = ["deeplabcut" if is_deeplabcut([line.split(",") for line in lines]) else "csv"]
        # Many programs write .txt.
        if len(fits) != 1 or path.suffix.lower() == ".txt":
            raise DatasetError(
                f"What '{path}' is cannot be told from its name; give --format"
                f" {' or '.join(fits or FORMATS)}."
            )
        found.add(fits[0])
    if len(found) > 1:
        raise DatasetError(f"The files are of several formats ({', '.join(sorted(found))}).")
    return found.pop()


def _frame(job: ImportJob, chosen: Format):
    """A Frame2D, WORLD or VOXELS. DatasetError for what is open or contradicts."""
    stated = (job.unit, job.origin)
    if chosen.frame in (WORLD, VOXELS):
        if any(stated) or job.spacing_mm is not None:
            raise DatasetError(
                "These files say where their points are; leave out unit, origin and spacing."
            )
        return chosen.frame
    if chosen.frame is None:
        if None in stated:
            raise DatasetError(
                "A table does not say what its numbers mean: give --unit px or mm, and --origin"
                " top-left or bottom-left."
            )
    elif any(own not in (None, defined) for own, defined in zip(stated, chosen.frame)):
        raise DatasetError(f"This format counts in {chosen.frame[0]} from the {chosen.frame[1]}.")
    return Frame2D(*(chosen.frame or stated), job.spacing_mm or chosen.spacing_mm or 1.0)


def _combined(readers, mean: bool, say) -> list:
    """One Marked an image, in the order of first mention."""
    by_image = {}
    for reader in readers:
        twice = [n for n, count in Counter(m.image for m in reader).items() if count > 1]
        if twice:
            raise DatasetError(f"One file has several rows for {', '.join(twice)}.")
        for each in reader:
            by_image.setdefault(each.image, []).append(each)
    several = [name for name, marks in by_image.items() if len(marks) > 1]
    if several and not mean:
        raise DatasetError(
            f"Several files mark {', '.join(several[:5])}: give --combine mean if they are several"
            " readers' marks."
        )
    apart = {}
    merged = [_mean_of(marks, apart) for marks in by_image.values()]
    if several:
        say("The readers' mean distance from their mean:")
        for name, distances in apart.items():
            say(f"  {name}: {np.mean(distances):.3g} ({len(distances)} marks)")
    return merged


def _mean_of(marks, apart: dict) -> Marked:
    """The mean over the readers who marked a landmark. apart: gets each one's distance from it."""
    names = dict.fromkeys(name for each in marks for name in each.points)
    points = {}
    for name in names:
        placed = [m.points[name] for m in marks if m.points.get(name) is not None]
        points[name] = tuple(np.mean(placed, axis=0)) if placed else None
        if len(placed) > 1:
            distances = np.linalg.norm(np.array(placed) - points[name], axis=1)
            apart.setdefault(name, []).extend(distances.tolist())
    return Marked(marks[0].image, points)


def _images(images: Path, marked) -> dict:
    """Name to path of every image that is marked."""
    if images.is_file():
        return {image_stem(images): images}
    if not images.is_dir():
        raise DatasetError(f"There is no folder '{images}'.")
    wanted, found = {each.image for each in marked}, {}
    for path in sorted(p for p in images.rglob("*") if is_image_file(p)):
        name = image_stem(path)
        channel = _CHANNEL.fullmatch(name)
        if channel and name not in wanted and channel[1] in wanted:
            name = channel[1]
        if name in wanted and name in found:
            raise DatasetError(f"'{found[name]}' and '{path}' have the same name; which is meant?")
        found[name] = path
    missing = sorted(wanted - set(found))
    if missing:
        raise DatasetError(f"'{images}' has no image for {', '.join(missing)}.")
    return found


def _on_pixels(marked: Marked, image: Image, frame: Frame2D) -> Image:
    """The 2D image with the stated spacing, its axes along L and P."""
    if not image.grid.is_2d or image.array.shape[0] != 1:
        raise DatasetError(f"The image of '{marked.image}' is not 2D.")
    spacing = frame.spacing_mm
    return Image(image.array, np.diag([spacing, spacing, 1.0, 1.0]))


def _write_pair(output: Path, marked: Marked, image: Image, frame) -> None:
    height_px = image.array.shape[1]

    def point(value) -> Point:
        if value is None:
            return Point(PointState.UNJUDGED)
        if frame == VOXELS:
            position = image.grid.to_lps(value)
        else:
            position = value if frame == WORLD else frame.to_lps(*value, height_px)
        return Point(PointState.PLACED, tuple(map(float, position)))

    annotation = Annotation({name: point(value) for name, value in marked.points.items()})
    # The annotation comes last: one without its image would be refused.
    write_image(output / f"{marked.image}.nrrd", image)
    write_annotation(output / f"{marked.image}{MARKUPS_SUFFIX}", annotation)
