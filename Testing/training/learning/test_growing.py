"""A model that is to know further landmarks keeps what it knows, and begins well with the new ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.annotation.landmarks import Annotation, LandmarkSet, Point, PointState
from landmark_heatmap.annotation.sets.draft import LandmarkSetDraft
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.landmark_changes import change_landmarks
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.joint_shape import fit_joint_shape
from landmark_heatmap.model.model_file import read_model
from landmark_training.data.further import Continued
from landmark_training.fit import Job, fit, get_ready
from landmark_training.learning.growing import grown, with_further
from landmark_training.planning.config import TrainConfig
from training_examples import write_pairs

SIZE = 48
NAMES = ("Eye_L", "Eye_R", "Nose", "Chin")
QUICK = TrainConfig(
    features=(8, 16, 16), joint_features=8, epochs=3, steps_per_epoch=25, batch_size=4,
    learning_rate=5e-3, rotation_degrees=10, translation_share=0.05, precision="float32", fine=False,
    device="cpu",  # what is learned in so few steps on a GPU differs from time to time
)  # fmt: skip


def make_face(seed, names=NAMES):
    """Bright eyes, a dark nose, and a chin that is a ring."""
    rng = np.random.default_rng(seed)
    centre = np.array([24, 18]) + rng.uniform(-3, 3, 2)
    apart = rng.uniform(8, 11)
    positions = np.array(
        [centre + [apart, 0], centre - [apart, 0], centre + [0, 9], centre + [0, 19]]
    )
    j, i = np.mgrid[:SIZE, :SIZE]
    array = rng.normal(100, 3, (SIZE, SIZE))
    for (x, y), height in zip(positions[:3], (90, 90, -90)):
        array += height * np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / 2.5**2)
    from_chin = np.hypot(i - positions[3, 0], j - positions[3, 1])
    array += 60 * np.exp(-0.5 * (from_chin - 4) ** 2)
    points = {n: Point(PointState.PLACED, (x, y, 0)) for n, (x, y) in zip(NAMES, positions)}
    return Image(array[None].astype(np.float32), np.eye(4)), Annotation(
        {name: points[name] for name in names}
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of the eyes and the nose."""
    folder = write_pairs(tmp_path_factory.mktemp("faces"), lambda seed: make_face(seed, NAMES[:3]))
    return fit([folder], tmp_path_factory.mktemp("out") / "run", QUICK, say=lambda line: None)


@pytest.fixture
def dataset(tmp_path, trained):
    """The nose is called otherwise by now, the right eye is retired, and there is a chin."""
    landmarks = read_model(trained).description.landmarks
    folder = tmp_path / "data"
    create_dataset(folder, landmarks)
    draft = LandmarkSetDraft(landmarks, is_in_use=True)
    draft.rename(draft.names.index("Nose"), "Rhinion")
    draft.remove([draft.names.index("Eye_R")])
    draft.add_lines("Chin; the middle of the ring")
    change_landmarks(folder, draft.to_set())
    for seed in range(50, 56):
        image, annotation = make_face(seed)
        record = CaseRecord(dict.fromkeys(NAMES, Review.CORRECTED))
        add_case(folder, f"case-{seed}", image, annotation, record)
    return folder


def error_of(path, name, truth):
    """Mean error of a landmark, found by the model's `name`, in new images."""
    predictor, errors = Predictor(read_model(path)), []
    for seed in range(200, 206):
        image, annotation = make_face(seed)
        found = predictor.predict(image).annotation().position_lps(name)
        errors.append(
            np.inf if found is None else np.linalg.norm(found - annotation.position_lps(truth))
        )
    return float(np.mean(errors))


def test_what_was_known_is_answered_as_before_and_there_is_room_for_more(trained):
    model = read_model(trained)
    four = LandmarkSet((*model.description.landmarks.landmarks[::-1], *_marks("Chin")))
    larger = grown(model, Continued(four, (2, 1, 0, None)))
    image = torch.randn(1, 1, SIZE, SIZE)
    with torch.no_grad():
        before, after = model.networks[0](image), larger.networks[0](image)
    torch.testing.assert_close(after.voxels[:, :3], before.voxels[:, [2, 1, 0]])
    torch.testing.assert_close(after.nowhere[:, :3], before.nowhere[:, [2, 1, 0]])
    assert after.voxels.shape[1] == 4
    assert not larger.joint.known[3] if larger.joint else True
    assert (larger.prior.cases[3] == 0).all()
    np.testing.assert_array_equal(larger.prior.mean[0, 1], model.prior.mean[2, 1])


