"""Detect, watch, cancel; what goes wrong on the way, and that the next click works."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer

from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worker.client import WorkerClient
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from mrml_examples import IMAGES, LANDMARKS, make_image
from panel_stand_ins import ScriptedClient
from qt_host.application import ROOT

WORKER = ROOT / "Testing" / "support" / "worker_stand_in.py"
SHIPPED = ROOT / "LandmarkHeatmap" / "Resources" / "Models" / "synthetic_hip.safetensors"


@pytest.fixture
def client():
    """Stops half way until the test says `go`."""
    return ScriptedClient(waits=True)


def begin(host, panel):
    """Click on Detect; returns once the bar is at the half."""
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: panel.ui.progressBar.value >= 40)


def results(panel):
    volume = panel.ui.inputVolumeSelector.currentNode()
    return panel.logic.results(volume) if volume else []


def report(panel) -> list:
    """What is told of each image of a batch."""
    shown = panel.ui.batchReportList
    return [shown.item(row).text() for row in range(shown.count)]


def finish(host, panel, client, count=1):
    client.go()
    host.wait_until(lambda: len(results(panel)) == count)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())


def test_while_it_works_the_panel_says_what_is_done_and_how_long_it_takes(host, panel, client, add):
    add()
    assert not panel.ui.progressBar.isVisible()
    begin(host, panel)
    assert panel.ui.detectButton.text == "Cancel"
    assert panel.ui.progressBar.isVisible()
    assert "12 s" in panel.ui.progressBar.format
    assert "Detecting" in panel.ui.statusLabel.toolTip
    finish(host, panel, client)
    assert panel.ui.detectButton.text == "Detect landmarks"
    assert panel.ui.reviewTable.rowCount == len(LANDMARKS)
    assert "no GPU was found" in panel.ui.deviceNoteLabel.toolTip
    assert host.user.told == []


def test_cancel_leaves_nothing_behind_and_the_next_click_works(host, panel, client, add):
    add()
    begin(host, panel)
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible(), seconds=1)
    assert "Cancel" in panel.ui.statusLabel.toolTip
    assert (results(panel), slicer.mrmlScene.GetNumberOfNodes()) == ([], nodes)
    begin(host, panel)
    finish(host, panel, client)


def test_a_worker_that_dies_is_told_of_and_the_next_click_works(host, panel, client, add):
    add()
    begin(host, panel)
    client.die("The detection process was killed.")
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())
    assert "killed" in panel.ui.statusLabel.toolTip
    assert results(panel) == []
    client.waits = True
    begin(host, panel)
    finish(host, panel, client)


def test_the_scene_may_be_closed_in_mid_run(host, panel, client, add):
    add()
    begin(host, panel)
    slicer.mrmlScene.Clear(False)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible(), seconds=1)
    assert not panel.ui.detectButton.enabled
    client.waits = True
    add()
    begin(host, panel)
    finish(host, panel, client)


def test_the_volume_may_be_removed_in_mid_run(host, panel, client, add):
    volume = add()
    begin(host, panel)
    slicer.mrmlScene.RemoveNode(volume)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible(), seconds=1)
    assert "removed" in panel.ui.statusLabel.toolTip


def test_a_scene_may_be_loaded_in_mid_run(host, panel, client, add, tmp_path):
    volume = add()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    begin(host, panel)
    slicer.util.loadScene(path)
    client.go()
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())
    # The scene that was loaded brought another volume to the fore; that one stays there.
    assert results(panel) == []
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    assert panel.ui.reviewTable.rowCount == len(LANDMARKS)


def test_leaving_the_module_lets_the_detection_go_on(host, panel, client, add):
    volume = add()
    begin(host, panel)
    slicer.util.selectModule("")
    client.go()
    host.wait_until(lambda: panel.logic.results(volume))
    slicer.util.selectModule("LandmarkHeatmap")
    host.wait_until(lambda: panel.ui.detectButton.text == "Detect landmarks")
    assert panel.ui.reviewTable.rowCount == len(LANDMARKS)


def test_closing_the_application_in_mid_run_ends_the_worker(host, panel, client, add):
    add()
    begin(host, panel)
    host.close_modules()
    assert client.is_closed


def test_reloading_the_module_in_mid_run_ends_the_worker(host, panel, client, add):
    add()
    begin(host, panel)
    slicer.util.reloadScriptedModule("LandmarkHeatmap")
    assert client.is_closed
    host.process(50)
    fresh = slicer.util.getModuleWidget("LandmarkHeatmap")
    assert fresh.ui.detectButton.text == "Detect landmarks"


def test_one_broken_file_of_a_folder_is_reported_and_the_others_go_on(
    host, panel, client, tmp_path
):
    client.go()
    for name in ("a", "c"):
        write_image(tmp_path / f"{name}.nrrd", make_image())
    (tmp_path / "b.nrrd").write_bytes(b"NRRD0004\nnonsense")
    panel.ui.batchCollapsibleButton.collapsed = False
    host.user.chooses = [str(tmp_path)]
    host.click(panel.ui.batchFolderButton)
    host.click(panel.ui.batchDetectButton)
    host.wait_until(lambda: report(panel))
    a, b, c = report(panel)
    assert "done" in a and "done" in c
    assert b.startswith("b:") and "done" not in b
    found = {result.volume_node.GetName() for result in DetectionResult.all(slicer.mrmlScene)}
    assert found == {"a", "c"}


def test_all_volumes_of_the_scene_are_detected_in_one_go(host, panel, client, add):
    client.go()
    volumes = [add(name) for name in ("First", "Second", "Third")]
    first = np.array(slicer.util.arrayFromVolume(volumes[1])).flat[0]
    client.failures[float(first)] = "no landmarks here"
    slicer.util.arrayFromVolume(volumes[0]).flat[0] += 1
    slicer.util.arrayFromVolume(volumes[2]).flat[0] += 1
    panel.ui.batchCollapsibleButton.collapsed = False
    host.click(panel.ui.batchAllButton)
    host.click(panel.ui.batchDetectButton)
    host.wait_until(lambda: report(panel))
    assert [len(panel.logic.results(volume)) for volume in volumes] == [1, 0, 1]
    assert "Second: no landmarks here" in report(panel)


class TestWithAProcess:
    """The same with the real client and a process of its own, whose network is a stand-in."""

    @pytest.fixture
    def client(self):
        return WorkerClient(sys.executable, WORKER)

    @pytest.fixture
    def model(self, panel):
        """Chooses what the stand-in does, by the name of the model's file."""

        def choose(what):
            panel.logic.modelPath = lambda key: Path(f"{what}.safetensors")

        return choose

    def process(self, host, panel, client):
        """Click on Detect; returns the process once it is at work."""
        host.click(panel.ui.detectButton)
        host.wait_until(lambda: "Detecting" in panel.ui.statusLabel.toolTip)
        return client._process._process

    def test_a_process_that_is_killed_is_told_of_and_the_next_click_works(
        self, host, panel, client, add, model
    ):
        add()
        model("slow")
        self.process(host, panel, client).kill()
        host.wait_until(lambda: not panel.ui.progressBar.isVisible())
        assert "killed" in panel.ui.statusLabel.toolTip
        assert results(panel) == []
        model("fine")
        host.click(panel.ui.detectButton)
        host.wait_until(lambda: results(panel) and not panel.ui.progressBar.isVisible())
        assert panel.ui.reviewTable.rowCount == 2

    def test_a_process_that_hangs_is_cancelled_within_a_second(
        self, host, panel, client, add, model
    ):
        add()
        model("hang")
        process = self.process(host, panel, client)
        host.click(panel.ui.detectButton)
        # A second, and something for a machine that has other work.
        host.wait_until(lambda: not panel.ui.progressBar.isVisible(), seconds=2)
        assert process.poll() is not None
        assert "Cancel" in panel.ui.statusLabel.toolTip

    def test_closing_the_application_leaves_no_process(self, host, panel, client, add, model):
        add()
        model("slow")
        process = self.process(host, panel, client)
        host.close_modules()
        assert process.poll() is not None

    def test_what_the_network_says_is_wrong_is_shown(self, host, panel, client, add, model):
        add()
        model("refuse")
        host.click(panel.ui.detectButton)
        host.wait_until(lambda: not panel.ui.progressBar.isVisible())
        assert "The image is empty." in panel.ui.statusLabel.toolTip


