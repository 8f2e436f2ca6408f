"""A landmark is dragged: what would follow is seen, taken or left by key, undone, and by itself."""

import numpy as np
import pytest
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.dataset.record import Review
from landmark_heatmap.worker.client import Failed, WorkerClient
from LandmarkHeatmapLib.result import markups
from mrml_examples import LANDMARKS, RAS
from places import ROOT

NAMES = list(LANDMARKS.names)
SIGN, NAME, SURE = range(3)
WORKER = ROOT / "Testing" / "support" / "worker_stand_in.py"
MOVES = {"Head_L": (0.0, 12.0, 0.0), "Head_R": (0.0, 5.0, 0.0)}


def view():
    return slicer.app.layoutManager().sliceWidget("Red")


def positions(result):
    return markups.world_positions(result.markups_node)


def detect(host, panel, volume):
    host.click(panel.ui.detectButton)
    host.wait_until(lambda: panel.logic.results(volume))
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())
    host.process(50)
    return panel.logic.results(volume)[-1]


@pytest.fixture
def detected(host, panel, client, add):
    """A result that the worker has just detected, with the tip under review."""
    client.moves = dict(MOVES)
    volume = add()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    result = detect(host, panel, volume)
    panel.review.session.select("Tip")
    host.process(50)
    return result


def drag(host, result, name="Tip", by=(30, -20)):
    start = view().position_of(positions(result)[result.landmarks.index(name)])
    host.drag(view(), start, start + host.point(*by))
    host.process(80)


def press(host, key):
    host.press(key, view())
    host.process(20)


def drag_of_which_nothing_is_asked(host, panel, client, result):
    panel.review.session.select("Tip")
    host.process(50)
    drag(host, result)
    assert result.review("Tip") is Review.CORRECTED
    assert client.questions == []
    assert not panel.ui.proposalWidget.isVisible()


def sign(panel, name) -> str:
    return panel.ui.reviewTable.item(NAMES.index(name), SIGN).text()


def proposed(panel) -> str:
    return panel.ui.proposalLabel.toolTip


def test_a_drag_shows_what_would_follow_and_one_key_takes_it(host, panel, client, detected):
    assert panel.ui.proposalWidget.isVisible()
    assert not panel.ui.followButton.enabled
    before = positions(detected)
    drag(host, detected)
    ((given, new, absent),) = client.questions
    assert (list(given), new, absent) == (["Tip"], ["Tip"], [])
    np.testing.assert_allclose(given["Tip"], detected.positions_lps()[2], atol=1e-6)
    assert proposed(panel) == "2 landmarks would follow: Head_L 12 mm, Head_R 5.0 mm."
    assert [sign(panel, name) for name in NAMES[:3]] == ["→", "→", "✎"]
    assert "12 mm" in panel.ui.reviewTable.item(0, SIGN).toolTip()
    np.testing.assert_array_equal(positions(detected)[:2], before[:2])
    dragged = positions(detected)

    press(host, Qt.Key_Y)

    moved = positions(detected) - dragged
    np.testing.assert_allclose(moved[0], np.array(MOVES["Head_L"]) * RAS, atol=1e-6)
    np.testing.assert_allclose(moved[1], np.array(MOVES["Head_R"]) * RAS, atol=1e-6)
    np.testing.assert_array_equal(moved[2], 0)
    assert detected.review("Head_L") is Review.UNTOUCHED
    assert sign(panel, "Head_L") == "○"
    assert "followed Tip" in panel.ui.reviewTable.item(0, SIGN).toolTip()
    assert "followed Tip" in panel.ui.reviewTable.item(0, SURE).toolTip()
    assert "1 of 4" in panel.ui.reviewProgressLabel.text
    assert not panel.ui.followButton.enabled

    press(host, Qt.Key_Z)
    np.testing.assert_array_equal(positions(detected), dragged)
    press(host, Qt.Key_Z)
    np.testing.assert_array_equal(positions(detected), before)
    # Of what was taken back nothing is asked.
    assert len(client.questions) == 1


def test_one_key_leaves_them(host, panel, client, detected):
    drag(host, detected)
    before = positions(detected)
    press(host, Qt.Key_O)
    assert not panel.ui.followButton.enabled
    assert sign(panel, "Head_L") == "○"
    press(host, Qt.Key_Y)
    np.testing.assert_array_equal(positions(detected), before)


