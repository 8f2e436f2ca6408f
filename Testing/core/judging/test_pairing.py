"""Which prediction is compared with which reference."""

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.errors import AnnotationError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.judging.evaluation import Outcome, evaluate
from landmark_heatmap.judging.pairing import pair_annotations
from landmark_heatmap.model.description import ModelIdentity


def annotated(x, state=PointState.PLACED):
    return Annotation({"A": Point(state, (x, 0, 0))})


def prediction_at(x):
    image = Image(np.zeros((2, 2, 2), np.float32), np.eye(4))
    point = LandmarkPrediction("A", np.array([x, 0.0, 0.0]), 1.0, 1.0, image)
    identity = ModelIdentity("Test", "1", "0" * 64)
    return Prediction(LandmarkSet((Landmark("A"),)), (point,), image.grid, identity)


def write(path, x, state=PointState.PLACED):
    path.parent.mkdir(exist_ok=True)
    if path.name.endswith(".mrk.json"):
        write_annotation(path, annotated(x, state))
    else:
        path.write_text(f"label,l,p,s\nA,{x},0,0\n")


def test_two_files_are_compared_whatever_their_names(tmp_path):
    write(tmp_path / "mine.mrk.json", 1)
    write(tmp_path / "truth.csv", 2)
    ((name, mine, truth),) = pair_annotations(tmp_path / "mine.mrk.json", tmp_path / "truth.csv")
    assert name == "truth"
    assert mine.points["A"].position_lps[0] == 1 and truth.points["A"].position_lps[0] == 2


def test_folders_are_matched_by_name_without_the_extension(tmp_path):
    write(tmp_path / "predictions" / "a.b.mrk.json", 1)
    write(tmp_path / "predictions" / "extra.mrk.json", 2)
    write(tmp_path / "references" / "a.b.csv", 3)
    write(tmp_path / "references" / "lost.csv", 4)
    (tmp_path / "references" / "readme.txt").write_text("no annotation")
    (tmp_path / "references" / "._a.b.csv").write_text("hidden")
    pairs = pair_annotations(tmp_path / "predictions", tmp_path / "references")
    assert [name for name, _, _ in pairs] == ["a.b", "lost", "extra"]
    found = [(mine is not None, truth is not None) for _, mine, truth in pairs]
    assert found == [(True, True), (False, True), (True, False)]
    evaluation = evaluate(pairs)
    assert evaluation.overall.counts[Outcome.MISSED] == 1
    assert evaluation.ignored == ("extra",)


def test_a_file_is_found_in_a_folder_by_its_name(tmp_path):
    write(tmp_path / "predictions" / "a.mrk.json", 1)
    write(tmp_path / "a.csv", 2)
    ((name, mine, truth),) = pair_annotations(tmp_path / "predictions", tmp_path / "a.csv")
    assert name == "a" and mine is not None and truth is not None


def test_no_pair_at_all_is_an_error_that_names_what_was_there(tmp_path):
    write(tmp_path / "predictions" / "a.mrk.json", 1)
    write(tmp_path / "references" / "b.csv", 1)
    with pytest.raises(AnnotationError, match=r"No name is both .*\(a\).*\(b\)"):
        pair_annotations(tmp_path / "predictions", tmp_path / "references")


def test_two_files_for_one_case_are_refused(tmp_path):
    write(tmp_path / "predictions" / "a.mrk.json", 1)
    write(tmp_path / "predictions" / "a.csv", 1)
    with pytest.raises(AnnotationError, match=r"a\.csv.*a\.mrk\.json"):
        pair_annotations(tmp_path / "predictions", tmp_path / "predictions")


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match="no file or folder"):
        pair_annotations(tmp_path / "nowhere", tmp_path)
    with pytest.raises(AnnotationError, match="holds no annotations"):
        pair_annotations(tmp_path, tmp_path)


