"""What was done of what was planned is said wherever a model is spoken of."""

import json
import re
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap import cli as core_cli
from landmark_heatmap.errors import TrainingError
from landmark_heatmap.model.model_file import read_description
from landmark_training import progress
from landmark_training.cli import main
from landmark_training.fit import Stopped, fit, resume
from landmark_training.learning.clock import Clock
from landmark_training.learning.coarse import CoarseTask
from training_examples import TINY, make_eyes, stops_after, write_pairs

WITH_FINE = replace(TINY, fine=True, spacing_mm=(4.0,))


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("eyes"), make_eyes, 8)


def quiet(line):
    pass


def outcome_of(run):
    return read_description(run / "model.safetensors").training["outcome"]


def test_ctrl_c_before_the_first_validation_leaves_no_model(eyes, tmp_path, monkeypatch, capsys):
    go_on = stops_after(monkeypatch, 3)
    run = tmp_path / "run"
    settings = json.dumps(TINY.to_json())
    (tmp_path / "settings.json").write_text(settings)
    arguments = ["--data", str(eyes), "--output", str(run), "--config"]
    assert main(["fit", *arguments, str(tmp_path / "settings.json")]) == 130
    told = capsys.readouterr().out
    assert "No model is kept." in told
    assert f"landmark-train fit --resume {run}" in told
    assert "The model:" not in told
    assert not list(run.glob("*.safetensors"))
    go_on()
    assert main(["fit", "--resume", str(run)]) == 0
    assert "Done: 3 of 3 coarse epochs" in capsys.readouterr().out


def test_a_model_that_nothing_was_held_out_for_says_that_it_was_never_validated(eyes, tmp_path):
    said = []
    fit([eyes], tmp_path / "run", replace(TINY, validation_share=0.0), say=said.append)
    outcome = outcome_of(tmp_path / "run")
    assert outcome["validated_on_cases"] == 0
    assert any("never validated: no case was held out" in line for line in said)
    assert any("never validated" in line for line in outcome["summary"])
    assert f"To judge it: landmark-train report {tmp_path / 'run'} --data CASES..." in said


def test_the_epoch_that_is_kept_is_said_and_not_the_last(eyes, tmp_path, monkeypatch):
    scores = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(
        CoarseTask, "validate", lambda *_: {"mre_mm": (score := next(scores)), "score": score}
    )
    fit([eyes], tmp_path / "run", TINY, say=quiet)
    outcome = outcome_of(tmp_path / "run")
    assert outcome["kept"] == {"stage": "coarse", "epoch": 2, "steps": 8}
    assert outcome["stages"]["coarse"]["epochs"] == 3
    assert outcome["summary"][0].startswith(
        "Kept: the coarse stage of epoch 2, validation MRE 1 mm"
    )
    assert outcome["ended"] == "all epochs were done"


def test_the_last_epoch_is_kept_where_an_earlier_one_was_better_by_noise_alone(
    eyes, tmp_path, monkeypatch
):
    scores = iter([[2.0, 4.0], [1.0, 2.0], [1.2, 1.9]])
    monkeypatch.setattr(
        CoarseTask,
        "validate",
        lambda *_: {"score": sum(of := next(scores)) / 2, "score_of_cases": of},
    )
    fit([eyes], tmp_path / "run", replace(TINY, validation_share=0.25), say=quiet)
    assert outcome_of(tmp_path / "run")["kept"] == {"stage": "coarse", "epoch": 3, "steps": 12}


def test_minutes_without_epochs_promise_no_number_of_epochs(eyes, tmp_path, monkeypatch):
    monkeypatch.setattr(
        Clock, "share", lambda self, steps: min(1.0, steps / 270) if self.ends else 0.0
    )
    monkeypatch.setattr(Clock, "is_to_validate", lambda self, steps, _: self.share(steps) >= 1)
    said, config = [], replace(TINY, epochs=None, minutes=60.0)
    fit([eyes], tmp_path / "run", config, say=said.append)
    outcome = outcome_of(tmp_path / "run")
    assert outcome["stages"]["coarse"]["epochs"] == 68
    assert outcome["stages"]["coarse"]["epochs_planned"] is None
    assert outcome["ended"] == "the time was over"
    assert any("Done: 68 coarse epochs, in" in line for line in said)
    assert any("The coarse stage's epochs take about" in line for line in said)
    assert not any("inf" in line for line in said)


def test_without_minutes_and_epochs_sixty_are_planned(eyes, tmp_path, monkeypatch):
    stops_after(monkeypatch, 5)
    with pytest.raises(Stopped):
        fit([eyes], tmp_path / "run", replace(TINY, epochs=None), say=quiet)
    assert outcome_of(tmp_path / "run")["stages"]["coarse"]["epochs_planned"] == 60


def test_a_run_that_is_stopped_says_that_it_was_and_not_that_nothing_was_held_out(
    eyes, tmp_path, monkeypatch
):
    said = []
    stops_after(monkeypatch, 5)
    with pytest.raises(Stopped):
        fit([eyes], tmp_path / "run", TINY, say=said.append)
    assert any("Not calibrated: it was stopped before that" in line for line in said)
    assert not any("no case was held out" in line for line in said)


