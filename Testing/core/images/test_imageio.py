"""Image files: the same values at the same place after writing and reading."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from landmark_heatmap.errors import ImageFileError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.headers import read_header
from landmark_heatmap.images.imageio import (
    image_stem,
    is_image_file,
    read_image,
    to_grey,
    write_image,
)
from places import DATA

SKEW = np.array([[0, -0.4, 0.3], [0.4, 0, -0.3], [-0.3, 0.3, 0]])
ROTATION = np.linalg.solve(np.eye(3) + SKEW, np.eye(3) - SKEW)
PLACES = {
    "oblique": ROTATION * [0.5, 0.7, 3.0],
    "left-handed": ROTATION * [1, 1, -2],
    "straight": np.diag([-1.0, -1.0, 1.0]),
}
SHEARED = np.array([[1, 0.3, 0], [0, 1, 0.2], [0, 0, 2.0]])


def image_at(matrix, shape=(4, 5, 6), dtype=np.int16):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, (-200, 33.3, 1000.123)
    values = np.random.default_rng(0).integers(0, 2, shape) * 100
    return Image(values.astype(dtype), affine)


def assert_same(read, written, rounding=1e-9):
    np.testing.assert_array_equal(read.array, written.array)
    np.testing.assert_allclose(read.ijk_to_lps, written.ijk_to_lps, rtol=0, atol=rounding)


@pytest.mark.parametrize("matrix", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 5, 6), (4, 5, 1)])
@pytest.mark.parametrize(
    ("suffix", "rounding"), [(".nrrd", 1e-9), (".mha", 1e-9), (".nii.gz", 1e-4)]
)
def test_an_image_is_read_as_it_was_written(tmp_path, matrix, shape, suffix, rounding):
    image = image_at(matrix, shape)
    write_image(tmp_path / f"image{suffix}", image)
    assert_same(read_image(tmp_path / f"image{suffix}"), image, rounding)


def test_a_sheared_image_keeps_its_place_in_nrrd(tmp_path):
    image = image_at(SHEARED)
    write_image(tmp_path / "image.nrrd", image)
    assert_same(read_image(tmp_path / "image.nrrd"), image)


def test_a_format_that_would_straighten_a_sheared_image_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match=r"image\.nii\.gz.*place in space"):
        write_image(tmp_path / "image.nii.gz", image_at(SHEARED))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", np.uint8), (".png", np.float32), (".tif", np.uint8), (".jpg", np.uint8)],
)
def test_a_format_without_geometry_is_refused_and_the_old_file_stays(tmp_path, suffix, dtype):
    path = tmp_path / f"image{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(ImageFileError, match=f"image{suffix}"):
        write_image(path, image_at(PLACES["oblique"], dtype=dtype))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_formats_of_two_files_are_not_written(tmp_path, suffix):
    with pytest.raises(ImageFileError, match="one file"):
        write_image(tmp_path / f"image{suffix}", image_at(np.eye(3)))


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("bool", "uint8"), ("uint8", "uint8"), ("int16", "int16"), ("int64", "int64"),
        ("float16", "float32"), ("float32", "float32"), ("float64", "float64"), (">i2", "int16"),
    ],
)  # fmt: skip
def test_values_are_kept_in_every_type(tmp_path, dtype, stored):
    image = image_at(np.eye(3), dtype=dtype)
    write_image(tmp_path / "image.nrrd", image)
    read = read_image(tmp_path / "image.nrrd")
    assert read.array.dtype == stored
    assert_same(read, image)


@pytest.mark.parametrize("dtype", ["complex64", "object", "U1", "longdouble"])
def test_what_is_no_number_is_refused_with_its_type(tmp_path, dtype):
    image = Image(np.zeros((2, 2, 2), dtype=dtype), np.eye(4))
    with pytest.raises(ImageFileError, match=str(image.array.dtype)):
        write_image(tmp_path / "image.dcm", image)


def test_a_view_is_written_as_what_it_shows(tmp_path):
    image = image_at(np.eye(3), (8, 8, 8))
    view = Image(image.array[::-1, 1:, ::2].transpose(2, 0, 1), np.eye(4))
    write_image(tmp_path / "image.nrrd", view)
    assert_same(read_image(tmp_path / "image.nrrd"), view)


def test_the_same_image_gives_the_same_bytes(tmp_path):
    for name in ("a.nrrd", "b.nrrd"):
        write_image(tmp_path / name, image_at(PLACES["oblique"]))
    assert (tmp_path / "a.nrrd").read_bytes() == (tmp_path / "b.nrrd").read_bytes()


def test_a_photograph_becomes_one_grey_slice(tmp_path):
    colours = np.zeros((2, 3, 3), dtype=np.uint8)
    colours[0, 1] = (255, 0, 0)
    colours[1, 2] = (255, 255, 255)
    sitk.WriteImage(sitk.GetImageFromArray(colours, isVector=True), str(tmp_path / "photo.png"))
    image = read_image(tmp_path / "photo.png")
    assert image.array.shape == (1, 2, 3)
    np.testing.assert_allclose(image.array[0], [[0, 76.245, 0], [0, 0, 255]], atol=1e-3)
    assert image.grid.is_2d


def test_two_components_give_the_first():
    array = np.arange(16).reshape(2, 2, 2, 2)
    np.testing.assert_array_equal(to_grey(array), array[..., 0])


def test_a_series_in_one_image_is_not_taken_for_colours(tmp_path):
    path = tmp_path / "series.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 20)), isVector=True), str(path))
    with pytest.raises(ImageFileError, match=r"series\.nrrd' has 20 values in each voxel"):
        read_image(path)


def test_an_image_of_four_dimensions_is_refused(tmp_path):
    sitk.WriteImage(sitk.Image([2, 2, 2, 2], sitk.sitkInt16), str(tmp_path / "film.nrrd"))
    with pytest.raises(ImageFileError, match="has 4 dimensions"):
        read_image(tmp_path / "film.nrrd")


@pytest.mark.parametrize(
    "name", ["image.nrrd", "image.nii.gz", "image.png", "image.dcm", "image.mha"]
)
@pytest.mark.parametrize("content", [b"", b"no image", b"NRRD0004\ntype: short\ndimension: 3\n"])
def test_what_is_no_image_is_refused_with_its_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageFileError, match=name):
        read_image(tmp_path / name)


def test_a_truncated_image_is_refused(tmp_path):
    path = tmp_path / "image.nrrd"
    noise = np.random.default_rng(0).normal(size=(16, 16, 16))
    write_image(path, Image(noise, np.eye(4)))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ImageFileError, match=r"image\.nrrd"):
        read_image(path)


@pytest.mark.parametrize(
    ("header", "damaged", "words"),
    [
        (b"ElementSpacing = 1", b"ElementSpacing = 0", "spacing"),
        (b"Matrix = 1 0 0 0 1", b"Matrix = 1 0 0 1 0", "direction"),
        (b"Matrix = 1 0 0 0 1 0", b"Matrix = 1 0 0 1 1e-8 0", "squeezes voxels flat"),
    ],
)
def test_an_image_without_a_place_is_refused_with_its_name(tmp_path, header, damaged, words):
    path = tmp_path / "image.mha"
    write_image(path, image_at(np.eye(3)))
    assert header in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(header, damaged))
    with pytest.raises(ImageFileError, match=rf"image\.mha.*{words}"):
        read_image(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match="There is no image file"):
        read_image(tmp_path / "image.nrrd")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.nii.gz", "scan"), ("a.b.NII.GZ", "a.b"), ("x.nrrd", "x"), ("x.seq.nrrd", "x"),
        ("photo.JPEG", "photo"), ("IM0001", "IM0001"), ("x.gz", "x"),
    ],
)  # fmt: skip
def test_the_name_without_the_extension(name, stem):
    assert image_stem(Path("folder") / name) == stem


def test_hidden_files_are_no_images():
    assert is_image_file("a/scan.nii.gz")
    assert not is_image_file("a/._scan.nii.gz")
    assert not is_image_file("a/landmarks.mrk.json")


def test_a_real_image_lies_around_its_landmarks():
    from landmark_heatmap.annotation.annotation_files import read_annotation

    images = sorted((DATA / "hip_ct" / "images").glob("*.nii.gz"))
    if not images:
        pytest.skip(f"the hip CTs are not in {DATA}")
    image = read_image(images[0])
    annotation = read_annotation(
        DATA / "hip_ct" / "landmarks" / f"{image_stem(images[0])}.mrk.json"
    )
    pelvis = [name for name in annotation.names if name.startswith("Pelvis")]
    assert image.grid.contains(annotation.positions_lps(pelvis)).all()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_truncated_nifti_is_refused_and_not_filled_with_zeros(tmp_path, suffix, share):
    path = tmp_path / f"image{suffix}"
    noise = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    write_image(path, Image(noise, np.eye(4)))
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(ImageFileError, match=r"image\.nii.*truncated"):
        read_image(path)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
def test_the_length_of_a_nifti_is_known_in_both_versions_and_byte_orders(tmp_path, version, order):
    path = tmp_path / "image.nii"
    header = bytearray(540)
    size, sizes_at, bits_at, start_at = {1: (348, 40, 72, 108), 2: (540, 16, 14, 168)}[version]
    struct.pack_into(order + "i", header, 0, size)
    struct.pack_into(
        order + ("8h" if version == 1 else "8q"), header, sizes_at, 3, 4, 5, 6, *[1] * 4
    )
    struct.pack_into(order + "h", header, bits_at, 16)
    # Signed numbers of 16 bits, with their values in the same file.
    struct.pack_into(order + "h", header, 70 if version == 1 else 12, 4)
    mark_at = 344 if version == 1 else 4
    header[mark_at : mark_at + 3] = b"n+%d" % version
    struct.pack_into(order + ("f" if version == 1 else "q"), header, start_at, 544)
    path.write_bytes(header + bytes(4 + 4 * 5 * 6 * 2))
    read_header(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ImageFileError, match="783 bytes where its header says 784"):
        read_header(path)


def test_a_nifti_is_never_read_with_the_values_of_its_sibling(tmp_path):
    for name, value in (("image.nii", 7), ("image.nii.gz", 3)):
        write_image(tmp_path / name, Image(np.full((4, 5, 6), value, np.int16), np.eye(4)))
    with pytest.raises(ImageFileError, match=r"image\.nii\.gz' lies beside 'image\.nii'"):
        read_image(tmp_path / "image.nii.gz")
    assert read_image(tmp_path / "image.nii").array.max() == 7


def test_a_folder_is_refused_with_what_to_do_about_dicom(tmp_path):
    with pytest.raises(ImageFileError, match="is a folder.*DICOM"):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_that_a_full_disk_cut_off_is_no_success(tmp_path, monkeypatch, suffix):
    real = sitk.WriteImage

    def cut_off(image, path, **options):
        real(image, path, **options)
        os.truncate(path, os.path.getsize(path) - 20)

    monkeypatch.setattr(sitk, "WriteImage", cut_off)
    with pytest.raises(ImageFileError, match="truncated"):
        write_image(tmp_path / f"image{suffix}", Image(np.zeros((4, 5, 6)), np.eye(4)))
    assert list(tmp_path.iterdir()) == []
