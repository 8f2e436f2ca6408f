"""The state of the panel: what it remembers in the scene, and what is asked of that by all."""

# No `from __future__ import annotations`: parameterNodeWrapper reads the types of the fields.

from typing import Annotated

import slicer
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode, vtkMRMLScriptedModuleNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from LandmarkHeatmapLib.display.overlay import DEFAULT_OPACITY, DEFAULT_THRESHOLD
from LandmarkHeatmapLib.result.detection_result import DetectionResult

from .widgets import keep_setting, setting

# What the worker calls them, and what the user reads.
DEVICES = {"auto": "Automatic", "cpu": "Processor", "cuda": "Graphics card (GPU)"}
# What of the image the 3D views show around the landmarks; nothing is the empty key.
SURFACE, RENDERED = "surface", "rendering"
ANATOMIES = {SURFACE: "A quick surface", RENDERED: "Volume rendering", "": "Nothing"}


@parameterNodeWrapper
class LandmarkHeatmapParameterNode:
    """What the panel remembers in the scene.

    inputVolume: the image. model: a key of LandmarkHeatmapLogic.models. result: the node of the
    DetectionResult that is shown. landmark: the one under review. order: of the list, one of
    LandmarkHeatmapLib's ORDERS. allNames: whether all landmarks are named in the views. channel:
    whose heatmap is shown: of the landmark under review if empty, all combined if "*", else a name.
    opacity, threshold, colourMap: of the heatmaps. showContours, show3D: where the landmark of the
    channel may be, as contours in the slices and as surfaces. caseName: in the dataset; the one of
    before, or a new number, if empty. withImage: whether it is exported. reference, thresholds: what
    to compare with, and the distances in mm.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str
    result: vtkMRMLScriptedModuleNode
    landmark: str
    order: str = "anatomy"
    allNames: bool = False
    channel: str
    showHeatmaps: bool = True
    opacity: Annotated[float, WithinRange(0, 1)] = DEFAULT_OPACITY
    threshold: Annotated[float, WithinRange(0, 1)] = DEFAULT_THRESHOLD
    colourMap: str
    showContours: bool = True
    show3D: bool = False
    caseName: str
    withImage: bool = True
    reference: vtkMRMLMarkupsFiducialNode
    thresholds: str = "2 2.5 3 4"


class State:
    """What all sections look at.

    node: the LandmarkHeatmapParameterNode that the panel follows; None while the module is not open
    and while a scene is being closed.
    """

    def __init__(self):
        self.node = None

    def result(self):
        """The result that is chosen, or None if there is none or it has lost a node it needs."""
        node = self.node.result if self.node else None
        result = DetectionResult(node) if node else None
        return result if result and result.is_whole else None

    def choose(self, result: DetectionResult) -> None:
        """Choose a result, and its volume with it; told of once."""
        with slicer.util.NodeModify(self.node.parameterNode):
            self.node.inputVolume = result.volume_node
            self.node.result = result.node

    def follow_volume(self) -> None:
        """A volume comes with its own results: the newest, unless one of them is chosen."""
        volume, result = self.node.inputVolume, self.result()
        if result is None or result.volume_node is not volume:
            newest = DetectionResult.for_volume(volume) if volume else None
            self.node.result = newest.node if newest else None

    @property
    def device(self) -> str:
        """A key of DEVICES: where to detect. The user's, whatever the scene."""
        kept = setting("Device", "auto")
        return kept if kept in DEVICES else "auto"

    @device.setter
    def device(self, device: str) -> None:
        keep_setting("Device", device)

    @property
    def follows_by_itself(self) -> bool:
        """Whether what would follow a correction moves without being asked for. The user's, as well."""
        return setting("FollowByItself") == "yes"

    @follows_by_itself.setter
    def follows_by_itself(self, does: bool) -> None:
        keep_setting("FollowByItself", "yes" if does else "no")

    @property
    def anatomy(self) -> str:
        """A key of ANATOMIES. The user's, whatever the scene: without a graphics card a volume takes
        seconds to be rendered."""
        kept = setting("Anatomy", SURFACE)
        return kept if kept in ANATOMIES else SURFACE

    @anatomy.setter
    def anatomy(self, anatomy: str) -> None:
        keep_setting("Anatomy", anatomy)
