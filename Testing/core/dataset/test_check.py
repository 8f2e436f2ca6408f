"""Every fault of a dataset is told by file and reason, and nothing is changed."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from landmark_heatmap import cli
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.measurements import Measurement
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image

IMAGE = Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
ANNOTATION = Annotation({"A": Point(PointState.PLACED, (1, 2, 3)), "B": Point(PointState.ABSENT)})
RECORD = CaseRecord({"A": Review.CORRECTED, "B": Review.MARKED_ABSENT})


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "hips"
    create_dataset(folder, LandmarkSet((Landmark("A"), Landmark("B"))))
    for _ in range(2):
        add_case(folder, "one", IMAGE, ANNOTATION, RECORD, ANNOTATION)
    return folder


def content_of(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def edited(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}))


def test_a_whole_dataset_has_no_faults(dataset, capsys):
    assert cli.main(["dataset", "check", str(dataset)]) == 0
    assert "no faults" in capsys.readouterr().out


def truncated(case):
    os.truncate(case / "image.nrrd", (case / "image.nrrd").stat().st_size - 1)


def exchanged(case):
    write_image(case / "image.nrrd", Image(IMAGE.array + 1, IMAGE.ijk_to_lps))


def as_something_else(case):
    edited(
        case / "revision-002/record.json", points={"A": {"review": "untouched", "state": "placed"}}
    )


FAULTS = {
    "truncated": (truncated, "image.nrrd", "truncated"),
    "exchanged": (exchanged, "image.nrrd", "not the image that .*sha256"),
    "missing": (lambda c: (c / "image.nrrd").unlink(), "image.nrrd", "missing"),
    "record": (lambda c: (c / "revision-001/record.json").write_text("{"), "record.json", "JSON"),
    "no record": (lambda c: (c / "revision-001/record.json").unlink(), "record.json", "cannot be"),
    "no points": (
        lambda c: (c / "revision-002/landmarks.mrk.json").unlink(), "landmarks.mrk.json", "cannot be",
    ),
    "prediction": (
        lambda c: (c / "revision-002/prediction.mrk.json").write_text("[]"),
        "prediction.mrk.json", "not a markups file",
    ),
    "contradiction": (as_something_else, "record.json", "as placed and as untouched"),
    "unmentioned": (as_something_else, "record.json", "says nothing of 'B'"),
    "moved": (lambda c: edited(c / "revision-001/record.json", case="two"), "record.json", "lies in one"),
    "gap": (lambda c: os.rename(c / "revision-002", c / "revision-004"), "one", "-002 is missing"),
    "leftover": (lambda c: (c / ".new-x").mkdir(), ".new-x", "was killed"),
    "orphan": (
        lambda c: write_image(c / "image-2.nrrd", IMAGE), "image-2.nrrd", "No revision names",
    ),
    "stranger": (lambda c: (c / "notes.doc").write_text("x"), "notes.doc", "no part of a dataset"),
    "empty case": (lambda c: (c.parent / "two").mkdir(), "two", "no revision"),
    "landmark set": (
        lambda c: edited(c.parents[1] / "dataset.json", landmark_set={}), "dataset.json", "landmark set",
    ),
    "damaged dataset.json": (
        lambda c: (c.parents[1] / "dataset.json").write_text("{"), "dataset.json", "JSON",
    ),
    "stranger's points": (
        lambda c: edited(c.parents[1] / "dataset.json",
                         landmark_set={"landmarks": [{"name": "A"}]}),
        "landmarks.mrk.json", "'B' is not one of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_by_file_and_reason_and_nothing_is_changed(dataset, capsys, fault):
    damage, name, reason = FAULTS[fault]
    damage(dataset / "cases" / "one")
    before = content_of(dataset)
    assert cli.main(["dataset", "check", str(dataset)]) == 1
    lines = capsys.readouterr().out.splitlines()
    pattern = re.compile(rf".*{name}: .*{reason}")
    assert any(pattern.match(line) for line in lines), lines
    assert content_of(dataset) == before


def test_a_fault_does_not_hide_another(dataset):
    add_case(dataset, "two", Image(IMAGE.array * 2, np.eye(4)), ANNOTATION, RECORD)
    for damage in (FAULTS["record"][0], truncated, FAULTS["stranger"][0]):
        damage(dataset / "cases" / "one")
    truncated(dataset / "cases" / "two")
    found = [fault.path.relative_to(dataset / "cases").parts for fault in check_dataset(dataset)]
    assert {("one", "notes.doc"), ("two", "image.nrrd"), ("one", "image.nrrd")} <= set(found)
    assert ("one", "revision-001", "record.json") in found


@pytest.mark.parametrize("name", [".", "nowhere"])
def test_what_is_no_dataset_is_told_from_one_with_faults(tmp_path, capsys, name):
    assert cli.main(["dataset", "check", str(tmp_path / name)]) == 2
    assert "is no dataset" in capsys.readouterr().err


def test_an_orphaned_image_is_used_when_it_is_exported_again(dataset):
    case = dataset / "cases" / "one"
    other = Image(IMAGE.array + 5, IMAGE.ijk_to_lps)
    write_image(case / "image-2.nrrd", other)
    add_case(dataset, "one", other, ANNOTATION, RECORD)
    assert check_dataset(dataset) == [] and len(list(case.glob("image*"))) == 2


def test_measurements_beside_the_landmarks_are_part_of_a_dataset(dataset):
    distance = Measurement("width", "distance", ("A", "B"))
    add_case(dataset, "one", IMAGE, ANNOTATION, RECORD, measurements=(distance,))
    assert list(dataset.rglob("measurements.csv")) and check_dataset(dataset) == []


def test_a_dataset_without_cases_is_not_called_whole(dataset, capsys):
    shutil.rmtree(dataset / "cases")
    assert cli.main(["dataset", "check", str(dataset)]) == 1
    assert "folder of all cases is missing" in capsys.readouterr().out
    (dataset / "cases").write_text("")
    assert cli.main(["dataset", "check", str(dataset)]) == 1
    (dataset / "cases").unlink()
    (dataset / "cases").mkdir()
    assert cli.main(["dataset", "check", str(dataset)]) == 1
    assert "no case yet" in capsys.readouterr().out
