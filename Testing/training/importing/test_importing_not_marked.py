"""What is not marked is no label, whatever the file calls it, and nothing placed is no success."""

import pytest

from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import AnnotationError, DatasetError
from small_tables import imported, json_file, photograph, run_import, text_file, value_at, volume

PX = ("--unit", "px", "--origin", "top-left")


@pytest.fixture
def wings(tmp_path):
    """Two photographs, bright at (4, 6) and at (9, 15), and where to import them."""
    photograph(tmp_path / "wings" / "a.png", 4, 6)
    photograph(tmp_path / "wings" / "b.png", 9, 15)
    return ("--images", tmp_path / "wings", "--output", tmp_path / "out")


def states(tmp_path, case):
    return [point.state for point in imported(tmp_path / "out", case)[1].points.values()]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("-1,-1", "-1 -1 (1)"),
        ("0,0", "0 0 (1)"),
        ("0.0,0", "0 0 (1)"),
        ("-999,-999", "a code for missing (1)"),
        ("-7,-2", "negative (1)"),
        (",", "empty (1)"),
        ("N/A,n/a", "empty (1)"),
        ("NaN,None", "empty (1)"),
        (".,-", "empty (1)"),
        ("#N/A,#N/A", "empty (1)"),
        ("9999,9999", "a code for missing (1)"),
        ("999,999", "a code for missing (1)"),
        ("1e9,1e9", "a code for missing (1)"),
    ],
)
def test_every_convention_of_a_table_is_not_marked_and_told(wings, tmp_path, capsys, cells, told):
    text_file(tmp_path / "t.csv", f"id,x1,y1,x2,y2\na,4,6,{cells}\nb,9,15,3,3\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert states(tmp_path, "a") == [PointState.PLACED, PointState.UNJUDGED]
    assert states(tmp_path, "b") == [PointState.PLACED, PointState.PLACED]
    out = capsys.readouterr().out
    assert f"Read as not marked: {told}." in out
    assert "0 of them outside their image, 0 absent, 1 not marked" in out


@pytest.mark.parametrize("cells", ["-1,5", "5,-1", "-1,0", "-9999,4", "9999,4"])
def test_half_a_missing_landmark_is_refused(wings, tmp_path, cells):
    text_file(tmp_path / "t.csv", f"id,x1,y1,x2,y2\na,4,6,{cells}\nb,9,15,3,3\n")
    with pytest.raises(DatasetError, match="line 2: landmark '2' .*means a missing landmark"):
        run_import(tmp_path / "t.csv", *wings, *PX)
    assert not (tmp_path / "out").exists()


def test_a_landmark_beside_its_picture_is_told_and_no_convention(wings, tmp_path, capsys):
    text_file(tmp_path / "t.csv", "id,x1,y1,x2,y2\na,4,6,-2.5,5\nb,9,15,3,3\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert "1 of them outside their image" in capsys.readouterr().out
    assert states(tmp_path, "a") == [PointState.PLACED, PointState.PLACED]


def test_several_zeros_of_one_image_are_not_marked(wings, tmp_path, capsys):
    text_file(tmp_path / "t.csv", "id,x1,y1,x2,y2,x3,y3\na,4,6,0,0,0,0\nb,9,15,1,0,0,1\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert "Read as not marked: 0 0 (2)." in capsys.readouterr().out


def test_zero_is_a_point_where_the_landmark_lies_beside_the_corner_elsewhere(wings, tmp_path):
    text_file(tmp_path / "t.csv", "id,x1,y1,x2,y2\na,4,6,0,0\nb,29,19,0,1\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert states(tmp_path, "a") == [PointState.PLACED, PointState.PLACED]


def test_zero_in_a_tps_is_not_marked(wings, tmp_path):
    text_file(tmp_path / "t.tps", "LM=2\n4 14\n0 0\nIMAGE=a.png\nLM=2\n9 5\n3 17\nIMAGE=b.png\n")
    run_import(tmp_path / "t.tps", *wings)
    assert states(tmp_path, "a") == [PointState.PLACED, PointState.UNJUDGED]


@pytest.mark.parametrize("first", ["nan,nan", ","])
def test_a_first_row_with_a_missing_landmark_is_no_header(wings, tmp_path, first):
    text_file(tmp_path / "t.csv", f"a,{first},8,3\nb,9,15,3,3\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert states(tmp_path, "a") == [PointState.UNJUDGED, PointState.PLACED]


@pytest.mark.parametrize("table", ["id,x1,y1\na,,\nb,NA,NA\n", "id,x1,y1\na,-1,-1\nb,0,0\n"])
def test_nothing_placed_is_refused_and_nothing_is_written(wings, tmp_path, table):
    text_file(tmp_path / "t.csv", table)
    with pytest.raises(DatasetError, match="No point is placed in .* Read as not marked"):
        run_import(tmp_path / "t.csv", *wings, *PX)
    assert not (tmp_path / "out").exists()


def markups(path, kind="Fiducial", status="preview"):
    points = [
        {"label": n, "position": [-5 + k, 4, 30], "positionStatus": status}
        for k, n in enumerate("AB")
    ]
    return json_file(
        path, {"markups": [{"type": kind, "coordinateSystem": "LPS", "controlPoints": points}]}
    )


def test_a_preview_with_a_position_is_where_a_tool_put_it(tmp_path, capsys):
    volume(tmp_path / "a.nrrd", (0, 0, 0))
    file = markups(tmp_path / "a.mrk.json")
    run_import(file, "--images", tmp_path / "a.nrrd", "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "a", "A") == 100
    out = capsys.readouterr().out
    assert "Read as placed: 'preview' with a position (2)." in out and "2 points placed" in out


@pytest.mark.parametrize("kind", ["Plane", "plane", "Curve", "closedCurve", "ANGLE", "Line", "Box"])
def test_no_markup_of_another_type_is_a_list_of_points(tmp_path, kind):
    volume(tmp_path / "a.nrrd", (0, 0, 0))
    file = markups(tmp_path / "a.mrk.json", kind, "defined")
    with pytest.raises(AnnotationError, match=f"of the type '{kind}'.*Fiducial"):
        run_import(file, "--images", tmp_path / "a.nrrd", "--output", tmp_path / "out")


@pytest.mark.parametrize("kind", ["Fiducial", "fiducial", "FIDUCIAL"])
def test_a_list_of_points_is_one_in_any_capitals(tmp_path, kind):
    volume(tmp_path / "a.nrrd", (0, 0, 0))
    file = markups(tmp_path / "a.mrk.json", kind, "defined")
    run_import(file, "--images", tmp_path / "a.nrrd", "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "a", "A") == 100


def test_an_undefined_list_is_refused_and_a_box_too(tmp_path):
    volume(tmp_path / "a.nrrd", (0, 0, 0))
    rest = ("--images", tmp_path / "a.nrrd", "--output", tmp_path / "out")
    with pytest.raises(DatasetError, match=r"No point is placed .*'undefined' \(2\)"):
        run_import(markups(tmp_path / "a.mrk.json", status="undefined"), *rest)
    with pytest.raises(AnnotationError, match="of the type 'ROI'"):
        run_import(markups(tmp_path / "a.mrk.json", "ROI", "defined"), *rest)


def test_what_is_stated_of_left_and_right_is_kept_for_fit(wings, tmp_path):
    from landmark_training.data.cases import find_cases, landmark_set_of

    text_file(tmp_path / "t.csv", "id,p_x,p_y,q_x,q_y,m_x,m_y\na,4,6,8,3,5,5\nb,9,15,3,3,5,5\n")
    pairs = text_file(tmp_path / "pairs.txt", "p,q\nm\n")
    run_import(tmp_path / "t.csv", *wings, *PX, "--pairs", pairs)
    landmarks = landmark_set_of([tmp_path / "out"], find_cases([tmp_path / "out"]))
    assert landmarks.mirror_pairs == (("p", "q"),) and landmarks.midline == ("m",)


def test_pairs_of_landmarks_that_are_not_there_are_refused(wings, tmp_path):
    text_file(tmp_path / "t.csv", "id,p_x,p_y\na,4,6\nb,9,15\n")
    pairs = text_file(tmp_path / "pairs.txt", "p,Q\n")
    with pytest.raises(DatasetError, match="name 'Q', which is none of the landmarks"):
        run_import(tmp_path / "t.csv", *wings, *PX, "--pairs", pairs)


def test_minus_one_in_a_world_is_not_marked_where_it_lies_outside_the_image(tmp_path, capsys):
    from landmark_heatmap.images.imageio import read_grid
    from landmark_training.data.cases import label_of

    image = volume(tmp_path / "a.nrrd", (1, 2, 3))
    x, y, z = image.grid.to_lps((1, 2, 3))
    text_file(tmp_path / "t.csv", f"id,A_x,A_y,A_z,B_x,B_y,B_z\na,{x},{y},{z},-1,-1,-1\n")
    options = ("--images", tmp_path, "--output", tmp_path / "out", "--system", "LPS")
    run_import(tmp_path / "t.csv", *options)
    assert "Outside their images: Read as not marked: -1 -1 (1)." in capsys.readouterr().out
    annotation = imported(tmp_path / "out", "a")[1]
    assert value_at(tmp_path / "out", "a", "A") == 100
    assert annotation.state("B") is PointState.UNJUDGED
    grid = read_grid(tmp_path / "a.nrrd")
    written = Annotation({"B": Point(PointState.PLACED, (1.0, 1.0, -1.0))})
    assert label_of(written, grid).state("B") is PointState.UNJUDGED
    written = Annotation({"B": Point(PointState.PLACED, (500.0, 1.0, -1.0))})
    assert label_of(written, grid).state("B") is PointState.ABSENT
