"""Annotation as it really is: on real data sets, which are no part of the repository.

LANDMARK_HEATMAP_DATA names the folder that holds them; without it these tests are skipped.
"""

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.images.imageio import read_image
from landmark_training.data.cases import find_cases, label_of, landmark_set_of, without_never_placed
from places import DATA


def labelled(folder, wanted=None):
    """(cases, their labels, the landmark set)."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"There is no {DATA / folder}; LANDMARK_HEATMAP_DATA names the folder.")
    found = [c for c in find_cases([DATA / folder]) if wanted is None or c.name in wanted]
    labels = [label_of(c.annotation, read_image(c.image_path).grid) for c in found]
    return found, labels, landmark_set_of([DATA / folder], found)


def rows_of(folder):
    with open(DATA / folder / "cases.csv", newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_of_a_hip_with_one_marked_femur_the_other_one_is_not_said_to_be_absent():
    found, labels, landmarks = labelled("hip_ct")
    sides = {"Left": "Right", "Right": "Left", "_L_": "_R_", "_R_": "_L_"}
    assert len(landmarks.mirror_pairs) > 10
    for case, label in zip(found, labels):
        placed = [n for n in label.names if label.state(n) is PointState.PLACED]
        femur = [n for n in placed if n.startswith("Femur")]
        assert len({"_L_" in n for n in femur}) == 1, case.name
        partners = [next(n.replace(a, b) for a, b in sides.items() if a in n) for n in femur]
        assert all(label.state(n) is PointState.UNJUDGED for n in partners)
        assert set(partners) <= set(landmarks.names)


def test_landmarks_below_the_image_are_absent_from_it_and_left_out_of_a_model():
    _, labels, landmarks = labelled("hip_ct")
    kept, dropped = without_never_placed(landmarks, labels)
    assert dropped
    for label in labels:
        inside = [n for n in label.names if label.state(n) is PointState.PLACED]
        assert len(inside) == 28
        outside = [n for n in label.names if label.state(n) is PointState.ABSENT]
        assert set(outside) <= set(dropped)
    assert len(kept) == len(landmarks) - len(dropped)


def test_a_landmark_half_a_voxel_outside_its_image_is_absent_there_and_kept_in_the_model():
    found, labels, landmarks = labelled("mouse_skull")
    rows = rows_of("mouse_skull")
    for case, label in zip(found, labels):
        states = [label.state(name) for name in landmarks.names]
        assert states.count(PointState.PLACED) == int(rows[case.name]["n_inside"]), case.name
    assert any(int(row["n_inside"]) < int(row["n_landmarks"]) for row in rows.values())
    assert without_never_placed(landmarks, labels)[1] == ()


def test_real_pairs_are_told_from_the_names():
    _, _, landmarks = labelled("hip_ct", {"z001"})
    permutation = landmarks.mirror_permutation()
    np.testing.assert_array_equal(permutation[permutation], np.arange(len(landmarks)))
    for left, right in landmarks.mirror_pairs:
        assert left.replace("Left", "Right").replace("_L_", "_R_") == right
