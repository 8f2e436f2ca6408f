"""The worklist: what is done, by whom, and what comes next, told from what lies on the disk."""

import json
import shutil

import numpy as np
import pytest

from landmark_heatmap.annotation.doubt import Doubt
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
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError, RevisedMeanwhileError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.worklist.entries import CaseState, Worklist
from landmark_heatmap.worklist.foreseen import keep_foreseen
from landmark_heatmap.worklist.locks import CaseLock
from landmark_heatmap.worklist.order import in_order, next_free, told_reason
from landmark_heatmap.worklist.remarks import clear_remark, set_remark

LANDMARKS = LandmarkSet((Landmark("A"), Landmark("B")))
MODEL = ModelIdentity("Jaw", "1", "ab" * 32)


@pytest.fixture
def images(tmp_path):
    """Four images, one of them in a folder of its own."""
    folder = tmp_path / "scans"
    (folder / "late").mkdir(parents=True)
    for seed, name in enumerate(("Miller Anna", "b", "C", "late/d")):
        values = np.random.default_rng(seed).integers(0, 99, (3, 4, 5)).astype(np.int16)
        write_image(folder / f"{name}.nrrd", Image(values, np.eye(4)))
    return folder


@pytest.fixture
def dataset(tmp_path):
    return tmp_path / "data"


def export(dataset, entry, annotator="Anna", reviews=(Review.CORRECTED, Review.CONFIRMED), **more):
    create_dataset(dataset, LANDMARKS)
    placed = [PointState.PREDICTED if r is Review.UNTOUCHED else PointState.PLACED for r in reviews]
    points = {n: Point(state, (1, 2, 3)) for n, state in zip("AB", placed)}
    record = CaseRecord(dict(zip("AB", reviews)), annotator=annotator)
    return add_case(
        dataset, entry.case, read_image(entry.image), Annotation(points), record, **more
    )


def states(worklist):
    return {entry.title: entry.state for entry in worklist.entries()}


def entry(worklist, title):
    return next(each for each in worklist.entries() if each.title == title)


def test_a_folder_of_images_is_a_list_of_new_cases_by_name(images, dataset):
    entries = Worklist(dataset, images).entries()
    assert [each.title for each in entries] == ["b", "C", "late/d", "Miller Anna"]
    assert {each.state for each in entries} == {CaseState.NEW}
    assert not dataset.exists()


def test_a_case_is_called_after_its_image_whatever_that_is_called(images, dataset, tmp_path):
    before = {each.case for each in Worklist(dataset, images).entries()}
    assert len(before) == 4 and not any("Miller" in case for case in before)
    shutil.move(images, tmp_path / "mounted elsewhere")
    elsewhere = tmp_path / "mounted elsewhere"
    (elsewhere / "b.nrrd").rename(elsewhere / "late" / "renamed.nrrd")
    assert {each.case for each in Worklist(dataset, elsewhere).entries()} == before


def test_two_copies_of_an_image_are_one_case(images, dataset):
    shutil.copy(images / "b.nrrd", images / "copy of b.nrrd")
    titles = [each.title for each in Worklist(dataset, images).entries()]
    assert titles == ["b", "C", "late/d", "Miller Anna"]


def test_what_was_exported_is_done_by_whom_and_when(images, dataset):
    worklist = Worklist(dataset, images)
    export(dataset, entry(worklist, "b"))
    done = entry(worklist, "b")
    assert (done.state, done.annotator, done.revision) == (CaseState.DONE, "Anna", 1)
    assert done.date.startswith("20")
    # From now on the image in the dataset is the one that its points lie on.
    assert done.image == dataset / "cases" / done.case / "image.nrrd"
    assert [e.title for e in worklist.entries() if e.state is CaseState.NEW] == [
        "C", "late/d", "Miller Anna",
    ]  # fmt: skip


def test_a_part_of_the_landmarks_is_not_done(images, dataset):
    worklist = Worklist(dataset, images)
    export(dataset, entry(worklist, "b"), reviews=(Review.CORRECTED, Review.UNTOUCHED))
    found = entry(worklist, "b")
    assert found.state is CaseState.ANOTHER_LOOK and found.remark.startswith("1 landmark")


def test_cases_of_a_dataset_are_listed_without_a_folder_of_images(images, dataset):
    first = entry(Worklist(dataset, images), "b")
    export(dataset, first)
    (found,) = Worklist(dataset).entries()
    assert (found.case, found.title, found.state) == (first.case, first.case, CaseState.DONE)


def test_a_folder_without_images_is_refused(tmp_path, dataset):
    with pytest.raises(LandmarkHeatmapError, match="no image below"):
        Worklist(dataset, tmp_path)


def test_images_of_the_dataset_itself_are_no_new_cases(images):
    dataset = images / "data"
    worklist = Worklist(dataset, images)
    export(dataset, entry(worklist, "b"))
    worklist.find_again()
    assert len(worklist.entries()) == 4


def test_a_remark_asks_for_another_look_until_the_next_revision(images, dataset):
    worklist = Worklist(dataset, images)
    b = entry(worklist, "b")
    set_remark(dataset, b.case, "Blurred", "Otto")
    found = entry(worklist, "b")
    assert (found.state, found.remark, found.annotator) == (
        CaseState.ANOTHER_LOOK, "Blurred", "Otto",
    )  # fmt: skip
    export(dataset, b)
    assert entry(worklist, "b").state is CaseState.DONE
    set_remark(dataset, b.case, "Look at A again")
    assert entry(worklist, "b").state is CaseState.ANOTHER_LOOK
    clear_remark(dataset, b.case)
    assert entry(worklist, "b").state is CaseState.DONE
    with pytest.raises(DatasetError, match="Say why"):
        set_remark(dataset, b.case, " ")