def test_one_is_taken_from_its_row(host, panel, client, detected):
    drag(host, detected)
    before = positions(detected)
    table = panel.ui.reviewTable
    panel.ui.deskTabs.setCurrentWidget(panel.ui.reviewTab)
    host.process()
    assert not panel.ui.followOneButton.enabled  # the tip is a person's
    host.click_at(table.viewport(), table.visualItemRect(table.item(1, NAME)).center())
    host.click(panel.ui.followOneButton)
    host.process(20)
    np.testing.assert_array_equal(positions(detected)[0], before[0])
    assert np.linalg.norm(positions(detected)[1] - before[1]) == pytest.approx(5)
    assert proposed(panel) == "1 landmark would follow: Head_L 12 mm."


def test_by_itself_if_the_user_wants_it_so_also_the_next_time(host, panel, client, detected):
    host.click(panel.ui.followCheckBox)
    before = positions(detected)
    drag(host, detected)
    np.testing.assert_allclose(
        positions(detected)[0] - before[0], np.array(MOVES["Head_L"]) * RAS, atol=1e-6
    )
    assert "followed: Head_L 12 mm" in panel.ui.statusLabel.toolTip
    assert not panel.ui.followButton.enabled
    dragged = positions(detected)[2]
    press(host, Qt.Key_Z)
    host.process(50)
    np.testing.assert_array_equal(positions(detected)[:2], before[:2])
    np.testing.assert_array_equal(positions(detected)[2], dragged)
    assert panel.desk.state.follows_by_itself
    host.click(panel.ui.followCheckBox)
    assert not panel.desk.state.follows_by_itself


def test_what_a_person_has_judged_never_follows(host, panel, client, detected):
    panel.review.session.confirm(["Head_L"])
    drag(host, detected)
    assert proposed(panel) == "1 landmark would follow: Head_R 5.0 mm."
    given = client.questions[-1][0]
    assert set(given) == {"Head_L", "Tip"}


def test_an_answer_that_comes_too_late_is_dropped(host, panel, client, detected):
    client.waits = True
    drag(host, detected)
    press(host, Qt.Key_Z)
    client.go()
    host.process(80)
    assert not panel.ui.followButton.enabled
    assert [sign(panel, name) for name in NAMES[:3]] == ["○"] * 3


def test_detect_while_an_answer_is_waited_for_detects(host, panel, client, detected):
    client.waits = True
    drag(host, detected)
    client.go()
    volume = detected.volume_node
    client.waits = True
    drag(host, detected, by=(10, 10))
    host.click(panel.ui.detectButton)
    client.go()
    host.wait_until(lambda: len(panel.logic.results(volume)) == 2)
    host.wait_until(lambda: not panel.ui.progressBar.isVisible())


def test_without_a_worker_that_has_the_image_nothing_is_asked_nor_told(host, panel, client, result):
    drag_of_which_nothing_is_asked(host, panel, client, result)
    press(host, Qt.Key_Y)


def test_after_another_image_was_detected_nothing_is_asked_of_the_first(
    host, panel, client, detected, add
):
    detect(host, panel, add("Other"))
    panel.ui.inputVolumeSelector.setCurrentNode(detected.volume_node)
    slicer.util.setSliceViewerLayers(background=detected.volume_node, fit=True)
    drag_of_which_nothing_is_asked(host, panel, client, detected)


def test_a_worker_that_fails_or_is_gone_costs_nothing_but_the_proposal(
    host, panel, client, detected, monkeypatch
):
    def fail(*_args):
        client._events = [Failed("The network broke.", "details")]

    monkeypatch.setattr(client, "propose", fail)
    drag(host, detected)
    assert not panel.ui.followButton.enabled
    client.can_propose = False
    drag(host, detected, by=(10, 10))
    assert host.user.told == []
    assert "broke" not in panel.ui.statusLabel.toolTip


def test_the_scene_may_be_closed_while_something_is_proposed(host, panel, client, detected):
    drag(host, detected)
    slicer.mrmlScene.Clear(False)
    host.process(50)
    assert not panel.ui.proposalWidget.isVisible()
    assert not panel.ui.followButton.enabled


def test_a_real_worker_process_is_asked_and_answers(host, panel, add):
    """Its network is a stand-in; process, pipe and files are real."""
    panel.detection.queue.client = WorkerClient(server=WORKER)
    volume = add()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    result = detect(host, panel, volume)
    left, right = result.landmarks.names
    before = result.positions_lps()
    panel.review.session.select(left)
    host.process(20)
    result.move(left, positions(result)[0] + [0, 0, 8])
    host.wait_until(lambda: panel.ui.followButton.enabled)
    assert proposed(panel) == f"1 landmark would follow: {right} 3.0 mm."
    press(host, Qt.Key_Y)
    np.testing.assert_allclose(result.positions_lps()[1] - before[1], [3, 0, 0], atol=1e-6)
    panel.detection.queue.client.close()
