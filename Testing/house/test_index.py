"""What the Extensions Index asks for, as far as a program can tell: a test for each line of its list.

Patterns are those of the Index's own program (scripts/check_description_files.py there).
"""

import ast
import json
import re
import struct
import subprocess

import pytest

from landmark_heatmap import HOMEPAGE, __version__
from places import MODULE_FILE, MODULE_FOLDER, ROOT

CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULE = MODULE_FILE.read_text(encoding="utf-8")
# The catalog entries lie in a folder of that name; ours is the only one.
(ENTRY_FILE,) = (ROOT / "ExtensionsIndex").glob("*.json")
ENTRY = json.loads(ENTRY_FILE.read_text(encoding="utf-8"))
NAME = "LandmarkHeatmap"
# Of the Index's list, those that fit.
CATEGORIES = ("Quantification", "Analysis", "Active Learning")
SCHEMA = "Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
LARGEST_REPOSITORY_MB = 100


def field(name: str) -> str:
    return re.search(rf'set\s*\({name}\s*"([^"]+)"[ ]*\)', CMAKE)[1]


def paths_of(field_name: str) -> list:
    """The files of this repository that the addresses in a field lead to."""
    raw = HOMEPAGE.replace("github.com", "raw.githubusercontent.com") + "/main/"
    addresses = field(field_name).split()
    assert all(address.startswith(raw) for address in addresses), addresses
    return [ROOT / address[len(raw) :] for address in addresses]


