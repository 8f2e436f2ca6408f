"""Model files: what is written is read again, and whatever is wrong with a file is said."""

import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.files import sha256_of
from landmark_heatmap.model import model_file
from landmark_heatmap.model.description import (
    IntensityNormalisation,
    ModelDescription,
    NetworkConfig,
    Stage,
)
from landmark_heatmap.model.model_file import read_description, read_model, write_model
from landmark_heatmap.model.network import LandmarkUNet, network_for
from landmark_heatmap.model.prior import fit_prior

LANDMARKS = LandmarkSet(
    (Landmark("Head_L", "centre of the left head"), Landmark("Head_R")), (("Head_L", "Head_R"),)
)
NETWORK = NetworkConfig(3, 2, (4, 8), joint_features=4, joint_level=1)
DESCRIPTION = ModelDescription(
    name="Hip",
    version="1.2",
    licence="CC0",
    landmarks=LANDMARKS,
    intensity=IntensityNormalisation("window", -300, 1300),
    stages=(Stage("coarse", (4, 4, 4), 6.0, NETWORK),),
    training={"cases": 3},
    metrics={"mre_mm": 2.5},
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LandmarkUNet(NETWORK).eval()


@pytest.fixture
def model_path(tmp_path, network):
    path = tmp_path / "hip.safetensors"
    write_model(path, DESCRIPTION, [network])
    return path


def test_a_network_of_a_file_that_does_not_say_how_its_levels_lie_is_as_it_was():
    document = DESCRIPTION.to_json()
    del document["stages"][0]["network"]["aligned"]
    read = ModelDescription.from_json(document)
    assert not read.stages[0].network.aligned
    assert read == DESCRIPTION


def test_a_model_is_read_as_it_was_written(model_path, network):
    model = read_model(model_path)

    assert model.description == DESCRIPTION
    image = torch.randn(1, 1, 9, 10, 11)
    for before, after in zip(network(image), model.networks[0](image)):
        torch.testing.assert_close(before, after)


def test_the_identity_is_the_hash_of_the_file(model_path):
    assert read_model(model_path).identity.sha256 == sha256_of(model_path)


def test_the_same_model_gives_the_same_file(model_path, tmp_path, network):
    write_model(tmp_path / "again.safetensors", DESCRIPTION, [network])
    assert sha256_of(tmp_path / "again.safetensors") == sha256_of(model_path)


def test_the_description_is_read_without_the_weights(model_path):
    assert read_description(model_path).landmarks == LANDMARKS


def test_two_stages_have_their_place_in_the_file(tmp_path, network):
    fine = Stage("fine", (1, 1, 1), 1.5, replace(NETWORK, joint_features=0), (48, 48, 48))
    both = replace(DESCRIPTION, stages=(*DESCRIPTION.stages, fine))
    write_model(tmp_path / "two.safetensors", both, [network, network_for(fine)])

    model = read_model(tmp_path / "two.safetensors")

    assert model.description.stages[1] == fine
    assert len(model.networks) == 2


def test_the_shape_prior_is_kept_with_the_weights(tmp_path, network):
    prior = fit_prior(np.random.default_rng(0).normal(size=(5, 2, 3)))
    write_model(tmp_path / "prior.safetensors", DESCRIPTION, [network], prior)
    read = read_model(tmp_path / "prior.safetensors").prior
    np.testing.assert_array_equal(read.mean, prior.mean)
    np.testing.assert_array_equal(read.precision(), prior.precision())
    assert read.limit == prior.limit


def test_a_shape_prior_for_other_landmarks_is_refused(tmp_path, network):
    prior = fit_prior(np.random.default_rng(0).normal(size=(5, 7, 3)))
    with pytest.raises(ModelFileError, match="shape prior"):
        write_model(tmp_path / "prior.safetensors", DESCRIPTION, [network], prior)


def test_a_truncated_file_is_refused(model_path):
    os.truncate(model_path, model_path.stat().st_size - 100)
    with pytest.raises(ModelFileError, match=r"hip\.safetensors.*truncated"):
        read_model(model_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, network, value, monkeypatch):
    path = tmp_path / "hip.safetensors"
    next(network.parameters()).data[0] = value
    with monkeypatch.context() as patched:
        # As a file from elsewhere may be.
        patched.setattr(model_file, "_check_finite", lambda name, tensor: None)
        write_model(path, DESCRIPTION, [network])
    with pytest.raises(ModelFileError, match="not all finite"):
        read_model(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_would_be_refused_never_replace_a_model(model_path, network, value):
    good = model_path.read_bytes()
    next(network.parameters()).data[0] = value
    with pytest.raises(ModelFileError, match=r"hip\.safetensors' is not written.*not all finite"):
        write_model(model_path, DESCRIPTION, [network])
    assert model_path.read_bytes() == good


def test_weights_of_another_shape_are_refused_in_one_line(tmp_path):
    other = LandmarkUNet(replace(NETWORK, features=tuple(2 * n for n in NETWORK.features)))
    with pytest.raises(ModelFileError, match="do not fit its description") as refused:
        write_model(tmp_path / "hip.safetensors", DESCRIPTION, [other])
    assert "\n" not in str(refused.value)


def test_a_file_cut_off_within_its_header_is_refused(model_path):
    os.truncate(model_path, 200)
    with pytest.raises(ModelFileError, match="truncated"):
        read_model(model_path)


def test_a_flipped_bit_in_the_weights_is_noticed(model_path):
    content = bytearray(model_path.read_bytes())
    content[-7] ^= 1
    model_path.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(model_path)


def test_a_changed_description_is_noticed(model_path):
    content = model_path.read_bytes()
    assert content.count(b"-300") == 1  # the lower end of the intensity window
    model_path.write_bytes(content.replace(b"-300", b"-200"))
    with pytest.raises(ModelFileError, match="checksum"):
        read_description(model_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"PK\3\4" + b"x" * 500, b"\x80\x02}q\0" * 99])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="safetensors"):
        read_model(path)