def test_what_a_model_made_of_an_image_is_known_to_all(images, dataset):
    worklist = Worklist(dataset, images)
    b = entry(worklist, "b")
    doubts = (Doubt(1.0, 0.9, 2.5, 3.0, 1.5), None)
    keep_foreseen(dataset, b.case, LANDMARKS.names, doubts, "mm", MODEL)
    found = entry(worklist, "b")
    assert found.state is CaseState.DETECTED and found.date
    assert found.foreseen.expected == (2.5, None) and found.foreseen.odd == ("A",)
    assert told_reason(found) == ("Unlikely where they are: A. A may be off by 2.5 mm, by 'Jaw'.")


def foresee(dataset, worklist, title, expected, oddness=0.1, unlike=""):
    doubts = (Doubt(expected, None, None, 1.0, oddness), Doubt(0.1))
    case = entry(worklist, title).case
    keep_foreseen(dataset, case, LANDMARKS.names, doubts, "mm", MODEL, unlike)


def test_what_teaches_most_comes_first(images, dataset):
    worklist = Worklist(dataset, images)
    assert in_order(worklist.entries(), "teaching") == worklist.entries()
    foresee(dataset, worklist, "b", 1.0)
    foresee(dataset, worklist, "C", 9.0)
    foresee(dataset, worklist, "late/d", 0.5, oddness=2.0)
    foresee(dataset, worklist, "Miller Anna", 0.2, unlike="It is 900 mm long")
    ordered = [each.title for each in in_order(worklist.entries(), "teaching")]
    assert ordered == ["Miller Anna", "late/d", "C", "b"]
    export(dataset, entry(worklist, "late/d"))
    ordered = [each.title for each in in_order(worklist.entries(), "teaching")]
    assert ordered == ["Miller Anna", "C", "b", "late/d"]
    assert [e.title for e in in_order(worklist.entries(), "name")][0] == "b"


def test_the_next_case_is_one_that_is_free_and_not_done(images, dataset):
    worklist = Worklist(dataset, images)
    assert next_free(worklist.entries()).title == "b"
    export(dataset, entry(worklist, "b"))
    lock = CaseLock.take(dataset, entry(worklist, "C").case)
    assert next_free(worklist.entries()).title == "late/d"
    set_remark(dataset, entry(worklist, "late/d").case, "Blurred")
    assert next_free(worklist.entries()).title == "Miller Anna"
    # Then what needs another look, but not what was just done.
    miller = entry(worklist, "Miller Anna")
    export(dataset, miller, reviews=(Review.CORRECTED, Review.UNTOUCHED))
    assert next_free(worklist.entries()).title == "late/d"
    d = entry(worklist, "late/d")
    assert next_free(worklist.entries(), {d.case, miller.case}) is None
    lock.release()
    assert next_free(worklist.entries()).title == "C"


def test_what_somebody_finished_meanwhile_is_not_written_over_nor_beside(images, dataset):
    b = entry(Worklist(dataset, images), "b")
    export(dataset, b, "Anna", after=0)
    before = sorted(path for path in dataset.rglob("*"))
    with pytest.raises(
        RevisedMeanwhileError, match=r"Anna has exported .* \(revision-001, 20.*UTC"
    ):
        export(dataset, b, "Otto", after=0)
    assert sorted(path for path in dataset.rglob("*")) == before
    # Who knows of it may write a further one.
    assert export(dataset, b, "Otto", after=1).name == "revision-002"
    assert export(dataset, b, "Otto").name == "revision-003"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other"}', "\0"])
def test_damaged_files_beside_the_dataset_end_no_list(images, dataset, text):
    worklist = Worklist(dataset, images)
    case = entry(worklist, "b").case
    (dataset / "worklist").mkdir(parents=True)
    for ending in ("remark", "foreseen"):
        (dataset / "worklist" / f"{case}.{ending}.json").write_text(text)
    assert states(worklist)["b"] is CaseState.NEW
    export(dataset, entry(worklist, "b"))
    (record,) = dataset.rglob("record.json")
    record.write_text(text)
    assert states(worklist)["b"] is CaseState.DONE


def test_a_damaged_image_is_listed_as_any_other(images, dataset):
    (images / "broken.nrrd").write_bytes(b"NRRD0004\ndata file: ../gone.raw\n\n")
    (images / "empty.nii").write_bytes(b"")
    titles = [each.title for each in Worklist(dataset, images).entries()]
    assert "broken" in titles and "empty" in titles


def test_a_dataset_can_be_made_where_a_worklist_is_and_is_whole_with_it(images, dataset):
    worklist = Worklist(dataset, images)
    b = entry(worklist, "b")
    lock = CaseLock.take(dataset, b.case, "Anna")
    set_remark(dataset, b.case, "Blurred")
    foresee(dataset, worklist, "b", 1.0)
    export(dataset, b)
    lock.release()
    assert check_dataset(dataset) == []
    assert [case.name for case in read_cases(dataset)] == [b.case]
    for path in (dataset / "worklist").iterdir():
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["schema"].startswith("landmark-heatmap-worklist-")
        assert document["case"] == b.case
