"""Image files that are cut short, lie about their size, or name files elsewhere; and a full disk."""

import errno
import os
import shutil
import struct
import zlib
from collections import namedtuple

import numpy as np
import pytest
import SimpleITK as sitk

from landmark_heatmap import files
from landmark_heatmap.errors import ImageFileError
from landmark_heatmap.images import writing
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.headers import read_header, values_file_of
from landmark_heatmap.images.imageio import read_grid, read_image, write_image

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
RANDOM = np.random.default_rng(0)
VOLUME = RANDOM.integers(0, 999, (12, 11, 10)).astype(np.int16)
PICTURE = RANDOM.integers(0, 255, (30, 31)).astype(np.uint8)
COLOURS = RANDOM.integers(0, 255, (20, 21, 3)).astype(np.uint8)
EXAMPLES = {
    "raw.nrrd": (VOLUME, False), "gzip.nrrd": (VOLUME, True), "raw.mha": (VOLUME, False),
    "zlib.mha": (VOLUME, True), "raw.nii": (VOLUME, False), "gzip.nii.gz": (VOLUME, True),
    "grey.png": (PICTURE, False), "grey.jpg": (PICTURE, False), "grey.bmp": (PICTURE, False),
    "grey.tif": (PICTURE, False), "packed.tif": (PICTURE, True), "colour.bmp": (COLOURS, False),
    "colour.jpg": (COLOURS, False), "pages.tif": (VOLUME, False), "grey.dcm": (PICTURE, False),
}  # fmt: skip
MHD = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = {}\n"
NHDR = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: {}\n\n"
HEADERS = {"a.mhd": MHD, "a.nhdr": NHDR}


def example(folder, name):
    array, packed = EXAMPLES[name]
    image = sitk.GetImageFromArray(array, isVector=array is COLOURS)
    sitk.WriteImage(image, str(folder / name), useCompression=packed)
    return folder / name


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_whole_image_is_read(tmp_path, name):
    assert read_image(example(tmp_path, name)).array.size in (VOLUME.size, PICTURE.size, 20 * 21)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("missing", [1, 2, 6, 12, 0.1, 0.5, 0.9])
def test_an_image_that_is_cut_short_is_refused(tmp_path, name, missing):
    path = example(tmp_path, name)
    size = path.stat().st_size
    os.truncate(path, size - (missing if missing >= 1 else int(size * missing)))
    with pytest.raises(ImageFileError, match=name) as refusal:
        read_image(path)
    assert "truncated" in str(refusal.value) or "damaged" in str(refusal.value)


def png_of(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pieces = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in pieces
    )


def nifti_of(*sizes):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *sizes, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 64, 64)
    struct.pack_into("<f", header, 108, 352)
    header[344:347] = b"n+1"
    return bytes(header) + b"few"


def bmp_of(width, height):
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 99, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def jpeg_of(width, height):
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xd9"


def tiff_of(width, height):
    entries = [(256, width), (257, height), (258, 8), (259, 5), (273, 8), (279, 4)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 12) + b"data" + struct.pack("<H", 6) + directory + b"\0" * 4


