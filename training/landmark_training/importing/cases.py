"""From what a table says to cases: each row's image found, its points placed, everything checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.annotation.not_marked import convention_outside, half_a_convention
from landmark_heatmap.errors import DatasetError, quoted, some
from landmark_heatmap.images.geometry import MM, Grid, apply_affine
from landmark_heatmap.images.imageio import image_stem, is_image_file
from landmark_heatmap.images.series import find_dicom

from .frames import WorldFrame
from .images import ImageFile, ImageFolder
from .table import Marks, Stated, Table, check_names


@dataclass(frozen=True, eq=False)
class ImportCase:
    """A case as it will be written: its image, unread; the grid it gets; its points in LPS.

    frame: what the numbers were. note: on how the image was
    read, in words. is_size_stated: whether the user, or the table, said how large a pixel is.
    """

    name: str
    image_path: Path
    grid: Grid
    annotation: Annotation
    frame: str
    where: str
    note: str = ""
    is_size_stated: bool = False

    @property
    def inside(self) -> np.ndarray:
        """For each placed point whether it lies in the image."""
        points = self.annotation.points.values()
        placed = [point.position_lps for point in points if point.state is PointState.PLACED]
        return self.grid.contains(np.array(placed).reshape(-1, 3))


def renamed(table: Table, names) -> Table:
    """The table with other names for its landmarks, in the order of its own.

    Raises DatasetError if there are more or fewer, or if one is a landmark's own at another place:
    then the order is not that of the table. (Numbers that a table without names has been given are
    nobody's own.)
    """
    where = table.marks[0].where
    names = check_names(list(names), "The list of names")
    if len(names) != len(table.names):
        raise DatasetError(
            f"{len(names)} names are given for {len(table.names)} landmarks of {where}:"
            f" {', '.join(table.names)}."
        )
    is_numbered = list(table.names) == [str(n) for n in range(1, len(names) + 1)]
    for old, new in zip(table.names, names):
        if new != old and new in table.names and not is_numbered:
            raise DatasetError(
                f"The list of names has '{new}' where {where} has '{old}', and '{new}' stands at"
                " another place there; give the names in the order of the table."
            )
    new_of = dict(zip(table.names, names))
    marks = tuple(
        replace(
            m,
            points={new_of[name]: point for name, point in m.points.items()},
            definitions={new_of[name]: text for name, text in m.definitions.items()},
        )
        for m in table.marks
    )
    return Table(marks, names, table.notes)


def find_cases_of(table: Table, stated: Stated) -> list:
    """The ImportCases of a table; only the headers of the images are read.

    Raises DatasetError for an image that is not found, that two rows name, that has not the
    dimensions of its points, or in which none of them lies.
    """
    found = _found_images(table.marks, stated)
    cases, first = [], {}
    for marks, path in zip(table.marks, found):
        case = _case(marks, ImageFile.read(path), table.names)
        # Some systems take 'A' and 'a' for one file.
        other = first.setdefault(case.name.lower(), case)
        if other is not case:
            raise DatasetError(
                f"{other.where} and {case.where} are both of a case '{case.name}'"
                f" ('{other.image_path}', '{path}'). The image's name is the case's: import them"
                " into separate folders; of one image's several readers with --combine mean."
            )
        cases.append(case)
    return cases


def _found_images(all_marks, stated: Stated) -> list:
    """The path of each image; those that a format itself knows are taken as they are."""
    named = [marks for marks in all_marks if not isinstance(marks.image, Path)]
    found = iter(_images_by_name(named, stated) if named else ())
    return [marks.image if isinstance(marks.image, Path) else next(found) for marks in all_marks]


def _images_by_name(all_marks, stated: Stated) -> list:
    if stated.images is None:
        raise DatasetError(f"{all_marks[0].where}: where are the images? Give --images.")
    is_one_series = stated.images.is_dir() and all_marks[0].is_own_file and len(all_marks) == 1
    is_one_series = is_one_series and bool(find_dicom(stated.images).series)
    if is_one_series or stated.images.is_file() and is_image_file(stated.images):
        if not all(marks.is_own_file for marks in all_marks):
            raise DatasetError(
                f"'{stated.images}' is one image, and {all_marks[0].where} names the image itself;"
                " give the folder of the images."
            )
        return [stated.images] * len(all_marks)
    folder = ImageFolder(stated.images)
    wanted = [_image_name(marks, stated.endings) for marks in all_marks]
    found = [folder.find(name) for name in wanted]
    if None in found:
        missing = [name for name, path in zip(wanted, found) if path is None]
        raise DatasetError(f"'{stated.images}' {_missing(missing, all_marks, stated)}.")
    return found


def _missing(names, all_marks, stated: Stated) -> str:
    """That there are no images of these names, and what may help."""
    named = some(names)
    if all_marks[0].is_own_file and not stated.endings:
        return (
            f"has no image for {named}; state --endings if their names end differently, or give the one"
            " image itself"
        )
    if len(names) == len(all_marks) > 1:
        return (
            f"has none of the {len(names)} images that the table names, {named}. Is it the right folder?"
            " In a .tps images are named by IMAGE= lines, else by ID="
        )
    return f"has no image for {named}"


def _image_name(marks: Marks, endings) -> str:
    if endings is None:
        return marks.image
    of_table, of_image = endings
    if not marks.image.endswith(of_table):
        raise DatasetError(f"{marks.where}: the name does not end in '{of_table}' (--endings).")
    return marks.image[: len(marks.image) - len(of_table)] + of_image


def _case(marks: Marks, image: ImageFile, names) -> ImportCase:
    grid = marks.frame.grid(image)
    points, read_as = {}, {}
    for name in names:
        point = marks.points.get(name, PointState.UNJUDGED)
        definition = marks.definitions.get(name, "")
        if isinstance(point, PointState):
            points[name] = Point(point, definition=definition)
        else:
            position = marks.frame.to_lps(point, grid)
            if marks.frame.is_slicers or marks.frame.is_px:
                brought = grid.ijk_to_lps @ np.linalg.inv(image.grid.ijk_to_lps)
                brought = brought @ image.from_slicer if marks.frame.is_slicers else brought
                position = tuple(apply_affine(brought, position).tolist())
            is_outside = not grid.contains(np.array(position))
            outside = convention_outside(point) if is_outside else None
            half = half_a_convention(point, not isinstance(marks.frame, WorldFrame))
            if is_outside and not outside and half is not None:
                raise DatasetError(
                    f"{marks.where}: landmark '{name}' stands at {quoted(point)}, outside its image;"
                    f" {half:g} means a missing landmark where it is in all places. Leave all of them"
                    " empty, or correct the one."
                )
            if outside:
                points[name], read_as[name] = Point(outside.state, definition=definition), outside
            else:
                points[name] = Point(PointState.PLACED, position, definition=definition)
    case = ImportCase(
        marks.case or image_stem(image.path),
        image.path,
        grid,
        Annotation(points, read_as, grid.unit),
        marks.frame.told,
        marks.where,
        "" if grid.unit == MM != image.grid.unit else image.note,
        image.is_size_stated or grid.unit == MM and not _is_own_size(grid, image),
    )
    if len(case.inside) and not case.inside.any():
        name, point = next((n, p) for n, p in marks.points.items() if isinstance(p, tuple))
        raise DatasetError(
            f"{marks.where}: none of the {len(case.inside)} points lies in '{image.path}'"
            f" ({' x '.join(map(str, grid.size_ijk))}); '{name}' stands at {point}, read as"
            f" {marks.frame.told}. Is that what the numbers are, and is it their image?"
        )
    return case


def _is_own_size(grid: Grid, image: ImageFile) -> bool:
    """Whether the voxels are as large as the file itself says."""
    own = image.grid
    return own.unit == MM and np.allclose(own.spacing_mm, grid.spacing_mm, rtol=1e-6)
