"""Annotation files: what is read, what is written, and that whatever is in doubt is refused."""

import json

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import (
    markups_document,
    read_annotation,
    write_annotation,
)
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.not_marked import Convention
from landmark_heatmap.errors import AnnotationError
from places import DATA

PLACED, PREDICTED = PointState.PLACED, PointState.PREDICTED
EXAMPLE = Annotation(
    {
        "Head, left": Point(PLACED, (1.25, -2.5, 3.1), 0.5, 'the "centre"'),
        "Kopf rechts (µ)": Point(PREDICTED, (0.1, 0.2, 1e-7), 0.25),
        "Knee": Point(PointState.ABSENT, None, 0.125, "below the image"),
        "Sacrum": Point(PointState.UNJUDGED),
        "Added": Point(PLACED, (0, 0, 0)),
    }
)
FCSV_HEADER = """# Markups fiducial file version = 4.11
# CoordinateSystem = {system}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
"""


def document():
    return {
        "markups": [
            {
                "type": "Fiducial",
                "coordinateSystem": "LPS",
                "coordinateUnits": "mm",
                "controlPoints": [
                    {"label": "A", "position": [1, 2, 3], "positionStatus": "defined"},
                    {"label": "B", "position": [4.5, 5, 6], "positionStatus": "defined"},
                ],
            }
        ]
    }


def first_point_with(**changes):
    changed = document()
    changed["markups"][0]["controlPoints"][0].update(changes)
    return changed


def list_with(**changes):
    changed = document()
    changed["markups"][0].update(changes)
    return changed


def without(key):
    changed = document()
    del changed["markups"][0][key]
    return changed


