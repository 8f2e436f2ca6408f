"""`landmark-train check` on folders: what it tells, its codes, and what it leaves alone."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_training import cli

NAMES = ("Nasion", "Sella", "Go_L", "Go_R", "Me", "Po")
SHAPE = np.array(
    [[12, 30, 10], [30, 12, 14], [10, 12, 30], [33, 33, 28], [20, 22, 33], [28, 30, 8]], float
)
SIZE = 44


def case(seed):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 255, (SIZE, SIZE, SIZE), dtype=np.uint8)
    at = dict(zip(NAMES, SHAPE + rng.normal(size=3) + rng.normal(size=SHAPE.shape) * 0.4))
    matrix = np.eye(4)
    matrix[:3, 3] = (100, 200, -300)
    return Image(array, matrix), at


def annotation(at):
    offset = np.array([100, 200, -300])
    return Annotation({n: Point(PointState.PLACED, tuple(p + offset)) for n, p in at.items()})


def write(folder, name, image, at):
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / f"{name}.nrrd", image)
    write_annotation(folder / f"{name}.mrk.json", annotation(at))


@pytest.fixture(scope="module")
def made():
    return [case(seed) for seed in range(14)]


def written(folder, made, **changed):
    """All cases; changed: of a case's name a function of its points."""
    for index, (image, at) in enumerate(made):
        name = f"c{index:02d}"
        write(folder, name, image, changed.get(name, lambda at: at)(dict(at)))
    return folder


def exchanged(at):
    return {**at, "Go_L": at["Go_R"], "Go_R": at["Go_L"]}


def told(folder, tmp_path, *more):
    """(the code, the findings as JSON)."""
    path = tmp_path / "found.json"
    path.unlink(missing_ok=True)
    code = cli.main(["check", str(folder), *more, "--json", str(path)])
    return code, json.loads(path.read_text())["findings"]


def test_a_clean_folder_has_code_0_and_says_so(tmp_path, made, capsys):
    code, findings = told(written(tmp_path / "a", made), tmp_path)
    assert code == 0 and findings == []
    assert "Nothing was found in 14 cases." in capsys.readouterr().out


def test_an_exchange_is_a_line_of_the_table_and_an_entry_of_the_json(tmp_path, made, capsys):
    code, [finding] = told(written(tmp_path / "a", made, c04=exchanged), tmp_path)
    assert code == 1
    assert finding["kind"] == "exchanged" and finding["case"] == "c04"
    assert finding["landmarks"] == ["Go_L", "Go_R"] and finding["unit"] == "mm"
    assert finding["size"] == pytest.approx(np.linalg.norm(SHAPE[2] - SHAPE[3]), abs=4)
    lines = [line for line in capsys.readouterr().out.splitlines() if "c04" in line]
    assert len(lines) == 1 and "'Go_L' and 'Go_R' are exchanged" in lines[0]


def test_points_saved_in_ras_are_told_as_that_in_one_line(tmp_path, made):
    def in_ras(at):
        origin = np.array([100, 200, -300])
        return {n: (p + origin) * [-1, -1, 1] - origin for n, p in at.items()}

    _, [finding] = told(written(tmp_path / "a", made, c02=in_ras), tmp_path)
    assert finding["kind"] == "frame" and finding["case"] == "c02"
    assert "RAS taken for LPS" in finding["reason"] and finding["landmarks"] == []


def test_a_point_outside_the_image_is_told_once_with_how_far(tmp_path, made):
    _, [finding] = told(
        written(tmp_path / "a", made, c01=lambda at: {**at, "Me": np.array([20, 22, SIZE + 9.5])}),
        tmp_path,
    )
    assert (finding["kind"], finding["landmarks"]) == ("outside", ["Me"])
    assert finding["size"] == pytest.approx(10, abs=0.01) and "98 of 100" in finding["reason"]


@pytest.mark.parametrize(
    "rename, words",
    [
        ({"Nasion": "nasion"}, "one landmark under two names"),
        ({"Nasion": "Nasoin"}, "may be 'Nasion'"),
        ({"Nasion": "F-1"}, "nobody named"),
        ({"Nasion": "Gonion"}, "No other case has 'Gonion'"),
    ],
)
def test_a_name_that_is_another_ones_mistake_is_told_once(tmp_path, made, rename, words):
    def renamed(at):
        return {rename.get(n, n): p for n, p in at.items()}

    _, findings = told(written(tmp_path / "a", made, c03=renamed), tmp_path)
    [finding] = [each for each in findings if each["kind"] == "name"]
    assert words in finding["reason"] and finding["case"] == "c03" and len(findings) == 1


