"""Photographs from the table of their landmarks to detection on the very files, dots per inch and all."""

import re
from dataclasses import replace

import header_files
import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap import cli
from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.model_file import read_description
from landmark_training.cli import main
from landmark_training.fit import fit
from small_tables import run_import, text_file
from training_examples import NAMES, SIZE, TINY, make_eyes

# A few seconds, after which the eyes are found.
LEARNS = replace(TINY, spacing_mm=(1.0,), epochs=10, steps_per_epoch=15, batch_size=4)


def write_photographs(folder, count):
    """Eyes as JPEGs: bare, with dots per inch, and stored turned. Returns the rows of their table."""
    rows = []
    for seed in range(count):
        image, annotation = make_eyes(seed)
        array = np.clip(image.array[0], 0, 255).astype(np.uint8)
        header_files.jpeg(folder / f"bare{seed}.jpg", array)
        header_files.jpeg(folder / f"dpi{seed}.jpg", array, dpi=72)
        # The camera was turned: what EXIF 6 turns right was stored turned left.
        header_files.jpeg(folder / f"turned{seed}.jpg", np.rot90(array), orientation=6)
        places = [annotation.position_lps(name) for name in NAMES]
        rows.append([f"{x:.3f},{y:.3f}" for x, y, _ in places])
    return rows


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The folder of the photographs, that of the import, and the model trained on it."""
    folder = tmp_path_factory.mktemp("story")
    pictures = folder / "pictures"
    pictures.mkdir()
    rows = write_photographs(pictures, 8)
    lines = ["id," + ",".join(f"{name}_x,{name}_y" for name in NAMES)]
    lines += [f"dpi{n}.jpg,{','.join(row)}" for n, row in enumerate(rows[:4])]
    lines += [f"turned{n}.jpg,{','.join(row)}" for n, row in enumerate(rows[4:], 4)]
    table = text_file(folder / "table.csv", "\n".join(lines) + "\n")
    frame = ("--unit", "px", "--origin", "top-left")
    run_import(table, "--images", pictures, "--output", folder / "imported", *frame)
    said = []
    model = fit([folder / "imported"], folder / "run", LEARNS, say=said.append)
    text_file(folder / "said.txt", "\n".join(said))
    return pictures, folder / "imported", model


def detect(story, *arguments):
    pictures, _, model = story
    names = [pictures / f"{kind}0.jpg" for kind in ("bare", "dpi", "turned")]
    return cli.main(
        ["detect", *map(str, (*names, "--model", model, "--device", "cpu", *arguments))]
    )


def test_an_import_has_the_pixels_of_the_photograph_as_it_is_shown(story):
    pictures, imported, model = story
    for case in ("dpi0", "turned5"):
        shown, kept = read_image(pictures / f"{case}.jpg"), read_image(imported / f"{case}.nrrd")
        assert np.allclose(kept.ijk_to_lps, shown.ijk_to_lps) and kept.unit == shown.unit == "px"
        assert np.array_equal(kept.array, shown.array)
        annotation = read_annotation(imported / f"{case}.mrk.json")
        assert annotation.unit == "px"
        for name in NAMES:
            i, j = np.rint(annotation.position_lps(name)[:2]).astype(int)
            assert kept.array[0, j, i] > 170
    description = read_description(model)
    assert description.unit == "px" and description.training["spacing_source"] == "none"


def test_a_training_on_pixels_speaks_of_pixels(story):
    said = (story[2].parents[1] / "said.txt").read_text(encoding="utf-8")
    summary = " ".join(read_description(story[2]).training["outcome"]["summary"])
    assert re.search(r"sigma [\d.]+ px", said) and re.search(r"MRE [\d.]+ px", summary)
    assert not re.search(r"\d mm", said + summary)


def test_its_report_speaks_of_pixels_too(story, capsys):
    assert main(["report", str(story[2].parent), "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "mean error, px" in told and not re.search(r"\bmm\b", told)


def test_the_same_points_are_found_in_every_file_of_one_picture(story, tmp_path, capsys):
    assert detect(story, "--output", tmp_path) == 0
    told = capsys.readouterr()
    assert " px, confidence" in told.out and "dots per inch" in told.err
    bare, *others = (
        read_annotation(tmp_path / f"{k}0.mrk.json") for k in ("bare", "dpi", "turned")
    )
    assert bare.unit == "px"
    for other in others:
        found = other.positions_lps(NAMES) - bare.positions_lps(NAMES)
        assert abs(found).max() < 0.5


def test_a_size_that_the_model_does_not_know_is_refused(story, tmp_path, capsys):
    assert detect(story, "--output", tmp_path, "--spacing", "0.1") == 1
    told = capsys.readouterr().err
    assert "knows lengths in px" in told and "0.1" in told and "--spacing MM" in told
    mm = Image(np.zeros((1, SIZE, SIZE), np.float32), np.eye(4))
    with pytest.raises(PredictionError, match="--spacing"):
        Predictor(story[2], "cpu").predict(mm)


def test_an_affine_of_slicers_moves_the_result_and_nothing_else(story):
    picture = read_image(story[0] / "bare0.jpg")
    shown = Image(picture.array, np.diag([0.35, 0.35, 0.35, 1]), "px")
    here, there = (Predictor(story[2], "cpu").predict(image) for image in (picture, shown))
    for point, moved in zip(here.points, there.points):
        assert np.allclose(shown.grid.to_ijk(moved.position_lps), point.position_lps, atol=0.05)
        assert np.allclose(
            moved.heatmap.grid.to_ijk(moved.position_lps),
            point.heatmap.grid.to_ijk(point.position_lps),
            atol=0.05,
        )


def test_images_of_two_units_are_not_trained_on_together(story, tmp_path):
    from landmark_heatmap.errors import DatasetError

    frame = ("--unit", "px", "--origin", "top-left", "--spacing", "0.1")
    table = text_file(tmp_path / "t.csv", "id,Eye_L_x,Eye_L_y\nbare0.jpg,26,20\n")
    run_import(table, "--images", story[0], "--output", tmp_path / "mm", *frame)
    assert read_image(tmp_path / "mm" / "bare0.nrrd").is_size_stated
    with pytest.raises(DatasetError, match="1 .bare0.*in mm, and 8 .*in px"):
        fit([story[1], tmp_path / "mm"], tmp_path / "run", TINY, say=lambda text: None)


def test_a_size_unlike_all_of_the_training_is_told_of(story, tmp_path, capsys):
    large = np.kron(np.zeros((SIZE, SIZE), np.uint8), np.ones((5, 5), np.uint8))
    path = header_files.jpeg(tmp_path / "large.jpg", large)
    cli.main(["detect", str(path), "--model", str(story[2]), "--output", str(tmp_path / "out")])
    assert "trained on 40 to 40 px" in capsys.readouterr().err
