"""What a label says without saying it plainly is told in the same words, whoever reads the cases."""

import json

import pytest

pytest.importorskip("torch")

from dots import SeesDots, write_cases, write_untrained
from landmark_training import recalibrate
from landmark_training.checking.check import check
from landmark_training.data.prepare import planned
from landmark_training.judging import judge as judge_module
from landmark_training.judging.judge import How, choose_cases, judge
from landmark_training.judging.report import Report
from landmark_training.planning.config import TrainConfig

AS_PLACED = "Read as placed: 'preview' with a position (2)."
OUTSIDE = "1 point lies outside its image and counts as absent: Eye_L (case-1)."


@pytest.fixture
def cases(tmp_path, monkeypatch):
    """A folder: of the first case two points are a 'preview', of the second one lies outside."""
    monkeypatch.setattr(judge_module, "Predictor", SeesDots)
    folder = write_cases(tmp_path / "data", 6)
    for name, change in (
        ("case-0", {"positionStatus": "preview"}),
        ("case-1", {"position": [700, 3, 0]}),
    ):
        path = folder / f"{name}.mrk.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        points = {p["label"]: p for p in document["markups"][0]["controlPoints"]}
        for label in ("Eye_L", "Eye_R")[: 2 if name == "case-0" else 1]:
            points[label].update(change)
        path.write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_before_a_training(cases):
    told = []
    planned([cases], TrainConfig(precision="float32"), say=told.append)
    assert AS_PLACED in told and OUTSIDE in told


def test_beside_the_mistakes_of_which_one_is_the_point_outside(cases):
    found = check([cases])
    assert AS_PLACED in found.notes
    assert [(each.case, each.landmarks) for each in found.findings if each.kind == "outside"] == [
        ("case-1", ("Eye_L",))
    ]


def test_beside_the_figures(cases, tmp_path):
    model = write_untrained(tmp_path / "m.safetensors")
    judged = judge(model, choose_cases([cases]), How(resamples=50))
    # Of two models that are compared it is told once.
    report = Report((judged, judged), tuple(choose_cases([cases])), None, "cpu")
    assert [report.warnings.count(each) for each in (AS_PLACED, OUTSIDE)] == [1, 1]


def test_when_a_model_is_calibrated(cases, tmp_path):
    model = write_untrained(tmp_path / "m.safetensors")
    told = recalibrate.write_calibrated(model, [cases], tmp_path / "new.safetensors", "cpu")
    assert AS_PLACED in told and OUTSIDE in told
