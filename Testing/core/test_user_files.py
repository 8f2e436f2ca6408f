"""Files that users name: what is none is told of at once, and messages are fit to be shown."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from landmark_heatmap import cli, leftovers
from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.errors import (
    AnnotationError,
    DatasetError,
    LandmarkHeatmapError,
    printable,
    quoted,
)
from landmark_heatmap.files import new_folder, open_file, read_json, read_text, sha256_of

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


@posix_only
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_file_is_told_of_and_not_waited_for(tmp_path, kind):
    path, link = tmp_path / "a.csv", tmp_path / "link.csv"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        here = os.getcwd()
        os.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    link.symlink_to(path)
    for each in (path, link):
        for read in (open_file, read_text, read_json, sha256_of, read_annotation):
            with pytest.raises(LandmarkHeatmapError, match=f"it is a {kind}, not a file"):
                read(each)


def test_a_larger_text_than_it_should_be_is_not_read(tmp_path):
    (tmp_path / "a").write_text("x" * 11)
    assert read_text(tmp_path / "a", largest=11) == "x" * 11
    with pytest.raises(
        DatasetError, match="a' is too large for what it should be: it has 11 bytes"
    ):
        read_text(tmp_path / "a", DatasetError, largest=10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"\\ud800"', "half a character"),
        ("9" * 5000, "a number of 5000 digits"),
        ("[" * 100_000, "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_json_that_nothing_could_be_done_with_is_refused(tmp_path, text, why):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(AnnotationError, match=rf"a\.json'.*{why}"):
        read_json(tmp_path / "a.json", AnnotationError)


def test_whole_characters_that_are_written_as_two_halves_are_read(tmp_path):
    (tmp_path / "a.json").write_text('"\\ud83e\\uddb4"')
    assert read_json(tmp_path / "a.json") == "\U0001f9b4"


def test_messages_have_no_control_characters_and_an_end():
    error = LandmarkHeatmapError("'a\x1b[31m\nb\u202e\udcff' is " + "x" * 100_000 + ". Do this.")
    told = str(error)
    assert "'a\\x1b[31m\\nb\\u202e\\xff' is xxx" in told and told.endswith(". Do this.")
    assert told.isprintable() and len(told) < 1000
    assert printable("a\n\x07b", lines=True) == "a\n\\x07b"
    assert len(quoted(10**6000)) < 100 and len(quoted(["x" * 9999])) < 120


def test_the_command_line_shows_no_control_characters(tmp_path, capsys):
    name = str(tmp_path / "no\x1b[2Jwhere")
    assert cli.main(["dataset", "check", name]) == 2
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "a", "b", "--no\x1b[2J"])
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err and "\\x1b[2J" in printed.err


def test_a_name_that_no_file_could_have_is_refused_with_its_length(tmp_path):
    name = "N" * 5000
    with pytest.raises(AnnotationError, match="5000 letters.*200 are possible"):
        LandmarkSet((Landmark(name),))
    write_annotation(tmp_path / "a.mrk.json", Annotation({name: Point(PointState.ABSENT)}))
    with pytest.raises(AnnotationError, match=r"a\.mrk\.json', point 1: .*5000 letters"):
        read_annotation(tmp_path / "a.mrk.json")


@pytest.mark.parametrize("digits", ["١٢", "²", "１", "1_0"])
def test_digits_that_no_other_program_reads_are_no_numbers(tmp_path, digits):
    (tmp_path / "a.csv").write_text(f"label,l,p,s\nA,1,2,{digits}\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match="'A' has the position"):
        read_annotation(tmp_path / "a.csv")


@pytest.mark.parametrize("key", ["position", "landmarkHeatmapConfidence"])
def test_a_number_of_hundreds_of_digits_is_refused(tmp_path, key):
    path = tmp_path / "a.mrk.json"
    write_annotation(path, Annotation({"A": Point(PointState.PLACED, (1, 2, 3), 0.5)}))
    document = json.loads(path.read_text(encoding="utf-8"))
    value = 10**400
    document["markups"][0]["controlPoints"][0][key] = [value] * 3 if key == "position" else value
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match="'A' has the") as refusal:
        read_annotation(path)
    assert len(str(refusal.value)) < 500


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@posix_only
def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path):
    machine = leftovers._machine()
    dead, living = f".new-{machine}-{dead_process()}-x-a", f".new-{machine}-{os.getpid()}-x-a"
    elsewhere, old = ".new-0123abcd-1-x-a", ".new-0123abcd-2-x-a"
    for name in (dead, living, elsewhere, old):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.nrrd").write_text("half")
    (tmp_path / "mine").write_text("mine")
    long_ago = time.time() - leftovers.DEAD_AFTER_S - 60
    for path in (tmp_path / old / "image.nrrd", tmp_path / old):
        os.utime(path, (long_ago, long_ago))
    leftovers.tidy(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {living, elsewhere, "mine"}


@posix_only
def test_a_new_folder_takes_the_place_of_what_a_killed_process_left_of_it(tmp_path):
    prefix = f".new-{leftovers._machine()}-{dead_process()}-x"
    for name in (f"{prefix}-out", f"{prefix}-other"):
        (tmp_path / name).mkdir()
    with new_folder(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", f"{prefix}-other"}
