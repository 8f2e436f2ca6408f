"""Other people's tables: what is common to all formats - frames, images, names, all or nothing."""

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError
from landmark_heatmap.images.imageio import read_grid, read_image
from landmark_training.importing import FORMATS
from landmark_training.importing.frames import PictureFrame, VoxelFrame
from landmark_training.importing.images import ImageFolder
from small_tables import (
    imported,
    json_file,
    photograph,
    picture,
    run_import,
    text_file,
    value_at,
    volume,
)

PX = ("--unit", "px", "--origin", "top-left")


@pytest.fixture
def pictures(tmp_path):
    """Two pictures, bright at (4, 6) and at (9, 15)."""
    picture(tmp_path / "pictures" / "a.mha", 4, 6)
    picture(tmp_path / "pictures" / "b.mha", 9, 15)
    return tmp_path / "pictures"


def table(tmp_path, text, name="table.csv"):
    return text_file(tmp_path / name, text)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ("--unit px --origin top-left", "id,x1,y1\na.mha,4,6\nb,9,15\n"),
        ("--unit px --origin bottom-left", "id,X1,Y1\na.mha,4,14\nb,9,5\n"),
        ("--unit px --origin top-left --spacing 0.1", "id,x1,y1\na,4,6\nb.mha,9,15\n"),
        ("--unit mm --origin top-left --spacing 0.1", "id,x1,y1\na,0.4,0.6\nb,0.9,1.5\n"),
        ("--unit px --origin top-left", "a,4,6\nb,9,15\n"),
        ("--unit mm --origin bottom-left --spacing 0.5", "id,x1,y1\na,2,7\nb,4.5,2.5\n"),
        ("--unit px --origin top-left", "id,1_x,1_y\nsome/folder/a.jpg,4,6\nb,9,15\n"),
    ],
)
def test_in_every_frame_the_point_lies_on_its_pixel(pictures, tmp_path, frame, text):
    out = tmp_path / "out"
    run_import(table(tmp_path, text), "--images", pictures, "--output", out, *frame.split())
    assert sorted(path.name for path in out.iterdir()) == [
        "a.mrk.json",
        "a.nrrd",
        "b.mrk.json",
        "b.nrrd",
        "contact-sheet.pdf",
    ]
    for case in "ab":
        assert value_at(out, case, "1") == 255
        stated = float(frame.split("--spacing ")[1]) if "--spacing" in frame else 1.0
        assert np.allclose(imported(out, case)[0].grid.spacing_mm[:2], stated)


def test_a_medical_image_says_itself_how_large_its_pixels_are(tmp_path):
    picture(tmp_path / "pictures" / "a.nrrd", 4, 6, spacing_mm=0.25)
    out = tmp_path / "out"
    text = table(tmp_path, "id,x1,y1\na,1,1.5\n")
    frame = ("--unit", "mm", "--origin", "top-left")
    run_import(text, "--images", tmp_path / "pictures", "--output", out, *frame)
    assert value_at(out, "a", "1") == 255
    assert np.allclose(imported(out, "a")[0].grid.spacing_mm, [0.25, 0.25, 1])


def test_a_photograph_does_not(tmp_path, capsys):
    photograph(tmp_path / "pictures" / "a.png", 4, 6)
    command = [table(tmp_path, "id,x1,y1\na,4,6\n"), "--images", tmp_path / "pictures"]
    command += ["--output", tmp_path / "out", "--origin", "top-left"]
    with pytest.raises(DatasetError, match="--spacing MM"):
        run_import(*command, "--unit", "mm")
    run_import(*command, "--unit", "px")
    assert "pixels of 1 px (nothing says how large they are: --spacing)" in capsys.readouterr().out
    assert value_at(tmp_path / "out", "a", "1") == 255


def test_what_was_read_and_how_is_told(pictures, tmp_path, capsys):
    text = table(tmp_path, "id,x1,y1,x2,y2\na,4,6,,\nb,9,15,-3,2\n")
    run_import(text, "--images", pictures, "--output", tmp_path / "out", *PX)
    told = capsys.readouterr().out
    assert f"2 cases in {tmp_path / 'out'}: 2 landmarks, read as px from the top left" in told
    assert "3 points placed, 1 of them outside their image, 0 absent, 1 not marked" in told
    assert "Outside: in b. Training takes them for absent" in told


