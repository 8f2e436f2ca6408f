"""What a detection gives, in space: the annotation, and the maximum over all heatmaps."""

from dataclasses import replace

import numpy as np
import pytest
from beliefs import with_beliefs

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet, PointState
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.detection.result_files import MadeBy, Results
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.description import ModelIdentity

SKEW = np.array([[0, -0.4, 0.3], [0.4, 0, -0.3], [-0.3, 0.3, 0]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.linalg.solve(np.eye(3) + SKEW, np.eye(3) - SKEW) * [2, 2, -3]
AFFINE[:3, 3] = (10, -20, 30)
GRID = Grid((8, 9, 10), AFFINE)


def prediction_of(*heatmaps, presences=None):
    names = [f"P{number}" for number in range(len(heatmaps))]
    points = tuple(
        LandmarkPrediction(name, np.array([1.0, 2.0, 3.0]), presence, np.float32(0.5), heatmap)
        for name, presence, heatmap in zip(names, presences or [1.0] * len(names), heatmaps)
    )
    landmarks = LandmarkSet(tuple(Landmark(name, f"where {name} is") for name in names))
    return Prediction(landmarks, points, GRID, ModelIdentity("Test", "1", "0" * 64))


def noise(grid, seed=0):
    values = np.random.default_rng(seed).uniform(size=grid.size_ijk[::-1]).astype(np.float32)
    return Image(values, grid.ijk_to_lps)


def test_the_annotation_says_predicted_or_absent():
    annotation = prediction_of(noise(GRID), noise(GRID), presences=[0.9, 0.1]).annotation()
    present, absent = annotation.points.values()
    assert (present.state, present.position_lps) == (PointState.PREDICTED, (1, 2, 3))
    assert (absent.state, absent.position_lps) == (PointState.ABSENT, None)
    assert present.confidence == 0.5 and present.definition == "where P0 is"


def test_heatmaps_on_the_grid_are_combined_by_their_maximum():
    first, second = noise(GRID, 1), noise(GRID, 2)
    combined = prediction_of(first, second).combined_heatmap()
    np.testing.assert_array_equal(combined.array, np.maximum(first.array, second.array))
    np.testing.assert_array_equal(combined.ijk_to_lps, GRID.ijk_to_lps)
    assert combined.array.dtype == np.float32


def test_absent_landmarks_are_left_out_of_the_combined_heatmap():
    combined = prediction_of(noise(GRID), presences=[0.2]).combined_heatmap()
    assert combined.array.max() == 0


def test_a_heatmap_of_a_part_stands_at_its_place():
    part = noise(GRID).cropped((2, 3, 4), (3, 4, 5))
    expected = np.zeros_like(noise(GRID).array)
    expected[4:9, 3:7, 2:5] = part.array
    np.testing.assert_array_equal(prediction_of(part).combined_heatmap().array, expected)


@pytest.mark.parametrize("start", [(-2, -1, 0), (6, 6, 8)])
def test_a_heatmap_that_reaches_out_of_the_grid_is_cut_off(start):
    part = noise(GRID.cropped(start, (4, 5, 6)))
    combined = prediction_of(part).combined_heatmap()
    for ijk in np.ndindex(*GRID.size_ijk):
        inner = np.array(ijk) - start
        inside = (inner >= 0).all() and (inner < part.grid.size_ijk).all()
        assert combined.array[ijk[::-1]] == (part.array[tuple(inner[::-1])] if inside else 0)


def test_a_heatmap_elsewhere_adds_nothing():
    part = noise(GRID.cropped((20, 0, 0), (2, 2, 2)))
    assert prediction_of(part).combined_heatmap().array.max() == 0


def test_of_a_finer_heatmap_each_voxel_of_the_grid_gets_the_highest_that_lies_in_it():
    # Voxels of a third of the size, three of which lie in each of the grid's.
    fine_affine = GRID.cropped((2, 3, 4), (1, 1, 1)).ijk_to_lps @ np.array(
        [[1 / 3, 0, 0, -1 / 3], [0, 1 / 3, 0, -1 / 3], [0, 0, 1 / 3, -1 / 3], [0, 0, 0, 1]]
    )
    fine = noise(Grid((9, 6, 3), fine_affine))
    expected = np.zeros(GRID.size_ijk[::-1], dtype=np.float32)
    expected[4:5, 3:5, 2:5] = fine.array.reshape(1, 3, 2, 3, 3, 3).max(axis=(1, 3, 5))
    np.testing.assert_array_equal(prediction_of(fine).combined_heatmap().array, expected)


def test_the_identity_of_a_model_is_three_texts():
    identity = ModelIdentity("Hip", "1.2", "ab" * 32)
    assert ModelIdentity(**identity.to_json()) == identity


def test_the_table_says_how_far_off_a_point_may_be():
    prediction = with_beliefs(prediction_of(noise(GRID), noise(GRID)))
    plain = replace(prediction.points[1], doubt=Doubt(2.5))
    first, second = replace(prediction, points=(prediction.points[0], plain)).to_table()
    assert (first["expected_mm"], first["level"], first["within_mm"]) == (1.0, 0.9, 2.0)
    assert (second["expected_mm"], second["level"], second["within_mm"]) == (2.5, None, None)


def write_results(folder, prediction, overwrite=False):
    results = Results(folder / "case.mrk.json")
    results.write(prediction, MadeBy(prediction.model, "0" * 64), results.paths(True), overwrite)
    return sorted(path.name for path in results.heatmaps.glob("*.nrrd"))


def test_each_belief_lies_beside_its_heatmap_where_there_is_one(tmp_path):
    prediction = with_beliefs(prediction_of(noise(GRID), noise(GRID)))
    without = replace(prediction.points[1], belief=None)
    written = write_results(tmp_path, replace(prediction, points=(prediction.points[0], without)))
    assert written == ["001-P0-belief.nrrd", "001-P0.nrrd", "002-P1.nrrd", "combined.nrrd"]
    belief = read_image(tmp_path / "case-heatmaps" / "001-P0-belief.nrrd")
    np.testing.assert_allclose(belief.array, prediction.points[0].belief.array)
    points = read_annotation(tmp_path / "case.mrk.json").points
    assert points["P0"].doubt == prediction.points[0].doubt


def test_beliefs_of_an_earlier_model_do_not_stay(tmp_path):
    prediction = prediction_of(noise(GRID), noise(GRID))
    write_results(tmp_path, with_beliefs(prediction))
    later = write_results(tmp_path, prediction, overwrite=True)
    assert later == ["001-P0.nrrd", "002-P1.nrrd", "combined.nrrd"]
