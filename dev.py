"""Set everything up in .venv and run a job there. Needs nothing but Python.

python3 dev.py demo    the whole loop on a synthetic hip: detect, see, correct, export, retrain
python3 dev.py test    the checks and the tests
python3 dev.py check   the checks and the tests of the house alone, as pre-commit does
python3 dev.py screenshots    the panel in its main states, without Slicer
python3 dev.py tutorial    goes through training/TUTORIAL.md, without Slicer, and makes its pictures
python3 dev.py robustness    break files, exports and disks on purpose (--long: at length)
python3 dev.py setup   only set up
"""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / f".venv-{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# Pinned for development, so that what is measured can be measured again. torch comes first and
# alone: a package that pulls it in might choose another build.
TORCH = "torch==2.13.0"
# Slicer 5.12's own Python has no torch; its tests run without it, and so may anyone's.
WITHOUT_TORCH = os.environ.get("LANDMARK_HEATMAP_WITHOUT_TORCH") == "1"
SIZE = "about 1.7 GB" if WITHOUT_TORCH else "2.6 GB, with CUDA 6.4 GB"


def main(arguments) -> int:
    if len(arguments) < 1 or arguments[0] not in JOBS:
        print(__doc__.strip())
        return 2
    set_up()
    return JOBS[arguments[0]](arguments[1:])


def set_up() -> None:
    """Make .venv and install what the project needs, unless that has been done."""
    need_graphics_libraries()
    stamp = VENV / "installed-for"
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes()
        + Path(__file__).read_bytes()
        + str(WITHOUT_TORCH).encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Setting up {VENV.name} ({SIZE} on disk; once)...", flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    extras = "mrml,test"
    if not WITHOUT_TORCH:
        pip("install", TORCH)
        extras += ",train"
    pip("install", "--editable", f"{ROOT}[{extras}]")
    stamp.write_text(wanted)


def pip(*arguments) -> None:
    subprocess.run(
        [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True
    )


def need_graphics_libraries() -> None:
    """What off-screen rendering and Qt's windows need on Linux; install it where that is possible."""
    if not sys.platform.startswith("linux") or (has_graphics_library() and has_qt_libraries()):
        return
    packages = ["libegl1", "libgl1", "libosmesa6", "libxrender1"]
    packages += ["libxkbcommon0", "libfontconfig1", "libglib2.0-0", "fonts-dejavu-core"]
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"Installing {' '.join(packages)} for off-screen rendering...", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", *packages], check=False)
    if not has_graphics_library():
        sys.exit(
            "Off-screen rendering needs libEGL or libOSMesa. Install one, for instance:\n"
            f"  sudo apt-get install {' '.join(packages)}"
        )
    if not has_qt_libraries():
        print("Without libxkbcommon, libfontconfig and libglib the panel's tests are skipped.")


def has_graphics_library() -> bool:
    return any(ctypes.util.find_library(name) for name in ("EGL", "OSMesa"))


def has_qt_libraries() -> bool:
    return all(ctypes.util.find_library(name) for name in ("xkbcommon", "fontconfig", "glib-2.0"))


def demo(arguments) -> int:
    return run("-m", "headless.demo", *arguments)


def screenshots(arguments) -> int:
    return run("-m", "qt_host.screenshots", *arguments)


def tutorial(arguments) -> int:
    return run("-m", "qt_host.tutorial", *arguments)


# Before anything is tested; `check` runs these and the tests of the house alone.
CHECKS = (("ruff", "check", "."), ("ruff", "format", "--check", "."))


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
    "screenshots": screenshots,
    "tutorial": tutorial,
    "robustness": robustness,
    "setup": lambda arguments: 0,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
