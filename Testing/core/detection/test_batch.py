"""Detection in folders: read ahead, gone on with, split over processes, and nothing lost."""

import gc
import json
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import dots
from landmark_heatmap import cli, files
from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.detection import batch
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images import identity
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.launch import Place, place
from places import MODULE_FOLDER


@pytest.fixture
def images(tmp_path):
    """Five images, two of them in a sub-folder, and what else lies in such folders."""
    folder = tmp_path / "images"
    for name in ("a", "b", "c", "sub/a", "sub/d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        dots.write_case(folder, name, 7)
        (folder / f"{name}.mrk.json").unlink()
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture
def model(tmp_path):
    return dots.write_untrained(tmp_path / "model.safetensors")


@pytest.fixture
def read(monkeypatch):
    """The names of the images that are read from now on."""
    names = []
    real = batch.read_image

    def recorded(path, spacing_mm):
        names.append(str(path))
        return real(path, spacing_mm)

    monkeypatch.setattr(batch, "read_image", recorded)
    return names


def detect(images, model, *extra):
    output = str(images.parent / "out")
    return cli.main(["detect", str(images), "--model", str(model), "--output", output, *extra])


def found(folder, ending=".mrk.json"):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob(f"*{ending}"))


ALL = [f"{name}.mrk.json" for name in ("a", "b", "c", "sub/a", "sub/d")]


def test_all_images_of_a_folder_are_done_and_results_lie_as_the_images_do(images, model, capsys):
    assert detect(images, model) == 0
    assert found(images.parent / "out") == ALL
    told = capsys.readouterr().out
    assert "[1/5]" in told and "[5/5]" in told and "left" in told


def test_heatmaps_segmentations_and_results_are_no_images(images, model):
    assert detect(images, model, "--heatmaps") == 0
    dots.write_case(images, "a.seg", 1)
    (images / "a.seg.mrk.json").unlink()
    (images / "b-heatmaps").mkdir()
    dots.write_case(images / "b-heatmaps", "001-Nose", 1)
    (images / ".hidden").mkdir()
    dots.write_case(images / ".hidden", "x", 1)
    jobs = batch.find_jobs([images], images / "out")
    assert [job.image.relative_to(images).as_posix() for job in jobs] == [
        "a.nrrd", "b.nrrd", "c.nrrd", "sub/a.nrrd", "sub/d.nrrd"
    ]  # fmt: skip
    # An output folder among the images, with heatmaps and all, is none of them.
    assert len(batch.find_jobs([images.parent], images.parent / "out")) == 5


def test_results_may_lie_beside_their_images(images, model):
    command = ["detect", str(images), "--model", str(model), "--output", str(images)]
    assert cli.main(command) == 0
    assert found(images) == ALL
    assert cli.main(command) == 0


def test_a_folder_without_images_is_told(tmp_path, model, capsys):
    (tmp_path / "empty").mkdir()
    assert detect(tmp_path / "empty", model) == 2
    assert "no image below" in capsys.readouterr().err


def test_an_image_named_twice_is_done_once(images):
    jobs = batch.find_jobs([images / "a.nrrd", images], images.parent / "out")
    assert len(jobs) == 5


def test_what_was_done_is_not_done_again(images, model, read, capsys):
    assert detect(images, model) == 0
    (images.parent / "out/b.mrk.json").unlink()
    (images / "new.nrrd").write_bytes((images / "a.nrrd").read_bytes())
    read.clear()
    assert detect(images, model) == 0
    assert [Path(name).name for name in read] == ["b.nrrd", "new.nrrd"]
    assert "4 of 6 images were done before." in capsys.readouterr().out


def test_a_stopped_run_goes_on_where_it_stood(images, model, read, monkeypatch):
    real, calls = Predictor.predict, []

    def stops(self, image, progress=None):
        calls.append(image)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, image, progress)

    monkeypatch.setattr(Predictor, "predict", stops)
    assert detect(images, model, "--heatmaps") == 130
    monkeypatch.setattr(Predictor, "predict", real)
    read.clear()
    assert detect(images, model, "--heatmaps") == 0
    assert len(read) == 3
    assert found(images.parent / "out") == ALL


