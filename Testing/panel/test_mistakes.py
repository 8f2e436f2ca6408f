"""Mistakes in a dataset are looked for beside the work, told in a list, and opened in the review."""

import pytest
import slicer

from landmark_heatmap.dataset.cases import read_cases
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worklist.sources import case_name_of
from mrml_examples import make_image
from places import ROOT

STAND_IN = {"command": [ROOT / "Testing" / "support" / "training_stand_in.py"]}


@pytest.fixture
def mistakes(host, panel):
    panel.ui.mistakesCollapsibleButton.collapsed = False
    panel.ui.deskTabs.setCurrentWidget(panel.ui.casesTab)
    section = panel.desk.mistakes
    section.how = STAND_IN
    host.process()
    yield section
    section.close()


def look_for(host, panel, dataset):
    panel.ui.casesDatasetPathLineEdit.currentPath = str(dataset)
    host.scroll_to(panel.ui.findMistakesButton)
    host.click(panel.ui.findMistakesButton)
    host.wait_until(lambda: not panel.desk.mistakes.is_busy)
    host.process(20)


def rows(panel) -> list:
    table = panel.ui.mistakesTable
    return [
        [table.item(row, column).text() for column in range(table.columnCount)]
        for row in range(table.rowCount)
    ]


@pytest.fixture
def dataset(host, panel, result, tmp_path):
    """One exported case, which is not in the scene any more."""
    result.move("Tip", [1, 2, 3])
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "data")
    host.open_tab_of(panel.ui.exportButton)
    host.scroll_to(panel.ui.exportButton)
    host.click(panel.ui.exportButton)
    host.wait_until(lambda: (tmp_path / "data" / "cases").is_dir())
    host.process(50)
    slicer.mrmlScene.Clear(False)
    host.process(50)
    return tmp_path / "data"


def test_what_was_found_is_listed_and_a_double_click_opens_the_case_there(
    host, panel, dataset, mistakes
):
    (case,) = read_cases(dataset)
    look_for(host, panel, dataset)
    assert rows(panel) == [[case.name, "Tip", "12 mm", "off"]]
    assert "No model was asked." in panel.ui.mistakesInfoLabel.toolTip
    panel.ui.mistakesTable.setCurrentCell(0, 0)
    assert panel.ui.mistakesInfoLabel.toolTip == f"In {case.name} the tip is off."
    mistakes._on_opened(0, 0)
    host.wait_until(lambda: panel.desk.state.result() is not None)
    host.process(20)
    assert panel.ui.deskTabs.currentWidget() is panel.ui.reviewTab
    assert panel.review.session.current == "Tip"
    assert panel.desk.worklist.at_work.current.case == case.name


def test_nothing_found_and_nothing_to_look_at_are_told(host, panel, mistakes, tmp_path):
    (tmp_path / "whole").mkdir()
    look_for(host, panel, tmp_path / "whole")
    assert panel.ui.mistakesInfoLabel.toolTip.startswith("Nothing was found in 2 cases.")
    look_for(host, panel, tmp_path / "bad")
    assert "No case can be looked at." in panel.ui.mistakesInfoLabel.toolTip
    assert rows(panel) == []
    look_for(host, panel, "")
    assert "Choose a dataset first." in panel.ui.mistakesInfoLabel.toolTip


def test_a_case_is_called_as_in_the_list_of_cases(host, panel, dataset, mistakes, tmp_path):
    """By its image's name, which the user knows."""
    (tmp_path / "scans").mkdir()
    write_image(tmp_path / "scans" / "Miller.nrrd", make_image())
    (case,) = read_cases(dataset)
    (dataset / "cases" / case.name).rename(
        dataset / "cases" / case_name_of(tmp_path / "scans" / "Miller.nrrd")
    )
    panel.ui.casesFolderPathLineEdit.currentPath = str(tmp_path / "scans")
    panel.ui.casesDatasetPathLineEdit.currentPath = str(dataset)
    host.click(panel.ui.casesRefreshButton)
    look_for(host, panel, dataset)
    assert rows(panel)[0][0] == "Miller"
