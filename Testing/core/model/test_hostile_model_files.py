"""Model files from elsewhere: compared before anything is built for them, and refused in plain words."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model import model_file
from landmark_heatmap.model.description import (
    MODEL_SCHEMA,
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import read_description, read_model, write_model
from landmark_heatmap.model.network import network_for
from landmark_heatmap.model.prior import fit_prior

STAGES = (
    Stage("coarse", (4, 4, 4), 6.0, NetworkConfig(3, 3, (2, 4), 2, 1)),
    Stage("fine", (1, 1, 1), 1.5, NetworkConfig(3, 3, (2, 4), 0, 1), (16, 16, 16)),
)
DESCRIPTION = ModelDescription(
    "Hip", LandmarkSet(tuple(map(Landmark, "ABC"))), IntensityNormalisation(), STAGES
)


def described(**changes) -> dict:
    return {**json.loads(json.dumps(DESCRIPTION.to_json())), **changes}


def with_stage(index, **changes) -> dict:
    document = described()
    stage = document["stages"][index]
    stage["network"].update({k: changes.pop(k) for k in list(changes) if k in stage["network"]})
    stage.update(changes)
    return document


@pytest.fixture
def tensors(tmp_path):
    networks = [network_for(stage) for stage in STAGES]
    prior = fit_prior(np.random.default_rng(0).normal(size=(5, 3, 3)))
    write_model(tmp_path / "good.safetensors", DESCRIPTION, networks, prior)
    return safetensors_torch.load_file(str(tmp_path / "good.safetensors"))


def saved(path, tensors, document) -> str:
    """A file whose checksums are right, whatever it says."""
    text = document if isinstance(document, str) else json.dumps(document)
    metadata = {
        "description": text,
        "description_sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        "weights_sha256": model_file._checksum(tensors),
    }
    safetensors_torch.save_file(tensors, str(path), {MODEL_SCHEMA: json.dumps(metadata)})
    return path


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (with_stage(0, spacing_mm=[10**400, 4, 4]), "spacing_mm"),
        (with_stage(0, spacing_mm=[1e-7, 4, 4]), "spacing_mm"),
        (with_stage(0, spacing_mm=[True, 4, 4]), "spacing_mm"),
        (with_stage(0, spacing_mm=[1e-3, 1e3, 1e3]), "1000 times"),
        (with_stage(0, sigma_mm=1e-30), "sigma_mm"),
        (with_stage(0, sigma_mm=1e40), "sigma_mm"),
        (with_stage(0, sigma_mm="6"), "sigma_mm"),
        (with_stage(0, sigma_mm=1e6), "1000 times"),
        (with_stage(1, spacing_mm=[1e-5] * 3, sigma_mm=1e-5), "spacings of the stages"),
        (with_stage(1, crop_size=[512] * 3), "134217728 voxels"),
        (with_stage(1, crop_size="abc"), "crop_size"),
        (with_stage(1, turned=1), "turned"),
        (with_stage(0, features="abc"), "features"),
        (with_stage(0, aligned=1), "aligned = 1"),
        (with_stage(0, head=["distribution"]), "head"),
        (with_stage(0, role={}), "Unknown stage"),
        (described(intensity={"kind": "window", "low": 0, "high": 10**400}), "high"),
        (described(intensity={"kind": "window", "low": "a", "high": "b"}), "low"),
        (described(intensity={"kind": [], "low": 0, "high": 1}), "normalisation"),
        (described(name="x" * 5000), "5000 letters"),
        (described(name=3), "name"),
        (described(text="\ud800"), "no Unicode"),
        (described(landmark_set={"landmarks": [{"name": "\udfff"}]}), "no Unicode"),
        (described(landmark_set={"landmarks": [{"name": "x" * 5000}]}), "5000 letters"),
        (described(landmark_set={"landmarks": [{"name": "A"}] * 10**5}), "landmarks"),
        (described(landmark_set={"landmarks": [{"name": c, "definition": 3} for c in "ABC"]}), "A"),
        (described(landmark_set={"landmarks": [{"name": c} for c in "ABC"], "name": []}), "name"),
        (described(training={"training_images": [[1]]}), "training_images"),
        (described(metrics={"mre": 10**4000}), "too large"),
        (described(metrics={"deep": json.loads("[" * 60 + "]" * 60)}), "nested"),
        (described(metrics=[["a", 1]]), "metrics"),
        (described(members=65), "members"),
        (described(schema_version=True), "schema version"),
    ],
)
def test_a_description_of_odd_values_is_refused_in_a_line(document, words):
    with pytest.raises(ModelFileError, match=words) as refused:
        ModelDescription.from_json(document)
    assert len(str(refused.value)) < 600 and "\n" not in str(refused.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "9" * 5000])
def test_numbers_that_are_none_are_refused_in_the_record_too(tmp_path, tensors, number):
    text = json.dumps(described(metrics={"mre": "HERE"})).replace('"HERE"', number)
    with pytest.raises(ModelFileError):
        read_description(saved(tmp_path / "m.safetensors", tensors, text))


def test_a_description_of_many_megabytes_is_refused(tmp_path, tensors):
    document = described(training={"notes": ["x" * 1000] * 9000})
    with pytest.raises(ModelFileError, match="at most 8388608 letters"):
        read_description(saved(tmp_path / "m.safetensors", tensors, document))


@pytest.mark.parametrize(
    "document",
    [
        with_stage(0, features=[2048] * 8),
        with_stage(0, features=[2048] * 8, joint_features=1024, joint_level=0),
        {**with_stage(1, features=[1024, 2048]), "members": 64},
    ],
)
def test_a_network_that_the_file_does_not_hold_is_never_built(tmp_path, tensors, document):
    """It would take gigabytes; compared are shapes only."""
    path = saved(tmp_path / "m.safetensors", tensors, document)
    before = peak_bytes()
    with pytest.raises(ModelFileError, match=r"fit its description|GB of weights"):
        read_model(path)
    assert peak_bytes() - before < 2**28


def peak_bytes() -> int:
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("prior.mean", lambda t: t.to(torch.float16), "F16"),
        ("prior.mean", lambda t: t.to(torch.int64), "I64"),
        ("prior.cases", lambda t: t.to(torch.bool), "BOOL"),
        ("prior.cases", lambda t: t - 9, "numbers of cases"),
        ("prior.cases", lambda t: t + torch.triu(torch.ones_like(t)), "numbers of cases"),
        ("prior.mean", lambda t: t * float("nan"), "means"),
        ("prior.mean", lambda t: t + 1, "opposite"),
        ("prior.covariance", lambda t: t / 0, "covariances"),
        ("prior.covariance", lambda t: -t, "positive"),
        ("prior.covariance", lambda t: t * 1e20, "covariances"),
        ("prior.covariance", lambda t: t + torch.triu(torch.ones_like(t)), "symmetric"),
        ("prior.limit", lambda t: t * float("nan"), "limit"),
        ("prior.limit", lambda t: -t - 1, "limit"),
        ("prior.limit", lambda t: t.reshape(1), "limit"),
        ("prior.mean", lambda t: None, "no 'mean'"),
        ("coarse.stem.first.weight", lambda t: t.to(torch.int32), "I32"),
        ("coarse.stem.first.weight", lambda t: t.to(torch.complex64), "C64"),
        ("coarse.stem.first.weight", lambda t: t.double() * 1e300, "finite"),
        ("coarse.stem.first.weight", lambda t: None, "missing"),
        ("coarse.other", lambda t: torch.zeros(3), "says nothing"),
        ("prior.other", lambda t: torch.zeros(3), "prior.other"),
    ],
)
def test_tensors_of_odd_types_and_values_are_refused(tmp_path, tensors, name, change, words):
    changed = change(tensors.get(name))
    tensors = {k: v for k, v in tensors.items() if k != name}
    if changed is not None:
        tensors[name] = changed
    with pytest.raises(ModelFileError, match=words):
        read_model(saved(tmp_path / "m.safetensors", tensors, described()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_become_float32(tmp_path, tensors, dtype):
    halves = {n: t if n.startswith("prior") else t.to(dtype) for n, t in tensors.items()}
    model = read_model(saved(tmp_path / "m.safetensors", halves, described()))
    assert {p.dtype for network in model.networks for p in network.parameters()} == {torch.float32}


def test_a_library_that_fails_in_its_own_way_is_told_with_the_file(tmp_path, tensors, monkeypatch):
    path = saved(tmp_path / "m.safetensors", tensors, described())
    for error in (ZeroDivisionError("x" * 10_000), IndexError(), AttributeError("no bits")):
        monkeypatch.setattr(
            "safetensors.torch.load_file", lambda *a, e=error: (_ for _ in ()).throw(e)
        )
        with pytest.raises(ModelFileError, match=r"m\.safetensors") as refused:
            read_model(path)
        assert len(str(refused.value)) < 600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.safetensors")
    for path in (tmp_path / "m.safetensors", tmp_path):
        with pytest.raises(ModelFileError, match="cannot be used"):
            read_description(path)


def test_what_would_be_refused_is_not_written(tmp_path, tensors):
    networks = [network_for(stage) for stage in STAGES]
    good = fit_prior(np.random.default_rng(0).normal(size=(5, 3, 3)))
    for prior in (
        replace(good, mean=good.mean * np.nan),
        replace(good, covariance=np.full_like(good.covariance, np.inf)),
        replace(good, limit=float("nan")),
        replace(good, cases=good.cases.astype(float)),
    ):
        with pytest.raises(ModelFileError, match="prior"):
            write_model(tmp_path / "new.safetensors", DESCRIPTION, networks, prior)
    with pytest.raises(ModelFileError):
        write_model(tmp_path / "new.safetensors", DESCRIPTION, networks[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["good.safetensors"]
