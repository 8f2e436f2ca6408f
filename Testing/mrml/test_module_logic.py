"""The module file outside Slicer: it loads, and its logic works. The panel is tested in the host."""

import importlib.util
import json
import sys
import types

import pytest
import slicer

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import ModelFileError, PredictionError
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_image, make_prediction
from places import MODULE_FILE


class Settings(dict):
    """Stands in for QSettings: one dictionary for all."""

    stored = {}

    def setValue(self, key, value):
        self.stored[key] = value


class Base:
    def __init__(self, parent=None):
        self.parent = parent


@pytest.fixture
def module(monkeypatch):
    """The module file with the least that Slicer would give it beyond slicer-core."""
    fakes = {
        "qt": {"QSettings": Settings, "QObject": Base},
        "slicer.i18n": {"tr": str, "translate": lambda context, text: text},
        "slicer.parameterNodeWrapper": {
            "parameterNodeWrapper": lambda wrapped: wrapped,
            "WithinRange": lambda low, high: (low, high),
        },
        "slicer.ScriptedLoadableModule": {
            f"ScriptedLoadableModule{part}": type(f"Fake{part}", (Base,), {})
            for part in ("", "Widget", "Logic", "Test")
        },
    }
    for name, content in fakes.items():
        fake = types.ModuleType(name)
        vars(fake).update(content)
        monkeypatch.setitem(sys.modules, name, fake)
    # What was imported for another test may hold other stand-ins for qt.
    ours = ("LandmarkHeatmapPanel", "LandmarkHeatmapTests")
    for name in [each for each in sys.modules if each.split(".")[0] in ours]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(Settings, "stored", {})
    monkeypatch.setattr(
        slicer.util, "settingsValue", lambda key, default: Settings.stored.get(key, default)
    )
    # Not by its name: below the repository's root, that is a folder.
    spec = importlib.util.spec_from_file_location("module_under_test", MODULE_FILE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


class Predictor:
    def predict(self, image, progress):
        progress("Detecting", 0.5)
        return make_prediction(image)


@pytest.fixture
def logic(module):
    return module.LandmarkHeatmapLogic(lambda path: Predictor())


@pytest.fixture
def volume(scene):
    return add_volume(scene, make_image(), "Scan")


def test_loading_the_module_needs_no_torch(module):
    assert "torch" not in vars(module)


def test_detection_tells_how_far_it_is_and_publishes_a_result(logic, volume):
    told = []
    result = logic.detect(volume, "model", lambda stage, fraction: told.append(fraction))
    assert [each.node for each in logic.results(volume)] == [result.node]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_detecting_again_keeps_the_corrections_and_shows_the_new_fiducials_only(logic, volume):
    first = logic.detect(volume, "model")
    first.move("Tip", (1, 2, 3))
    second = logic.detect(volume, "model")
    logic.showOnly(second, volume.GetScene())
    assert first.review("Tip") is Review.CORRECTED
    shown = [r.markups_node.GetDisplayNode().GetVisibility() for r in logic.results(volume)]
    assert shown == [0, 1]


def test_a_volume_removed_in_mid_detection_is_told_of(logic, scene, volume):
    def remove(stage, fraction):
        if stage == "Detecting":
            scene.RemoveNode(volume)

    with pytest.raises(PredictionError, match="removed"):
        logic.detect(volume, "model", remove)


def test_heatmaps_are_not_offered_as_input(logic, scene, volume):
    logic.detect(volume, "model")
    scene.RemoveNode(volume)
    assert logic.inputVolumes(scene) == []


def test_an_added_model_that_has_gone_is_left_out_of_the_list(module, logic, tmp_path):
    gone = str(tmp_path / "gone.safetensors")
    Settings.stored["LandmarkHeatmap/AddedModels"] = json.dumps([gone])
    assert gone not in [key for key, _path, _description in logic.models()]


def test_a_file_that_is_no_model_is_not_added(module, logic, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        logic.addModel(tmp_path / "bad.safetensors")
    assert Settings.stored == {}


def test_what_is_missing_is_installed_by_the_installer_of_old_slicers(module, monkeypatch):
    asked = []
    monkeypatch.setattr(slicer.util, "pip_install", asked.append)
    module.LandmarkHeatmapLogic().installPackages(["safetensors"])
    assert asked == [["safetensors>=0.4"]]