def test_points_of_which_none_lies_in_the_image_are_refused(pictures, tmp_path):
    text = table(tmp_path, "id,x1,y1,x2,y2\na,40,60,90,150\n")
    command = ["--images", pictures, "--output", tmp_path / "out", "--spacing", "0.1"]
    with pytest.raises(DatasetError, match=r"line 2: none of the 2 points .* mm from the top left"):
        run_import(text, *command, "--unit", "mm", "--origin", "top-left")


def test_an_empty_cell_is_a_landmark_that_nobody_judged(pictures, tmp_path):
    text = table(tmp_path, "id,x1,y1,x2,y2\na,4,6,,\nb,9,15,NA,NA\n")
    names = text_file(tmp_path / "names", "Nose\n\nTail\n")
    out = tmp_path / "out"
    run_import(text, "--images", pictures, "--output", out, *PX, "--names", names)
    for case in "ab":
        annotation = imported(out, case)[1]
        assert annotation.state("Nose") is PointState.PLACED
        assert annotation.state("Tail") is PointState.UNJUDGED


def test_a_part_of_the_rows_can_be_imported(pictures, tmp_path):
    text = table(tmp_path, "id,x1,y1\na,4,6\nb,9,15\n")
    out = tmp_path / "out"
    run_import(text, "--images", pictures, "--output", out, *PX, "--rows", "2", "2")
    assert [path.name for path in out.glob("*.nrrd")] == ["b.nrrd"]


@pytest.mark.parametrize("rows", [(0, 1), (2, 1), (1, 3)])
def test_rows_that_are_not_there_are_refused(pictures, tmp_path, rows):
    text = table(tmp_path, "id,x1,y1\na,4,6\nb,9,15\n")
    command = [text, "--images", pictures, "--output", tmp_path / "out", *PX, "--rows", *rows]
    with pytest.raises(DatasetError, match="has the rows 1 to 2"):
        run_import(*command)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,x1,y1\na,4,six\n", r"line 2: landmark '1' stands at \(4, six\)"),
        ("id,x1,y1\nb,9,15\na,4\n", "line 3: 'a' has 2 cells"),
        ("id,x1,y1\na,4,6,\n", "line 2: 'a' has 4 cells"),
        ("id,x1,y2\na,4,6\n", "line 1 needs the columns"),
        ("id,x1,y1,x1,y1\na,4,6,4,6\n", "the landmark '1' stands there twice"),
        ("id,x1,y1\nzebra,4,6\n", "has no image for zebra"),
        ("id,x1,y1\n7,4,6\n8,4,6\n", "none of the 2 images that the table names, 7, 8"),
        ("id,x1,y1\n,4,6\n", "line 2: the first cell"),
        ("id,x1,y1\na,nan,6\n", r"\(nan, 6\)"),
        ("id,x1,y1\na,1_0,6\n", "1_0"),
        ("id,x1,y1\na,,6\n", r"stands at \(, 6\)"),
        ('id,x1,y1\na,"4,5","6,5"\n', "decimal point"),
        ("id,x1,y1\n", "no rows"),
        ("", "is empty"),
    ],
)
def test_a_table_that_leaves_a_doubt_is_refused(pictures, tmp_path, text, told):
    command = [table(tmp_path, text), "--images", pictures, "--output", tmp_path / "out", *PX]
    with pytest.raises(DatasetError, match=told):
        run_import(*command)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stated", [(), ("--unit", "px"), ("--origin", "top-left")])
def test_a_table_without_a_stated_frame_is_refused(pictures, tmp_path, stated):
    text = table(tmp_path, "id,x1,y1\na,4,6\n")
    with pytest.raises(DatasetError, match="state --unit px or mm, and --origin"):
        run_import(text, "--images", pictures, "--output", tmp_path / "out", *stated)


@pytest.mark.parametrize("spacing", [0, -1, float("nan")])
def test_an_impossible_size_of_a_pixel_is_refused(spacing):
    with pytest.raises(DatasetError, match="positive"):
        PictureFrame("px", "top-left", spacing)


def test_points_of_two_numbers_do_not_fit_a_volume(tmp_path):
    volume(tmp_path / "pictures" / "a.nrrd", (1, 2, 3))
    command = [table(tmp_path, "id,x1,y1\na,4,6\n"), "--output", tmp_path / "out", *PX]
    with pytest.raises(DatasetError, match="8 x 7 x 6 voxels"):
        run_import(*command, "--images", tmp_path / "pictures")


