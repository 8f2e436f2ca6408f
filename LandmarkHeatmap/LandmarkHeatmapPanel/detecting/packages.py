"""What detection and training need: looked for on the click that needs it, installed with consent."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
# Training needs all that detection needs, and more.
DETECTION = _RESOURCES / "requirements.txt"
TRAINING = _RESOURCES / "requirements-training.txt"


def missing_packages(needed: Path = DETECTION) -> list:
    """The names of the packages that are not there. needed: a list of them, one of those above."""
    importlib.invalidate_caches()
    return [name for name in _requirements(needed) if importlib.util.find_spec(name) is None]


def install_packages(names, needed: Path = DETECTION) -> None:
    """Install these of the required packages. Ask the user first."""
    try:
        from slicer.packaging import load_requirements, pip_ensure
    except ImportError:  # before Slicer 5.11
        slicer.util.pip_install([_requirements(needed)[name] for name in names])
    else:
        pip_ensure(
            [each for each in load_requirements(needed) if each.name in names],
            prompt_install=False,
            requester="Landmark Heatmap",
        )


def ensure_packages(logic) -> bool:
    """Whether torch and what goes with it are there; installs them if the user agrees.

    On the main thread, as pip needs it. Raises what the installer raises if it fails.
    """
    question = _(
        "Detection needs the Python packages {names}. They will be downloaded and"
        " installed into Slicer, which takes some minutes and, for torch, up to a few"
        " gigabytes. Install them now?"
    )
    return _ensure(logic.missingPackages, logic.installPackages, question)


def ensure_training_packages(logic) -> bool:
    """The same for training, which needs more than detection and asks by itself."""
    question = _(
        "Training needs the Python packages {names}. They will be downloaded and installed into"
        " Slicer; where torch is among them, that takes some minutes and up to a few gigabytes."
        " Install them now?"
    )
    return _ensure(logic.missingTrainingPackages, logic.installTrainingPackages, question)


def _ensure(find_missing, install, question: str) -> bool:
    missing = find_missing()
    # Questions answer themselves with yes while testing; a test must not install gigabytes.
    if not missing or slicer.app.testingEnabled():
        return not missing
    pytorch_utils = _pytorch_extension()
    if "torch" in missing and pytorch_utils:
        # It chooses the torch that fits the computer, and asks.
        if pytorch_utils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
            return False
        missing = find_missing()
    if missing:
        question = question.format(names=", ".join(missing))
        if not slicer.util.confirmOkCancelDisplay(question, _("Install packages")):
            return False
        install(missing)
    return not find_missing()


def _pytorch_extension():
    """The module of the PyTorch extension, or None if that is not installed."""
    try:
        import PyTorchUtils
    except ImportError:
        return None
    return PyTorchUtils


def _requirements(needed: Path) -> dict:
    """Package name to its line in the list."""
    lines = needed.read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {re.match(r"[A-Za-z0-9_-]+", line)[0]: line for line in lines}
