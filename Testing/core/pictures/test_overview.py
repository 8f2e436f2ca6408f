"""The picture of one image with its landmarks: everything is on it, and nothing is overwritten."""

import struct

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import image as matplotlib_image

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.geometry import Image, apply_affine
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.pictures import overview as overview_module
from landmark_heatmap.pictures.overview import overview

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def image_of(*size_kji):
    return Image(np.random.default_rng(0).normal(size=size_kji).astype(np.float32), AFFINE)


def prediction_on(image, names, absent=(), height=1.0):
    """Landmark n lies n steps along the diagonal of the image."""
    size = np.array(image.grid.size_ijk)
    points = []
    for number, name in enumerate(names, 1):
        centre = (size - 1) * number / (len(names) + 1)
        grids = np.indices(image.array.shape)[::-1]
        square = sum((grid - c) ** 2 for grid, c in zip(grids, centre))
        heatmap = Image((height * np.exp(-square / 8)).astype(np.float32), image.ijk_to_lps)
        presence = 0.1 if name in absent else 0.9
        points.append(
            LandmarkPrediction(name, apply_affine(image.ijk_to_lps, centre), presence, 0.8, heatmap)
        )
    landmarks = LandmarkSet(tuple(map(Landmark, names)))
    return Prediction(landmarks, tuple(points), image.grid, ModelIdentity("Test", "1", "0" * 64))


@pytest.fixture
def drawn(monkeypatch):
    """What stands on the pictures: all texts, panels, and the figure's size."""
    found = []

    def kept(figure, tight=False):
        found.append(figure)
        return real(figure, tight)

    real = overview_module.png
    monkeypatch.setattr(overview_module, "png", kept)
    return found


