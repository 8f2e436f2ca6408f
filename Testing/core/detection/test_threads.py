"""As many threads as make a network faster on a machine that may be busy; none that spin."""

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.detection.threads import Threads, fastest, seconds_with
from landmark_heatmap.launch import let_threads_sleep
from landmark_heatmap.worker.process import environment


@pytest.mark.parametrize(
    ("seconds", "most", "best"),
    [
        ({1: 8, 2: 4.2, 4: 2.5, 6: 2.0}, 6, 6),  # an idle machine
        ({1: 8, 2: 20}, 2, 1),  # another program on each core
        ({1: 8, 2: 4.2, 4: 9, 8: 30}, 8, 2),  # on some
        ({1: 8, 2: 7.9, 4: 7.8}, 4, 1),  # not worth it
        ({1: 8}, 1, 1),
    ],
)
def test_more_threads_are_taken_if_they_are_faster(seconds, most, best):
    assert fastest(most, seconds.__getitem__) == best


def test_the_machine_is_measured_again_after_a_while_and_not_for_each_image(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, now, asked = torch.get_num_threads(), [0.0], []

    def measure(count):
        asked.append(count)
        return float(count) if now[0] < 100 else 1 / count

    try:
        threads = Threads(2, clock=lambda: now[0], measure=measure)
        assert [threads.fit(), threads.fit()] == [1, 1]
        assert asked == [1, 2]
        now[0] = 100
        assert threads.fit() == 2
    finally:
        torch.set_num_threads(before)


def test_a_number_that_somebody_has_stated_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    assert Threads(2, measure=lambda count: 1 / count).fit() == before


def test_measuring_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    assert seconds_with(1) > 0
    assert torch.get_num_threads() == before


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise():
    variables = {"KMP_BLOCKTIME": "200"}
    let_threads_sleep(variables)
    assert variables == {
        "KMP_BLOCKTIME": "200",
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "OPENBLAS_NUM_THREADS": "1",
    }


def test_a_process_that_is_started_finds_that_in_its_environment(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    variables = environment("/some/folder")
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert variables["OPENBLAS_NUM_THREADS"] == "3"
    assert "OMP_WAIT_POLICY" not in os.environ


# Says what NumPy's library found in the environment when it was imported.
AT_NUMPY = """
import importlib.abc, os, sys
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
"""


@pytest.mark.parametrize(
    "command",
    [
        ("landmark_heatmap.cli", "describe", "synthetic_hip"),
        ("landmark_training.cli", "check", "no-folder"),
    ],
)
def test_every_command_says_so_before_numpy_is_there(command):
    module, *words = command
    code = f"{AT_NUMPY}\nfrom {module} import main\nmain({words!r})"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for name in ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        variables.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "1 PASSIVE"


@pytest.mark.parametrize("command", ["landmark_heatmap.cli", "landmark_training.cli"])
def test_every_command_says_so_before_torch_is_there(command):
    code = (
        f"import sys, os, {command} as cli; sys.argv = ['x']; assert 'torch' not in sys.modules\n"
        "from landmark_heatmap.command_line import run_command\n"
        "run_command('x', lambda options: print(os.environ['OMP_WAIT_POLICY']), None)"
    )
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    variables.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "PASSIVE"
