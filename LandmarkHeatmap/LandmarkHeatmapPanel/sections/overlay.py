"""The overlay: which heatmap lies over the image and which contours, and how they look."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from LandmarkHeatmapLib.display.contours import ContourSteps, hide_contours
from LandmarkHeatmapLib.display.overlay import (
    COLOUR_MAPS,
    DEFAULT_COLOUR_MAP,
    hide_heatmaps,
    set_colour_map,
    set_threshold,
    show_heatmap,
)

from ..in_steps import InSteps
from ..section import Section
from ..widgets import fill, select

# Values of the parameter node's `channel`; anything else is the name of a landmark.
SELECTED, COMBINED = "", "*"


class OverlaySection(Section):
    """Changes the slice views only when something was changed here, or another landmark is looked at.

    What the views show after a scene was loaded, or before the module was opened, is the scene's
    affair. The contours of one landmark are made at once, those of all in steps between which the
    window lives.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self._shown = self._shown_contours = None
        self._contours = InSteps()
        self.ui.channelComboBox.connect("currentIndexChanged(int)", self._on_channel_chosen)
        fill(self.ui.colourMapComboBox, [(_(name), name) for name in COLOUR_MAPS])
        self.ui.colourMapComboBox.connect("currentIndexChanged(int)", self._on_colour_map_chosen)

    def update(self) -> None:
        node, result = self.state.node, self.state.result()
        names = result.landmarks.names if result else ()
        items = [(_("The selected landmark"), SELECTED), (_("All combined"), COMBINED)]
        fill(self.ui.channelComboBox, items + [(name, name) for name in names])
        if node.channel not in (SELECTED, COMBINED, *names):
            node.channel = SELECTED
        select(self.ui.channelComboBox, node.channel)
        if node.colourMap not in COLOUR_MAPS:
            node.colourMap = DEFAULT_COLOUR_MAP
        select(self.ui.colourMapComboBox, node.colourMap)
        self._follow()

    def attach(self) -> None:
        """Take the views as they are: they count as what was wanted."""
        self._shown, self._shown_contours = self._wanted(), self._wanted_contours()

    @property
    def is_busy(self) -> bool:
        """Whether contours are being made."""
        return self._contours.is_busy

    def forget(self) -> None:
        self._contours.stop()

    def close(self) -> None:
        self._contours.stop()

    def _wanted(self):
        node = self.state.node
        landmark = node.landmark if node.channel == SELECTED else ""
        return (
            node.result.GetID() if node.result else "",
            landmark,
            node.channel,
            node.showHeatmaps,
            node.opacity,
            node.threshold,
            node.colourMap,
        )

    def _wanted_contours(self):
        node = self.state.node
        return (*self._wanted()[:3], node.showContours, node.show3D)

    def _follow(self) -> None:
        self._follow_heatmaps()
        if self._wanted_contours() != self._shown_contours:
            self._shown_contours = self._wanted_contours()
            self._contours.stop()
            if self.state.result() is not None:
                self._show_contours(self.state.result())

    def _follow_heatmaps(self) -> None:
        wanted, before = self._wanted(), self._shown
        if wanted == before:
            return
        self._shown = wanted
        node, result = self.state.node, self.state.result()
        if before is None or before[0] != wanted[0]:
            self.logic.showOnly(result, slicer.mrmlScene)
            if result and not self.logic.isInSliceViews(result.volume_node):
                slicer.util.setSliceViewerLayers(background=result.volume_node, fit=True)
        if result is None:
            return
        set_threshold(result, node.threshold)
        set_colour_map(result, node.colourMap)
        if node.showHeatmaps:
            show_heatmap(result, self._landmark(result), node.opacity)
        else:
            hide_heatmaps(result)

    def _show_contours(self, result) -> None:
        node, name = self.state.node, self._landmark(result)
        if not (node.showContours or node.show3D):
            hide_contours(result)
            return
        steps = ContourSteps(result, name, node.showContours, node.show3D)
        self._contours.begin(result, steps, at_once=name is not None)

    def _landmark(self, result):
        """The name whose heatmap and contours are shown, or None for all combined."""
        node = self.state.node
        name = node.landmark if node.channel == SELECTED else node.channel
        return name if name in result.landmarks.names else None

    def _on_colour_map_chosen(self, index):
        if self.state.node:
            self.state.node.colourMap = self.ui.colourMapComboBox.itemData(index)

    def _on_channel_chosen(self, index):
        if self.state.node:
            self.state.node.channel = self.ui.channelComboBox.itemData(index) or SELECTED
