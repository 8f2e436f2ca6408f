"""A run that goes on notices what has changed and what is damaged, and says what; no file can harm it."""

import csv
import json
import os
import random
import shutil
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_heatmap.model.model_file import read_description
from landmark_training.cli import main
from landmark_training.crossval import cross_validate, resume_cross_validation
from landmark_training.data.digests import changes
from landmark_training.fit import Stopped, fit, resume
from landmark_training.judging.runs import read_rows, read_run
from landmark_training.learning import run as run_module
from landmark_training.learning.record import Record
from landmark_training.outputs import alone_in
from training_examples import TINY, make_eyes, stops_after, write_pairs

CONFIG = replace(TINY, epochs=2, steps_per_epoch=2)


def quiet(line):
    pass


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with data, and a run that was stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "data").mkdir()
    write_pairs(folder / "data", make_eyes, 6)
    with pytest.MonkeyPatch.context() as patched:
        stops_after(patched, 3)
        with pytest.raises(Stopped):
            fit([folder / "data"], folder / "run", CONFIG, say=quiet)
    return folder


@pytest.fixture
def run(begun, tmp_path):
    """A copy of it, whose run says where the copy is."""
    shutil.copytree(begun, tmp_path / "copy")
    folder = tmp_path / "copy"
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    record["data"] = [str(folder / "data")]
    (folder / "run" / "run.json").write_text(json.dumps(record))
    return folder / "run"


def data_of(run):
    return run.parent / "data"


def replaced(path, **points):
    annotation = read_annotation(path)
    write_annotation(path, Annotation({**annotation.points, **points}))


def test_unchanged_data_written_once_more_are_unchanged(run):
    for path in data_of(run).glob("*.mrk.json"):
        write_annotation(path, read_annotation(path))
    image = read_image(data_of(run) / "face00.nrrd")
    (data_of(run) / "face00.nrrd").unlink()
    write_image(data_of(run) / "face00.nii.gz", image)  # the same, in another file
    assert read_description(resume(run, quiet)).training["outcome"]["kept"]


def moves(folder):
    x, y, z = read_annotation(folder / "face01.mrk.json").position_lps("Eye_L")
    replaced(folder / "face01.mrk.json", Eye_L=Point(PointState.PLACED, (x + 0.01, y, z)))


def vanishes(folder):
    replaced(folder / "face01.mrk.json", Eye_R=Point(PointState.ABSENT))


def is_not_judged(folder):
    replaced(folder / "face02.mrk.json", Eye_R=Point(PointState.UNJUDGED))


def is_another_image(folder):
    image = read_image(folder / "face03.nrrd")
    array = image.array.copy()
    array[0, 0, 0] += 1
    write_image(folder / "face03.nrrd", Image(array, image.ijk_to_lps))


def is_gone(folder):
    for ending in (".nrrd", ".mrk.json"):
        (folder / f"face00{ending}").unlink()


def is_new(folder):
    image, annotation = make_eyes(50)
    write_image(folder / "late.nrrd", image)
    write_annotation(folder / "late.mrk.json", annotation)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (moves, "case 'face01': landmark 'Eye_L' moved"),
        (vanishes, "case 'face01': landmark 'Eye_R' is absent, it was placed"),
        (is_not_judged, "case 'face02': landmark 'Eye_R' is no longer judged"),
        (is_another_image, "case 'face03': it has another image"),
        (is_gone, "case 'face00' is gone"),
        (is_new, "case 'late' is new"),
    ],
)
def test_what_has_changed_is_named(run, change, told):
    before = (run / "model.safetensors").read_bytes()
    change(data_of(run))
    with pytest.raises(DatasetError, match="have changed") as refused:
        resume(run, quiet)
    assert told in str(refused.value)
    assert str(refused.value).count("case '") == 1
    assert (run / "model.safetensors").read_bytes() == before


def test_a_point_that_counts_as_corrected_now_is_a_change():
    before = {"a": {"image": "1", "landmarks": {"P": ["placed", "2"]}, "corrected": []}}
    now = {"a": {**before["a"], "corrected": ["P"]}}
    assert changes(before, now) == ["case 'a': landmark 'P' counts as corrected now"]
    assert changes(before, before) == []


def test_another_model_to_start_from_is_a_change(run, tmp_path):
    parent = tmp_path / "parent.safetensors"
    shutil.copy(run / "model.safetensors", parent)
    fit([data_of(run)], tmp_path / "next", replace(CONFIG, epochs=1), parent, say=quiet)
    # What it was before it was gone on with, and is no longer.
    shutil.copy(resume(run, quiet), parent)
    with pytest.raises(DatasetError, match=r"model that it started from, '.*parent\.safetensors'"):
        resume(tmp_path / "next", quiet)


