"""The environment in .venv-X.Y: what is installed there, told before it is downloaded."""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

from places import ROOT

VENV = ROOT / f".venv-{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed-for"
# Pinned for development, so that what is measured can be measured again. torch comes first and
# alone: a package that pulls it in might choose another build.
TORCH = "torch==2.13.0"
# PyTorch's own index, which has builds for the processor alone; on Linux the usual one brings CUDA.
PROCESSOR_BUILDS = "https://download.pytorch.org/whl/cpu"
# Slicer 5.12's own Python has no torch; its tests run without it, and so may anyone's.
WITHOUT_TORCH = os.environ.get("LANDMARK_HEATMAP_WITHOUT_TORCH") == "1"
# Measured on Linux with Python 3.11 and 3.12: MB to download, and on the disk.
_PACKAGES = (
    ("slicer-core and VTK: the real MRML, without the application", 190, 800),
    ("SimpleITK, numpy, SciPy: images and arithmetic", 105, 450),
    ("Qt (PySide6): the panel without the application", 77, 225),
    ("pytest, ruff, hypothesis, Sphinx: tests and documents", 30, 100),
)
_FOR_TRAINING = ("TensorBoard, matplotlib and others: for training", 30, 150)
_TORCH_ALONE = ("torch, for the processor alone", 195, 850)
_TORCH_WITH_CUDA = ("torch; so much with CUDA, else 195 MB", 2600, 4700)


def set_up() -> None:
    """Make .venv and install what the project needs, unless that has been done.

    Whatever stops it, the next call begins anew. Raises CalledProcessError if pip fails.
    """
    need_graphics_libraries()
    wanted = wanted_stamp()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    index = [] if WITHOUT_TORCH else torch_index()
    print(told(packages(bool(index))), flush=True)
    # First of all: what is half removed must not pass for whole.
    STAMP.unlink(missing_ok=True)
    venv.create(VENV, with_pip=True, clear=True)
    extras = "mrml,test"
    if not WITHOUT_TORCH:
        pip("install", TORCH, *index)
        extras += ",train"
    pip("install", "--editable", f"{ROOT}[{extras}]")
    STAMP.write_text(wanted)
    print(f"{VENV.name} is ready.", flush=True)


def wanted_stamp() -> str:
    """A digest of all that decides what is installed."""
    read = (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(read + str(WITHOUT_TORCH).encode()).hexdigest()


def packages(is_for_processor: bool) -> list:
    """(what, MB to download, MB on the disk) of all that will be installed."""
    if WITHOUT_TORCH:
        return list(_PACKAGES)
    brings_cuda = sys.platform.startswith("linux") and not is_for_processor
    return [_TORCH_WITH_CUDA if brings_cuda else _TORCH_ALONE, *_PACKAGES, _FOR_TRAINING]


def told(listed) -> str:
    """What will be downloaded and how much it is, with the sum."""
    lines = [f"  {what:62}{_size(mb):>8}{_size(disk):>9}" for what, mb, disk in listed]
    downloads, disk = (sum(each[column] for each in listed) for column in (1, 2))
    return "\n".join(
        [
            f"Setting up {VENV.name}, once. About so much is downloaded, and then on the disk:",
            *lines,
            f"  {'in all, in that folder and nowhere else':62}{_size(downloads):>8}{_size(disk):>9}",
            "Packages that pip has kept from before are not downloaded again. Ctrl-C stops it.",
        ]
    )


def _size(mb: int) -> str:
    return f"{mb} MB" if mb < 1000 else f"{mb / 1000:.1f} GB"


def torch_index() -> list:
    """What pip is told so that it takes a build for the processor where there is no GPU.

    Nothing where the usual build is the right one, or where PyTorch's own index cannot be reached: then
    the usual place decides, and that is said.
    """
    if not sys.platform.startswith("linux"):
        return []  # what is usual there is for the processor (and Apple's GPU)
    if has_nvidia_gpu():
        print("There is an NVIDIA GPU here: torch comes with CUDA.", flush=True)
        return []
    if is_reached(PROCESSOR_BUILDS + "/torch/"):
        print("There is no NVIDIA GPU here: torch comes for the processor alone.", flush=True)
        return ["--extra-index-url", PROCESSOR_BUILDS]
    print(
        f"There is no NVIDIA GPU here, but {PROCESSOR_BUILDS} cannot be reached: torch comes from where"
        " pip takes the rest, perhaps with CUDA, which does no harm but takes place.",
        flush=True,
    )
    return []


def has_nvidia_gpu() -> bool:
    program = shutil.which("nvidia-smi")
    if not program:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU" in listed.stdout


def is_reached(address: str, seconds: float = 8.0) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


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
