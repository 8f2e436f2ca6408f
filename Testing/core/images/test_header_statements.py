"""What headers state and ITK does not apply: read as every viewer shows it, told, or refused in words."""

import header_files
import numpy as np
import pytest

from landmark_heatmap.errors import ImageFileError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_grid, read_image, read_place, write_image

PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
VOLUME = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
# As Pillow's ImageOps.exif_transpose shows them.
SHOWN = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.T,
    6: np.rot90(PICTURE, -1),
    7: PICTURE[::-1, ::-1].T,
    8: np.rot90(PICTURE),
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_picture_is_turned_as_its_camera_says(tmp_path, ending, orientation):
    path = tmp_path / f"a.{ending}"
    if ending == "png":
        header_files.png(path, PICTURE, orientation=orientation)
    elif ending == "tif":
        header_files.tiff(path, [PICTURE], {274: orientation})
    else:
        # Large enough for blocks of 8 x 8 pixels to keep what is bright.
        large = np.kron(PICTURE, np.ones((16, 16), np.uint8))
        header_files.jpeg(path, large, orientation)
    image = read_image(path)
    found = image.array[0][8::16, 8::16] if ending == "jpg" else image.array[0]
    assert np.allclose(found, SHOWN[orientation], atol=3)
    assert read_grid(path).size_ijk == image.grid.size_ijk
    assert np.allclose(image.ijk_to_lps, np.eye(4)) and image.unit == "px"
    assert ("EXIF orientation" in image.note) == (orientation != 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", "BHI")
def test_a_camera_may_write_its_number_in_any_form(tmp_path, order, code):
    large = np.kron(PICTURE, np.ones((16, 16), np.uint8))
    path = header_files.jpeg(tmp_path / "a.jpg", large, 6, order=order, code=code)
    assert np.allclose(read_image(path).array[0][8::16, 8::16], SHOWN[6], atol=3)


def test_a_second_picture_in_the_file_does_not_turn_the_first(tmp_path):
    large = np.kron(PICTURE, np.ones((16, 16), np.uint8))
    first = header_files.jpeg(tmp_path / "a.jpg", large, 6).read_bytes()
    second = header_files.jpeg(tmp_path / "b.jpg", large, 3).read_bytes()
    (tmp_path / "a.jpg").write_bytes(first + second)
    assert np.allclose(read_image(tmp_path / "a.jpg").array[0][8::16, 8::16], SHOWN[6], atol=3)


def test_pages_of_a_stack_are_turned_too(tmp_path):
    path = header_files.tiff(tmp_path / "a.tif", [PICTURE, PICTURE + 1], {274: 6})
    array = read_image(path).array
    assert np.array_equal(array, [np.rot90(PICTURE, -1), np.rot90(PICTURE + 1, -1)])


@pytest.mark.parametrize(
    ("unit", "factor"), [("um", 1e-3), ("µm", 1e-3), ("microns", 1e-3), ("cm", 10), ("m", 1e3)]
)
def test_lengths_in_other_units_become_mm(tmp_path, unit, factor):
    where = "space: left-posterior-superior", "space origin: (40,0,-20)"
    directions = "space directions: (20,0,0) (0,20,0) (0,0,10)"
    space = header_files.nrrd(
        tmp_path / "a.nrrd", VOLUME, *where, directions, f'space units: "{unit}" "{unit}" "{unit}"'
    )
    axes = header_files.nrrd(
        tmp_path / "b.nrrd", VOLUME, "spacings: 20 20 10", f'units: "{unit}" "{unit}" "{unit}"'
    )
    meta = header_files.metaimage(
        tmp_path / "a.mha",
        VOLUME,
        "ElementSpacing = 20 20 10",
        "Offset = 40 0 -20",
        f"DistanceUnits = {unit}",
    )
    for path in (space, axes, meta):
        image = read_image(path)
        assert np.allclose(image.grid.spacing_mm, np.array([20, 20, 10]) * factor)
        assert "converted to mm; Slicer shows it with voxels of 20 x 20 x 10 mm" in image.note
    for path in (space, meta):
        assert np.allclose(read_grid(path).ijk_to_lps[:3, 3], np.array([40, 0, -20]) * factor)


def test_units_of_a_nifti_are_converted_by_slicer_as_well(tmp_path):
    path = header_files.nifti(tmp_path / "a.nii", VOLUME, (20, 20, 10), 3, qform=(1, (-40, 0, 5)))
    image = read_image(path)
    assert np.allclose(image.grid.spacing_mm, [0.02, 0.02, 0.01])
    assert "um" in image.note and "Slicer shows" not in image.note


def test_units_that_are_none_are_refused(tmp_path):
    furlongs = header_files.nrrd(
        tmp_path / "a.nrrd", VOLUME, "spacings: 1 1 1", 'units: "mm" "mm" "x"'
    )
    with pytest.raises(ImageFileError, match="'x'.*no unit of length.*mm"):
        read_image(furlongs)
    mixed = header_files.nrrd(
        tmp_path / "b.nrrd", VOLUME, "spacings: 1 1 1", 'units: "mm" "mm" "um"'
    )
    with pytest.raises(ImageFileError, match="different units"):
        read_image(mixed)
    with pytest.raises(ImageFileError, match="unit of length 5"):
        read_image(header_files.nifti(tmp_path / "a.nii", VOLUME, unit=5))


WHERE = "space: left-posterior-superior"
DIRECTIONS = "space directions: (20,0,0) (0,20,0) (0,0,10)"


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ("um um um", "'um um um'; 3 are needed, each in quotation marks"),
        ("'um' 'um' 'um'", "3 are needed"),
        ('"um"', "3 are needed"),
        ('"um" "um" ""', "different units"),
        ('"mm" "mm" "um"', "different units"),
    ],
)
def test_units_that_do_not_say_it_of_each_axis_are_refused(tmp_path, units, told):
    path = header_files.nrrd(
        tmp_path / "a.nrrd", VOLUME, WHERE, DIRECTIONS, f"space units: {units}"
    )
    with pytest.raises(ImageFileError, match=told):
        read_image(path)