HUGE = {
    "raw.nrrd": NHDR.format("").replace("data file: \n", "").replace("2 2 2", "40000 40000 40000"),
    "gzip.nrrd": "NRRD0004\ntype: double\ndimension: 3\nsizes: 3000 3000 3000\nencoding: gzip\n\nx",
    "raw.mha": MHD.format("LOCAL").replace("2 2 2", "30000 30000 30000"),
    "zlib.mha": "CompressedData = True\n".join(
        [MHD[:10], MHD[10:].format("LOCAL").replace("2 2 2", "3000 3000 3000")]
    ),
    "a.nii": nifti_of(3000, 3000, 3000),
    "a.png": png_of(100_000, 100_000),
    "a.bmp": bmp_of(50_000, 50_000),
    "a.jpg": jpeg_of(65_000, 65_000),
    "a.tif": tiff_of(100_000, 100_000),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_header_that_claims_gigabytes_over_a_few_bytes_is_refused_before_itk(
    tmp_path, monkeypatch, name
):
    content = HUGE[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def never():
        raise AssertionError("ITK was asked")

    monkeypatch.setattr(sitk, "ImageFileReader", never)
    for read in (read_image, read_grid):
        with pytest.raises(ImageFileError, match="truncated"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_takes_its_values_from_a_file_beside_it(tmp_path, name):
    (tmp_path / "values.raw").write_bytes(bytes(range(8)))
    path = tmp_path / name
    path.write_text(HEADERS[name].format("values.raw"))
    assert read_image(path).array.ravel().tolist() == list(range(8))
    assert values_file_of(path) == tmp_path / "values.raw"


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    "values",
    [
        "/etc/passwd",
        "../secret.raw",
        "LIST",
        "LIST 2D",
        "v%03d.raw 1 2 1",
        "sub/v.raw",
        "C:\\v",
        ".",
    ],
)
def test_a_header_that_names_a_file_elsewhere_or_several_is_refused(tmp_path, name, values):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    (tmp_path / "case" / "sub").mkdir(parents=True)
    (tmp_path / "case" / "sub" / "v.raw").write_bytes(bytes(8))
    path = tmp_path / "case" / name
    path.write_text(HEADERS[name].format(values))
    for read in (read_image, read_grid, values_file_of):
        with pytest.raises(ImageFileError, match=rf"{name}' takes its values from"):
            read(path)


@posix_only
@pytest.mark.parametrize("name", HEADERS)
def test_a_link_that_leads_elsewhere_is_no_file_beside_the_header(tmp_path, name):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "v.raw").symlink_to(tmp_path / "secret.raw")
    (tmp_path / "case" / name).write_text(HEADERS[name].format("v.raw"))
    with pytest.raises(ImageFileError, match="a link to another folder"):
        read_image(tmp_path / "case" / name)


def test_what_itk_would_read_for_another_format_is_read_as_what_it_is(tmp_path):
    shutil.move(example(tmp_path, "raw.nrrd"), tmp_path / "photo.JPG")
    assert read_image(tmp_path / "photo.JPG").array.shape == VOLUME.shape
    (tmp_path / "photo.png").write_text(NHDR.format("/etc/passwd"))
    with pytest.raises(ImageFileError, match="'/etc/passwd'"):
        read_image(tmp_path / "photo.png")


def test_pages_of_different_kinds_are_refused(tmp_path):
    path = example(tmp_path, "pages.tif")
    content = bytearray(path.read_bytes())
    at = int.from_bytes(content[4:8], "little") + 2
    assert content[at : at + 2] == struct.pack("<H", 254)
    content[at + 8] = 1
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match="pages of different sizes or kinds"):
        read_image(path)


@posix_only
def test_a_name_that_is_not_utf_8_is_refused_and_ends_nothing(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"bad-\xff.nrrd")
    shutil.copy(example(tmp_path, "raw.nrrd"), path)
    for use in (read_image, read_grid, lambda p: write_image(p, Image(VOLUME, np.eye(4)))):
        with pytest.raises(ImageFileError, match=r"bad-\\xff.nrrd'.* not in UTF-8. Rename it"):
            use(os.fsdecode(path))


@posix_only
@pytest.mark.parametrize("name", ["image.nrrd", "image.nii.gz", "image.png"])
def test_a_pipe_is_no_image_and_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (tmp_path / f"link-{name}").symlink_to("/dev/zero")
    with pytest.raises(ImageFileError, match="it is a pipe, not a file"):
        read_image(tmp_path / name)
    with pytest.raises(ImageFileError, match="it is a device, not a file"):
        read_image(tmp_path / f"link-{name}")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii", ".nii.gz"])
