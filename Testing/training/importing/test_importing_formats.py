"""Each format on small files: the point lies on the bright voxel; what leaves a doubt is refused."""

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import AnnotationError, DatasetError
from landmark_training.importing.formats.registry import read_table
from landmark_training.importing.table import Stated
from small_tables import (
    HEIGHT,
    imported,
    json_file,
    oblique,
    photograph,
    run_import,
    text_file,
    value_at,
    volume,
)

# --- tpsDig -------------------------------------------------------------------------------------


@pytest.fixture
def wings(tmp_path):
    """Two photographs, bright at (4, 6) and at (9, 15), and the options to import them."""
    photograph(tmp_path / "wings" / "a.png", 4, 6)
    photograph(tmp_path / "wings" / "b.png", 9, 15)
    return ("--images", tmp_path / "wings", "--output", tmp_path / "out")


def tps(tmp_path, *blocks):
    return text_file(tmp_path / "wings.tps", "\n".join(blocks) + "\n")


A = "LM=2\n4. 14.\n8.00000 3.00000\nIMAGE=a.png\nID=0"
B = r"lm=2" + "\n9 5\n-1 -1\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=C:\\wings\\b.JPG\nID=1"


def test_tps_counts_pixels_from_the_bottom_left(wings, tmp_path, capsys):
    run_import(tps(tmp_path, A, "", B), *wings)
    out = tmp_path / "out"
    assert value_at(out, "a", "1") == value_at(out, "b", "1") == 255
    assert imported(out, "a")[1].position_lps("2").tolist() == [8, HEIGHT - 3, 0]
    assert imported(out, "b")[1].state("2") is PointState.UNJUDGED
    assert "curves and outlines of 1 images are left out" in capsys.readouterr().out


def test_tps_written_by_another_program_may_count_otherwise(wings, tmp_path):
    run_import(tps(tmp_path, "LM=1\n4 6\nIMAGE=a.png"), *wings, "--origin", "top-left")
    assert value_at(tmp_path / "out", "a", "1") == 255


@pytest.mark.parametrize(("unit", "spacing"), [("mm", 0.02), ("cm", 0.2), ("inch", 0.508)])
def test_the_scale_of_a_tps_is_the_size_of_a_pixel_in_the_stated_unit(
    wings, tmp_path, unit, spacing, capsys
):
    blocks = (A + "\nSCALE=0.02", B + "\nSCALE=0.04")
    with pytest.raises(DatasetError, match="line 6: SCALE=0.02 does not say in which unit"):
        run_import(tps(tmp_path, *blocks), *wings)
    run_import(tps(tmp_path, *blocks), *wings, "--scale-unit", unit)
    for case, size in (("a", spacing), ("b", 2 * spacing)):
        assert value_at(tmp_path / "out", case, "1") == 255
        grid = imported(tmp_path / "out", case)[0].grid
        assert np.allclose(grid.spacing_mm[:2], size)
    assert f"pixels of {spacing:.4g} mm to {2 * spacing:.4g} mm\n" in capsys.readouterr().out


def test_one_spacing_can_be_stated_instead_of_the_scales(wings, tmp_path):
    run_import(tps(tmp_path, A + "\nSCALE=0.02", B), *wings, "--spacing", "0.5")
    assert np.allclose(imported(tmp_path / "out", "a")[0].grid.spacing_mm[:2], 0.5)


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ((A, "LM=1\n9 5\nIMAGE=b.png"), "line 6: 1 landmarks of 2 numbers, where the first"),
        (("LM=2\n4 14\nIMAGE=a.png",), "line 1: 'LM=2' is followed by 1 landmarks"),
        (("LM=2\n4 14",), "line 1: 'LM=2' is followed by 1 landmarks"),
        (("LM=1\n4 14\n5 6\nIMAGE=a.png",), "line 3: '5 6' is neither KEY=value nor one of the 1"),
        (("LM=1\n4 14\nCOMMENT=a",), "line 1: this image has no line IMAGE="),
        (("LM=1\n4 14\nIMAGE=a.png\nIMAGE=b.png",), "line 4: a second IMAGE"),
        (("LM=two\n4 14\nIMAGE=a.png",), "line 1: 'LM=two' needs a whole number"),
        (("LM=0\nIMAGE=a.png",), "line 1: there are no landmarks"),
        (("4 14\nLM=1\n4 14",), "does not begin with a line LM="),
        (("LM=1\nfour 14\nIMAGE=a.png",), "line 2: landmark '1' stands at"),
        (("LM=2\n4,5 14\n4.5 6\nIMAGE=a.png",), "line 2 has '4,5' and line 3 has '4.5'"),
        (("LM=1\n4 14 9\nIMAGE=a.png",), "line 2: landmark '1' has 3 numbers, not 2"),
        (("LM=1\n4 -1\nIMAGE=a.png",), "line 2: .* one number is negative"),
    ],
)
def test_a_tps_that_leaves_a_doubt_is_refused_with_its_line(wings, tmp_path, blocks, told):
    with pytest.raises(DatasetError, match=told):
        run_import(tps(tmp_path, *blocks), *wings)


