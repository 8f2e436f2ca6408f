"""A network and registered cases, one answer; and the file that names them."""

import numpy as np
import pytest
from shapes import NAMES, SPACING, add_shape, errors_mm, shape_image

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.registering import models
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.registering.stamp import stamp
from landmark_heatmap.registering.start_file import read_start, write_start
from landmark_heatmap.registering.together import Together, together


def point(at, expected_mm, name="Tip", presence=1.0):
    return LandmarkPrediction(
        name, np.array(at, float), presence, 1.0, None, doubt=Doubt(expected_mm)
    )


def test_where_both_agree_the_surer_one_counts_more():
    position, _ = together(point((0, 0, 0), 1.0), point((4, 0, 0), 2.0), 3)
    assert 0 < position[0] < 2.0
    position, _ = together(point((0, 0, 0), 2.0), point((4, 0, 0), 2.0), 3)
    np.testing.assert_allclose(position, (2, 0, 0))


def test_one_that_says_that_it_is_far_off_hardly_counts():
    position, _ = together(point((30, 0, 0), 30.0), point((0, 0, 0), 1.0), 3)
    assert position[0] == pytest.approx(30 / 31)


def test_where_they_speak_of_two_places_the_cases_are_believed_and_the_doubt_is_wide():
    near, narrow = together(point((0, 0, 0), 1.0), point((1, 0, 0), 1.0), 3)
    far, wide = together(point((0, 0, 0), 1.0), point((40, 0, 0), 1.0), 3)
    np.testing.assert_allclose(far, (40, 0, 0))
    assert np.trace(wide) > 10 * np.trace(narrow)


class Network:
    """A stand-in that knows three landmarks, one of them absent, and one of its own."""

    device, note = "cpu", ""

    def __init__(self, positions):
        self.positions = positions
        self.landmarks = LandmarkSet(tuple(map(Landmark, (*NAMES[:3], "Own"))))
        self.description = self
        self.model = self
        self.identity = ModelIdentity("net", "1", "00")

    def predict(self, image, progress=None, keep=None):
        found = tuple(
            point(self.positions.get(n, (1, 2, 0)), 1.0, n, presence=float(n != NAMES[1]))
            for n in self.landmarks.names
        )
        return Prediction(self.landmarks, found, image.grid, self.identity)


def test_landmarks_that_only_one_of_them_knows_are_told_by_that_one(tmp_path):
    add_shape(tmp_path / "shapes", "one")
    image, positions = shape_image(shift=(4, 2, 0), bend=2)
    both = Together(Network(positions), RegisteredStart(tmp_path / "shapes"))
    found = both.predict(image)
    assert found.landmarks.names == (*NAMES[:3], "Own", NAMES[3])
    assert errors_mm(found, positions)[[0, 2, 4]].max() < 1.5 * SPACING
    points = {each.name: each for each in found.points}
    np.testing.assert_allclose(points["Own"].position_lps, (1, 2, 0))
    # What the network does not see is not put there by its own account.
    assert points[NAMES[1]].is_absent
    assert points[NAMES[0]].heatmap is not None
    assert found.model.name == "net and Registered: shapes"


def test_a_start_file_names_both_and_can_be_moved_with_them(tmp_path):
    add_shape(tmp_path / "a" / "shapes", "one")
    model = models.model_path("synthetic_hip")
    (tmp_path / "a" / "net.safetensors").write_bytes(model.read_bytes())
    path = tmp_path / "a" / "both.start.json"
    write_start(path, tmp_path / "a" / "net.safetensors", tmp_path / "a" / "shapes")
    with pytest.raises(FileExistsError):
        write_start(path, model, tmp_path / "a" / "shapes")
    (tmp_path / "a").rename(tmp_path / "b")
    path = tmp_path / "b" / "both.start.json"
    assert read_start(path).dataset == tmp_path / "b" / "shapes"
    assert models.network_of(path) == tmp_path / "b" / "net.safetensors"
    assert models.describe(path).name.endswith("and Registered: shapes (1 case)")
    before = stamp(path)
    add_shape(tmp_path / "b" / "shapes", "two", bend=2)
    assert stamp(path) != before


def test_a_start_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "both.start.json"
    path.write_text('{"schema": "else"}')
    with pytest.raises(ModelFileError, match="does not name"):
        models.describe(path)
    path.write_text('{"schema": "landmark-heatmap-start", "schema_version": 9}')
    with pytest.raises(ModelFileError, match="Update"):
        models.describe(path)
    with pytest.raises(ModelFileError, match="has to end in"):
        write_start(tmp_path / "both.json", "synthetic_hip", tmp_path)
    path.unlink()
    write_start(path, "synthetic_hip", tmp_path / "nothing")
    with pytest.raises(ModelFileError, match="no dataset folder"):
        models.describe(path)
