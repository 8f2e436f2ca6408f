"""What the panel asks of its widgets exists in its .ui file and in Slicer. Needs no Qt."""

import pytest

from places import MODULE_FOLDER
from widget_use import Api, faults_of_code, faults_of_ui, widgets_in

UI = (MODULE_FOLDER / "Resources/UI/LandmarkHeatmap.ui").read_text(encoding="utf-8")
CODE = [
    MODULE_FOLDER / "LandmarkHeatmap.py",
    *(MODULE_FOLDER / "LandmarkHeatmapPanel").rglob("*.py"),
    *(MODULE_FOLDER / "LandmarkHeatmapTests").rglob("*.py"),
]
API = Api.read()

SMALL_UI = """<ui><widget class="QWidget" name="top">
  <widget class="QPushButton" name="button">{more}</widget>
  <widget class="ctkSliderWidget" name="slider"/>
</widget></ui>"""


@pytest.mark.parametrize("path", CODE, ids=[path.name for path in CODE])
def test_widgets_are_asked_only_for_what_they_have(path):
    assert faults_of_code(path.read_text(encoding="utf-8"), widgets_in(UI), API) == []


def test_the_ui_file_sets_only_properties_that_there_are():
    assert faults_of_ui(UI, API) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("self.ui.gone.text = ''", "no widget gone"),
        ("self.ui.button.txt = ''", "QPushButton has no txt"),
        ("x = self.ui.button.text()", "text is a property and cannot be called"),
        ("self.ui.button.click = 3", "click cannot be set"),
        ("self.ui.button.connect('clickd(bool)', f)", "no signal clickd(bool)"),
        ("self.ui.button.setProperty('txt', '')", "no property txt"),
        ("self.ui.slider.setMinimum(3)", "ctkSliderWidget has no setMinimum"),
        ("self.ui.button.width = 3", "width cannot be set"),
        ("b = self.ui.button\n  b.txt = ''", "no txt"),
        ("self._b = self.ui.button\n def g(self):\n  self._b.txt = ''", "no txt"),
        ("t = qt.QTimer()\n  t.timout.connect(f)", "QTimer has no timout"),
        ("panel.ui.button.txt = ''", "no txt"),
        ("lambda: self.ui.button.txt", "no txt"),
        ("self.ui.button.setText(text='')", "takes no keywords"),
        ("b, n = self.ui.button, 3\n  b.txt = ''", "no txt"),
        ("def g(b: qt.QPushButton):\n   b.txt = ''", "no txt"),
        ("pass\n def g(self, b: qt.QPushButton):\n  self.b = b\n  self.b.txt = ''", "no txt"),
        ("t = qt.QTimer(parent=None)", "takes no keywords"),
        ("x = qt.QFileDialog.getExistingDirectory(caption='')", "takes no keywords"),
        ("told = qt.Signal(str)", "no signals of Qt are defined in Python"),
        ("x = qt.Qt.ItemDataRole.UserRole", "enumerators in the class itself"),
        ("self.list.addItem(qt.QListWidgetItem(''))", "QListWidgetItem may go"),
        ("x = self.table.selectionModel().selectedRows()", "selectedRows gives model indices"),
    ],
)
def test_a_wrong_use_is_seen(line, fault):
    source = f"class W:\n def f(self):\n  {line}"
    (found,) = faults_of_code(source, widgets_in(SMALL_UI.format(more="")), API)
    assert fault in found


def test_right_uses_are_no_faults():
    source = """class W:
  def f(self):
    self.ui.button.text = self.ui.button.toolTip
    self.ui.button.connect("clicked(bool)", self.f)
    self.ui.button.clicked.connect(self.f)
    self.ui.button.setEnabled(not self.ui.button.isEnabled())
    self.ui.slider.minimum = 3
    self.ui.slider.setProperty("maximum", 3)
    self.timer = qt.QTimer()
    self.timer.setInterval(3)
    self.item.setData(qt.Qt.UserRole, qt.QFileDialog.getExistingDirectory())
    self.logic.anything.at_all()
    b, self.name = self.ui.button, self.ui.button.text
    self.name.strip()
    def inner(b):
      b.txt = ""
  def g(self, *button):
    b, c = self.logic.pair()
    button.txt = b.txt
"""
    assert faults_of_code(source, widgets_in(SMALL_UI.format(more="")), API) == []


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ('<property name="txt"><string>a</string></property>', "no property txt"),
        ('<property name="text"><enum>QPushButton::Gone</enum></property>', "no Gone"),
    ],
)
def test_a_wrong_property_in_a_ui_file_is_seen(more, fault):
    (found,) = faults_of_ui(SMALL_UI.format(more=more), API)
    assert fault in found


def test_a_property_of_the_modules_own_is_no_fault():
    own = '<property name="SlicerParameterName" stdset="0"><string>a</string></property>'
    assert faults_of_ui(SMALL_UI.format(more=own), API) == []


def test_a_class_that_is_not_in_the_extract_is_a_fault():
    (found,) = faults_of_ui('<ui><widget class="QDial" name="d"/></ui>', API)
    assert "QDial is unknown" in found
