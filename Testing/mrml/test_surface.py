"""A heatmap in 3D: made when asked for, where the landmark is, and gone with the result."""

import numpy as np
import pytest

from headless.scene import vtk
from landmark_heatmap.errors import AnnotationError
from LandmarkHeatmapLib.display import overlay
from LandmarkHeatmapLib.display.surface import hide_surface, show_surface, surface_node
from LandmarkHeatmapLib.result.markups import world_positions
from mrml_examples import IMAGES, linear_transform


def surfaces(scene):
    """Slice views have models in the scene, too."""
    models = scene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    models = [models.GetItemAsObject(i) for i in range(models.GetNumberOfItems())]
    return [model for model in models if "surface" in model.GetName()]


def centre_of(node):
    """Of the surface's bounds, in world coordinates."""
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    return bounds.reshape(3, 2).mean(1)


@pytest.mark.parametrize("kind", ["plain", "oblique", "left-handed", "anisotropic"])
def test_the_surface_lies_around_its_landmark(publish, kind):
    result = publish(IMAGES[kind])
    for name in ("Head_L", "Tip"):
        show_surface(result, name)
        index = result.landmarks.index(name)
        centre = centre_of(surface_node(result))
        np.testing.assert_allclose(centre, world_positions(result.markups_node)[index], atol=2.0)


def test_it_is_made_only_when_asked_for_and_once(scene, publish):
    result = publish()
    assert surface_node(result) is None
    hide_surface(result)
    show_surface(result, "Tip")
    first = surface_node(result)
    show_surface(result)
    assert surface_node(result) is first and first.GetDisplayNode().GetVisibility()
    assert surfaces(scene) == [first]
    hide_surface(result)
    assert not first.GetDisplayNode().GetVisibility()


def test_it_is_closed(publish):
    """Also where the heatmap is cut off by the border of the image."""
    result = publish()
    show_surface(result, "Tip")
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface_node(result).GetPolyData())
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.BoundaryEdgesOn()
    edges.Update()
    assert edges.GetOutput().GetNumberOfCells() == 0


def test_it_goes_where_the_volume_goes_and_with_the_result(scene, publish):
    result = publish()
    show_surface(result, "Head_R")
    transform = linear_transform(scene)
    result.volume_node.SetAndObserveTransformNodeID(transform.GetID())
    result.follow_volume()
    here = world_positions(result.markups_node)[result.landmarks.index("Head_R")]
    np.testing.assert_allclose(centre_of(surface_node(result)), here, atol=2.0)
    result.remove()
    assert surfaces(scene) == []


def test_an_unknown_landmark_is_refused(publish):
    with pytest.raises(AnnotationError):
        show_surface(publish(), "Nose")


@pytest.mark.parametrize("name", overlay.COLOUR_MAPS)
def test_every_colour_map_grows_brighter_and_is_made_once(scene, publish, name):
    result = publish()
    overlay.set_colour_map(result, name)
    table = overlay.colour_table(scene, name)
    for node in result.overlay_nodes:
        assert node.GetDisplayNode().GetColorNodeID() == table.GetID()
    colour, brightness = np.zeros(4), []
    for index in range(0, 256, 15):
        table.GetColor(index, colour)
        brightness.append(colour[:3] @ [0.299, 0.587, 0.114])
    assert (np.diff(brightness) > 0).all()
    overlay.set_colour_map(result, name)
    assert overlay.colour_table(scene, name) is table


def test_another_channel_is_shown_without_anything_being_computed(scene, publish, slice_views):
    """What changes is which volume the views refer to."""
    result = publish()
    nodes, changed = scene.GetNumberOfNodes(), []
    for node in result.overlay_nodes:
        node.GetImageData().AddObserver("ModifiedEvent", lambda *_: changed.append(1))
    for name in (*result.landmarks.names, None):
        overlay.show_heatmap(result, name)
    assert scene.GetNumberOfNodes() == nodes and not changed