def size_of_png(path) -> tuple:
    start = path.read_bytes()[:24]
    assert start[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", start[16:24])


def test_the_names_agree_everywhere():
    assert re.findall(r"project\s*\(\s*([^\s\)]+)", CMAKE) == [NAME]
    assert ENTRY_FILE.stem == NAME == MODULE_FOLDER.name == MODULE_FILE.stem
    assert f"add_subdirectory({NAME})" in CMAKE
    module_list = (MODULE_FOLDER / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"set(MODULE_NAME {NAME})" in module_list
    assert f"class {NAME}(ScriptedLoadableModule)" in MODULE
    assert README.startswith(f"# {NAME}\n")
    assert not NAME.startswith("Slicer")


def test_the_repository_is_called_slicer_and_the_extension_s_name():
    assert HOMEPAGE.rsplit("/", 1)[1] == f"Slicer{NAME}"


def test_the_category_is_one_of_the_index_and_the_same_everywhere():
    assert ENTRY["category"] in CATEGORIES
    assert field("EXTENSION_CATEGORY") == ENTRY["category"]
    assert f'"{ENTRY["category"]}")]' in MODULE


def test_the_entry_is_as_the_schema_has_it():
    assert ENTRY["$schema"].endswith(SCHEMA)
    assert set(ENTRY) == {
        *("$schema", "build_dependencies", "build_subdirectory", "category"),
        *("scm_revision", "scm_type", "scm_url", "tier"),
    }
    assert ENTRY["scm_type"] == "git" and ENTRY["scm_url"].startswith("https://")
    assert (ROOT / ENTRY["build_subdirectory"] / "CMakeLists.txt").is_file()
    assert ENTRY["tier"] in (1, 3, 5)


def test_the_dependencies_are_the_same_in_cmake_and_in_the_entry():
    assert field("EXTENSION_DEPENDS").split() == ENTRY["build_dependencies"]


def test_every_field_that_the_index_reads_is_there():
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION"):
        assert field(f"EXTENSION_{name}").strip()
    # Nothing stands between the closing quote and the parenthesis.
    assert re.search(r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)', CMAKE)
    sentences = [each for each in field("EXTENSION_DESCRIPTION").split(". ") if each]
    assert len(sentences) <= 2


def test_the_address_is_one_wherever_it_is_named():
    """HOMEPAGE is the place to change; what is named here has to follow."""
    assert field("EXTENSION_HOMEPAGE") == f"{HOMEPAGE}#readme"
    assert ENTRY["scm_url"] == HOMEPAGE
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"repository-code: {HOMEPAGE}\n" in citation
    owner = HOMEPAGE.split("/")[3]
    named = subprocess.run(
        ["git", "grep", "-lE", rf"github(usercontent)?\.com/{owner}/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if named.returncode not in (0, 1):
        pytest.skip("this is no clone: nobody can say which files are ours")
    assert set(named.stdout.split()) == {
        "CITATION.cff",
        "CMakeLists.txt",
        f"ExtensionsIndex/{NAME}.json",
        "LandmarkHeatmap/landmark_heatmap/__init__.py",
    }


def test_it_is_said_that_the_address_is_still_to_be_decided():
    source = (MODULE_FOLDER / "landmark_heatmap" / "__init__.py").read_text(encoding="utf-8")
    assert "STILL TO BE DECIDED" in source.split("HOMEPAGE")[0]
    # And beside each copy that has room for a remark; of the entry, which has none, the page beside it.
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    beside = (ENTRY_FILE.parent / "README.md").read_text(encoding="utf-8")
    for text in (CMAKE.split("set(EXTENSION_HOMEPAGE")[0], citation, beside):
        assert "still to be decided" in text.lower() and "HOMEPAGE" in text


def test_the_module_says_what_it_does_where_its_documentation_is_and_who_made_it():
    assert '<a href="{homepage}#readme">the documentation</a>' in MODULE
    (contributors,) = re.findall(r'self\.parent\.contributors = \["(.+)"\]', MODULE)
    assert contributors == field("EXTENSION_CONTRIBUTORS")
    assert re.search(r'self\.parent\.acknowledgementText = _\(\s*"[^"]{20,}"', MODULE)


def test_reading_the_module_file_runs_nothing():
    """Slicer reads it at each start, whoever needs it."""
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    _, *statements = ast.parse(MODULE).body  # the first is what it says of itself
    for statement in statements:
        is_constant = isinstance(statement, ast.Assign) and not any(
            isinstance(each, ast.Call) for each in ast.walk(statement)
        )
        assert is_constant or isinstance(statement, allowed), ast.unparse(statement)


def test_every_tab_is_described_and_named_in_the_readme():
    ui = (MODULE_FOLDER / "Resources" / "UI" / f"{NAME}.ui").read_text(encoding="utf-8")
    tabs = re.findall(r'<attribute name="title">\s*<string>(.+)</string>', ui)
    assert len(tabs) >= 7
    reference = (ROOT / "docs" / "reference" / "panel.md").read_text(encoding="utf-8")
    for tab in tabs:
        assert f"\n## {tab}\n" in reference and f"\n| {tab} | " in README, tab


def test_popups_are_few_and_ask_before_something_is_lost_or_installed():
    """What only tells something stands in the panel; a report of the state is shown on a click."""
    found = {}
    for path in sorted(MODULE_FOLDER.rglob("*.py")):
        said = re.findall(
            r"slicer\.util\.(\w+Display)\(|QMessageBox", path.read_text(encoding="utf-8")
        )
        if said and "Tests" not in path.parent.name:
            found[path.stem] = said
    assert found == {
        "packages": ["confirmOkCancelDisplay"],
        **dict.fromkeys(("at_work", "export", "journal", "landmark_set"), ["confirmYesNoDisplay"]),
        "desk": ["infoDisplay"],
        "widgets": ["tryWithErrorDisplay"],  # an error that is nobody's to mend
    }


def test_the_icon_is_128_by_128_and_the_same_in_the_application():
    (icon,) = paths_of("EXTENSION_ICONURL")
    assert size_of_png(icon) == (128, 128)
    in_module = MODULE_FOLDER / "Resources" / "Icons" / f"{NAME}.png"
    assert in_module.read_bytes() == icon.read_bytes()


def test_every_screenshot_is_there():
    screenshots = paths_of("EXTENSION_SCREENSHOTURLS")
    assert screenshots
    for path in screenshots:
        width, height = size_of_png(path)
        assert min(width, height) >= 400, path


def test_the_licence_lies_where_the_index_looks_and_the_readme_names_it():
    licence = (ROOT / "LICENSE.txt").read_text(encoding="utf-8")
    assert licence.startswith("MIT License")
    assert "MIT, see [LICENSE.txt](LICENSE.txt)" in README


def test_weights_under_another_licence_say_so_in_the_readme_and_bring_its_text():
    text = MODULE_FOLDER / "Resources" / "Models" / "mouse_skull.GPL-3.txt"
    assert "GNU GENERAL PUBLIC LICENSE" in text.read_text(encoding="utf-8")
    assert f"({text.relative_to(ROOT).as_posix()})" in README


def test_what_the_brains_weights_were_made_of_has_its_notices_beside_them():
    notices = MODULE_FOLDER / "Resources" / "Models" / "brain_afids.LICENCES.txt"
    text = notices.read_text(encoding="utf-8")
    assert "McConnell Brain Imaging Centre" in text and "CC-BY-4.0" in text
    assert f"({notices.relative_to(ROOT).as_posix()})" in README


def test_the_repository_with_its_history_is_below_100_mb():
    counted = subprocess.run(
        ["git", "count-objects", "-v"], cwd=ROOT, capture_output=True, text=True
    )
    if counted.returncode != 0:
        pytest.skip("this is no clone: there is no history")
    sizes = dict(re.findall(r"^(size|size-pack): (\d+)$", counted.stdout, re.MULTILINE))
    assert sum(map(int, sizes.values())) / 1024 < LARGEST_REPOSITORY_MB


def test_the_readme_has_what_a_visitor_looks_for():
    start = README.split("## ")[0]
    assert "3D Slicer" in start and "![" in start
    assert "**Landmark Heatmap** (category *Quantification*)" in README.split("## Modules")[1]
    assert "(CITATION.cff)" in README
    tutorial = README.split("## Use it in Slicer")[1].split("\n## ")[0]
    assert "*Sample Data*" in tutorial and "![" in tutorial


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    for needed in ("cff-version: 1.2.0", "message:", "title:", "authors:", "license: MIT"):
        assert needed in citation


def test_sample_data_are_offered_in_the_sample_data_module():
    source = (MODULE_FOLDER / "LandmarkHeatmapPanel" / "sample_data.py").read_text(encoding="utf-8")
    assert "registerCustomSampleDataSource" in source


def test_packages_are_installed_in_one_place_which_asks_before():
    installing = [
        path.relative_to(MODULE_FOLDER).as_posix()
        for path in sorted(MODULE_FOLDER.rglob("*.py"))
        if re.search(r"pip_install|ensurepip|-m.{1,6}pip", path.read_text(encoding="utf-8"))
    ]
    assert [p for p in installing if p != "LandmarkHeatmapPanel/detecting/packages.py"] == []


def test_nothing_is_downloaded_or_sent():
    opening = re.compile(r"urllib|requests\.|http\.client|socket\.|SampleDataLogic\(\)\.download")
    found = [
        path.relative_to(MODULE_FOLDER).as_posix()
        for path in sorted(MODULE_FOLDER.rglob("*.py"))
        if opening.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_panel_has_no_styling_of_its_own_but_the_colour_of_warnings_and_narrow_tabs():
    ui = (MODULE_FOLDER / "Resources" / "UI" / f"{NAME}.ui").read_text(encoding="utf-8")
    assert "styleSheet" not in ui
    for path in (MODULE_FOLDER / "LandmarkHeatmapPanel").rglob("*.py"):
        for said in re.findall(r"setStyleSheet\((.*)\)", path.read_text(encoding="utf-8")):
            assert said.startswith('f"color: {') or said == "_NARROW_TABS", (path, said)
    widgets = (MODULE_FOLDER / "LandmarkHeatmapPanel" / "widgets.py").read_text(encoding="utf-8")
    (tabs,) = re.findall(r'_NARROW_TABS = """(.*?)"""', widgets, re.DOTALL)
    # The colours are those that the application has, dark ones too.
    assert not re.search(r"#|rgb|font|background: (?!palette)|px solid (?!palette)", tabs)


def test_what_is_checked_before_a_commit_is_what_ci_checks():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"entry: (.*)", hooks) == ["python3 dev.py check"]
    source = (ROOT / "Testing/support/workbench/jobs.py").read_text(encoding="utf-8")
    # Both begin with the same checks; the tests of the house are among all tests.
    assert source.count("_first_failure((*CHECKS, ") == 2
    assert "python3 dev.py test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_issue_template_asks_for_something():
    templates = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(templates) == 3
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert re.match(r"name: .+\ndescription: .+\n", text), path
        assert "required: true" in text
