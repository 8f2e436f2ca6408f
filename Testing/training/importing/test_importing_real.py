"""Import of real data sets, which are no part of the repository.

LANDMARK_HEATMAP_DATA names the folder that holds them; without it these tests are skipped. Of large
sets only the headers of the images are read, and a few cases are written.
"""

import csv

import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import RAS_TO_LPS, apply_affine
from landmark_heatmap.images.imageio import read_grid
from landmark_training.data.cases import find_cases
from landmark_training.importing import Stated
from landmark_training.importing.cases import find_cases_of
from landmark_training.importing.formats.registry import read_table
from landmark_training.importing.readers import distances_of_readers
from places import DATA
from small_tables import imported, json_file, run_import, text_file

BRAIN = "tpl-MNI152NLin2009cAsym_res-01"


def folder(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"There is no {DATA / name}; LANDMARK_HEATMAP_DATA names the folder.")
    return DATA / name


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def same_points(first, second, case) -> bool:
    """Whether two imports have the same points for a case, in the order of the landmarks."""
    a, b = imported(first, case)[1], imported(second, case)[1]
    return np.allclose(a.positions_lps(a.names), b.positions_lps(b.names), atol=1e-6)


def test_wings_as_csv_and_as_tps_are_the_same(tmp_path):
    wings = folder("fly_wing")
    table = wings / "landmarks_px_bottom_left.csv"
    blocks = []
    for number, row in enumerate(rows_of(table)[1:3]):
        points = [f"{x}. {y}." for x, y in zip(row[1::2], row[2::2])]
        blocks += [f"LM={len(points)}", *points, f"IMAGE={row[0]}", f"ID={number}"]
    tps = text_file(tmp_path / "wings.tps", "\n".join(blocks))
    command = ("--images", wings / "images", "--output")
    frame = ("--unit", "px", "--origin", "bottom-left")
    run_import(table, *command, tmp_path / "csv", *frame, "--rows", 1, 2)
    run_import(tps, *command, tmp_path / "tps")
    cases = find_cases([tmp_path / "tps"])
    assert [case.name for case in cases] == ["63001", "63002"]
    for case in cases:
        assert same_points(tmp_path / "csv", tmp_path / "tps", case.name)
    # 290, 108 from the bottom of 480 rows.
    position = cases[0].annotation.position_lps("1")
    assert position.tolist() == [290, 372, 0]


def test_all_points_of_all_wings_lie_in_their_images():
    wings = folder("fly_wing")
    stated = Stated(images=wings / "images", unit="px", origin="bottom-left")
    cases = find_cases_of(read_table(wings / "landmarks_px_bottom_left.csv", stated), stated)
    assert len(cases) == 46 and all(case.inside.all() for case in cases)


def test_frames_of_a_mouse_with_one_point_in_eleven_missing():
    mouse = folder("mirror_mouse")
    stated = Stated(images=mouse)
    cases = find_cases_of(read_table(mouse / "CollectedData.csv", stated), stated)
    states = [point.state for case in cases for point in case.annotation.points.values()]
    assert len(cases) == 90 and len(states) == 90 * 17
    assert states.count(PointState.UNJUDGED) == 134
    assert all(case.inside.all() for case in cases)
    assert cases[0].annotation.position_lps("paw1LH_top").tolist() == [77.25, 36.25, 0]


def test_a_few_frames_of_a_mouse_are_written_and_found_again(tmp_path):
    mouse = folder("mirror_mouse")
    table = mouse / "CollectedData.csv"
    run_import(table, "--images", mouse, "--output", tmp_path / "out", "--rows", 4, 6)
    assert [case.name for case in find_cases([tmp_path / "out"])] == ["img04", "img05", "img06"]


def test_the_readers_of_cephalograms_are_as_far_apart_as_others_measured():
    """2.35 mm, says whoever gathered the data."""
    ceph = folder("cephalogram")
    stated = Stated(images=ceph / "images", unit="mm", origin="top-left", spacing_mm=0.1)
    tables = [ceph / f"landmarks_{reader}_mm.csv" for reader in ("senior", "junior")]
    readers = [find_cases_of(read_table(table, stated), stated) for table in tables]
    distances = distances_of_readers(readers)
    assert [d.cases for d in distances] == [150] * 19
    assert np.mean([d.mean_mm for d in distances]) == pytest.approx(2.35, abs=0.005)