def read_text(tmp_path, name, text, landmarks=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_annotation(path, landmarks)


def read_document(tmp_path, content, landmarks=None):
    return read_text(tmp_path, "case.mrk.json", json.dumps(content), landmarks)


class TestMarkupsJson:
    def test_what_was_written_is_read_again(self, tmp_path):
        write_annotation(tmp_path / "case.mrk.json", EXAMPLE)
        assert read_annotation(tmp_path / "case.mrk.json") == EXAMPLE

    def test_the_order_of_the_points_is_kept(self, tmp_path):
        write_annotation(tmp_path / "case.mrk.json", EXAMPLE)
        assert read_annotation(tmp_path / "case.mrk.json").names == EXAMPLE.names

    def test_slicer_finds_what_it_needs_in_it(self):
        markup = markups_document(EXAMPLE)["markups"][0]
        assert (markup["coordinateSystem"], markup["coordinateUnits"]) == ("LPS", "mm")
        statuses = [point["positionStatus"] for point in markup["controlPoints"]]
        assert statuses == ["defined", "defined", "missing", "undefined", "defined"]
        # Slicer needs a number for every point.
        assert markup["measurements"][0]["controlPointValues"] == [0.5, 0.25, 0.125, 0.0, 0.0]

    def test_confidences_that_slicer_saved_are_read_from_its_measurement(self, tmp_path):
        measurement = {"name": "confidence", "controlPointValues": [0.5, 0.75]}
        annotation = read_document(tmp_path, list_with(measurements=[measurement]))
        assert [point.confidence for point in annotation.points.values()] == [0.5, 0.75]

    def test_confidences_for_another_number_of_points_say_nothing(self, tmp_path):
        measurement = {"name": "confidence", "controlPointValues": [0.5, 0.75, 1]}
        annotation = read_document(tmp_path, list_with(measurements=[measurement]))
        assert annotation.points["A"].confidence is None

    def test_ras_is_turned_into_lps(self, tmp_path):
        annotation = read_document(tmp_path, list_with(coordinateSystem="RAS"))
        assert annotation.points["A"].position_lps == (-1, -2, 3)

    @pytest.mark.parametrize("units", ["mm", ["mm", "mm", "mm"], ["mm", "UCUM", "millimeter"]])
    def test_units_may_be_stated_once_for_each_axis_or_as_a_code(self, tmp_path, units):
        read_document(tmp_path, list_with(coordinateUnits=units))

    def test_files_that_state_no_units_are_in_mm(self, tmp_path):
        assert read_document(tmp_path, without("coordinateUnits")).names == ("A", "B")

    @pytest.mark.parametrize("position", ["", [], [0, 0, 0], None])
    @pytest.mark.parametrize(
        ("status", "state"),
        [("missing", PointState.ABSENT), ("undefined", PointState.UNJUDGED)],
    )
    def test_a_point_without_place_is_read_whatever_stands_for_its_position(
        self, tmp_path, position, status, state
    ):
        content = first_point_with(position=position, positionStatus=status)
        assert read_document(tmp_path, content).points["A"] == Point(state)

    @pytest.mark.parametrize("position", ["", [], [1, 2], None])
    def test_a_preview_is_where_a_tool_put_it_and_nowhere_without_a_position(
        self, tmp_path, position
    ):
        preview = first_point_with(position=position, positionStatus="preview")
        assert read_document(tmp_path, preview).read_as["A"] is Convention.PREVIEW_NOWHERE
        preview = first_point_with(position=[1, 2, 3], positionStatus="preview")
        annotation = read_document(tmp_path, preview)
        assert annotation.state("A") is PLACED and annotation.read_as["A"] is Convention.PREVIEW

    @pytest.mark.parametrize(
        "kind", ["ROI", "Plane", "Line", "Angle", "Curve", "ClosedCurve", "TestType"]
    )
    def test_a_markup_that_is_no_list_of_points_is_refused_by_its_type(self, tmp_path, kind):
        content = document()
        content["markups"][0]["type"] = kind
        with pytest.raises(AnnotationError, match=f"type '{kind}'.*point list"):
            read_document(tmp_path, content)

    def test_a_point_that_says_nothing_of_its_status_is_placed(self, tmp_path):
        content = document()
        del content["markups"][0]["controlPoints"][0]["positionStatus"]
        assert read_document(tmp_path, content).state("A") is PLACED

    def test_a_list_saved_by_slicer_is_read(self, tmp_path):
        # As Slicer 5.12 wrote it, keys in its order.
        point = {
            "id": "2", "label": "P 1", "description": "", "associatedNodeID": "", "position": "",
            "orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0],
            "selected": True, "locked": False, "visibility": True, "positionStatus": "missing",
        }  # fmt: skip
        content = list_with(
            controlPoints=[point], locked=False, labelFormat="%N-%d", measurements=[]
        )
        assert read_document(tmp_path, content).state("P 1") is PointState.ABSENT

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (without("coordinateSystem"), "coordinateSystem is None"),
            (list_with(coordinateSystem="IJK"), "coordinateSystem is 'IJK'"),
            (list_with(coordinateSystem=["LPS"]), r"coordinateSystem is \['LPS'\]"),
            (list_with(coordinateUnits="um"), "coordinateUnits are 'um'"),
            (list_with(coordinateUnits=["mm", "mm", "um"]), "coordinateUnits are"),
            (list_with(coordinateUnits=["um", "UCUM", "micrometer"]), "coordinateUnits are"),
            (list_with(coordinateUnits=None), "coordinateUnits are None"),
            (list_with(coordinateUnits=[]), r"coordinateUnits are \[\]"),
            (without("controlPoints"), "'controlPoints' is None"),
            (list_with(controlPoints=[]), "no points"),
            (list_with(controlPoints={"label": "A"}), "'controlPoints' is {"),
            (list_with(controlPoints=["A"]), "point 1 is 'A'"),
            (list_with(measurements=3), "'measurements' is 3"),
            (first_point_with(label="B"), "label 'B' stands there twice"),
            (first_point_with(label=""), "point 1 has no label"),
            (first_point_with(label="  "), "point 1 has no label"),
            (first_point_with(label=None), "label of point 1 is None"),
            (first_point_with(label=7), "label of point 1 is 7"),
            (first_point_with(description=["x"]), "description of 'A'"),
            (first_point_with(positionStatus="lost"), "'A' has the unknown positionStatus 'lost'"),
            (first_point_with(positionStatus={}), "'A' has the unknown positionStatus {}"),
            (first_point_with(position=""), "'A' has the position ''"),
            (first_point_with(position="123"), "'A' has the position '123'"),
            (first_point_with(position=None), "'A' has the position None"),
            (first_point_with(position=[1, 2]), r"'A' has the position \[1, 2\]"),
            (first_point_with(position=[1, 2, 3, 4]), "'A' has the position"),
            (first_point_with(position=[1, 2, float("nan")]), "'A' has the position .*nan"),
            (first_point_with(position=[1, 2, float("inf")]), "'A' has the position .*inf"),
            (first_point_with(position=[1, 2, "3"]), "'A' has the position"),
            (first_point_with(position=[True, 2, 3]), "'A' has the position .True"),
            (first_point_with(position=[10**400, 2, 3]), "'A' has the position"),
            (first_point_with(position={"1": 0, "2": 0, "3": 0}), "'A' has the position"),
            (first_point_with(landmarkHeatmapConfidence="high"), "'A' has the confidence 'high'"),
            ({"markups": document()["markups"] * 2}, "holds 2 lists"),
            ({"markups": []}, "holds 0 lists"),
            ({"markups": {}}, "'markups' is {}"),
            ({"markups": None}, "'markups' is None"),
            ({"markups": [None]}, "the list is None"),
            ({}, "'markups' is None"),
            ([], r"the file is \[\]"),
            (None, "the file is None"),
            ("text", "the file is 'text'"),
        ],
    )
    def test_what_is_in_doubt_is_refused_with_file_and_value(self, tmp_path, content, words):
        with pytest.raises(AnnotationError, match=words) as refusal:
            read_document(tmp_path, content)
        assert "case.mrk.json" in str(refusal.value)

    @pytest.mark.parametrize("text", ["", "{", "[1,", "nul", "[" * 100_000, "\0", '{"markups"}'])
    def test_broken_json_is_refused(self, tmp_path, text):
        with pytest.raises(AnnotationError, match=r"case\.mrk\.json' is not valid JSON"):
            read_text(tmp_path, "case.mrk.json", text)

    def test_a_name_that_is_no_landmark_is_refused(self, tmp_path):
        landmarks = LandmarkSet((Landmark("A"), Landmark("b")))
        with pytest.raises(AnnotationError, match="'B' is not one of the landmarks A, b"):
            read_document(tmp_path, document(), landmarks)

    def test_a_long_value_does_not_flood_the_message(self, tmp_path):
        with pytest.raises(AnnotationError) as refusal:
            read_document(tmp_path, first_point_with(position=["x" * 10_000] * 10_000))
        assert len(str(refusal.value)) < 1000