def test_a_scale_for_some_images_only_is_refused(wings, tmp_path):
    with pytest.raises(DatasetError, match=r"line 7: no SCALE=, where --scale-unit needs"):
        run_import(tps(tmp_path, A + "\nSCALE=0.02", B), *wings, "--scale-unit", "mm")
    with pytest.raises(DatasetError, match="give one"):
        run_import(tps(tmp_path, A), *wings, "--scale-unit", "mm", "--spacing", "1")


def test_points_of_a_tps_in_3d_need_a_stated_world(tmp_path):
    image = volume(tmp_path / "skulls" / "a.nrrd", (1, 2, 3))
    l, p, s = image.grid.to_lps((1, 2, 3))  # noqa: E741
    file = tps(tmp_path, f"LM3=2\n{-l} {-p} {s}\nNA NA NA\nIMAGE=a.nrrd")
    command = [file, "--images", tmp_path / "skulls", "--output", tmp_path / "out"]
    with pytest.raises(DatasetError, match="--system RAS, or LPS"):
        run_import(*command)
    run_import(*command, "--system", "RAS")
    assert value_at(tmp_path / "out", "a", "1") == 100
    assert imported(tmp_path / "out", "a")[1].state("2") is PointState.UNJUDGED


# --- DeepLabCut ---------------------------------------------------------------------------------

THREE_ROWS = (
    "scorer,me,me,me,me\nbodyparts,nose,nose,tail,tail\ncoords,x,y,x,y\n"
    "labeled-data/video/a.png,4.0,6.0,,\nlabeled-data/video/b.png,9,15,NaN,NaN\n"
)
PATH_IN_THREE_CELLS = (
    "scorer,,,me,me,me,me\nbodyparts,,,nose,nose,tail,tail\ncoords,,,x,y,x,y\n"
    "labeled-data,video,a.png,4.0,6.0,,\nlabeled-data,video,b.png,9,15,,\n"
)
FOUR_ROWS = (
    "scorer,me,me,me,me\nindividuals,mouse,mouse,single,single\nbodyparts,nose,nose,tail,tail\n"
    "coords,x,y,x,y\nlabeled-data/video/a.png,4.0,6.0,,\nlabeled-data/video/b.png,9,15,,\n"
)


@pytest.fixture
def video(tmp_path):
    photograph(tmp_path / "project" / "labeled-data" / "video" / "a.png", 4, 6)
    photograph(tmp_path / "project" / "labeled-data" / "video" / "b.png", 9, 15)
    return ("--images", tmp_path / "project", "--output", tmp_path / "out")


@pytest.mark.parametrize("text", [THREE_ROWS, PATH_IN_THREE_CELLS, FOUR_ROWS])
def test_deeplabcut_counts_pixels_from_the_top_left(video, tmp_path, text):
    run_import(text_file(tmp_path / "CollectedData_me.csv", text), *video)
    for case in "ab":
        assert value_at(tmp_path / "out", case, "nose") == 255
        assert imported(tmp_path / "out", case)[1].state("tail") is PointState.UNJUDGED


def test_of_several_animals_the_name_says_whose_the_part_is(video, tmp_path):
    text = FOUR_ROWS.replace("single,single", "rat,rat")
    run_import(text_file(tmp_path / "CollectedData_me.csv", text), *video)
    assert imported(tmp_path / "out", "a")[1].names == ("mouse_nose", "rat_tail")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("coords,x,y,x,y", "coords,x,y,likelihood,x", "line 3: a column 'likelihood'"),
        ("coords,x,y,x,y", "coords,x,y,y,x", "line 3: each body part needs the columns x and y"),
        ("scorer,me,me,me,me", "scorer,me,me,you,you", "several people labelled, me, you"),
        ("tail,tail", "nose,nose", "the landmark 'nose' stands there twice"),
        ("a.png,4.0,6.0,,", "a.png,4.0,6.0,", "line 4 has 4 cells, its header 5"),
        ("a.png,4.0,6.0,,", "a.png,4.0,,,", r"line 4: landmark 'nose' stands at \(4.0, \)"),
        ("bodyparts", "parts", "rows that begin with scorer, parts, coords"),
        ("video/b.png", "other/b.png", "no image for labeled-data/other/b.png"),
    ],
)
def test_a_deeplabcut_table_that_leaves_a_doubt_is_refused(video, tmp_path, old, new, told):
    text = THREE_ROWS.replace(old, new)
    assert text != THREE_ROWS
    with pytest.raises(DatasetError, match=told):
        run_import(text_file(tmp_path / "CollectedData_me.csv", text), *video)


