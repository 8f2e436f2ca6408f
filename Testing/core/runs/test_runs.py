"""Trainings as processes of their own: begun, watched, ended, found again; nothing is trained here."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from training_stand_in import LET_GO

from landmark_heatmap.errors import TrainingError
from landmark_heatmap.runs import live, process
from landmark_heatmap.runs import run as run_module
from landmark_heatmap.runs.command import Fit, folder_for_run
from landmark_heatmap.runs.foresight import Foresight
from landmark_heatmap.runs.live import LiveState, read_live, write_live
from landmark_heatmap.runs.run import TrainingRun, begin
from places import SUPPORT

HOW = {"python": sys.executable, "command": [SUPPORT / "training_stand_in.py"]}


def until(condition, seconds=60.0):
    """seconds: after which it is taken to hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(run):
    until(lambda: not run.look().goes_on)
    return run.look()


@pytest.fixture
def start(tmp_path):
    """Begins a training that does what this word says; those that go on are ended after the test."""
    begun = []

    def begin_it(what):
        (tmp_path / what).mkdir(exist_ok=True)
        output = folder_for_run(tmp_path / what)
        begun.append(begin(Fit(str(tmp_path / what), str(output), minutes=5), **HOW))
        return begun[-1]

    yield begin_it
    for run in begun:
        if run.look() is not None and run.look().goes_on:
            run.cancel()
            ended(run)
        if not run.is_left:
            (live.folder_of(run.folder) / LET_GO).touch()
            until(lambda run=run: run.is_left)


def test_a_training_says_with_what_it_was_begun_and_how_it_ended(start, tmp_path):
    run = start("quick")
    state = ended(run)
    assert (state.state, state.share, state.mre, state.kept_mre) == ("finished", 1.0, 2.5, 2.25)
    begun = run.begun
    assert begun.data == str(tmp_path / "quick") and begun.minutes == 5
    assert begun.pid == run._process.pid and abs(begun.started - time.time()) < 600
    assert shlex.split(begun.command)[:2] == ["landmark-train", "fit"]
    assert run.model_path.is_file()
    assert run.comparison()[0] == "better"
    assert run.picture(live.CURVE).is_file() and run.picture("other.png") is None


def test_it_is_found_again_by_its_folder_alone(start):
    run = start("slow")
    until(lambda: TrainingRun(run.folder).look().share == 0.5)
    again = TrainingRun(run.folder)
    assert again.look().goes_on and again.begun == run.begun
    again.cancel()
    assert ended(again).state == "cancelled"
    assert again.model_path is not None and again.can_resume


