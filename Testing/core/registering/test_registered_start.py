"""Landmarks of annotated cases, carried over to a new image."""

import numpy as np
import pytest
from shapes import LANDMARKS, NAMES, SPACING, add_shape, errors_mm, quarter_turn, shape_image

from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.dataset.folder import read_landmark_set
from landmark_heatmap.dataset.landmark_changes import change_landmarks
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError, PredictionError
from landmark_heatmap.registering import models, pairs
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.registering.stamp import stamp


@pytest.fixture
def dataset(tmp_path):
    add_shape(tmp_path / "shapes", "one")
    return tmp_path / "shapes"


def start(folder, image):
    return RegisteredStart(folder).predict(image)


def test_one_case_is_enough_for_a_picture(dataset):
    image, positions = shape_image(shift=(9, -6, 0), bend=3)
    prediction = start(dataset, image)
    assert prediction.landmarks.names == NAMES
    assert errors_mm(prediction, positions).max() < 1.5 * SPACING
    assert [point.is_absent for point in prediction.points] == [False] * 4


def test_a_case_that_lies_another_way_round_in_3d_is_found(tmp_path):
    add_shape(tmp_path / "shapes", "one", dimension=3)
    image, positions = shape_image(3, turn=quarter_turn(), shift=(3, -2, 1))
    assert errors_mm(start(tmp_path / "shapes", image), positions).max() < 1.5 * SPACING


def test_a_case_is_not_turned_where_another_way_round_fits_hardly_better():
    class Tried:
        def __init__(self, score):
            self.scores = {"plain": score}

    lying, better, best = Tried(1.0), Tried(1.1), Tried(1.5)
    assert pairs.chosen([lying, better], 1) is lying
    assert pairs.chosen([lying, better, best], 1) is best


def test_the_same_image_gets_the_same_answer(dataset):
    image, _ = shape_image(shift=(4, 4, 0), bend=4)
    first, second = (start(dataset, image) for _ in range(2))
    for one, other in zip(first.points, second.points):
        np.testing.assert_array_equal(one.position_lps, other.position_lps)
        np.testing.assert_array_equal(one.belief.array, other.belief.array)


def test_what_is_told_is_of_the_same_kind_as_a_networks(dataset):
    prediction = start(dataset, shape_image(bend=2)[0])
    heights = [point.heatmap.array.max() for point in prediction.points]
    np.testing.assert_allclose(heights, heights[0], rtol=0.1)
    for point in prediction.points:
        assert point.doubt.expected_mm > 0
        assert not point.doubt.is_calibrated
        assert 0.9 < point.belief.array.max() <= 1
        at = prediction.grid.to_ijk(point.position_lps)
        assert (at >= 0).all()
    assert prediction.model.name == "Registered: shapes"
    assert prediction.combined_heatmap().array.max() > 0.5


def test_several_cases_are_told_as_they_go_and_can_be_stopped(dataset):
    add_shape(dataset, "two", bend=3)
    told = []
    RegisteredStart(dataset).predict(
        shape_image()[0], lambda stage, fraction: told.append((stage, fraction))
    )
    assert [stage for stage, _ in told if "Registering" in stage][-1] == "Registering case 1 of 1"
    assert [f for _, f in told] == sorted(f for _, f in told)

    class StoppedError(Exception):
        pass

    def stop(stage, fraction):
        if stage.startswith("Registering"):
            raise StoppedError

    with pytest.raises(StoppedError):
        RegisteredStart(dataset).predict(shape_image(bend=1)[0], stop)


def test_a_case_says_nothing_of_its_own_image_where_there_are_others(dataset):
    image = add_shape(dataset, "two", bend=5)
    told = []
    RegisteredStart(dataset).predict(image, lambda stage, fraction: told.append(stage))
    assert "Registering case 1 of 1" in told


def test_a_landmark_that_cases_call_absent_is_absent_and_one_that_none_has_is_nowhere(tmp_path):
    add_shape(tmp_path / "shapes", "one", absent=("Foot",), without=("Dot",))
    points = {p.name: p for p in start(tmp_path / "shapes", shape_image()[0]).points}
    assert [name for name, point in points.items() if point.is_absent] == ["Foot", "Dot"]
    assert np.isfinite(points["Dot"].position_lps).all()


def test_a_landmark_that_comes_to_lie_outside_the_image_is_absent(dataset):
    image, _ = shape_image()
    cut = image.cropped((0, 0, 0), (42, 50, 1))
    points = {p.name: p for p in start(dataset, cut).points}
    assert points["Foot"].is_absent
    assert not points["Tip"].is_absent


def test_pixels_are_not_taken_for_mm_nor_pictures_for_volumes(dataset):
    with pytest.raises(PredictionError, match="--spacing"):
        start(dataset, shape_image(unit="px")[0])
    with pytest.raises(PredictionError, match="2D images"):
        start(dataset, shape_image(3)[0])


def test_pictures_in_px_are_carried_where_their_affine_says(tmp_path):
    add_shape(tmp_path / "shapes", "one", unit="px")
    image, positions = shape_image(unit="px", shift=(6, 2, 0))
    assert errors_mm(start(tmp_path / "shapes", image), positions).max() < 1.5 * SPACING


def test_an_image_in_which_there_is_nothing_to_see_is_refused(dataset):
    image, _ = shape_image()
    image.array[:] = 3
    with pytest.raises(PredictionError, match="nothing to see"):
        start(dataset, image)


def test_a_dataset_without_a_placed_landmark_is_refused(tmp_path):
    add_shape(tmp_path / "shapes", "one", absent=NAMES)
    with pytest.raises(DatasetError, match="annotate and export one"):
        RegisteredStart(tmp_path / "shapes")


def test_another_case_is_another_model(dataset):
    before = stamp(dataset), RegisteredStart(dataset).atlas.identity.sha256
    add_shape(dataset, "two", bend=2)
    assert stamp(dataset) != before[0]
    assert RegisteredStart(dataset).atlas.identity.sha256 != before[1]


def test_other_names_of_the_landmarks_are_another_model_too(dataset):
    before = stamp(dataset)
    draft = LandmarkSetDraft(read_landmark_set(dataset), is_in_use=True)
    draft.rename(0, "Renamed")
    change_landmarks(dataset, draft.to_set())
    assert stamp(dataset) != before
    assert RegisteredStart(dataset).atlas.landmarks.names[0] == "Renamed"


def test_where_a_model_is_asked_for_a_dataset_will_do(dataset, tmp_path):
    assert models.model_path(dataset) == dataset
    assert models.describe(dataset).version == "1 case"
    assert models.describe(dataset).landmarks.names == LANDMARKS.names
    assert models.model_path("synthetic_hip").name == "synthetic_hip.safetensors"
    with pytest.raises(LandmarkHeatmapError):
        models.describe(tmp_path / "nothing.safetensors")
