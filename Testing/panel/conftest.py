"""One Slicer-like application for the whole run; scene, settings and panel are new for each test."""

import pytest

pytest.importorskip("slicer_core")
import slicer

pytest.importorskip(
    "PySide6.QtWidgets", reason="needs PySide6-Essentials and its libraries", exc_type=ImportError
)

from headless.scene import Complaints
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_image, make_many, make_prediction
from panel_stand_ins import ScriptedClient
from qt_host.application import the_host


@pytest.fixture
def complaints():
    """What VTK, slots and observers complained of during the test."""
    with Complaints() as heard:
        yield heard


@pytest.fixture
def host(complaints):
    """The application with an empty scene; a test fails on any error that is only printed."""
    host = the_host()
    host.start_afresh()
    yield host
    host.start_afresh()
    assert complaints.texts == []


@pytest.fixture
def module(host):
    """The module file, imported as Slicer does."""
    return host.load()


@pytest.fixture
def client():
    """What the panel talks to instead of a worker process."""
    return ScriptedClient()


@pytest.fixture
def panel(host, client):
    """The module's panel, opened; torch counts as installed."""
    panel = host.open()
    panel.detection.queue.client.close()
    panel.detection.queue.client = client
    panel.logic.missingPackages = panel.logic.missingTrainingPackages = list
    return panel


@pytest.fixture
def add(host, panel):
    """Puts a volume into the scene and chooses it as input."""

    def put(name="Scan", image=None):
        volume = add_volume(host.app.mrmlScene(), image or make_image(), name)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        host.process()
        return volume

    return put


@pytest.fixture
def result(host, panel):
    """A result that was detected before, chosen in the panel; its volume fills the slice views."""
    image = make_image()
    volume = add_volume(host.app.mrmlScene(), image, "Miller, Anna 1970-01-01")
    panel.ui.inputVolumeSelector.setCurrentNode(None)
    result = DetectionResult.publish(volume, make_prediction(image))
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    host.process(20)
    return result


@pytest.fixture
def many(host, panel):
    """A result with 45 landmarks under review, in a window as small as a laptop's."""
    host.window.resize_as_slicer(1366, 768)
    image = make_image()
    volume = add_volume(host.app.mrmlScene(), image, "Scan")
    result = DetectionResult.publish(volume, make_many(image))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
    host.process(50)
    yield result
    host.window.resize_plainly()
