"""Small images with one bright voxel, and the import command run on tables about them."""

import argparse
import json

import numpy as np

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_training.commands.importing import add_import

WIDTH, HEIGHT = 30, 20


def picture(path, x, y, spacing_mm=1.0):
    """A picture of 30 x 20 pixels, of which one is bright."""
    array = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    array[0, y, x] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(array, np.diag([spacing_mm, spacing_mm, 1.0, 1.0])))
    return path


def photograph(path, x, y):
    """The same in a format of photographs, which says nothing of millimetres."""
    import SimpleITK as sitk

    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[y, x] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def volume(path, ijk, affine=None):
    """A volume of 8 x 7 x 6 voxels, of which one is bright, obliquely placed if not otherwise said."""
    array = np.zeros((6, 7, 8), np.int16)
    array[tuple(reversed(ijk))] = 100
    image = Image(array, oblique() if affine is None else affine)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)
    return image


def oblique():
    """An affine with rotated axes, three spacings and an origin."""
    matrix = np.eye(4)
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    matrix[:3, :3] = turn * [1.0, 2.0, 3.0]
    matrix[:3, 3] = [-5.0, 4.0, 30.0]
    return matrix


def run_import(*arguments) -> int:
    """landmark-train import, with everything that it refuses raised."""
    parser = argparse.ArgumentParser()
    add_import(parser.add_subparsers())
    options = parser.parse_args(["import", *map(str, arguments)])
    return options.command(options)


def imported(folder, case):
    """(image, annotation) of a case that was written."""
    return read_image(folder / f"{case}.nrrd"), read_annotation(folder / f"{case}.mrk.json")


def value_at(folder, case, landmark):
    """The value of the voxel in which a landmark lies."""
    image, annotation = imported(folder, case)
    i, j, k = np.rint(image.grid.to_ijk(annotation.position_lps(landmark))).astype(int)
    return image.array[k, j, i]


def text_file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def json_file(path, document):
    return text_file(path, json.dumps(document))
