"""What client and worker say to each other is checked by both: odd messages are told, never believed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.worker import arrays, process, protocol
from places import SUPPORT

STAND_IN = SUPPORT / "worker_stand_in.py"
IMAGE = Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))


@pytest.fixture
def worker(tmp_path):
    """A worker on its pipes, and its folder with an image in it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    IMAGE.array.tofile(folder / "image")
    # As the client starts it: with threads of a library's own, one of those might take a signal.
    variables = process.environment(*sys.path)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, STAND_IN, folder], env=variables, **pipes) as running:
        assert json.loads(running.stdout.readline())["message"] == "ready"
        yield running, folder
        running.kill()


def request(**changes):
    image = arrays.described(IMAGE, "image")
    return {
        "message": "detect",
        "job": 1,
        "image": image,
        "model": "m",
        "device": "auto",
        **changes,
    }


def lines_of(process, line: bytes):
    process.stdin.write(line)
    process.stdin.flush()
    return process


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00\n",
        b"x" * (protocol.LONGEST_REQUEST + 2),
        b"[" * 100_000 + b"\n",
        b"null\n",
        b"\n",
        b'{"message": "sing"}\n',
        b'{"message": "cancel", "job": [1]}\n',
        b'{"message": "cancel", "job": NaN}\n',
        b'{"message": ["detect"], "job": 1}\n',
        b'{"message": "cancel", "job": ' + b"9" * 5000 + b"}\n",
    ],
    ids=lambda line: repr(
        line[:40]
    ),  # which pytest hands to all processes, and a megabyte is refused
)
def test_a_line_that_is_no_request_ends_the_worker_and_its_folder(worker, line):
    process, folder = worker
    lines_of(process, line)
    assert process.wait() == 2
    assert b"cannot be understood" in process.stderr.read()
    assert not folder.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"message": "sing"},
        {"job": -1},
        {"image": None},
        {"image": {}},
        {"image": {**arrays.described(IMAGE, "image"), "file": "../image"}},
        {"image": {**arrays.described(IMAGE, "image"), "file": "nothing"}},
        {"image": {**arrays.described(IMAGE, "image"), "dtype": "O"}},
        {"image": {**arrays.described(IMAGE, "image"), "shape": [10**9] * 3}},
        {"image": {**arrays.described(IMAGE, "image"), "offset": -8}},
        {"image": {**arrays.described(IMAGE, "image"), "ijk_to_lps": [[0] * 4] * 4}},
        {"image": {**arrays.described(IMAGE, "image"), "ijk_to_lps": "near"}},
        {"model": 3},
        {"model": "a\0b"},
        {"device": None},
        {"message": "propose"},
        {"message": "propose", "of": 1, "given": [], "new": [], "absent": []},
        {"message": "propose", "of": 1, "given": {"A": [1, 2]}, "new": [], "absent": []},
        {"message": "propose", "of": 1, "given": {"A": [1, 2, "x"]}, "new": [], "absent": []},
        {"message": "propose", "of": 1, "given": {}, "new": "A", "absent": []},
        {"message": "propose", "of": 1, "given": {}, "new": [], "absent": []},
    ],
)
def test_a_request_that_cannot_be_met_fails_and_the_next_one_works(worker, changes):
    process, _ = worker
    lines_of(process, json.dumps(request(**changes)).encode() + b"\n")
    answers = answers_of(process)
    assert answers[-1]["message"] == "failed" and answers[-1]["text"]
    lines_of(process, json.dumps(request(job=2)).encode() + b"\n")
    assert answers_of(process)[-1]["message"] == "finished"


def answers_of(process) -> list:
    answers = []
    while not answers or answers[-1]["message"] == "progress":
        answers.append(json.loads(process.stdout.readline()))
    return answers


def test_requests_without_an_end_end_the_worker(worker):
    process, folder = worker
    line = json.dumps(request(model="hang")).encode() + b"\n"
    lines_of(process, line * 150)
    assert process.wait() == 1
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_worker_that_is_asked_to_end_takes_its_folder_along(worker, name):
    import signal

    process, folder = worker
    lines_of(process, json.dumps(request(model="hang")).encode() + b"\n")
    while json.loads(process.stdout.readline()).get("stage") != "Detecting":
        pass
    process.send_signal(getattr(signal, name))
    assert process.wait() == 128 + getattr(signal, name)
    assert not folder.exists()


