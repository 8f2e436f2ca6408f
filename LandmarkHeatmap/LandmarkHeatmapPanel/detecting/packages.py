"""The packages that detection needs: looked for on the click that needs them, installed with consent."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_REQUIREMENTS = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"


def missing_packages() -> list:
    """The names of the packages that detection needs and that are not there."""
    importlib.invalidate_caches()
    return [name for name in _requirements() if importlib.util.find_spec(name) is None]


def install_packages(names) -> None:
    """Install these of the required packages. Ask the user first."""
    try:
        from slicer.packaging import load_requirements, pip_ensure
    except ImportError:  # before Slicer 5.11
        slicer.util.pip_install([_requirements()[name] for name in names])
    else:
        pip_ensure(
            [each for each in load_requirements(_REQUIREMENTS) if each.name in names],
            prompt_install=False,
            requester="Landmark Heatmap",
        )


def ensure_packages(logic) -> bool:
    """Whether torch and what goes with it are there; installs them if the user agrees.

    On the main thread, as pip needs it. Raises what the installer raises if it fails.
    """
    missing = logic.missingPackages()
    # Questions answer themselves with yes while testing; a test must not install gigabytes.
    if not missing or slicer.app.testingEnabled():
        return not missing
    pytorch_utils = _pytorch_extension()
    if "torch" in missing and pytorch_utils:
        # It chooses the torch that fits the computer, and asks.
        if pytorch_utils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
            return False
        missing = logic.missingPackages()
    if missing:
        question = _(
            "Detection needs the Python packages {names}. They will be downloaded and"
            " installed into Slicer, which takes some minutes and, for torch, up to a few"
            " gigabytes. Install them now?"
        ).format(names=", ".join(missing))
        if not slicer.util.confirmOkCancelDisplay(question, _("Install packages")):
            return False
        logic.installPackages(missing)
    return not logic.missingPackages()


def _pytorch_extension():
    """The module of the PyTorch extension, or None if that is not installed."""
    try:
        import PyTorchUtils
    except ImportError:
        return None
    return PyTorchUtils


def _requirements() -> dict:
    """Package name to its line in requirements.txt."""
    lines = _REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {re.match(r"[A-Za-z0-9_-]+", line)[0]: line for line in lines}
