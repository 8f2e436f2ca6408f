"""The dataset folder: nothing is overwritten, nothing is lost, nobody is named."""

import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case, read_annotations, read_cases
from landmark_heatmap.dataset.folder import (
    check_case_name,
    create_dataset,
    is_dataset,
    read_landmark_set,
    suggest_case_name,
)
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.description import ModelIdentity

LANDMARKS = LandmarkSet(
    (Landmark("Head_L", "centre of the left head"), Landmark("Head_R")),
    (("Head_L", "Head_R"),),
    "Hip",
)
RECORD = CaseRecord(
    {"Head_L": Review.CORRECTED, "Head_R": Review.UNTOUCHED},
    annotator="A. N.",
    model=ModelIdentity("Hip", "1", "ab" * 32),
)


def image_of(seed, dtype=np.int16):
    values = np.random.default_rng(seed).integers(0, 2, (6, 7, 8)).astype(dtype)
    return Image(values, np.diag([-1.0, 2.0, 3.0, 1.0]))


def annotation_at(x):
    return Annotation(
        {
            "Head_L": Point(PointState.PLACED, (x, 2, 3), 0.5, "centre of the left head"),
            "Head_R": Point(PointState.PREDICTED, (4, 5, 6), 0.25),
        }
    )


def files_in(folder):
    """Path to content of all files, hidden ones included."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "hips"
    create_dataset(folder, LANDMARKS)
    return folder


def test_an_exported_case_is_read_as_it_was(dataset):
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD, annotation_at(9))
    (case,) = read_cases(dataset)
    assert (case.name, case.annotation) == ("case-1", annotation_at(1))
    image = read_image(case.image_path)
    np.testing.assert_array_equal(image.array, image_of(0).array)
    np.testing.assert_array_equal(image.ijk_to_lps, image_of(0).ijk_to_lps)
    assert read_landmark_set(dataset) == LANDMARKS


def test_the_record_says_who_did_what_with_which_model(dataset):
    revision = add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD, annotation_at(9))
    record = json.loads((revision / "record.json").read_text(encoding="utf-8"))
    assert record["annotator"] == "A. N."
    assert record["model"] == {"name": "Hip", "version": "1", "sha256": "ab" * 32}
    assert record["points"]["Head_L"] == {"review": "corrected", "state": "placed"}
    assert record["points"]["Head_R"] == {"review": "untouched", "state": "predicted"}
    assert record["complete"] is False
    assert record["created"].endswith("+00:00")
    assert read_annotation(revision / "prediction.mrk.json") == annotation_at(9)


def test_a_case_is_complete_only_if_every_landmark_was_judged(dataset):
    half = {"Head_L": Point(PointState.PLACED, (1, 2, 3))}
    whole = {**half, "Head_R": Point(PointState.ABSENT)}
    half_record = CaseRecord({"Head_L": Review.CONFIRMED})
    whole_record = CaseRecord({"Head_L": Review.CONFIRMED, "Head_R": Review.MARKED_ABSENT})
    for points, record, complete in ((half, half_record, False), (whole, whole_record, True)):
        revision = add_case(dataset, "case-1", None, Annotation(points), record)
        assert (
            json.loads((revision / "record.json").read_text(encoding="utf-8"))["complete"]
            is complete
        )


def test_a_second_export_leaves_the_first_as_it_was(dataset):
    first = add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    before = files_in(dataset)
    second = add_case(dataset, "case-1", image_of(0), annotation_at(2), RECORD)
    after = files_in(dataset)
    assert (first.name, second.name) == ("revision-001", "revision-002")
    assert {name: after[name] for name in before} == before
    new = {"landmarks.mrk.json", "record.json"}
    assert set(after) - set(before) == {f"cases/case-1/revision-002/{name}" for name in new}
    assert read_cases(dataset)[0].annotation == annotation_at(2)


def test_revisions_count_on_past_gaps_and_foreign_folders(dataset):
    case = dataset / "cases" / "case-1"
    for name in ("revision-009", "revision-²³¹", "revision-abc", "revision-010-copy", ".new-x"):
        (case / name).mkdir(parents=True)
    assert add_case(dataset, "case-1", None, annotation_at(1), RECORD).name == "revision-010"
    os.rename(case / "revision-010", case / "revision-999")
    assert add_case(dataset, "case-1", None, annotation_at(2), RECORD).name == "revision-1000"
    assert read_annotations(dataset) == {"case-1": annotation_at(2)}


@pytest.mark.parametrize("dtype", [np.int16, bool, np.float16, np.float32])
def test_an_identical_image_is_stored_once(dataset, dtype):
    for _ in range(2):
        add_case(dataset, "case-1", image_of(0, dtype), annotation_at(1), RECORD)
    assert [path.name for path in (dataset / "cases" / "case-1").glob("*.nrrd")] == ["image.nrrd"]


def test_an_identical_image_is_known_by_its_voxels_and_not_by_its_bytes(dataset):
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    path = dataset / "cases" / "case-1" / "image.nrrd"
    # Another program may compress differently.
    sitk.WriteImage(sitk.ReadImage(str(path)), str(path), useCompression=False)
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    assert len(list(path.parent.glob("*.nrrd"))) == 1


@pytest.mark.parametrize(
    "other",
    [
        image_of(1),
        image_of(0, np.float32),
        Image(image_of(0).array, np.diag([-1.0, 2.0, 3.001, 1.0])),
    ],
    ids=["values", "type", "place"],
)
def test_a_different_image_is_stored_beside_the_first(dataset, other):
    case = dataset / "cases" / "case-1"
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    before = (case / "image.nrrd").read_bytes()
    add_case(dataset, "case-1", other, annotation_at(1), RECORD)
    assert (case / "image.nrrd").read_bytes() == before
    assert read_cases(dataset)[0].image_path.name == "image-2.nrrd"
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    assert read_cases(dataset)[0].image_path.name == "image.nrrd"
    assert len(list(case.glob("*.nrrd"))) == 2


def test_a_file_in_the_way_of_the_image_is_left_alone(dataset):
    case = dataset / "cases" / "case-1"
    case.mkdir(parents=True)
    (case / "image.nrrd").write_text("somebody's notes")
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    assert (case / "image.nrrd").read_text(encoding="utf-8") == "somebody's notes"
    assert read_cases(dataset)[0].image_path.name == "image-2.nrrd"


def test_a_case_without_an_image_has_an_annotation_but_cannot_be_trained_from(dataset):
    add_case(dataset, "case-1", None, annotation_at(1), RECORD)
    assert read_cases(dataset) == []
    assert read_annotations(dataset) == {"case-1": annotation_at(1)}


def export_some(folder, process, exports):
    for number in range(exports):
        add_case(folder, "shared", image_of(process), annotation_at(number), RECORD)
        add_case(folder, f"own-{process}", image_of(process), annotation_at(number), RECORD)


def test_exports_from_several_processes_at_once_lose_nothing(dataset):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=export_some, args=(dataset, p, 6)) for p in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    shared = dataset / "cases" / "shared"
    revisions = sorted(path.name for path in shared.glob("revision-*"))
    assert revisions == [f"revision-{n:03d}" for n in range(1, 19)]
    assert len(list(shared.glob("image*.nrrd"))) == 3
    # Every record still names the image that its own process had exported.
    positions = []
    for revision in revisions:
        record = json.loads((shared / revision / "record.json").read_text(encoding="utf-8"))
        image = read_image(shared / record["image"]["file"]).array
        owner = [p for p in range(3) if np.array_equal(image, image_of(p).array)]
        annotation = read_annotation(shared / revision / "landmarks.mrk.json")
        positions.append((*owner, annotation.points["Head_L"].position_lps[0]))
    assert sorted(positions) == [(p, n) for p in range(3) for n in range(6)]
    assert len(read_cases(dataset)) == 4
    assert not list(dataset.rglob(".new-*"))


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:x", ".hidden", "-x", "a.", "a ", "a\n", "a\0",
        "Doe^John", "Doe, John", "Müller", "x" * 65, "a*", "a?", "CON", "con", "nul.txt", "Com1",
        "LPT9.a.b", "prn", "AUX",
    ],
)  # fmt: skip
def test_names_that_are_no_folder_everywhere_are_refused(dataset, name):
    before = files_in(dataset)
    with pytest.raises(DatasetError, match="cannot be a case name"):
        add_case(dataset, name, image_of(0), annotation_at(1), RECORD)
    assert files_in(dataset) == before


@pytest.mark.parametrize("name", ["case-0001", "a", "0", "A.b_c-d", "x" * 64, "console", "com10"])
def test_plain_names_are_accepted(name):
    assert check_case_name(name) == name


def test_names_that_differ_in_capitals_only_are_refused(dataset):
    add_case(dataset, "Case", None, annotation_at(1), RECORD)
    with pytest.raises(DatasetError, match="'case' differs from the case 'Case'"):
        add_case(dataset, "case", None, annotation_at(1), RECORD)


def test_a_suggested_name_is_free_and_says_nothing(dataset):
    assert suggest_case_name(dataset) == "case-0001"
    add_case(dataset, "Case-0002", None, annotation_at(1), RECORD)
    name = suggest_case_name(dataset)
    assert name == "case-0003"
    add_case(dataset, name, None, annotation_at(1), RECORD)
    assert suggest_case_name(dataset) == "case-0004"


def test_a_landmark_that_the_dataset_does_not_have_is_refused(dataset):
    stranger = Annotation({"Knee": Point(PointState.PLACED, (1, 2, 3))})
    with pytest.raises(
        DatasetError, match="'Knee' is not in this dataset, which has Head_L, Head_R"
    ):
        add_case(dataset, "case-1", None, stranger, RECORD)
    with pytest.raises(DatasetError, match="'Knee'"):
        add_case(dataset, "case-1", None, annotation_at(1), CaseRecord({"Knee": Review.CONFIRMED}))


@pytest.mark.parametrize(
    ("review", "state"),
    [
        (Review.UNTOUCHED, PointState.PLACED),
        (Review.UNTOUCHED, PointState.ABSENT),
        (None, PointState.PLACED),
        (None, PointState.ABSENT),
        (Review.CONFIRMED, PointState.PREDICTED),
        (Review.CONFIRMED, PointState.UNJUDGED),
        (Review.CORRECTED, PointState.ABSENT),
        (Review.CORRECTED, PointState.PREDICTED),
        (Review.MARKED_ABSENT, PointState.PLACED),
        (Review.MARKED_ABSENT, PointState.UNJUDGED),
    ],
)
def test_a_point_that_is_not_what_was_done_to_it_is_refused(dataset, review, state):
    located = state in (PointState.PLACED, PointState.PREDICTED)
    annotation = Annotation({"Head_L": Point(state, (1, 2, 3) if located else None)})
    record = CaseRecord({} if review is None else {"Head_L": review})
    with pytest.raises(DatasetError, match=f"'Head_L' is stated as {state.value} and as"):
        add_case(dataset, "case-1", image_of(0), annotation, record)
    assert not (dataset / "cases/case-1").exists()


def test_a_case_that_could_not_be_read_again_is_refused(dataset):
    stranger = Annotation({"Knee": Point(PointState.PREDICTED, (1, 2, 3))})
    for annotation, prediction in (
        (Annotation(), None),
        (annotation_at(1), Annotation()),
        (annotation_at(1), stranger),
    ):
        record = RECORD if annotation.names else CaseRecord({})
        with pytest.raises(DatasetError, match="without any points|'Knee'"):
            add_case(dataset, "case-1", image_of(0), annotation, record, prediction)
    assert read_cases(dataset) == []


def test_making_a_dataset_again_keeps_it(dataset):
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    before = files_in(dataset)
    create_dataset(dataset, LANDMARKS, "another name")
    assert files_in(dataset) == before


def test_a_dataset_of_other_landmarks_is_refused(dataset):
    with pytest.raises(DatasetError, match="has the landmarks Head_L, Head_R, and not Knee"):
        create_dataset(dataset, LandmarkSet((Landmark("Knee"),)))


def test_a_folder_with_other_files_is_no_place_for_a_dataset(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(DatasetError, match="holds other files"):
        create_dataset(tmp_path, LANDMARKS)
    with pytest.raises(DatasetError, match="is a file"):
        create_dataset(tmp_path / "thesis.doc", LANDMARKS)
    assert files_in(tmp_path) == {"thesis.doc": b"mine"}


def test_what_a_crash_left_does_not_keep_a_dataset_from_being_made(tmp_path):
    (tmp_path / ".new-x-dataset.json").write_text("{")
    create_dataset(tmp_path, LANDMARKS)
    assert is_dataset(tmp_path)


def test_a_copy_that_lost_its_empty_folder_is_a_dataset_still(dataset):
    shutil.rmtree(dataset / "cases")
    assert read_cases(dataset) == []
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    assert len(read_cases(dataset)) == 1


def test_files_of_the_desktop_among_the_cases_are_passed_over(dataset):
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    (dataset / "cases" / ".DS_Store").write_bytes(b"\0")
    (dataset / "cases" / "notes.txt").write_text("notes")
    (dataset / "cases" / "empty").mkdir()
    assert [case.name for case in read_cases(dataset)] == ["case-1"]


def test_a_dataset_of_a_newer_program_is_refused(dataset):
    path = dataset / "dataset.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 2')
    )
    for use in (read_cases, read_annotations, read_landmark_set):
        with pytest.raises(DatasetError, match=r"schema version 2; .* knows up to 1. Update"):
            use(dataset)
    with pytest.raises(DatasetError, match="schema version 2"):
        add_case(dataset, "case-1", None, annotation_at(1), RECORD)


def test_a_record_of_a_newer_program_is_refused(dataset):
    revision = add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    path = revision / "record.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 2')
    )
    with pytest.raises(DatasetError, match=r"record\.json' has schema version 2"):
        read_cases(dataset)


def test_a_missing_image_is_named(dataset):
    add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    (dataset / "cases" / "case-1" / "image.nrrd").unlink()
    with pytest.raises(DatasetError, match="'case-1' lacks its image"):
        read_cases(dataset)


@pytest.mark.parametrize("image", ["image.nrrd", 5, [], {}, {"file": 5}, {"file": "../image.nrrd"}])
def test_a_record_with_a_strange_image_is_refused(dataset, image):
    revision = add_case(dataset, "case-1", image_of(0), annotation_at(1), RECORD)
    path = revision / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "image": image}))
    with pytest.raises(DatasetError, match=r"record\.json' names no usable image"):
        read_cases(dataset)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[" * 100_000, "null", "[]", "{}", "\0", '{"schema": "other", "schema_version": 1}',
        '{"schema": "landmark-heatmap-dataset", "schema_version": null}',
        '{"schema": "landmark-heatmap-dataset", "schema_version": Infinity}',
        '{"schema": "landmark-heatmap-dataset", "schema_version": 1}',
        '{"schema": "landmark-heatmap-dataset", "schema_version": 1, "landmark_set": []}',
    ],
)  # fmt: skip
def test_a_damaged_description_is_refused(dataset, text):
    (dataset / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        read_cases(dataset)


@pytest.mark.parametrize(
    "landmark_set",
    [
        {"landmarks": []},
        {"landmarks": None},
        {"landmarks": "AB"},
        {"landmarks": [{"name": "A"}, {"name": "A"}]},
        {"landmarks": [{"name": 5}]},
        {"landmarks": [{"name": "A"}], "mirror_pairs": 5},
        {"landmarks": [{"name": "A"}, {"name": "B"}], "mirror_pairs": [["A", "B", "B"]]},
        {"landmarks": [{"name": "A"}, {"name": "B"}], "mirror_pairs": [["A"]]},
    ],
)
def test_a_damaged_landmark_set_is_refused(dataset, landmark_set):
    path = dataset / "dataset.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text(encoding="utf-8")), "landmark_set": landmark_set})
    )
    with pytest.raises(DatasetError, match=r"dataset\.json' has no usable landmark set"):
        read_landmark_set(dataset)


def test_an_annotation_that_cannot_be_written_leaves_no_revision(dataset):
    annotation = Annotation({"Head_L": Point(PointState.PLACED, (1, 2, 3), None, "\ud800")})
    with pytest.raises(UnicodeEncodeError):
        add_case(dataset, "case-1", image_of(0), annotation, RECORD)
    assert not list(dataset.rglob("revision-*")) and not list(dataset.rglob(".new-*"))


def test_every_refusal_is_one_that_the_user_can_read(tmp_path):
    for use in (read_cases, read_annotations, read_landmark_set):
        with pytest.raises(LandmarkHeatmapError, match=r"dataset\.json' cannot be read"):
            use(tmp_path)