class TestFcsv:
    @pytest.mark.parametrize(
        ("system", "position"),
        [
            ("0", (-1, -2, 3)), ("RAS", (-1, -2, 3)), ("ras", (-1, -2, 3)),
            ("1", (1, 2, 3)), ("LPS", (1, 2, 3)),
        ],
    )  # fmt: skip
    def test_numeric_and_named_coordinate_systems(self, tmp_path, system, position):
        text = FCSV_HEADER.format(system=system) + "1,1,2,3,0,0,0,1,1,1,0,A,where,\n"
        point = read_text(tmp_path, "case.fcsv", text).points["A"]
        assert point == Point(PLACED, position, definition="where")

    def test_the_status_that_slicer_adds_without_a_column_is_honoured(self, tmp_path):
        # As Slicer 5.12 writes it: 2 is defined, 3 missing, 0 undefined, 1 a preview.
        rows = [f"{n},-{n},-2,3,0,0,0,1,1,1,0,P{n},,,{status},0" for n, status in enumerate("2301")]
        annotation = read_text(
            tmp_path, "case.fcsv", FCSV_HEADER.format(system="LPS") + "\n".join(rows)
        )
        states = [point.state for point in annotation.points.values()]
        assert states == [PLACED, PointState.ABSENT, PointState.UNJUDGED, PLACED]
        assert annotation.read_as["P3"] is Convention.PREVIEW

    def test_a_spreadsheet_that_fills_the_lines_up_changes_nothing(self, tmp_path):
        rows = [f"{n},1,2,3,0,0,0,1,1,1,0,P{n},,,{status},0" for n, status in enumerate("203")]
        lines = [*FCSV_HEADER.format(system="LPS").splitlines(), *rows]
        text = "\n".join(line + "," * (15 - line.count(",")) for line in lines)
        annotation = read_text(tmp_path, "case.fcsv", text)
        states = [point.state for point in annotation.points.values()]
        assert states == [PLACED, PointState.UNJUDGED, PointState.ABSENT]

    def test_quoted_labels_may_hold_commas_and_quotes(self, tmp_path):
        row = '1,1,2,3,0,0,0,1,1,1,0,"P,0 ""q""","a, b",,2,0\n'
        annotation = read_text(tmp_path, "case.fcsv", FCSV_HEADER.format(system="1") + row)
        assert annotation.points == {'P,0 "q"': Point(PLACED, (1, 2, 3), None, "a, b")}

    def test_windows_line_ends_and_a_byte_order_mark_are_read(self, tmp_path):
        text = FCSV_HEADER.format(system=0) + "1,1,2,3,0,0,0,1,1,1,0,A,,\n"
        (tmp_path / "case.fcsv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        assert read_annotation(tmp_path / "case.fcsv").names == ("A",)

    @pytest.mark.parametrize(
        ("header", "row", "words"),
        [
            (FCSV_HEADER.format(system="2"), "", "CoordinateSystem is '2'"),
            (FCSV_HEADER.format(system=""), "", "CoordinateSystem is ''"),
            (FCSV_HEADER.format(system="1") + "# CoordinateSystem = 0\n", "", "the same throughout"),
            (FCSV_HEADER.format(system="1").replace("CoordinateSystem", "x"), "", "no line"),
            (FCSV_HEADER.format(system="1").replace("columns", "x"), "", "columns"),
            (FCSV_HEADER.format(system="1").replace("x,y,z", "x,y,w"), "", "x, y, z and label"),
            (FCSV_HEADER.format(system="1"), "", "no points"),
            (FCSV_HEADER.format(system="1"), "1,1,2,nan,0,0,0,1,1,1,0,A,,", "'A' has the position"),
            (FCSV_HEADER.format(system="1"), "1,1,,3,0,0,0,1,1,1,0,A,,", "'A' has the position"),
            (FCSV_HEADER.format(system="1"), "1,1,2_0,3,0,0,0,1,1,1,0,A,,", "'2_0'"),
            (FCSV_HEADER.format(system="1"), "1,1,2,3,0,0,0,1,1,1,0,,,", "point 1 has no label"),
            (FCSV_HEADER.format(system="1"), "1,1,2", "None"),
            # A decimal comma.
            (FCSV_HEADER.format(system="1"), "1,1,5,2,3,0,0,0,1,1,1,0,A,,", "15 cells for 14"),
            (FCSV_HEADER.format(system="1"), "1,1,2,3,0,0,0,1,1,1,0,A,,,9,0", "unknown status '9'"),
        ],
    )  # fmt: skip
    def test_what_is_in_doubt_is_refused_with_file_and_value(self, tmp_path, header, row, words):
        with pytest.raises(AnnotationError, match=words) as refusal:
            read_text(tmp_path, "case.fcsv", header + row + "\n")
        assert "case.fcsv" in str(refusal.value)

    def test_two_points_of_one_name_are_refused(self, tmp_path):
        row = "1,1,2,3,0,0,0,1,1,1,0,A,,\n"
        with pytest.raises(AnnotationError, match="'A' stands there twice"):
            read_text(tmp_path, "case.fcsv", FCSV_HEADER.format(system="1") + row * 2)


class TestCsv:
    def test_slicers_table_of_control_points_is_read(self, tmp_path):
        text = (
            '"label","l","p","s","defined","selected","visible","locked","description"\n'
            '"A",1,2,3,1,1,1,0,"a, b"\n"B",0,0,0,0,1,1,0,""\n'
        )
        annotation = read_text(tmp_path, "case.csv", text)
        assert annotation.points["A"] == Point(PLACED, (1, 2, 3), None, "a, b")
        assert annotation.state("B") is PointState.UNJUDGED

    def test_the_columns_say_the_coordinate_system(self, tmp_path):
        annotation = read_text(tmp_path, "case.csv", "Label,R,A,S\nX,1,2,3\n\n")
        assert annotation.points["X"].position_lps == (-1, -2, 3)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "it has none"),
            ("label,x,y,z\nA,1,2,3\n", "it has label, x, y, z"),
            ("l,p,s\n1,2,3\n", "columns label"),
            ("label,l,p,s,r,a\nA,1,2,3,4,5\n", "columns label"),
            ("label,l,p,s,L\nA,1,2,3,4\n", "each once"),
            ("label;l;p;s\nA;1;2;3\n", "columns label"),
            ("label,l,p,s\n", "no points"),
            ("label,l,p,s\nA,1,2\n", "'A' has the position"),
            ("label,l,p,s\nA,1,2,inf\n", "'A' has the position"),
            ("label,l,p,s\nA,1,5,2,3\n", "'A' has 5 cells for 4 columns"),
            ("label,l,p,s\nA,1,2,3\nA,1,2,3\n", "'A' stands there twice"),
            ("label,l,p,s,defined\nA,1,2,3,maybe\n", "'maybe' for 'defined'"),
            ("label,l,p,s\n,1,2,3\n", "point 1 has no label"),
            ('label,l,p,s\n"' + "x" * 200_000, "no.* table|not a table"),
        ],
    )
    def test_what_is_in_doubt_is_refused_with_file_and_value(self, tmp_path, text, words):
        with pytest.raises(AnnotationError, match=words) as refusal:
            read_text(tmp_path, "case.csv", text)
        assert "case.csv" in str(refusal.value)


