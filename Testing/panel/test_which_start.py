"""Which start is better now is asked beside the work, told in a table, and chosen by a click."""

import pytest
from shapes import NAMES, add_shape

from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.registering.start_file import read_start
from landmark_heatmap.registering.trust import Trust
from places import ROOT

STAND_IN = {"command": [ROOT / "Testing" / "support" / "training_stand_in.py"]}


@pytest.fixture
def ask(host, panel, tmp_path, monkeypatch):
    """Asks the cases of a dataset of this name, of so many shapes."""
    section = panel.desk.starts
    section.how = STAND_IN
    section._asking._timer.setInterval(20)
    # The shipped network knows what was annotated.
    known = [each for each in panel.logic.models() if each[1].stem == "synthetic_hip"]
    for _key, _path, description in known:
        landmarks = LandmarkSet(tuple(map(Landmark, NAMES)))
        monkeypatch.setitem(vars(description), "landmarks", landmarks)

    def put(name, cases=2, network="synthetic_hip"):
        for number in range(cases):
            add_shape(tmp_path / name, f"case-{number}", bend=number)
        panel.ui.trainDatasetPathLineEdit.currentPath = str(tmp_path / name)
        panel.ui.deskTabs.setCurrentWidget(panel.ui.trainTab)
        panel.ui.startsCollapsibleButton.collapsed = False
        host.process()
        box = panel.ui.startsModelComboBox
        items = [box.itemData(index) for index in range(box.count)]
        (index,) = [
            i for i, path in enumerate(items) if network in path and bool(path) == bool(network)
        ]
        box.setCurrentIndex(index)
        host.scroll_to(panel.ui.askStartsButton)
        host.click(panel.ui.askStartsButton)
        return tmp_path / name

    def put_and_wait(*words, **options):
        folder = put(*words, **options)
        host.wait_until(lambda: not section.is_busy, seconds=120)
        host.process(20)
        return folder

    put_and_wait.without_waiting = put
    yield put_and_wait
    section.close()


def rows(panel) -> list:
    table = panel.ui.startsTable
    return [
        [table.item(row, column).text() for column in range(table.columnCount)]
        for row in range(table.rowCount)
    ]


def said(panel) -> str:
    return panel.ui.startsInfoLabel.toolTip


def use(host, panel, row=None):
    if row is not None:
        panel.ui.startsTable.selectRow(row)
    host.scroll_to(panel.ui.useStartButton)
    host.click(panel.ui.useStartButton)


def test_the_three_ways_are_told_and_the_best_one_is_chosen(host, panel, ask):
    folder = ask("data")
    assert rows(panel) == [
        ["the cases, registered", "3.00 mm", "1.50 mm", "20 s"],
        ["the network", "4.00 mm", "1.50 mm", "20 s"],
        ["both together", "2.00 mm", "1.50 mm", "20 s"],
    ]
    assert "It cannot be told yet." in said(panel)
    assert panel.ui.startsTable.currentRow() == 2
    use(host, panel)
    path = folder.parent / "data-both.start.json"
    start = read_start(path)
    assert (start.model, start.dataset) == ("synthetic_hip", folder)
    # As far as it was measured on these cases.
    assert start.trust == Trust(1.5, 0.8, 12, network_apart=True)
    assert panel.desk.state.node.model == str(path)
    assert "2 cases" in panel.ui.modelComboBox.currentText
    # The same once more is the same file, and what is somebody else's stays.
    use(host, panel)
    assert [each.name for each in folder.parent.glob("*.start.json")] == [path.name]


def test_a_file_of_that_name_that_is_another_stays(host, panel, ask, tmp_path):
    (tmp_path / "data-both.start.json").write_text("mine", encoding="utf-8")
    ask("data")
    use(host, panel)
    assert (tmp_path / "data-both.start.json").read_text(encoding="utf-8") == "mine"
    assert panel.desk.state.node.model == str(tmp_path / "data-both-2.start.json")


def test_the_cases_or_the_network_alone_are_chosen_as_well(host, panel, ask):
    folder = ask("data")
    use(host, panel, row=0)
    assert panel.desk.state.node.model == str(folder)
    use(host, panel, row=1)
    assert panel.desk.state.node.model.endswith("synthetic_hip.safetensors")


def test_without_a_network_the_cases_speak_for_themselves(host, panel, ask):
    ask("data", network="")
    assert [row[0] for row in rows(panel)] == ["the cases, registered"]
    assert "When a network has been trained, ask again" in said(panel)


def test_one_case_needs_another_and_offers_nothing(host, panel, ask):
    ask("data", cases=1)
    assert rows(panel) == [] and said(panel) == "Annotate a second one."
    assert not panel.ui.useStartButton.enabled


def test_why_nothing_can_be_said_is_told(host, panel, ask):
    ask("bad")
    assert "No case can be read." in said(panel) and rows(panel) == []
    panel.ui.trainDatasetPathLineEdit.currentPath = ""
    host.click(panel.ui.askStartsButton)
    assert "Choose a dataset that was exported to" in said(panel)


def test_it_is_cancelled_by_the_same_button_and_by_another_dataset(host, panel, ask, tmp_path):
    ask.without_waiting("slow")
    assert panel.desk.starts.is_busy and panel.ui.askStartsButton.text == "Cancel"
    host.click(panel.ui.askStartsButton)
    assert not panel.desk.starts.is_busy and said(panel) == "It was cancelled."
    host.click(panel.ui.askStartsButton)
    assert panel.desk.starts.is_busy
    panel.ui.trainDatasetPathLineEdit.currentPath = str(tmp_path)
    assert not panel.desk.starts.is_busy


def test_an_answer_is_of_the_dataset_that_was_asked_of(host, panel, ask, tmp_path):
    ask("data")
    panel.ui.trainDatasetPathLineEdit.currentPath = str(tmp_path)
    host.process()
    assert rows(panel) == [] and not panel.ui.useStartButton.enabled