def _marks(*names):
    draft = LandmarkSetDraft()
    draft.add_lines("\n".join(names))
    return draft.to_set().landmarks


def test_a_run_goes_on_with_the_landmarks_that_the_dataset_has_now(trained, dataset, tmp_path):
    told = []
    config = replace(QUICK, epochs=2, validation_share=0.0)
    path = fit([dataset], tmp_path / "run", config, trained, told.append)
    landmarks = read_model(path).description.landmarks
    assert landmarks.names == ("Eye_L", "Rhinion", "Chin")
    assert landmarks.landmarks[1].formerly == ("Nose",)
    told = " ".join(told)
    assert "What the model calls 'Nose' is called 'Rhinion' now." in told
    assert "Eye_R is retired" in told
    assert "New to the model: Chin" in told
    for name, truth in (("Eye_L", "Eye_L"), ("Rhinion", "Nose"), ("Chin", "Chin")):
        assert error_of(path, name, truth) < 2.5
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["started_from"] == str(trained)


def test_a_new_channel_begins_near_the_landmark_without_a_step(trained, dataset, tmp_path):
    job = Job([dataset], replace(QUICK, validation_share=0.34), str(trained))
    ready = get_ready(job, tmp_path / "none", lambda line: None)
    network, errors = ready.networks[0].eval(), []
    for case in ready.held_out:
        with torch.no_grad():
            voxels = network(case.pixels[None, None]).voxels[0, 2]
        at = np.array(np.unravel_index(int(voxels.argmax()), voxels.shape))
        truth = case.centred_mm[2].numpy() + (SIZE - 1) / 2
        errors.append(np.linalg.norm(truth - at))
    assert len(errors) == 2
    assert max(errors) < SIZE / 6


def test_a_name_that_looks_like_a_slip_is_asked_about(trained, tmp_path):
    def slipped(seed):
        image, annotation = make_face(seed, NAMES[:3])
        points = dict(annotation.points)
        points["nose"] = points.pop("Nose")
        return image, Annotation(points)

    folder = write_pairs(tmp_path, slipped)
    with pytest.raises(DatasetError, match="does not know 'nose'.*'Nose'.*Correct the name"):
        fit([folder], tmp_path / "run", QUICK, trained, say=lambda line: None)


def test_a_landmark_that_only_files_name_is_added_too(trained, tmp_path):
    folder = write_pairs(tmp_path, make_face)
    ready = get_ready(Job([folder], QUICK, str(trained)), tmp_path / "none", lambda line: None)
    assert ready.writer.landmarks.names == NAMES
    assert (ready.writer.prior.cases[3, :3] > 0).all()


def test_the_shape_places_a_new_landmark_by_those_it_knows():
    rng = np.random.default_rng(0)
    mean = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [5, 5], [6, 5]], float)

    def draw(count):
        moved = rng.normal(0, 0.4, (count, 6, 2))
        moved[:, 5] = moved[:, 4] + rng.normal(0, 0.05, (count, 2))
        return mean + moved

    old = draw(60)
    old[:, 5] = np.nan
    joint = fit_joint_shape(old)
    assert not joint.known[5]
    further = with_further(joint, draw(6))
    assert further.known[5]
    covariance = further.covariance.reshape(12, 12)
    assert np.linalg.eigvalsh(covariance).min() > 0
    np.testing.assert_array_equal(further.mean[:5], joint.mean[:5])
    case = draw(1)[0]
    given = np.tile(0.01 * np.eye(2), (6, 1, 1))
    expected = further.expected(np.where(np.arange(6)[:, None] == 5, np.nan, case), given)
    assert np.linalg.norm(expected.mean[5] - case[5]) < 1.0