def test_a_cross_validation_notices_it_too(begun, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(begun / "data", data)
    go_on = stops_after(monkeypatch, 3)
    with pytest.raises(Stopped):
        cross_validate([data], tmp_path / "folds", 2, replace(CONFIG, epochs=1), say=quiet)
    go_on()
    # A fold that was stopped is not taken for a finished one.
    assert not (tmp_path / "folds" / "fold-2" / "finished.json").exists()
    moves(data)
    with pytest.raises(DatasetError, match="case 'face01': landmark 'Eye_L' moved"):
        resume_cross_validation(tmp_path / "folds", quiet)
    record = tmp_path / "folds" / "cross-validation.json"
    for text in ("", "[]", "{", '{"config": 1}', '{"config": {}, "data": 3}', "[" * 100000):
        kept = record.read_bytes()
        record.write_text(text)
        with pytest.raises(DatasetError, match=r"cross-validation\.json' is damaged"):
            resume_cross_validation(tmp_path / "folds", quiet)
        record.write_bytes(kept)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "3", "{}", "\0", "[" * 100000),
        *('{"config_in_full": 3, "training_cases": [], "validation_cases": []}',),
        *('{"config_in_full": {}, "training_cases": [1], "validation_cases": []}',),
        *('{"config_in_full": {}, "training_cases": 7, "validation_cases": [], "data": "x"}',),
    ],
)
def test_a_damaged_record_of_a_run_is_told(run, text, capsys):
    (run / "run.json").write_text(text)
    assert main(["fit", "--resume", str(run)]) == 2
    assert "run.json' is damaged" in capsys.readouterr().err
    assert main(["report", str(run)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cases", {"face00": 3}),
        ("cases", {"face00": {"image": 1}}),
        ("cases", []),
        ("step_seconds", {"coarse": "fast"}),
        ("left_out", {}),
        ("config_in_full", {"epochs": "many"}),
        ("config_in_full", {"no such": 1}),
        ("started_from", 3),
    ],
)
def test_a_record_with_a_part_of_another_kind_is_told(run, name, value):
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**record, name: value}))
    with pytest.raises(DatasetError, match=r"run\.json|has changed|have changed"):
        resume(run, quiet)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"stage,epoch\ncoarse,first\n",
        b"epoch\n1\n",
        b"stage,epoch\ncoarse,1,2\n",
        b"stage,epoch\ncoarse\n",
        b"stage,epoch\n" + b"a" * 200000 + b",1\n",
    ],
)
def test_a_damaged_progress_csv_is_told(run, content):
    (run / "progress.csv").write_bytes(content)
    for read in (resume, lambda run, _: read_run(run)):
        with pytest.raises(DatasetError, match=r"progress\.csv' is damaged.*move it away"):
            read(run, quiet)
    (run / "progress.csv").unlink()
    assert resume(run, quiet).exists()


def changed_checkpoint(run, change):
    path = run / "coarse-checkpoint.pt"
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def first_weight(state):
    return next(iter(state["network"].values()))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["progress"].update(task=1),
        lambda s: s["progress"].update(steps="many"),
        lambda s: s["progress"].update(steps=-1),
        lambda s: s["progress"].update(epoch=True),
        lambda s: s["progress"].update(best=float("nan")),
        lambda s: s["progress"].update(kept_epoch=-1),
        lambda s: s["progress"].pop("judged_epoch"),
        lambda s: s.update(best_of_cases=torch.zeros(7, dtype=torch.float64)),
        lambda s: s["best_of_cases"].fill_(float("nan")),
        lambda s: s["progress"].update(precision="float8"),
        lambda s: s["progress"].update(precision=["float32"]),
        lambda s: s["progress"].pop("epoch"),
        lambda s: s["clock"].update(seconds=float("inf")),
        lambda s: s.pop("feed"),
        lambda s: s.update(extra={}),
        lambda s: s["feed"].update(queue=[10**6]),
        lambda s: s["feed"].update(queue=["a"]),
        lambda s: s["feed"].update(generator=torch.zeros(3, dtype=torch.uint8)),
        lambda s: s["feed"]["generator"].fill_(255),
        lambda s: s["network"].popitem(),
        lambda s: s["network"].update(more=torch.zeros(1)),
        lambda s: first_weight(s).fill_(float("nan")),
        lambda s: first_weight(s).resize_(3),
        lambda s: s["averaged"].update({next(iter(s["averaged"])): "text"}),
        lambda s: s["optimiser"].update({"x": {}}),
        lambda s: s["optimiser"][0].update(exp_avg=torch.zeros(1)),
        lambda s: s.update(scaler={"scale": 1.0}),
        lambda s: s.clear(),
    ],
)
def test_a_checkpoint_sets_nothing_but_what_it_may(run, change):
    changed_checkpoint(run, change)
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(DatasetError, match=r"coarse-checkpoint\.pt' is damaged.*start a new one"):
        resume(run, quiet)
    assert (run / "model.safetensors").read_bytes() == before


