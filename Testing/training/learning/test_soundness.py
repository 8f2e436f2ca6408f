"""A step that is not finite is never learned from, and what was good before it stays."""

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.errors import ModelFileError, TrainingError
from landmark_heatmap.model.model_file import read_description, read_model
from landmark_training.cli import main
from landmark_training.fit import Stopped, fit, resume
from landmark_training.learning import learner
from landmark_training.learning.learner import Learner
from landmark_training.learning.model import ModelWriter
from landmark_training.planning import precision
from landmark_training.planning.precision import Probe, choose_precision
from training_examples import TINY, make_eyes, stops_after, write_pairs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("eyes"), make_eyes, 8)


def quiet(line):
    pass


def spoiled(monkeypatch, first_step, value=math.nan):
    """The loss is this from a step on."""
    original, steps = learner.total_loss, []

    def total_loss(*arguments):
        steps.append(1)
        loss = original(*arguments)
        return loss * value if len(steps) >= first_step else loss

    monkeypatch.setattr(learner, "total_loss", total_loss)


@pytest.mark.parametrize("share", [0.15, 0.0], ids=["validated", "nothing held out"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_once_and_keeps_the_model(
    eyes, tmp_path, monkeypatch, share, value
):
    spoiled(monkeypatch, 7, value)
    said = []
    config = replace(TINY, validation_share=share)
    with pytest.raises(TrainingError, match=r"step 7 \(coarse epoch 2\) the loss is not.*face\d\d"):
        fit([eyes], tmp_path / "run", config, say=said.append)
    model = read_model(tmp_path / "run" / "model.safetensors")
    outcome = model.description.training["outcome"]
    assert outcome["kept"]["epoch"] == 1
    assert outcome["ended"] == "it failed"
    assert any("Done: 1 of 3 coarse epochs" in line for line in said)


def test_no_model_is_written_if_the_first_steps_already_fail(eyes, tmp_path, monkeypatch, capsys):
    spoiled(monkeypatch, 2)
    settings = [f"{k}={v}" for k, v in (("precision", "float32"), ("epochs", 2), ("batch_size", 2))]
    code = main(["fit", "--data", str(eyes), "--output", str(tmp_path / "run"), "--set", *settings])
    assert code == 2
    assert "loss is not finite" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_gradient_that_is_not_finite_stops_although_the_loss_is(eyes, tmp_path, monkeypatch):
    original = Learner._gradients

    def gradients(self, done, precision):
        loss, norm = original(self, done, precision)
        return loss, math.nan if self.steps == 5 else norm

    monkeypatch.setattr(Learner, "_gradients", gradients)
    with pytest.raises(TrainingError, match=r"step 6 .* the gradient is not finite"):
        fit([eyes], tmp_path / "run", TINY, say=quiet)


def test_weights_that_are_not_finite_are_never_judged_or_written(eyes, tmp_path, monkeypatch):
    original = Learner.step

    def step(self, done, where):
        loss = original(self, done, where)
        if self.steps == 8:  # the last of the second epoch: no loss will tell
            next(self.network.parameters()).data.fill_(math.inf)
        return loss

    monkeypatch.setattr(Learner, "step", step)
    with pytest.raises(TrainingError, match="After coarse epoch 2 the weights"):
        fit([eyes], tmp_path / "run", TINY, say=quiet)
    read_model(tmp_path / "run" / "model.safetensors")
    checkpoint = torch.load(tmp_path / "run" / "coarse-checkpoint.pt", weights_only=True)
    assert checkpoint["progress"]["epoch"] == 1


@pytest.mark.parametrize("norm", [math.nan, math.inf, 1e30])
def test_where_half_precision_is_wrong_the_step_is_repeated_in_full(
    eyes, tmp_path, monkeypatch, norm
):
    original, in_half, names = Learner._gradients, [], []

    def gradients(self, done, precision):
        loss, right = original(self, done, precision)
        names.append(self.task.feed.names)
        if precision == torch.bfloat16:
            in_half.append(self.steps)
            return loss, norm if self.steps == 5 else right
        return loss, right

    monkeypatch.setattr(Learner, "_gradients", gradients)
    said = []
    go_on = stops_after(monkeypatch, 9)
    with pytest.raises(Stopped):
        fit([eyes], tmp_path / "run", replace(TINY, precision="bfloat16"), say=said.append)
    assert any("step 6" in line and "it goes on in float32" in line for line in said)
    go_on()
    # What was found out is not found out again.
    model = resume(tmp_path / "run", quiet)
    assert in_half == [0, 1, 2, 3, 4, 5]
    assert names[5] == names[6]  # the same batch
    stage = read_description(model).training["outcome"]["stages"]["coarse"]
    assert stage["precision"] == "float32"
    assert stage["steps"] == 12


def test_a_large_gradient_that_float32_has_too_is_no_error(eyes, tmp_path, monkeypatch):
    original = Learner._gradients
    monkeypatch.setattr(
        Learner, "_gradients", lambda self, done, p: (original(self, done, p)[0], 1e7)
    )
    said = []
    fit([eyes], tmp_path / "run", replace(TINY, precision="bfloat16", epochs=1), say=said.append)
    assert not any("float32" in line for line in said if "goes on" in line)


def test_steps_that_float16_leaves_out_are_counted_and_told(eyes, tmp_path):
    config = replace(TINY, precision="float16")
    said = []
    try:
        model = fit([eyes], tmp_path / "run", config, say=said.append)
    except RuntimeError as error:
        pytest.skip(f"this version of torch has no float16 here: {error}")
    stage = read_description(model).training["outcome"]["stages"]["coarse"]
    rows = (tmp_path / "run" / "progress.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("skipped_steps")
    assert int(rows[-1].split(",")[column]) == stage["skipped_steps"]
    told = [line for line in said if "steps were left out" in line]
    assert len(told) == bool(stage["skipped_steps"])


def test_float16_that_finds_no_scale_gives_way_to_float32(eyes, tmp_path, monkeypatch):
    original = Learner._gradients

    def gradients(self, done, precision):
        loss, norm = original(self, done, precision)
        return loss, math.inf if precision == torch.float16 else norm

    monkeypatch.setattr(Learner, "_gradients", gradients)
    monkeypatch.setattr(learner, "_MOST_LEFT_OUT", 3)
    try:
        model = fit([eyes], tmp_path / "run", replace(TINY, precision="float16"), say=quiet)
    except RuntimeError as error:
        pytest.skip(f"this version of torch has no float16 here: {error}")
    stage = read_description(model).training["outcome"]["stages"]["coarse"]
    assert (stage["skipped_steps"], stage["precision"]) == (3, "float32")


def probe_of(dimension=3):
    from landmark_heatmap.model.description import NetworkConfig, Stage

    network = NetworkConfig(dimension, 3, (4, 8), 4, 1)
    return Probe(
        Stage("coarse", (1.0,) * dimension, 1.0, network), ((3,) + (8,) * (dimension - 1),), 2
    )


def half_is(monkeypatch, change):
    """What `_gradients` gives in bfloat16 is changed, and both take as long."""
    original = precision._Measured._gradients

    def gradients(self, inputs, dtype, is_timed):
        found = original(self, inputs, torch.float32, is_timed)
        self.seconds.update(dict.fromkeys(self.seconds, 1.0))
        return change(self, found) if dtype == torch.bfloat16 else found

    monkeypatch.setattr(precision._Measured, "_gradients", gradients)


@pytest.mark.parametrize(
    ("factor", "told"),
    [(math.nan, "not finite"), (math.inf, "not finite"), (3.0, "differ by 200 %")],
)
def test_half_precision_whose_gradients_are_wrong_is_not_chosen(monkeypatch, factor, told):
    half_is(
        monkeypatch,
        lambda self, found: {
            n: g * factor if "second.weight" in n else g for n, g in found.items()
        },
    )
    choice = choose_precision("auto", [probe_of()], CPU)
    assert choice.precision == torch.float32
    assert told in choice.why
    assert "8 x 8 x 3 voxels" in choice.why


def test_half_precision_is_chosen_unless_it_is_slower(monkeypatch):
    half_is(monkeypatch, lambda self, found: found)
    choice = choose_precision("auto", [probe_of()], CPU)
    assert choice.precision == torch.bfloat16
    assert choice.step_seconds == {"coarse": 1.0}

    def slower(self, found):
        self.seconds[torch.bfloat16] = 3.0
        return found

    half_is(monkeypatch, slower)
    choice = choose_precision("auto", [probe_of()], CPU)
    assert choice.precision == torch.float32
    assert "3.0 times as long" in choice.why


def test_what_was_asked_for_is_not_measured(monkeypatch):
    monkeypatch.setattr(precision, "_Measured", None)
    assert choose_precision("bfloat16", [probe_of()], CPU).precision == torch.bfloat16


def test_a_finished_run_whose_model_was_taken_away_is_an_error(eyes, tmp_path):
    fit([eyes], tmp_path / "run", replace(TINY, epochs=1), say=quiet).unlink()
    with pytest.raises(ModelFileError, match="cannot be opened"):
        resume(tmp_path / "run", quiet)


def test_a_model_that_could_not_be_written_ends_the_run_and_names_the_file(
    eyes, tmp_path, monkeypatch
):
    original, times = ModelWriter.write, []

    def write(self, *arguments):
        times.append(1)
        if len(times) > 1:
            raise OSError(28, "No space left on device", str(self.path))
        return original(self, *arguments)

    monkeypatch.setattr(ModelWriter, "write", write)
    config = replace(TINY, validation_share=0.0)
    with pytest.raises(TrainingError, match=r"model\.safetensors' cannot be written: No space"):
        fit([eyes], tmp_path / "run", config, say=quiet)
    assert read_description(tmp_path / "run" / "model.safetensors").metrics == {}
    monkeypatch.setattr(ModelWriter, "write", original)
    model = resume(tmp_path / "run", quiet)
    assert read_description(model).training["outcome"]["kept"]["epoch"] == 3
