"""Belief and joint shape as the tensors of a model file, and what has to hold for those that are read."""

from __future__ import annotations

import numpy as np

from ..errors import ModelFileError, quoted
from .belief_form import BeliefForm, HeldOut
from .joint_shape import JointShape
from .values import LONGEST_MM

JOINT, BELIEF = "joint.", "belief."
_REAL = ("F64", "F32")
_NUMBERS = ("power", "joint", "peak_power", "error_scale")
_OF_EACH = ("spreads_mm", "tails")
_SCORES = ("contents", "shares", "errors_mm")
# What each number of a form may be.
_LIMITS = {
    "power": (0.01, 100.0),
    "joint": (0.0, 10.0),
    "peak_power": (0.1, 100.0),
    "error_scale": (0.001, 1000.0),
}
_MOST_WIDENING, _MOST_CASES = 1e6, 10**6
_MOST_SIGMAS = 10.0
_ROUNDING = 1e-5


def joint_arrays(shape: JointShape) -> dict:
    """The parts of a joint shape by the names of their tensors; empty for None."""
    if shape is None:
        return {}
    return {
        JOINT + "mean": np.ascontiguousarray(shape.mean, np.float64),
        JOINT + "covariance": np.ascontiguousarray(shape.covariance, np.float64),
        JOINT + "widening": np.array(shape.widening, np.float64),
    }


def belief_arrays(form: BeliefForm) -> dict:
    """The same of the form of the belief."""
    if form is None:
        return {}
    arrays = {BELIEF + name: np.array(getattr(form, name), np.float64) for name in _NUMBERS}
    for name in _OF_EACH:
        arrays[BELIEF + name] = np.ascontiguousarray(getattr(form, name), np.float64)
    if form.is_calibrated:
        for name in _SCORES:
            scores = getattr(form.held_out, name)
            arrays[BELIEF + name] = np.ascontiguousarray(scores, np.float32)
    return arrays


def check_header(tensors: dict, landmarks: int, dimension: int) -> None:
    """That the parts are of types and shapes that fit, and all there of what there is.

    tensors: (type, shape) of those that a file has of either.
    """
    joint = {name: t for name, t in tensors.items() if name.startswith(JOINT)}
    belief = {name: t for name, t in tensors.items() if name.startswith(BELIEF)}
    _check(joint, "joint shape", {
        JOINT + "mean": (landmarks, dimension),
        JOINT + "covariance": (landmarks, dimension) * 2,
        JOINT + "widening": (),
    })  # fmt: skip
    wanted = {BELIEF + name: () for name in _NUMBERS}
    wanted.update({BELIEF + name: (landmarks,) for name in _OF_EACH})
    scores = [BELIEF + name for name in _SCORES if BELIEF + name in belief]
    if scores:
        cases = belief[scores[0]][1][:1]
        if not cases or not 1 <= cases[0] <= _MOST_CASES:
            raise ModelFileError(f"Its belief does not fit: {quoted(scores[0])} has no cases.")
        wanted.update({BELIEF + name: (*cases, landmarks) for name in _SCORES})
    _check(belief, "belief", wanted)


def _check(tensors: dict, what: str, wanted: dict) -> None:
    if not tensors:
        return
    for name, shape in wanted.items():
        if name not in tensors:
            raise ModelFileError(f"Its {what} has no {quoted(name)}.")
        dtype, there = tensors[name]
        if dtype not in _REAL or tuple(there) != shape:
            raise ModelFileError(
                f"Its {what} does not fit its landmarks: {quoted(name)} is {dtype}, {list(there)}."
            )
    for name in tensors:
        if name not in wanted:
            raise ModelFileError(f"Its {what} says nothing of {quoted(name)}.")


def joint_from(arrays: dict) -> JointShape:
    """The joint shape in arrays that `check_header` has seen; None without any. Raises ModelFileError
    for values that no cases can have."""
    if JOINT + "mean" not in arrays:
        return None
    mean, covariance = arrays[JOINT + "mean"], arrays[JOINT + "covariance"]
    widening = float(arrays[JOINT + "widening"])
    # Landmarks that no case has are NaN in the mean.
    if (np.abs(mean) > LONGEST_MM).any():
        raise _impossible("joint shape", f"its mean is not all within {LONGEST_MM:g} mm")
    if not (np.abs(covariance) <= LONGEST_MM**2).all():
        raise _impossible("joint shape", "its covariance is not finite, or beyond what lengths are")
    if not 1 <= widening <= _MOST_WIDENING:
        raise _impossible("joint shape", f"its widening is {widening:g}")
    size = mean.size
    matrix = covariance.reshape(size, size)
    largest = max(float(np.abs(matrix).max()), 1e-12)
    if np.abs(matrix - matrix.T).max() > _ROUNDING * largest:
        raise _impossible("joint shape", "its covariance is not symmetric")
    try:
        np.linalg.cholesky(matrix + _ROUNDING * largest * np.eye(size))
    except np.linalg.LinAlgError as error:
        raise _impossible("joint shape", "its covariance is not positive") from error
    return JointShape(mean.astype(float), covariance.astype(float), widening)


def belief_from(arrays: dict, sigma_mm: float) -> BeliefForm:
    """The same of the form of the belief. sigma_mm: of the stage whose heatmaps it is of."""
    if BELIEF + "power" not in arrays:
        return None
    numbers = {name: float(arrays[BELIEF + name]) for name in _NUMBERS}
    for name, (least, most) in _LIMITS.items():
        if not least <= numbers[name] <= most:
            raise _impossible("belief", f"its {name} is {numbers[name]:g}")
    spreads, tails = (arrays[BELIEF + name].astype(float) for name in _OF_EACH)
    # Wider than that, a region of it would be an image's size.
    widest = _MOST_SIGMAS * sigma_mm
    if not ((spreads >= 0) & (spreads <= widest)).all():
        raise _impossible("belief", f"its spreads are not all from 0 to {widest:g} mm")
    if not ((tails >= 0) & (tails <= 1)).all():
        raise _impossible("belief", "its tails are not all from 0 to 1")
    return BeliefForm(spreads, tails, **numbers, held_out=_held_out(arrays))


def _held_out(arrays: dict):
    if BELIEF + _SCORES[0] not in arrays:
        return None
    scores = {name: arrays[BELIEF + name].astype(float) for name in _SCORES}
    for name, values in scores.items():
        known = values[np.isfinite(values)]
        most = LONGEST_MM if name == "errors_mm" else 1.0 + _ROUNDING
        if np.isinf(values).any() or not ((known >= 0) & (known <= most)).all():
            raise _impossible("belief", f"its {name} are not all from 0 to {most:g}")
    return HeldOut(**scores)


def _impossible(whose: str, what: str) -> ModelFileError:
    return ModelFileError(f"Its {whose} is impossible: {what}.")
