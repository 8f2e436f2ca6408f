"""What is mutated: an example of each kind of file, how it is changed, and who reads it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

import bench  # noqa: F401, it says where the code is
import mutations
from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case, read_cases
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_grid, read_image, write_image
from landmark_training.importing.formats.registry import FORMATS, read_table
from landmark_training.importing.table import Stated

_ANNOTATION = Annotation(
    {
        "Head_L": Point(PointState.PLACED, (1.5, -2, 3), 0.5, "the centre"),
        "Head_R": Point(PointState.PREDICTED, (4, 5, 6), 0.25),
        "Neck": Point(PointState.ABSENT),
    }
)
_FCSV = """# Markups fiducial file version = 5.0
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,1.5,-2,3,0,0,0,1,1,1,0,Head_L,the centre,,2,0
2,4,5,6,0,0,0,1,1,1,0,Head_R,,,2,0
"""
_TABLES = {
    "tps": "LM=2\n1.5 2\n-1 -1\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a.png\nID=0\nSCALE=0.1\n",
    "csv": "id,x1,y1,x2,y2\na.png,1,2,3,4\nb.png,,,5,6\n",
    "deeplabcut": "scorer,A,A\nbodyparts,nose,nose\ncoords,x,y\nlabeled-data/v/img1.png,1,2\n",
    "nnlandmark": '{"a": {"1": [1, 2, 3], "2": [4, 5, 6]}}',
    "isbi": "\n".join(f"{n},{n + 1}" for n in range(19)) + "\n1\n",
}
_STATED = {
    "csv": partial(Stated, unit="px", origin="top-left"),
    "nnlandmark": partial(Stated, unit="px"),
}
_ENDINGS = {"deeplabcut": "csv", "nnlandmark": "json", "isbi": "txt"}


@dataclass(frozen=True)
class Kind:
    """name; write(random) -> the path of a changed file; read(path) -> an answer or an error."""

    name: str
    write: object
    read: object


def kinds_in(folder: Path) -> list:
    """All kinds, their examples in `folder`."""
    folder.mkdir(exist_ok=True)
    return [*_annotations(folder), *_tables(folder), *_datasets(folder), *_images(folder)]


def _changed(path: Path, content: bytes, change) -> object:
    def write(random):
        path.write_bytes(change(content, random))
        return path

    return write


def _annotations(folder: Path):
    path = folder / "a.mrk.json"
    write_annotation(path, _ANNOTATION, {"model": {"sha256": "ab"}})
    yield Kind(
        "mrk.json",
        _changed(path, path.read_text(encoding="utf-8"), mutations.of_json),
        read_annotation,
    )
    for name, text in (("fcsv", _FCSV), ("csv", "label,l,p,s,defined\nA,1,2,3,1\nB,,,,0\n")):
        path = folder / f"a.{name}"
        yield Kind(name, _changed(path, text.encode(), mutations.of_lines), read_annotation)


def _tables(folder: Path):
    pictures = folder / "pictures"
    pictures.mkdir()
    write_image(pictures / "a.nrrd", Image(np.zeros((9, 9, 9), np.uint8), np.eye(4)))
    names = [form.name for form in FORMATS]
    for name, text in _TABLES.items():
        path = folder / f"table-{name}.{_ENDINGS.get(name, name)}"
        form = next(each for each in names if name in each)
        stated = _STATED.get(name, Stated)(pictures)
        change = mutations.of_json if name == "nnlandmark" else mutations.of_lines
        content = text if name == "nnlandmark" else text.encode()
        read = partial(_read_table, stated=stated, form=form)
        yield Kind(f"table {name}", _changed(path, content, change), read)


def _read_table(path: Path, stated: Stated, form: str):
    return read_table(path, stated, form)


def _datasets(folder: Path):
    for name in ("dataset.json", "record.json"):
        dataset = folder / f"dataset-{name}"
        landmarks = LandmarkSet(tuple(map(Landmark, _ANNOTATION.names)), (("Head_L", "Head_R"),))
        create_dataset(dataset, landmarks)
        reviews = {"Head_L": Review.CORRECTED, "Neck": Review.MARKED_ABSENT}
        image = Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
        revision = add_case(dataset, "a", image, _ANNOTATION, CaseRecord(reviews))
        path = (dataset if name == "dataset.json" else revision) / name
        write = _changed(path, path.read_text(encoding="utf-8"), mutations.of_json)
        yield Kind(name, write, lambda _, dataset=dataset: _read_dataset(dataset))


def _read_dataset(folder: Path) -> None:
    """The check answers whatever the reader refuses."""
    check_dataset(folder)
    read_cases(folder)


def _images(folder: Path):
    random = np.random.default_rng(0)
    volume = sitk.GetImageFromArray(random.integers(0, 999, (5, 6, 7)).astype(np.int16))
    picture = sitk.GetImageFromArray(random.integers(0, 255, (12, 13)).astype(np.uint8))
    colours = sitk.GetImageFromArray(random.integers(0, 255, (9, 8, 3)).astype(np.uint8), True)
    examples = (
        ("raw.nrrd", volume, False), ("gzip.nrrd", volume, True), ("detached.nhdr", volume, False),
        ("raw.mha", volume, False), ("zlib.mha", volume, True), ("detached.mhd", volume, False),
        ("one.nii", volume, False), ("packed.nii.gz", volume, True), ("grey.png", picture, False),
        ("colour.png", colours, False), ("grey.jpg", picture, False), ("colour.jpg", colours, False),
        ("grey.bmp", picture, False), ("colour.bmp", colours, False), ("grey.tif", picture, False),
        ("packed.tif", picture, True), ("pages.tif", volume, False), ("one.dcm", picture, False),
    )  # fmt: skip
    for name, image, packed in examples:
        # A folder each: some formats look at what lies beside a file.
        path = folder / f"image-{name}" / name
        path.parent.mkdir()
        sitk.WriteImage(image, str(path), useCompression=packed)
        content = path.read_bytes()
        yield Kind(f"image {name}", _changed(path, content, _change_of(name, content)), _read_image)


def _change_of(name: str, content: bytes):
    if name.endswith(".png"):
        return mutations.of_png
    if name.endswith(".gz"):
        return partial(mutations.of_gzip, change=mutations.of_bytes)
    if name.endswith((".nrrd", ".nhdr")):
        end = content.find(b"\n\n") + 2
        return partial(mutations.of_lines, text_bytes=end if end > 1 else None)
    if name.endswith((".mha", ".mhd")):
        end = content.find(b"\n", content.find(b"ElementDataFile")) + 1
        return partial(mutations.of_lines, text_bytes=end)
    return partial(mutations.of_bytes, header_bytes=len(content) if ".tif" in name else 400)


def _read_image(path: Path) -> None:
    read_grid(path)
    read_image(path)


def _hang(_):
    while True:
        pass


def _take_memory(_):
    return bytearray(8 * 2**30)


def _fail(_):
    raise KeyError("a mistake")


# What the bench has to notice, or its table says nothing.
SELF_TESTS = [
    Kind("self-test traceback", lambda random: None, _fail),
    Kind("self-test crash", lambda random: None, lambda _: os.kill(os.getpid(), signal.SIGSEGV)),
    Kind("self-test hang", lambda random: None, _hang),
    Kind("self-test memory", lambda random: None, _take_memory),
]
