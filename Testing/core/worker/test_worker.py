"""Detection in another process: whatever happens there, the application is told, and goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.worker import protocol
from landmark_heatmap.worker.client import (
    Cancelled,
    Failed,
    Finished,
    Progress,
    Proposed,
    WorkerClient,
)
from places import MODELS, SUPPORT

STAND_IN = SUPPORT / "worker_stand_in.py"


def make_image(size=(40, 30, 20)):
    array = np.random.default_rng(0).integers(-1000, 2000, size[::-1]).astype(np.int16)
    matrix = np.diag([0.7, -0.8, 1.5, 1.0])
    matrix[:3, 3] = [5, -20, 300]
    return Image(array, matrix)


@pytest.fixture
def client():
    client = WorkerClient(sys.executable, STAND_IN)
    yield client
    client.close()


def wait(client, seconds=600.0):
    """All events until the job is over. seconds: after which it is taken to hang."""
    events, end = [], time.monotonic() + seconds
    while client.is_busy or not events:
        assert time.monotonic() < end, f"still busy after {events[-3:]}"
        events += client.poll()
        time.sleep(0.005)
    return events + client.poll()


def detect(client, model="fine", image=None):
    client.detect(image or make_image(), model)
    return wait(client)


def process_of(client):
    return client._process._process


def test_an_image_goes_there_and_its_landmarks_come_back(client):
    image = make_image()
    *progress, finished = detect(client, image=image)
    assert isinstance(finished, Finished)
    assert all(isinstance(event, Progress) for event in progress)
    brightest = np.unravel_index(image.array.argmax(), image.array.shape)[::-1]
    point = finished.prediction.points[0]
    np.testing.assert_allclose(point.position_lps, image.grid.to_lps(brightest))
    assert point.name == "Left" and point.confidence == 0.8
    assert point.heatmap.array.shape == (3, 3, 3) and point.heatmap.array.dtype == np.float32
    np.testing.assert_array_equal(point.belief.array, point.heatmap.array)
    assert (point.doubt.level, point.doubt.within_mm, point.doubt.oddness) == (0.9, 3.0, None)
    np.testing.assert_allclose(finished.prediction.grid.ijk_to_lps, image.ijk_to_lps)
    assert finished.seconds["all"] > 0 and finished.device == "cpu"


def propose(client, *args):
    client.propose(*args)
    (event,) = wait(client)
    return event


def test_what_would_move_because_of_a_landmark_is_told_of_the_last_image(client):
    *_, finished = detect(client)
    event = propose(client, {"Left": np.array([1.0, 2.0, 3.0])})
    assert isinstance(event, Proposed) and event.seconds["all"] > 0
    (proposal,) = event.proposals
    assert proposal.point.name == "Right" and proposal.distance_mm == 3
    there = finished.prediction.points[1].position_lps + [3, 0, 0]
    np.testing.assert_allclose(proposal.point.position_lps, there)
    assert proposal.point.heatmap.array.shape == (3, 3, 3)
    assert propose(client, {"Left": (1, 2, 3)}, ["Left"], ["Right"]).proposals == ()
    assert not list(client._folder.glob("result-*"))


def test_a_question_of_a_landmark_that_there_is_not_fails_and_the_next_one_works(client):
    detect(client)
    event = propose(client, {"Nose": (1, 2, 3)})
    assert isinstance(event, Failed) and "no landmark 'Nose'" in event.message
    assert len(propose(client, {}).proposals) == 2


def test_there_is_nothing_to_ask_of_before_a_detection_or_after_the_worker_is_gone(client):
    with pytest.raises(PredictionError, match="detect it again"):
        client.propose({})
    detect(client)
    assert client.can_propose
    detect(client, "refuse")
    assert not client.can_propose
    detect(client)
    process_of(client).kill()
    process_of(client).wait()
    with pytest.raises(PredictionError, match="detect it again"):
        client.propose({})


def test_the_image_of_another_job_is_not_mistaken_for_the_last(client):
    detect(client)
    detect(client)
    client._kept -= 1
    event = propose(client, {})
    assert isinstance(event, Failed) and "not the last" in event.message


def test_a_newer_question_takes_the_place_of_one_under_way_and_a_detection_none(client):
    detect(client, "thinks-long")
    client.propose({"Left": (1, 2, 3)})
    client.propose({"Right": (1, 2, 3)})
    (event,) = wait(client)
    assert [p.point.name for p in event.proposals] == ["Left"]
    client.propose({})
    client.cancel()
    assert isinstance(client.poll()[-1], Cancelled) and not client.is_busy
    assert len(propose(client, {}).proposals) == 2
    client.detect(make_image(), "fine")
    with pytest.raises(PredictionError, match="under way"):
        client.propose({})
    wait(client)


def test_progress_never_goes_back_and_says_what_is_done(client):
    fractions = [event.fraction for event in detect(client)[:-1]]
    assert fractions == sorted(fractions) and fractions[-1] <= 1
    stages = [event.stage for event in detect(client)[:-1]]
    assert stages[0] == "Reading the image" and "Detecting" in stages


def test_the_process_stays_warm_for_the_next_image(client):
    detect(client)
    first = process_of(client).pid
    assert isinstance(detect(client)[-1], Finished)
    assert process_of(client).pid == first


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_the_values_arrive_as_they_are(client, dtype):
    values = np.zeros((4, 5, 6), dtype)
    values[3, 1, 2], values[0, 4, 5] = 100, 100 if dtype == np.uint8 else -100
    values[2, 2, 2] = 101
    finished = detect(client, image=Image(values[:, ::-1], np.eye(4)))[-1]
    np.testing.assert_allclose(finished.prediction.points[0].position_lps, [2, 2, 2])


def test_two_jobs_at_once_are_refused(client):
    client.detect(make_image(), "slow")
    with pytest.raises(PredictionError, match="under way"):
        client.detect(make_image(), "fine")


@pytest.mark.parametrize("model", ["slow", "hang"])
def test_a_job_is_cancelled_within_a_second_and_the_next_one_works(client, model):
    client.detect(make_image(), model)
    while not any(getattr(e, "stage", "") == "Detecting" for e in client.poll()):
        time.sleep(0.01)
    start = time.monotonic()
    client.cancel()
    client.cancel()
    events = wait(client)
    assert time.monotonic() - start < 1.5  # a second, and what a busy machine adds
    assert events == [Cancelled()]
    assert isinstance(detect(client)[-1], Finished)


def test_a_job_is_cancelled_before_its_image_was_sent(client):
    client.detect(make_image((300, 300, 300)), "fine")
    client.cancel()
    assert client.poll()[-1] == Cancelled()
    assert isinstance(detect(client)[-1], Finished)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("refuse", "The image is empty."),
        ("break", "something broke"),
        ("no-torch", "torch"),
        ("exit", "exit code 3"),
        pytest.param(
            "crash", "SIGSEGV", marks=pytest.mark.skipif(os.name == "nt", reason="signals")
        ),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_job_works(client, model, words):
    failed = detect(client, model)[-1]
    assert isinstance(failed, Failed)
    assert words in failed.message
    assert isinstance(detect(client)[-1], Finished)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_is_killed_is_said_to_be(client):
    client.detect(make_image(), "slow")
    while not any(getattr(e, "stage", "") == "Detecting" for e in client.poll()):
        time.sleep(0.01)
    os.kill(process_of(client).pid, signal.SIGKILL)
    failed = wait(client)[-1]
    assert "killed" in failed.message and "memory" in failed.message
    assert "a library says hello" in failed.details
    assert isinstance(detect(client)[-1], Finished)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_is_killed_while_idle_is_not_missed(client):
    detect(client)
    process_of(client).kill()
    process_of(client).wait()
    client.poll()
    assert isinstance(detect(client)[-1], Finished)


def test_an_answer_that_cannot_be_understood_is_an_error(client, monkeypatch):
    monkeypatch.setenv("GARBAGE", "1")
    failed = detect(client)[-1]
    assert "cannot be understood" in failed.message
    monkeypatch.delenv("GARBAGE")
    assert isinstance(detect(client)[-1], Finished)


def test_a_worker_of_another_version_is_refused(client, monkeypatch):
    monkeypatch.setenv("OTHER_VERSION", "1")
    assert "version 99" in detect(client)[-1].message


def test_a_python_that_is_not_there_is_named():
    client = WorkerClient("/nowhere/python", STAND_IN)
    client.detect(make_image(), "fine")
    (failed,) = client.poll()
    assert "/nowhere/python" in failed.message
    client.close()


def test_nothing_is_left_behind(client):
    detect(client)
    folder, process = client._folder, process_of(client)
    assert list(folder.iterdir()) == []
    client.close()
    client.close()
    assert not folder.exists() and process.poll() is not None
    assert not client.is_busy and client.poll() == []


def test_closing_in_the_middle_ends_the_process(client):
    client.detect(make_image(), "hang")
    while not any(getattr(e, "stage", "") == "Detecting" for e in client.poll()):
        time.sleep(0.01)
    folder, process = client._folder, process_of(client)
    client.close()
    assert process.poll() is not None and not folder.exists()


def test_the_worker_does_not_outlive_an_application_that_is_killed(tmp_path):
    """Not even in the middle of a job; and it takes its files along."""
    script = (
        "import sys, time, numpy as np\n"
        "from landmark_heatmap.images.geometry import Image\n"
        "from landmark_heatmap.worker.client import WorkerClient\n"
        f"client = WorkerClient(sys.executable, {str(STAND_IN)!r})\n"
        "client.detect(Image(np.zeros((3, 3, 3)), np.eye(4)), 'hang')\n"
        "while not any(e.stage == 'Detecting' for e in client.poll()): time.sleep(0.01)\n"
        "print(client._process._process.pid, client._folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=path) as app:
        pid, folder = app.stdout.readline().split()
        app.kill()
    for _ in range(300):
        if not Path(folder.decode()).exists() and not _is_running(int(pid)):
            return
        time.sleep(0.01)
    pytest.fail("the worker or its folder is still there")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_an_application_that_ends_while_the_worker_starts_leaves_nothing(tmp_path, name):
    """The image is being copied, and the worker has not said a word yet."""
    script = (
        "import sys, numpy as np\n"
        "from landmark_heatmap.images.geometry import Image\n"
        "from landmark_heatmap.worker.client import WorkerClient\n"
        f"client = WorkerClient(sys.executable, {str(STAND_IN)!r})\n"
        "client.detect(Image(np.ones((300, 300, 300)), np.eye(4)), 'hang')\n"
        "client.poll()\n"
        "print(client._process._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes) as app:
        pid = int(app.stdout.readline())
        assert any(tmp_path.glob("*/image-1"))
        app.send_signal(getattr(signal, name))
    end = time.monotonic() + 60
    while _is_running(pid):
        assert time.monotonic() < end, "the worker is still there"
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that nobody has asked about yet is not running, either.
    state = Path(f"/proc/{pid}/stat")
    return not (
        state.exists() and state.read_text(encoding="utf-8").split(")")[-1].split()[0] == "Z"
    )


def test_polling_never_holds_up_the_application(client):
    """Not even while a large image is sent; the limit is generous, what is meant is milliseconds."""
    client.detect(make_image((256, 256, 400)), "fine")
    longest = 0.0
    while client.is_busy:
        start = time.monotonic()
        client.poll()
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.002)
    assert longest < 0.2


def test_a_line_that_is_no_message_is_refused():
    for line in (b"", b"null", b"[]", b"{}", b'{"message": 3}', b"\xff", b"[" * 100_000):
        with pytest.raises(protocol.ProtocolError):
            protocol.read_line(line)


def test_the_real_worker_detects_as_the_predictor_does(tmp_path):
    pytest.importorskip("torch")
    from landmark_heatmap.detection.predict import Predictor
    from landmark_heatmap.synthetic.hip import make_synthetic_hip

    folder = MODELS
    model = folder / "synthetic_hip.safetensors"
    hip = make_synthetic_hip(3, (60, 40, 50), 6.0)
    client = WorkerClient(sys.executable)
    try:
        client.detect(hip.image, model, "cpu")
        finished = wait(client)[-1]
    finally:
        client.close()
    expected = Predictor(model, "cpu").predict(hip.image)
    assert isinstance(finished, Finished), finished
    for there, here in zip(finished.prediction.points, expected.points):
        np.testing.assert_allclose(there.position_lps, here.position_lps, atol=1e-3)
        np.testing.assert_allclose(there.heatmap.array, here.heatmap.array, atol=1e-4)
    assert finished.prediction.model == expected.model
    assert (finished.device, finished.device_note) == ("cpu", "")  # as was asked for


def test_a_gpu_that_is_too_small_gives_way_to_the_processor(tmp_path):
    torch = pytest.importorskip("torch")
    from landmark_heatmap.worker.server import Server

    class Small:
        def __init__(self, model, device):
            self.device = "cuda:0" if device == "cuda" else "cpu"

        def predict(self, image, progress, keep):
            if self.device != "cpu":
                raise PredictionError("full") from torch.cuda.OutOfMemoryError("full")
            return "found"

    server = Server(tmp_path, None, Small)
    small = Small("model", "cuda")
    request = {"model": "model", "device": "cuda"}
    found, predictor, note = server._predicted(small, "", request, make_image(), None)
    assert (found, predictor.device) == ("found", "cpu")
    assert "too small" in note