# --- ISBI ---------------------------------------------------------------------------------------

NINETEEN = ["4,6"] + [f"{n},{n}" for n in range(1, 19)]
CLASSES = ["1", "1", "2", "3", "1", "2", "4", "1"]


@pytest.fixture
def cephalograms(tmp_path):
    photograph(tmp_path / "RawImage" / "001.bmp", 4, 6)
    return ("--images", tmp_path / "RawImage", "--output", tmp_path / "out")


def test_isbi_counts_tenths_of_a_millimetre_from_the_top_left(cephalograms, tmp_path):
    text_file(tmp_path / "400_senior" / "001.txt", "\r\n".join(NINETEEN + CLASSES) + "\r\n\r\n")
    run_import(tmp_path / "400_senior", *cephalograms)
    image, annotation = imported(tmp_path / "out", "001")
    assert value_at(tmp_path / "out", "001", "Sella") == 255
    assert annotation.position_lps("Sella").tolist() == pytest.approx([0.4, 0.6, 0])
    assert np.allclose(image.grid.spacing_mm[:2], 0.1)
    assert len(annotation.names) == 19 and annotation.names[-1] == "Articulare"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (NINETEEN[:-1] + CLASSES, "001.txt' has 18 lines x,y"),
        (NINETEEN + ["5,5"], "001.txt' has 20 lines x,y"),
        (NINETEEN[:3] + CLASSES + NINETEEN[3:], "19 come first"),
        (["4,x"] + NINETEEN[1:], r"line 1: landmark 'Sella' stands at \(4, x\)"),
        (["4,6,1"] + NINETEEN[1:], "line 1: 3 numbers, not 2"),
    ],
)
def test_an_isbi_file_that_leaves_a_doubt_is_refused(cephalograms, tmp_path, lines, told):
    text_file(tmp_path / "400_senior" / "001.txt", "\n".join(lines))
    with pytest.raises(DatasetError, match=told):
        run_import(tmp_path / "400_senior", *cephalograms, "--format", "isbi")


def test_of_both_isbi_readers_one_has_to_be_chosen(cephalograms, tmp_path):
    text_file(tmp_path / "by_hand" / "400_senior" / "001.txt", "\n".join(NINETEEN))
    with pytest.raises(DatasetError, match="give one of its folders, 400_senior"):
        run_import(tmp_path / "by_hand", *cephalograms, "--format", "isbi")


def test_another_spacing_than_the_challenges_is_refused(cephalograms, tmp_path):
    text_file(tmp_path / "400_senior" / "001.txt", "\n".join(NINETEEN))
    with pytest.raises(DatasetError, match="challenge defines 0.1, and 0.2 is stated"):
        run_import(tmp_path / "400_senior", *cephalograms, "--spacing", "0.2")


# --- Slicer's files -----------------------------------------------------------------------------


def fcsv(path, system, rows):
    head = f"# CoordinateSystem = {system}\n# columns = id,x,y,z,label,desc\n"
    return text_file(path, head + "".join(f"1,{x},{y},{z},{n},\n" for n, (x, y, z) in rows.items()))


@pytest.mark.parametrize(("system", "signs"), [("0", (-1, -1, 1)), ("LPS", (1, 1, 1))])
def test_each_fcsv_says_itself_whether_it_is_in_ras_or_lps(tmp_path, system, signs):
    image = volume(tmp_path / "images" / "a.nrrd", (1, 2, 3))
    position = image.grid.to_lps((1, 2, 3)) * signs
    fcsv(tmp_path / "marks" / "a.fcsv", system, {"AC": position})
    out = tmp_path / "out"
    run_import(tmp_path / "marks", "--images", tmp_path / "images", "--output", out)
    assert value_at(out, "a", "AC") == 100
    assert np.allclose(imported(out, "a")[0].ijk_to_lps, oblique())


