"""What client and worker say to each other.

The worker is a Python process that the client starts. Messages go over its standard input and output,
one JSON object a line, in UTF-8; each has a `message` that says what it is. Whatever libraries print
goes to standard error. Arrays do not go over the pipes: they lie in files of plain values (C order, the
machine's byte order) in a folder that the client makes, and messages name them (see arrays.py).

client to worker                        worker to client
----------------                        ----------------
                                        {"message": "ready", "version": 4}
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

{"message": "propose", "job": 8,
 "of": 7, "given": {NAME: [L, P, S]},
 "new": [NAME], "absent": [NAME]}       {"message": "proposed", "job": 8, "proposals": [...],
                                         "seconds": {...}}, or failed, cancelled

ARRAY: {"file": name in the folder, "offset": bytes, "dtype": "<i2", "shape": [K, J, I],
"ijk_to_lps": 4 x 4, "unit": "mm" or "px"}. A job's number is never used twice, so what comes late
belongs to nobody. The worker does one job at a time.

A prediction has the landmark set, the coarse grid, the model, "combined" (ARRAY or null), "words" (what
has to be said of it as a whole, a list of sentences), and of each landmark: {"name": ...,
"position_lps": [L, P, S], "presence": 0 to 1, "confidence": 0 to 1,
"heatmap": ARRAY, "belief": ARRAY or null, "doubt": {"expected_mm": ..., "level": ..., "within_mm": ...,
"apart_mm": ..., "oddness": ..., "look": ...} or null}, where what is not known of a doubt is null.

What the networks saw in the last image is kept, so that it can be asked what else would move with the
landmarks that a person has placed or confirmed (`given`), as against the answer without those that are
`new`; those that are `absent` are not in the image. A proposal: {"point": as of a prediction,
"distance_mm": ...}. `of` is the job that detected; if it is not the last one, the request fails.

Neither side believes the other: every value is checked as it is read. A request that names its job,
but asks for what cannot be, is answered by `failed`; a line that is no request at all means that the
two do not understand each other, and ends the worker. It ends, too, when its standard input does: it
does not outlive the client, however that ended, and takes the folder with it.
"""

from __future__ import annotations

import json
import math

VERSION = 4
# A request is a few hundred bytes; an answer holds landmark names and definitions, but no arrays.
LONGEST_REQUEST = 2**18
LONGEST_ANSWER = 2**25
_LONGEST_STAGE, _LONGEST_TEXT, _LONGEST_DETAILS = 200, 4_000, 40_000
_LARGEST_NUMBER = 2**63


class ProtocolError(Exception):
    """What came is no message of this protocol. job: the one it names, or None."""

    def __init__(self, text: str, job: int = None):
        super().__init__(text)
        self.job = job


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


def read_request(line: bytes) -> dict:
    """What the client says, with values of the right kinds. Raises ProtocolError."""
    return _checked(read_line(line), _REQUESTS)


def read_answer(line: bytes) -> dict:
    """What the worker says, with values of the right kinds; texts are cut to what can be shown.

    Raises ProtocolError. What a prediction holds is checked when it is read from its arrays.
    """
    return _checked(read_line(line), _ANSWERS)


def whole(value) -> int:
    """A whole number from 0 on. ValueError for anything else; so below."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST_NUMBER:
        raise ValueError("has to be a whole number")
    return value


def finite(value) -> float:
    """A number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Whole numbers in JSON can be too large even for float().
    if not is_number or not abs(value) < _LARGEST_NUMBER or not math.isfinite(value):
        raise ValueError("has to be a number")
    return float(value)


def fraction(value) -> float:
    """A number from 0 to 1, give or take the rounding of a float32."""
    value = finite(value)
    if not -1e-3 <= value <= 1 + 1e-3:
        raise ValueError("has to be a number from 0 to 1")
    return min(max(value, 0.0), 1.0)


def text(value, longest: int = None) -> str:
    """A text that can be shown: half characters are replaced, and what is over `longest` is cut."""
    if not isinstance(value, str):
        raise ValueError("has to be a text")
    if longest is not None and len(value) > longest:
        value = value[:longest] + "..."
    return value.encode("utf-8", "replace").decode("utf-8")


def a_dict(value) -> dict:
    if not isinstance(value, dict):
        raise ValueError("has to be an object")
    return value


def _reason(value) -> str:
    """Why something failed, which nobody may be left without."""
    if not text(value).strip():
        raise ValueError("has to say something")
    return text(value, _LONGEST_TEXT)


def _path(value) -> str:
    """Paths can hold bytes that are no text, which Python keeps as half characters: they stay."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("has to be a path")
    return value


def _seconds(value) -> dict:
    return {text(name, _LONGEST_STAGE): finite(each) for name, each in a_dict(value).items()}


def _positions(value) -> dict:
    """Names, each with three numbers."""
    positions = {text(name): [finite(x) for x in _a_list(at)] for name, at in a_dict(value).items()}
    if any(len(at) != 3 for at in positions.values()):
        raise ValueError("has to have three numbers for each name")
    return positions


def _names(value) -> list:
    return [text(name) for name in _a_list(value)]


def _a_list(value) -> list:
    if not isinstance(value, list):
        raise ValueError("has to be a list")
    return value


_REQUESTS = {
    "detect": {"job": whole, "image": a_dict, "model": _path, "device": text},
    "propose": {"job": whole, "of": whole, "given": _positions, "new": _names, "absent": _names},
    "cancel": {"job": whole},
}
_ANSWERS = {
    "ready": {"version": whole},
    "progress": {"job": whole, "stage": lambda v: text(v, _LONGEST_STAGE), "fraction": fraction},
    "finished": {
        "job": whole,
        "prediction": a_dict,
        "device": lambda v: text(v, _LONGEST_STAGE),
        "note": lambda v: text(v, _LONGEST_TEXT),
        "seconds": _seconds,
    },
    "proposed": {"job": whole, "proposals": _a_list, "seconds": _seconds},
    "failed": {
        "job": whole,
        "text": _reason,
        "details": lambda v: text(v, _LONGEST_DETAILS),
    },
    "cancelled": {"job": whole},
}


def _checked(document: dict, kinds: dict) -> dict:
    """The message with the values that its kind has, and no others."""
    kind, job = document["message"], document.get("job")
    job = job if isinstance(job, int) and not isinstance(job, bool) else None
    if kind not in kinds:
        raise ProtocolError(f"there is no message {kind[:40]!r}", job)
    values = {"message": kind}
    for name, check in kinds[kind].items():
        if name not in document:
            raise ProtocolError(f"the message '{kind}' has no '{name}'", job)
        try:
            values[name] = check(document[name])
        except ValueError as error:
            shown = str(type(document[name]).__name__)
            raise ProtocolError(f"'{name}' of '{kind}' {error}, not {shown}", job) from error
    return values
