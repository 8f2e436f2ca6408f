"""What client and worker say to each other.

The worker is a Python process that the client starts. Messages go over its standard input and output,
one JSON object a line, in UTF-8; each has a `message` that says what it is. Whatever libraries print
goes to standard error. Arrays do not go over the pipes: they lie in files of plain values (C order, the
machine's byte order) in a folder that the client makes, and messages name them.

client to worker                        worker to client
----------------                        ----------------
                                        {"message": "ready", "version": 1}
{"message": "detect", "job": 7,
 "image": ARRAY, "model": PATH,
 "device": "auto"}
                                        {"message": "progress", "job": 7, "stage": "Detecting",
                                         "fraction": 0.2}
                                        one of
                                        {"message": "finished", "job": 7, "prediction": ...,
                                         "device": "cpu", "note": "", "seconds": {...}}
                                        {"message": "failed", "job": 7, "text": ..., "details": ...}
{"message": "cancel", "job": 7}         {"message": "cancelled", "job": 7}

ARRAY: {"file": name in the folder, "offset": bytes, "dtype": "<i2", "shape": [K, J, I],
"ijk_to_lps": 4 x 4}. A job's number is never used twice, so what comes late belongs to nobody. The
worker does one job at a time. It ends when its standard input does: it does not outlive the client,
however that ended, and takes the folder with it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..annotation.landmarks import LandmarkSet
from ..detection.prediction import LandmarkPrediction, Prediction
from ..images.geometry import Grid, Image
from ..model.description import ModelIdentity

VERSION = 1


class ProtocolError(Exception):
    """What came is no message of this protocol."""


def line_of(message: str, **content) -> bytes:
    """One message as it goes over a pipe."""
    return json.dumps({"message": message, **content}).encode() + b"\n"


def read_line(line: bytes) -> dict:
    """The message in a line. Raises ProtocolError for anything else."""
    try:
        document = json.loads(line)
        if isinstance(document["message"], str):
            return document
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ProtocolError(f"not a message: {line[:200]!r}")


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
    }


def mapped(array: dict, folder: Path) -> Image:
    """The image of an ARRAY, mapped from its file: nothing is read before it is used."""
    path = Path(folder) / array["file"]
    shape = tuple(array["shape"])
    values = np.memmap(path, np.dtype(array["dtype"]), "r", array["offset"], shape)
    return Image(values, np.array(array["ijk_to_lps"]))


def loaded(array: dict, folder: Path) -> Image:
    """The image of an ARRAY, read into memory, so that the file can go."""
    dtype, shape = np.dtype(array["dtype"]), tuple(array["shape"])
    count = int(np.prod(shape))
    values = np.fromfile(Path(folder) / array["file"], dtype, count, offset=array["offset"])
    return Image(values.reshape(shape), np.array(array["ijk_to_lps"]))


def prediction_to_json(prediction: Prediction, path: Path) -> dict:
    """A Prediction, with its heatmaps written to the file `path`."""
    with open(path, "wb") as file:
        points = [
            {
                "name": point.name,
                "position_lps": [float(x) for x in point.position_lps],
                "presence": float(point.presence),
                "confidence": float(point.confidence),
                "heatmap": written(point.heatmap, file),
            }
            for point in prediction.points
        ]
        combined = None if prediction.combined is None else written(prediction.combined, file)
    return {
        "landmark_set": prediction.landmarks.to_json(),
        "points": points,
        "size_ijk": list(prediction.grid.size_ijk),
        "ijk_to_lps": prediction.grid.ijk_to_lps.tolist(),
        "model": prediction.model.to_json(),
        "combined": combined,
    }


def prediction_from_json(document: dict, folder: Path) -> Prediction:
    """The inverse; afterwards the file is not needed any more."""
    points = tuple(
        LandmarkPrediction(
            point["name"],
            np.array(point["position_lps"]),
            point["presence"],
            point["confidence"],
            loaded(point["heatmap"], folder),
        )
        for point in document["points"]
    )
    combined = document["combined"]
    return Prediction(
        LandmarkSet.from_json(document["landmark_set"]),
        points,
        Grid(tuple(document["size_ijk"]), np.array(document["ijk_to_lps"])),
        ModelIdentity(**document["model"]),
        None if combined is None else loaded(combined, folder),
    )
