"""Tables as programs of many countries write them: separators, decimals, code pages, forms."""

import numpy as np
import pytest

from landmark_heatmap.errors import DatasetError
from small_tables import HEIGHT, imported, json_file, photograph, run_import, text_file, value_at

PX = ("--unit", "px", "--origin", "top-left")


@pytest.fixture
def wings(tmp_path):
    """Two photographs, bright at (4, 6) and at (9, 15), and where to import them."""
    photograph(tmp_path / "wings" / "a.png", 4, 6)
    photograph(tmp_path / "wings" / "b.png", 9, 15)
    return ("--images", tmp_path / "wings", "--output", tmp_path / "out")


def both_are_right(tmp_path, landmark="1"):
    return all(value_at(tmp_path / "out", case, landmark) == 255 for case in "ab")


@pytest.mark.parametrize(
    "text",
    [
        "id;x1;y1\na;4;6\nb;9;15\n",
        "id\tx1\ty1\na\t4\t6\nb\t9\t15\n",
        "id;x1;y1\na;4,0;6,25\nb;9,1;15,0\n",
        "sep=,\nid,x1,y1\na,4,6\nb,9,15\n",
        "sep=;\r\nid;x1;y1\r\na;4;6\r\nb;9;15\r\n",
        "\ufeffid;x1;y1\na;4;6\nb;9;15\n",
        "id,y1,x1\na,6,4\nb,15,9\n",
        "a;4,0;6,25\nb;9,1;15,0\n",
        "image,landmark,x,y\na.png,1,4,6\nb.png,1,9,15\n",
        "id,x1,y1,\na,4,6,\nb,9,15,\n",
        "id;x1;y1;;\na;4;6;;\nb;9;15;;\n",
        "a,4,6,\nb,9,15,\n",
        "ID\tX1\tY1\r\na\t4\t6\r\nb\t9\t15\r\n",
        '"id"\t"x1"\t"y1"\n"a"\t"4"\t"6"\n"b"\t"9"\t"15"\n',
        '"id";"x1";"y1"\n"a";"4,0";"6,0"\n"b";"9,0";"15,0"\n',
        "Bild;Landmarke;X;Y\na;1;4;6\nb;1;9;15\n",
        "image,landmark,x,y,\na.png,1,4,6,\nb.png,1,9,15,\n",
        "X;Y;Label;Image\n4,0;6,0;1;a.png\n9,0;15,0;1;b.png\n",
        "# made by R, 2024\n#\n\nid;x1;y1\na;4,5;6,25\nb;9;15\n",
        "# points of the wings\na,4,6\nb,9,15\n",
        "# id,x1,y1\na,4,6\nb,9,15\n",
        "#image,landmark,x,y\na.png,1,4,6\nb.png,1,9,15\n",
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(wings, tmp_path, text):
    text_file(tmp_path / "t.csv", text)
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert both_are_right(tmp_path)


@pytest.mark.parametrize("header", ["id,Nose.x,Nose.y", "id,x.Nose,y.Nose"])
def test_a_name_is_parted_from_its_axis_by_a_point_too(wings, tmp_path, header):
    text_file(tmp_path / "t.csv", header + "\na,4,6\nb,9,15\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert both_are_right(tmp_path, "Nose")


def test_the_line_is_counted_from_the_first_of_the_file(wings, tmp_path):
    text_file(tmp_path / "t.csv", "# made by R\n\nid,x1,y1\na,4,6\nb,9,?!\n")
    with pytest.raises(DatasetError, match="line 5: landmark '1' stands at"):
        run_import(tmp_path / "t.csv", *wings, *PX)


def test_an_image_whose_name_begins_like_a_remark_is_one(tmp_path):
    photograph(tmp_path / "im" / "#7.png", 4, 6)
    text_file(tmp_path / "t.csv", "#7,4,6\n")
    run_import(tmp_path / "t.csv", "--images", tmp_path / "im", "--output", tmp_path / "out", *PX)
    assert value_at(tmp_path / "out", "#7", "1") == 255


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_table_of_another_code_page_keeps_its_letters(wings, tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("id;Größe_x;Größe_y\na;4;6\nb;9;15\n".encode(encoding))
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert both_are_right(tmp_path, "Größe")


def test_commas_and_points_that_both_begin_decimals_are_refused(wings, tmp_path):
    text_file(tmp_path / "t.csv", "id;x1;y1\na;4,5;6\nb;9.5;15\n")
    with pytest.raises(DatasetError, match="line 2 has '4,5' and line 3 has '9.5'"):
        run_import(tmp_path / "t.csv", *wings, *PX)


@pytest.mark.parametrize(
    "text",
    [
        "id;x1;y1\na;1.004,0;6,0\n",
        'id,x1,y1\na,"1,004","6"\n',
        "id,x1,y1\na,1'004,6\n",
        'id,x1,y1\na,"4,0","6,0"\n',
    ],
)
def test_separators_of_thousands_are_refused_with_the_value(wings, tmp_path, text):
    text_file(tmp_path / "t.csv", text)
    with pytest.raises(DatasetError, match="line 2: landmark '1' stands at .* decimal point"):
        run_import(tmp_path / "t.csv", *wings, *PX)


def test_a_scale_between_other_lines_is_that_of_its_own_image(wings, tmp_path):
    text = "ID=0\n" + A + "SCALE=0.1\nIMAGE=a.png\nID=1\n" + B + "SCALE=0.2\nIMAGE=b.png\n"
    text_file(tmp_path / "t.tps", text)
    run_import(tmp_path / "t.tps", *wings, "--scale-unit", "mm")
    assert both_are_right(tmp_path)
    sizes = [imported(tmp_path / "out", case)[0].grid.spacing_mm[0] for case in "ab"]
    assert np.allclose(sizes, [0.1, 0.2])


def test_a_table_of_points_twice_is_refused(wings, tmp_path):
    text_file(tmp_path / "t.csv", "image,landmark,x,y\na,1,4,6\na,1,5,6\n")
    with pytest.raises(DatasetError, match="line 3: landmark '1' of 'a' comes twice"):
        run_import(tmp_path / "t.csv", *wings, *PX)


def test_a_table_of_points_without_a_column_for_the_image_is_refused(wings, tmp_path):
    text_file(tmp_path / "t.csv", "landmark,x,y\n1,4,6\n")
    with pytest.raises(DatasetError, match="none of the columns landmark, x, y is called image"):
        run_import(tmp_path / "t.csv", *wings, *PX)


A, B = f"LM=1\n4 {HEIGHT - 6}\n", f"LM=1\n9 {HEIGHT - 15}\n"


@pytest.mark.parametrize(
    "text",
    [
        A + "ID=a\n" + B + "ID=b\n",
        "ID=0\n" + A + "IMAGE=a.png\nID=1\n" + B + "IMAGE=b.png\n",
        (A + "IMAGE=a.png\n" + B + "IMAGE=b.png\n").replace("\n", "\r"),
        "\n\n" + A + "\nIMAGE=a.png\nCOMMENT=worn\n\n\n" + B + "IMAGE=b.png\n",
        "ID=0\nIMAGE=a.png\n" + A + "ID=1\nIMAGE=b.png\n" + B,
        "# written by tpsUtil\n" + A + "IMAGE=a.png\n" + B + "IMAGE=b.png\n",
        A + "IMAGE=A.PNG\n" + B + "IMAGE=C:\\wings\\B.JPG\n",
        A.replace("4 14", "4,0 14,25") + "IMAGE=a.png\n" + B + "IMAGE=b.png\n",
        A + "IMAGE=a.png\nLM=0\nIMAGE=c.png\n" + B + "CURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=b.png\n",
    ],
)
def test_a_tps_is_read_as_programs_write_it(wings, tmp_path, text):
    text_file(tmp_path / "t.tps", text)
    run_import(tmp_path / "t.tps", *wings)
    assert both_are_right(tmp_path)


def test_images_of_a_tps_without_landmarks_are_told(wings, tmp_path, capsys):
    text_file(tmp_path / "t.tps", A + "IMAGE=a.png\nLM=0\nIMAGE=b.png\n")
    run_import(tmp_path / "t.tps", *wings)
    assert "1 images without landmarks (LM=0) are left out" in capsys.readouterr().out
    assert not (tmp_path / "out" / "b.nrrd").exists()


def test_a_tps_of_a_windows_code_page_names_its_images(tmp_path):
    photograph(tmp_path / "wings" / "Größe.png", 4, 6)
    (tmp_path / "t.tps").write_bytes((A + "IMAGE=Größe.png\n").encode("cp1252"))
    run_import(tmp_path / "t.tps", "--images", tmp_path / "wings", "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "Größe", "1") == 255


def test_curves_alone_are_no_landmarks(wings, tmp_path):
    text_file(tmp_path / "t.tps", "LM=0\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a.png\n")
    with pytest.raises(DatasetError, match="only curves, whose points slide"):
        run_import(tmp_path / "t.tps", *wings)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.nts", '"a comment\n1 2L 2 0 DIM=2\na b\n4 6\n9 15\n'),
        ("t.nts", "1 2L 2L 1 -9 DIM=2\na\nb\nx1 y1\n4 6\n9 15\n"),
        ("t.nts", "1 2B 2 0 DIM=2\na 4 6\nb 9 15\n"),
        ("t.dta", "1 2L 2 1 9999 DIM=2\na\nb\n\n4 6\n9 15\n"),
        (
            "t.txt",
            "[Individuals]\n2\n[landmarks]\n1\n[Dimensions]\n2\n[names]\na\nb\n[rawpoints]\n'#1\n4 6\n\n"
            "'#2\n9 15\n",
        ),
    ],
)
def test_the_files_of_morphometrics_are_read(wings, tmp_path, name, text):
    text_file(tmp_path / name, text)
    run_import(tmp_path / name, *wings, *PX)
    assert both_are_right(tmp_path)


def test_what_an_nts_says_is_missing_is_not_marked(wings, tmp_path, capsys):
    text_file(tmp_path / "t.nts", "1 2L 4 1 7 DIM=2\na b\n4 6 7 7\n9 15 3 3\n")
    run_import(tmp_path / "t.nts", *wings, *PX)
    assert "a code for missing (1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2 3 4\n", "needs a line like '1 10L 36 0 DIM=3'"),
        ("1 2L 2 0 DIM=2\na b\n4 6\n", "announces"),
        ("1 2L 4 0\na b\n4 6\n", "DIM=2 or DIM=3 is missing"),
    ],
)
def test_an_nts_that_leaves_a_doubt_is_refused(wings, tmp_path, text, told):
    text_file(tmp_path / "t.nts", text)
    with pytest.raises(DatasetError, match=told):
        run_import(tmp_path / "t.nts", *wings, *PX)