def test_heatmaps_that_are_asked_for_later_are_made_and_the_annotation_stays(images, model):
    assert detect(images, model) == 0
    annotation = images.parent / "out/a.mrk.json"
    before = annotation.stat().st_mtime_ns
    assert detect(images, model, "--heatmaps") == 0
    assert annotation.stat().st_mtime_ns == before
    assert len(found(images.parent / "out", "combined.nrrd")) == 5


def test_results_of_another_model_are_refused_before_anything_is_done(
    images, model, read, capsys, tmp_path
):
    assert detect(images, model) == 0
    read.clear()
    other = dots.write_untrained(tmp_path / "other.safetensors", name="Other")
    assert detect(images, other) == 2
    assert "not from this model" in capsys.readouterr().err
    assert read == []
    assert detect(images, other, "--overwrite") == 0
    assert len(read) == 5


def test_an_image_that_changed_is_not_taken_for_done(images, model, capsys):
    assert detect(images, model) == 0
    dots.write_case(images.parent, "changed", 8)
    (images.parent / "changed.nrrd").replace(images / "b.nrrd")
    before = (images.parent / "out/b.mrk.json").read_bytes()
    assert detect(images, model) == 1
    assert "b.nrrd failed" in capsys.readouterr().err
    assert (images.parent / "out/b.mrk.json").read_bytes() == before
    assert detect(images, model, "--overwrite") == 0
    assert (images.parent / "out/b.mrk.json").read_bytes() != before