@pytest.mark.parametrize("damage", ["cut", "voxel"])
def test_what_is_not_read_back_as_it_was_written_is_no_success(
    tmp_path, monkeypatch, suffix, damage
):
    path = tmp_path / f"scan{suffix}"
    write_image(path, Image(VOLUME, np.eye(4)))
    before, real = path.read_bytes(), sitk.WriteImage

    def fails(image, name, **options):
        if damage == "voxel":
            image = sitk.Image(image)
            image[3, 3, 3] = image[3, 3, 3] + 1
        real(image, name, **options)
        if damage == "cut":
            os.truncate(name, os.path.getsize(name) - 1)

    monkeypatch.setattr(sitk, "WriteImage", fails)
    with pytest.raises(ImageFileError, match=rf"scan{suffix}") as refusal:
        write_image(path, Image(VOLUME + 1, np.eye(4)))
    assert ".new-" not in str(refusal.value)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_called_so_with_the_name_that_the_user_knows(tmp_path, monkeypatch):
    real = sitk.WriteImage

    def fails(image, name, **options):
        real(image, name, **options)
        os.truncate(name, os.path.getsize(name) // 2)

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(sitk, "WriteImage", fails)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage(10**6, 10**6, 0))
    with pytest.raises(OSError) as error:
        writing.write_image(tmp_path / "scan.nrrd", Image(VOLUME, np.eye(4)))
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "scan.nrrd"))


def test_an_error_of_itk_is_told_in_the_words_of_the_user(tmp_path):
    path = example(tmp_path, "grey.png")
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match="damaged") as refusal:
        read_image(path)
    told = str(refusal.value).replace(str(path), "")
    assert not any(word in told for word in ("itk", "ITK", "sitk", ".cxx", "line "))


@pytest.mark.parametrize("field", ["nonsense: 1", "x" * 5000 + ": a b c", "sizes: 9 9 9"])
def test_a_field_that_no_nrrd_has_is_refused(tmp_path, field):
    (tmp_path / "a.nrrd").write_bytes(NHDR.replace("data file: {}", field).encode() + bytes(8))
    with pytest.raises(ImageFileError, match="its header"):
        read_header(tmp_path / "a.nrrd")


def test_a_packed_bmp_is_refused_with_what_to_do(tmp_path):
    path = example(tmp_path, "grey.bmp")
    content = bytearray(path.read_bytes())
    content[30] = 1
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match="packed BMP, which is not read. Save it as PNG"):
        read_image(path)


def dicom_element(tag, kind, value, length=None):
    """An element of a type with four bytes for its length."""
    length = len(value) if length is None else length
    return struct.pack("<HH2sHI", *tag, kind, 0, length) + value


@pytest.mark.parametrize("place", ["top", "sequence", "item"])
def test_an_element_of_a_dicom_that_claims_gigabytes_is_refused_before_itk(tmp_path, place):
    syntax = b"1.2.840.10008.1.2.1\0"
    head = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    hostile = dicom_element((9, 0x1001), b"OB", b"few", 2**31)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(hostile)) + hostile
    body = {
        "top": hostile,
        "sequence": dicom_element((8, 0x1140), b"SQ", item),
        "item": dicom_element((8, 0x1140), b"SQ", item, 2**32 - 1),
    }[place]
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + head + body)
    with pytest.raises(ImageFileError, match="truncated or damaged"):
        read_header(tmp_path / "a.dcm")


def test_sequences_of_a_dicom_are_walked_through(tmp_path):
    path = example(tmp_path, "grey.dcm")
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00")
    # ITK writes no types.
    inner = struct.pack("<HHI", 8, 0x1150, 4) + b"1234"
    closed = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    open_end = struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1) + inner
    open_end += struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    added = struct.pack("<HHI", 0x29, 0x1001, len(closed)) + closed
    added += struct.pack("<HHI", 0x29, 0x1002, 2**32 - 1) + closed + open_end + end
    path.write_bytes(content[:at] + added + content[at:])
    np.testing.assert_array_equal(read_image(path).array[0], PICTURE)
    hostile = closed.replace(
        struct.pack("<HHI", 8, 0x1150, 4), struct.pack("<HHI", 8, 0x1150, 2**31)
    )
    path.write_bytes(path.read_bytes().replace(closed, hostile))
    with pytest.raises(ImageFileError, match="truncated or damaged"):
        read_image(path)
