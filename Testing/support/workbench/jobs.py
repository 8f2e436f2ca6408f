"""The jobs of python3 dev.py."""

from __future__ import annotations

import os
import subprocess
import sys

from places import ROOT

from .installing import PYTHON, VENV, set_up

INTERRUPTED = 130
HTML = ROOT / "build" / "docs"


def main(arguments, help_text: str, jobs: dict) -> int:
    """Set up, and do the job that the first argument names; the exit code."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(help_text.strip())
        return 0
    if not arguments or arguments[0] not in jobs:
        print(help_text.strip())
        if arguments:
            print(f"\nThere is no job '{arguments[0]}'.", file=sys.stderr)
        return 2
    try:
        set_up()
    except KeyboardInterrupt:
        print(f"\nStopped. {VENV.name} is not finished; the next call begins it anew.")
        return INTERRUPTED
    except subprocess.CalledProcessError:
        print(
            f"pip could not install what is needed; why stands above. {VENV.name} is not finished; the"
            " next call begins it anew.",
            file=sys.stderr,
        )
        return 1
    try:
        return jobs[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        print(f"\nStopped: {arguments[0]}. What was set up stays.")
        return INTERRUPTED


def demo(arguments) -> int:
    return run("-m", "headless.demo", *arguments)


def screenshots(arguments) -> int:
    return run("-m", "qt_host.screenshots", *arguments)


def tutorial(arguments) -> int:
    return run("-m", "qt_host.tutorial", *arguments)


# All of it each time: of a page that has not changed Sphinx would not say again what is wrong. -W: a
# warning, as of a link that leads nowhere, is an error.
BUILD = ("sphinx", "-q", "-W", "--keep-going", "-E", "-a", "-c", "docs", ".", "build/docs")
# Before anything is tested; `check` runs these and the tests of the house alone.
CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), BUILD)


def docs(arguments) -> int:
    code = _first_failure((("handbook.reference",), BUILD))
    if code == 0:
        print(f"Open {(HTML / 'index.html').relative_to(ROOT).as_posix()}")
    return code


def check(arguments) -> int:
    return _first_failure((*CHECKS, ("pytest", "Testing/house", *arguments)))


def test(arguments) -> int:
    # The networks of the tests are small: several threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return _first_failure((*CHECKS, ("pytest", *arguments)))


def _first_failure(commands) -> int:
    return next((code for command in commands if (code := run("-m", *command))), 0)


def robustness(arguments) -> int:
    return run("Testing/robustness/run.py", *arguments)


def run(*arguments) -> int:
    return subprocess.run([PYTHON, *arguments], cwd=ROOT, env=environment()).returncode


def environment() -> dict:
    """What the jobs find beside the installed packages: the panel, which is only Slicer's, and the
    support of the tests."""
    folders = ("LandmarkHeatmap", "training", "Testing/support")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in folders)}


JOBS = {
    "check": check,
    "demo": demo,
    "test": test,
    "docs": docs,
    "screenshots": screenshots,
    "tutorial": tutorial,
    "robustness": robustness,
    "setup": lambda arguments: 0,
}
