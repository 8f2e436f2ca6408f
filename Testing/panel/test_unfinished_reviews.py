"""What was reviewed and neither exported nor saved is offered where its image is there again."""

import slicer
from PySide6.QtCore import Qt

from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_image, make_prediction


def kept(panel):
    """The journals on the disk."""
    return sorted(panel.desk.journal.journals.folder.glob("*"))


def load_again(host):
    volume = add_volume(slicer.mrmlScene, make_image(), "Again")
    host.process(20)
    return volume


def lose(host):
    """The scene and the panel go, and nobody was asked."""
    slicer.mrmlScene.Clear(False)
    host.process()
    host.close_modules()
    return host.open()


def is_offered(panel):
    ui = panel.ui
    return ui.unfinishedWidget.isVisible() and ui.restoreReviewButton.isVisible()


def test_an_unfinished_review_is_offered_for_its_image_and_restored_as_one_step(
    host, panel, result
):
    host.press(Qt.Key_C)
    host.press(Qt.Key_A)
    again = lose(host)
    assert not is_offered(again)
    volume = load_again(host)
    assert is_offered(again)
    assert "2 of 4 judged" in again.ui.unfinishedLabel.toolTip
    assert "2 of 4 judged" in again.ui.statusLabel.toolTip
    host.click(again.ui.restoreReviewButton)
    host.process(20)
    assert again.ui.deskTabs.currentWidget() is again.ui.reviewTab
    assert "2 of 4" in again.ui.reviewProgressLabel.text
    assert DetectionResult.for_volume(volume).node is again.parameterNode.result
    assert not again.ui.unfinishedWidget.isVisible()
    assert "restored" in again.ui.statusLabel.toolTip
    host.click(again.ui.undoButton)
    assert "0 of 4" in again.ui.reviewProgressLabel.text


def test_a_result_that_is_under_review_already_takes_the_review_up(host, panel, result):
    host.press(Qt.Key_C)
    again = lose(host)
    image = make_image()
    volume = add_volume(slicer.mrmlScene, image, "Again")
    there = DetectionResult.publish(volume, make_prediction(image))
    host.process(20)
    assert "0 of 4" in again.ui.reviewProgressLabel.text
    host.click(again.ui.restoreReviewButton)
    assert again.parameterNode.result is there.node
    assert "1 of 4" in again.ui.reviewProgressLabel.text


def test_what_was_restored_is_kept_again(host, panel, result):
    host.press(Qt.Key_C)
    again = lose(host)
    load_again(host)
    host.click(again.ui.restoreReviewButton)
    assert len(kept(again)) == 1
    again = lose(host)
    load_again(host)
    assert "1 of 4 judged" in again.ui.unfinishedLabel.toolTip


def test_it_is_not_offered_for_another_image_or_where_nothing_was_done(host, panel, result):
    again = lose(host)
    volume = load_again(host)
    assert not is_offered(again)
    DetectionResult.publish(volume, make_prediction(make_image()))
    host.process(20)
    host.press(Qt.Key_C)
    again = lose(host)
    add_volume(slicer.mrmlScene, make_image(size_ijk=(40, 44, 47)), "Other")
    host.process(20)
    assert not is_offered(again)


def test_discard_asks_and_deletes(host, panel, result):
    host.press(Qt.Key_C)
    again = lose(host)
    load_again(host)
    host.click(again.ui.discardReviewButton)
    assert "Delete" in host.user.told[-1]
    assert is_offered(again) and len(kept(again)) == 1
    host.user.agrees = True
    host.click(again.ui.discardReviewButton)
    assert not is_offered(again) and kept(again) == []


def test_a_journal_that_is_gone_meanwhile_is_said(host, panel, result):
    host.press(Qt.Key_C)
    again = lose(host)
    load_again(host)
    for path in kept(again):
        path.unlink()
    host.click(again.ui.restoreReviewButton)
    assert "removed" in again.ui.statusLabel.toolTip
    assert not is_offered(again)


def test_an_export_needs_no_journal_any_more(host, panel, result, tmp_path):
    host.press(Qt.Key_C)
    assert len(kept(panel)) == 1
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    host.click(panel.ui.exportButton)
    assert kept(panel) == []
    host.press(Qt.Key_C)
    assert len(kept(panel)) == 1


def test_a_saved_scene_needs_no_journal_any_more(host, panel, result, tmp_path):
    host.press(Qt.Key_C)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    # The host's scene is written by another way than the application's, which tells of it.
    slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.EndSaveEvent)
    assert kept(panel) == []


def test_a_scene_that_was_saved_while_another_module_was_open_counts(host, panel, result, tmp_path):
    host.press(Qt.Key_C)
    slicer.util.selectModule("")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.util.selectModule("LandmarkHeatmap")
    assert kept(panel) == []


def test_a_saving_that_nobody_told_of_is_seen_when_the_module_is_left(
    host, panel, result, tmp_path
):
    host.press(Qt.Key_C)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.util.selectModule("")
    assert kept(panel) == []


def test_the_journals_lie_beside_the_users_settings_and_nobody_else_reads_them(host, panel, result):
    host.press(Qt.Key_C)
    (path,) = kept(panel)
    folder = path.parent
    assert str(folder).startswith(str(host.app.slicerUserSettingsFilePath.rpartition("/")[0]))
    assert path.stat().st_mode & 0o077 == 0 == folder.stat().st_mode & 0o077


def test_a_disk_that_refuses_is_told_as_long_as_it_does(host, panel, result):
    folder = panel.desk.journal.journals.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file in its place")
    host.press(Qt.Key_C)
    assert "cannot be written" in panel.ui.unfinishedLabel.toolTip
    assert panel.ui.unfinishedWidget.isVisible() and not panel.ui.restoreReviewButton.isVisible()
    assert "1 of 4" in panel.ui.reviewProgressLabel.text
    folder.unlink()
    host.press(Qt.Key_C)
    assert not panel.ui.unfinishedWidget.isVisible()


def test_a_damaged_time_is_shown_as_it_is_written(host, panel):
    from LandmarkHeatmapPanel.sections.journal import _local_time

    assert _local_time("0001-01-01T00:00:00+23:00") in (
        "0001-01-01T00:00:00+23:00",
        "1-01-01 00:00",
    )
    assert _local_time("2026-01-02T03:04:05+00:00").startswith("2026-01-0")


def test_the_offer_takes_no_room_when_there_is_none_and_leaves_the_rows(host, many, panel):
    table, ui = panel.ui.reviewTable, panel.ui
    assert not ui.unfinishedWidget.isVisible()
    before = table.height
    panel.desk.journal.journals.problem = "The disk refuses. " * 20
    panel.desk.update()
    host.process(20)
    row = table.verticalHeader().defaultSectionSize
    assert ui.unfinishedWidget.isVisible()
    assert before - table.height <= 2 * row
    # All of a review is seen all the same, and ten rows of it.
    assert panel.parent.window().panel_area().verticalScrollBar().maximum == 0
    assert table.viewport().height >= 10 * row
    assert panel.parent.width <= 383
