"""How sure a position is: told in words, and kept in files."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.doubt import SEEN_AGAIN, Doubt, percent
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import AnnotationError

LOOKED = Doubt(1, look=SEEN_AGAIN).to_json()
DOUBT = Doubt(0.9, 0.9, 2.1, 14.0, 1.5)


@pytest.mark.parametrize(
    ("doubt", "unit", "told"),
    [
        (DOUBT, "mm", "90 %: within 2.1 mm"),
        (Doubt(0.01, 0.8, 0.0234), "mm", "80 %: within 0.023 mm"),
        (Doubt(3, 10 / 11, 17.4), "px", "90 %: within 17 px"),
        (Doubt(2.12), "mm", "about 2.1 mm"),
        (Doubt(2.12, 0.9), "mm", "about 2.1 mm"),
        (Doubt(0.0), "mm", "about 0.00 mm"),
    ],
)
def test_only_what_is_known_is_told(doubt, unit, told):
    assert doubt.told(unit) == told


def test_no_more_is_promised_than_the_level():
    assert [percent(share) for share in (0.9, 0.999, 2 / 3, 0.29)] == [
        "90 %",
        "99 %",
        "66 %",
        "29 %",
    ]


@pytest.mark.parametrize(("oddness", "is_odd"), [(None, False), (0.99, False), (1.01, True)])
def test_above_one_it_breaks_the_shape(oddness, is_odd):
    assert Doubt(1, oddness=oddness).is_odd is is_odd


@pytest.mark.parametrize(
    "doubt",
    [DOUBT, Doubt(2.5), Doubt(np.float32(0.1), np.float64(0.9), 1), Doubt(1, look=SEEN_AGAIN)],
)
def test_json_tells_all_of_it(doubt):
    assert Doubt.from_json(json.loads(json.dumps(doubt.to_json()))) == doubt


def point_of(doubt):
    return Annotation({"Tip": Point(PointState.PREDICTED, (1, 2, 3), 0.5, "lowest", doubt)})


def test_an_annotation_file_keeps_it(tmp_path):
    path = tmp_path / "case.mrk.json"
    write_annotation(path, point_of(DOUBT))
    assert read_annotation(path).points["Tip"].doubt == DOUBT
    write_annotation(path, point_of(None))
    assert "Doubt" not in path.read_text() and read_annotation(path) == point_of(None)


@pytest.mark.parametrize(
    "value",
    [
        3,
        {},
        {"expected_mm": "near"},
        {"expected_mm": 1, "level": 2},
        {"expected_mm": 1, "look": "?"},
    ],
)
def test_a_damaged_one_is_refused_by_its_point(tmp_path, value):
    path = tmp_path / "case.mrk.json"
    write_annotation(path, point_of(DOUBT))
    document = json.loads(path.read_text())
    document["markups"][0]["controlPoints"][0]["landmarkHeatmapDoubt"] = value
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match="'Tip' has the landmarkHeatmapDoubt"):
        read_annotation(path)
