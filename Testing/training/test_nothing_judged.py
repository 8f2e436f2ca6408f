"""A judgement of nothing is no success: the commands end with a sentence and their own exit code."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.judging.evaluation import evaluate
from landmark_training.commands import cross_validate, judging

PLACED = Annotation({"A": Point(PointState.PLACED, (1, 2, 3))})
ABSENT = Annotation({"A": Point(PointState.ABSENT)})


def evaluation(predicted):
    return evaluate([("case", predicted, PLACED)])


def report(*predicted):
    judgements = [
        SimpleNamespace(evaluation=evaluation(each), model=SimpleNamespace(name=f"model {n}"))
        for n, each in enumerate(predicted)
    ]
    return SimpleNamespace(judgements=judgements)


def test_a_page_about_a_model_that_finds_nothing_is_no_success(capsys):
    assert judging._code(report(PLACED)) == 0
    assert judging._code(report(PLACED, ABSENT)) == 1
    assert "Nothing was compared: 'model 1' finds none" in capsys.readouterr().err


def test_a_cross_validation_of_models_that_find_nothing_is_no_success(capsys):
    assert cross_validate._code(evaluation(PLACED)) == 0
    assert cross_validate._code(evaluation(ABSENT)) == 1
    assert "Nothing was compared" in capsys.readouterr().err
