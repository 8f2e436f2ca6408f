"""Memory that is freed stays with a process that asked for it."""

import os
import subprocess
import sys

import pytest

from landmark_heatmap import heap

# Takes and frees a block of 200 MB ten times, and prints how many of its pages the system had to clear.
COUNT = """
import resource, sys
import numpy as np
from landmark_heatmap import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def take():
    np.ones(200 * 2**20, np.uint8)

if sys.argv[1] == "keep" and not heap.keep_freed_memory():
    print("cannot")
    raise SystemExit
take()
before = faults()
for _ in range(10):
    take()
middle = faults()
heap.give_back()
take()
print(middle - before, faults() - middle)
"""


def cleared(how: str) -> list:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", COUNT, how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if done.stdout.strip() == "cannot":
        pytest.skip("The C library has no such setting.")
    return [int(number) for number in done.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone works so.")
def test_freed_memory_is_not_cleared_by_the_system_again_and_again():
    kept, _ = cleared("keep")
    given_back, _ = cleared("as it is")
    assert kept < 0.05 * given_back


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone works so.")
def test_what_is_free_goes_back_when_it_is_no_longer_wanted():
    _, after = cleared("keep")
    assert after > 50  # a hundred large pages, or many more small ones


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(heap.sys, "platform", "darwin")
    assert not heap.keep_freed_memory()
    heap.give_back()


def test_every_command_asks_for_it():
    code = (
        "from landmark_heatmap import command_line\n"
        "command_line.keep_freed_memory = lambda: print('kept')\n"
        "command_line.run_command('x', lambda options: 0, None)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "kept"
