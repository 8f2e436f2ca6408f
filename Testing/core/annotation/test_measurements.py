"""Distances and angles: what they are, what they refuse, and that they travel with the landmarks."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.measurements import KINDS, Measurement, write_measurements
from landmark_heatmap.errors import AnnotationError
from places import MODULE_FOLDER

NAMES = ("A", "B", "C", "D", "E", "F")
LANDMARKS = LandmarkSet(tuple(map(Landmark, NAMES)))
EXAMPLES = sorted((MODULE_FOLDER / "Resources" / "Measurements").glob("*.json"))


def value(kind, *positions):
    points = {name: np.array(place, float) for name, place in zip(NAMES, positions)}
    return Measurement("M", kind, NAMES[: len(positions)]).value(points.get)


def test_a_distance_is_in_mm_and_an_angle_in_degrees_at_its_middle_point():
    assert value("distance", [0, 0, 0], [3, 4, 12]) == pytest.approx(13)
    assert value("distance_to_line", [5, 2, 0], [-7, 0, 0], [1, 0, 0]) == pytest.approx(2)
    assert value("angle", [5, 0, 0], [0, 0, 0], [0, 0.1, 0]) == pytest.approx(90)
    assert Measurement("M", "distance", ("A", "B")).unit == "mm"
    assert Measurement("M", "angle", ("A", "B", "C")).unit == "degrees"


def test_small_angles_and_nearly_straight_ones_are_exact():
    for degrees in (1e-6, 0.01, 179.99):
        turned = [np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0]
        assert value("angle", [1, 0, 0], [0, 0, 0], turned) == pytest.approx(degrees, rel=1e-6)


def test_the_difference_of_two_angles_has_a_sign():
    s, n, a, b = [-70, 0, 0], [0, 0, 0], [-8, -60, 0], [-13, -95, 0]
    sna, snb = value("angle", s, n, a), value("angle", s, n, b)
    assert value("angle_difference", s, n, a, b) == pytest.approx(sna - snb)
    assert value("angle_difference", s, n, b, a) == pytest.approx(snb - sna)


def test_an_angle_between_lines_knows_their_directions():
    lines = ([0, 0, 0], [1, 0, 0], [5, 5, 5], [5, 6, 5])
    assert value("angle_between_lines", *lines) == pytest.approx(90)
    assert value("angle_between_lines", *lines[:2], [0, 3, 0], [-2, 3, 0]) == pytest.approx(180)


def test_an_angle_in_a_plane_leaves_out_what_lies_along_the_axis_and_has_a_sign():
    axis = ([0, 0, -100], [0, 0, 300])
    neck, condyles = ([0, 0, 0], [10, 10 * np.tan(np.radians(15)), 8]), ([-4, 3, 1], [6, 3, -2])
    assert value("angle_in_plane", *neck, *condyles, *axis) == pytest.approx(15)
    assert value("angle_in_plane", *neck, *condyles, *axis[::-1]) == pytest.approx(-15)
    assert value("angle_in_plane", *condyles, *neck, *axis) == pytest.approx(-15)


@pytest.mark.parametrize("kind", KINDS)
def test_values_do_not_change_when_everything_is_turned_and_moved(kind):
    rng = np.random.default_rng(4)
    points = rng.normal(0, 50, (KINDS[kind][1], 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = points @ turn.T + [7, -300, 40]
    assert value(kind, *moved) == pytest.approx(value(kind, *points), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_without_one_of_its_landmarks_there_is_no_value(kind):
    points = np.random.default_rng(4).normal(0, 50, (KINDS[kind][1], 3))
    for missing in range(len(points)):
        known = {n: p for i, (n, p) in enumerate(zip(NAMES, points)) if i != missing}
        measurement = Measurement("M", kind, NAMES[: len(points)])
        assert np.isnan(measurement.value(known.get))


def test_an_angle_at_points_that_fall_together_is_none_and_warns_nobody():
    with np.errstate(all="raise"):
        assert np.isnan(value("angle", [1, 1, 1], [1, 1, 1], [2, 0, 0]))
        assert np.isnan(value("angle_between_lines", [0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]))
        along = ([0, 0, 0], [0, 0, 9], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 5])
        assert np.isnan(value("angle_in_plane", *along))
        assert np.isnan(value("distance_to_line", [1, 0, 0], [2, 2, 2], [2, 2, 2]))


def test_a_point_may_be_the_mean_of_several_landmarks():
    points = {"A": np.array([0.0, 0, 0]), "B": np.array([4.0, 0, 0]), "C": np.array([2.0, 5, 0])}
    measurement = Measurement("M", "distance", (("A", "B"), "C"))
    assert measurement.value(points.get) == pytest.approx(5)
    assert measurement.names == ("A", "B", "C")
    assert np.isnan(measurement.value({"A": points["A"], "C": points["C"]}.get))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "distance", ("A", "B")), "needs a name"),
        ((7, "distance", ("A", "B")), "needs a name"),
        (("x" * 100_000, "distance", ("A", "B")), "up to 200 letters"),
        (("\ud800", "distance", ("A", "B")), "cannot be named"),
        (("M", "area", ("A", "B")), "'area'; there are distance"),
        (("M", ["angle"], ("A", "B")), "of the kind"),
        (("M", "distance", ("A",)), "needs 2 points for the kind 'distance', got 1"),
        (("M", "angle", ("A", "B", "C", "D")), "needs 3 points"),
        (("M", "angle", ("A", "A", "B")), "same point twice: 'A'"),
        (("M", "distance", (("A", "B"), ("A", "B"))), "same point twice: 'the mean of A, B'"),
        (("M", "distance", ("A", 5)), "got 5"),
        (("M", "distance", ("A", ())), r"got \(\)"),
    ],
)
def test_a_measurement_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(AnnotationError, match=message):
        Measurement(*arguments)


def test_it_travels_with_the_landmark_set():
    measurements = (
        Measurement("AB", "distance", ("A", "B")),
        Measurement("M", "distance", (("A", "B"), "C")),
    )
    landmarks = replace(LANDMARKS, measurements=measurements, skeleton=(("A", "B"), ("B", "C")))
    read = LandmarkSet.from_json(json.loads(json.dumps(landmarks.to_json())))
    assert read == landmarks


def test_a_set_without_them_is_written_and_read_as_ever():
    assert set(LANDMARKS.to_json()) == {"name", "landmarks", "mirror_pairs"}
    read = LandmarkSet.from_json({"landmarks": [{"name": "A"}]})
    assert read.measurements == () and read.skeleton == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measurements": (Measurement("M", "distance", ("A", "Z")),)}, "names 'Z'"),
        ({"measurements": (Measurement("M", "distance", ("A", "B")),) * 2}, "stands twice"),
        ({"skeleton": (("A", "Z"),)}, "skeleton names 'Z'"),
        ({"skeleton": (("A", 7),)}, "skeleton names 7"),
        ({"skeleton": (("A", "B"),) * 10_001}, "up to 10000 lines of the skeleton"),
        ({"skeleton": (("A", "A"),)}, "needs two landmarks"),
        ({"skeleton": (("A", "B", "C"),)}, "needs two landmarks"),
    ],
)
def test_definitions_that_do_not_fit_the_landmarks_are_refused(changes, message):
    with pytest.raises(AnnotationError, match=message):
        replace(LANDMARKS, **changes)


@pytest.mark.parametrize(
    "measurements", [7, [7], [{"name": "M"}], [{"name": "M", "kind": "angle"}]]
)
def test_a_document_of_another_shape_is_a_key_or_type_error(measurements):
    with pytest.raises((KeyError, TypeError)):
        LandmarkSet.from_json({"landmarks": [{"name": "A"}], "measurements": measurements})


def test_definitions_are_taken_up_as_far_as_the_landmarks_are_there():
    own = replace(LANDMARKS, measurements=(Measurement("AB", "distance", ("A", "B")),))
    document = {
        "measurements": [
            {"name": "AB", "kind": "distance", "landmarks": ["A", "C"]},
            {"name": "new", "kind": "angle", "landmarks": ["A", "B", "C"]},
            {"name": "other", "kind": "distance", "landmarks": ["A", "Z"]},
        ],
        "skeleton": [["A", "B"], ["A", "Z"]],
    }
    taken = own.with_definitions(document)
    assert [(each.name, each.names) for each in taken.measurements] == [
        ("AB", ("A", "C")),
        ("new", ("A", "B", "C")),
    ]
    assert taken.skeleton == (("A", "B"),)
    assert taken.with_definitions(document) == taken


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_make_sense(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    names = {name for line in document["skeleton"] for name in line}
    for each in document["measurements"]:
        names |= set(Measurement.from_json(each).names)
    landmarks = LandmarkSet(tuple(map(Landmark, sorted(names)))).with_definitions(document)
    assert len(landmarks.measurements) == len(document["measurements"])
    assert len(landmarks.skeleton) == len(document["skeleton"])
    assert document["about"]


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} == {"cephalogram", "femur"}


def test_anteversion_is_positive_on_both_sides_where_the_head_lies_in_front():
    """In LPS a femur with its neck turned forward by 15 degrees, and its mirror image."""
    document = json.loads(EXAMPLES[1].read_text(encoding="utf-8"))
    for side, medial in (("L", -1), ("R", 1)):  # x grows to the left
        neck = np.array([medial * np.cos(np.radians(15)), -np.sin(np.radians(15)), 0.8])
        points = {f"Femur_{side}_HeadCentre_derived": np.array([0.0, 0, 400]) + 40 * neck}
        points |= {f"Femur_{side}_{name}": np.array([0.0, 0, 400]) for name in ("SNI", "ANI")}
        points |= {f"Femur_{side}_{name}": np.array([0.0, 0, 400]) for name in ("INI", "PNI")}
        points[f"Femur_{side}_ICN"] = points[f"Femur_{side}_HeadCentre_derived"] * [1, 1, 0]
        points[f"Femur_{side}_PPLC"] = np.array([-medial * 25.0, 20, 0])
        points[f"Femur_{side}_PPMC"] = np.array([medial * 25.0, 20, 0])
        landmarks = LandmarkSet(tuple(map(Landmark, points))).with_definitions(document)
        (measurement,) = landmarks.measurements
        assert measurement.value(points.get) == pytest.approx(15)


def test_the_csv_says_what_each_value_rests_on(tmp_path):
    placed, predicted = PointState.PLACED, PointState.PREDICTED
    annotation = Annotation(
        {
            "A": Point(placed, (0, 0, 0)),
            "B": Point(placed, (3, 4, 0)),
            "C": Point(predicted, (0, 5, 0)),
            "D": Point(PointState.ABSENT),
        }
    )
    measurements = (
        Measurement("AB", "distance", ("A", "B")),
        Measurement("angle, with a comma", "angle", ("B", "A", "C")),
        Measurement("AD", "distance", ("A", "D")),
    )
    write_measurements(tmp_path / "m.csv", measurements, annotation)
    with open(tmp_path / "m.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["from"] for row in rows] == ["placed", "predicted", "missing"]
    assert float(rows[0]["value"]) == 5 and rows[0]["unit"] == "mm"
    assert rows[1]["name"] == "angle, with a comma"
    assert rows[1]["landmarks"] == "B; A; C"
    assert rows[2]["value"] == ""
