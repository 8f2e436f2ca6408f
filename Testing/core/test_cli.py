"""The command line: it says what went wrong in one line, and takes nothing from the user."""

import errno
import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib import metadata

import numpy as np
import pytest
import SimpleITK

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import landmark_heatmap
from landmark_heatmap import cli, files
from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.command_line import run_command, version_text
from landmark_heatmap.detection import predict
from landmark_heatmap.detection.prediction import LandmarkPrediction
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import read_description, write_model
from landmark_heatmap.model.network import LandmarkUNet
from places import MODELS, MODULE_FOLDER


@pytest.fixture
def folder(tmp_path):
    """Two images and a small network that has learnt nothing."""
    network = NetworkConfig(3, 2, (4, 8), joint_features=4, joint_level=1)
    description = ModelDescription(
        name="Tiny",
        landmarks=LandmarkSet((Landmark("A"), Landmark("B/C"))),
        intensity=IntensityNormalisation(),
        stages=(Stage("coarse", (1, 1, 1), 2.0, network),),
    )
    torch.manual_seed(0)
    write_model(tmp_path / "model.safetensors", description, [LandmarkUNet(network)])
    values = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    for name in ("one.nrrd", "two bild ü.nii.gz"):
        write_image(tmp_path / name, Image(values, np.eye(4)))
    return tmp_path


def detect(folder, *names, extra=()):
    images = [str(folder / name) for name in names]
    model, output = str(folder / "model.safetensors"), str(folder / "out")
    return cli.main(["detect", *images, "--model", model, "--output", output, *extra])


def content_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def only_line(text):
    assert text.count("\n") == 1 and "Traceback" not in text
    return text


# What lies in a folder of heatmaps, by name.
HEATMAPS = [
    *("001-A-belief.nrrd", "001-A.nrrd", "002-B_C-belief.nrrd", "002-B_C.nrrd"),
    *("combined.nrrd", "made-by.json"),
]


def test_every_image_gets_its_annotation_and_its_heatmaps(folder):
    assert detect(folder, "one.nrrd", "two bild ü.nii.gz", extra=["--heatmaps"]) == 0
    for name in ("one", "two bild ü"):
        assert read_annotation(folder / f"out/{name}.mrk.json").names == ("A", "B/C")
        heatmaps = sorted(path.name for path in (folder / f"out/{name}-heatmaps").iterdir())
        assert heatmaps == HEATMAPS


def test_a_bad_image_is_named_and_the_others_are_done_all_the_same(folder, capsys):
    (folder / "bad.nrrd").write_text("no image")
    assert detect(folder, "bad.nrrd", "one.nrrd") == 1
    assert (folder / "out/one.mrk.json").is_file()
    assert not (folder / "out/bad.mrk.json").exists()
    assert "bad.nrrd" in capsys.readouterr().err


def test_an_image_too_large_for_the_memory_does_not_keep_the_others_from_being_done(
    folder, capsys, monkeypatch
):
    real, calls = predict.run_network, []

    def runs_out_at_first(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: ...")
        return real(*arguments)

    monkeypatch.setattr(predict, "run_network", runs_out_at_first)
    assert detect(folder, "one.nrrd", "two bild ü.nii.gz") == 1
    assert (folder / "out/two bild ü.mrk.json").is_file()
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["one.nii.gz", "ONE.nrrd"])
def test_two_images_of_one_name_are_refused_before_anything_is_done(folder, capsys, other):
    assert detect(folder, "one.nrrd", other) == 2
    assert "would both be written" in only_line(capsys.readouterr().err)
    assert not (folder / "out").exists()


@pytest.mark.parametrize("in_the_way", ["out/one.mrk.json", "out/one-heatmaps/combined.nrrd"])
def test_results_that_are_there_are_refused_before_anything_is_done(folder, capsys, in_the_way):
    (folder / in_the_way).parent.mkdir(parents=True)
    (folder / in_the_way).write_text("mine")
    before = content_of(folder)
    assert detect(folder, "one.nrrd", extra=["--heatmaps"]) == 2
    assert "there already" in only_line(capsys.readouterr().err)
    assert content_of(folder) == before