def test_units_beside_directions_are_refused_as_what_they_are(tmp_path):
    path = header_files.nrrd(
        tmp_path / "a.nrrd", VOLUME, WHERE, DIRECTIONS, 'units: "um" "um" "um"'
    )
    with pytest.raises(ImageFileError, match="whose units are the 'space units'"):
        read_image(path)


def test_units_of_colours_are_none_of_lengths(tmp_path):
    colours = np.arange(180, dtype=np.uint8).reshape(3, 4, 5, 3)
    kinds = "kinds: RGB-color domain domain domain"
    directions = DIRECTIONS.replace("s: ", "s: none ")
    for number, lines in enumerate(
        (
            (WHERE, directions, kinds, 'space units: "um" "um" "um"'),
            ("spacings: nan 20 20 10", kinds, 'units: "x" "um" "um" "um"'),
            (WHERE, directions, kinds, 'units: "" "" "" ""', 'space units: "um" "um" "um"'),
        )
    ):
        path = header_files.nrrd(tmp_path / f"{number}.nrrd", colours, *lines)
        assert np.allclose(read_image(path).grid.spacing_mm, [0.02, 0.02, 0.01])


def test_a_size_along_some_axes_only_is_refused_unless_it_is_stated(tmp_path):
    for path in (
        header_files.nrrd(
            tmp_path / "a.nrrd", VOLUME, WHERE, "space directions: (2,0,0) (0,2,0) none"
        ),
        header_files.nrrd(tmp_path / "b.nrrd", VOLUME, "spacings: 2 2 nan"),
        header_files.nifti(tmp_path / "a.nii", VOLUME, (2, 2, 0)),
    ):
        with pytest.raises(ImageFileError, match="along 2 of its 3 axes only.*--spacing"):
            read_image(path)
        assert np.allclose(read_image(path, 0.5).grid.spacing_mm, 0.5)


