"""What is said of names, pairs and images before a training starts."""

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_training.data.cases import with_stated
from landmark_training.data.prepare import planned
from landmark_training.planning.config import TrainConfig

QUICK = TrainConfig(precision="float32")
FACE = {"Eye_R": (12, 10), "Eye_L": (36, 10), "GoR": (14, 30), "GoL": (34, 30), "Me": (24, 38)}


def face(folder, name, points, rename=None):
    rng = np.random.default_rng(len(name))
    folder.mkdir(exist_ok=True)
    array = rng.normal(100, 5, (1, 48, 48)).astype(np.float32)
    write_image(folder / f"{name}.nrrd", Image(array, np.eye(4)))
    named = {(rename or {}).get(n, n): Point(PointState.PLACED, (*p, 0)) for n, p in points.items()}
    write_annotation(folder / f"{name}.mrk.json", Annotation(named))


def told_of(folder, config=QUICK):
    """(all that is told, the plan)."""
    told = []
    plan = planned([folder], config, say=told.append).plan
    return "\n".join([*told, *plan.reasons]), plan


def faces(tmp_path, rename=None, count=4):
    for number in range(count):
        moved = {n: (x + number, y - number) for n, (x, y) in FACE.items()}
        face(tmp_path / "data", f"f{number}", moved, rename)
    return tmp_path / "data"


def test_pairs_that_are_known_are_told_and_mirrored(tmp_path):
    told, plan = told_of(faces(tmp_path))
    assert plan.flip
    assert "2 left/right pairs: Eye_L/Eye_R, GoL/GoR" in told


def test_a_pair_that_names_do_not_give_away_stops_mirroring_with_its_names(tmp_path):
    folder = faces(tmp_path, {"GoR": "Angle 1", "GoL": "Angle 2"})
    told, plan = told_of(folder)
    assert not plan.flip
    assert "Angle 1, Angle 2: to one side of the plane of symmetry in most cases" in told
    stated = QUICK.replaced(mirror_pairs=[["Angle 2", "Angle 1"]])
    told, plan = told_of(folder, stated)
    assert plan.flip and "Angle 2/Angle 1" in told
    assert TrainConfig().with_settings(stated.to_json(), "") == stated
    told, plan = told_of(folder, QUICK.replaced(flip=True))
    assert plan.flip and "but mirroring is asked for" in told


def test_a_landmark_of_one_side_without_its_partner_is_told(tmp_path):
    told, plan = told_of(faces(tmp_path, {"GoR": "Angle"}))
    assert "'GoL': named for a side, and no partner is known" in told
    assert not plan.flip


def test_what_is_stated_of_a_landmark_that_nobody_has_is_refused(tmp_path):
    with pytest.raises(
        DatasetError, match="name 'gor', which is none of the landmarks; is it 'GoR'"
    ):
        told_of(faces(tmp_path), QUICK.replaced(mirror_pairs=[["gor", "GoL"]]))


def test_one_landmark_under_two_names_is_refused_with_the_cases(tmp_path):
    folder = faces(tmp_path)
    face(folder, "other", FACE, {"Me": "me "})
    with pytest.raises(DatasetError, match=r"'Me' \(f0, f1, f2, f3\) and 'me ' \(other\)"):
        told_of(folder)


def test_lists_of_slicer_that_nobody_named_are_refused_where_their_names_differ(tmp_path):
    folder = faces(tmp_path, {"Me": "F-1"})
    told, _ = told_of(folder)
    assert "Is that meant? 'F-1': so Slicer names points that nobody named (in f0, f1" in told
    face(folder, "other", FACE, {"Me": "F_1-1"})
    with pytest.raises(DatasetError, match=r"'F-1' \(.*\) and 'F_1-1' \(other\)"):
        told_of(folder)


def test_two_names_of_one_case_are_two_landmarks(tmp_path):
    told_of(faces(tmp_path, {"Me": "A", "GoR": "a"}))


def test_what_one_case_alone_has_and_images_without_annotation_are_told(tmp_path):
    folder = faces(tmp_path)
    face(folder, "other", {**FACE, "Sella": (20, 20)})
    face(folder, "lonely", FACE)
    (folder / "lonely.mrk.json").unlink()
    told, _ = told_of(folder)
    assert "'Sella': one case alone has it (other)." in told
    assert "1 images have no annotation, and are left out:" in told and "lonely.nrrd" in told


def test_a_landmark_at_zero_here_and_elsewhere_there_teaches_nothing(tmp_path):
    folder = faces(tmp_path)
    face(folder, "other", {**FACE, "Me": (0, 0)})
    told, _ = told_of(folder)
    assert "Read as not marked: 0 0 (1)." in told
    assert "24 points placed, 0 absent, 1 not judged" in told


def test_a_model_to_go_on_from_takes_what_is_stated_and_keeps_the_rest():
    names = ("a", "b", "c", "d", "e")
    landmarks = LandmarkSet(tuple(map(Landmark, names)), (("a", "b"), ("c", "d")), "set")
    assert with_stated(landmarks) is landmarks
    found = with_stated(landmarks, [("a", "c")], ["e"])
    assert found.mirror_pairs == (("a", "c"),) and found.midline == ("e",)
    assert found.names == names and found.name == "set"
    with pytest.raises(DatasetError, match="'x', which is none of the landmarks"):
        with_stated(landmarks, [("a", "x")])
