"""Which image it is: told by its voxels, however it is saved."""

import numpy as np

from landmark_heatmap.files import sha256_of
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.identity import files_sha256, ids_of, image_id, placed_id
from landmark_heatmap.images.imageio import read_image, write_image

HEADER = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"


def write_detached(folder, name, values):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.mhd").write_text(HEADER + f"ElementDataFile = {name}.raw\n")
    (folder / f"{name}.raw").write_bytes(bytes(values))
    return folder / f"{name}.mhd"


def test_headers_of_the_same_text_are_of_different_images(tmp_path):
    paths = [write_detached(tmp_path / str(n), "image", range(n, n + 8)) for n in range(3)]
    assert len({image_id(read_image(path)) for path in paths}) == 3
    assert not ids_of(paths[0]) & ids_of(paths[1])
    assert len(set(map(files_sha256, paths))) == 3


def test_one_image_under_two_names_is_one(tmp_path):
    first = write_detached(tmp_path, "s", range(8))
    second = write_detached(tmp_path, "t", range(8))
    write_image(tmp_path / "u.nrrd", read_image(first))
    write_image(tmp_path / "v.nii.gz", read_image(first))
    names = ("s.mhd", "t.mhd", "u.nrrd", "v.nii.gz")
    assert len({image_id(read_image(tmp_path / name)) for name in names}) == 1
    assert files_sha256(first) != files_sha256(second)


def test_an_image_that_was_moved_is_the_same_image_at_another_place():
    array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    here, there = Image(array, np.eye(4)), Image(array, np.diag([2.0, 2, 2, 1]))
    assert image_id(here) == image_id(there) and placed_id(here) != placed_id(there)
    assert placed_id(here) != placed_id(Image(array, np.eye(4), "px"))


def test_models_of_earlier_versions_are_understood(tmp_path):
    path = tmp_path / "a.nrrd"
    write_image(path, Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)))
    assert sha256_of(path)[:16] in ids_of(path)