def test_an_fcsv_without_a_coordinate_system_is_refused(tmp_path):
    volume(tmp_path / "a.nrrd", (1, 2, 3))
    text_file(tmp_path / "a.fcsv", "# columns = id,x,y,z,label\n1,1,2,3,AC\n")
    with pytest.raises(AnnotationError, match="CoordinateSystem"):
        run_import(tmp_path / "a.fcsv", "--images", tmp_path, "--output", tmp_path / "out")


def test_the_image_of_an_fcsv_is_of_its_name_or_ends_as_stated_or_is_given(tmp_path):
    image = volume(tmp_path / "images" / "a_T1w.nrrd", (1, 2, 3))
    file = fcsv(tmp_path / "a_afids.fcsv", "LPS", {"AC": image.grid.to_lps((1, 2, 3))})
    command = [file, "--images", tmp_path / "images", "--output"]
    with pytest.raises(DatasetError, match="no image for a_afids; state --endings"):
        run_import(*command, tmp_path / "out")
    with pytest.raises(DatasetError, match="does not end in '_T1w'"):
        run_import(*command, tmp_path / "out", "--endings", "_T1w", "_afids")
    run_import(*command, tmp_path / "out", "--endings", "_afids", "_T1w")
    assert value_at(tmp_path / "out", "a_T1w", "AC") == 100
    one = tmp_path / "images" / "a_T1w.nrrd"
    run_import(file, "--images", one, "--output", tmp_path / "again")
    assert value_at(tmp_path / "again", "a_T1w", "AC") == 100


def test_several_fcsv_are_several_cases_and_a_slip_of_the_pen_is_told(tmp_path, capsys):
    for case, name in (("a", "AC"), ("b", "AC"), ("c", "CA")):
        image = volume(tmp_path / f"{case}.nrrd", (1, 2, 3))
        fcsv(tmp_path / f"{case}.fcsv", "LPS", {name: image.grid.to_lps((1, 2, 3))})
    files = [tmp_path / f"{case}.fcsv" for case in "abc"]
    run_import(*files, "--images", tmp_path, "--output", tmp_path / "out")
    assert (
        "Not each of the 3 lists has all landmarks: 'AC' (2), 'CA' (1)." in capsys.readouterr().out
    )
    assert imported(tmp_path / "out", "c")[1].state("AC") is PointState.UNJUDGED


def test_of_a_mrk_json_only_what_a_person_said_is_taken(tmp_path):
    image = volume(tmp_path / "images" / "a.nrrd", (1, 2, 3))
    position = tuple(image.grid.to_lps((1, 2, 3)))
    points = {
        "AC": Point(PointState.PLACED, position, definition="anterior commissure"),
        "PC": Point(PointState.PREDICTED, position, 0.9),
        "PMJ": Point(PointState.ABSENT),
    }
    write_annotation(tmp_path / "a.mrk.json", Annotation(points))
    command = ["--images", tmp_path / "images", "--output", tmp_path / "out"]
    run_import(tmp_path / "a.mrk.json", *command)
    found = imported(tmp_path / "out", "a")[1]
    assert value_at(tmp_path / "out", "a", "AC") == 100
    assert found.points["AC"].definition == "anterior commissure"
    assert found.state("PC") is PointState.UNJUDGED
    assert found.state("PMJ") is PointState.ABSENT


# --- nnLandmark ---------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    """A folder as nnLandmark has it: two cases to train, one to test without its image."""
    folder = tmp_path / "Dataset732_Heads"
    volume(folder / "imagesTr" / "a_0000.nii.gz", (1, 2, 3))
    volume(folder / "imagesTr" / "b_0000.nii.gz", (5, 4, 2))
    cases = {
        "a": {"nose": [1, 2, 3], "chin": [7, 0.5, 0]},
        "b": {"nose": [5.0, 4.0, 2.0]},
        "test": {"nose": [0, 0, 0]},
    }
    json_file(folder / "all_landmarks_voxel.json", cases)
    return folder


