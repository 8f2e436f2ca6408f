"""What several people have said of one case, from its revisions."""

import pytest

from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.worklist.readings import readings_of


@pytest.fixture
def dataset(tmp_path):
    create_dataset(tmp_path / "data", LandmarkSet((Landmark("A"), Landmark("B"))))
    return tmp_path / "data"


def export(dataset, annotator, x, is_b_judged=True):
    state = PointState.PLACED if is_b_judged else PointState.PREDICTED
    points = {"A": Point(PointState.PLACED, (x, 0, 0)), "B": Point(state, (0, x, 0))}
    reviews = {"A": Review.CORRECTED, "B": Review.CONFIRMED if is_b_judged else Review.UNTOUCHED}
    return add_case(
        dataset, "case-1", None, Annotation(points), CaseRecord(reviews, annotator=annotator)
    )


def test_the_newest_of_each_person_counts_the_newest_first(dataset):
    export(dataset, "Anna", 1)
    export(dataset, "Otto", 2)
    export(dataset, "Anna", 3)
    found = readings_of(dataset, "case-1")
    assert [(each.annotator, each.revision) for each in found] == [("Anna", 3), ("Otto", 2)]
    assert found[0].annotation.position_lps("A")[0] == 3


def test_what_nobody_judged_is_no_part_of_a_reading(dataset):
    export(dataset, "Anna", 1, is_b_judged=False)
    (reading,) = readings_of(dataset, "case-1")
    assert reading.annotation.names == ("A",)


def test_a_revision_that_cannot_be_read_is_left_out(dataset):
    export(dataset, "Anna", 1)
    (export(dataset, "Otto", 2) / "record.json").write_text("{")
    assert [each.annotator for each in readings_of(dataset, "case-1")] == ["Anna"]
    assert readings_of(dataset, "case-2") == []
