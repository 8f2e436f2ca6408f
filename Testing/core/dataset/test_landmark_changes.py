"""Landmarks that are added, renamed and retired later: old cases stay what they were, and readable."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.measurements import Measurement
from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.cli import main
from landmark_heatmap.dataset.cases import add_case, read_annotations, read_cases
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset, read_landmark_set
from landmark_heatmap.dataset.landmark_changes import change_landmarks
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.errors import AnnotationError, DatasetError
from landmark_heatmap.images.geometry import Image

LANDMARKS = LandmarkSet(
    (Landmark("Head_L", "left"), Landmark("Head_R"), Landmark("Pubis")),
    (("Head_L", "Head_R"),),
    midline=("Pubis",),
    measurements=(
        Measurement("Width", "distance", ("Head_L", "Head_R")),
        Measurement("Height", "distance", ("Pubis", ("Head_L", "Head_R"))),
    ),
    skeleton=(("Head_L", "Pubis"),),
)


def annotation_of(**points):
    return Annotation({name: Point(PointState.PLACED, at) for name, at in points.items()})


def record_of(*names):
    return CaseRecord(dict.fromkeys(names, Review.CORRECTED), "A. N.")


def changed(landmarks=LANDMARKS, rename=(), retire=(), add=()):
    """The set as a person makes it of one that is in use. rename: pairs of names, one after another."""
    draft = LandmarkSetDraft(landmarks, is_in_use=True)
    for name, now in rename:
        draft.rename(draft.names.index(name), now)
    draft.remove([draft.names.index(name) for name in retire])
    draft.add_lines("\n".join(add))
    return draft.to_set()


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "hips"
    create_dataset(folder, LANDMARKS)
    image = Image(np.zeros((6, 7, 8), np.int16), np.eye(4))
    annotation = annotation_of(Head_L=(1, 2, 3), Head_R=(2, 2, 3), Pubis=(3, 2, 3))
    add_case(folder, "case-1", image, annotation, record_of(*LANDMARKS.names))
    return folder


def test_a_landmark_that_is_added_is_not_judged_in_earlier_cases(dataset):
    changes = change_landmarks(dataset, changed(add=["Sacrum; tip"]))
    assert changes.sentences() == ["New, and not judged in earlier cases: Sacrum."]
    assert read_landmark_set(dataset).names == ("Head_L", "Head_R", "Pubis", "Sacrum")
    (case,) = read_cases(dataset)
    assert case.annotation.state("Sacrum") is PointState.UNJUDGED
    assert case.annotation.state("Head_L") is PointState.PLACED
    assert check_dataset(dataset) == []


def test_what_was_annotated_under_a_former_name_is_of_the_landmark_it_is_now(dataset):
    renamed = changed(rename=[("Head_L", "FH_L"), ("FH_L", "Caput_L")])
    assert change_landmarks(dataset, renamed).renamed == (("Head_L", "Caput_L"),)
    (case,) = read_cases(dataset)
    assert case.annotation.position_lps("Caput_L").tolist() == [1, 2, 3]
    assert case.corrected == {"Caput_L", "Head_R", "Pubis"}
    now = read_landmark_set(dataset)
    assert now.mirror_pairs == (("Caput_L", "Head_R"),)
    assert now.measurements[1].names == ("Pubis", "Caput_L", "Head_R")
    assert now.skeleton == (("Caput_L", "Pubis"),)
    # FH_L was never in the dataset, so nothing is called so, and it may be used.
    assert now.landmarks[0].formerly == ("Head_L",)
    assert check_dataset(dataset) == []


def test_a_retired_landmark_is_kept_and_not_used(dataset):
    before = (dataset / "cases/case-1/revision-001/landmarks.mrk.json").read_bytes()
    changes = change_landmarks(dataset, changed(retire=["Head_R"]))
    assert "Retired: Head_R" in changes.sentences()[0]
    (annotation,) = read_annotations(dataset).values()
    assert annotation.names == ("Head_L", "Pubis")
    now = read_landmark_set(dataset)
    assert (now.mirror_pairs, now.measurements, now.midline) == ((), (), ("Pubis",))
    assert (dataset / "cases/case-1/revision-001/landmarks.mrk.json").read_bytes() == before
    assert check_dataset(dataset) == []


def test_a_retired_landmark_can_be_taken_up_again_with_all_that_was_annotated(dataset):
    change_landmarks(dataset, changed(retire=["Head_R"]))
    again = changed(read_landmark_set(dataset), add=["Head_R"])
    assert again.retired == ()
    change_landmarks(dataset, again)
    (case,) = read_cases(dataset)
    assert case.annotation.position_lps("Head_R").tolist() == [2, 2, 3]


def test_an_export_by_former_names_arrives_under_those_of_now(dataset):
    change_landmarks(dataset, changed(rename=[("Head_L", "Caput")], retire=["Pubis"]))
    create_dataset(dataset, LANDMARKS)
    annotation = annotation_of(Head_L=(4, 4, 4), Pubis=(1, 1, 1))
    record = CaseRecord(
        {"Head_L": Review.CORRECTED, "Pubis": Review.CORRECTED},
        followed={"Head_L": ("Pubis", "Head_R"), "Pubis": ("Head_L",)},
    )
    revision = add_case(dataset, "case-2", None, annotation, record)
    told = json.loads((revision / "record.json").read_text())["points"]
    assert told == {"Caput": {"review": "corrected", "state": "placed", "followed": ["Head_R"]}}
    assert read_annotations(dataset)["case-2"].names == ("Caput",)


def test_some_of_the_landmarks_can_be_exported_and_unknown_ones_cannot(dataset):
    create_dataset(dataset, LandmarkSet((Landmark("Pubis"), Landmark("Head_L"))))
    with pytest.raises(DatasetError, match="and not Knee; choose another folder, or add"):
        create_dataset(dataset, LandmarkSet((Landmark("Pubis"), Landmark("Knee"))))


def test_nothing_is_changed_by_a_set_that_forgets_a_landmark(dataset):
    before = (dataset / "dataset.json").read_bytes()
    with pytest.raises(DatasetError, match="'Head_R', 'Pubis'.*would be lost; retire"):
        change_landmarks(dataset, LandmarkSet((Landmark("Head_L"),)))
    assert (dataset / "dataset.json").read_bytes() == before


def test_no_name_ever_means_two_landmarks():
    renamed = changed(rename=[("Head_L", "Caput")])
    with pytest.raises(AnnotationError, match="'Head_L' is, or was, the name of another"):
        changed(renamed, add=["Head_L"])
    with pytest.raises(AnnotationError, match="There is a landmark 'Head_R' already"):
        changed(renamed, rename=[("Caput", "Head_R")])
    # Its own former name a landmark can have again.
    assert changed(renamed, rename=[("Caput", "Head_L")]).landmarks[0].formerly == ("Caput",)


def test_the_set_of_before_is_kept_in_the_dataset(dataset):
    change_landmarks(dataset, changed(retire=["Pubis"]))
    change_landmarks(dataset, read_landmark_set(dataset))  # nothing new
    (earlier,) = json.loads((dataset / "dataset.json").read_text())["earlier_landmark_sets"]
    assert LandmarkSet.from_json(earlier["landmark_set"]) == LANDMARKS


def test_a_draft_of_a_set_in_use_remembers_what_landmarks_were_called():
    draft = LandmarkSetDraft(LANDMARKS, is_in_use=True)
    draft.rename(0, "Hed_L")
    draft.rename(0, "Caput_L")
    draft.remove([1])
    draft.add_lines("Sacrum")
    changed = draft.to_set()
    assert changed.landmarks[0] == Landmark("Caput_L", "left", ("Head_L",))
    assert [mark.name for mark in changed.retired] == ["Head_R"]
    assert changed.skeleton == (("Caput_L", "Pubis"),)
    draft.add_lines("Head_R")
    assert (draft.to_set().retired, draft.names[-1]) == ((), "Head_R")


def test_a_draft_of_any_other_set_forgets_them():
    draft = LandmarkSetDraft(LANDMARKS)
    draft.rename(0, "Caput_L")
    draft.remove([1])
    changed = draft.to_set()
    assert (changed.landmarks[0], changed.retired) == (Landmark("Caput_L", "left"), ())


def test_a_command_changes_them_and_shows_what_they_are(dataset, capsys):
    changes = ["--add", "Sacrum; its tip", "--rename", "Head_L", "Caput_L", "--retire", "Pubis"]
    assert main(["dataset", "landmarks", str(dataset), *changes]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [
        "New, and not judged in earlier cases: Sacrum.",
        "'Head_L' is now called 'Caput_L'.",
    ]
    assert told[3:] == ["Caput_L (formerly Head_L): left", "Head_R", "Sacrum: its tip"]
    assert main(["dataset", "landmarks", str(dataset), "--retire", "Knee"]) != 0
    assert "'Knee' is not one of the landmarks" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        {"landmarks": [{"name": "A", "formerly": "B"}]},
        {"landmarks": [{"name": "A", "formerly": [3]}]},
        {"landmarks": [{"name": "A", "formerly": ["B"]}, {"name": "B"}]},
        {"landmarks": [{"name": "A"}], "retired": "B"},
        {"landmarks": [{"name": "A"}], "retired": [{"name": "A"}]},
        {"landmarks": [{"name": "A"}], "retired": [{"definition": "of nothing"}]},
    ],
)
def test_a_damaged_history_of_names_is_refused_and_never_guessed_at(dataset, damage):
    path = dataset / "dataset.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "landmark_set": damage}))
    with pytest.raises(DatasetError, match="no usable landmark set"):
        read_landmark_set(dataset)
    assert check_dataset(dataset) != []