def test_a_model_of_a_run_that_was_killed_says_that_training_was_going_on(
    eyes, tmp_path, monkeypatch
):
    stops_after(monkeypatch, 6, error=RuntimeError("as if killed"))
    with pytest.raises(RuntimeError):
        fit([eyes], tmp_path / "run", TINY, say=quiet)
    outcome = outcome_of(tmp_path / "run")
    assert outcome["ended"] == "training was still going on"
    assert outcome["stages"]["coarse"]["epochs"] == 1
    assert outcome["stages"]["coarse"]["epochs_planned"] == 3


@pytest.mark.parametrize(
    ("steps", "fine_stage"), [(6, "not trained"), (3 * 4 + 2, "left out|not trained|kept")]
)
def test_a_stopped_run_says_what_became_of_its_fine_stage(
    eyes, tmp_path, monkeypatch, steps, fine_stage
):
    go_on = stops_after(monkeypatch, steps)
    said = []
    with pytest.raises(Stopped):
        fit([eyes], tmp_path / "run", WITH_FINE, say=said.append)
    outcome = outcome_of(tmp_path / "run")
    assert re.match(fine_stage, outcome["fine_stage"])
    assert outcome["ended"] == "it was stopped by the user"
    assert any(f"The fine stage: {outcome['fine_stage']}." in line for line in said)
    go_on()
    resume(tmp_path / "run", quiet)
    assert outcome_of(tmp_path / "run")["ended"] == "all epochs were done"


def test_a_fine_stage_that_is_no_better_is_left_out_and_that_is_said(eyes, tmp_path, monkeypatch):
    from landmark_training.learning.fine import FineTask

    monkeypatch.setattr(FineTask, "validate", lambda *_: {"mre_mm": 9.0, "score": 1e9})
    model = fit([eyes], tmp_path / "run", WITH_FINE, say=quiet)
    description = read_description(model)
    assert len(description.stages) == 1
    outcome = description.training["outcome"]
    assert outcome["fine_stage"] == "left out, it made the validation no better"
    assert outcome["kept"]["stage"] == "coarse"
    assert outcome["stages"]["fine"]["epochs"] == 3


def test_minutes_that_are_over_before_the_first_step_make_no_model(eyes, tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match=r"The 1e-05 minutes were over before the first step"):
        fit([eyes], tmp_path / "run", replace(TINY, minutes=1e-5), say=quiet)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_run_whose_time_was_over_says_so_and_leaves_no_fine_stage_begun(
    eyes, tmp_path, monkeypatch
):
    monkeypatch.setattr(Clock, "share", lambda self, steps: 1.0 if steps >= 5 else 0.1)
    monkeypatch.setattr(Clock, "allows", lambda self, validations: False)
    said = []
    fit([eyes], tmp_path / "run", replace(WITH_FINE, minutes=60.0), say=said.append)
    outcome = outcome_of(tmp_path / "run")
    assert outcome["ended"] == "the time was over"
    assert outcome["stages"]["coarse"]["steps"] == 5
    assert outcome["fine_stage"] == "not trained"
    assert any("2 of 3 coarse epochs, 0 of 3 fine epochs" in line for line in said)
    assert any("fit --from" in line for line in said)


def test_a_validation_that_is_left_out_to_save_time_is_said_and_recorded(
    eyes, tmp_path, monkeypatch
):
    monkeypatch.setattr(Clock, "is_to_validate", lambda *_: False)
    said = []
    fit([eyes], tmp_path / "run", TINY, say=said.append)
    lines = [line for line in said if line.startswith("coarse epoch")]
    assert ["not validated" in line for line in lines] == [True, True, False]
    rows = (tmp_path / "run" / "progress.csv").read_text(encoding="utf-8").splitlines()
    assert len({row.count(",") for row in rows}) == 1
    assert outcome_of(tmp_path / "run")["kept"]["epoch"] == 3


def test_describe_and_the_report_say_what_came_of_it(eyes, tmp_path, capsys):
    fit([eyes], tmp_path / "run", TINY, say=quiet)
    assert core_cli.main(["describe", str(tmp_path / "run" / "model.safetensors")]) == 0
    summary = json.loads(capsys.readouterr().out)["training"]["outcome"]["summary"]
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for line in summary:
        assert line in page


def test_a_log_that_hears_nothing_gets_a_line_that_says_what_is_done(capsys, monkeypatch):
    with progress.shown():
        line = progress._shown
        assert list(progress.each("abc", "reading images")) == ["a", "b", "c"]
        progress.reached(0.25, 3600)
        line.draw()
        assert "reading" not in capsys.readouterr().err  # something was heard just now
        line.heard -= 10
        line.draw()
        told = capsys.readouterr().err
        assert "25 %" in told
        assert "60 min left" in told
        assert "reading images, 3 of 3" in told
        with progress.shown():
            assert progress._shown is line
    assert progress._shown is None
    progress.doing("nothing is shown, and nothing fails")


@pytest.mark.parametrize(
    ("seconds", "told"), [(3, "3 s"), (99, "99 s"), (720, "12 min"), (12000, "3 h 20 min")]
)
def test_a_time_is_told_in_words(seconds, told):
    assert progress.duration(seconds) == told
