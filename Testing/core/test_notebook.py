"""The top of the package: what a researcher types, what comes back, and how light it is."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import landmark_heatmap as lh
from landmark_heatmap import errors, notebook
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.judging.evaluation import evaluate
from landmark_heatmap.model.description import ModelIdentity
from places import MODELS, MODULE_FOLDER, ROOT

# Bones of no shape: of one intensity alone, an image is refused.
VALUES = np.zeros((105, 85, 125), np.int16)
VALUES[30:60, 30:60, 30:60] = 800
IMAGE = lh.Image(VALUES, np.diag([-2.5, -2.5, 2.5, 1.0]))
LANDMARKS = lh.LandmarkSet(tuple(map(lh.Landmark, ("Eye_L", "Eye_R"))), (("Eye_L", "Eye_R"),))


def prediction_of(*presences):
    points = tuple(
        LandmarkPrediction(name, np.array([1.0, 2.0, 3.0]), presence, np.float32(0.5), IMAGE)
        for name, presence in zip(LANDMARKS.names, presences)
    )
    return Prediction(LANDMARKS, points, IMAGE.grid, ModelIdentity("Test", "1", "0" * 64))


def in_a_fresh_interpreter(code):
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_brings_nothing_heavy():
    code = "import sys, landmark_heatmap as lh; lh.__version__; dir(lh); print(sorted(sys.modules))"
    loaded = in_a_fresh_interpreter(code)
    for heavy in ("torch", "SimpleITK", "matplotlib", "numpy"):
        assert f"'{heavy}'" not in loaded


def test_all_names_can_be_had_without_torch_and_without_matplotlib():
    loaded = in_a_fresh_interpreter(
        "import sys; sys.modules['torch'] = sys.modules['matplotlib'] = None\n"
        "from landmark_heatmap import *; print(detect, picture, read_image)"
    )
    assert "function detect" in loaded


def test_every_name_at_the_top_is_listed_and_is_there():
    assert set(lh.__all__) <= set(dir(lh))
    for name in lh.__all__:
        assert getattr(lh, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'detekt'"):
        lh.detekt  # noqa: B018


def test_the_ten_lines_of_the_readme_lead_from_image_to_picture(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    pytest.importorskip("matplotlib")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## In a notebook")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"hip.nrrd", "hip.mrk.json", "hip.png"}
    assert (tmp_path / "hip.png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    assert "Sacral_Promontory" in told and "mm, LPS" in told
    mean = float(re.search(r"^All +([0-9.]+)", told, re.MULTILINE)[1])
    assert mean < 5


SHOWN = [
    (IMAGE, "125 x 85 x 105 voxels, 2.5 mm, i to R, j to A, k to S, int16"),
    (IMAGE.grid, "125 x 85 x 105 voxels"),
    (lh.Grid((4, 5, 1), np.diag([0.1, 0.2, 1, 1])), "0.1 x 0.2 x 1 mm"),
    (lh.Point(lh.PointState.PLACED, (1, 2, 3)), "placed, LPS 1.00 2.00 3.00 mm"),
    (lh.Point(lh.PointState.ABSENT, confidence=0.2), "absent, confidence 0.20"),
    (LANDMARKS, "landmarks: 2 (Eye_L, Eye_R); mirror pairs: 1"),
    (prediction_of(0.9, 0.1), "found: 1, absent: 1; by 'Test' 1"),
    (prediction_of(0.9, 0.1).annotation(), "predicted: 1, absent: 1"),
    (lh.Annotation(), "no points"),
    (prediction_of(0.9, 0.1).points[0], "'Eye_L', LPS 1.00 2.00 3.00 mm, presence 0.90"),
    (prediction_of(0.9, 0.1).points[1], "'Eye_R', absent, presence 0.10"),
    (lh.read_description(MODELS / "synthetic_hip.safetensors"), "'Synthetic hip' 1, 3D, land"),
]


@pytest.mark.parametrize(("thing", "words"), SHOWN, ids=[type(t).__name__ for t, _ in SHOWN])
def test_what_is_shown_of_a_thing_is_short_and_holds_no_arrays(thing, words):
    shown = repr(thing)
    assert words in shown and shown.startswith(type(thing).__name__)
    assert len(shown) < 160 and "array" not in shown and "\n" not in shown


def test_an_oblique_grid_says_so():
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    assert "i to L, j to P, k to S, oblique" in repr(lh.Grid((2, 2, 2), turned))
    assert "oblique" not in repr(IMAGE)


def test_an_evaluation_is_short_when_shown_and_a_table_when_printed():
    truth = lh.Annotation({"Eye_L": lh.Point(lh.PointState.PLACED, (1, 2, 5))})
    evaluation = lh.evaluate(prediction_of(0.9, 0.1), truth)
    assert repr(evaluation) == "Evaluation(cases: 1, landmarks: 2, MRE 2.00 mm)"
    assert "MRE mm" in str(evaluation).splitlines()[0]
    two = evaluate([(n, prediction_of(0.9, 0.1).annotation(), truth) for n in "ab"])
    assert "2.00 mm (2.00 to 2.00)" in repr(two)
    assert "no point compared" in repr(lh.evaluate(lh.Annotation(), truth))


def test_thresholds_are_passed_on():
    truth = lh.Annotation({"Eye_L": lh.Point(lh.PointState.PLACED, (1, 2, 5))})
    rates = lh.evaluate(prediction_of(0.9, 0.1), truth, thresholds_mm=[1.5]).overall.success_rates
    assert list(rates) == [1.5]


def test_the_table_of_a_prediction_has_the_presence_and_no_place_for_what_is_absent():
    present, absent = prediction_of(0.9, 0.1).to_table()
    sure = ("presence", "confidence", "expected_mm", "level", "within_mm", "look")
    assert list(present) == ["name", "x", "y", "z", *sure, "state"]
    assert present["expected_mm"] is present["within_mm"] is None
    assert present["y"] == 2.0 and present["state"] == "predicted"
    assert absent["y"] is None and absent["state"] == "absent" and absent["presence"] == 0.1
    known = {type(value) for key, value in present.items() if key not in sure[2:]}
    assert known == {str, float}


def test_a_loaded_model_says_what_it_is_and_detects():
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    model = lh.load_model("synthetic_hip", "cpu")
    for thing in (model, model.model):
        assert "'Synthetic hip'" in repr(thing) and len(repr(thing)) < 120
    assert "on cpu" in repr(model)
    assert model.description.landmarks.names[0] == "Femoral_Head_Centre_L"
    assert len(lh.detect(IMAGE, model).points) == 12


def test_detection_takes_paths_and_names_too(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    lh.write_image(tmp_path / "a.nrrd", IMAGE)
    by_path = lh.detect(str(tmp_path / "a.nrrd"), lh.shipped_models()["synthetic_hip"], "cpu")
    by_name = lh.detect(IMAGE, "synthetic_hip", device="cpu")
    np.testing.assert_array_equal(by_path.points[0].position_lps, by_name.points[0].position_lps)


def test_what_is_no_image_is_told_with_how_to_make_one():
    for function in (lh.detect, lh.picture):
        with pytest.raises(lh.LandmarkHeatmapError, match=r"ndarray.*Image\(array, ijk_to_lps\)"):
            function(np.zeros((3, 3, 3)), None)


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("torch", lambda: lh.load_model("synthetic_hip")),
        ("matplotlib", lambda: lh.picture(IMAGE, lh.Annotation())),
    ],
)
def test_a_package_that_is_missing_is_named_with_what_to_do(package, use, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    for ours in ("detection.predict", "pictures.overview", "pictures.drawing"):
        monkeypatch.delitem(sys.modules, f"landmark_heatmap.{ours}", raising=False)
    with pytest.raises(errors.MissingPackageError, match=f"pip install {package}"):
        use()


@pytest.mark.parametrize(
    ("write", "name", "content"),
    [
        (lh.write_image, "a.nrrd", IMAGE),
        (lh.write_annotation, "a.mrk.json", prediction_of(0.9, 0.1).annotation()),
    ],
)
def test_nothing_is_overwritten_unasked(tmp_path, write, name, content):
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(lh.LandmarkHeatmapError, match="overwrite=True"):
        write(path, content)
    assert path.read_text(encoding="utf-8") == "mine" and list(tmp_path.iterdir()) == [path]
    assert write(str(path), content, overwrite=True) == path
    read = lh.read_image if name.endswith("nrrd") else lh.read_annotation
    assert repr(read(path)) == repr(content)


def test_the_names_at_the_top_are_those_of_the_notebook():
    assert lh.detect is notebook.detect and lh.picture is notebook.picture
