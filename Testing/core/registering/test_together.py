"""A network and registered cases, one answer; and the file that names them."""

import json

import numpy as np
import pytest
from shapes import NAMES, SPACING, add_shape, annotated, errors_mm, shape_image

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
from landmark_heatmap.registering.trust import UNMEASURED, Trust, judged, measured


def point(at, expected_mm, name="Tip", presence=1.0):
    return LandmarkPrediction(
        name, np.array(at, float), presence, 1.0, None, doubt=Doubt(expected_mm)
    )


def test_where_both_agree_the_surer_one_counts_more():
    position, _ = together(point((0, 0, 0), 1.0), point((4, 0, 0), 2.0), 3, Trust())
    assert position[0] == pytest.approx(0.8)
    position, _ = together(point((0, 0, 0), 2.0), point((4, 0, 0), 2.0), 3, Trust())
    np.testing.assert_allclose(position, (2, 0, 0))


def test_while_nobody_has_judged_the_network_the_cases_count_more():
    position, _ = together(point((0, 0, 0), 1.0), point((4, 0, 0), 1.0), 3)
    assert position[0] == pytest.approx(3.2)


def test_one_that_says_that_it_is_far_off_hardly_counts():
    position, _ = together(point((30, 0, 0), 30.0), point((0, 0, 0), 1.0), 3, Trust())
    assert position[0] == pytest.approx(30 / 901)


def test_where_they_speak_of_two_places_the_cases_are_believed_and_the_doubt_is_wide():
    near, narrow = together(point((0, 0, 0), 1.0), point((1, 0, 0), 1.0), 3)
    far, wide = together(point((0, 0, 0), 1.0), point((40, 0, 0), 1.0), 3)
    np.testing.assert_allclose(far, (40, 0, 0))
    assert np.trace(wide) > 10 * np.trace(narrow)


def test_what_was_measured_on_cases_left_out_counts_more_than_what_each_says_of_itself():
    # The network says 1 mm and is 4 mm off, time and again; the cases say 4 mm and are off by 1.
    trust = measured([(4.0, 1.0, 1.0, 4.0)] * 200)
    assert trust.network == pytest.approx(4, rel=0.15)
    assert trust.registered == pytest.approx(0.25, rel=0.15)
    position, _ = together(point((4, 0, 0), 1.0), point((1, 0, 0), 4.0), 3, trust)
    assert position[0] == pytest.approx(1 + 3 / 17, abs=0.1)


def test_few_landmarks_change_the_trust_little_and_none_not_at_all():
    one = measured([(9.0, 1.0, 1.0, 1.0)])
    assert 2 < one.network < 2.5
    assert measured([]) == UNMEASURED


def test_where_the_cases_were_lost_more_often_the_network_is_believed():
    trust = measured([(1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 90.0, 1.0)] * 5)
    position, _ = together(point((0, 0, 0), 1.0), point((40, 0, 0), 1.0), 3, trust)
    np.testing.assert_allclose(position, (0, 0, 0))


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
    write_start(path, "synthetic_hip", tmp_path / "nothing", Trust(2.0, 0.5, 40, True))
    assert read_start(path).trust == Trust(2.0, 0.5, 40, True)
    with pytest.raises(ModelFileError, match="no dataset folder"):
        models.describe(path)


@pytest.mark.parametrize("trust", ["much", {"network": 1}, "nothing below 0"])
def test_a_start_file_with_a_trust_that_cannot_be_is_refused(tmp_path, trust):
    path = write_start(
        tmp_path / "both.start.json", "synthetic_hip", tmp_path, Trust(2.0, 0.5, 40, True)
    )
    document = json.loads(path.read_text())
    document["trust"] = (
        {**document["trust"], "network": -1} if trust == "nothing below 0" else trust
    )
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="trust"):
        read_start(path)


def test_only_landmarks_that_both_see_and_a_person_has_placed_are_judged(tmp_path):
    names = ("A", "B", "C")
    landmarks, grid = LandmarkSet(tuple(map(Landmark, names))), shape_image()[0].grid

    def said(off, presences):
        points = tuple(
            point((off, 0, 0), 2.0, n, presence) for n, presence in zip(names, presences)
        )
        return Prediction(landmarks, points, grid, ModelIdentity("x", "1", "00"))

    label = annotated({"A": (0, 0, 0), "B": (0, 0, 0)})
    assert judged(said(3, (1, 0, 1)), said(1, (1, 1, 1)), label) == [(3.0, 2.0, 1.0, 2.0)]