def test_a_checkpoint_damaged_anywhere_is_told_or_goes_on(run):
    path = run / "coarse-checkpoint.pt"
    whole, dice = path.read_bytes(), random.Random(0)
    damaged = [b"", b"no checkpoint", whole[: len(whole) // 2], whole[:-1]]
    for _ in range(12):
        content = bytearray(whole)
        for _ in range(20):
            content[dice.randrange(len(content))] = dice.randrange(256)
        damaged.append(bytes(content))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            run_module.Run.restore(a_run(run))
        except DatasetError as error:
            refused += 1
            assert "coarse-checkpoint.pt' is damaged" in str(error)
    assert refused >= 4


def a_run(run):
    """Ready to go on, and not yet gone on with."""
    from landmark_training.fit import Job, get_ready
    from landmark_training.learning.clock import Clock
    from landmark_training.learning.coarse import CoarseTask
    from landmark_training.learning.outcome import nothing_yet

    ready = get_ready(Job([str(data_of(run))], CONFIG, None), run, quiet)
    task = CoarseTask(ready.plan, ready.networks[0], ready.training, ready.held_out, ready.writer)
    nothing = nothing_yet(ready.plan, len(ready.held_out))
    clock = Clock(nothing.planned, ready.plan.config)
    return run_module.Run(task, ready.plan, clock, run, quiet, nothing)


def test_a_full_disk_at_a_checkpoint_or_a_record_is_told_and_training_goes_on(
    begun, tmp_path, monkeypatch
):
    original = run_module.write_checkpoint

    def no_room(path, state):
        if state["progress"]["epoch"] == 2:
            raise OSError(28, "No space left on device", str(path))
        original(path, state)

    monkeypatch.setattr(run_module, "write_checkpoint", no_room)
    add = Record.add

    def add_or_not(self, *arguments):
        add(self, *arguments)
        if arguments[1] == 1:
            raise OSError(28, "No space left on device", str(self.path))

    monkeypatch.setattr(Record, "add", add_or_not)
    said = []
    fit([begun / "data"], tmp_path / "run", CONFIG, say=said.append)
    for name in ("coarse-checkpoint.pt", "progress.csv"):
        assert any(f"{name}' cannot be written: No space left" in line for line in said)
    assert len(read_rows(tmp_path / "run" / "progress.csv")) == 2
    checkpoint = torch.load(tmp_path / "run" / "coarse-checkpoint.pt", weights_only=True)
    assert checkpoint["progress"]["epoch"] == 1


def test_what_a_killed_process_left_half_written_is_tidied(run):
    (run / ".new-abc-model.safetensors").write_bytes(b"half")
    resume(run, quiet)
    assert not list(run.glob(".new-*"))


def test_the_rows_of_an_earlier_version_keep_their_columns(tmp_path):
    (tmp_path / "progress.csv").write_text("stage,epoch,older\ncoarse,1,7\n")
    record = Record(tmp_path, quiet)
    record.add("coarse", 2, 1.0, {"loss": 0.5})
    with open(tmp_path / "progress.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["older"] for row in rows] == ["7", ""]
    assert [row["loss"] for row in rows] == ["", "0.5"]


def test_a_pipe_in_place_of_a_checkpoint_is_refused_and_not_waited_for(run):
    (run / "coarse-checkpoint.pt").unlink()
    os.mkfifo(run / "coarse-checkpoint.pt")
    with pytest.raises(DatasetError, match="coarse-checkpoint.pt.* is a pipe"):
        resume(run, say=quiet)


def test_a_run_that_another_process_goes_on_with_is_not_gone_on_with_too(run):
    with alone_in(run), pytest.raises(DatasetError, match="Another process trains in"):
        resume(run, say=quiet)
    resume(run, say=quiet)


def test_stopped_before_it_goes_on_a_run_is_said_to_be_as_it_was(run, monkeypatch):
    told, model = [], (run / "model.safetensors").read_bytes()
    monkeypatch.setattr(run_module.Run, "restore", interrupted)
    with pytest.raises(Stopped):
        resume(run, say=told.append)
    assert any("is as it was" in line for line in told)
    assert not any("No model is kept" in line for line in told)
    assert (run / "model.safetensors").read_bytes() == model


def test_stopped_before_its_first_epoch_a_run_does_not_speak_of_0_of_0(
    begun, tmp_path, monkeypatch
):
    told = []
    monkeypatch.setattr(run_module.Run, "restore", interrupted)
    with pytest.raises(Stopped):
        fit([begun / "data"], tmp_path / "run", CONFIG, say=told.append)
    assert any(line.startswith("Done: no epoch,") for line in told)


def interrupted(self):
    raise KeyboardInterrupt