def test_two_rows_of_one_case_are_refused_whatever_their_letters(pictures, tmp_path):
    picture(pictures / "A.mha", 4, 6)
    for rows in ("a,4,6\na.mha,4,7\n", "a,4,6\nA,4,6\n"):
        command = [table(tmp_path, "id,x1,y1\n" + rows), "--images", pictures, *PX]
        with pytest.raises(DatasetError, match="line 2 and .*line 3 are both of a case"):
            run_import(*command, "--output", tmp_path / "out")


def test_nothing_is_left_where_an_image_turns_out_to_be_damaged(pictures, tmp_path):
    whole = (pictures / "b.mha").read_bytes()
    (pictures / "b.mha").write_bytes(whole[:-20])
    text = table(tmp_path, "id,x1,y1\na,4,6\nb,9,15\n")
    before = set(tmp_path.iterdir())
    with pytest.raises(LandmarkHeatmapError, match="b.mha"):
        run_import(text, "--images", pictures, "--output", tmp_path / "out", *PX)
    assert set(tmp_path.iterdir()) == before


def test_a_folder_with_something_in_it_stays_as_it_is(pictures, tmp_path):
    kept = text_file(tmp_path / "out" / "mine.txt", "mine")
    command = [table(tmp_path, "id,x1,y1\na,4,6\n"), "--images", pictures, *PX]
    with pytest.raises(DatasetError, match="not an empty folder"):
        run_import(*command, "--output", tmp_path / "out")
    assert [kept] == list((tmp_path / "out").iterdir())
    kept.unlink()
    run_import(*command, "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "a", "1") == 255


def test_names_in_another_order_than_the_tables_are_noticed(pictures, tmp_path):
    text = table(tmp_path, "id,x_Nose,y_Nose,x_Tail,y_Tail\na,4,6,9,9\n")
    names = text_file(tmp_path / "names", "Tail\nNose\n")
    command = [text, "--images", pictures, "--output", tmp_path / "out", *PX, "--names", names]
    with pytest.raises(DatasetError, match="'Tail' where .* has 'Nose'"):
        run_import(*command)
    names.write_text("Nose\n")
    with pytest.raises(DatasetError, match="1 names are given for 2 landmarks"):
        run_import(*command)


def test_an_image_of_another_folder_is_another_image(tmp_path):
    """Frame 1 of one video is not frame 1 of another."""
    first = picture(tmp_path / "pictures" / "video1" / "img1.mha", 1, 1)
    images = ImageFolder(tmp_path / "pictures")
    assert images.find("labeled-data/video1/img1.png") == first
    assert images.find(r"labeled-data\video1\img1.png") == first
    assert images.find("img1") == first
    assert images.find("labeled-data/video2/img1.png") is None
    second = picture(tmp_path / "pictures" / "video2" / "img1.mha", 1, 1)
    images = ImageFolder(tmp_path / "pictures")
    assert images.find("labeled-data/video2/img1.png") == second
    with pytest.raises(DatasetError, match="could be any of .*video1.*video2"):
        images.find("img1")
    beside = picture(tmp_path / "pictures" / "img1.mha", 1, 1)
    assert ImageFolder(tmp_path / "pictures").find("img1.jpg") == beside


def test_the_header_alone_tells_the_grid_that_the_image_has(tmp_path):
    picture(tmp_path / "flat.nrrd", 1, 1, 0.3)
    photograph(tmp_path / "photograph.png", 1, 1)
    volume(tmp_path / "volume.nrrd", (1, 1, 1))
    for path in tmp_path.iterdir():
        told, read = read_grid(path), read_image(path).grid
        assert told.size_ijk == read.size_ijk
        assert np.allclose(told.ijk_to_lps, read.ijk_to_lps, atol=1e-12)


def test_every_format_is_recognised_as_itself_and_no_other(tmp_path):
    examples = {
        "csv": text_file(tmp_path / "points.csv", "id,x1,y1\na,1,2\n"),
        "fcsv": text_file(tmp_path / "a.fcsv", "# CoordinateSystem = RAS\n"),
        "mrk.json": text_file(tmp_path / "a.mrk.json", "{}"),
        "tps": text_file(tmp_path / "a.tps", "LM=1\n1 2\nIMAGE=a.jpg\n"),
        "deeplabcut": text_file(tmp_path / "CollectedData.csv", "scorer,me,me\n"),
        "nnlandmark": text_file(tmp_path / "d" / "all_landmarks_voxel.json", "{}").parent,
        "isbi": text_file(tmp_path / "400_senior" / "001.txt", "835,996\n").parent,
        "points": text_file(tmp_path / "long.csv", "image,landmark,x,y\na,1,2,3\n"),
        "nts": text_file(tmp_path / "a.nts", "1 1L 2 0 DIM=2\na\n1 2\n"),
        "pts": text_file(tmp_path / "a.pts", "Version 1.0\n1\nS000 1 2 3\n"),
        "morphologika": text_file(tmp_path / "m.txt", "[Individuals]\n1\n"),
        "sleap": text_file(tmp_path / "s.csv", "track,frame_idx,instance.score,a.x,a.y,a.score\n"),
        "coco": json_file(tmp_path / "c.json", {"images": [], "annotations": [], "categories": []}),
        "yolo": text_file(tmp_path / "y" / "a.txt", "0 0.5 0.5 1 1 0.25 0.75 2\n").parent,
    }
    assert set(examples) == {form.name for form in FORMATS}
    for name, path in examples.items():
        assert [form.name for form in FORMATS if form.recognises(path)] == [name]


def test_the_texts_that_are_no_csv_are_told_apart_by_how_they_begin(tmp_path):
    for name, text in (("csv", "a,1,2\n"), ("isbi", "835,996\n"), ("tps", "LM=1\n1 2\n")):
        path = text_file(tmp_path / f"{name}.txt", text)
        assert [form.name for form in FORMATS if form.recognises(path)] == [name]


def test_what_could_be_of_two_formats_is_refused_with_both(tmp_path):
    text_file(tmp_path / "both" / "001.txt", "835,996\n")
    text_file(tmp_path / "both" / "001.fcsv", "")
    with pytest.raises(DatasetError, match="state --format fcsv or --format isbi"):
        run_import(tmp_path / "both", "--images", tmp_path, "--output", tmp_path / "out")


def test_of_a_folder_of_folders_what_is_in_it_is_named(tmp_path):
    for reader in ("400_junior", "400_senior"):
        text_file(tmp_path / "by_hand" / reader / "001.txt", "835,996\n")
    with pytest.raises(DatasetError, match="give one of what is in it, 400_junior, 400_senior"):
        run_import(tmp_path / "by_hand", "--images", tmp_path, "--output", tmp_path / "out")


def test_what_contradicts_the_format_is_refused(pictures, tmp_path):
    text = table(tmp_path, "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\na.png,4,6\n")
    command = [text, "--images", pictures, "--output", tmp_path / "out"]
    with pytest.raises(
        DatasetError, match="DeepLabCut defines top-left, and bottom-left is stated"
    ):
        run_import(*command, "--origin", "bottom-left")
    with pytest.raises(DatasetError, match="format deeplabcut, which has no use for --system"):
        run_import(*command, "--system", "RAS")
    run_import(*command, *PX)
    assert value_at(tmp_path / "out", "a", "nose") == 255


def test_pairs_need_no_import(pictures, tmp_path):
    out = tmp_path / "pairs" / "heads"
    run_import(table(tmp_path, "a,4,6\n"), "--images", pictures, "--output", out, *PX)
    with pytest.raises(DatasetError, match="need no import"):
        run_import(tmp_path / "pairs", "--images", pictures, "--output", tmp_path / "again")


def test_voxels_of_another_spacing_stay_the_same_voxels(tmp_path):
    from landmark_training.importing.images import ImageFile

    volume(tmp_path / "a.nrrd", (1, 2, 3))
    image = ImageFile.read(tmp_path / "a.nrrd")
    frame = VoxelFrame(3, None, (2.0, 2.0, 1.5), "annotation")
    grid = frame.grid(image)
    assert np.allclose(grid.spacing_mm, [2.0, 2.0, 1.5])
    assert np.allclose(grid.to_ijk(frame.to_lps((1.5, 2.0, 3.0), grid)), [1.5, 2.0, 3.0])


def test_numbers_that_a_nameless_table_was_given_do_not_fight_with_names_that_are_numbers(
    pictures, tmp_path
):
    blocks = text_file(tmp_path / "t.tps", "LM=2\n4 6\n9 9\nIMAGE=a.png\n")
    names = text_file(tmp_path / "names", "0\n1\n")
    out = tmp_path / "out"
    run_import(blocks, "--images", pictures, "--output", out, "--names", names)
    assert read_annotation(out / "a.mrk.json").names == ("0", "1")


def test_a_table_whose_lines_end_as_on_old_macs_is_read(pictures, tmp_path):
    text = table(tmp_path, "id,x1,y1\ra,4,6\r")
    run_import(text, "--images", pictures, "--output", tmp_path / "out", *PX)
    assert read_annotation(tmp_path / "out" / "a.mrk.json").names == ("1",)
