"""Where models come from beside those that ship: a folder that an institute shares; and whether their
files are still what they were. Nothing is downloaded."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from slicer.i18n import tr as _

from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.files import sha256_of
from landmark_heatmap.model.model_file import MODEL_SUFFIX

from .widgets import keep_setting, setting


def shared_folder() -> str:
    """The folder whose models are on the list; empty if there is none."""
    return setting("SharedModels")


def share(folder) -> int:
    """Take the models of a folder onto the list, in place of those of another; returns how many.

    Raises ModelFileError for a folder without any, which changes nothing.
    """
    found = _models_in(folder)
    if not found:
        raise ModelFileError(
            _("'{folder}' holds no model (a file that ends in {suffix}).").format(
                folder=folder, suffix=MODEL_SUFFIX
            )
        )
    keep_setting("SharedModels", str(Path(folder)))
    for path in found:
        remember(path)
    return len(found)


def shared_models() -> list:
    """The paths of the models in the shared folder now; none where it cannot be reached."""
    found, known = _models_in(shared_folder()) if shared_folder() else [], _sums()
    for path in found:
        if str(path) not in known:
            remember(path)
    return found


def _models_in(folder) -> list:
    try:
        return sorted(path for path in Path(folder).iterdir() if path.suffix == MODEL_SUFFIX)
    except OSError:
        return []


def remember(path) -> None:
    """From now on a file counts as changed if it is not what it is now; an unreadable one does not, nor a
    dataset, whose cases are meant to become more."""
    if Path(path).is_dir():
        return
    # As JSON: settings of Qt cannot hold paths as names.
    with suppress(OSError):
        keep_setting("ModelSums", json.dumps({**_sums(), str(Path(path)): sha256_of(path)}))


def has_changed(path) -> bool:
    """Whether a file is another than when it was added; a file that nobody added has not. OSError if it
    cannot be read."""
    known = _sums().get(str(Path(path)))
    return known is not None and known != sha256_of(path)


def _sums() -> dict:
    return json.loads(setting("ModelSums", "{}"))
