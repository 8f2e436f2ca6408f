"""One booted application for the whole run; its scene is emptied between tests."""

import pytest

pytest.importorskip("slicer_core")

from headless.scene import Complaints, shared_application
from headless.views import shared_slice_views
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_image, make_prediction


@pytest.fixture(scope="session")
def application():
    return shared_application()


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
    return shared_slice_views()


@pytest.fixture
def slice_views(scene, all_slice_views):
    """The three slice views by name, showing nothing. They outlive the scene's other nodes."""
    for view in all_slice_views.values():
        view.reset()
    yield all_slice_views
    for view in all_slice_views.values():
        view.reset()


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