class TestFiles:
    @pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv", ".csv"])
    @pytest.mark.parametrize(
        "content", [b"", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xfe\x00" * 99, b"\0" * 999]
    )
    def test_a_file_that_is_no_text_is_refused(self, tmp_path, suffix, content):
        path = tmp_path / f"case{suffix}"
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match="case"):
            read_annotation(path)

    def test_a_huge_file_is_refused_before_it_is_read(self, tmp_path):
        path = tmp_path / "case.csv"
        with open(path, "wb") as file:
            file.truncate(10**12)
        with pytest.raises(AnnotationError, match="it has 1000000000000 bytes"):
            read_annotation(path)

    def test_a_file_that_is_not_there_and_a_folder_are_refused(self, tmp_path):
        (tmp_path / "folder.csv").mkdir()
        for name in ("nowhere.csv", "folder.csv"):
            with pytest.raises(AnnotationError, match=f"{name}' cannot be read"):
                read_annotation(tmp_path / name)

    def test_another_extension_is_refused(self, tmp_path):
        with pytest.raises(AnnotationError, match="expected a file that ends in .mrk.json"):
            read_annotation(tmp_path / "case.json")
        with pytest.raises(AnnotationError, match="are written as .mrk.json only"):
            write_annotation(tmp_path / "case.fcsv", EXAMPLE)

    def test_what_cannot_be_written_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "case.mrk.json"
        write_annotation(path, EXAMPLE)
        before = path.read_bytes()
        with pytest.raises(UnicodeEncodeError):
            write_annotation(path, Annotation({"\ud800": Point(PLACED, (1, 2, 3))}))
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


class TestRealFiles:
    def test_hip_landmarks(self):
        files = sorted((DATA / "hip_ct" / "landmarks").glob("*.mrk.json"))
        if not files:
            pytest.skip(f"the hip CTs are not in {DATA}")
        for path in files:
            annotation = read_annotation(path)
            assert len(annotation.points) == 37
            assert {point.state for point in annotation.points.values()} == {PLACED}
        first = read_annotation(files[0]).points["Pelvis_SC"]
        assert first == Point(PLACED, (-293.6739, 263.563, -525.2266), None, "Sacral Center (SC)")

    def test_a_coordinate_system_of_0_is_ras(self):
        files = list((DATA / "brain_afids").glob("*groundtruth_afids.fcsv"))
        if not files:
            pytest.skip(f"the brain landmarks are not in {DATA}")
        annotation = read_annotation(files[0])
        assert len(annotation.points) == 32
        ac = annotation.points["1"]
        assert ac.definition == "AC"
        np.testing.assert_allclose(ac.position_lps, (0.2, -2.7, -4.9), atol=0.05)
