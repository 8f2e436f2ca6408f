"""Whatever an annotation file holds, reading it gives an annotation or an AnnotationError."""

import copy
import json

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import (
    markups_document,
    read_annotation,
    write_annotation,
)
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.errors import AnnotationError

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)
EXAMPLE = Annotation(
    {
        "Head": Point(PointState.PLACED, (1.25, -2.5, 3.1), 0.5, "the centre"),
        "Neck": Point(PointState.PREDICTED, (0.1, 0.2, 0.3), 0.25),
        "Knee": Point(PointState.ABSENT),
    }
)
FCSV_HEADER = "# CoordinateSystem = 1\n# columns = x,y,z,label,desc\n"
SUFFIXES = (".mrk.json", ".fcsv", ".csv")
writable_text = st.text(st.characters(exclude_categories=["Cs"]))
json_value = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=6,
)
located_points = st.builds(
    Point,
    st.sampled_from([PointState.PLACED, PointState.PREDICTED]),
    st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3),
    st.none() | st.floats(0, 1),
    writable_text,
)
other_points = st.builds(Point, st.sampled_from([PointState.ABSENT, PointState.UNJUDGED]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def paths(node, path=()):
    """The paths to all values in a JSON document."""
    yield path
    children = {dict: lambda: node.items(), list: lambda: enumerate(node)}
    for key, value in children.get(type(node), tuple)():
        yield from paths(value, (*path, key))


def is_read_or_refused(path):
    try:
        annotation = read_annotation(path)
    except AnnotationError:
        return
    for point in annotation.points.values():
        assert point.position_lps is None or np.isfinite(point.position_lps).all()


@quick
@given(data=st.data())
def test_any_value_in_place_of_any_part_of_a_markups_file(folder, data):
    content = {"file": copy.deepcopy(markups_document(EXAMPLE))}
    *parents, last = data.draw(st.sampled_from(list(paths(content))[1:]))
    node = content
    for key in parents:
        node = node[key]
    node[last] = data.draw(json_value)
    path = folder / "any.mrk.json"
    path.write_text(json.dumps(content["file"]), encoding="utf-8")
    is_read_or_refused(path)


@quick
@given(content=st.binary(max_size=60), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes(folder, content, suffix):
    path = folder / f"bytes{suffix}"
    path.write_bytes(content)
    is_read_or_refused(path)


@quick
@given(rows=st.lists(st.text('0123456789.,;"\n\r -+aA\0#e', max_size=30), max_size=4))
def test_any_rows_of_a_table(folder, rows):
    for suffix, header in ((".fcsv", FCSV_HEADER), (".csv", "label,l,p,s\n")):
        path = folder / f"rows{suffix}"
        path.write_text(header + "\n".join(rows), encoding="utf-8")
        is_read_or_refused(path)


@quick
@given(
    points=st.dictionaries(
        writable_text.filter(str.strip), located_points | other_points, min_size=1
    )
)
def test_every_annotation_survives_its_file(folder, points):
    path = folder / "round.mrk.json"
    write_annotation(path, Annotation(points))
    assert read_annotation(path) == Annotation(points)