def test_a_pts_of_landmark_editor_is_a_file_a_case(tmp_path):
    from small_tables import volume

    image = volume(tmp_path / "skulls" / "s.nrrd", (1, 2, 3))
    l, p, s = image.grid.to_lps((1, 2, 3))  # noqa: E741
    text = f"Version 1.0\n2\nS000 {-l} {-p} {s}\nS001 9999 9999 9999\n"
    text_file(tmp_path / "points" / "s.pts", text)
    rest = ("--images", tmp_path / "skulls", "--output", tmp_path / "out")
    with pytest.raises(DatasetError, match="--system RAS, or LPS"):
        run_import(tmp_path / "points", *rest)
    run_import(tmp_path / "points", *rest, "--system", "RAS")
    assert value_at(tmp_path / "out", "s", "S000") == 100
    assert imported(tmp_path / "out", "s")[1].position_lps("S001") is None


def coco(*annotations):
    return {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "wing", "keypoints": ["tip", "base"]}],
        "annotations": [
            {"id": n, "image_id": image, "category_id": 1, "keypoints": keypoints}
            for n, (image, keypoints) in enumerate(annotations)
        ],
    }


def test_coco_key_points_that_are_not_labelled_are_not_marked(wings, tmp_path, capsys):
    document = coco((1, [4, 6, 2, 0, 0, 0]), (2, [9, 15, 1, 3, 3, 2]))
    json_file(tmp_path / "c.json", document)
    run_import(tmp_path / "c.json", *wings)
    assert both_are_right(tmp_path, "tip")
    assert "visibility 0 (1)" in capsys.readouterr().out


