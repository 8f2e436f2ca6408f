"""The Slicer module: what Slicer looks up by name, and nothing else.

The panel and what scripts call lie in LandmarkHeatmapPanel; everything that needs no window lies
below: results and corrections in LandmarkHeatmapLib, images, models and the worker process in
landmark_heatmap. All are torch-free to import; torch is looked for on the click that needs it.
"""

from __future__ import annotations

import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from LandmarkHeatmapPanel.logic import LandmarkHeatmapLogic
from LandmarkHeatmapPanel.sample_data import register
from LandmarkHeatmapTests.around_the_review import AroundTheReviewTests
from LandmarkHeatmapTests.by_hand import ByHandTests
from LandmarkHeatmapTests.cases import CasesTests
from LandmarkHeatmapTests.desk import DeskTests
from LandmarkHeatmapTests.detection import DetectionTests
from LandmarkHeatmapTests.export_and_scene import ExportAndSceneTests
from LandmarkHeatmapTests.overlay_and_views import OverlayAndViewsTests
from LandmarkHeatmapTests.panel_test import PanelTest
from LandmarkHeatmapTests.review import ReviewTests
from LandmarkHeatmapTests.training import TrainingTests

PACKAGES = (
    "landmark_heatmap",
    "LandmarkHeatmapLib",
    "LandmarkHeatmapPanel",
    "LandmarkHeatmapTests",
)


class LandmarkHeatmap(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent):
        from landmark_heatmap import HOMEPAGE

        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Landmark Heatmap")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["The LandmarkHeatmap contributors"]
        self.parent.helpText = _(
            "Finds anatomical landmarks in 2D and 3D images with a U-Net, shows what the network"
            " believes as heatmaps and contours, and turns your corrections into training data. Landmarks"
            " that no model knows are named under 'Landmarks of my own' and placed by hand, and a model"
            " is trained from them under 'Train'. Not a medical device. See"
            ' <a href="{homepage}#readme">the documentation</a>.<br>Keys while the'
            " module is open: N and Shift+N next and previous"
            " landmark, U next unreviewed, C confirm, A mark absent, X back to the prediction, K"
            " snap to the peak, D place by click, Z and Shift+Z undo and redo, E close up and back, S"
            " names of all landmarks or of a few. What would follow a landmark that you dragged: Y let"
            " all of it, J only this one, O leave it. Of the list of cases: Ctrl+Return exports this one"
            " and opens the next."
        ).format(homepage=HOMEPAGE)
        self.parent.acknowledgementText = _(
            "Made by the LandmarkHeatmap contributors; under the MIT licence."
        )
        # Slicer loads the modules in an order of its own: only then is Sample Data there for sure.
        slicer.app.connect("startupCompleted()", register)


class LandmarkHeatmapWidget(ScriptedLoadableModuleWidget):
    """The panel's life, as Slicer calls it; all the rest is the Desk's."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None

    def setup(self):
        """Called when the user opens the module for the first time."""
        # What the panel needs is imported when it is opened, not when Slicer starts.
        from LandmarkHeatmapPanel.desk import Desk

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LandmarkHeatmap.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LandmarkHeatmapLogic()
        self.desk = Desk(self.parent, uiWidget, self.logic)
        # What scripts and tests reach for.
        self.ui, self.detection, self.review = self.desk.ui, self.desk.detection, self.desk.review
        # Reload makes a new panel in a module that is open, and tells of nothing.
        if getattr(self.parent, "isEntered", False):
            self.enter()

    @property
    def parameterNode(self):
        """What the panel follows; None while the module is not open."""
        return self.desk.state.node

    def enter(self):
        """Called each time the user opens the module."""
        self.desk.enter()

    def exit(self):
        """Called each time the user opens another module."""
        self.desk.exit()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self.desk.close()

    def onReload(self):
        """For developers: the packages are read anew, too."""
        for name in [each for each in sys.modules if each.split(".")[0] in PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class LandmarkHeatmapTest(
    DeskTests,
    DetectionTests,
    ReviewTests,
    AroundTheReviewTests,
    ByHandTests,
    CasesTests,
    OverlayAndViewsTests,
    ExportAndSceneTests,
    TrainingTests,
    PanelTest,
    ScriptedLoadableModuleTest,
):
    """The module's story inside the application. Only one test needs torch.

    Slicer finds it by its name; each theme lies in a file of its own in LandmarkHeatmapTests.
    """