def test_a_cephalogram_in_millimetres_and_in_the_challenges_format_is_the_same(tmp_path):
    ceph = folder("cephalogram")
    table = ceph / "landmarks_senior_mm.csv"
    row = rows_of(table)[0]
    pixels = [str(round(10 * float(mm))) for mm in row[1:]]
    lines = [",".join(pair) for pair in zip(pixels[::2], pixels[1::2])] + ["1"] * 8
    text_file(tmp_path / "400_senior" / f"{row[0]}.txt", "\n".join(lines))
    command = ("--images", ceph / "images", "--output")
    frame = ("--unit", "mm", "--origin", "top-left", "--spacing", "0.1", "--rows", 1, 1)
    run_import(table, *command, tmp_path / "csv", *frame)
    run_import(tmp_path / "400_senior", *command, tmp_path / "isbi")
    assert same_points(tmp_path / "csv", tmp_path / "isbi", row[0])
    grids = [imported(tmp_path / name, row[0])[0].grid for name in ("csv", "isbi")]
    assert np.allclose(grids[0].ijk_to_lps, grids[1].ijk_to_lps)
    names = (ceph / "landmark_names.txt").read_text(encoding="utf-8").splitlines()
    annotation = imported(tmp_path / "isbi", row[0])[1]
    assert list(annotation.names) == [name.split(" ", 1)[1] for name in names]


def test_the_zero_in_a_brains_fcsv_means_ras(tmp_path):
    brain = folder("brain_afids")
    file = brain / f"{BRAIN}_desc-groundtruth_afids.fcsv"
    endings = ("--endings", "_desc-groundtruth_afids", "_T1w")
    run_import(file, "--images", brain, "--output", tmp_path / "out", *endings)
    annotation = imported(tmp_path / "out", f"{BRAIN}_T1w")[1]
    # The posterior commissure lies 27 mm behind the anterior one: the P of LPS is positive there.
    ac, pc = annotation.position_lps("1"), annotation.position_lps("2")
    assert (pc - ac)[1] == pytest.approx(27.77, abs=0.01)
    right, left = annotation.position_lps("6"), annotation.position_lps("7")
    assert right[0] < 0 < left[0]
    assert annotation.points["2"].definition == "PC"


def test_raters_of_a_brain_combined_are_near_its_ground_truth(tmp_path):
    brain = folder("brain_afids")
    raters = sorted((brain / "raters").glob("*.fcsv"))
    image = brain / f"{BRAIN}_T1w.nii.gz"
    command = [*raters, "--images", image, "--output", tmp_path / "out", "--combine", "mean"]
    # One of the four wrote names where the others wrote numbers.
    with pytest.raises(DatasetError, match="has the landmark '1' and .*rater03.* has 'AC'"):
        run_import(*command)
    truth = read_annotation(brain / f"{BRAIN}_desc-groundtruth_afids.fcsv")
    names = text_file(tmp_path / "names", "\n".join(p.definition for p in truth.points.values()))
    run_import(*command, "--names", names)
    combined = imported(tmp_path / "out", f"{BRAIN}_T1w")[1]
    assert combined.names[:2] == ("AC", "PC") and len(combined.names) == 32
    apart = combined.positions_lps(combined.names) - truth.positions_lps(truth.names)
    assert np.linalg.norm(apart, axis=1).mean() < 1
    assert len((tmp_path / "out" / "readers.csv").read_text(encoding="utf-8").splitlines()) == 33


def test_a_brain_as_nnlandmark_has_it_is_the_same(tmp_path):
    brain = folder("brain_afids")
    image = brain / f"{BRAIN}_T1w.nii.gz"
    truth = read_annotation(brain / f"{BRAIN}_desc-groundtruth_afids.fcsv")
    # As nnLandmark's own conversion does: the inverse of NIfTI's affine, which leads to RAS.
    ras = apply_affine(RAS_TO_LPS, truth.positions_lps(truth.names))
    voxels = apply_affine(np.linalg.inv(read_grid(image).ijk_to_ras), ras)
    points = dict(zip(truth.names, voxels.tolist()))
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "imagesTr" / "brain_0000.nii.gz").symlink_to(image)
    json_file(tmp_path / "all_landmarks_voxel.json", {"brain": points})
    run_import(tmp_path, "--output", tmp_path / "out")
    found = imported(tmp_path / "out", "brain")[1]
    assert np.allclose(
        found.positions_lps(truth.names), truth.positions_lps(truth.names), atol=1e-3
    )


@pytest.mark.parametrize("name", ["hip_ct", "mouse_skull"])
def test_sets_of_pairs_need_no_import(name, tmp_path):
    pairs = folder(name)
    with pytest.raises(DatasetError, match="need no import"):
        run_import(pairs, "--images", pairs, "--output", tmp_path / "out")
    assert find_cases([pairs])
