"""Images and predictions as messages tell of them, and the files in which their values lie."""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np

from ..annotation.doubt import Doubt
from ..annotation.landmarks import LandmarkSet
from ..detection.prediction import LandmarkPrediction, Prediction
from ..detection.proposals import Proposal
from ..errors import LandmarkHeatmapError
from ..images.geometry import UNITS, Grid, Image
from ..model.description import ModelIdentity
from .protocol import ProtocolError, a_dict, finite, fraction, text, whole

# Booleans, whole numbers, real ones, complex ones: no objects, which would be addresses.
_KINDS = "biufc"
_AXES = 3
_LONGEST_WORD, _MOST_WORDS = 1000, 10
# Whatever a document of another shape leads to; LandmarkHeatmapError: of what places nothing.
_SENSELESS = (
    *(ValueError, KeyError, TypeError, AttributeError, OverflowError),
    LandmarkHeatmapError,
)


def written(image: Image, file) -> dict:
    """The ARRAY of an image, whose values are added to an open file. OSError where there is no room."""
    array = described(image, Path(file.name).name, file.tell())
    file.write(np.ascontiguousarray(image.array).data)
    return array


def described(image: Image, name: str, offset: int = 0) -> dict:
    """The ARRAY of an image whose values lie in the file `name`."""
    return {
        "file": name,
        "offset": offset,
        "dtype": image.array.dtype.str,
        "shape": list(image.array.shape),
        "ijk_to_lps": image.ijk_to_lps.tolist(),
        "unit": image.unit,
    }


def mapped(array: dict, folder: Path) -> Image:
    """The image of an ARRAY, mapped from its file: nothing is read before it is used.

    Raises ProtocolError for an ARRAY that its file does not hold; so does `loaded`.
    """
    path, dtype, offset, shape, matrix, unit = _found(array, folder)
    return Image(np.memmap(path, dtype, "r", offset, shape), matrix, unit)


def loaded(array: dict, folder: Path) -> Image:
    """The image of an ARRAY, read into memory, so that the file can go."""
    path, dtype, offset, shape, matrix, unit = _found(array, folder)
    values = np.fromfile(path, dtype, math.prod(shape), offset=offset)
    return Image(values.reshape(shape), matrix, unit)


def prediction_to_json(prediction: Prediction, path: Path) -> dict:
    """A Prediction, with its heatmaps and beliefs written to the file `path`."""
    with open(path, "wb") as file:
        points = [_point_to_json(point, file) for point in prediction.points]
        combined = None if prediction.combined is None else written(prediction.combined, file)
    return {
        "landmark_set": prediction.landmarks.to_json(),
        "points": points,
        "size_ijk": list(prediction.grid.size_ijk),
        "ijk_to_lps": prediction.grid.ijk_to_lps.tolist(),
        "unit": prediction.grid.unit,
        "model": prediction.model.to_json(),
        "combined": combined,
        "words": list(prediction.words),
    }


def proposals_to_json(proposals, path: Path) -> list:
    """Proposals, with their heatmaps and beliefs written to the file `path`."""
    with open(path, "wb") as file:
        return [
            {"point": _point_to_json(each.point, file), "distance_mm": float(each.distance_mm)}
            for each in proposals
        ]


def proposals_from_json(document: list, folder: Path) -> tuple:
    """The inverse; afterwards the file is not needed any more. Raises ProtocolError."""
    try:
        return tuple(
            Proposal(_point(each["point"], folder), finite(each["distance_mm"]))
            for each in document
        )
    except _SENSELESS as error:
        raise ProtocolError(f"the proposals make no sense: {str(error)[:200]}") from error


def _point_to_json(point: LandmarkPrediction, file) -> dict:
    return {
        "name": point.name,
        "position_lps": [float(x) for x in point.position_lps],
        "presence": float(point.presence),
        "confidence": float(point.confidence),
        "heatmap": written(point.heatmap, file),
        "belief": None if point.belief is None else written(point.belief, file),
        "doubt": None if point.doubt is None else point.doubt.to_json(),
    }


def prediction_from_json(document: dict, folder: Path) -> Prediction:
    """The inverse; afterwards the file is not needed any more. Raises ProtocolError."""
    try:
        return _prediction(document, folder)
    except _SENSELESS as error:
        raise ProtocolError(f"the prediction makes no sense: {str(error)[:200]}") from error


def _prediction(document: dict, folder: Path) -> Prediction:
    landmarks = LandmarkSet.from_json(document["landmark_set"])
    points = tuple(_point(point, folder) for point in document["points"])
    if tuple(point.name for point in points) != landmarks.names:
        raise ValueError("its points are not its landmarks")
    combined = document["combined"]
    return Prediction(
        landmarks,
        points,
        Grid(
            tuple(map(whole, document["size_ijk"])),
            _matrix(document["ijk_to_lps"]),
            _unit(document),
        ),
        ModelIdentity(*(text(document["model"][key]) for key in ("name", "version", "sha256"))),
        None if combined is None else _heatmap(combined, folder),
        tuple(text(word, _LONGEST_WORD) for word in document["words"][:_MOST_WORDS]),
    )


def _point(point: dict, folder: Path) -> LandmarkPrediction:
    position = np.array([finite(x) for x in point["position_lps"]])
    if position.shape != (3,):
        raise ValueError("a position has three numbers")
    belief, doubt = point["belief"], point["doubt"]
    return LandmarkPrediction(
        text(point["name"]),
        position,
        fraction(point["presence"]),
        finite(point["confidence"]),
        _heatmap(point["heatmap"], folder),
        None if belief is None else _heatmap(belief, folder),
        None if doubt is None else Doubt.from_json(doubt),
    )


def _heatmap(array: dict, folder: Path) -> Image:
    image = loaded(array, folder)
    if image.array.dtype != np.float32:
        raise ValueError(f"a heatmap has values of the type {image.array.dtype}")
    return image


def _found(array: dict, folder: Path) -> tuple:
    """(path, dtype, offset, shape, ijk_to_lps, unit): of values that are all there."""
    try:
        name = text(a_dict(array)["file"])
        if not name or name in (".", "..") or Path(name).name != name or "\0" in name:
            raise ValueError("'file' has to be a name in the folder")
        dtype = np.dtype(text(array["dtype"]))
        shape = tuple(map(whole, array["shape"]))
        if dtype.kind not in _KINDS or dtype.shape or len(shape) != _AXES or min(shape) < 1:
            raise ValueError("'dtype' and 'shape' have to be of numbers with the axes (K, J, I)")
        offset, path = whole(array["offset"]), Path(folder) / name
        there = path.lstat()
        if not stat.S_ISREG(there.st_mode):
            raise ValueError("'file' has to be a file")
        if offset + math.prod(shape) * dtype.itemsize > there.st_size:
            raise ValueError(f"its {there.st_size} bytes are fewer than 'shape' needs")
        return path, dtype, offset, shape, _matrix(array["ijk_to_lps"]), _unit(array)
    except (ValueError, KeyError, TypeError, SyntaxError, OSError) as error:
        raise ProtocolError(f"an array makes no sense: {str(error)[:200]}") from error


def _unit(document: dict) -> str:
    unit = text(document["unit"])
    if unit not in UNITS:
        raise ValueError("'unit' has to be mm or px")
    return unit


def _matrix(rows) -> np.ndarray:
    matrix = np.array([[finite(value) for value in row] for row in rows])
    if matrix.shape != (4, 4):
        raise ValueError("an affine has 4 x 4 numbers")
    return matrix