def test_a_dataset_counts_with_its_newest_revisions(tmp_path):
    landmarks = LandmarkSet((Landmark("A"),))
    create_dataset(tmp_path / "data", landmarks)
    for x in (1, 2):
        add_case(
            tmp_path / "data", "a", None, annotated(x),
            CaseRecord({"A": Review.CORRECTED}),
        )  # fmt: skip
    write(tmp_path / "predictions" / "a.mrk.json", 5, PointState.PREDICTED)
    evaluation = evaluate(pair_annotations(tmp_path / "predictions", tmp_path / "data"))
    assert evaluation.cases[0].errors_mm == {"A": 3.0}
    swapped = evaluate(pair_annotations(tmp_path / "data", tmp_path / "data"))
    assert swapped.overall.mean_mm.value == 0


def test_a_prediction_in_hand_is_compared_with_an_annotation_in_hand():
    ((name, mine, truth),) = pair_annotations(prediction_at(1), annotated(3))
    assert name == "case" and truth == annotated(3)
    assert mine.points["A"].state is PointState.PREDICTED
    assert evaluate([(name, mine, truth)]).overall.mean_mm.value == 2


def test_a_prediction_in_hand_is_compared_with_a_file(tmp_path):
    write(tmp_path / "a.mrk.json", 4)
    ((name, _, truth),) = pair_annotations(prediction_at(1), str(tmp_path / "a.mrk.json"))
    assert (name, truth.points["A"].position_lps[0]) == ("a", 4)


def test_a_dict_is_matched_with_a_folder_by_name(tmp_path):
    write(tmp_path / "references" / "a.mrk.json", 4)
    write(tmp_path / "references" / "b.mrk.json", 5)
    pairs = pair_annotations({"b": prediction_at(1), "c": annotated(2)}, tmp_path / "references")
    assert [(name, mine is None, truth is None) for name, mine, truth in pairs] == [
        ("a", True, False),
        ("b", False, False),
        ("c", False, True),
    ]


def test_a_dict_may_hold_paths(tmp_path):
    write(tmp_path / "x.mrk.json", 4)
    ((_, mine, truth),) = pair_annotations({"a": annotated(1)}, {"a": tmp_path / "x.mrk.json"})
    assert mine == annotated(1) and truth.points["A"].position_lps[0] == 4


def test_lists_are_matched_in_order():
    pairs = pair_annotations([prediction_at(1), prediction_at(2)], [annotated(1), annotated(4)])
    assert evaluate(pairs).overall.mean_mm.value == 1


def test_lists_of_paths_are_matched_by_name_whatever_their_order(tmp_path):
    for folder in ("predictions", "references"):
        for name, x in (("a", 1), ("b", 2)):
            write(tmp_path / folder / f"{name}.mrk.json", x)
    forwards = sorted((tmp_path / "predictions").iterdir())
    backwards = sorted((tmp_path / "references").iterdir(), reverse=True)
    assert evaluate(pair_annotations(forwards, backwards)).overall.mean_mm.value == 0
    assert len(pair_annotations(forwards, tmp_path / "references")) == 2


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(AnnotationError, match="2 predictions .* 1 references"):
        pair_annotations([annotated(1), annotated(2)], [annotated(1)])


def test_cases_without_names_are_not_guessed_into_those_that_have_some(tmp_path):
    write(tmp_path / "references" / "a.mrk.json", 4)
    for nameless in (prediction_at(1), [prediction_at(1)]):
        for named in (tmp_path / "references", {"a": annotated(1)}):
            with pytest.raises(AnnotationError, match="dict of names"):
                pair_annotations(nameless, named)
            with pytest.raises(AnnotationError, match="dict of names"):
                pair_annotations(named, nameless)


@pytest.mark.parametrize("strange", [7, None, [7], {"a": 7}])
def test_what_can_be_no_case_is_told_by_its_type(strange):
    with pytest.raises(AnnotationError, match="int|NoneType"):
        pair_annotations(
            strange, {"a": annotated(1)} if isinstance(strange, dict) else annotated(1)
        )
