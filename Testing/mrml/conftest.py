"""One booted application for the whole run; its scene is emptied between tests."""

import numpy as np
import pytest

pytest.importorskip("slicer_core")

from headless.scene import Application, Complaints  # noqa: E402
from headless.views import SLICE_VIEWS, SliceView  # noqa: E402
from landmark_heatmap.geometry import Image  # noqa: E402
from landmark_heatmap.landmarks import Landmark, LandmarkSet  # noqa: E402
from landmark_heatmap.prediction import (  # noqa: E402
    LandmarkPrediction,
    ModelIdentity,
    Prediction,
)
from LandmarkHeatmapLib.result import DetectionResult  # noqa: E402
from LandmarkHeatmapLib.volumes import add_volume  # noqa: E402

SIGMA_MM = 4.0
LANDMARKS = LandmarkSet(
    (
        Landmark("Head_L", "centre of the left head"),
        Landmark("Head_R", "centre of the right head"),
        Landmark("Tip", "its lowest point"),
        Landmark("Gone", "what is not in this image"),
    ),
    (("Head_L", "Head_R"),),
)


@pytest.fixture(scope="session")
def application():
    return Application()


@pytest.fixture
def complaints():
    """What VTK and observers complained of during the test."""
    with Complaints() as heard:
        yield heard


@pytest.fixture(autouse=True)
def scene(application, complaints):
    """The empty scene; a test fails on any error of VTK and on any exception in an observer."""
    application.scene.Clear(False)
    yield application.scene
    application.scene.Clear(False)
    assert complaints.texts == []


@pytest.fixture(scope="session")
def all_slice_views(application):
    return {name: SliceView(application, name) for name in SLICE_VIEWS}


@pytest.fixture
def slice_views(scene, all_slice_views):
    """The three slice views by name, showing nothing. They outlive the scene's other nodes."""
    for view in all_slice_views.values():
        view.reset()
    yield all_slice_views
    for view in all_slice_views.values():
        view.reset()


def make_image(affine=None, size_ijk=(40, 44, 48)):
    """An image with something to see in it; affine: IJK to LPS."""
    rng = np.random.default_rng(0)
    array = rng.normal(0, 20, size_ijk[::-1]).astype(np.int16)
    return Image(array, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine)


def make_prediction(image, landmarks=LANDMARKS):
    """Landmarks spread over the image, each with a Gaussian crop; the last one is absent."""
    grid = image.grid
    size = np.array(grid.size_ijk)
    shares = [(0.3, 0.4, 0.5), (0.7, 0.4, 0.5), (0.5, 0.7, 0.5), (0.5, 0.3, 0.5)]
    points = []
    for number, (name, share) in enumerate(zip(landmarks.names, shares)):
        ijk = np.where(size > 1, (size - 1) * share + 0.27, 0)
        position = grid.to_lps(ijk)
        absent = number == len(landmarks) - 1
        heatmap = _gaussian_crop(grid, ijk, position, 0.01 if absent else 0.95)
        presence, confidence = (0.1, 0.05) if absent else (0.99, 0.9 - 0.1 * number)
        points.append(LandmarkPrediction(name, position, presence, confidence, heatmap))
    model = ModelIdentity("Test model", "1", "ab" * 32)
    return Prediction(landmarks, tuple(points), grid, model)


def _gaussian_crop(grid, ijk, position, height):
    start = np.maximum(np.rint(ijk).astype(int) - 5, 0)
    stop = np.minimum(np.rint(ijk).astype(int) + 6, grid.size_ijk)
    crop = grid.cropped(start, stop - start)
    index = np.stack(np.meshgrid(*map(np.arange, crop.size_ijk), indexing="ij"), axis=-1)
    square = ((crop.to_lps(index) - position) ** 2).sum(-1)
    array = height * np.exp(-0.5 * square / SIGMA_MM**2)
    return Image(array.T.astype(np.float32), crop.ijk_to_lps)


@pytest.fixture
def publish(scene):
    """Puts a volume and a detection of it into the scene."""

    def put(image=None, name="Scan", transform=None):
        image = make_image() if image is None else image
        volume = add_volume(scene, image, name)
        if transform is not None:
            volume.SetAndObserveTransformNodeID(transform.GetID())
        return DetectionResult.publish(volume, make_prediction(image))

    return put
