"""The walls of the house, checked by reading the code: who may import whom, and what is listed where.

Each check is a function of source text, so that beside each test that the house is in order stands
one that the check would notice if it were not.
"""

import ast
import functools
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from places import MODULE_FILE, MODULE_FOLDER, ROOT

UI_FILE = MODULE_FOLDER / "Resources" / "UI" / "LandmarkHeatmap.ui"

APPLICATION = {"slicer", "vtk", "qt", "ctk", "PythonQt", "PySide6", "slicer_core", "vtkmodules"}
QT = {"qt", "ctk", "PythonQt", "PySide6"}
PANEL, MODULE_TESTS = "LandmarkHeatmapPanel", "LandmarkHeatmapTests"
OURS = {"landmark_heatmap", "LandmarkHeatmapLib", PANEL, MODULE_TESTS, "landmark_training"}
# Each floor, and what nothing on it may import.
FORBIDDEN = {
    MODULE_FOLDER / "landmark_heatmap": APPLICATION | OURS - {"landmark_heatmap"},
    ROOT / "training" / "landmark_training": APPLICATION
    | {"LandmarkHeatmapLib", PANEL, MODULE_TESTS},
    MODULE_FOLDER / "LandmarkHeatmapLib": QT | {"landmark_training", PANEL, MODULE_TESTS},
    # The panel knows everything below it; only the module file and its tests import it.
    MODULE_FOLDER / PANEL: {"landmark_training", "torch", "LandmarkHeatmap", MODULE_TESTS},
    MODULE_FOLDER / MODULE_TESTS: {"landmark_training", "torch", "LandmarkHeatmap"},
}
# The wings of each package, the lowest first: each may import itself and those before it. A folder
# or a file at the package's root is a wing.
WINGS = {
    MODULE_FOLDER / "landmark_heatmap": (
        *("errors", "leftovers", "files", "lengths", "locks", "launch", "heap", "side_by_side"),
        "command_line",
        *("images", "annotation", "model", "dataset", "worklist", "detection", "registering"),
        *("synthetic", "judging", "pictures", "worker", "runs", "notebook", "cli"),
    ),
    MODULE_FOLDER / "LandmarkHeatmapLib": (
        *("volumes", "following", "display", "result", "review", "journal"),
        *("measurements", "comparison", "export", "case_at_work", "second_reading"),
    ),
    MODULE_FOLDER / PANEL: (
        *("widgets", "texts", "in_steps", "library", "models", "trainings", "sample_data"),
        *("state", "section"),
        *("detecting", "asking", "logic", "reviewing", "working", "sections", "desk"),
    ),
    ROOT / "training" / "landmark_training": (
        *(
            "outputs",
            "parallel",
            "progress",
            "live",
            "planning",
            "data",
            "judging",
            "checking",
            "learning",
            "importing",
            "warping",
        ),
        *("ensemble", "recalibrate", "carding", "folds", "starts", "fit", "crossval"),
        *("commands", "cli"),
    ),
}
# What runs inside Slicer only, and is not installed elsewhere.
IN_SLICER_ONLY = {MODULE_FOLDER / PANEL, MODULE_FOLDER / MODULE_TESTS}
PANEL_FILES = [MODULE_FILE, *(path for folder in IN_SLICER_ONLY for path in folder.rglob("*.py"))]
SECTIONS = MODULE_FOLDER / PANEL / "sections"
DESK = MODULE_FOLDER / PANEL / "desk.py"
LONGEST_FILE = 350
# All code of the project, the tests and what they stand on included.
OUR_FILES = [
    ROOT / "dev.py",
    *(
        path
        for folder in (MODULE_FOLDER, ROOT / "training", ROOT / "Testing")
        for path in sorted(folder.rglob("*.py"))
    ),
]
# What Slicer brings along; torch and safetensors are not among it.
BUNDLED = {"numpy", "SimpleITK", "slicer", "vtk", "qt", "ctk"}