def test_weights_of_another_program_are_refused(tmp_path, network):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file(network.state_dict(), str(path))
    with pytest.raises(ModelFileError, match="not a LandmarkHeatmap model"):
        read_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="nothing-here"):
        read_model(tmp_path / "nothing-here.safetensors")


def test_a_newer_file_says_that_an_update_is_needed():
    document = {**DESCRIPTION.to_json(), "schema_version": 99}
    with pytest.raises(ModelFileError, match="99.*Update"):
        ModelDescription.from_json(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("landmark_set", {"landmarks": [{"name": "A"}, {"name": "A"}]}),
        ("landmark_set", {"landmarks": [{"name": "A"}]}),
        ("landmark_set", None),
        ("intensity", {"kind": "magic", "low": 0, "high": 1}),
        ("intensity", {"kind": "window", "low": 2, "high": 1}),
        ("stages", []),
        ("stages", [{"role": "coarse"}]),
        ("stages", "coarse"),
        ("training", 3),
        ("name", None),
    ],
)
def test_an_impossible_description_is_refused(key, value):
    document = json.loads(json.dumps(DESCRIPTION.to_json()))
    document[key] = value
    if value is None:
        del document[key]
    with pytest.raises(ModelFileError):
        ModelDescription.from_json(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [("features", [10**9, 4]), ("features", [4] * 50), ("dimension", 4), ("landmarks", 0)],
)
def test_a_network_out_of_all_proportion_is_refused(key, value):
    document = json.loads(json.dumps(DESCRIPTION.to_json()))
    document["stages"][0]["network"][key] = value
    with pytest.raises(ModelFileError):
        ModelDescription.from_json(document)


@pytest.mark.parametrize("document", [None, [], 3, {}, {"schema": "other"}])
def test_a_description_of_another_kind_is_refused(document):
    with pytest.raises(ModelFileError, match="not a LandmarkHeatmap model"):
        ModelDescription.from_json(document)


def test_a_header_that_promises_terabytes_is_refused(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(ModelFileError):
        read_description(path)


def test_a_failed_write_leaves_the_old_model(model_path, network, monkeypatch):
    before = sha256_of(model_path)
    monkeypatch.setattr("safetensors.torch.save_file", lambda *a: (_ for _ in ()).throw(OSError()))
    with pytest.raises(OSError):
        write_model(model_path, DESCRIPTION, [network])
    assert sha256_of(model_path) == before
    assert list(model_path.parent.iterdir()) == [model_path]


def test_weights_in_half_precision_take_half_and_are_read_as_full_ones(
    tmp_path, network, model_path
):
    path = tmp_path / "half.safetensors"
    write_model(path, DESCRIPTION, [network], half=True)
    read, full = (read_model(each).networks[0].state_dict() for each in (path, model_path))
    for name, weight in full.items():
        assert read[name].dtype == torch.float32
        torch.testing.assert_close(read[name], weight.half().float(), rtol=0, atol=0)
    taken = 2 * sum(weight.numel() for weight in full.values())
    assert model_path.stat().st_size - path.stat().st_size == pytest.approx(taken, abs=1000)


def test_a_weight_that_is_too_large_for_half_precision_is_told_and_nothing_is_written(
    tmp_path, network
):
    with torch.no_grad():
        next(network.parameters()).fill_(1e6)
    path = tmp_path / "half.safetensors"
    with pytest.raises(ModelFileError, match="not all finite"):
        write_model(path, DESCRIPTION, [network], half=True)
    assert not path.exists()