def test_an_image_with_several_objects_is_refused(wings, tmp_path):
    json_file(tmp_path / "c.json", coco((1, [4, 6, 2, 1, 1, 2]), (1, [4, 6, 2, 1, 1, 2])))
    with pytest.raises(DatasetError, match="'a.png' has several objects"):
        run_import(tmp_path / "c.json", *wings)


def yolo(folder, case, x, y, rest=""):
    text_file(folder / f"{case}.txt", f"0 0.5 0.5 1 1 {x / 30} {y / 20}{rest}\n")


@pytest.mark.parametrize("rest", [" 2 0 0 0", " 1.000000 0.5 0.5 0"])
def test_yolo_key_points_are_shares_of_the_image(wings, tmp_path, rest, capsys):
    yolo(tmp_path / "labels", "a", 4, 6, rest)
    yolo(tmp_path / "labels", "b", 9, 15, rest)
    run_import(tmp_path / "labels", *wings)
    assert both_are_right(tmp_path)
    assert "visibility 0 (2)" in capsys.readouterr().out


def test_how_many_numbers_a_key_point_of_yolo_has_its_yaml_says(wings, tmp_path):
    text_file(tmp_path / "set" / "data.yaml", "names: [wing]\nkpt_shape: [3, 2]\n")
    for case, x, y in (("a", 4, 6), ("b", 9, 15)):
        yolo(tmp_path / "set" / "labels", case, x, y, " 0.25 0.5 0.5 0.75")
    run_import(tmp_path / "set", *wings)
    assert both_are_right(tmp_path)