def imported(source: str) -> set:
    """The top-level packages that a module imports, anywhere in it."""
    return {name for node in ast.walk(ast.parse(source)) for name in _names(node)}


def imported_at_file_scope(source: str) -> set:
    """The same for what is run on import: everything that is not in a function."""
    found, waiting = set(), [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        found |= _names(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def _names(node) -> set:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {node.module.split(".")[0]}
    return set()


def attributes_of(source: str, owner: str) -> set:
    """The names X of every `owner.X` in the code; owner is a dotted name, 'self.ui' say."""
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner
    }


def listed_files(cmake: str) -> list:
    """The files that a scripted module's CMakeLists.txt lists, as paths in its folder."""
    name = re.search(r"set\(MODULE_NAME (\w+)\)", cmake)[1]
    files = []
    for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        files += re.search(rf"set\({variable}\s+([^)]*)\)", cmake)[1].split()
    return [file.replace("${MODULE_NAME}", name) for file in files]


def files_in(folder: Path) -> set:
    """All files that belong to a module's folder, as paths in it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and path != folder / "CMakeLists.txt"
        and "__pycache__" not in path.parts
        and not path.name.startswith(".")
    }


def widgets_in(ui: str) -> dict:
    """Object name to class of every widget in a .ui file."""
    return {
        node.get("name"): node.get("class") for node in ElementTree.fromstring(ui).iter("widget")
    }


def parameters_in(ui: str) -> set:
    """The parameter-node fields that a .ui file connects widgets to."""
    return {
        node.findtext("string")
        for node in ElementTree.fromstring(ui).iter("property")
        if node.get("name") == "SlicerParameterName"
    }


def fields_of(source: str, name: str) -> set:
    """The annotated fields of a class."""
    (found,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return {node.target.id for node in found.body if isinstance(node, ast.AnnAssign)}


def modules_imported(source: str, path: Path, package: Path) -> set:
    """The modules of `package` that a file of it imports, anywhere in it: their parts, as tuples."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            inside = path.relative_to(package).parts[: -node.level] if node.level else None
            named = tuple((node.module or "").split(".")) if node.module else ()
            if inside is None:
                if named[0] != package.name:
                    continue
                inside, named = (), named[1:]
            base = (*inside, *named)
            found |= {(*base, alias.name) for alias in node.names} if len(base) == 0 else {base}
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
            found |= {name[1:] for name in names if name[0] == package.name and len(name) > 1}
    return found


def imports_upwards(source: str, path: Path, package: Path) -> list:
    """(the file, what it imports) for each import of a wing that lies above the file's own."""
    order = WINGS[package]
    own = path.relative_to(package).with_suffix("").parts[0]
    if own not in order:  # the package's own __init__, which stands above all
        return []
    return [
        (str(path.relative_to(ROOT)), ".".join((package.name, *module)))
        for module in sorted(modules_imported(source, path, package))
        if module[0] in order and order.index(module[0]) > order.index(own)
    ]


SOURCES = [(path, names) for folder, names in FORBIDDEN.items() for path in folder.rglob("*.py")]


@pytest.mark.parametrize(
    ("path", "forbidden"), SOURCES, ids=[str(path.relative_to(ROOT)) for path, _ in SOURCES]
)
def test_nothing_imports_what_lies_above_it(path, forbidden):
    assert imported(path.read_text(encoding="utf-8")) & forbidden == set()


@pytest.mark.parametrize("package", WINGS, ids=[package.name for package in WINGS])
def test_no_wing_imports_one_above_it(package):
    files = sorted(package.rglob("*.py"))
    found = [imports_upwards(path.read_text(encoding="utf-8"), path, package) for path in files]
    assert sum(found, []) == []


@pytest.mark.parametrize("package", WINGS, ids=[package.name for package in WINGS])
def test_every_wing_has_its_place_in_the_order(package):
    wings = {path.stem for path in package.iterdir() if path.suffix == ".py"}
    wings |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert wings - {"__init__"} == set(WINGS[package])


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from ..detection.predict import Predictor", "landmark_heatmap.detection.predict"),
        ("def f():\n    from ..dataset import cases", "landmark_heatmap.dataset"),
        ("from landmark_heatmap import cli", "landmark_heatmap.cli"),
        ("from .. import worker", "landmark_heatmap.worker"),
        ("import landmark_heatmap.judging.bootstrap", "landmark_heatmap.judging.bootstrap"),
    ],
)
def test_an_import_upwards_is_told_with_both_files(source, module):
    package = MODULE_FOLDER / "landmark_heatmap"
    planted = package / "images" / "geometry.py"
    both = ("LandmarkHeatmap/landmark_heatmap/images/geometry.py", module)
    assert imports_upwards(source, planted, package) == [both]


