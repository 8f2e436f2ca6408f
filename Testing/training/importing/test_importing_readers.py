"""Tables of several readers: the mean of their points, and how far apart they are."""

import csv

import numpy as np
import pytest
from PIL import Image

from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError
from small_tables import imported, picture, run_import, text_file

FRAME = ("--unit", "px", "--origin", "top-left", "--spacing", "0.5")


@pytest.fixture
def command(tmp_path):
    for case in "abc":
        picture(tmp_path / "pictures" / f"{case}.mha", 4, 6)
    return ("--images", tmp_path / "pictures", "--output", tmp_path / "out", *FRAME)


def tables(tmp_path, *texts):
    return [text_file(tmp_path / f"reader{n}.csv", text) for n, text in enumerate(texts)]


def test_a_point_is_the_mean_of_the_readers_who_marked_it(command, tmp_path, capsys):
    senior = "id,x1,y1,x2,y2,x3,y3\na,4,6,8,8,,\nb,2,2,3,3,,\n"
    junior = "id,x1,y1,x2,y2,x3,y3\na,10,14,,,,\nc,1,1,3,3,,\n"
    run_import(*tables(tmp_path, senior, junior), *command, "--combine", "mean")
    out = tmp_path / "out"
    a = imported(out, "a")[1]
    assert np.allclose(a.position_lps("1"), [3.5, 5, 0])  # of (2, 3) and (5, 7) mm
    assert np.allclose(a.position_lps("2"), [4, 4, 0])
    assert a.state("3") is PointState.UNJUDGED
    assert np.allclose(imported(out, "b")[1].position_lps("1"), [1, 1, 0])
    assert np.allclose(imported(out, "c")[1].position_lps("1"), [0.5, 0.5, 0])
    assert "2 of 3 cases are of one reader alone" in capsys.readouterr().out


def test_the_distance_between_readers_is_told_for_each_landmark(command, tmp_path, capsys):
    first = "id,x1,y1,x2,y2\na,4,6,8,8\nb,4,6,9,9\n"
    second = "id,x1,y1,x2,y2\na,4,6,,\nb,4,16,9,9\n"
    third = "id,x1,y1,x2,y2\na,4,6,,\nb,4,6,9,9\n"
    run_import(*tables(tmp_path, first, second, third), *command, "--combine", "mean")
    with open(tmp_path / "out" / "readers.csv", newline="") as file:
        rows = {row["landmark"]: row for row in csv.DictReader(file)}
    # On b the pairs are 5, 0 and 5 mm apart, on a all of them 0.
    assert rows["1"]["cases"] == "2" and rows["1"]["largest_case"] == "b"
    assert float(rows["1"]["mean_mm"]) == pytest.approx(10 / 3 / 2, abs=1e-3)
    assert float(rows["1"]["largest_mm"]) == pytest.approx(5)
    assert rows["2"]["cases"] == "1" and float(rows["2"]["mean_mm"]) == 0
    assert "Distances between the 3 readers" in capsys.readouterr().out


def test_readers_of_photographs_are_pixels_apart(command, tmp_path, capsys):
    first, second = "id,x1,y1\nphoto,4,6\n", "id,x1,y1\nphoto,4,16\n"
    Image.fromarray(np.zeros((20, 10), np.uint8)).save(tmp_path / "pictures" / "photo.png")
    # Without --spacing, nothing says how large a pixel is.
    run_import(*tables(tmp_path, first, second), *command[:-2], "--combine", "mean")
    told = capsys.readouterr().out
    assert "mean px  largest px" in told and "10.00" in told


def test_a_landmark_that_no_two_readers_marked_has_no_distance(command, tmp_path):
    texts = ("id,x1,y1,x2,y2\na,4,6,,\n", "id,x1,y1,x2,y2\na,,,8,8\n")
    run_import(*tables(tmp_path, *texts), *command, "--combine", "mean")
    lines = (tmp_path / "out" / "readers.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == ["1,0,,,", "2,0,,,"]


def test_readers_who_name_landmarks_differently_are_refused(command, tmp_path):
    files = tables(tmp_path, "id,x_AC,y_AC\na,4,6\n", "id,x_ac,y_ac\na,4,6\n")
    with pytest.raises(DatasetError, match="has the landmark 'AC' and .* has 'ac', each without"):
        run_import(*files, *command, "--combine", "mean")
    names = text_file(tmp_path / "names", "anterior commissure\n")
    run_import(*files, *command, "--combine", "mean", "--names", names)
    assert imported(tmp_path / "out", "a")[1].names == ("anterior commissure",)


def test_two_tables_of_one_image_are_not_combined_unasked(command, tmp_path):
    files = tables(tmp_path, "id,x1,y1\na,4,6\n", "id,x1,y1\na,4,6\n")
    with pytest.raises(DatasetError, match="--combine mean"):
        run_import(*files, *command)


def test_one_table_has_nothing_to_be_combined_with(command, tmp_path):
    with pytest.raises(DatasetError, match="at least two readers"):
        run_import(*tables(tmp_path, "id,x1,y1\na,4,6\n"), *command, "--combine", "mean")


def test_tables_of_different_images_become_one_folder(command, tmp_path):
    run_import(*tables(tmp_path, "id,x1,y1\na,4,6\n", "id,x1,y1\nb,4,6\n"), *command)
    assert len(list((tmp_path / "out").glob("*.nrrd"))) == 2
    assert not (tmp_path / "out" / "readers.csv").exists()