def test_sleap_names_frames_by_their_numbers(tmp_path):
    photograph(tmp_path / "frames" / "fly_0003.png", 4, 6)
    photograph(tmp_path / "frames" / "fly_0012.png", 9, 15)
    text = (
        "track,frame_idx,instance.score,head.x,head.y,head.score,tail.x,tail.y,tail.score\n"
        "track_0,3,0.9,4,6,0.8,,,\ntrack_0,12,,9,15,,2,2,\n"
    )
    text_file(tmp_path / "s.csv", text)
    run_import(tmp_path / "s.csv", "--images", tmp_path / "frames", "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "fly_0003", "head") == 255
    assert value_at(tmp_path / "out", "fly_0012", "head") == 255
    text_file(tmp_path / "s.csv", text.replace("track_0,3", "track_0,4"))
    with pytest.raises(DatasetError, match="frame 4, and no image"):
        run_import(tmp_path / "s.csv", "--images", tmp_path / "frames", "--output", tmp_path / "o")


def test_a_whole_project_of_deeplabcut_knows_its_images(tmp_path):
    project = tmp_path / "project"
    text_file(project / "config.yaml", "scorer: me\n")
    for video, x, y in (("v1", 4, 6), ("v2", 9, 15)):
        folder = project / "labeled-data" / video
        photograph(folder / "img01.png", x, y)
        text_file(
            folder / "CollectedData_me.csv",
            "scorer,,,me,me\nbodyparts,,,nose,nose\ncoords,,,x,y\n"
            f"labeled-data,{video},img01.png,{x},{y}\n",
        )
    run_import(project, "--output", tmp_path / "out")
    assert value_at(tmp_path / "out", "v1-img01", "nose") == 255
    assert value_at(tmp_path / "out", "v2-img01", "nose") == 255


def test_a_project_that_several_people_labelled_is_refused(tmp_path):
    text_file(tmp_path / "config.yaml", "")
    for person in ("me", "you"):
        text_file(tmp_path / "labeled-data" / "v" / f"CollectedData_{person}.csv", "scorer\n")
    with pytest.raises(DatasetError, match="Several people labelled .*me, you"):
        run_import(tmp_path, "--output", tmp_path / "out")


def test_what_convert_writes_is_imported_again_as_it_was(wings, tmp_path):
    from landmark_heatmap import cli

    text_file(tmp_path / "t.csv", "id,x1,y1,x2,y2\na,4,6.5,,\nb,9,15,0.125,3\n")
    run_import(tmp_path / "t.csv", *wings, *PX, "--spacing", "0.5")
    before = {case: imported(tmp_path / "out", case)[1] for case in "ab"}
    for form, frame in (("tps", ("--scale-unit", "mm")), ("csv", (*PX, "--spacing", "0.5"))):
        written = tmp_path / f"again.{form}"
        options = ["convert", str(tmp_path / "out"), "--to", form, "--output", str(written)]
        assert cli.main(options) == 0
        again = tmp_path / f"again-{form}"
        run_import(written, "--images", tmp_path / "out", "--output", again, *frame)
        for case, annotation in before.items():
            found = imported(again, case)[1]
            for name in annotation.names:
                np.testing.assert_allclose(
                    found.positions_lps([name]), annotation.positions_lps([name]), atol=1e-9
                )


def test_in_3d_what_convert_writes_is_imported_again_as_it_was(tmp_path):
    from landmark_heatmap import cli
    from landmark_heatmap.annotation.annotation_files import write_annotation
    from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
    from small_tables import volume

    image = volume(tmp_path / "s" / "s.nrrd", (1, 2, 3))
    place = Point(PointState.PLACED, tuple(image.grid.to_lps((1, 2, 3))))
    written = Annotation({"N": place, "S": Point(PointState.UNJUDGED)})
    write_annotation(tmp_path / "s" / "s.mrk.json", written)
    for form, system in (("tps", "RAS"), ("csv", "LPS"), ("fcsv", "RAS"), ("mrk.json", "LPS")):
        single = form in ("tps", "csv")
        target = tmp_path / (f"all.{form}" if single else f"as-{form}")
        options = ["--to", form, "--output", str(target), "--system", system]
        assert cli.main(["convert", str(tmp_path / "s" / "s.mrk.json"), *options]) == 0
        rest = ("--system", system) if single else ()
        out = tmp_path / f"out-{form}"
        run_import(target, "--images", tmp_path / "s", "--output", out, *rest)
        again = imported(out, "s")[1]
        first, second = again.points.values()
        assert first.position_lps == pytest.approx(place.position_lps)
        assert second.state is PointState.UNJUDGED


def test_a_contact_sheet_lies_beside_the_cases_and_is_none(wings, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    from landmark_heatmap.images.imageio import is_image_file
    from landmark_training.data.cases import find_cases, images_without_annotation

    text_file(tmp_path / "t.csv", "id,x1,y1\na,4,6\nb,9,15\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    sheet = tmp_path / "out" / "contact-sheet.pdf"
    assert sheet.read_bytes().startswith(b"%PDF") and not is_image_file(sheet)
    assert str(sheet) in capsys.readouterr().out
    assert [case.name for case in find_cases([tmp_path / "out"])] == ["a", "b"]
    assert images_without_annotation([tmp_path / "out"]) == []


def test_without_matplotlib_the_import_is_done_and_says_so(wings, tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "landmark_heatmap.pictures.contact_sheet", None)
    text_file(tmp_path / "t.csv", "id,x1,y1\na,4,6\nb,9,15\n")
    run_import(tmp_path / "t.csv", *wings, *PX)
    assert "that needs matplotlib" in capsys.readouterr().out
    assert not (tmp_path / "out" / "contact-sheet.pdf").exists()
