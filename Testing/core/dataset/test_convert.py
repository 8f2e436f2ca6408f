"""Out into other programs' formats and in again is the identity; what is lost is told."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landmark_heatmap import cli
from landmark_heatmap.annotation.annotation_files import read_annotation, write_annotation
from landmark_heatmap.annotation.formats.row_table import read_rows, write_rows
from landmark_heatmap.annotation.formats.text import finite_number
from landmark_heatmap.annotation.formats.tps import read_blocks, write_blocks
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.dataset.convert import Item, convert, find_items
from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image

QUIET = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBER = st.floats(-1e4, 1e4).filter(lambda x: x not in (9999.0, -99.0, -999.0, -9999.0))
NAME = st.text("abcdefgh ÄöL,;\"'()_-", min_size=1, max_size=12).map(
    lambda text: "n" + text.strip()
)


def points(axes):
    return st.lists(st.one_of(st.none(), st.tuples(*[NUMBER] * axes)), min_size=1, max_size=5)


def placed(*position):
    return Point(PointState.PLACED, position)


def same(first: Annotation, second: Annotation) -> bool:
    """Whether both say the same of every landmark, whoever put it there."""
    return list(first.names) == list(second.names) and all(
        a.position_lps == b.position_lps and a.definition == b.definition
        for a, b in zip(first.points.values(), second.points.values())
    )


ANNOTATION = st.dictionaries(
    NAME,
    st.one_of(
        st.tuples(NUMBER, NUMBER, NUMBER.filter(bool)).map(lambda p: placed(*p)),
        st.just(Point(PointState.ABSENT)),
        st.just(Point(PointState.UNJUDGED)),
    ),
    min_size=1,
    max_size=5,
).map(lambda found: Annotation({**found, "one": placed(1, 2, 3)}))


@QUIET
@given(ANNOTATION, st.sampled_from(["fcsv", "mrk.json"]), st.sampled_from(["LPS", "RAS"]))
def test_a_file_an_image_is_read_again_as_it_was(tmp_path_factory, annotation, form, system):
    folder = tmp_path_factory.mktemp("out")
    convert([Item("a", annotation)], form, folder, system)
    again = read_annotation(folder / f"a.{form}")
    assert same(again, annotation)
    assert [p.state for p in again.points.values()] == [p.state for p in annotation.points.values()]


@QUIET
@given(st.sampled_from([2, 3]).flatmap(lambda axes: st.lists(points(axes), min_size=1, max_size=3)))
def test_blocks_of_a_tps_are_read_again_as_they_were(images):
    count = max(map(len, images))
    images = [[*each, *[None] * (count - len(each))] for each in images]
    known = [p for each in images for p in each if p is not None]
    axes = len(known[0]) if known else 2
    # A file has one kind of points; a block of missing ones alone is of that kind, too.
    images = [
        each if any(p is not None for p in each) else known_first(each, known) for each in images
    ]
    text = write_blocks([(each, {"IMAGE": f"{n}.png"}) for n, each in enumerate(images)])
    blocks = read_blocks(text)
    assert [b.value("IMAGE") for b in blocks] == [f"{n}.png" for n in range(len(images))]
    read = [[numbers(cells) for _, cells in block.rows] for block in blocks]
    assert read == images
    assert not known or {b.axes for b in blocks} == {axes}


def known_first(each, known):
    return [*known[:1], *each[1:]] if known else each


def numbers(cells):
    found = tuple(map(finite_number, cells))
    return None if None in found else found


@QUIET
@given(
    st.sampled_from([2, 3]).flatmap(
        lambda axes: st.tuples(
            st.lists(
                NAME.filter(lambda n: n[-1] not in "xyz"), min_size=1, max_size=4, unique=True
            ),
            st.lists(st.tuples(NAME, st.tuples(*[NUMBER] * axes)), min_size=1, max_size=3),
        )
    ),
)
def test_rows_of_a_table_are_read_again_as_they_were(table):
    names, given_rows = table
    rows = [(image, [point, *[None] * (len(names) - 1)]) for image, point in given_rows]
    found, read = read_rows(write_rows(names, rows))
    assert found == names
    assert [(r.image, [numbers(cells) for cells in r.points]) for r in read] == rows


@pytest.fixture
def skulls(tmp_path):
    folder = tmp_path / "skulls"
    folder.mkdir()
    write_annotation(
        folder / "b.mrk.json", Annotation({"N": placed(1, -2, 3), "S": placed(4, 5, 6)})
    )
    absent = Point(PointState.ABSENT)
    write_annotation(folder / "a.mrk.json", Annotation({"S": absent, "N": placed(7, 8, 9.25)}))
    return folder


def run(*arguments) -> int:
    return cli.main(["convert", *map(str, arguments)])


def test_a_tps_of_3d_has_one_order_for_all_and_says_it(skulls, tmp_path, capsys):
    output = tmp_path / "all.tps"
    assert run(skulls, "--to", "tps", "--output", output, "--system", "RAS") == 0
    assert output.read_text(encoding="utf-8") == (
        "LM3=2\nNA NA NA\n-7.0 -8.0 9.25\nID=a\nLM3=2\n-4.0 -5.0 6.0\n-1.0 2.0 3.0\nID=b\n"
    )
    assert (tmp_path / "all-names.txt").read_text(encoding="utf-8") == "S\nN\n"
    told = capsys.readouterr().out
    assert "mm in RAS; the landmarks, in their order: S, N" in told
    assert "Missing points (1) are written as NA NA NA" in told


@pytest.mark.parametrize("form", ["tps", "csv", "fcsv"])
def test_which_landmark_is_missing_where_is_told_to_who_compares_shapes(
    skulls, tmp_path, capsys, form
):
    assert run(skulls, "--to", form, "--output", tmp_path / "all", "--system", "RAS") == 0
    told = capsys.readouterr().out
    assert "Without a place: S in 1 of 2 (a). A Procrustes analysis (GPA) needs" in told


def test_nothing_is_said_where_nothing_is_missing(skulls, tmp_path, capsys):
    assert run(skulls / "b.mrk.json", "--to", "csv", "--output", tmp_path / "b.csv") == 0
    assert "Without a place" not in capsys.readouterr().out


def test_a_csv_of_3d_is_a_row_an_image(skulls, tmp_path):
    output = tmp_path / "all.csv"
    assert run(skulls, "--to", "csv", "--output", output) == 0
    assert output.read_text(encoding="utf-8") == (
        "id,S_x,S_y,S_z,N_x,N_y,N_z\na,,,,7.0,8.0,9.25\nb,4.0,5.0,6.0,1.0,-2.0,3.0\n"
    )


def test_in_2d_pixels_are_counted_from_where_the_format_counts(tmp_path, capsys):
    matrix = np.diag([0.5, 0.5, 1.0, 1.0])
    matrix[:2, 3] = 3, -7
    write_image(tmp_path / "wing.nrrd", Image(np.zeros((1, 20, 30), np.uint8), matrix))
    position = (*(np.array([3, -7]) + 0.5 * np.array([4, 6.25])), 0)
    write_annotation(tmp_path / "wing.mrk.json", Annotation({"A": placed(*position)}))
    run(tmp_path / "wing.mrk.json", "--to", "tps", "--output", tmp_path / "wing.tps")
    assert (tmp_path / "wing.tps").read_text(encoding="utf-8") == (
        "LM=1\n4.0 13.75\nIMAGE=wing.nrrd\nID=wing\nSCALE=0.5\n"
    )
    told = capsys.readouterr().out
    assert "px from the bottom left" in told and "--scale-unit mm" in told
    run(tmp_path / "wing.mrk.json", "--to", "csv", "--output", tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "id,A_x,A_y\nwing,4.0,6.25\n"


def test_points_of_a_picture_need_their_picture_to_count_pixels(tmp_path, capsys):
    write_annotation(tmp_path / "a.mrk.json", Annotation({"A": placed(1, 2, 0)}))
    assert run(tmp_path, "--to", "tps", "--output", tmp_path / "a.tps") == 2
    assert "its image is needed. Give the images' folder with --images" in capsys.readouterr().err
    assert not (tmp_path / "a.tps").exists()


def test_nothing_placed_is_nothing_to_convert(tmp_path, capsys):
    write_annotation(tmp_path / "a.mrk.json", Annotation({"A": Point(PointState.ABSENT)}))
    assert run(tmp_path, "--to", "csv", "--output", tmp_path / "a.csv") == 2
    assert "there is nothing to convert" in capsys.readouterr().err


def test_what_is_there_is_never_overwritten(skulls, tmp_path, capsys):
    output = tmp_path / "all.csv"
    assert run(skulls, "--to", "csv", "--output", output) == 0
    assert run(skulls, "--to", "csv", "--output", output) == 0
    output.write_text("mine")
    assert run(skulls, "--to", "csv", "--output", output) == 2
    assert "is there already, with other content" in capsys.readouterr().err
    assert output.read_text(encoding="utf-8") == "mine"


def test_two_annotations_of_one_name_are_refused(skulls):
    with pytest.raises(LandmarkHeatmapError, match="Two annotations are of 'a'"):
        find_items([skulls, skulls / "a.mrk.json"])


def test_a_mrk_json_of_another_frame_becomes_one_of_ours(skulls, tmp_path):
    document = json.loads((skulls / "a.mrk.json").read_text(encoding="utf-8"))
    document["markups"][0]["coordinateSystem"] = "RAS"
    (skulls / "a.mrk.json").write_text(json.dumps(document))
    run(skulls / "a.mrk.json", "--to", "mrk.json", "--output", tmp_path / "out")
    assert read_annotation(tmp_path / "out" / "a.mrk.json").points["N"].position_lps == (
        -7,
        -8,
        9.25,
    )
