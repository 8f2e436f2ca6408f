"""Points beside what a model says that has not seen the case."""

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.model.description import ModelIdentity
from landmark_training.checking import by_model
from landmark_training.checking.by_model import compare
from landmark_training.checking.finding import EXCHANGED, FRAME, OFF
from landmark_training.checking.gather import Looked
from landmark_training.data.cases import Case

NAMES = ("A", "B", "C", "D", "E")
AT = np.array([[10, 10, 10], [40, 10, 10], [10, 40, 10], [10, 10, 40], [40, 40, 40]], float)
GRID = Grid((50, 50, 50), np.eye(4))


def prediction(within=2.0, presence=1.0):
    doubt = Doubt(within / 2, 0.9, within)
    points = tuple(
        LandmarkPrediction(n, at, presence, 1.0, None, None, doubt) for n, at in zip(NAMES, AT)
    )
    model = ModelIdentity("m", "1", "0" * 64)
    return Prediction(LandmarkSet(tuple(map(Landmark, NAMES))), points, GRID, model)


def label(at):
    return Annotation({n: Point(PointState.PLACED, tuple(p)) for n, p in zip(NAMES, at)})


def moved(*changes):
    at = AT.copy()
    for index, by in changes:
        at[index] += by
    return at


def test_what_is_within_the_models_claim_or_a_little_beyond_is_no_finding():
    assert compare("c", label(moved((0, [2.5, 0, 0]))), prediction()) == []


def test_a_point_far_beyond_the_claim_is_told_with_distance_and_claim():
    [finding] = compare("c", label(moved((1, [0, 9, 0]))), prediction())
    assert (finding.kind, finding.landmarks, finding.size) == (OFF, ("B",), pytest.approx(9))
    assert "90 %: within 2.0 mm" in finding.reason


def test_the_same_distance_is_no_finding_where_the_model_doubts_as_much():
    assert compare("c", label(moved((1, [0, 9, 0]))), prediction(within=6.0)) == []


def test_an_exchange_is_told_as_one():
    [finding] = compare("c", label(AT[[0, 2, 1, 3, 4]]), prediction())
    assert finding.kind == EXCHANGED and finding.landmarks == ("B", "C")


def test_all_points_off_by_the_same_are_another_frame_with_the_shift():
    [finding] = compare("c", label(AT + [0, 0, 8]), prediction())
    assert finding.kind == FRAME and "0.00 0.00 8.00 mm" in finding.reason and not finding.landmarks


def test_of_a_landmark_that_the_model_takes_for_absent_nothing_is_said():
    assert compare("c", label(moved((1, [0, 9, 0]))), prediction(presence=0.1)) == []


def test_cases_that_the_model_was_trained_on_are_left_out_and_counted(monkeypatch):
    class Stand:
        description = None

        def __init__(self, *_):
            pass

        def predict(self, image):
            return prediction()

    monkeypatch.setattr(by_model, "Predictor", Stand)
    monkeypatch.setattr(by_model, "known_to", lambda *_: ({"id-seen"}, {"id-chosen"}, []))
    monkeypatch.setattr(by_model, "read_image", lambda path: None)
    wrong = label(moved((1, [0, 9, 0])))
    looked = [
        Looked(Case(name, None, wrong), GRID, f"id-{name}", frozenset({f"id-{name}"}))
        for name in ("seen", "chosen", "new")
    ]
    findings, [note] = by_model.find_by_model("model", looked)
    assert [each.case for each in findings] == ["new"]
    assert "has seen 2 of the 3 cases" in note