def test_nnlandmark_counts_voxels_in_the_order_of_the_axes(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    run_import(dataset, "--output", out)
    assert value_at(out, "a", "nose") == value_at(out, "b", "nose") == 100
    image, annotation = imported(out, "a")
    assert np.allclose(image.grid.to_ijk(annotation.position_lps("chin")), [7, 0.5, 0], atol=1e-4)
    assert imported(out, "b")[1].state("chin") is PointState.UNJUDGED
    assert not (out / "test.nrrd").exists()
    told = capsys.readouterr().out
    assert "1 cases have no image in the image folder" in told
    assert "read as voxel indices" in told


@pytest.mark.parametrize(("choice", "spacing"), [("image", [1, 2, 3]), ("annotation", [2, 2, 1])])
def test_where_nnlandmarks_files_contradict_each_other_the_user_has_to_choose(
    dataset, tmp_path, choice, spacing
):
    said = {"image_spacing": [1, 2, 3], "annotation_spacing": [2, 2, 1]}
    json_file(dataset / "spacing.json", {"a": said, "b": said})
    with pytest.raises(DatasetError, match="1 x 2 x 3 mm, its annotation says 2 x 2 x 1 mm"):
        run_import(dataset, "--output", tmp_path / "out")
    run_import(dataset, "--output", tmp_path / "out", "--spacing-of", choice)
    assert np.allclose(imported(tmp_path / "out", "a")[0].grid.spacing_mm, spacing, atol=1e-4)
    assert value_at(tmp_path / "out", "a", "nose") == 100


def test_nnlandmark_in_millimetres_needs_a_stated_world(dataset, tmp_path):
    image = volume(tmp_path / "images" / "a.nrrd", (1, 2, 3))
    l, p, s = image.grid.to_lps((1, 2, 3))  # noqa: E741
    file = json_file(dataset / "all_landmarks_mm.json", {"a": {"nose": [-l, -p, s]}})
    command = [file, "--images", tmp_path / "images", "--output", tmp_path / "out"]
    with pytest.raises(DatasetError, match="State --system RAS or LPS"):
        run_import(*command)
    run_import(*command, "--system", "RAS")
    assert value_at(tmp_path / "out", "a", "nose") == 100
    other = file.rename(dataset / "points.json")
    with pytest.raises(DatasetError, match="state --unit px for voxel indices"):
        run_import(other, *command[1:3], "--output", tmp_path / "other")


def test_nnlandmark_on_pictures(tmp_path):
    photograph(tmp_path / "d" / "imagesTr" / "a_0000.png", 4, 6)
    json_file(tmp_path / "d" / "landmark_coordinates.json", {"a": {"p1": [4.0, 6.0]}})
    entry = {"image_spacing": [0.1, 0.1], "annotation_spacing": 0.1}
    json_file(tmp_path / "d" / "spacing.json", {"a": entry})
    run_import(tmp_path / "d", "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "a", "p1") == 255
    assert np.allclose(imported(tmp_path / "out", "a")[0].grid.spacing_mm[:2], 0.1)
    run_import(tmp_path / "d", "--output", tmp_path / "other", "--spacing", "0.2")
    assert np.allclose(imported(tmp_path / "other", "a")[0].grid.spacing_mm[:2], 0.2)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"a": {"nose": [1, 2]}, "b": {"nose": [1, 2, 3]}}, "points of x and y need 2D"),
        ({"a": {"nose": [1, 2], "chin": [1, 2, 3]}, "b": {}}, "case 'a': some landmarks have 2"),
        ({"a": {"nose": [1, "two", 3]}, "b": {}}, "case 'a': landmark 'nose' is"),
        ({"a": {"nose": [1, 2, 3]}}, "has no landmarks for .*b_0000.nii.gz"),
        ({"a": [1, 2, 3], "b": {}}, "'a' is no such case"),
        ({"1": {"coordinates": [1, 2, 3], "likelihood": 0.9}}, "is what nnLandmark predicted"),
        ([1], "is no JSON object"),
    ],
)
def test_an_nnlandmark_file_that_leaves_a_doubt_is_refused(dataset, tmp_path, document, told):
    json_file(dataset / "all_landmarks_voxel.json", document)
    with pytest.raises(DatasetError, match=told):
        run_import(dataset, "--output", tmp_path / "out")


def test_several_channels_of_one_case_are_refused(dataset, tmp_path):
    volume(dataset / "imagesTr" / "a_0001.nii.gz", (1, 2, 3))
    with pytest.raises(DatasetError, match="are of one case; copy the channel"):
        run_import(dataset, "--output", tmp_path / "out")


@pytest.mark.parametrize("count", ["²", "١٢", "1_0", "-1", "9" * 5000, ""])
def test_a_number_of_landmarks_in_odd_digits_is_refused_with_its_line(tmp_path, count):
    path = tmp_path / "a.tps"
    path.write_text(f"LM={count}\n1 2\nIMAGE=a.png\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 1: .*needs a whole number") as refusal:
        read_table(path, Stated())
    assert len(str(refusal.value)) < 1000
