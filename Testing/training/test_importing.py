"""Tables of points become pairs of image and annotation, in the frame that was stated."""

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotations import read_annotation  # noqa: E402
from landmark_heatmap.errors import DatasetError  # noqa: E402
from landmark_heatmap.geometry import Image  # noqa: E402
from landmark_heatmap.imageio import read_image, write_image  # noqa: E402
from landmark_heatmap.landmarks import PointState  # noqa: E402
from landmark_training.importing import TableFrame, import_table  # noqa: E402

HEIGHT = 20


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, x, y in (("a", 4, 6), ("b", 9, 15)):
        array = np.zeros((1, HEIGHT, 30), np.uint8)
        array[0, y, x] = 255
        write_image(folder / f"{name}.mha", Image(array, np.eye(4)))
    return folder


def table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (TableFrame("px", "top-left"), "id,x1,y1\na.mha,4,6\nb,9,15\n"),
        (TableFrame("px", "bottom-left"), "id,X1,Y1\na.mha,4,14\nb,9,5\n"),
        (TableFrame("px", "top-left", 0.1), "id,x1,y1\na,4,6\nb.mha,9,15\n"),
        (TableFrame("mm", "top-left", 0.1), "id,x1,y1\na,0.4,0.6\nb,0.9,1.5\n"),
        (TableFrame("px", "top-left"), "a,4,6\nb,9,15\n"),
        (TableFrame("mm", "bottom-left", 0.5), "id,x1,y1\na,2,7\nb,4.5,2.5\n"),
    ],
)
def test_in_every_frame_the_point_lies_on_its_pixel(pictures, tmp_path, frame, text):
    assert import_table(table(tmp_path, text), pictures, tmp_path / "out", frame) == 2
    for name in "ab":
        image = read_image(tmp_path / "out" / f"{name}.nrrd")
        position = read_annotation(tmp_path / "out" / f"{name}.mrk.json").position_lps("1")
        i, j, k = np.rint(image.grid.to_ijk(position)).astype(int)
        assert image.array[k, j, i] == 255


def test_an_empty_cell_is_a_landmark_that_nobody_judged(pictures, tmp_path):
    text = "id,x1,y1,x2,y2\na,4,6,,\n"
    frame = TableFrame("px", "top-left")
    import_table(table(tmp_path, text), pictures, tmp_path / "out", frame, ["Nose", "Tail"])
    annotation = read_annotation(tmp_path / "out" / "a.mrk.json")
    assert annotation.state("Nose") is PointState.PLACED
    assert annotation.state("Tail") is PointState.UNJUDGED


def test_a_part_of_the_rows_can_be_imported(pictures, tmp_path):
    text = "id,x1,y1\na,4,6\nb,9,15\n"
    frame = TableFrame("px", "top-left")
    import_table(table(tmp_path, text), pictures, tmp_path / "out", frame, rows=(2, 2))
    assert [path.name for path in (tmp_path / "out").glob("*.nrrd")] == ["b.nrrd"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,x1,y1\na,4,six\n", "six"),
        ("id,x1,y1\na,4\n", "'a' has 2 cells"),
        ("id,x1,y2\na,4,6\n", "needs the columns"),
        ("id,x1,y1\nzebra,4,6\n", "zebra"),
        ("id,x1,y1\na,nan,6\n", "nan"),
        ("id,x1,y1\n", "no rows"),
    ],
)
def test_a_table_that_leaves_a_doubt_is_refused(pictures, tmp_path, text, told):
    frame = TableFrame("px", "top-left")
    with pytest.raises(DatasetError, match=told):
        import_table(table(tmp_path, text), pictures, tmp_path / "out", frame)


@pytest.mark.parametrize("frame", [("cm", "top-left"), ("px", "centre"), ("px", "top-left", 0)])
def test_an_unknown_frame_is_refused(frame):
    with pytest.raises(DatasetError):
        TableFrame(*frame)
