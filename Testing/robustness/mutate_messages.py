"""Messages with something wrong in them, both ways: python mutate_messages.py --inputs 100000 --seed 1

Half of them go to a worker, half come from one. A worker has to answer, or to end because it cannot
understand its client; a client has to tell of a failure, or to go on. Neither may raise, or be deaf.
Whether a worker that ends does so with its folder is seen by kill_workers.py and the tests.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from landmark_heatmap.images.geometry import Image
from landmark_heatmap.worker import arrays, client, protocol, server
from limited import READ, REFUSED, main
from odd import odd_bytes, odd_document
from worker_stand_in import StandIn

_IMAGE = Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))


@lru_cache(maxsize=1)
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="mutate-messages-")


def _folder() -> Path:
    return Path(_temporary().name)


@lru_cache(maxsize=1)
def _good() -> tuple:
    """(requests, answers), each as a document; their arrays lie in the folder."""
    _IMAGE.array.tofile(_folder() / "image")
    detect = {"message": "detect", "job": 1, "image": arrays.described(_IMAGE, "image")}
    detect.update(model="fine", device="cpu")
    prediction = StandIn("fine", "cpu").predict(_IMAGE, lambda *a: None)
    found = arrays.prediction_to_json(prediction, _folder() / "result")
    answers = (
        {"message": "ready", "version": protocol.VERSION},
        {"message": "progress", "job": 1, "stage": "Detecting", "fraction": 0.4},
        {"message": "failed", "job": 1, "text": "no", "details": "at all"},
        {"message": "cancelled", "job": 1},
    )
    done = {"message": "finished", "job": 1, "prediction": found, "device": "cpu", "note": ""}
    done["seconds"] = {"loading": 1.0}
    return (detect, {"message": "cancel", "job": 1}), (*answers, done, done, done)


def _odd_line(rng, documents) -> bytes:
    document = rng.choice(documents)
    if rng.random() < 0.3:
        return odd_bytes(rng, json.dumps(document).encode()).replace(b"\n", b" ") + b"\n"
    line = json.dumps(odd_document(rng, document)).encode()
    return (line if rng.random() < 0.95 else line * rng.choice((2, 3000))) + b"\n"


def _to_the_worker(rng) -> str:
    output = io.BytesIO()
    worker = server.Server(_folder(), output, StandIn)
    try:
        goes_on = worker._hear(_odd_line(rng, _good()[0])[: protocol.LONGEST_REQUEST + 1])
    except protocol.ProtocolError:
        return REFUSED  # it ends
    assert goes_on
    if not worker.waiting.empty():
        worker._do(worker.waiting.get())
    said = [json.loads(line)["message"] for line in output.getvalue().splitlines()]
    if worker.unwanted and not said:
        return READ  # to cancel needs no answer
    assert said and said[-1] in ("finished", "failed", "cancelled"), said
    return READ if said[-1] == "finished" else REFUSED


class _Said:
    """In the place of a worker's process: has said these lines, and lives."""

    def __init__(self, line: bytes):
        self._lines = [line.rstrip(b"\n")]

    def lines(self) -> list:
        lines, self._lines = self._lines, []
        return lines

    def has_ended(self) -> bool:
        return False

    def kill(self) -> None:
        pass


class _Owned:
    def __init__(self, path: Path):
        self.path = path

    def remove(self) -> None:
        pass


def _from_the_worker(rng) -> str:
    line = _odd_line(rng, _good()[1])
    (_folder() / "result-1").touch()
    application = client.WorkerClient("python")
    application._owned, application._process = _Owned(_folder()), _Said(line)
    application._job = client._Job(1, _IMAGE, "fine", "cpu")
    application._job.is_sent = True
    events = application.poll()
    for event in events:
        str(getattr(event, "message", "")).encode()
    failed = [event for event in events if isinstance(event, client.Failed)]
    assert not failed or failed[0].message
    return REFUSED if failed else READ


def try_one(rng) -> str:
    return _to_the_worker(rng) if rng.random() < 0.5 else _from_the_worker(rng)


if __name__ == "__main__":
    sys.exit(main("Messages with something wrong in them", try_one, 2000))