def test_overwriting_replaces_our_heatmaps_and_leaves_other_files(folder):
    heatmaps = folder / "out/one-heatmaps"
    heatmaps.mkdir(parents=True)
    for name in ("001-Old.nrrd", "notes.txt", "mine.nrrd"):
        (heatmaps / name).write_text("old")
    assert detect(folder, "one.nrrd", extra=["--heatmaps", "--overwrite"]) == 0
    names = sorted(path.name for path in heatmaps.iterdir())
    assert names == [*HEATMAPS, "mine.nrrd", "notes.txt"]


@pytest.mark.parametrize("made", ["out", "out/one.mrk.json/", "out/one-heatmaps"])
def test_a_file_where_a_folder_belongs_is_refused_and_the_reverse(folder, capsys, made):
    (folder / made).parent.mkdir(exist_ok=True)
    (folder / made).mkdir() if made.endswith("/") else (folder / made).write_text("mine")
    assert detect(folder, "one.nrrd", extra=["--heatmaps", "--overwrite"]) == 2
    only_line(capsys.readouterr().err)
    assert made.endswith("/") or (folder / made).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_named(folder, capsys, device):
    assert detect(folder, "one.nrrd", extra=["--device", device]) == 2
    assert f"'{device}' cannot be used" in only_line(capsys.readouterr().err)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_file_that_cannot_be_written_is_named_with_the_reason(folder, capsys, monkeypatch, code):
    def fails(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "replace", fails)
    monkeypatch.setattr(files.os, "link", fails)
    assert detect(folder, "one.nrrd") == 2
    error = only_line(capsys.readouterr().err)
    assert "one.mrk.json" in error and os.strerror(code) in error and ".new-" not in error
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("stopped_in", ["link", "replace", "WriteImage"])
def test_stopping_leaves_what_was_finished_and_nothing_by_halves(
    folder, capsys, monkeypatch, stopped_in
):
    assert detect(folder, "one.nrrd") == 0
    before = content_of(folder)

    def stops(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(SimpleITK if stopped_in == "WriteImage" else files.os, stopped_in, stops)
    # Heatmaps replace temporary files; an annotation is linked to its name.
    extra = [] if stopped_in == "link" else ["--heatmaps"]
    assert detect(folder, "two bild ü.nii.gz", extra=extra) == 130
    assert "Stopped" in only_line(capsys.readouterr().err)
    assert content_of(folder) == before


def test_the_figures_of_an_evaluation_are_never_overwritten_unasked(folder, capsys):
    points = Annotation({"A": Point(PointState.PLACED, (1, 2, 3))})
    write_annotation(folder / "a.mrk.json", points)
    figures = folder / "figures.json"
    figures.write_text("mine")
    command = ["evaluate", *2 * [str(folder / "a.mrk.json")], "--json", str(figures)]
    assert cli.main(command) == 2
    assert "there already" in only_line(capsys.readouterr().err)
    assert figures.read_text(encoding="utf-8") == "mine"
    assert cli.main([*command, "--overwrite"]) == 0
    assert json.loads(figures.read_text(encoding="utf-8"))["units"] == "mm"


def in_a_process(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "landmark_heatmap.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment, stderr=subprocess.PIPE, **options)


def test_a_terminal_without_the_letters_of_a_name_is_no_reason_to_fail(folder):
    done = in_a_process("describe", folder / "nowhere ü.safetensors")
    assert done.returncode == 2
    assert b"nowhere \\xfc.safetensors" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no broken pipes")
def test_a_reader_that_has_seen_enough_gets_no_traceback(folder):
    reading, writing = os.pipe()
    os.close(reading)
    done = in_a_process("describe", folder / "model.safetensors", stdout=writing)
    os.close(writing)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "scan.nrrd"), 2, "'scan.nrrd': No such"),
        (OSError("strange"), 2, "strange"),
        (MemoryError(), 2, "memory"),
        (KeyboardInterrupt(), 130, "Stopped"),
    ],
)
def test_every_failure_has_its_line_and_its_code(capsys, failure, code, words):
    def fails(_):
        raise failure

    assert run_command("program", fails, None) == code
    assert words in only_line(capsys.readouterr().err)


