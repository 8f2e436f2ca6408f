"""What a true training tells those who look from elsewhere, and that it ends when they ask."""

import sys
import time

import pytest

pytest.importorskip("torch")

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.model.model_file import read_description
from landmark_heatmap.runs.command import Fit
from landmark_heatmap.runs.live import (
    CASES,
    CURVE,
    LOG,
    LiveState,
    ask_to_stop,
    folder_of,
    read_live,
)
from landmark_heatmap.runs.run import TrainingRun, begin
from landmark_training.cli import main
from landmark_training.live import Live, told_in
from landmark_training.progress import each, note, settled, shown
from training_examples import make_eyes, write_pairs

SMALL = ["steps_per_epoch=4", "spacing_mm=[2]", "features=[4,8]", "batch_size=2", "device=cpu"]
FINE = ["fine_features=[4,8]", "crop_size=[16]", "crops_per_image=2", "joint_features=4"]
WORDS = [*SMALL, *FINE, "fine=true", "precision=float32", "validation_share=0.4"]
# landmark-train, with settings that let a network be trained in a second.
TINY = (
    "import sys; from landmark_training.cli import main; words = sys.argv[1:]; "
    f"more = [] if '--resume' in words else ['--set', *{WORDS!r}, 'epochs=EPOCHS']; "
    "sys.exit(main([*words, *more]))"
)


def how(epochs):
    return {"python": sys.executable, "command": ["-c", TINY.replace("EPOCHS", str(epochs))]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("eyes"), make_eyes, 6)


def until(condition, seconds=600.0):
    """seconds: after which it is taken to hang; what trains lets everything else go first."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_training_is_followed_to_its_end_and_compared_with_the_model_before(data, tmp_path):
    first = begin(Fit(str(data), str(tmp_path / "first"), name="First"), **how(1))
    until(lambda: not first.look().goes_on)
    state = first.look()
    assert state.state == "finished", first.log()
    assert (state.stage, state.epoch) == ("fine", 1)
    assert state.mre > 0 and any("batches of 2" in reason for reason in state.reasons)
    for name in (CURVE, CASES):
        assert first.picture(name).read_bytes().startswith(b"\x89PNG")
    said = (folder_of(first.folder) / LOG).read_text(encoding="utf-8")
    assert "cannot be drawn" not in said
    assert read_description(first.model_path).name == "First"
    second = begin(Fit(str(data), str(tmp_path / "second"), str(first.model_path)), **how(1))
    until(lambda: not second.look().goes_on)
    verdict, sentence = second.comparison()
    assert verdict in ("better", "worse", "mixed", "undecided") and "the one before" in sentence


def test_a_training_that_is_asked_to_stop_keeps_the_best_and_goes_on_when_asked(data, tmp_path):
    run = begin(Fit(str(data), str(tmp_path / "run")), **how(400))
    until(lambda: run.look().epoch >= 2)
    run.cancel()
    until(lambda: not run.look().goes_on)
    state = run.look()
    assert state.state == "cancelled" and "To go on" in run.log()
    outcome = read_description(run.model_path).training["outcome"]
    assert outcome["ended"] == "it was stopped by the user"
    until(lambda: run.is_left)
    run.resume(**how(400))
    until(lambda: run.look().epoch > state.epoch)
    run.cancel()
    until(lambda: not run.look().goes_on)
    assert run.look().state == "cancelled"


def test_data_that_cannot_be_used_are_told_with_the_reason(tmp_path):
    (tmp_path / "empty").mkdir()
    run = begin(Fit(str(tmp_path / "empty"), str(tmp_path / "run")), **how(1))
    until(lambda: not run.look().goes_on)
    assert run.look().state == "failed" and "empty" in run.look().error
    assert run.model_path is None and not run.can_resume


def test_a_run_of_the_command_line_is_told_of_as_well(data, tmp_path, capsys):
    words = ["fit", "--data", str(data), "--output", str(tmp_path / "run"), "--set", *WORDS]
    assert main([*words, "epochs=1"]) == 0
    assert TrainingRun(tmp_path / "run").look().state == "finished"
    # What is in the way is refused as ever, and the run that is there keeps its word.
    assert main([*words, "epochs=1"]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert TrainingRun(tmp_path / "run").look().state == "finished"


def test_the_plan_says_what_fit_would_do_and_does_nothing(data, tmp_path, capsys):
    before = sorted(path.name for path in data.iterdir())
    # Where the precision is not stated it is measured, and with it how long a step takes.
    words = ["plan", "--data", str(data), "--minutes", "2", "--set", *WORDS, "precision=auto"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "4 cases to train on, 2 to judge by" in told
    assert "batches of 2" in told and "that the time allows" in told
    assert sorted(path.name for path in data.iterdir()) == before
    assert main(["plan"]) == 2
    assert "--data" in capsys.readouterr().err


def test_without_held_out_cases_the_plan_says_what_that_means(data, capsys):
    words = ["plan", "--data", str(data), "--set", *SMALL, "validation_share=0"]
    assert main([*words, "epochs=3"]) == 0
    told = capsys.readouterr().out
    assert "will not be known" in told and "about 3 epochs" in told


def test_what_is_done_is_told_in_the_folder_and_a_request_ends_it(tmp_path):
    folder_of(tmp_path).mkdir()
    with pytest.raises(KeyboardInterrupt), told_in(tmp_path) as live, shown(live=live):
        note(epoch=3)
        for number in each(range(100_000), "counting"):
            if number == 3:
                ask_to_stop(tmp_path)
            time.sleep(0.01)
    state = read_live(tmp_path)
    assert (state.state, state.epoch) == ("cancelled", 3)
    assert not (folder_of(tmp_path) / "stop").exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DatasetError("A case is bad."), "A case is bad."),
        (MemoryError(), "There is not enough memory."),
        (OSError(28, "No space left", "model"), "the disk is full"),
        (RuntimeError("CUDA out of memory\nat line 3"), "RuntimeError: CUDA out of memory"),
    ],
)
def test_every_failure_is_told_in_a_sentence(tmp_path, error, told):
    folder_of(tmp_path).mkdir()
    with pytest.raises(type(error)), told_in(tmp_path):
        raise error
    state = read_live(tmp_path)
    assert state.state == "failed" and told in state.error and "\n" not in state.error


def test_nothing_is_told_before_the_folder_is_the_runs_own(tmp_path):
    with told_in(tmp_path) as live, shown(live=live):
        live.tell("looking", 0.5, None)
        assert list(tmp_path.iterdir()) == []
        settled()
        assert read_live(tmp_path).state == "running"


def test_who_comes_second_does_not_speak_for_who_trains_there(tmp_path):
    folder_of(tmp_path).mkdir()
    first, second = Live(tmp_path), Live(tmp_path)
    first.settle()
    first.note(epoch=7)
    second.settle()
    second.end("failed", "another process trains there")
    first.end("finished")
    assert read_live(tmp_path) == LiveState(**{**vars(read_live(tmp_path)), "epoch": 7})
    assert read_live(tmp_path).state == "finished"
    first.close()
    second.close()
