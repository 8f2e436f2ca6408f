"""What comes out of the panel: cases of a dataset, a command, and a table of errors."""

import numpy as np
import slicer

from landmark_heatmap.dataset.cases import read_cases
from mrml_examples import LANDMARKS


def test_an_export_says_what_it_wrote_and_opens_the_folder(host, panel, result, tmp_path):
    result.move("Tip", (1, 2, 3))
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "dataset")
    panel.ui.annotatorLineEdit.text = "AB"
    host.click(panel.ui.exportButton)
    (case,) = read_cases(tmp_path / "dataset")
    np.testing.assert_allclose(case.annotation.position_lps("Tip"), (-1, -2, 3), atol=1e-4)
    told = panel.ui.exportedLabel.toolTip
    assert case.name in told and str(case.annotation_path.parent) in told
    # That is said once, above the button.
    assert "Partial" in panel.ui.partialLabel.toolTip and "Partial" not in told
    assert "Miller" not in case.name
    host.click(panel.ui.openFolderButton)
    assert host.user.opened == [str(case.annotation_path.parent)]


def test_the_command_that_retrains_is_there_to_copy(host, panel, result, tmp_path):
    panel.ui.datasetPathLineEdit.currentPath = str(tmp_path / "my dataset")
    host.process()
    host.click(panel.ui.copyCommandButton)
    copied = slicer.app.clipboard().text()
    assert copied == panel.ui.retrainTextEdit.plainText
    assert copied.startswith("landmark-train") and "my dataset" in copied


def test_an_export_without_a_folder_asks_for_one(host, panel, result):
    panel.ui.datasetPathLineEdit.currentPath = ""
    host.click(panel.ui.exportButton)
    assert "folder" in panel.ui.exportedLabel.toolTip
    assert host.user.told == []


def test_a_comparison_is_told_and_kept_as_a_table(host, panel, result):
    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Reader")
    for name in LANDMARKS.names[:3]:
        place = result.annotation().position_lps(name) * [-1, -1, 1] + [3.0, 0, 4.0]
        reference.AddControlPointWorld(place, name)
    panel.ui.compareCollapsibleButton.collapsed = False
    panel.ui.referenceSelector.setCurrentNode(reference)
    host.process()
    host.click(panel.ui.compareButton)
    assert "5.00 mm" in panel.ui.comparisonLabel.toolTip
    (table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert table.GetNumberOfRows() >= 3
