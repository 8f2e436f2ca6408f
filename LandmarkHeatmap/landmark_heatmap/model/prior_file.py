"""The shape prior as the tensors of a model file, and what has to hold for one that is read."""

from __future__ import annotations

import numpy as np

from ..errors import ModelFileError, quoted
from .prior import ShapePrior
from .values import LONGEST_MM

PREFIX = "prior."
_PARTS = ("mean", "covariance", "cases")
_OPTIONAL = ("limit", "shape")
_REAL, _WHOLE = ("F64", "F32"), ("I64", "I32")
_MOST_CASES = 10**9
# Of the largest value: how much two that should be the same may differ, and one be below zero.
_ROUNDING = 1e-5


def arrays_of(prior: ShapePrior) -> dict:
    """The parts by the names of their tensors."""
    arrays = {name: np.ascontiguousarray(getattr(prior, name)) for name in _PARTS}
    arrays["limit"] = np.array(prior.limit, dtype=np.float64)
    if prior.shape is not None:
        arrays["shape"] = np.ascontiguousarray(prior.shape)
    return {PREFIX + name: array for name, array in arrays.items()}


def check_header(tensors: dict, landmarks: int, dimension: int) -> None:
    """That the parts are all there, of types and shapes that fit.

    tensors: (type, shape) of those that a file has of a prior; none is right, too.
    """
    if not tensors:
        return
    pairs = (landmarks, landmarks)
    known = {
        "mean": (_REAL, (*pairs, dimension)),
        "covariance": (_REAL, (*pairs, dimension, dimension)),
        "cases": (_WHOLE, pairs),
        "limit": (_REAL, ()),
        "shape": (_REAL, (landmarks, dimension)),
    }
    missing = [name for name in _PARTS if PREFIX + name not in tensors]
    if missing:
        raise ModelFileError(f"Its shape prior has no '{missing[0]}'.")
    for name, (dtype, shape) in tensors.items():
        types, wanted = known.get(name[len(PREFIX) :], ((), ()))
        if dtype not in types or shape != wanted:
            raise ModelFileError(
                f"Its shape prior does not fit its landmarks: {quoted(name)} is {dtype}, {list(shape)}."
            )


def prior_from(arrays: dict) -> ShapePrior:
    """The prior in arrays that `check_header` has seen; None without any.

    Raises ModelFileError for values that no cases can have.
    """
    if not arrays:
        return None
    mean, covariance, cases = (arrays[PREFIX + name] for name in _PARTS)
    # Files from before there was a limit have none; those of one case once had zero.
    limit = float(arrays.get(PREFIX + "limit", np.inf)) or np.inf
    shape = arrays.get(PREFIX + "shape")
    _check_values(mean, covariance, cases, limit, shape)
    return ShapePrior(mean, covariance, cases, limit, shape)


def _check_values(mean, covariance, cases, limit: float, shape) -> None:
    if not (np.abs(mean) <= LONGEST_MM).all():
        raise _impossible(f"its means are not all within {LONGEST_MM:g} mm")
    if not (np.abs(covariance) <= LONGEST_MM**2).all():
        raise _impossible(f"its covariances are not all within {LONGEST_MM**2:g} mm squared")
    if not ((cases >= 0) & (cases <= _MOST_CASES)).all() or (cases != cases.T).any():
        raise _impossible("its numbers of cases are not symmetric, from 0 on")
    if not limit >= 0:
        raise _impossible(f"its limit is {limit:g}")
    # Landmarks that no case has are NaN in the mean shape.
    if shape is not None and (np.abs(shape) > LONGEST_MM).any():
        raise _impossible(f"its mean shape is not all within {LONGEST_MM:g} mm")
    if _differ(mean, -np.swapaxes(mean, 0, 1)):
        raise _impossible("its means from one landmark to another and back are not opposite")
    there_and_back = np.swapaxes(covariance, 0, 1)
    if _differ(covariance, there_and_back) or _differ(covariance, np.swapaxes(covariance, 2, 3)):
        raise _impossible("its covariances are not symmetric")
    # Pairs the other way round are the same by now.
    halves = covariance[np.triu_indices(len(covariance), 1)]
    spread = np.trace(halves, axis1=-2, axis2=-1)
    if len(halves) and (np.linalg.eigvalsh(halves)[:, 0] < -_ROUNDING * np.abs(spread)).any():
        raise _impossible("its covariances are not positive")


def _differ(a, b) -> bool:
    return bool(np.abs(a - b).max() > _ROUNDING * max(np.abs(a).max(), 1e-12))


def _impossible(what: str) -> ModelFileError:
    return ModelFileError(f"Its shape prior is impossible: {what}.")