def texts_of(figure):
    own = [text.get_text() for text in figure.texts]
    return own + [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_2d_image_is_shown_whole_with_names_confidences_and_heat(drawn):
    image = image_of(1, 40, 60)
    overview(image, prediction_on(image, ["Nose", "Ear $x_1"]))
    (figure,) = drawn
    (axes,) = figure.axes
    texts = texts_of(figure)
    assert {"Nose", "Ear $x_1"} <= set(texts)
    assert "Nose  confidence 0.80" in texts
    grey, heat = (shown.get_array() for shown in axes.images)
    assert grey.shape[1] / grey.shape[0] == pytest.approx(1.5, abs=0.01)
    assert heat[..., 3].max() > 0.5


def test_a_3d_image_is_shown_in_three_planes_of_one_scale(drawn):
    image = image_of(20, 30, 40)
    overview(image, prediction_on(image, ["A", "B"]))
    (figure,) = drawn
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["axial", "coronal", "sagittal"]
    sizes = [axes.get_position().size * figure.get_size_inches() for axes in figure.axes]
    np.testing.assert_allclose(sizes[0] / sizes[0][0], [1, 30 / 40], rtol=0.02)
    np.testing.assert_allclose(sizes[1], sizes[0] * [1, 20 / 30], rtol=0.02)
    np.testing.assert_allclose(sizes[2], [sizes[0][1], sizes[1][1]], rtol=0.02)
    for axes, letters in zip(figure.axes, (set("RLAP"), set("RLSI"), set("APSI"))):
        assert letters <= {text.get_text() for text in axes.texts}


def test_where_names_have_no_room_numbers_stand_for_them(drawn):
    image = image_of(1, 40, 40)
    names = [f"A landmark with a long name {number}" for number in range(60)]
    overview(image, prediction_on(image, names))
    on_panel = {text.get_text() for text in drawn[0].axes[0].texts}
    assert {str(number) for number in range(1, 61)} <= on_panel and not set(names) & on_panel
    assert f"7  {names[6]}  confidence 0.80" in texts_of(drawn[0])


def test_an_absent_landmark_is_in_the_key_and_nowhere_else(drawn):
    image = image_of(1, 40, 40)
    overview(image, prediction_on(image, ["Here", "Gone"], absent=["Gone"]))
    assert "Gone  absent" in texts_of(drawn[0])
    assert "Gone" not in {text.get_text() for text in drawn[0].axes[0].texts}
    assert overview(image, prediction_on(image, ["Gone"], absent=["Gone"])).png


def test_an_annotation_is_shown_without_heat(drawn):
    image = image_of(1, 40, 40)
    points = {"Placed": Point(PointState.PLACED, (20, 20, 0)), "Open": Point(PointState.UNJUDGED)}
    overview(image, Annotation(points))
    assert "Placed" in texts_of(drawn[0]) and "Open  not judged" in texts_of(drawn[0])
    assert drawn[0].axes[0].images[1].get_array()[..., 3].max() == 0


def test_a_point_beyond_the_image_is_left_out_of_the_panels(drawn):
    image = image_of(1, 40, 40)
    points = {"In": (20, 20, 0), "Out": (500, 20, 0)}
    overview(image, Annotation({n: Point(PointState.PLACED, p) for n, p in points.items()}))
    assert "In" in texts_of(drawn[0]) and "Out" not in texts_of(drawn[0])


def test_landmarks_of_another_image_are_refused():
    far = Annotation({"A": Point(PointState.PLACED, (5000, 0, 0))})
    with pytest.raises(LandmarkHeatmapError, match="lies in this image"):
        overview(image_of(1, 40, 40), far)
    with pytest.raises(LandmarkHeatmapError, match="list"):
        overview(image_of(1, 40, 40), [])


def test_the_window_says_what_is_black_and_white(drawn):
    image = Image(np.full((1, 40, 40), 30, np.int16), AFFINE)
    nothing = Annotation({"A": Point(PointState.ABSENT)})
    overview(image, nothing, window=(0, 120))
    assert drawn[0].axes[0].images[0].get_array().max() == pytest.approx(0.25)
    overview(image, nothing)
    for impossible in ((5, 5), (1, 0), 7, ("a", "b"), (0, np.inf), (1, 2, 3)):
        with pytest.raises(LandmarkHeatmapError, match="window"):
            overview(image, nothing, window=impossible)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_without_a_window_the_whole_range_is_seen(scale, drawn):
    image = image_of(1, 40, 40)
    nothing = Annotation({"A": Point(PointState.ABSENT)})
    overview(Image(image.array * np.float32(scale), AFFINE), nothing)
    grey = drawn[0].axes[0].images[0].get_array()
    assert (grey.min(), grey.max()) == (0, 1) and 0.1 < grey.std() < 0.4


@pytest.mark.parametrize("values", [np.nan, np.inf, 0.0])
def test_an_image_of_nothing_is_no_trouble(values):
    image = Image(np.full((1, 20, 20), values, np.float32), AFFINE)
    assert overview(image, Annotation({"A": Point(PointState.ABSENT)})).png


@pytest.mark.parametrize("size_kji", [(1, 3, 400), (1, 400, 3), (5, 300, 4)])
def test_an_image_of_odd_proportions_makes_a_picture_of_sensible_size(size_kji):
    image = image_of(*size_kji)
    png = overview(image, prediction_on(image, ["A", "B"])).png
    width, height = struct.unpack(">II", png[16:24])
    assert 300 < width < 1600 and 50 < height < 1600


def test_a_notebook_shows_it_and_saving_overwrites_nothing_unasked(tmp_path):
    image = image_of(1, 40, 40)
    picture = overview(image, prediction_on(image, ["A"]))
    assert picture._repr_png_().startswith(b"\x89PNG") and len(repr(picture)) < 80
    path = picture.save(tmp_path / "a.png")
    assert matplotlib_image.imread(path).ndim == 3
    path.write_text("mine")
    with pytest.raises(LandmarkHeatmapError, match="overwrite=True"):
        picture.save(path)
    assert path.read_text(encoding="utf-8") == "mine"
    picture.save(str(path), overwrite=True)
    assert path.read_bytes() == picture.png
    with pytest.raises(LandmarkHeatmapError, match=r"\.png"):
        picture.save(tmp_path / "a.jpg")