def test_an_import_downwards_or_in_the_same_wing_is_none_upwards():
    package = MODULE_FOLDER / "landmark_heatmap"
    source = "from .. import __version__\nfrom ..images.geometry import Grid\nfrom . import prior"
    assert imports_upwards(source, package / "model" / "pose.py", package) == []


def too_long(source: str) -> bool:
    return len(source.splitlines()) > LONGEST_FILE


def is_a_test(path: Path) -> bool:
    return path.name.startswith("test_")


def test_every_file_but_tests_can_be_read_in_a_sitting():
    files = [path for path in OUR_FILES if not is_a_test(path)]
    long = [path for path in files if too_long(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(ROOT)) for path in long] == []
    # Not only what is installed: what it is tested with is read as well.
    support, bench = ROOT / "Testing" / "support", ROOT / "Testing" / "robustness"
    assert {ROOT / "dev.py", MODULE_FILE, support / "places.py", bench / "run.py"} <= set(files)


def test_a_file_that_is_too_long_is_seen():
    assert not too_long("a\n" * LONGEST_FILE)
    assert too_long("a\n" * (LONGEST_FILE + 1))


def test_every_floor_is_there():
    assert {path.parent for path, _ in SOURCES} >= set(FORBIDDEN)


def test_every_folder_of_code_is_installed():
    """A list of packages has to name those inside others too, or an installation lacks them."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"\npackages = \[([^\]]*)\]", project)[1]
    sources = [
        (path, floor) for floor in set(FORBIDDEN) - IN_SLICER_ONLY for path in floor.rglob("*.py")
    ]
    folders = {path.parent.relative_to(floor.parent) for path, floor in sources}
    code = {".".join(folder.parts) for folder in folders}
    # The models are no code, and have a test of their own (core/model/test_shipped.py).
    assert code == set(re.findall(r'"([^"]+)"', listed)) - {"landmark_heatmap.model.shipped_models"}


@pytest.mark.parametrize(
    "source",
    [
        "import qt",
        "import qt.QtCore as core",
        "from qt import QWidget",
        "def f():\n    if True:\n        import numpy, qt",
    ],
)
def test_an_import_is_seen_wherever_it_stands(source):
    assert "qt" in imported(source)


def test_a_relative_import_is_no_import_from_elsewhere():
    assert imported("from . import qt\nfrom .qt import slicer") == set()


def test_the_mrml_part_is_passed_its_scene():
    for path in (MODULE_FOLDER / "LandmarkHeatmapLib").rglob("*.py"):
        used = attributes_of(path.read_text(encoding="utf-8"), "slicer")
        assert used & {"mrmlScene", "app"} == set(), path


def test_a_use_of_the_global_scene_is_seen():
    assert "mrmlScene" in attributes_of("def f():\n    slicer.mrmlScene.Clear()", "slicer")


@pytest.mark.parametrize("path", PANEL_FILES, ids=[path.name for path in PANEL_FILES])
def test_the_panel_imports_on_loading_only_what_slicer_has(path):
    allowed = set(sys.stdlib_module_names) | BUNDLED | OURS - {"landmark_training"}
    assert imported_at_file_scope(path.read_text(encoding="utf-8")) - allowed == set()


def test_what_the_module_file_imports_of_ours_needs_no_torch():
    """Followed from file to file: detection.predict imports torch, so nobody may at once."""
    waiting, seen = [MODULE_FILE], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        source = path.read_text(encoding="utf-8")
        assert imported_at_file_scope(source) & {"torch", "safetensors"} == set(), path
        waiting += [each for each in imported_files(source, path) if each not in seen]
    assert MODULE_FOLDER / "landmark_heatmap" / "images" / "geometry.py" in seen


def imported_files(source: str, path: Path, anywhere=False, root=MODULE_FOLDER) -> list:
    """The files below `root` that a file imports at file scope, or anywhere."""
    files, tree = [], ast.parse(source)
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else root
            target = base.joinpath(*(node.module or "").split("."))
            files += [target.with_suffix(".py"), target / "__init__.py"]
            files += [target / f"{alias.name}.py" for alias in node.names]
        elif isinstance(node, ast.Import):
            files += [
                root.joinpath(*alias.name.split(".")).with_suffix(".py") for alias in node.names
            ]
    return [file for file in files if file.is_file()]


def brings_torch(path: Path) -> bool:
    """Whether importing a test's file imports torch; what is followed is imported at file scope."""
    waiting, seen = [path], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        needs_torch, files = one_step(path, path.read_text(encoding="utf-8"))
        if needs_torch:
            return True
        waiting += files
    return False


