"""Writing files: a crash at any moment leaves the old or the new state, never a mixture."""

import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import landmark_heatmap
from landmark_heatmap.files import (
    new_folder,
    real_path,
    rename_new,
    replacing,
    sha256_of,
    sync,
    write_json,
)

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has neither kill -9 nor modes")


class Crash(Exception):
    pass


def test_a_new_file_appears_whole(tmp_path):
    path = tmp_path / "a.json"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(Crash), replacing(path) as temporary:
        temporary.write_text("half of the new")
        raise Crash
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_in_the_middle_leaves_no_folder(tmp_path):
    with pytest.raises(Crash), new_folder(tmp_path / "revision") as temporary:
        (temporary / "a.txt").write_text("half")
        raise Crash
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_never_overwritten_or_merged_into(tmp_path):
    path = tmp_path / "revision"
    path.mkdir()
    (path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing was written"), new_folder(path) as temporary:
        (temporary / "mine.txt").write_text("theirs")
    assert (path / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [path]


@posix_only
def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"number": -1, "values": []})
    program = (
        "import itertools, sys; from landmark_heatmap.files import write_json\n"
        "for n in itertools.count():\n"
        "    write_json(sys.argv[1], {'number': n, 'values': [n] * 20000})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(landmark_heatmap.__file__).parents[1])}
    for attempt in range(5):
        before = json.loads(path.read_text(encoding="utf-8"))["number"]
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], env=environment)
        try:
            deadline = time.monotonic() + 600
            while (
                json.loads(path.read_text(encoding="utf-8"))["number"] == before
                and time.monotonic() < deadline
            ):
                time.sleep(0.005)
            time.sleep(0.003 * attempt)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["values"] == [document["number"]] * 20000
        # Count on from somewhere else, so that the next attempt can see its own writing.
        write_json(path, {"number": -2 - attempt, "values": []})


@posix_only
def test_files_and_folders_get_the_usual_mode_and_not_a_private_one(tmp_path):
    before = os.umask(0o022)
    try:
        write_json(tmp_path / "a.json", {})
        with new_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("x" * 245 + ".json")
    write_json(path, {})
    assert json.loads(path.read_text(encoding="utf-8")) == {}


def test_the_temporary_name_ends_with_the_extension(tmp_path):
    with replacing(tmp_path / "scan.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.name.startswith(".")


def test_numbers_that_json_does_not_know_are_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(path, {"value": value})
    assert path.read_text(encoding="utf-8") == "old"


def test_json_is_for_people_too(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Hüfte"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "name": "Hüfte"\n}\n'


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_is_never_renamed_over_another(tmp_path, monkeypatch, links):
    if not links:

        def no_links(*_):
            raise PermissionError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", no_links)
    source, taken, free = tmp_path / "source", tmp_path / "taken", tmp_path / "free"
    source.write_text("new")
    taken.write_text("old")
    with pytest.raises(FileExistsError):
        rename_new(source, taken)
    assert (source.read_text(encoding="utf-8"), taken.read_text(encoding="utf-8")) == ("new", "old")
    rename_new(source, free)
    assert free.read_text(encoding="utf-8") == "new" and not source.exists()


def test_a_name_that_was_taken_in_vain_is_free_again(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "broken")

    source = tmp_path / "source"
    source.write_text("new")
    monkeypatch.setattr(os, "link", fails)
    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="broken"):
        rename_new(source, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_is_to_be_new_replaces_nothing(tmp_path):
    write_json(tmp_path / "a.json", {"mine": 1}, new=True)
    with pytest.raises(FileExistsError):
        write_json(tmp_path / "a.json", {"theirs": 2}, new=True)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"mine": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_of_many_that_rename_to_one_name_one_succeeds(tmp_path):
    def rename(number):
        source = tmp_path / f"source-{number}"
        source.write_text(str(number))
        try:
            rename_new(source, tmp_path / "target")
        except FileExistsError:
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        winners = [winner for winner in pool.map(rename, range(40)) if winner is not None]
    assert [(tmp_path / "target").read_text(encoding="utf-8")] == winners


def test_a_share_that_cannot_flush_folders_can_be_written_to(tmp_path, monkeypatch):
    flush = os.fsync

    def files_only(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "cannot flush a folder")
        flush(handle)

    monkeypatch.setattr(os, "fsync", files_only)
    write_json(tmp_path / "a.json", {"a": 1})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"a": 1}


def test_a_disk_that_fails_to_flush_a_file_is_no_success(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fails(_):
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="broken disk"):
        write_json(path, {})
    with pytest.raises(OSError, match="broken disk"):
        sync(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_hash_is_that_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_links_in_a_circle_have_a_path_all_the_same(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    assert real_path(tmp_path / "circle") == Path(os.path.realpath(tmp_path)) / "circle"
