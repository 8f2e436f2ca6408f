"""The models that come along: where they lie, and what they are called. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelFileError
from .model_file import MODEL_SUFFIX

# In an installed wheel they lie beside this file: pyproject.toml maps the module's folder to there.
_INSTALLED = Path(__file__).resolve().parent / "shipped_models"
# In Slicer and in a checkout they are resources of the module.
_IN_MODULE = Path(__file__).resolve().parents[2] / "Resources" / "Models"
# Of the sample data that come along: it is the one that a newcomer tries.
_FIRST = "synthetic_hip"


def shipped_folder() -> Path:
    """The folder of the models that come along."""
    return _INSTALLED if _INSTALLED.is_dir() else _IN_MODULE


def shipped_models() -> dict:
    """Name to path of each model that comes along: the one of the sample data first, then by name."""
    paths = shipped_folder().glob(f"*{MODEL_SUFFIX}")
    return {path.stem: path for path in sorted(paths, key=lambda p: (p.stem != _FIRST, p.name))}


def model_path(model) -> Path:
    """The file that is meant by a path or by the name of a shipped model, such as 'synthetic_hip'.

    A file of that name counts before a shipped model. Raises ModelFileError for a word that is
    neither; a path that leads nowhere is left to who reads it.
    """
    path = Path(model)
    if path.is_file() or path.name != str(path):
        return path
    shipped = shipped_models()
    name = path.name[: -len(MODEL_SUFFIX)] if path.name.endswith(MODEL_SUFFIX) else path.name
    if name in shipped:
        return shipped[name]
    raise ModelFileError(
        f"There is no model file '{model}', and no model of this name comes along; those that do are"
        f" called: {', '.join(shipped) or 'none'}."
    )