def test_an_extent_in_place_of_the_size_of_a_voxel_is_refused(tmp_path):
    extent = ("axis mins: 0 0 0", "axis maxs: 10 10 10")
    path = header_files.nrrd(tmp_path / "a.nrrd", VOLUME, *extent)
    for read in (read_image, read_grid):
        with pytest.raises(ImageFileError, match="states its extent.*State 'spacings'"):
            read(path)
    nothing = [line.replace("10", "nan").replace("0", "nan") for line in extent]
    assert read_image(header_files.nrrd(tmp_path / "b.nrrd", VOLUME, *nothing)).unit == "px"
    sized = header_files.nrrd(tmp_path / "c.nrrd", VOLUME, "spacings: 2 2 2", *extent)
    assert np.allclose(read_image(sized).grid.spacing_mm, 2)


def test_what_a_library_writes_of_a_nifti_without_a_place_is_no_size(tmp_path):
    assert read_grid(header_files.nifti(tmp_path / "a.nii", VOLUME, unit=0)).unit == "px"
    said = (
        header_files.nifti(tmp_path / "b.nii", VOLUME, unit=2),
        header_files.nifti(tmp_path / "c.nii", VOLUME, unit=0, qform=(1, (0, 0, 0))),
        header_files.nifti(tmp_path / "d.nii", VOLUME, (2, 2, 3), unit=0),
    )
    assert {read_grid(path).unit for path in said} == {"mm"}


def test_what_states_no_size_is_in_px(tmp_path):
    for path in (
        header_files.nrrd(tmp_path / "a.nrrd", VOLUME),
        header_files.metaimage(tmp_path / "a.mha", VOLUME),
        header_files.nifti(tmp_path / "a.nii", VOLUME, (0, 0, 0)),
        header_files.png(tmp_path / "a.png", PICTURE),
        header_files.jpeg(tmp_path / "a.jpg", PICTURE),
        header_files.tiff(tmp_path / "a.tif", [PICTURE]),
    ):
        grid = read_grid(path)
        assert grid.unit == "px" and np.allclose(grid.spacing_mm, 1), path
        stated = read_grid(path, 0.25)
        assert stated.unit == "mm" and np.allclose(stated.spacing_mm[:2], 0.25)
        assert np.allclose(read_image(path, 0.25).ijk_to_lps, stated.ijk_to_lps)
    with pytest.raises(ImageFileError, match="--spacing has to be above 0"):
        read_image(path, -1)


def test_dots_per_inch_are_no_size(tmp_path):
    path = header_files.jpeg(tmp_path / "a.jpg", PICTURE, dpi=72)
    image = read_image(path)
    assert np.allclose(image.ijk_to_lps, np.eye(4))
    assert "dots per inch" in image.note and "0.3528 mm" in image.note
    # Where Slicer shows the pixel (2, 1), and where that is here.
    shown = np.array([2 * 25.4 / 72, 25.4 / 72, 0, 1])
    assert np.allclose(read_place(path).from_slicer @ shown, [2, 1, 0, 1])
    assert read_image(path, 0.5).note == ""


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_px_is_kept_in_a_file(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    write_image(path, Image(PICTURE[None], np.eye(4), "px"))
    assert read_image(path).unit == "px" and read_image(path).note == ""
    write_image(tmp_path / "b.nrrd", Image(PICTURE[None], np.eye(4)))
    assert read_image(tmp_path / "b.nrrd").unit == "mm"


def test_a_format_that_would_call_px_mm_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match="lengths are in px.*Write .nrrd"):
        write_image(tmp_path / "a.nii", Image(VOLUME, np.eye(4), "px"))


def test_two_forms_that_disagree_are_told_of_with_the_distance(tmp_path):
    rows = [[-1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, -10]]
    path = header_files.nifti(tmp_path / "a.nii", VOLUME, sform=(2, rows), qform=(1, (4, 0, -4)))
    image = read_image(path)
    assert "sform and its qform disagree by up to" in image.note and "by its qform" in image.note
    same = [[1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, -4]]
    path = header_files.nifti(tmp_path / "b.nii", VOLUME, sform=(2, same), qform=(1, (4, 0, -4)))
    assert read_image(path).note == ""


