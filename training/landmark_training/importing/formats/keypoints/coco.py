"""COCO key points, a JSON file: pixels from the top left, three numbers a point, the last its visibility.

Visibility 0 is a point that was not labelled; 1 is hidden behind something, and placed all the same.
"""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.not_marked import Convention
from landmark_heatmap.errors import DatasetError

from ...frames import defined_frame
from ...table import Marks, Stated, Table, check_names, finite, read_document

TAKES = ("unit", "origin", "spacing_mm")
_PARTS = ("images", "annotations", "categories")


def recognises(path: Path) -> bool:
    """A .json with COCO's three lists. Whatever else it is, other formats say."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    try:
        document = read_document(path)
    except DatasetError:
        return False
    return isinstance(document, dict) and all(isinstance(document.get(p), list) for p in _PARTS)


def read(path: Path, stated: Stated) -> Table:
    """Raises DatasetError for an image with several objects, and for a point that is not whole."""
    if not recognises(path):
        raise DatasetError(f"'{path}' is no COCO file: it needs the lists {', '.join(_PARTS)}.")
    document = read_document(path)
    frame = defined_frame("COCO", stated)
    try:
        images = {image["id"]: str(image["file_name"]) for image in document["images"]}
        names_of = {c["id"]: c["keypoints"] for c in document["categories"] if c.get("keypoints")}
        with_points = [a for a in document["annotations"] if a.get("keypoints")]
        marks = [_marks(path, each, images, names_of, frame) for each in with_points]
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"'{path}' is no COCO file of key points ({error!r}).") from error
    if not marks:
        raise DatasetError(f"'{path}' has no annotation with key points.")
    seen = set()
    for each in marks:
        if each.image in seen:
            raise DatasetError(
                f"'{path}': '{each.image}' has several objects with key points; a landmark can stand"
                " in an image once. Cut the objects out, an image each."
            )
        seen.add(each.image)
    names = dict.fromkeys(name for each in marks for name in each.points)
    left = len(images) - len(marks)
    notes = (f"'{path}': {left} images without key points are left out.",) if left else ()
    return Table(tuple(marks), check_names(list(names), f"'{path}'"), notes)


def _marks(path: Path, annotation: dict, images: dict, names_of: dict, frame) -> Marks:
    image = images[annotation["image_id"]]
    where, values = f"'{path}', '{image}'", annotation["keypoints"]
    names = names_of.get(annotation.get("category_id")) or []
    if len(values) != 3 * len(names):
        raise DatasetError(
            f"{where}: {len(values)} numbers for {len(names)} key points; each has x, y and visibility."
        )
    points, read_as = {}, {}
    for at, name in enumerate(map(str, names)):
        *point, visibility = values[3 * at : 3 * at + 3]
        if visibility == 0:
            points[name], read_as[name] = PointState.UNJUDGED, Convention.INVISIBLE
        else:
            points[name] = finite(point, where, name)
    return Marks(image, points, frame, where, read_as=read_as)
