"""Volume nodes to and from images. Everything is in the node's own coordinates: parent transforms
are left to MRML, which applies them to the volume and to all that is published beside it alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk

from landmark_heatmap.errors import GeometryError, ImageFileError
from landmark_heatmap.images.geometry import MM, PX, RAS_TO_LPS, Grid, Image
from landmark_heatmap.images.headers import read_header
from landmark_heatmap.images.imageio import to_grey

# Of a volume that was not loaded by Slicer and whose lengths are no mm: their unit.
_UNIT_ATTRIBUTE = "LandmarkHeatmap.Unit"


def image_of(volume_node) -> Image:
    """The image of a scalar or vector volume node, in LPS; its array is a view if it has one component.

    Its unit is px where the file that it was loaded from does not state how large a voxel is: what
    Slicer shows such an image with is no size.
    Raises GeometryError for a volume without voxels.
    """
    data = volume_node.GetImageData()
    if data is None or 0 in data.GetDimensions():
        raise GeometryError(f"The volume '{volume_node.GetName()}' holds no image.")
    array = to_grey(slicer.util.arrayFromVolume(volume_node))
    return Image.from_ras(array, ijk_to_ras(volume_node), unit_of(volume_node))


def unit_of(volume_node) -> str:
    """'mm' or 'px', as the file says that the volume was loaded from; mm where there is none."""
    if volume_node.GetAttribute(_UNIT_ATTRIBUTE) == PX:
        return PX
    storage = volume_node.GetStorageNode()
    path = storage.GetFileName() if storage is not None else None
    try:
        return read_header(path).lengths.unit if path and Path(path).is_file() else MM
    except (ImageFileError, OSError):
        # Slicer reads what is not read here.
        return MM


def grid_of(volume_node, unit: str) -> Grid:
    """Where the voxels of a volume node are, in LPS. unit: of its lengths, 'mm' or 'px'."""
    return Grid(tuple(size_ijk(volume_node)), RAS_TO_LPS @ ijk_to_ras(volume_node), unit)


def ijk_to_ras(volume_node) -> np.ndarray:
    """The 4x4 affine from voxel indices to RAS in mm, in the volume's own coordinates."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def size_ijk(volume_node) -> list:
    """The voxels along i, j, k; zeros for a volume without an image."""
    data = volume_node.GetImageData()
    return [0, 0, 0] if data is None else list(data.GetDimensions())


def file_of(volume_node):
    """The path of the one file that a volume was read from and still is; else None."""
    storage = volume_node.GetStorageNode()
    if storage is None or storage.GetNumberOfFileNames() > 1 or volume_node.GetModifiedSinceRead():
        return None
    path = storage.GetFullNameFromFileName() if storage.GetFileName() else ""
    return Path(path) if path else None


def component_note(volume_node) -> str:
    """Which part of a volume with several components `image_of` takes; empty for just one."""
    data = volume_node.GetImageData()
    components = 0 if data is None else data.GetNumberOfScalarComponents()
    if components >= 3:
        return f"luminance of the first 3 of {components} components"
    return f"the first of {components} components" if components == 2 else ""


def add_volume(scene, image: Image, name: str, levels: bool = True, is_hidden: bool = False):
    """A new scalar volume node with this image, under no transform and not yet displayed.

    levels: whether to look through the image for the grey levels to show it with; False saves
    that time where they are set anyway, and takes the name as it is. is_hidden: from the lists of
    volumes in which the user chooses.
    """
    node = scene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
    node.UnRegister(None)  # CreateNodeByClass leaves a reference to its caller
    node.SetName(scene.GenerateUniqueName(name) if levels else name)
    node.SetHideFromEditors(is_hidden)
    if image.unit == PX:
        node.SetAttribute(_UNIT_ATTRIBUTE, PX)
    # Whole before it comes into the scene, so that nobody looks at it more than once.
    slicer.util.updateVolumeFromArray(node, image.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(image.grid.ijk_to_ras))
    node = scene.AddNode(node)
    if not levels:
        display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.AutoWindowLevelOff()
        node.SetAndObserveDisplayNodeID(display.GetID())
    node.CreateDefaultDisplayNodes()
    return node


def remove_with_display(node) -> None:
    """Take a node out of its scene, and first what displays it: it would stay, and so would what views
    show of it."""
    scene, count = node.GetScene(), 0
    if node.IsA("vtkMRMLDisplayableNode"):
        count = node.GetNumberOfDisplayNodes()
    displays = [node.GetNthDisplayNode(index) for index in range(count)]
    for each in filter(None, displays):
        scene.RemoveNode(each)
    scene.RemoveNode(node)