def test_an_sform_of_other_sizes_than_the_voxels_is_told_of(tmp_path):
    rows = [[2, 0, 0, 4], [0, 2, 0, 5], [0, 0, 3, 6]]
    image = read_image(header_files.nifti(tmp_path / "a.nii", VOLUME, (1, 1, 1), sform=(1, rows)))
    assert np.allclose(image.grid.spacing_mm, 1)
    assert "its sform and the sizes of voxels" in image.note and "by up to 6.4 mm" in image.note
    path = header_files.nifti(tmp_path / "b.nii", VOLUME, (2, 2, 3), sform=(1, rows))
    assert read_image(path).note == ""


def test_an_sform_of_no_numbers_is_refused_before_itk(tmp_path, capfd):
    rows = np.full((3, 4), np.nan)
    path = header_files.nifti(tmp_path / "a.nii", VOLUME, sform=(1, rows), qform=(1, (0, 0, 0)))
    with pytest.raises(ImageFileError, match="sform has numbers that are none.*sform_code to 0"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_an_sform_of_zeros_is_called_that(tmp_path, capfd):
    path = header_files.nifti(tmp_path / "a.nii", VOLUME, sform=(1, np.zeros((3, 4))))
    with pytest.raises(ImageFileError, match="sform is all zeros.*sform_code to 0"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_what_itk_has_to_say_of_a_header_does_not_reach_the_terminal(tmp_path, capfd):
    rows = [[2.5, 0, 0, 4], [0, 2, 0, 5], [0, 0, 3, 6]]
    path = header_files.nifti(
        tmp_path / "a.nii", VOLUME, (2, 2, 3), sform=(1, rows), qform=(1, (4, 5, 6))
    )
    assert "disagree by up to 2 mm; it is read by its qform" in read_image(path).note
    assert capfd.readouterr().err == ""


def test_a_sheared_sform_is_refused_in_words(tmp_path):
    rows = [[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    path = header_files.nifti(tmp_path / "a.nii", VOLUME, sform=(2, rows))
    with pytest.raises(ImageFileError, match="sform is not rectangular.*Resample"):
        read_image(path)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_where_zero_is_white_bright_is_bright(tmp_path, kind):
    path = header_files.tiff(tmp_path / "a.tif", [PICTURE.astype(kind)], {262: 0})
    limits = np.iinfo(kind)
    expected = limits.max + limits.min - PICTURE.astype(np.int64)
    assert np.array_equal(read_image(path).array[0], expected)


def test_a_thumbnail_is_left_out(tmp_path):
    path = header_files.tiff(tmp_path / "a.tif", [PICTURE, PICTURE[:1, :2]])
    image = read_image(path)
    assert np.array_equal(image.array, PICTURE[None]) and "first of its 2 pages" in image.note
    path = header_files.tiff(tmp_path / "b.tif", [PICTURE[:1, :2], PICTURE])
    with pytest.raises(ImageFileError, match="the first is not the largest"):
        read_image(path)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_with_opacity_is_grey(tmp_path, kind):
    grey = (np.arange(600).reshape(20, 30) * 97 % 251).astype(kind)
    opacity = np.full_like(grey, 7)
    path = header_files.png(tmp_path / "a.png", np.stack([grey, opacity], -1), colour=4)
    assert np.array_equal(read_image(path).array[0], grey)


@pytest.mark.parametrize("name", ["A.PNG", "a.Mha", "a.NII", "a.Nii.GZ", "a.nii.Gz", "a.Nrrd"])
def test_capitals_in_an_ending_are_read(tmp_path, name):
    plain = tmp_path / name.lower().replace("a.", "plain.")
    if plain.suffix == ".png":
        header_files.png(plain, PICTURE)
    else:
        write_image(plain, Image(VOLUME, np.eye(4)))
    plain.rename(tmp_path / name)
    assert read_image(tmp_path / name).array.size in (VOLUME.size, PICTURE.size)
