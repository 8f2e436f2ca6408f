"""Images are read as Slicer's own reader reads them, and where they are not, the note says so."""

import header_files
import numpy as np
import pytest

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, read_place, write_image
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.rows import rows_of
from LandmarkHeatmapLib.volumes import add_volume, image_of
from mrml_examples import loaded, make_prediction

ARRAY = np.random.default_rng(0).integers(0, 999, (6, 7, 8)).astype(np.int16)


def oblique(seed):
    """Rotated by any angle, left-handed for every second seed, with three spacings and an origin."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation)) * (-1) ** seed
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * rng.uniform(0.3, 3, 3)
    matrix[:3, 3] = rng.uniform(-100, 100, 3)
    return matrix


def assert_same(image, node):
    """Each voxel has the same value at the same place: Slicer turns left-handed axes round."""
    shown = image_of(node)
    indices = np.indices(image.array.shape[::-1]).reshape(3, -1).T
    there = shown.grid.to_ijk(image.grid.to_lps(indices))
    assert np.allclose(there, np.rint(there), atol=1e-2)
    values = shown.array[tuple(np.rint(there).astype(int).T[::-1])]
    assert np.array_equal(values, image.array[tuple(indices.T[::-1])])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ending", ["nrrd", "nii", "nii.gz", "mha"])
def test_oblique_images_lie_where_slicer_has_them(scene, tmp_path, ending, seed):
    path = tmp_path / f"a.{ending}"
    write_image(path, Image(ARRAY, oblique(seed)))
    image, node = read_image(path), loaded(scene, path)
    assert_same(image, node)
    assert image.note == "" and image_of(node).unit == image.unit == "mm"


def test_what_slicer_shows_at_another_size_is_told(scene, tmp_path):
    path = header_files.nrrd(
        tmp_path / "a.nrrd", ARRAY, "spacings: 20 20 20", 'units: "um" "um" "um"'
    )
    node, image = loaded(scene, path), read_image(path)
    assert np.allclose(node.GetSpacing(), 20) and np.allclose(image.grid.spacing_mm, 0.02)
    assert "Slicer shows it with voxels of 20 mm" in image.note


def test_the_form_that_slicer_takes_of_a_nifti_is_taken(scene, tmp_path):
    rows = [[-1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, -10]]
    for codes in ((2, 1), (1, 1), (1, 2), (3, 1), (4, 2)):
        path = header_files.nifti(
            tmp_path / "a.nii", ARRAY, sform=(codes[0], rows), qform=(codes[1], (4, 0, -4))
        )
        node, image = loaded(scene, path), read_image(path)
        assert_same(image, node)
        assert "disagree" in image.note


def test_a_photograph_has_no_size_in_slicer_either(scene, tmp_path):
    path = header_files.jpeg(tmp_path / "a.jpg", ARRAY[0].astype(np.uint8), dpi=72)
    # Slicer's core cannot read JPEG; the application gives such a volume the size of a print.
    size = 25.4 / 72
    print_of = Image(ARRAY[:1].astype(np.uint8), np.diag([size, size, 1, 1]))
    node = add_volume(scene, print_of, "photograph")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    image = image_of(node)
    assert image.unit == "px" and np.allclose(image.ijk_to_lps, print_of.ijk_to_lps)
    # What is found there and what is found in the file are one place.
    found = read_place(path).from_slicer @ image.ijk_to_lps @ [3, 2, 0, 1]
    assert np.allclose(found, [3, 2, 0, 1])


def detected_in_a_photograph(scene, folder):
    """A result in a JPEG that Slicer shows with pixels of half a millimetre."""
    path = header_files.jpeg(folder / "a.jpg", ARRAY[0].astype(np.uint8))
    node = add_volume(scene, Image(ARRAY[:1], np.diag([0.5, 0.5, 1, 1])), "photograph")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    return DetectionResult.publish(node, make_prediction(image_of(node)))


def test_a_photograph_is_exported_in_its_pixels(scene, tmp_path):
    result = detected_in_a_photograph(scene, tmp_path)
    for name in result.landmarks.names:
        result.confirm(name)
    before = result.annotation()
    revision = export_case(result, tmp_path / "data")
    written = read_annotation(revision / "landmarks.mrk.json")
    assert written.unit == read_image(revision.parent / "image.nrrd").unit == "px"
    placed = [name for name in before.names if before.position_lps(name) is not None]
    assert placed
    for name in placed:
        assert np.allclose(written.position_lps(name)[:2], 2 * before.position_lps(name)[:2])


def test_how_far_a_landmark_of_a_photograph_was_moved_is_in_pixels(scene, tmp_path):
    result = detected_in_a_photograph(scene, tmp_path)
    name = result.landmarks.names[0]
    x, y, z = result.annotation().position_lps(name)
    result.move(name, [-(x + 1.5), -y, z])
    assert result.unit == "px" and result.moved_mm(name) == pytest.approx(3)
    row = next(row for row in rows_of(result) if row.name == name)
    assert row.unit == "px" and row.moved_mm == pytest.approx(3)
