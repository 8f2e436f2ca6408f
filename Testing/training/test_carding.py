"""A model with a card, and in half precision, is a new file; the old one stays as it is."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.files import sha256_of
from landmark_heatmap.model.handedness import SYMMETRIC
from landmark_heatmap.model.model_file import read_description, read_model
from landmark_heatmap.model.shipped import model_path
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training import cli

CARD = {
    "schema": "landmark-heatmap-card",
    "schema_version": 1,
    "text": "A try.",
    "card": {
        "purpose": "To try.",
        "not_for": ["Anything else."],
        "population": "Nobody.",
        "modality": "None.",
        "errors": [{"what": "none", "mean": 1, "low": 0, "high": 2, "cases": 1}],
        "data": [{"name": "None", "licence": "None", "citation": "None"}],
        "not_tried": ["Everything."],
    },
}


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(CARD), encoding="utf-8")
    return path


def test_a_model_with_a_card_is_a_new_file_and_finds_the_same(tmp_path, card, capsys):
    old, new = model_path("synthetic_hip"), tmp_path / "carded.safetensors"
    before = sha256_of(old)

    assert cli.main(["card", str(old), str(card), str(new), "--half"]) == 0

    assert sha256_of(old) == before
    assert read_description(new).card.purpose == "To try."
    assert read_description(new).text == "A try."
    # Told without the shape, which only torch reads: a pelvis is its own mirror image.
    assert read_description(new).training[SYMMETRIC] is True
    for name, weight in read_model(new).networks[0].state_dict().items():
        assert weight.dtype == torch.float32, name
    assert f"{new.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out
    hip = make_synthetic_hip(seed=5, size=48, spacing_mm=5.0).image
    exact, half = (
        np.array([p.position_lps for p in Predictor(path, "cpu").predict(hip).points])
        for path in (old, new)
    )
    # A tenth of the network's voxels, of 4 mm.
    assert np.linalg.norm(exact - half, axis=1).max() < 0.4


def test_nothing_is_overwritten_and_a_bad_card_writes_nothing(tmp_path, card, capsys):
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"somebody's")
    assert cli.main(["card", "synthetic_hip", str(card), str(there)]) == 2
    assert there.read_bytes() == b"somebody's"

    card.write_text("{", encoding="utf-8")
    new = tmp_path / "new.safetensors"
    assert cli.main(["card", "synthetic_hip", str(card), str(new)]) == 2
    assert "not valid JSON" in capsys.readouterr().err
    assert not new.exists()