@functools.cache
def one_step(path: Path, source: str) -> tuple:
    """(whether a file itself imports torch, the files that it imports); most tests share most of it."""
    roots = (MODULE_FOLDER, ROOT / "training", ROOT / "Testing" / "support")
    files = [file for root in roots for file in imported_files(source, path, root=root)]
    return bool(imported_at_file_scope(source) & {"torch", "safetensors"}), files


def test_every_test_that_needs_torch_is_skipped_without_it():
    """Otherwise the tests cannot even be collected on a Python that has none: Slicer's."""
    tests = [path for path in OUR_FILES if is_a_test(path) and brings_torch(path)]
    assert len(tests) > 10
    said = 'pytest.importorskip("torch")'
    bare = [path for path in tests if said not in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(ROOT)) for path in bare] == []


def test_torch_is_seen_behind_other_files(tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text("from landmark_training.data.prepare import planned", encoding="utf-8")
    assert brings_torch(test)
    test.write_text("from landmark_heatmap.images.geometry import Grid", encoding="utf-8")
    assert not brings_torch(test)


def test_an_import_at_file_scope_is_told_from_one_in_a_function():
    source = "import torch\nclass C:\n    import scipy\n    def f(self):\n        import pandas"
    assert imported_at_file_scope(source) == {"torch", "scipy"}


def test_the_files_a_file_imports_are_found():
    source = "from landmark_heatmap.errors import GeometryError\nfrom .state import MODULE_NAME"
    path = MODULE_FOLDER / "LandmarkHeatmapLib" / "result" / "publishing.py"
    names = {each.name for each in imported_files(source, path)}
    assert names == {"errors.py", "state.py"}


def sections_imported(source: str, path: Path) -> set:
    """The names of the panel's sections that a file imports, anywhere in it."""
    files = imported_files(source, path, anywhere=True)
    return {each.stem for each in files if each.parent == SECTIONS and each.stem != "__init__"}


def test_no_section_of_the_panel_knows_another_and_only_the_desk_knows_them():
    for path in (MODULE_FOLDER / PANEL).rglob("*.py"):
        found = sections_imported(path.read_text(encoding="utf-8"), path)
        if path == DESK:
            assert found == {each.stem for each in SECTIONS.glob("*.py")} - {"__init__"}
        else:
            assert found == set(), path


@pytest.mark.parametrize(
    "source",
    [
        "from .inputs import InputSection",
        "from . import inputs",
        "from ..sections.inputs import InputSection",
        "from ..sections import inputs",
        "from LandmarkHeatmapPanel.sections.inputs import InputSection",
        "import LandmarkHeatmapPanel.sections.inputs as other",
        "class S:\n    def f(self):\n        from .inputs import InputSection",
    ],
)
def test_a_section_that_imports_another_is_seen(source):
    assert sections_imported(source, SECTIONS / "review.py") == {"inputs"}


def test_the_modules_tests_cost_slicers_start_nothing():
    """Every user's Slicer imports them when it starts, for the module file does."""
    allowed = set(sys.stdlib_module_names) | {"numpy", "slicer", MODULE_TESTS}
    for path in (MODULE_FOLDER / MODULE_TESTS).rglob("*.py"):
        assert imported_at_file_scope(path.read_text(encoding="utf-8")) - allowed == set(), path


def test_slicer_finds_one_module_in_the_folder():
    """It takes every .py there, though not in the folders below, for a module."""
    assert [path.name for path in MODULE_FOLDER.glob("*.py")] == [MODULE_FILE.name]


def test_reload_reads_every_package_of_the_module_anew():
    source = MODULE_FILE.read_text(encoding="utf-8")
    packages = re.search(r"^PACKAGES = \(([^)]*)\)", source, re.MULTILINE)[1]
    folders = {path.parent.name for path in MODULE_FOLDER.glob("*/__init__.py")}
    assert set(re.findall(r'"(\w+)"', packages)) == folders


def test_the_build_lists_every_file_of_the_module_once():
    listed = listed_files((MODULE_FOLDER / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(files_in(MODULE_FOLDER))


def training_files_listed(cmake: str) -> list:
    """The files that the training's CMakeLists.txt lists, as paths in its folder."""
    return re.search(r"set\(TRAINING_PYTHON_SCRIPTS\s+([^)]*)\)", cmake)[1].split()


def test_the_build_lists_every_file_that_trains_once():
    """The panel starts them: an extension that was built without one could not train."""
    folder = ROOT / "training"
    cmake = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    there = [p.relative_to(folder).as_posix() for p in (folder / "landmark_training").rglob("*.py")]
    assert sorted(training_files_listed(cmake)) == sorted(there)
    assert "add_subdirectory(training)" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    # So the installation has it where the panel looks: beside the module's own packages.
    assert "INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}" in cmake


def test_a_file_that_the_build_leaves_out_is_seen(tmp_path):
    (tmp_path / "lib" / "__pycache__").mkdir(parents=True)
    for name in ("M.py", "lib/new.py", "lib/__pycache__/new.pyc", "CMakeLists.txt"):
        (tmp_path / name).write_text("")
    cmake = (
        "set(MODULE_NAME M)\nset(MODULE_PYTHON_SCRIPTS\n  ${MODULE_NAME}.py\n  )\n"
        "set(MODULE_PYTHON_RESOURCES\n  gone.png\n  )"
    )
    assert files_in(tmp_path) - set(listed_files(cmake)) == {"lib/new.py"}
    assert set(listed_files(cmake)) - files_in(tmp_path) == {"gone.png"}


def test_the_project_is_named_as_the_catalog_will_name_it():
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(LandmarkHeatmap)" in cmake
    assert "add_subdirectory(LandmarkHeatmap)" in cmake
    for field in ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "DEPENDS"):
        assert re.search(rf'^set\(EXTENSION_{field} "[^"]+"\)$', cmake, re.MULTILINE), field
    # The Extensions Index reads this one by a pattern of its own.
    assert re.search(r'^set\(EXTENSION_SCREENSHOTURLS "[^"]+"\)$', cmake, re.MULTILINE)


def test_every_widget_the_code_names_is_in_the_ui_file():
    sources = [path.read_text(encoding="utf-8") for path in PANEL_FILES]
    used = {
        name
        for source in sources
        for owner in ("self.ui", "panel.ui")
        for name in attributes_of(source, owner)
    }
    assert len(used) > 20
    assert used - set(widgets_in(UI_FILE.read_text(encoding="utf-8"))) == set()


def test_every_widget_with_a_value_has_a_name_for_who_cannot_see():
    """Buttons speak for themselves; a line edit, a list or a label without text does not."""
    speaking = {"QPushButton", "ctkCollapsibleButton", "qMRMLWidget"}
    for node in ElementTree.fromstring(UI_FILE.read_text(encoding="utf-8")).iter("widget"):
        texts = {each.get("name"): each.findtext("string") for each in node.iter("property")}
        if node.get("class") not in speaking and not texts.get("text"):
            assert texts.get("accessibleName"), node.get("name")


def test_a_widget_that_is_not_in_the_ui_file_is_seen():
    source = "class W:\n    def f(self):\n        self.ui.gone.text = ''\n        self.logic.x()"
    assert attributes_of(source, "self.ui") == {"gone"}
    assert widgets_in('<ui><widget class="QLabel" name="there"/></ui>') == {"there": "QLabel"}


def test_every_field_the_ui_file_connects_is_in_the_parameter_node():
    connected = parameters_in(UI_FILE.read_text(encoding="utf-8"))
    source = (MODULE_FOLDER / PANEL / "state.py").read_text(encoding="utf-8")
    assert connected
    assert connected - fields_of(source, "LandmarkHeatmapParameterNode") == set()


def test_a_connection_to_no_field_is_seen():
    ui = (
        '<ui><widget class="QCheckBox" name="b"><property name="SlicerParameterName">'
        "<string>gone</string></property></widget></ui>"
    )
    assert parameters_in(ui) - fields_of("class P:\n    there: bool = True", "P") == {"gone"}


def test_every_widget_of_the_panel_says_what_it_is_for():
    for node in ElementTree.fromstring(UI_FILE.read_text(encoding="utf-8")).iter("widget"):
        tips = [each.findtext("string") for each in node if each.get("name") == "toolTip"]
        is_page = any(each.get("name") == "title" for each in node)
        # What only holds others together has nothing to say.
        frames = {"qMRMLWidget", "QTabWidget", "QScrollArea", "QWidget"}
        assert any(tips) or (node.get("class") in frames and not is_page), node.get("name")


def test_no_text_of_the_panel_wraps_and_grows():
    """Such a label moves what is below it, and Qt 5 may paint it over its neighbours."""
    for node in ElementTree.fromstring(UI_FILE.read_text(encoding="utf-8")).iter("widget"):
        wraps = any(
            each.get("name") == "wordWrap" and each.findtext("bool") == "true" for each in node
        )
        assert not (node.get("class") == "QLabel" and wraps), node.get("name")


def test_the_map_names_every_wing():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for package, wings in WINGS.items():
        named = wings_on_the_map(text, package)
        assert named == {f"{w}/" if (package / w).is_dir() else f"{w}.py" for w in wings}, package


def wings_on_the_map(text: str, package: Path) -> set:
    """What the first column of a package's table names: `a/`, `b.py`."""
    head = f"| `{package.relative_to(ROOT).as_posix()}/` |"
    table = text[text.index(head) + len(head) :].split("\n\n")[0].splitlines()[2:]
    return {name for row in table for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_a_wing_that_the_map_lacks_is_seen():
    text = "| `training/a/` | pure |\n|---|---|\n| `b/`, `c.py` | uses `d.py` |\n\n| `e/` | f |"
    assert wings_on_the_map(text, ROOT / "training" / "a") == {"b/", "c.py"}


def test_whoever_waits_for_a_thread_in_the_panel_lets_it_run():
    """While Slicer's window waits for events, Python's other threads stand still; the host shows none of
    that."""
    waiting = [
        path
        for path in sorted((MODULE_FOLDER / PANEL).rglob("*.py"))
        if "ThreadPoolExecutor" in path.read_text(encoding="utf-8")
    ]
    assert waiting
    for path in waiting:
        assert "let_threads_run()" in path.read_text(encoding="utf-8"), path
