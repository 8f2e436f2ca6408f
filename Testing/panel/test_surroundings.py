"""What is seen around the landmarks after a detection, and what is spared meanwhile."""

import numpy as np
import pytest
import slicer

from landmark_heatmap.images.geometry import Image
from LandmarkHeatmapLib.display.anatomy import ANATOMY
from LandmarkHeatmapLib.display.models import model_of
from LandmarkHeatmapLib.display.skeleton import SKELETON
from LandmarkHeatmapLib.measurements import add_definitions
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from mrml_examples import make_image, make_prediction


def block():
    """An image of a bright block, which the landmarks lie around."""
    image = make_image()
    array = np.array(image.array)
    array[10:-10, 10:-10, 10:-10] += 1000
    return Image(array, image.ijk_to_lps)


@pytest.fixture
def detect(host, panel, client, add):
    def do(volume):
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        host.click(panel.ui.detectButton)
        host.wait_until(lambda: not panel.detection.queue.is_busy)
        return panel.logic.results(volume)[-1]

    return do


def wait_for_anatomy(host, panel):
    host.wait_until(lambda: not panel.desk.surroundings.is_busy)


def is_seen(result, role=ANATOMY):
    node = model_of(result, role)
    return node is not None and bool(node.GetDisplayNode().GetVisibility())


def test_after_a_detection_there_is_the_anatomy_and_the_camera_looks_at_it(
    host, panel, add, detect
):
    camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    result = detect(add(image=block()))
    wait_for_anatomy(host, panel)
    assert is_seen(result)
    positions = result.positions_lps() * [-1, -1, 1]
    positions = positions[np.isfinite(positions).all(axis=1)][:3]
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    assert np.linalg.norm(np.array(camera.GetFocalPoint()) - middle) < 30
    assert camera.GetPosition()[1] > camera.GetFocalPoint()[1]


def test_the_anatomy_of_another_result_goes_and_comes_back(host, panel, add, detect):
    first = detect(add("First", block()))
    wait_for_anatomy(host, panel)
    second = detect(add("Second", block()))
    wait_for_anatomy(host, panel)
    assert [is_seen(first), is_seen(second)] == [False, True]
    panel.ui.inputVolumeSelector.setCurrentNode(first.volume_node)
    host.process()
    assert [is_seen(first), is_seen(second)] == [True, False]


def test_what_is_being_made_ends_with_the_scene_or_another_result(host, panel, add, detect):
    other = add("Other")
    result = detect(add(image=block()))
    panel.desk.surroundings.begin()
    assert panel.desk.surroundings.is_busy
    panel.ui.inputVolumeSelector.setCurrentNode(other)
    assert not panel.desk.surroundings.is_busy
    panel.ui.inputVolumeSelector.setCurrentNode(result.volume_node)
    panel.desk.surroundings.begin()
    slicer.mrmlScene.Clear(False)
    assert not panel.desk.surroundings.is_busy
    host.process(20)


def test_a_result_that_is_removed_meanwhile_ends_it_without_an_error(host, panel, add, detect):
    result = detect(add(image=block()))
    wait_for_anatomy(host, panel)
    slicer.mrmlScene.RemoveNode(model_of(result, ANATOMY))
    panel.desk.surroundings.begin()
    slicer.mrmlScene.RemoveNode(result.node)
    host.wait_until(lambda: not panel.desk.surroundings.is_busy)


def test_nothing_is_made_where_nothing_is_wanted_and_the_wish_is_the_users(
    host, panel, add, detect
):
    box = panel.ui.anatomyComboBox
    box.setCurrentIndex(box.findData(""))
    result = detect(add(image=block()))
    wait_for_anatomy(host, panel)
    assert model_of(result, ANATOMY) is None
    box.setCurrentIndex(box.findData("surface"))
    wait_for_anatomy(host, panel)
    assert is_seen(result)
    box.setCurrentIndex(box.findData(""))
    assert not is_seen(result)
    slicer.mrmlScene.Clear(False)
    host.close_modules()
    assert host.open().ui.anatomyComboBox.currentText == "Nothing"


def test_the_skeleton_is_that_of_the_chosen_result(host, panel, add, detect):
    lines = {"skeleton": [["Head_L", "Head_R"]]}
    results = []
    for name in ("First", "Second"):
        results.append(detect(add(name)))
        add_definitions(results[-1], lines)
        host.process()
    assert [is_seen(each, SKELETON) for each in results] == [False, True]
    panel.ui.inputVolumeSelector.setCurrentNode(results[0].volume_node)
    host.process()
    assert [is_seen(each, SKELETON) for each in results] == [True, False]


def test_a_flat_image_has_no_anatomy(host, panel, add, detect):
    image = make_image(np.diag([0.5, 0.5, 1.0, 1.0]), (60, 50, 1))
    result = detect(add(image=image))
    wait_for_anatomy(host, panel)
    assert model_of(result, ANATOMY) is None


def test_a_result_that_was_there_before_is_shown_as_the_scene_has_it(host, panel, result):
    host.process(20)
    assert model_of(result, ANATOMY) is None
    image = make_image()
    DetectionResult.publish(result.volume_node, make_prediction(image))
    host.process(20)
    assert not panel.desk.surroundings.is_busy