def test_it_outlives_who_began_it(tmp_path):
    (tmp_path / "slow").mkdir()
    code = (
        "import sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from landmark_heatmap.runs.command import Fit\n"
        "from landmark_heatmap.runs.run import begin\n"
        f"begin(Fit({str(tmp_path / 'slow')!r}, {str(tmp_path / 'run')!r}), python=sys.executable,"
        f" command=[{str(HOW['command'][0])!r}])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    run = TrainingRun(tmp_path / "run")
    until(lambda: run.look().share == 0.5)
    run.cancel()
    assert ended(run).state == "cancelled"


@pytest.mark.skipif(os.name == "nt", reason="there it is given with the start")
def test_it_lets_others_go_first(start):
    run = start("slow")
    own, last = os.getpriority(os.PRIO_PROCESS, 0), 19
    assert own < os.getpriority(os.PRIO_PROCESS, run.begun.pid) or own == last


def test_it_is_cancelled_also_where_ctrl_c_is_ignored(start):
    """As in what a script has started in the background, Slicer among it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = start("slow")
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: run.look().share == 0.5)
    run.cancel()
    assert ended(run).state == "cancelled"


def test_what_is_cancelled_can_be_resumed_and_not_while_it_goes_on(start):
    run = start("slow")
    until(lambda: run.can_resume and run.look().share == 0.5)
    with pytest.raises(TrainingError, match="goes on already"):
        TrainingRun(run.folder).resume(**HOW)
    assert not run.is_left
    run.cancel()
    ended(run)
    until(lambda: run.is_left)
    # A request that came too late for the process before is none for the next.
    run.cancel()
    assert ended(run.resume(**HOW)).state == "finished"


def test_it_is_not_resumed_before_the_process_that_was_cancelled_is_gone(start):
    run = start("late")
    until(lambda: run.can_resume and run.look().share == 0.5)
    run.cancel()
    assert ended(run).state == "cancelled"
    # Neither by whoever began it, nor by whoever found it.
    for each in (run, TrainingRun(run.folder)):
        assert each.can_resume and not each.is_left
        with pytest.raises(TrainingError, match="still ending. Try again in a moment"):
            each.resume(**HOW)
    assert read_live(run.folder).state == "cancelled"
    (live.folder_of(run.folder) / LET_GO).touch()
    until(lambda: run.is_left)
    assert ended(run.resume(**HOW)).state == "finished"


def test_why_it_failed_is_told_and_what_never_began_cannot_be_resumed(start):
    run = start("bad")
    state = ended(run)
    assert (state.state, state.error) == ("failed", "These cases cannot be used: a.")
    with pytest.raises(TrainingError, match="begin it again"):
        run.resume(**HOW)


def test_a_process_that_died_is_told_as_interrupted_with_its_last_words(start):
    run = start("crash")
    assert (ended(run).state, run.look().error) == ("interrupted", "Segmentation fault")
    assert TrainingRun(run.folder).look().state == "interrupted"


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal")
def test_one_that_was_killed_is_seen_to_be_gone_and_goes_on_when_asked(start):
    run = start("slow")
    until(lambda: run.look().share == 0.5)
    os.kill(run.begun.pid, signal.SIGKILL)
    # Whoever has not started it knows it by the lock, which goes with the process.
    until(lambda: TrainingRun(run.folder).look().state == "interrupted")
    assert ended(TrainingRun(run.folder).resume(**HOW)).state == "finished"


def test_nothing_of_the_users_is_trained_over(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(TrainingError, match="not empty"):
        begin(Fit(str(tmp_path / "run"), str(tmp_path / "run")), **HOW)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_dataset_that_is_not_there_is_told_before_anything_is_made(tmp_path):
    with pytest.raises(TrainingError, match="no folder '.*typo'"):
        begin(Fit(str(tmp_path / "typo"), str(tmp_path / "typo-run")), **HOW)
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_is_not_there_is_told_and_leaves_nothing(tmp_path):
    with pytest.raises(TrainingError, match="no-python"):
        begin(Fit(str(tmp_path), str(tmp_path / "run")), python="/no-python")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(TrainingError, match="locked"):
        begin(Fit(str(tmp_path), str(tmp_path / "locked" / "run")), **HOW)


def test_what_would_be_done_is_told_or_why_it_cannot(tmp_path):
    answers = {}
    for what in ("quick", "bad"):
        question = Foresight(Fit(str(tmp_path / what), "", minutes=7, device="cpu"), **HOW)
        until(lambda q=question, w=what: answers.setdefault(w, q.poll()) or answers.pop(w))
        question.close()
    assert answers["quick"].is_plan and "spacing 3 mm" in answers["quick"].text
    assert "--minutes 7 --set device=cpu" in answers["quick"].text
    assert not answers["bad"].is_plan and answers["bad"].text == "The case 'a' has no image."


def test_a_question_that_nobody_waits_for_is_ended(tmp_path):
    command = ["-c", "import time; time.sleep(600)"]
    question = Foresight(Fit("a", "b"), python=sys.executable, command=command)
    assert question.poll() is None
    question.close()
    assert question._process.poll() is not None


def test_folders_for_runs_lie_beside_the_data_and_are_new(tmp_path):
    assert folder_for_run(tmp_path / "hips") == tmp_path / "hips-run"
    for name in ("hips-run", "hips-run-2"):
        (tmp_path / name).mkdir()
    assert folder_for_run(tmp_path / "hips") == tmp_path / "hips-run-3"


@pytest.fixture
def told(tmp_path):
    """The folder of a run that tells that it works, though no process has its lock."""
    (tmp_path / live.FOLDER).mkdir()
    write_live(tmp_path, LiveState("running", "coarse epoch 2", 0.5, 30.0, time.time(), mre=1.5))
    return tmp_path


def test_what_is_written_is_read(told):
    state = read_live(told)
    assert (state.what, state.share, state.left_seconds, state.mre) == (
        "coarse epoch 2",
        0.5,
        30,
        1.5,
    )
    write_live(told, replace(state, mre=float("inf"), reasons=("a", "b")))
    assert read_live(told).mre is None and read_live(told).reasons == ("a", "b")


@pytest.mark.parametrize(
    "change",
    [
        {"state": "asleep"}, {"share": "half"}, {"reasons": "many"}, {"epoch": True},
        {"what": 3}, {"mre": []},
    ],
)  # fmt: skip
def test_a_state_of_another_kind_is_none(told, change):
    path = told / live.FOLDER / live.LIVE
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, **change}), encoding="utf-8")
    assert read_live(told) is None and TrainingRun(told).look() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "\0"])
def test_a_damaged_folder_is_no_error(told, content):
    for name in (live.LIVE, live.BEGUN):
        (told / live.FOLDER / name).write_text(content, encoding="utf-8")
    run = TrainingRun(told)
    assert (run.look(), run.begun, run.comparison()) == (None, None, ("", ""))


def test_without_locks_the_age_of_the_last_word_decides(told, monkeypatch):
    monkeypatch.setattr(run_module, "is_in_use", lambda run: None)
    assert TrainingRun(told).look().goes_on
    write_live(told, replace(read_live(told), told=time.time() - 3600))
    assert TrainingRun(told).look().state == "interrupted"


def test_who_looks_takes_no_lock_away(told):
    handle = live.take_for_own(told)
    assert live.is_in_use(told)
    with pytest.raises(BlockingIOError):
        live.take_for_own(told)
    os.close(handle)
    assert not live.is_in_use(told)


def test_what_trains_lies_beside_the_package_or_in_the_checkout(tmp_path, monkeypatch):
    assert (process.training_folder() / "landmark_training" / "cli.py").is_file()
    installed = tmp_path / "qt-scripted-modules"
    (installed / "landmark_training").mkdir(parents=True)
    (installed / "landmark_training" / "cli.py").touch()
    monkeypatch.setattr(process, "_PLACES", (installed, tmp_path))
    assert process.training_folder() == installed
    monkeypatch.setattr(process, "_PLACES", (tmp_path, tmp_path))
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="Install the extension again"):
        process.training_folder()