def test_an_image_that_comes_twice_is_told_with_how_far_its_points_differ(tmp_path, made):
    folder = written(tmp_path / "a", made)
    image, at = made[3]
    other = {**at, "Po": at["Po"] + [0, 0, 1.0]}
    write(tmp_path / "b", "again", image, other)
    code, [finding] = told(folder, tmp_path, str(tmp_path / "b"))
    assert finding["kind"] == "duplicate" and finding["case"] == "again"
    assert "'c03'" in finding["reason"] and finding["size"] == pytest.approx(1.0, abs=1e-5)


def test_an_annotation_that_was_copied_to_another_image_is_told(tmp_path, made):
    _, [finding] = told(written(tmp_path / "a", made, c05=lambda at: made[4][1]), tmp_path)
    assert finding["kind"] == "duplicate" and "'c04'" in finding["reason"]


def test_what_lacks_its_other_half_or_cannot_be_read_is_told_and_the_rest_is_checked(
    tmp_path, made
):
    folder = written(tmp_path / "a", made, c04=exchanged)
    (folder / "c00.mrk.json").unlink()
    (folder / "c01.nrrd").unlink()
    (folder / "c02.mrk.json").write_text("{")
    (folder / "c03.nrrd").write_bytes(b"no image")
    code, findings = told(folder, tmp_path)
    assert code == 1
    by_case = {each["case"]: each["kind"] for each in findings}
    assert by_case["c00"] == "without annotation" and by_case["c04"] == "exchanged"
    unusable = [each["reason"] for each in findings if each["kind"] == "unusable"]
    assert len(unusable) == 3
    for name in ("c01.mrk.json", "c02.mrk.json", "c03.nrrd"):
        assert any(name in reason for reason in unusable)
    assert [each["kind"] for each in findings][:3] == ["unusable"] * 3


def test_of_a_dataset_the_faults_of_its_files_and_of_its_points_are_told(tmp_path, made):
    landmarks = LandmarkSet(tuple(map(Landmark, NAMES)), (("Go_L", "Go_R"),))
    folder = tmp_path / "set"
    create_dataset(folder, landmarks)
    reviews = dict.fromkeys(NAMES, Review.CONFIRMED)
    for index, (image, at) in enumerate(made):
        at = exchanged(at) if index == 6 else at
        add_case(folder, f"c{index:02d}", image, annotation(at), CaseRecord(reviews))
    (tmp_path / "set" / "cases" / "c01" / "image.nrrd").unlink()
    code, findings = told(folder, tmp_path)
    assert code == 1
    assert {(each["kind"], each["case"]) for each in findings} == {
        ("unusable", "c01"),
        ("exchanged", "c06"),
    }


@pytest.mark.parametrize("arguments", [["nowhere"], ["empty"], ["good", "empty"]])
def test_what_is_no_data_has_code_2_and_is_named(tmp_path, made, capsys, arguments):
    (tmp_path / "empty").mkdir()
    written(tmp_path / "good", made[:1])
    assert cli.main(["check", *(str(tmp_path / each) for each in arguments)]) == 2
    assert arguments[-1] in capsys.readouterr().err


def test_a_file_that_is_there_is_not_replaced_and_that_is_said_first(tmp_path, made, capsys):
    (tmp_path / "mine.json").write_text("mine")
    command = ["check", str(tmp_path / "nowhere"), "--json", str(tmp_path / "mine.json")]
    assert cli.main(command) == 2
    assert "mine.json' is there already" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "mine"


def test_two_cases_say_that_they_cannot_tell(tmp_path, made, capsys):
    assert cli.main(["check", str(written(tmp_path / "a", made[:2]))]) == 0
    assert "cannot be told" in capsys.readouterr().out


def test_nothing_in_the_folder_is_changed(tmp_path, made):
    folder = written(tmp_path / "a", made, c04=exchanged)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told(folder, tmp_path)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
