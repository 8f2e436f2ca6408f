"""The search for mistakes as a process: what it found, and why it could not."""

import time

import numpy as np
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
from landmark_heatmap.errors import TrainingError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.runs.mistakes import MistakeSearch


def answer_of(search):
    try:
        while True:
            found = search.poll()
            if found is not None:
                return found
            time.sleep(0.05)
    finally:
        search.close()


def test_the_same_image_twice_is_found_by_the_real_command(tmp_path):
    folder = tmp_path / "data"
    create_dataset(folder, LandmarkSet((Landmark("Tip"),)))
    values = np.random.default_rng(0).integers(0, 99, (6, 7, 8)).astype(np.int16)
    annotation = Annotation({"Tip": Point(PointState.PLACED, (1, 2, 3))})
    for name in ("a", "b"):
        record = CaseRecord({"Tip": Review.CORRECTED})
        add_case(folder, name, Image(values, np.eye(4)), annotation, record)
    found = answer_of(MistakeSearch(folder))
    assert found.cases == 2
    assert "duplicate" in [each.kind for each in found.mistakes]


def test_the_reason_is_told_where_nothing_can_be_looked_at(tmp_path):
    with pytest.raises(TrainingError, match="There is no folder"):
        answer_of(MistakeSearch(tmp_path / "nowhere"))
