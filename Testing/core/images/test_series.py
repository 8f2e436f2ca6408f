"""Slices of DICOM series in folders: one volume a series, or a word why not."""

import header_files
import numpy as np
import pytest

from landmark_heatmap.detection.batch import find_jobs
from landmark_heatmap.errors import ImageFileError
from landmark_heatmap.images.imageio import read_grid, read_image
from landmark_heatmap.images.series import find_dicom

VOLUME = np.random.default_rng(0).integers(0, 999, (4, 5, 6)).astype(np.int16)


def write_series(folder, places=(0, 2.5, 5, 7.5), ending=".dcm", **also):
    """Slices in an order that is not that of their names."""
    folder.mkdir(exist_ok=True)
    for number, place in reversed(list(enumerate(places))):
        name = f"IM{(number * 7 + 3) % 11:04d}{ending}"
        position = (-10, 4, place) if np.isscalar(place) else place
        header_files.dicom_slice(folder / name, VOLUME[number], position=position, **also)
    return folder


@pytest.mark.parametrize("ending", [".dcm", "", ".IMA"])
def test_slices_are_one_volume_wherever_they_lie(tmp_path, ending):
    folder = write_series(tmp_path / "scan", ending=ending)
    image = read_image(folder)
    assert np.array_equal(image.array, VOLUME)
    assert np.allclose(image.grid.spacing_mm, [3, 2, 2.5])
    assert np.allclose(image.ijk_to_lps[:3, 3], [-10, 4, 0])
    assert image.unit == "mm" and np.allclose(read_grid(folder).ijk_to_lps, image.ijk_to_lps)


def test_a_series_is_one_job_whose_name_says_nothing_of_the_patient(tmp_path):
    write_series(tmp_path / "scan", ending="")
    (tmp_path / "scan" / "README").write_text("no image")
    (job,) = find_jobs([tmp_path], tmp_path / "out")
    assert job.results.annotation.parent == tmp_path / "out" / "scan"
    assert job.results.annotation.name.startswith("series-")
    assert np.array_equal(read_image(job.image).array, VOLUME)


def test_a_missing_slice_is_refused_with_its_place(tmp_path):
    folder = write_series(tmp_path / "scan", (0, 2.5, 7.5, 10))
    with pytest.raises(
        ImageFileError, match="2.5 mm apart, but 5 mm between 'IM0010.dcm' and 'IM0006"
    ):
        read_image(folder)


def test_several_images_at_one_place_are_refused(tmp_path):
    folder = write_series(tmp_path / "scan", (0, 2.5, 2.5, 5))
    with pytest.raises(ImageFileError, match="lie at one place"):
        read_image(folder)


def test_a_tilted_gantry_leaves_each_slice_where_it_is(tmp_path):
    places = [(0, 0.5 * n, 2.0 * n) for n in range(4)]
    image = read_image(write_series(tmp_path / "scan", places))
    assert np.allclose(image.grid.to_lps([0, 0, 3]), [0, 1.5, 6]) and "tilted" in image.note


def test_a_localizer_beside_a_volume_is_left_out_and_told(tmp_path):
    folder = write_series(tmp_path / "scan")
    header_files.dicom_slice(folder / "scout.dcm", VOLUME[0], series="1.2.9", position=(0, 0, 90))
    found = find_dicom(folder)
    assert len(found.series) == 1 and not found.images and "scout.dcm" in found.notes[0]
    assert read_image(folder).array.shape == VOLUME.shape


def test_two_series_in_a_folder_are_two_volumes(tmp_path):
    folder = write_series(tmp_path / "scan")
    for number in range(3):
        name, place = f"second{number}.dcm", (0, 0, number)
        header_files.dicom_slice(folder / name, VOLUME[number], "1.2.77", place)
    assert len(find_jobs([folder], tmp_path / "out")) == 2
    with pytest.raises(ImageFileError, match="2 DICOM series"):
        read_image(folder)


def test_a_folder_of_something_else_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ImageFileError, match="without a DICOM series"):
        read_image(tmp_path)


def test_frames_in_one_file_are_refused(tmp_path):
    import SimpleITK as sitk

    path = tmp_path / "frames.dcm"
    sitk.WriteImage(sitk.GetImageFromArray(VOLUME.astype(np.uint16)), str(path))
    with pytest.raises(ImageFileError, match="4 frames.*Slicer"):
        read_image(path)


def test_values_of_which_the_lowest_is_white_are_told_of(tmp_path):
    path = header_files.dicom_slice(tmp_path / "a.dcm", VOLUME[0])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"MONOCHROME2", b"MONOCHROME1"))
    assert "MONOCHROME1" in read_image(path).note
    assert read_image(header_files.dicom_slice(tmp_path / "b.dcm", VOLUME[0])).note == ""


def test_a_slice_that_is_cut_off_is_not_left_out_of_a_volume(tmp_path):
    folder = write_series(tmp_path / "scan", (0, 2, 4))
    (middle,) = (
        path
        for path in folder.iterdir()
        if "\\2" in path.read_bytes()[:2000].decode("latin1") and b"-10\\4\\2" in path.read_bytes()
    )
    middle.write_bytes(middle.read_bytes()[:-20])
    with pytest.raises(ImageFileError, match="may lack a slice: .*truncated.*Copy it again"):
        read_image(folder)
    series = next(
        job.image for job in find_jobs([tmp_path], tmp_path / "out") if job.image != middle
    )
    with pytest.raises(ImageFileError, match="may lack a slice"):
        read_image(series)


@pytest.mark.parametrize("name", ["DICOMDIR", "RS.dcm"])
def test_files_of_dicom_without_pixels_are_passed_over(tmp_path, name):
    folder = write_series(tmp_path / "scan", (0, 2, 4))
    content = next(folder.iterdir()).read_bytes()
    (folder / name).write_bytes(content[: content.rindex(b"\xe0\x7f\x10\x00")])
    assert np.array_equal(read_image(folder).array, VOLUME[:3])
