"""The list of cases with mouse and keys: open, export and next; what others do meanwhile."""

import os
import threading
import time

import numpy as np
import pytest
import slicer
from PySide6.QtCore import Qt

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worklist.entries import CaseState, Worklist
from landmark_heatmap.worklist.foreseen import keep_foreseen
from landmark_heatmap.worklist.locks import STALE_AFTER_S, CaseLock
from landmark_heatmap.worklist.remarks import set_remark
from LandmarkHeatmapLib.case_at_work import open_case
from LandmarkHeatmapLib.export import CaseExport, export_case
from mrml_examples import LANDMARKS, make_image
from panel_stand_ins import ScriptedClient

TITLE, STATE, BY = range(3)


@pytest.fixture
def images(tmp_path):
    """Three images, all different."""
    (tmp_path / "scans").mkdir()
    image = make_image()
    for number, name in enumerate("abc"):
        write_image(
            tmp_path / "scans" / f"{name}.nrrd", Image(image.array + number, image.ijk_to_lps)
        )
    return tmp_path / "scans"


@pytest.fixture
def dataset(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def cases(host, panel, images, dataset, monkeypatch):
    """The section, with the images listed, and AB at work."""
    # The stand-in for the worker finds these, whatever the model; one that is as large as the images.
    known = [each for each in panel.logic.models() if each[1].stem == "synthetic_hip"]
    for _key, _path, description in known:
        monkeypatch.setitem(vars(description), "landmarks", LANDMARKS)
    panel.logic.models = lambda: known
    panel.desk.worklist.at_work.ahead.queue.client = ScriptedClient()
    panel.ui.annotatorLineEdit.text = "AB"
    panel.ui.casesFolderPathLineEdit.currentPath = str(images)
    panel.ui.casesDatasetPathLineEdit.currentPath = str(dataset)
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    host.click(panel.ui.casesRefreshButton)
    return panel.desk.worklist


def column(panel, number) -> list:
    table = panel.ui.casesTable
    return [table.item(row, number).text() for row in range(table.rowCount)]


def choose(host, panel, title):
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    panel.ui.casesTable.setCurrentCell(column(panel, TITLE).index(title), 0)
    host.process()


def open_case_of(host, panel, title):
    choose(host, panel, title)
    host.click(panel.ui.openCaseButton)
    wait_for_result(host, panel)


def wait_for_result(host, panel):
    host.wait_until(lambda: panel.desk.state.result() is not None)
    host.wait_until(lambda: not panel.detection.queue.is_busy)
    host.process(20)
    return panel.desk.state.result()


def judge_all(result):
    for name in LANDMARKS.names:
        result.confirm(name)


def press_next(host, panel):
    host.press(Qt.Key_Return, panel.ui.reviewTable, modifiers=Qt.ControlModifier)
    wait_for_export(host, panel)


def wait_for_export(host, panel):
    host.wait_until(lambda: not panel.desk.worklist.at_work.is_exporting)
    host.process(20)


def entry(images, dataset, title):
    return next(each for each in Worklist(dataset, images).entries() if each.title == title)


def export_elsewhere(images, dataset, title, annotator="CD"):
    """As somebody does on another computer."""
    worklist = Worklist(dataset, images)
    found = next(each for each in worklist.entries() if each.title == title)
    lock = CaseLock.take(dataset, found.case, annotator)
    scene = slicer.vtkMRMLScene()
    work = open_case(scene, worklist, lock, make_image())
    from LandmarkHeatmapLib.review.by_hand import begin_by_hand

    result = begin_by_hand(work.volume_node, LANDMARKS)
    for name in LANDMARKS.names:
        result.move(name, (-20, -20, 20))
    export_case(result, dataset, annotator=annotator)
    lock.release()


def test_a_folder_of_images_becomes_a_list_that_both_folders_are_remembered_for(
    host, panel, cases, images, dataset
):
    assert column(panel, TITLE) == ["a", "b", "c"]
    assert column(panel, STATE) == ["new"] * 3
    assert "0 of 3 done" in panel.ui.casesCountLabel.toolTip
    assert panel.ui.datasetPathLineEdit.currentPath == str(dataset)
    host.close_modules()
    again = host.open()
    assert again.ui.casesFolderPathLineEdit.currentPath == str(images)
    assert again.ui.casesDatasetPathLineEdit.currentPath == str(dataset)


def test_three_cases_are_done_with_one_key_each(host, panel, cases, images, dataset):
    open_case_of(host, panel, "a")
    assert panel.ui.deskTabs.currentWidget() is panel.ui.reviewTab
    for title in "abc":
        result = wait_for_result(host, panel)
        assert result.volume_node.GetName() == title
        assert entry(images, dataset, title).state is CaseState.IN_REVIEW
        judge_all(result)
        press_next(host, panel)
    found = read_cases(dataset)
    assert len(found) == 3 and all(case.name.startswith("case-") for case in found)
    assert {e.state for e in Worklist(dataset, images).entries()} == {CaseState.DONE}
    assert {e.annotator for e in Worklist(dataset, images).entries()} == {"AB"}
    assert "No case is left" in panel.ui.statusLabel.toolTip
    assert "3 of 3 done" in panel.ui.caseLabel.toolTip
    # Each made room for the next.
    assert [v.GetName() for v in panel.logic.inputVolumes(slicer.mrmlScene)] == ["c"]
    assert host.user.told == []


def test_a_double_click_opens_a_case(host, panel, cases):
    table = panel.ui.casesTable
    table.cellDoubleClicked.emit(1, 0)
    assert wait_for_result(host, panel).volume_node.GetName() == "b"
    assert column(panel, STATE) == ["comes next", "open here", "new"]
    assert column(panel, BY) == ["AB", "AB", ""]


def test_without_a_model_the_datasets_own_landmarks_are_placed_by_hand(host, panel, cases, dataset):
    create_dataset(dataset, LANDMARKS)
    panel.parameterNode.model = ""
    open_case_of(host, panel, "a")
    result = panel.desk.state.result()
    assert result.model is None and result.waiting() == list(LANDMARKS.names)
    assert panel.review.session.is_annotating
    panel.review.give_up()


def test_a_done_case_is_opened_with_its_last_revision_and_exported_as_a_further_one(
    host, panel, cases, images, dataset
):
    export_elsewhere(images, dataset, "b")
    open_case_of(host, panel, "b")
    result = panel.desk.state.result()
    assert set(result.reviews().values()) == {Review.CORRECTED}
    result.move("Tip", (-30, -30, 30))
    press_next(host, panel)
    found = entry(images, dataset, "b")
    assert (found.revision, found.annotator) == (2, "AB")
    (case,) = read_cases(dataset)
    np.testing.assert_allclose(case.annotation.position_lps("Tip"), (30, 30, 30), atol=1e-3)


def test_after_a_case_that_was_done_before_one_is_back_where_one_was(
    host, panel, cases, images, dataset
):
    open_case_of(host, panel, "a")
    judge_all(panel.desk.state.result())
    press_next(host, panel)
    before = wait_for_result(host, panel)
    before.confirm("Tip")
    open_case_of(host, panel, "a")
    panel.desk.state.result().move("Tip", (-20, -20, 20))
    press_next(host, panel)
    assert entry(images, dataset, "a").revision == 2
    assert panel.desk.state.result().node is before.node and cases.at_work.current.title == "b"
    assert "Back in 'b'" in panel.ui.statusLabel.toolTip
    # From there the list goes on as ever.
    judge_all(before)
    press_next(host, panel)
    assert cases.at_work.current.title == "c"


def test_also_where_nothing_was_done_yet_and_nothing_had_to_be_revised(host, panel, cases):
    open_case_of(host, panel, "a")
    judge_all(panel.desk.state.result())
    press_next(host, panel)
    before = wait_for_result(host, panel)
    open_case_of(host, panel, "a")
    assert cases.at_work.hand.get(cases.at_work.current.case) is not None
    press_next(host, panel)
    assert panel.desk.state.result().node is before.node
    assert len(cases.at_work.hand.cases - {cases.at_work.ahead.case}) == 1


def test_a_new_case_that_is_opened_out_of_turn_is_where_one_is_from_then_on(host, panel, cases):
    open_case_of(host, panel, "a")
    judge_all(panel.desk.state.result())
    press_next(host, panel)
    wait_for_result(host, panel)
    open_case_of(host, panel, "a")
    open_case_of(host, panel, "c")
    assert {work.title for work in map(cases.at_work.hand.get, cases.at_work.hand.cases)} == {"c"}
    press_next(host, panel)
    assert cases.at_work.current.title == "c"
    assert "No case is left" in panel.ui.statusLabel.toolTip


def test_a_case_in_which_nothing_was_judged_is_passed_over_and_free_again(
    host, panel, cases, images, dataset
):
    open_case_of(host, panel, "a")
    press_next(host, panel)
    assert wait_for_result(host, panel).volume_node.GetName() == "b"
    assert read_cases(dataset) == [] if dataset.joinpath("dataset.json").exists() else True
    assert entry(images, dataset, "a").state is CaseState.DETECTED
    assert entry(images, dataset, "a").is_free


def test_a_case_of_somebody_else_is_refused_with_who_has_it(host, panel, cases, images, dataset):
    CaseLock.take(dataset, entry(images, dataset, "a").case, "CD")
    choose(host, panel, "a")
    host.click(panel.ui.openCaseButton)
    assert "CD on" in panel.ui.statusLabel.toolTip and "in work" in panel.ui.statusLabel.toolTip
    assert column(panel, STATE)[0] == "in review"
    # Next passes it over.
    host.click(panel.ui.nextCaseButton)
    assert wait_for_result(host, panel).volume_node.GetName() == "b"


def test_a_case_that_was_left_is_taken_over_only_if_the_user_says_so(
    host, panel, cases, images, dataset
):
    lock = CaseLock.take(dataset, entry(images, dataset, "a").case, "CD")
    then = time.time() - STALE_AFTER_S - 60
    os.utime(lock.path, (then, then))
    host.click(panel.ui.casesRefreshButton)
    assert column(panel, STATE)[0] == "left in review"
    choose(host, panel, "a")
    host.click(panel.ui.openCaseButton)
    assert "CD on" in host.user.told[-1] and lock.is_held
    host.user.agrees = True
    open_case_of(host, panel, "a")
    assert not lock.is_held
    assert panel.desk.state.result().volume_node.GetName() == "a"


def test_what_somebody_finished_meanwhile_is_told_and_nothing_is_written_unasked(
    host, panel, cases, images, dataset
):
    open_case_of(host, panel, "a")
    judge_all(panel.desk.state.result())
    lock = panel.desk.worklist.at_work.current.lock
    then = time.time() - STALE_AFTER_S - 60
    os.utime(lock.path, (then, then))
    other = CaseLock.take(dataset, lock.case, "CD", take_over=True)
    other.release()
    export_elsewhere(images, dataset, "a")
    press_next(host, panel)
    assert "CD has exported" in host.user.told[-1]
    assert entry(images, dataset, "a").revision == 1
    assert panel.desk.state.result().volume_node.GetName() == "a"
    host.user.agrees = True
    press_next(host, panel)
    assert entry(images, dataset, "a").revision == 2
    assert wait_for_result(host, panel).volume_node.GetName() == "b"


def test_what_was_begun_stays_open_when_another_case_is_opened(host, panel, cases):
    open_case_of(host, panel, "a")
    panel.desk.state.result().confirm("Tip")
    open_case_of(host, panel, "b")
    host.wait_until(lambda: panel.desk.state.result().volume_node.GetName() == "b")
    assert column(panel, STATE)[:2] == ["open here", "open here"]
    open_case_of(host, panel, "a")
    assert panel.desk.state.result().review("Tip") is Review.CONFIRMED
    # The other one, in which nothing was done, made room.
    assert column(panel, STATE)[1] == "detected"


def test_what_was_put_back_is_offered_when_it_is_opened_again(host, panel, cases):
    open_case_of(host, panel, "a")
    panel.desk.state.result().confirm("Tip")
    host.process(20)
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    host.click(panel.ui.putBackButton)
    host.process(20)
    assert panel.logic.inputVolumes(slicer.mrmlScene) == []
    assert column(panel, STATE)[0] == "detected"
    open_case_of(host, panel, "a")
    host.click(panel.ui.restoreReviewButton)
    host.process(20)
    assert panel.desk.state.result().review("Tip") is Review.CONFIRMED


def test_a_remark_is_set_and_taken_back(host, panel, cases, images, dataset):
    choose(host, panel, "c")
    panel.ui.remarkLineEdit.text = "Blurred"
    host.click(panel.ui.remarkButton)
    assert column(panel, STATE)[2] == "needs another look"
    assert "Blurred" in panel.ui.caseInfoLabel.toolTip
    assert entry(images, dataset, "c").annotator == "AB"
    host.click(panel.ui.remarkButton)
    assert column(panel, STATE)[2] == "new"


def test_a_case_can_be_opened_when_its_remark_is_all_that_there_is(host, panel, cases, dataset):
    for case in cases.at_work.worklist.entries():
        set_remark(dataset, case.case, "Look")
    host.click(panel.ui.nextCaseButton)
    assert wait_for_result(host, panel).volume_node.GetName() == "a"


def test_a_closed_scene_or_panel_lets_go_of_all_cases(host, panel, cases, images, dataset):
    open_case_of(host, panel, "a")
    assert not entry(images, dataset, "a").is_free
    slicer.mrmlScene.Clear(False)
    host.process(20)
    assert entry(images, dataset, "a").is_free
    open_case_of(host, panel, "a")
    host.close_modules()
    assert entry(images, dataset, "a").is_free


def test_a_damaged_image_is_told_and_its_case_stays_free(host, panel, cases, images, dataset):
    (images / "d.nrrd").write_bytes(b"NRRD0004\n\n")
    host.click(panel.ui.casesRefreshButton)
    choose(host, panel, "d")
    host.click(panel.ui.openCaseButton)
    assert "was not opened" in panel.ui.statusLabel.toolTip
    assert entry(images, dataset, "d").is_free


def test_folders_that_are_not_there_are_told(host, panel, tmp_path):
    panel.ui.casesFolderPathLineEdit.currentPath = str(tmp_path / "gone")
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    host.click(panel.ui.casesRefreshButton)
    assert "Choose a dataset folder" in panel.ui.statusLabel.toolTip
    panel.ui.casesDatasetPathLineEdit.currentPath = str(tmp_path / "data")
    host.click(panel.ui.casesRefreshButton)
    assert "no image below" in panel.ui.statusLabel.toolTip
    assert panel.ui.casesTable.rowCount == 0 and not panel.ui.caseWidget.isVisible()


def upcoming(host, panel):
    """The CaseAtWork that comes next, once it is ready."""
    ahead = panel.desk.worklist.at_work.ahead
    host.wait_until(lambda: ahead.work is not None and not ahead.is_busy)
    return ahead.work


def test_the_next_case_is_read_and_detected_while_this_one_is_under_review(
    host, panel, cases, images, dataset
):
    open_case_of(host, panel, "a")
    work = upcoming(host, panel)
    assert work.title == "b" and entry(images, dataset, "b").state is CaseState.IN_REVIEW
    (found,) = panel.logic.results(work.volume_node)
    # It is in nobody's way until it is its turn.
    assert [v.GetName() for v in panel.logic.inputVolumes(slicer.mrmlScene)] == ["a"]
    assert panel.desk.state.result().volume_node.GetName() == "a"
    assert not found.markups_node.GetDisplayNode().GetVisibility()
    judge_all(panel.desk.state.result())
    asked = len(panel.detection.queue.client.asked)
    host.click(panel.ui.nextCaseButton)
    # At once, and nothing was asked again.
    assert panel.desk.state.result().node is found.node
    assert found.markups_node.GetDisplayNode().GetVisibility()
    assert panel.ui.reviewTable.rowCount == len(LANDMARKS)
    assert len(panel.detection.queue.client.asked) == asked == 1
    assert upcoming(host, panel).title == "c"


def test_the_worker_that_looked_ahead_is_asked_what_else_would_move(host, panel, cases):
    open_case_of(host, panel, "a")
    work, ahead = upcoming(host, panel), panel.desk.worklist.at_work.ahead
    looked = ahead.queue.client
    judge_all(panel.desk.state.result())
    host.click(panel.ui.nextCaseButton)
    assert panel.detection.queue.client is looked
    (result,) = panel.logic.results(work.volume_node)
    assert panel.detection.questions.can_ask(result)


def test_who_is_faster_than_the_model_sees_the_image_and_then_its_landmarks(host, panel, cases):
    ahead = panel.desk.worklist.at_work.ahead
    ahead.queue.client.waits = True
    open_case_of(host, panel, "a")
    host.wait_until(lambda: ahead.work is not None)
    judge_all(panel.desk.state.result())
    host.click(panel.ui.nextCaseButton)
    assert panel.parameterNode.inputVolume.GetName() == "b"
    assert panel.desk.state.result() is None
    assert "Detecting" in panel.ui.statusLabel.toolTip
    ahead.queue.client.go()
    assert wait_for_result(host, panel).volume_node.GetName() == "b"
    assert "4 landmarks detected in 'b'" in panel.ui.statusLabel.toolTip
    assert len(panel.logic.results(panel.parameterNode.inputVolume)) == 1


def test_a_next_case_that_somebody_takes_out_of_the_scene_is_made_ready_anew(host, panel, cases):
    open_case_of(host, panel, "a")
    host.wait_until(lambda: cases.at_work.ahead.work is not None)
    # Also while the model still looks at it.
    slicer.mrmlScene.RemoveNode(cases.at_work.ahead.work.volume_node)
    press_next(host, panel)
    assert wait_for_result(host, panel).volume_node.GetName() == "b"


def test_a_next_case_that_cannot_be_read_is_told_and_the_one_after_it_made_ready(
    host, panel, cases, images, dataset
):
    (images / "aa.nrrd").write_bytes(b"NRRD0004\n\n")
    host.click(panel.ui.casesRefreshButton)
    open_case_of(host, panel, "a")
    assert upcoming(host, panel).title == "b"
    assert entry(images, dataset, "aa").is_free


def test_another_order_makes_another_case_ready(host, panel, cases, images, dataset):
    open_case_of(host, panel, "a")
    upcoming(host, panel)
    doubts = [Doubt(9.0) for _name in LANDMARKS.names]
    model = panel.desk.state.result().model
    case = entry(images, dataset, "c").case
    keep_foreseen(dataset, case, LANDMARKS.names, doubts, "mm", model)
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    panel.ui.casesOrderComboBox.setCurrentIndex(1)
    host.wait_until(lambda: panel.desk.worklist.at_work.ahead.case == case)
    assert entry(images, dataset, "b").is_free
    assert upcoming(host, panel).title == "c"


def test_a_closed_scene_lets_go_of_the_next_case_too(host, panel, cases, images, dataset):
    open_case_of(host, panel, "a")
    upcoming(host, panel)
    slicer.mrmlScene.Clear(False)
    host.process(50)
    assert all(each.is_free for each in Worklist(dataset, images).entries())


def test_the_next_case_does_not_wait_for_the_disk(host, panel, cases, images, dataset, monkeypatch):
    may_write, write = threading.Event(), CaseExport.write
    monkeypatch.setattr(CaseExport, "write", lambda self: may_write.wait(10) and write(self))
    open_case_of(host, panel, "a")
    upcoming(host, panel)
    judge_all(panel.desk.state.result())
    host.click(panel.ui.nextCaseButton)
    assert panel.desk.state.result().volume_node.GetName() == "b"
    assert entry(images, dataset, "a").state is CaseState.IN_REVIEW
    may_write.set()
    wait_for_export(host, panel)
    assert entry(images, dataset, "a").state is CaseState.DONE
    assert entry(images, dataset, "a").is_free
    assert [v.GetName() for v in panel.logic.inputVolumes(slicer.mrmlScene)] == ["b"]


def test_an_export_that_fails_after_all_is_told_and_its_case_stays_open(
    host, panel, cases, images, dataset, monkeypatch
):
    def fail(self):
        raise DatasetError("The disk is full.")

    open_case_of(host, panel, "a")
    upcoming(host, panel)
    judge_all(panel.desk.state.result())
    with monkeypatch.context() as patch:
        patch.setattr(CaseExport, "write", fail)
        press_next(host, panel)
    assert panel.desk.state.result().volume_node.GetName() == "b"
    assert "The export of 'a' failed. The disk is full." in panel.ui.statusLabel.toolTip
    assert column(panel, STATE)[0] == "open here"
    open_case_of(host, panel, "a")
    assert set(panel.desk.state.result().reviews().values()) == {Review.CONFIRMED}
    press_next(host, panel)
    assert entry(images, dataset, "a").state is CaseState.DONE


def test_a_scene_that_is_closed_while_a_case_is_written_loses_nothing(
    host, panel, cases, images, dataset, monkeypatch
):
    write = CaseExport.write
    monkeypatch.setattr(CaseExport, "write", lambda self: time.sleep(0.3) or write(self))
    open_case_of(host, panel, "a")
    upcoming(host, panel)
    judge_all(panel.desk.state.result())
    host.click(panel.ui.nextCaseButton)
    slicer.mrmlScene.Clear(False)
    host.process(20)
    assert entry(images, dataset, "a").state is CaseState.DONE
    assert all(each.is_free for each in Worklist(dataset, images).entries())


def test_another_readers_points_stand_beside_ones_own_and_can_be_taken(
    host, panel, cases, images, dataset
):
    export_elsewhere(images, dataset, "b")
    host.click(panel.ui.casesRefreshButton)
    choose(host, panel, "b")
    panel.ui.readerCollapsibleButton.collapsed = False
    host.click(panel.ui.readAnewButton)
    result = wait_for_result(host, panel)
    assert set(result.reviews().values()) == {Review.UNTOUCHED}
    assert panel.ui.readerComboBox.currentText.startswith("CD, ")
    # All of theirs are at one place, and one's own last one is absent.
    table = panel.ui.readerTable
    shown = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount)}
    assert shown["Gone"] == "one of you has it" and table.item(0, 0).text() == "Gone"
    theirs = np.array([20, 20, 20])
    apart = np.linalg.norm(result.annotation().position_lps("Tip") - theirs)
    assert float(shown["Tip"].split()[0]) == pytest.approx(apart, rel=0.01)
    before = result.annotation().position_lps("Head_L")

    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    for name, button in (("Tip", "takeTheirsButton"), ("Head_L", "takeMeanButton")):
        names = [table.item(row, 0).text() for row in range(table.rowCount)]
        table.clearSelection()
        table.selectRow(names.index(name))
        host.click(getattr(panel.ui, button))
    place = result.annotation().position_lps
    np.testing.assert_allclose(place("Tip"), theirs, atol=1e-4)
    np.testing.assert_allclose(place("Head_L"), (before + theirs) / 2, atol=1e-4)
    assert result.review("Tip") is result.review("Head_L") is Review.CORRECTED
    panel.review.session.undo()
    np.testing.assert_allclose(result.annotation().position_lps("Head_L"), before, atol=1e-4)
    press_next(host, panel)
    assert entry(images, dataset, "b").revision == 2
    # Nothing of the other reader is left in the scene.
    assert slicer.util.getNodes("*second reader*") == {}
