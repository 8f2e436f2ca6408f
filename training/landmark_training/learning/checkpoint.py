"""What a run needs to go on as if nothing had happened: written whole, read with distrust."""

from __future__ import annotations

import io
import math
from pathlib import Path

import torch

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import open_file, replacing

from ..planning.config import PRECISIONS


def write_checkpoint(path, state: dict) -> None:
    """Atomically. Raises OSError, and leaves the one before, if there is no room."""
    held = io.BytesIO()
    torch.save(state, held)
    with replacing(path) as temporary:
        temporary.write_bytes(held.getbuffer())


def read_checkpoint(path, like_in) -> dict:
    """The state in a file, in the memory of the processor.

    like_in: of a precision's name, a state of the kind that is wanted: the same names, types and
    shapes have to be there, and all numbers finite. Raises DatasetError for anything else.
    """
    path = Path(path)
    try:
        # weights_only: nothing in the file is run.
        with open_file(path, DatasetError) as file:
            state = torch.load(file, "cpu", weights_only=True)
    # A damaged file makes torch, zipfile and pickle raise whatever they come upon.
    except Exception as error:
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise refused(path, f"it cannot be read ({reason})") from error
    try:
        _check(state, like_in(_precision(state)), "it")
        _check_counts(state["feed"]["queue"], "feed.queue")
        _check_counts(state["progress"].values(), "progress")
    except _Unlike as error:
        raise refused(path, str(error)) from error
    return state


def _precision(state) -> str:
    progress = state.get("progress") if isinstance(state, dict) else None
    name = progress.get("precision") if isinstance(progress, dict) else None
    if not isinstance(name, str) or name not in PRECISIONS:
        raise _Unlike("it does not say in which precision it was trained")
    return name


def refused(path, reason: str) -> DatasetError:
    """The error about a checkpoint that cannot be used."""
    return DatasetError(
        f"'{path}' is damaged or from another version: {reason}. The run cannot go on from it; start"
        " a new one, with --from and the run's model if there is one."
    )


class _Unlike(Exception):
    """A part of a state that is not what it has to be."""


def _check(value, like, where: str) -> None:
    """Names, types and shapes, all the way down. A list is one of whole numbers, of any length."""
    if isinstance(like, torch.Tensor):
        _check_tensor(value, like, where)
    elif type(value) is not type(like):
        raise _Unlike(f"{where} is {_told(value)}")
    elif isinstance(like, dict):
        # Where no step was taken yet, there is nothing of the optimiser.
        if value.keys() != like.keys() and (value or where != "optimiser"):
            raise _Unlike(f"{where} has other parts than it should have")
        for name, each in value.items():
            _check(each, like[name], str(name) if where == "it" else f"{where}.{name}")
    elif isinstance(like, list):
        if not all(type(each) is int for each in value):
            raise _Unlike(f"{where} is no list of whole numbers")
    elif isinstance(like, str) and value != like:
        raise _Unlike(f"{where} is '{value[:40]}'")
    # Before the first validation the best score is infinite.
    elif isinstance(like, float) and (
        math.isnan(value) or math.isinf(value) and where != "progress.best"
    ):
        raise _Unlike(f"{where} is {value}")


def _check_tensor(value, like: torch.Tensor, where: str) -> None:
    if not isinstance(value, torch.Tensor):
        raise _Unlike(f"{where} is {_told(value)}")
    if value.shape != like.shape or value.dtype != like.dtype or value.layout != like.layout:
        raise _Unlike(
            f"{where} is {tuple(value.shape)} of {value.dtype}, not {tuple(like.shape)} of"
            f" {like.dtype}"
        )
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise _Unlike(f"{where} is not all finite")


def _check_counts(values, where: str) -> None:
    if any(type(value) is int and value < 0 for value in values):
        raise _Unlike(f"{where} counts below zero")


def _told(value) -> str:
    return type(value).__name__ if not isinstance(value, (int, float, bool)) else repr(value)[:40]
