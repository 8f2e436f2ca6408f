"""Slice and 3D views with the real displayable managers, off screen, and a mouse for the former."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from .scene import Application, shared_application, slicer, vtk  # isort: skip, it chooses how VTK renders
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

# As in Slicer: which view looks along which axis, and the colour of its bar.
SLICE_VIEWS = {
    "Red": ("Axial", (0.95, 0.29, 0.29)),
    "Green": ("Coronal", (0.43, 0.69, 0.29)),
    "Yellow": ("Sagittal", (0.93, 0.84, 0.30)),
}
_SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
_3D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)


def save_png(path, pixels: np.ndarray) -> Path:
    """Write a picture (height, width, 3) uint8, the top row first."""
    pixels = np.ascontiguousarray(pixels[::-1])
    image = vtk.vtkImageData()
    image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()
    return Path(path)


class _ImageActor:
    """Shows the slice logic's blended image; in the application a Qt widget does."""

    def __init__(self, renderer):
        self.mapper = vtk.vtkImageMapper()
        # The image is RGB already: 0 to 255 as it is.
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(self.mapper)
        self.actor.GetProperty().SetDisplayLocationToBackground()
        renderer.AddViewProp(self.actor)


class _View:
    """A render window with displayable managers and an interactor."""

    def __init__(self, size):
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        # VTK's default style would grab the mouse at the first press, to turn the camera.
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()

    def _start_managers(self, factory, names, node) -> None:
        factory = factory.GetInstance()
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers.Initialize(factory, self.renderer)
        self.managers.SetMRMLDisplayableNode(node)

    def render(self) -> np.ndarray:
        """The picture as it is now: (height, width, 3) uint8, the top row first."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1]


class SliceView(_View):
    """A slice view by its name in Slicer: Red, Green or Yellow."""

    def __init__(self, application: Application, name: str, size=(500, 500)):
        super().__init__(size)
        orientation, colour = SLICE_VIEWS[name]
        self.orientation = orientation
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application.logic)
        self.logic.SetMRMLScene(application.scene)
        application.logic.GetSliceLogics().AddItem(self.logic)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.node.SetLayoutColor(*colour)
        self.logic.ResizeSliceNode(*size)
        self.image = _ImageActor(self.renderer)
        self._start_managers(
            slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE_MANAGERS, self.node
        )
        self.logic.AddObserver("ModifiedEvent", self._connect_image)
        style = slicer.vtkMRMLSliceViewInteractorStyle()
        style.SetSliceLogic(self.logic)
        style.SetDisplayableManagers(self.managers)
        self.style = style
        style.SetInteractor(self.interactor)
        self.interactor.Initialize()
        self._connect_image()

    def reset(self) -> None:
        """Show nothing, along the view's own axis."""
        composite = self.logic.GetSliceCompositeNode()
        composite.SetBackgroundVolumeID(None)
        composite.SetForegroundVolumeID(None)
        self.node.SetOrientation(self.orientation)

    def _connect_image(self, *_) -> None:
        connection = self.logic.GetImageDataConnection()
        self.image.mapper.SetInputConnection(connection)
        self.image.actor.SetVisibility(connection is not None)

    def show(self, volume_node) -> None:
        """Show a volume as background, along its own axes if they are straight, fitted."""
        composite = self.logic.GetSliceCompositeNode()
        composite.SetBackgroundVolumeID(volume_node.GetID())
        transform = volume_node.GetParentTransformNode()
        self.node.SetOrientation(self.orientation)
        if transform is None or transform.IsTransformToWorldLinear():
            self.node.RotateToVolumePlane(volume_node)
        self.logic.FitSliceToBackground()

    def jump_to(self, position_ras) -> None:
        """Move the slice through a point; the picture stays where it is."""
        self.node.JumpSliceByOffsetting(*map(float, position_ras))

    def pixel_of(self, position_ras) -> np.ndarray:
        """Where a world point is on the screen: (2,), from the lower left corner."""
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), matrix)
        return np.array(matrix.MultiplyPoint((*position_ras, 1.0)))[:2]

    def drag(self, start_ras, end_ras, button="Left", steps=6) -> None:
        """Hover over a point, press, move, release, as a hand does."""
        start, end = self.pixel_of(start_ras), self.pixel_of(end_ras)
        self._event("MouseMove", start)
        self._event("MouseMove", start)
        self._event(f"{button}ButtonPress", start)
        for step in range(1, steps + 1):
            self._event("MouseMove", start + (end - start) * step / steps)
        self._event(f"{button}ButtonRelease", end)
        self.window.Render()

    def click(self, position_ras) -> None:
        self.drag(position_ras, position_ras, steps=0)

    def _event(self, name: str, pixel) -> None:
        x, y = (int(round(value)) for value in pixel)
        self.interactor.SetEventInformation(x, y, 0, 0, chr(0), 0, None)
        self.interactor.InvokeEvent(f"{name}Event")


@functools.lru_cache(maxsize=1)
def shared_slice_views() -> dict:
    """The three slice views of the shared application by name; a scene has each only once."""
    return {name: SliceView(shared_application(), name) for name in SLICE_VIEWS}


class ThreeDView(_View):
    """A 3D view; the slice views' planes and surfaces show in it."""

    def __init__(self, application: Application, size=(600, 600)):
        super().__init__(size)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(application.logic)
        self.logic.SetMRMLScene(application.scene)
        application.logic.GetViewLogics().AddItem(self.logic)
        self.node = self.logic.AddViewNode("1")
        self.renderer.SetUseDepthPeeling(True)
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self._start_managers(
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _3D_MANAGERS, self.node
        )
        style = slicer.vtkMRMLThreeDViewInteractorStyle()
        style.SetDisplayableManagers(self.managers)
        self.style = style
        style.SetInteractor(self.interactor)
        self.interactor.Initialize()

    def look_from_front(self) -> None:
        """From anterior, everything in sight."""
        self.window.Render()
        self.renderer.ResetCamera()
        camera = self.renderer.GetActiveCamera()
        focus = np.array(camera.GetFocalPoint())
        camera.SetPosition(*(focus + [0, camera.GetDistance(), 0]))
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Zoom(1.4)
        self.renderer.ResetCameraClippingRange()


def add_surface(scene, volume_node, level: float, colour=(0.93, 0.88, 0.78), opacity=0.45):
    """A model node with the surface of a volume at an intensity, under the volume's transform."""
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(volume_node.GetImageData())
    contour.SetValue(0, level)
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(12)
    matrix, to_ras = vtk.vtkMatrix4x4(), vtk.vtkTransform()
    volume_node.GetIJKToRASMatrix(matrix)
    to_ras.SetMatrix(matrix)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetTransform(to_ras)
    placed.SetInputConnection(smooth.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.SplittingOff()
    normals.Update()
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", f"{volume_node.GetName()} surface")
    model.SetAndObservePolyData(normals.GetOutput())
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetScalarVisibility(False)
    model.GetDisplayNode().SetColor(*colour)
    model.GetDisplayNode().SetOpacity(opacity)
    model.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    return model