def test_a_header_and_its_values_are_one_image(tmp_path):
    for folder, value in (("one", b"\1"), ("two", b"\2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mhd").write_bytes(b"NDims = 2\nElementDataFile = a.raw\n")
        (tmp_path / folder / "a.raw").write_bytes(value)
    first, second = (identity.files_sha256(tmp_path / f / "a.mhd") for f in ("one", "two"))
    assert first != second


def test_what_slicer_saved_is_never_taken_for_ours(images, model, capsys):
    assert detect(images, model) == 0
    annotation = images.parent / "out/a.mrk.json"
    write_annotation(annotation, read_annotation(annotation))
    before = annotation.read_bytes()
    assert detect(images, model) == 2
    assert "a.mrk.json" in capsys.readouterr().err
    assert annotation.read_bytes() == before


def test_broken_images_are_named_and_the_rest_is_done(images, model, capsys):
    (images / "bad.nrrd").write_text("no image")
    (images / "c.nrrd").write_bytes((images / "c.nrrd").read_bytes()[:150])
    assert detect(images, model) == 1
    told = capsys.readouterr().err
    assert "bad.nrrd failed" in told and "c.nrrd failed" in told and "2 of 6" in told
    assert found(images.parent / "out") == [name for name in ALL if name != "c.mrk.json"]


@pytest.mark.parametrize("where", ["read_image", "predict"])
def test_a_mistake_of_ours_in_one_image_is_shown_and_the_rest_is_done(
    images, model, capsys, monkeypatch, where
):
    owner = batch if where == "read_image" else Predictor
    real, calls = getattr(owner, where), []

    def fails_once(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise ZeroDivisionError("ours")
        return real(*arguments)

    monkeypatch.setattr(owner, where, fails_once)
    assert detect(images, model) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told and "b.nrrd failed: A mistake of this program" in told
    assert len(found(images.parent / "out")) == 4


def test_the_next_image_is_read_while_this_one_is_worked_on_and_no_more(images, model, monkeypatch):
    alive, most, begun = weakref.WeakSet(), [], []
    next_is_read = threading.Event()

    class Recorded:
        def __init__(self, image):
            self.image = image

    def reads(path, spacing_mm):
        begun.append(path)
        image = read_image(path)
        alive.add(image)
        most.append(len(alive))
        if len(begun) == 2:
            next_is_read.set()
        return image

    def predict(self, image, progress=None):
        # Only a reader beside this thread can set it.
        assert next_is_read.wait(600)
        gc.collect()
        assert len(begun) <= len(most) + 1
        return real(self, image, progress)

    real = Predictor.predict
    monkeypatch.setattr(batch, "read_image", reads)
    monkeypatch.setattr(Predictor, "predict", predict)
    assert detect(images, model) == 0
    assert max(most) == 2


def test_two_runs_into_one_folder_never_write_over_each_other(images, model, tmp_path, monkeypatch):
    """Another model's result comes just before ours is written."""
    real = files.rename_new
    out = images.parent / "out"

    def too_late(source, path):
        if Path(path).name == "b.mrk.json" and not Path(path).exists():
            Path(path).write_text("theirs")
        return real(source, path)

    monkeypatch.setattr(files, "rename_new", too_late)
    assert detect(images, model) == 1
    assert (out / "b.mrk.json").read_text(encoding="utf-8") == "theirs"
    assert found(out) == ALL
    assert not list(out.rglob(".new-*"))


def test_two_runs_of_one_model_agree_that_the_work_is_done(images, model, monkeypatch):
    assert detect(images, model) == 0
    out = images.parent / "out"
    theirs = (out / "b.mrk.json").read_bytes()
    (out / "b.mrk.json").unlink()
    real = files.rename_new

    def too_late(source, path):
        Path(path).write_bytes(theirs)
        return real(source, path)

    monkeypatch.setattr(files, "rename_new", too_late)
    assert detect(images, model) == 0


def test_each_process_takes_every_nth_image_and_all_are_done(images, model, monkeypatch, capsys):
    alone = images.parent / "alone"
    assert cli.main(["detect", str(images), "--model", str(model), "--output", str(alone)]) == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        assert detect(images, model) == 0
        done.append(len(found(images.parent / "out")))
    assert done == [3, 5]
    for name in ALL:
        assert (alone / name).read_bytes() == (images.parent / "out" / name).read_bytes()


def test_torchrun_does_all_images_and_says_that_one_is_broken(images, model):
    (images / "a.nrrd").write_text("no image")  # the first process's first
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
               "-m", "landmark_heatmap.cli", "detect", str(images), "--model", str(model),
               "--output", str(images.parent / "out")]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "a.nrrd failed" in done.stderr
    assert found(images.parent / "out") == ALL[1:]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Place()),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Place(3, 4)),
        (
            {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
            Place(3, 4, 1, 2),
        ),
    ],
)
def test_the_launcher_says_which_process_this_is(variables, expected):
    assert place(variables) == expected


@pytest.mark.parametrize("rank", ["4", "-1", "first"])
def test_a_place_that_makes_no_sense_is_refused(rank):
    with pytest.raises(LandmarkHeatmapError, match="RANK"):
        place({"RANK": rank, "WORLD_SIZE": "4"})


def test_processes_on_one_machine_share_its_cores():
    alone = Place().threads()
    assert Place(0, 2, 0, 2).threads() == max(1, alone // 2)
    assert Place(0, 999, 0, 999).threads() == 1


def test_an_annotation_says_which_model_made_it_of_which_image(images, model):
    assert detect(images, model) == 0
    markup = json.loads((images.parent / "out/a.mrk.json").read_text(encoding="utf-8"))["markups"][
        0
    ]
    made_by = markup["landmarkHeatmapMadeBy"]
    assert made_by["model"]["name"] == "Dots"
    assert made_by["imageSha256"] == files.sha256_of(images / "a.nrrd")


def test_links_in_a_circle_do_not_keep_the_other_images_from_being_done(images, model):
    (images / "circle.nrrd").symlink_to("circle.nrrd")
    (images / "folder").symlink_to("folder")
    assert detect(images, model) == 0
    assert found(images.parent / "out") == ALL


def test_a_name_too_long_for_its_results_is_told_with_what_to_do(images, model, capsys):
    (images / "a.nrrd").rename(images / ("a" * 250 + ".nrrd"))
    assert detect(images, model) == 1
    assert "Shorten its name" in capsys.readouterr().err
    assert found(images.parent / "out") == ALL[1:]
