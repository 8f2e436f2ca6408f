"""Landmark sets as files: written, read back, and taken from what else names landmarks."""

import json

import pytest

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.annotation.formats.fcsv import fcsv_text
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.annotation.sets.set_file import read_set, write_set
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.landmark_sources import landmark_set_from
from landmark_heatmap.errors import AnnotationError, DatasetError, ModelFileError
from landmark_heatmap.model.shipped import shipped_models

SET = LandmarkSet(
    (
        Landmark("Eye_L", "inner corner; of the left eye"),
        Landmark("Eye_R", "inner corner of the right eye"),
        Landmark("Nasion"),
    ),
    (("Eye_L", "Eye_R"),),
    "Face",
    ("Nasion",),
)


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_set_is_read_as_it_was_written(tmp_path):
    write_set(tmp_path / "face.json", SET)
    assert read_set(tmp_path / "face.json") == SET
    document = json.loads((tmp_path / "face.json").read_text(encoding="utf-8"))
    assert (document["schema"], document["schema_version"]) == ("landmark-heatmap-landmark-set", 1)
    assert document["landmarks"][2] == {"name": "Nasion", "definition": ""}


def test_a_set_is_not_written_as_an_annotation(tmp_path):
    for name in ("face.mrk.json", "face.csv"):
        with pytest.raises(AnnotationError, match=r"written as \.json"):
            write_set(tmp_path / name, SET)
    assert list(tmp_path.iterdir()) == []


def test_a_bare_document_is_a_set_with_pairs_as_its_names_tell(tmp_path):
    text = json.dumps({"landmarks": [{"name": "GoL"}, {"name": "GoR"}, {"name": "Me"}]})
    found = read_set(put(tmp_path / "jaw.json", text))
    assert (found.name, found.mirror_pairs) == ("", (("GoL", "GoR"),))


def test_that_there_are_no_pairs_can_be_stated(tmp_path):
    document = {"landmarks": [{"name": "GoL"}, {"name": "GoR"}], "mirror_pairs": []}
    assert read_set(put(tmp_path / "jaw.json", json.dumps(document))).mirror_pairs == ()


def test_labels_and_descriptions_of_annotations_are_a_set(tmp_path):
    annotation = Annotation(
        {
            "Eye_L": Point(PointState.PLACED, (1, 2, 3), definition="inner corner"),
            "Eye_R": Point(PointState.UNJUDGED),
            "Nasion": Point(PointState.ABSENT),
        }
    )
    write_annotation(tmp_path / "a.mrk.json", annotation)
    put(tmp_path / "a.fcsv", fcsv_text(annotation))
    for name in ("a.mrk.json", "a.fcsv"):
        found = read_set(tmp_path / name)
        assert found.names == ("Eye_L", "Eye_R", "Nasion")
        assert found.landmarks[0].definition == "inner corner"
        # A file may be called as the patient is.
        assert (found.mirror_pairs, found.name) == ((("Eye_L", "Eye_R"),), "")


@pytest.mark.parametrize(
    "text",
    [
        'label,definition\nEye_L,"left, inner"\nNasion,\n',
        "Name;Description\nEye_L;left, inner\nNasion\n",
        "definition\tlandmark\nleft, inner\tEye_L\n\tNasion\n",
        '\ufefflabel,r,a,s,defined,selected,description\nEye_L,1,2,3,1,1,"left, inner"\nNasion,,,,0,1,\n',
    ],
)
def test_tables_with_a_header_are_sets(tmp_path, text):
    found = read_set(put(tmp_path / "list.csv", text))
    assert found.landmarks == (Landmark("Eye_L", "left, inner"), Landmark("Nasion"))


def test_a_column_of_names_is_enough(tmp_path):
    found = read_set(put(tmp_path / "list.csv", "label\nSella\nNasion\n"))
    assert found.names == ("Sella", "Nasion")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "Sella\nNasion\n", "column 'label'.*'sella'"),
        ("a.csv", "id,x1,y1\na,1,2\n", "column 'label'"),
        ("a.csv", "label,definition\nA,one, two\n", "line 2: 3 cells for 2"),
        ("a.csv", "label,definition\nA,b\n,c\n", "line 3: the landmark has no name"),
        ("a.csv", "label\nA\nA\n", "line 3: 'A' stands there twice"),
        ("a.csv", "label\n", "names no landmark"),
        ("a.csv", "", "column 'label'"),
        ("a.json", "[1]", "needs a list 'landmarks'"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"landmarks": []}', "at least one"),
        ("a.json", '{"landmarks": [{"definition": "x"}]}', "it lacks 'name'"),
        ("a.json", '{"landmarks": [{"name": 3}]}', "needs a name, got 3"),
        ("a.json", '{"landmark_set": 3}', "no landmark set"),
        ("a.json", '{"landmarks": [{"name": "A"}], "schema": "other"}', "schema 'other'"),
        ("a.json", '{"landmarks": [{"name": "A"}], "schema_version": 2}', "Update"),
        ("a.json", '{"landmarks": [{"name": "A"}], "schema_version": true}', "no number"),
        ("a.json", '{"landmarks": [{"name": "A"}], "mirror_pairs": [["A", "B"]]}', "'B'"),
        ("a.doc", "A", "no file of landmarks"),
    ],
)
def test_what_is_no_set_is_refused_with_the_reason(tmp_path, name, text, told):
    path = put(tmp_path / name, text)
    with pytest.raises(AnnotationError, match=told) as refused:
        read_set(path)
    assert name in str(refused.value)


def test_a_set_comes_from_a_dataset_a_model_or_a_file(tmp_path):
    create_dataset(tmp_path / "data", SET)
    write_set(tmp_path / "face.json", SET)
    for path in (tmp_path / "data", tmp_path / "data" / "dataset.json", tmp_path / "face.json"):
        assert landmark_set_from(path) == SET
    assert len(landmark_set_from(shipped_models()["synthetic_hip"])) == 12
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError):
        landmark_set_from(tmp_path / "empty")
    with pytest.raises(ModelFileError):
        landmark_set_from(put(tmp_path / "m.safetensors", "x"))