def test_the_device_is_passed_on_and_kept_in_the_settings(host, panel, client, add):
    box = panel.ui.deviceComboBox
    box.setCurrentIndex(box.findData("cpu"))
    add()
    begin(host, panel)
    assert client.asked[-1][2] == "cpu"
    finish(host, panel, client)
    host.close_modules()
    assert host.open().ui.deviceComboBox.currentData == "cpu"


def test_a_model_file_that_is_dropped_on_the_panel_is_chosen(host, panel, client, add, tmp_path):
    model = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, model)
    target = panel.ui.deskTabs.parent()
    assert host.drop(target, [model])
    assert panel.ui.modelComboBox.currentData == str(model)
    assert not host.drop(target, [tmp_path / "image.nrrd"])
    add()
    begin(host, panel)
    assert str(client.asked[-1][1]) == str(model)
    finish(host, panel, client)


def test_a_single_slice_opens_in_one_view_fitted(host, panel, client, add):
    client.go()
    volume = add("X-ray", IMAGES["single slice"])
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: results(panel))
    host.process(20)
    layout = slicer.app.layoutManager()
    seen = [name for name in layout.sliceViewNames() if layout.sliceWidget(name).isVisible()]
    (name,) = seen
    view = layout.sliceWidget(name)
    assert view.sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    # All of the image is seen, and along one side it fills the view.
    bounds, node = [0.0] * 6, view.mrmlSliceNode()
    volume.GetRASBounds(bounds)
    size = np.subtract(bounds[1::2], bounds[::2])
    axes = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, :2]
    assert max(abs(axes.T @ size) / node.GetFieldOfView()[:2]) == pytest.approx(1.0, abs=0.03)


