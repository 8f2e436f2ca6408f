"""Measurements and skeleton travel: from a dataset into the model that is trained on it."""

import pytest

pytest.importorskip("torch")

from dots import NAMES, PAIRS, write_case, write_untrained
from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.annotation.measurements import Measurement
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.model.model_file import read_description, read_model
from landmark_training.data.prepare import planned
from landmark_training.ensemble import write_ensemble
from landmark_training.fit import fit
from landmark_training.planning.config import TrainConfig

EYES = Measurement("Eyes", "distance", ("Eye_L", "Eye_R"))
TAIL = Measurement("Tail", "distance", ("Nose", "Tail"))
QUICK = TrainConfig(epochs=1, steps_per_epoch=1, validation_share=0)


def quiet(line):
    pass


@pytest.fixture
def dataset(tmp_path):
    """A dataset that defines measurements, one of them with a landmark that no case has."""
    landmarks = LandmarkSet(
        tuple(map(Landmark, (*NAMES, "Tail"))),
        PAIRS,
        measurements=(EYES, TAIL),
        skeleton=(("Eye_L", "Nose"), ("Nose", "Tail")),
    )
    create_dataset(tmp_path / "data", landmarks)
    for seed in range(2):
        write_case(tmp_path, f"case-{seed}", seed)
        annotation = read_annotation(tmp_path / f"case-{seed}.mrk.json")
        reviews = dict.fromkeys(NAMES, Review.CONFIRMED)
        add_case(
            tmp_path / "data",
            f"case-{seed}",
            read_image(tmp_path / f"case-{seed}.nrrd"),
            annotation,
            CaseRecord(reviews),
            measurements=landmarks.measurements,
        )
    return tmp_path / "data"


def test_a_model_has_the_definitions_of_the_dataset_it_was_trained_on(dataset, tmp_path):
    model = fit([dataset], tmp_path / "run", QUICK, say=quiet)
    landmarks = read_description(model).landmarks
    assert landmarks.measurements == (EYES,)
    assert landmarks.skeleton == (("Eye_L", "Nose"),)


def test_a_model_that_is_trained_on_takes_up_new_ones(dataset, tmp_path):
    parent = read_model(write_untrained(tmp_path / "parent.safetensors"))
    landmarks = planned([dataset], QUICK, parent, quiet).landmarks
    assert landmarks.names == NAMES and landmarks.measurements == (EYES,)


def test_models_that_define_different_measurements_are_an_ensemble_still(dataset, tmp_path):
    model = fit([dataset], tmp_path / "run", QUICK, say=quiet)
    plain = tmp_path / "plain"
    plain.mkdir()
    for seed in range(2):
        write_case(plain, f"case-{seed}", seed)
    other = fit([plain], tmp_path / "other", QUICK, say=quiet)
    assert read_description(other).landmarks.measurements == ()
    ensemble = write_ensemble([model, other], tmp_path / "e.safetensors")
    assert read_description(ensemble).landmarks.measurements == (EYES,)


def test_a_dataset_has_its_measurements_beside_each_annotation(dataset):
    rows = (
        (dataset / "cases/case-0/revision-001/measurements.csv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert [row.split(",")[0] for row in rows] == ["name", "Eyes", "Tail"]
