"""The host is as strict as Slicer: what fails there fails here, and the other way round."""

from pathlib import Path

import pytest
import slicer

from widget_use import Api

API = Api.read()


@pytest.fixture
def qt(host):
    import qt

    return qt


def test_a_property_is_an_attribute(qt):
    button = qt.QPushButton("Go")
    button.enabled = False
    assert (button.text, button.enabled, button.isEnabled()) == ("Go", False, False)
    with pytest.raises(TypeError, match="not callable"):
        button.text()


@pytest.mark.parametrize("name", ["txt", "enabledd"])
def test_a_wrong_name_is_an_error_in_reading_and_in_setting(qt, name):
    button = qt.QPushButton("Go")
    with pytest.raises(AttributeError):
        getattr(button, name)
    with pytest.raises(AttributeError):
        setattr(button, name, "x")


def test_objects_that_qt_made_are_as_strict(qt):
    with pytest.raises(AttributeError):
        qt.QTableWidget(2, 2).horizontalHeader().strechLastSection = True


def test_a_property_that_is_read_only_cannot_be_set(qt):
    with pytest.raises(AttributeError, match="read only"):
        qt.QComboBox().count = 3


def test_signals_connect_by_their_signature_and_pass_what_it_names(qt):
    heard = []
    button = qt.QPushButton("Go")
    button.connect("clicked(bool)", lambda checked: heard.append(checked))
    button.connect("clicked()", lambda: heard.append("no value"))
    button.clicked.connect(lambda: heard.append("by its name"))
    button.click()
    assert heard == [False, "no value", "by its name"]
    with pytest.raises(ValueError, match="no signal"):
        button.connect("pushed()", print)


def test_disconnected_is_disconnected(qt):
    heard = []
    button = qt.QPushButton("Go")
    button.connect("clicked(bool)", heard.append)
    button.disconnect("clicked(bool)", heard.append)
    button.click()
    assert heard == []


def test_a_path_is_no_string_for_qt(qt):
    with pytest.raises(TypeError):
        qt.QLineEdit().text = Path("folder")


def stand_ins():
    from qt_host.widgets import STAND_INS

    return sorted(STAND_INS.items())


def test_stand_ins_have_nothing_that_slicers_classes_lack(host):
    """What Qt calls by itself, such as paintEvent, is no more than Qt's widgets have."""
    for name, stand_in in stand_ins():
        own = {each for each in vars(stand_in) if not each.startswith("_")} - {
            "SIGNALS",
            "staticMetaObject",
        }
        assert own - API.names(name) == set(), name
        assert stand_in.SIGNALS - API.signals(name) == set(), name


def test_an_exception_in_a_slot_is_heard(host, complaints, qt):
    button = qt.QPushButton("Go")
    button.connect("clicked(bool)", lambda checked: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in complaints.texts.pop()


def test_a_parameter_node_keeps_fields_as_slicer_does(host):
    from typing import Annotated

    from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        name: str = "new"
        share: Annotated[float, WithinRange(0, 1)] = 0.5
        shown: bool
        names: list[str]

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = Parameters(node)
    assert (parameters.volume, parameters.name, parameters.share) == (None, "new", 0.5)
    parameters.volume = volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters.names = ["a", "b"]
    again = Parameters(node)
    assert (again.volume, again.names, again.shown) == (volume, ["a", "b"], False)
    with pytest.raises(ValueError):
        parameters.share = 2.0
    with pytest.raises(AttributeError):
        parameters.nmae = "x"


def test_only_what_gave_a_tag_is_disconnected_as_in_slicer(host, panel):
    parameters, box = panel.parameterNode, panel.ui.thresholdsLineEdit
    panel.exit()
    assert parameters.connectGui(panel.ui) is None
    parameters.disconnectGui(None)
    box.text = "5"
    assert parameters.thresholds == "5"
    for tag in list(parameters._connections):
        parameters.disconnectGui(tag)
    box.text = "6"
    assert parameters.thresholds == "5"


def test_a_shortcut_of_the_panel_works_in_the_panel_only(host, panel, qt):
    heard = []
    shortcut = qt.QShortcut(panel.parent)
    shortcut.setKey(qt.QKeySequence("Ctrl+J"))
    shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
    shortcut.connect("activated()", lambda: heard.append(True))
    panel.ui.annotatorLineEdit.setFocus()
    host.press(qt.Qt.Key_J, modifiers=qt.Qt.ControlModifier)
    assert heard == [True]
    slicer.app.layoutManager().sliceWidget("Red").setFocus()
    host.press(qt.Qt.Key_J, modifiers=qt.Qt.ControlModifier)
    assert heard == [True]


def test_a_held_up_event_loop_is_noticed(host, qt):
    def work():
        total = 0
        while clock.elapsed() < 80:
            total += 1

    clock = qt.QElapsedTimer()
    with host.watching_the_loop() as watch:
        host.process(20)
        clock.start()
        qt.QTimer.singleShot(0, work)
        host.process(20)
    assert watch.wall_ms >= 79
    assert watch.cpu_ms > 20


def test_what_is_collapsed_cannot_be_seen_until_it_is_opened(host, panel):
    section = panel.ui.compareCollapsibleButton
    host.open_tab_of(section)
    section.collapsed = True
    assert not panel.ui.compareButton.isVisible()
    host.click_at(section, host.point(30, 8))
    assert panel.ui.compareButton.isVisible()