@pytest.mark.parametrize(
    "answer",
    [
        {"message": "progress", "job": 1, "stage": "x", "fraction": float("nan")},
        {"message": "progress", "job": 1, "stage": "x", "fraction": 10**400},
        {"message": "progress", "job": 1, "stage": 4, "fraction": 0.5},
        {"message": "progress", "job": True, "stage": "x", "fraction": 0.5},
        {
            "message": "finished",
            "job": 1,
            "prediction": {},
            "device": "",
            "note": "",
            "seconds": [],
        },
        {"message": "failed", "job": 1, "text": {}, "details": ""},
        {"message": "failed", "job": 1, "text": " ", "details": ""},
        {"message": "proposed", "job": 1, "proposals": {}, "seconds": {}},
        {"message": "ready", "version": "1"},
        {"message": "detect", "job": 1},
    ],
)
def test_an_answer_of_wrong_kinds_is_refused(answer):
    with pytest.raises(protocol.ProtocolError):
        protocol.read_answer(json.dumps(answer).encode())


def test_what_a_worker_says_is_cut_to_what_can_be_shown():
    line = protocol.line_of("failed", job=1, text="\ud800" + "x" * 10**6, details="")
    text = protocol.read_answer(line)["text"]
    assert text.startswith("?x") and len(text) < 5000


def document_of(folder) -> dict:
    """A prediction of one landmark, whose heatmap lies in the folder."""
    heatmap = Image(IMAGE.array.astype(np.float32), np.eye(4))
    heatmap.array.tofile(folder / "image")
    return {
        "landmark_set": {"landmarks": [{"name": "A"}]},
        "points": [
            {
                "name": "A",
                "position_lps": [0, 0, 0],
                "presence": 1,
                "confidence": 1,
                "heatmap": arrays.described(heatmap, "image"),
                "belief": None,
                "doubt": None,
            }
        ],
        "size_ijk": [1, 1, 1],
        "ijk_to_lps": np.eye(4).tolist(),
        "unit": "mm",
        "model": {"name": "", "version": "", "sha256": ""},
        "combined": None,
        "words": ["It is odd."],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"points": []},
        {"points": None},
        {"size_ijk": [0, 1, 1]},
        {"size_ijk": [10**400] * 3},
        {"ijk_to_lps": [[float("inf")] * 4] * 4},
        {"unit": "furlong"},
        {"model": {}},
        {"model": []},
        {"landmark_set": {"landmarks": []}},
        {"combined": {"file": "gone"}},
        {"combined": 3},
        {"words": [3]},
        {"words": None},
    ],
)
def test_a_prediction_of_wrong_kinds_is_refused(tmp_path, change):
    document = document_of(tmp_path)
    assert arrays.prediction_from_json(document, tmp_path).landmarks.names == ("A",)
    assert arrays.prediction_from_json(document, tmp_path).words == ("It is odd.",)
    with pytest.raises(protocol.ProtocolError):
        arrays.prediction_from_json({**document, **change}, tmp_path)


@pytest.mark.parametrize("document", [None, 3, [3], [{}], [{"point": {}, "distance_mm": 1}]])
def test_proposals_of_wrong_kinds_are_refused(tmp_path, document):
    point = {"point": document_of(tmp_path)["points"][0], "distance_mm": 2}
    assert arrays.proposals_from_json([point], tmp_path)[0].distance_mm == 2
    with pytest.raises(protocol.ProtocolError):
        arrays.proposals_from_json(document, tmp_path)
    with pytest.raises(protocol.ProtocolError):
        arrays.proposals_from_json([{**point, "distance_mm": "far"}], tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"belief": {"file": "gone"}},
        {"belief": arrays.described(IMAGE, "image")},
        {"belief": 0.5},
        {"doubt": 2.1},
        {"doubt": {}},
        {"doubt": {"expected_mm": None}},
        {"doubt": {"expected_mm": -1}},
        {"doubt": {"expected_mm": True}},
        {"doubt": {"expected_mm": float("nan")}},
        {"doubt": {"expected_mm": 10**400}},
        {"doubt": {"expected_mm": 1, "level": 90, "within_mm": 2}},
        {"doubt": {"expected_mm": 1, "oddness": "very"}},
        {"doubt": {"expected_mm": 1, "look": "again and again"}},
    ],
)
def test_beliefs_and_doubts_are_checked_as_the_rest_is(tmp_path, change):
    document = document_of(tmp_path)
    document["points"][0].update(doubt={"expected_mm": 1, "level": 0.9, "within_mm": 2})
    (point,) = arrays.prediction_from_json(document, tmp_path).points
    assert point.doubt == Doubt(1, 0.9, 2) and point.belief is None
    document["points"][0].update(change)
    with pytest.raises(protocol.ProtocolError):
        arrays.prediction_from_json(document, tmp_path)


@pytest.mark.parametrize("key", ["belief", "doubt"])
def test_a_prediction_that_says_nothing_of_them_is_of_another_version(tmp_path, key):
    document = document_of(tmp_path)
    del document["points"][0][key]
    with pytest.raises(protocol.ProtocolError):
        arrays.prediction_from_json(document, tmp_path)