def test_a_shipped_model_is_described_by_its_name(capsys):
    assert cli.main(["describe", "synthetic_hip"]) == 0
    told = read_description(MODELS / "synthetic_hip.safetensors").to_json()
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(told))
    assert cli.main(["describe", "synthetic_hpi"]) == 2
    assert "synthetic_hip" in only_line(capsys.readouterr().err)


def test_detection_takes_the_name_of_a_shipped_model(folder, capsys):
    command = ["detect", str(folder / "one.nrrd"), "--output", str(folder / "out")]
    assert cli.main([*command, "--model", "synthetic_hip"]) == 0
    names = read_annotation(folder / "out/one.mrk.json").names
    assert names == read_description(MODELS / "synthetic_hip.safetensors").landmarks.names


def test_the_version_is_told_without_importing_what_is_slow(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"landmark-heatmap {landmark_heatmap.__version__}"
    assert f"Python {platform.python_version()}" in lines
    assert f"torch {metadata.version('torch')}" in lines
    code = "import sys; from landmark_heatmap import command_line; command_line.version_text('x')"
    code += "; print({'torch', 'SimpleITK'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert told.stdout.strip() == b"set()", told.stderr


def test_a_package_that_is_not_there_is_told_in_the_version(monkeypatch):
    def gone(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", gone)
    assert "torch: not installed" in version_text("program")


def test_a_package_that_a_job_needs_is_named_with_what_to_do(capsys):
    def needs_it(_):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    assert run_command("program", needs_it, None) == 2
    assert "pip install torch" in only_line(capsys.readouterr().err)


def test_a_module_of_ours_that_is_not_there_is_a_mistake_of_ours():
    def mistaken(_):
        raise ModuleNotFoundError("No module named 'landmark_heatmap.x'", name="landmark_heatmap.x")

    with pytest.raises(ModuleNotFoundError):
        run_command("program", mistaken, None)


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command("program", lambda _: 1 / 0, None)


def test_no_landmark_found_in_any_image_is_no_success(folder, capsys, monkeypatch):
    monkeypatch.setattr(LandmarkPrediction, "is_absent", property(lambda self: True))
    assert detect(folder, "one.nrrd") == 1
    err = capsys.readouterr().err
    assert "no landmark was found in" in err and "one.nrrd" in err
    assert "No landmark was found in any image." in err
    assert read_annotation(folder / "out" / "one.mrk.json").state("A") is PointState.ABSENT


def test_no_landmark_in_one_of_several_images_is_told_and_no_failure(folder, capsys, monkeypatch):
    seen = []

    def absent_at_first(self):
        seen.append(self)
        return len({id(point) for point in seen}) <= 2

    monkeypatch.setattr(LandmarkPrediction, "is_absent", property(absent_at_first))
    assert detect(folder, "one.nrrd", "two bild ü.nii.gz") == 0
    assert capsys.readouterr().err.count("no landmark was found in") == 1


@pytest.mark.parametrize("form", ["tps", "csv", "fcsv"])
def test_results_are_written_for_other_programs_too(folder, capsys, monkeypatch, form):
    monkeypatch.setattr(LandmarkPrediction, "is_absent", property(lambda self: False))
    names = "one.nrrd", "two bild ü.nii.gz"
    assert detect(folder, *names, extra=("--format", form)) == 0
    written = folder / "out" / form
    found = {
        "fcsv": {"one.fcsv", "two bild ü.fcsv"},
        "tps": {"landmarks.tps", "landmarks-names.txt"},
    }
    assert {p.name for p in written.iterdir()} == found.get(form, {"landmarks.csv"})
    assert f"4 points of 2 images as {form}" in capsys.readouterr().out
    # The same again finds all of it there.
    assert detect(folder, *names, extra=("--format", form)) == 0
    # And what is there is taken for no prediction of another image.
    assert cli.main(["evaluate", str(folder / "out"), str(folder / "out")]) == 1


def test_a_command_that_is_asked_to_end_ends_as_by_ctrl_c_and_with_its_own_code(capsys):
    before = signal.getsignal(signal.SIGTERM)
    tidied = []

    def works(_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            tidied.append(True)

    assert run_command("program", works, None) == 143
    assert tidied and "Stopped" in only_line(capsys.readouterr().err)
    assert signal.getsignal(signal.SIGTERM) == before
