"""Images, predictions and transforms that the tests on MRML share."""

import numpy as np

from headless.scene import slicer, vtk
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import ModelIdentity
from LandmarkHeatmapLib.result import markups

RAS = np.array([-1, -1, 1])
SIGMA_MM = 4.0
LANDMARKS = LandmarkSet(
    (
        Landmark("Head_L", "centre of the left head"),
        Landmark("Head_R", "centre of the right head"),
        Landmark("Tip", "its lowest point"),
        Landmark("Gone", "what is not in this image"),
    ),
    (("Head_L", "Head_R"),),
)


def loaded(scene, path):
    """The volume node that Slicer makes of a file."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.ReadData(node)
    return node


def make_image(affine=None, size_ijk=(40, 44, 48)):
    """An image with something to see in it; affine: IJK to LPS."""
    rng = np.random.default_rng(0)
    array = rng.normal(0, 20, size_ijk[::-1]).astype(np.int16)
    return Image(array, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine)


def make_prediction(image, landmarks=LANDMARKS):
    """Landmarks spread over the image, each with a Gaussian crop; the last one is absent."""
    grid = image.grid
    size = np.array(grid.size_ijk)
    shares = [(0.3, 0.4, 0.5), (0.7, 0.4, 0.5), (0.5, 0.7, 0.5), (0.5, 0.3, 0.5)]
    points = []
    for number, (name, share) in enumerate(zip(landmarks.names, shares)):
        ijk = np.where(size > 1, (size - 1) * share + 0.27, 0)
        position = grid.to_lps(ijk)
        absent = number == len(landmarks) - 1
        heatmap = _gaussian_crop(grid, ijk, position, 0.01 if absent else 0.95)
        presence, confidence = (0.1, 0.05) if absent else (0.99, 0.9 - 0.1 * number)
        points.append(LandmarkPrediction(name, position, presence, confidence, heatmap))
    model = ModelIdentity("Test model", "1", "ab" * 32)
    return Prediction(landmarks, tuple(points), grid, model)


def make_many(image, count=45):
    """So many landmarks, found and spread over the image; their names differ at their ends."""
    names = [f"Anterior_Superior_Point_{n // 2:02d}_{'LR'[n % 2]}" for n in range(count)]
    landmarks = LandmarkSet(
        tuple(Landmark(name, "A definition that takes more than one line. " * 3) for name in names)
    )
    grid, rng, points = image.grid, np.random.default_rng(1), []
    size = np.array(grid.size_ijk)
    for name in names:
        ijk = np.where(size > 1, rng.uniform(0.15, 0.85, 3) * (size - 1), 0)
        heatmap = _gaussian_crop(grid, ijk, grid.to_lps(ijk), 0.95)
        confidence = float(rng.uniform(0.3, 1.0))
        points.append(LandmarkPrediction(name, grid.to_lps(ijk), 0.99, confidence, heatmap))
    return Prediction(landmarks, tuple(points), grid, ModelIdentity("Test model", "1", "ab" * 32))


def _gaussian_crop(grid, ijk, position, height):
    start = np.maximum(np.rint(ijk).astype(int) - 5, 0)
    stop = np.minimum(np.rint(ijk).astype(int) + 6, grid.size_ijk)
    crop = grid.cropped(start, stop - start)
    index = np.stack(np.meshgrid(*map(np.arange, crop.size_ijk), indexing="ij"), axis=-1)
    square = ((crop.to_lps(index) - position) ** 2).sum(-1)
    array = height * np.exp(-0.5 * square / SIGMA_MM**2)
    return Image(array.T.astype(np.float32), crop.ijk_to_lps)


def oblique(spacing, hand=1, seed=3):
    directions, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = directions * np.sign(np.linalg.det(directions)) * [1, 1, hand] * spacing
    affine[:3, 3] = [30, -80, 240]
    return affine


IMAGES = {
    "plain": make_image(),
    "oblique": make_image(oblique([2.0, 2.0, 2.0])),
    "left-handed": make_image(oblique([1.5, 1.5, 1.5], hand=-1)),
    "anisotropic": make_image(oblique([0.8, 0.8, 4.0]), (60, 60, 20)),
    "single slice": make_image(np.diag([0.5, 0.5, 1.0, 1.0]), (60, 50, 1)),
    "oblique single slice": make_image(oblique([0.5, 0.5, 3.0]), (60, 50, 1)),
}


def linear_transform(scene):
    transform = vtk.vtkTransform()
    transform.RotateWXYZ(35, 0.2, 1, -0.4)
    transform.Translate(12, -40, 25)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def bending_transform(scene):
    warp = vtk.vtkThinPlateSplineTransform()
    corners = [(x, y, z) for x in (-200, 100) for y in (-200, 100) for z in (-100, 300)]
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for number, corner in enumerate(corners):
        source.InsertNextPoint(*corner)
        target.InsertNextPoint(*(np.array(corner) + [5 * np.sin(number), 8 * np.cos(number), 4]))
    warp.SetSourceLandmarks(source)
    warp.SetTargetLandmarks(target)
    warp.SetBasisToR()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(warp)
    return node


def to_world(node, point_ras):
    transform = vtk.vtkGeneralTransform()
    parent = node.GetParentTransformNode()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, None, transform)
    return np.array(transform.TransformPoint(*map(float, point_ras)))


def ready(result, views, name="Head_L"):
    """Show the result in all views, through one landmark; returns where that is in the world."""
    world = markups.world_positions(result.markups_node)[LANDMARKS.index(name)]
    for view in views.values():
        view.show(result.volume_node)
        view.jump_to(world)
        view.render()
    return world


def in_view(view, along_x_mm, along_y_mm):
    """A vector in the plane of a slice view, world RAS."""
    matrix = view.node.GetSliceToRAS()
    axes = np.array([[matrix.GetElement(r, c) for r in range(3)] for c in (0, 1)])
    return along_x_mm * axes[0] + along_y_mm * axes[1]
