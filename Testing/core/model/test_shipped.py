"""The models that come along: found by name, wherever the package lies, and in every wheel."""

import re

import pytest

from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model import shipped
from landmark_heatmap.model.model_file import read_description
from landmark_heatmap.model.shipped import model_path, shipped_models
from places import MODELS, ROOT

PACKAGE = "landmark_heatmap.model.shipped_models"


def test_each_model_of_the_module_comes_along_under_its_name():
    assert shipped_models() == {path.stem: path for path in MODELS.glob("*.safetensors")}
    assert "synthetic_hip" in shipped_models()
    for path in shipped_models().values():
        assert read_description(path).landmarks.names


def test_an_installed_package_finds_them_beside_its_code(tmp_path, monkeypatch):
    (tmp_path / "mine.safetensors").write_bytes(b"")
    monkeypatch.setattr(shipped, "_INSTALLED", tmp_path)
    assert shipped_models() == {"mine": tmp_path / "mine.safetensors"}


def test_the_wheel_takes_them_along():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folder = re.search(rf'^"{re.escape(PACKAGE)}" = "(.*)"$', project, re.MULTILINE)[1]
    patterns = re.search(rf'^"{re.escape(PACKAGE)}" = \["(.*)"\]$', project, re.MULTILINE)[1]
    assert f'\n  "{PACKAGE}",\n' in project
    assert ROOT / folder == MODELS
    assert set((ROOT / folder).glob(patterns)) == {p for p in MODELS.iterdir() if p.is_file()}
    # Where they are put is where they are looked for.
    assert shipped._INSTALLED.parent.name == "model" and shipped._INSTALLED.name == "shipped_models"


@pytest.mark.parametrize("name", ["synthetic_hip", "synthetic_hip.safetensors"])
def test_a_shipped_model_is_meant_by_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_path(name) == MODELS / "synthetic_hip.safetensors"
    # A folder of this name, a run say, is no model.
    (tmp_path / name).mkdir()
    assert model_path(name) == MODELS / "synthetic_hip.safetensors"


def test_a_file_counts_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic_hip").write_text("mine")
    assert model_path("synthetic_hip").resolve() == tmp_path / "synthetic_hip"


def test_a_path_is_itself(tmp_path):
    assert model_path(tmp_path / "synthetic_hip") == tmp_path / "synthetic_hip"


def test_a_word_that_is_neither_is_told_with_what_there_is():
    with pytest.raises(ModelFileError, match="'synthetic_hpi'.*synthetic_hip"):
        model_path("synthetic_hpi")