def test_where_a_whole_photograph_is_too_small_to_see_a_heatmap_a_second_view_shows_it_from_near(
    host, panel, client, add
):
    client.go()
    side = 2400
    image = Image(np.zeros((1, side, side), np.uint8), np.diag([0.2, 0.2, 1.0, 1.0]))
    add("Photograph", image)
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: results(panel) and not panel.detection.queue.is_busy)
    host.process(50)
    layout = slicer.app.layoutManager()
    seen = [name for name in layout.sliceViewNames() if layout.sliceWidget(name).isVisible()]
    assert seen == ["Red", "Yellow"]
    whole, near = (layout.sliceWidget(name).mrmlSliceNode() for name in seen)
    assert min(whole.GetFieldOfView()[:2]) == pytest.approx(side * 0.2, rel=0.05)
    assert max(near.GetFieldOfView()[:2]) < side * 0.2 / 2
    before = whole.GetFieldOfView(), slicer.util.arrayFromVTKMatrix(whole.GetSliceToRAS())
    host.click(panel.ui.nextButton)
    (result,) = results(panel)
    index = result.landmarks.index(panel.review.session.current)
    place = layout.sliceWidget("Yellow").position_of(
        result.markups_node.GetNthControlPointPositionWorld(index)
    )
    assert layout.sliceWidget("Yellow").rect.contains(place)
    np.testing.assert_allclose(whole.GetFieldOfView(), before[0])
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(whole.GetSliceToRAS()), before[1])


def test_nothing_of_ours_holds_up_the_window(host, panel, client, add):
    """By the work of the application's own thread, so that a busy machine does not count."""
    rng = np.random.default_rng(0)
    array = rng.normal(0, 20, (150, 160, 160)).astype(np.int16)
    add("Large", Image(array, np.diag([2.0, 2.0, 2.0, 1.0])))
    slicer.app.layoutManager().viewport_widget.hide()  # drawing is Slicer's, and slower here
    try:
        with host.watching_the_loop() as watch:
            host.click(panel.ui.detectButton)
            client.go()
            host.wait_until(lambda: results(panel) and not panel.ui.progressBar.isVisible())
            host.click(panel.ui.nextButton)
            host.click(panel.ui.confirmButton)
    finally:
        slicer.app.layoutManager().viewport_widget.show()
    print(f"at most {watch.cpu_ms:.0f} ms of work, {watch.wall_ms:.0f} ms by the clock")
    assert watch.cpu_ms < 100
