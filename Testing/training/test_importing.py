"""Other people's files become pairs of image and annotation, in the frame that was stated."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from landmark_heatmap.annotations import read_annotation  # noqa: E402
from landmark_heatmap.errors import DatasetError, LandmarkHeatmapError  # noqa: E402
from landmark_heatmap.geometry import Image  # noqa: E402
from landmark_heatmap.imageio import read_image, write_image  # noqa: E402
from landmark_heatmap.landmarks import PointState  # noqa: E402
from landmark_training.cli import main  # noqa: E402
from landmark_training.importing import Frame2D, ImportJob, import_cases  # noqa: E402

HEIGHT = 20
# Of a bright pixel in each picture, from the top left.
SPOTS = {"a": (4, 6), "b": (9, 15)}
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("LANDMARK_HEATMAP_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, (x, y) in SPOTS.items():
        array = np.zeros((1, HEIGHT, 30), np.uint8)
        array[0, y, x] = 255
        write_image(folder / f"{name}.mha", Image(array, np.eye(4)))
    return folder


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def run(files, images, output, say=lambda line: None, **options):
    files = files if isinstance(files, (list, tuple)) else [files]
    return import_cases(ImportJob(tuple(files), images, output, **options), say)


def assert_on_the_spots(folder, landmark="1", names="ab"):
    for name in names:
        image = read_image(folder / f"{name}.nrrd")
        position = read_annotation(folder / f"{name}.mrk.json").position_lps(landmark)
        i, j, k = np.rint(image.grid.to_ijk(position)).astype(int)
        assert image.array[k, j, i] == 255


FRAMES = [
    (("px", "top-left", None), "id,x1,y1\na.mha,4,6\nb,9,15\n"),
    (("px", "bottom-left", None), "id,X1,Y1\na.mha,4,14\nb,9,5\n"),
    (("px", "top-left", 0.1), "id,x1,y1\na,4,6\nb.mha,9,15\n"),
    (("mm", "top-left", 0.1), "id,x1,y1\na,0.4,0.6\nb,0.9,1.5\n"),
    (("px", "top-left", None), "a,4,6\nb,9,15\n"),
    (("mm", "bottom-left", 0.5), "id,x1,y1\na,2,7\nb,4.5,2.5\n"),
]


@pytest.mark.parametrize(("frame", "text"), FRAMES)
def test_in_every_frame_the_point_lies_on_its_pixel(pictures, tmp_path, write, frame, text):
    unit, origin, spacing = frame
    out = tmp_path / "out"
    assert run(write(text), pictures, out, unit=unit, origin=origin, spacing_mm=spacing) == 2
    assert_on_the_spots(out)
    assert read_image(out / "a.nrrd").grid.spacing_mm[0] == pytest.approx(spacing or 1.0)


def test_a_table_of_deeplabcut_needs_no_frame(pictures, tmp_path, write):
    head = "scorer,me,me,me,me\nbodyparts,Nose,Nose,Tail,Tail\ncoords,x,y,x,y\n"
    table = write(head + "labeled-data/a.png,4,6,,\nlabeled-data\\b.png,9,15,3.5,2\n")
    assert run(table, pictures, tmp_path / "out") == 2
    assert_on_the_spots(tmp_path / "out", "Nose")
    first = read_annotation(tmp_path / "out" / "a.mrk.json")
    assert first.state("Tail") is PointState.UNJUDGED


def test_a_table_of_deeplabcut_may_name_the_image_in_three_columns(pictures, tmp_path, write):
    head = "scorer,,,me,me\nindividuals,,,one,one\nbodyparts,,,Nose,Nose\ncoords,,,x,y\n"
    table = write(head + "labeled-data,video,a.png,4,6\nlabeled-data,video,b.png,9,15\n")
    run(table, pictures, tmp_path / "out")
    assert_on_the_spots(tmp_path / "out", "Nose")


def test_tps_counts_from_the_bottom_left(pictures, tmp_path, write):
    text = "LM=2\n4 14\n1 2\nCURVES=1\nPOINTS=1\n7 7\nIMAGE=C:\\photos\\a.jpg\nID=0\nSCALE=0.1\n"
    text += "LM=2\n9.0 5.0\n1 2\nIMAGE=b.JPG\n"
    assert run(write(text, "wings.tps"), pictures, tmp_path / "out") == 2
    assert_on_the_spots(tmp_path / "out")


def test_the_text_files_of_isbi_count_from_the_top_left_in_tenths_of_a_millimetre(
    pictures, tmp_path, write
):
    files = [write(f"{x},{y}\n1,1\n2\n3\n", f"{name}.txt") for name, (x, y) in SPOTS.items()]
    run(files, pictures, tmp_path / "out", format="isbi", names=("1", "2"))
    assert_on_the_spots(tmp_path / "out")
    np.testing.assert_allclose(read_image(tmp_path / "out" / "a.nrrd").grid.spacing_mm[:2], 0.1)


def fcsv(system, *points):
    head = f"# Markups fiducial file version = 4.11\n# CoordinateSystem = {system}\n"
    head += "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    return head + "".join(f"{n},{x},{y},{z},0,0,0,1,1,1,0,{n},,\n" for n, (x, y, z) in points)


def test_slicer_files_say_where_they_are_in_space(tmp_path, write):
    (tmp_path / "images").mkdir()
    for name in "ab":
        image = Image(np.zeros((5, 6, 7), np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
        write_image(tmp_path / "images" / f"{name}.nii.gz", image)
    files = [
        write(fcsv("LPS", ("AC", (2, 4, 6))), "a.fcsv"),
        write(fcsv(0, ("AC", (-2, -4, 6))), "b.fcsv"),
    ]
    run(files, tmp_path / "images", tmp_path / "out")
    for name in "ab":
        annotation = read_annotation(tmp_path / "out" / f"{name}.mrk.json")
        np.testing.assert_allclose(annotation.position_lps("AC"), (2, 4, 6))
        np.testing.assert_allclose(
            read_image(tmp_path / "out" / f"{name}.nrrd").grid.spacing_mm, (2, 2, 3)
        )


def test_nnlandmark_counts_voxels_of_the_image_whichever_way_it_lies(tmp_path, write):
    images = tmp_path / "imagesTr"
    images.mkdir()
    turned = np.array([[0, 0, 3.0, 9], [-2, 0, 0, 40], [0, 2, 0, -7], [0, 0, 0, 1]])
    image = Image(np.zeros((5, 6, 7), np.int16), turned)
    write_image(images / "case1_0000.nii.gz", image)
    table = write(
        '{"case1": {"AC": [1, 2.5, 3], "PC": [null, null, null]}}', "all_landmarks_voxel.json"
    )
    run(table, images, tmp_path / "out")
    annotation = read_annotation(tmp_path / "out" / "case1.mrk.json")
    np.testing.assert_allclose(annotation.position_lps("AC"), image.grid.to_lps([1, 2.5, 3]))
    assert annotation.state("PC") is PointState.UNJUDGED


def test_several_readers_marks_become_their_mean_and_their_distance_is_told(
    pictures, tmp_path, write
):
    one = write("id,x1,y1,x2,y2\na,3,6,5,5\nb,9,14,,\n", "one.csv")
    two = write("id,x1,y1,x2,y2\na,5,6,,\nb,9,16,,\n", "two.csv")
    frame, told = {"unit": "px", "origin": "top-left"}, []
    with pytest.raises(DatasetError, match="--combine mean"):
        run([one, two], pictures, tmp_path / "out", **frame)
    run([one, two], pictures, tmp_path / "out", told.append, mean=True, **frame)
    assert_on_the_spots(tmp_path / "out")
    annotation = read_annotation(tmp_path / "out" / "a.mrk.json")
    np.testing.assert_allclose(annotation.position_lps("2"), (5, 5, 0))
    assert any("1: 1 (4 marks)" in line for line in told)
    assert read_annotation(tmp_path / "out" / "b.mrk.json").state("2") is PointState.UNJUDGED


def test_a_part_of_the_rows_can_be_imported(pictures, tmp_path, write):
    table = write("id,x1,y1\na,4,6\nb,9,15\n")
    run(table, pictures, tmp_path / "out", unit="px", origin="top-left", rows=(2, 2))
    assert [path.name for path in (tmp_path / "out").glob("*.nrrd")] == ["b.nrrd"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,x1,y1\na,4,six\n", "six"),
        ("id,x1,y1\na,4\n", "'a' has 1 numbers"),
        ("id,x1,y2\na,4,6\n", "needs the columns"),
        ("id,x1,y1\nzebra,4,6\n", "zebra"),
        ("id,x1,y1\na,nan,6\n", "nan"),
        ("id,x1,y1\na,4,\n", "''"),
        ("id,x1,y1\n", "nothing to import"),
        ("id,x1,y1\na,4,6\na,5,6\n", "several rows for a"),
        ("", "is empty"),
    ],
)
def test_a_table_that_leaves_a_doubt_is_refused(pictures, tmp_path, write, text, told):
    with pytest.raises(DatasetError, match=told):
        run(write(text), pictures, tmp_path / "out", unit="px", origin="top-left")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("t.csv", "id,x1,y1\na,4,6\n", {}, "--unit px or mm"),
        ("t.csv", "id,x1,y1\na,4,6\n", {"unit": "px"}, "--origin"),
        ("t.txt", "4,6\n", {}, "--format isbi"),
        ("t.dat", "4,6\n", {}, "cannot be told"),
        ("t.tps", "LM=1\n4 6\nIMAGE=a.jpg\n", {"origin": "top-left"}, "bottom-left"),
        ("t.tps", "LM=1\n4 6\n", {}, "IMAGE"),
        ("t.tps", "LM=1\n-1 -1\nIMAGE=a.jpg\n", {}, "missing"),
        ("t.tps", "LM=2\n4 6\nIMAGE=a.jpg\n", {}, "line 3"),
        ("t.tps", "LM3=1\n4 6 8\nIMAGE=a.jpg\n", {}, "3D"),
        ("t.tps", "hello\n", {}, "no tps file"),
        ("t.fcsv", fcsv("LPS", ("AC", (1, 2, 3))), {"unit": "mm"}, "say where"),
        ("all_landmarks_voxel.json", '{"a": {"AC": [1, 2]}}', {}, "three voxel indices"),
        ("all_landmarks_voxel.json", '[1]', {}, "is not"),
        ("t.csv", "scorer,m,m\nbodyparts,N,N\ncoords,x,y\na.png,4,6\n", {"format": "csv"}, "deeplabcut"),
        ("t.csv", "id,x1,y1\na,4,6\n", {"format": "deeplabcut"}, "bodyparts"),
        ("t.csv",
         "scorer,m,m,m,m\nindividuals,i,i,j,j\nbodyparts,N,N,N,N\ncoords,x,y,x,y\na.png,4,6,1,1\n",
         {}, "individuals"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_is_refused_with_what_to_do(
    pictures, tmp_path, write, name, text, options, told
):
    with pytest.raises(DatasetError, match=told):
        run(write(text, name), pictures, tmp_path / "out", **options)


def test_a_bad_image_leaves_nothing_behind(pictures, tmp_path, write):
    (pictures / "b.mha").write_bytes(b"no image")
    table = write("id,x1,y1\na,4,6\nb,9,15\n")
    with pytest.raises(LandmarkHeatmapError):
        run(table, pictures, tmp_path / "out", unit="px", origin="top-left")
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("frame", [("cm", "top-left"), ("px", "centre"), ("px", "top-left", 0)])
def test_an_unknown_frame_is_refused(frame):
    with pytest.raises(DatasetError):
        Frame2D(*frame)


def test_the_command_line_imports(pictures, tmp_path, write, capsys):
    names = write("Nose\n", "names.txt")
    arguments = ["import", write("id,x1,y1\na,4,6\n"), "--images", pictures, "--unit", "px"]
    arguments += ["--origin", "top-left", "--names", names, "--output", tmp_path / "out"]
    assert main(list(map(str, arguments))) == 0
    assert "1 cases" in capsys.readouterr().out
    assert read_annotation(tmp_path / "out" / "a.mrk.json").names == ("Nose",)


def real(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"There is no {path}; LANDMARK_HEATMAP_DATA names the folder of the data.")
    return path


def test_real_video_frames_are_imported_with_what_is_missing(tmp_path):
    table = real("mirror_mouse", "CollectedData.csv")
    count = run(table, real("mirror_mouse", "labeled-data"), tmp_path / "out")
    annotations = [read_annotation(p) for p in (tmp_path / "out").glob("*.mrk.json")]
    states = [a.state(name) for a in annotations for name in a.names]
    assert count == len(annotations) > 80
    assert len(states) == 17 * count
    assert states.count(PointState.UNJUDGED) / len(states) == pytest.approx(0.088, abs=0.01)


def test_real_readers_of_one_brain_are_averaged(tmp_path):
    folder = real("brain_afids")
    told = []
    run(
        folder / "raters", folder / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz", tmp_path / "out",
        told.append, mean=True,
    )  # fmt: skip
    mean = read_annotation(next((tmp_path / "out").glob("*.mrk.json")))
    truth = read_annotation(next(folder.glob("*groundtruth*.fcsv")))
    apart = mean.positions_lps(truth.names) - truth.positions_lps(truth.names)
    assert np.linalg.norm(apart, axis=1).mean() < 1.0  # the truth was settled together later
    assert len(told) == 33
