"""The desk: the whole panel. Makes the sections, connects them, and lets them follow the scene.

The one file that knows more than one section.
"""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from LandmarkHeatmapLib.review.by_hand import take_over

from .reviewing.keys import Keys
from .sections.comparison import CompareSection
from .sections.detection import DetectionSection
from .sections.export import ExportSection
from .sections.inputs import InputSection, ModelDrop
from .sections.journal import JournalSection
from .sections.landmark_set import LandmarkSetSection
from .sections.measurements import MeasurementSection
from .sections.mistakes import MistakesSection
from .sections.overlay import OverlaySection
from .sections.review import ReviewSection
from .sections.second_reader import SecondReaderSection
from .sections.starts import StartsSection
from .sections.surroundings import SurroundingsSection
from .sections.training import TrainingSection
from .sections.worklist import WorklistSection
from .state import State
from .texts import FixedText, OnResize
from .widgets import narrow, widgets_of_parameters


class Desk(VTKObservationMixin):
    """The panel at work, from `setup` to `cleanup` of the module's widget.

    parent: what Slicer gives the module's widget. widget: what was loaded from the .ui file.
    """

    def __init__(self, parent, widget, logic):
        VTKObservationMixin.__init__(self)
        self.parent, self.logic, self.state = parent, logic, State()
        self.ui = slicer.util.childWidgetVariables(widget)
        narrow(self.ui.deskTabs)
        self._gui_tag = None
        self._is_updating = False
        self._volumes_seen = set()
        self._status = FixedText(self.ui.statusLabel, on_change=self._show_status_button)
        self.ui.statusButton.connect("clicked(bool)", self._on_status_button)
        self._make_sections()
        self._connect_sections()
        self._keys = Keys(self.ui, parent, self.review.give_up)
        self._drop = ModelDrop(widget, self.inputs.add_model)
        self._update_soon = qt.QTimer()
        self._update_soon.setSingleShot(True)
        self._update_soon.connect("timeout()", self._on_nodes_have_changed)
        self._observe_scene()
        self.follow_scene()

    # --- the sections

    def _make_sections(self) -> None:
        given = (self.ui, self.state, self.logic)
        self.inputs = InputSection(*given)
        self.detection = DetectionSection(*given)
        self.landmark_set = LandmarkSetSection(*given)
        self.journal = JournalSection(*given)
        self.review = ReviewSection(*given)
        self.overlay = OverlaySection(*given)
        self.surroundings = SurroundingsSection(*given)
        self.export = ExportSection(*given)
        self.comparison = CompareSection(*given)
        self.measurements = MeasurementSection(*given)
        self.worklist = WorklistSection(*given)
        self.mistakes = MistakesSection(*given)
        self.second_reader = SecondReaderSection(*given)
        self.training = TrainingSection(*given)
        self.starts = StartsSection(*given)
        # In the order in which they follow a change: the journal is there before the review's first
        # step, and the overlay shows what the review chose.
        self.sections = (
            self.inputs,
            self.detection,
            self.landmark_set,
            self.journal,
            self.review,
            self.overlay,
            self.surroundings,
            self.export,
            self.comparison,
            self.measurements,
            self.worklist,
            self.mistakes,
            self.second_reader,
            self.training,
            self.starts,
        )

    def _connect_sections(self) -> None:
        """Who has to know of what; the rest goes through the parameter node."""
        for section in self.sections:
            section.changed.connect(self.update)
            section.told.connect(self._status.show)
        self.detection.ran_on.connect(self.inputs.show_device)
        self.detection.ended.connect(self._show_detected)
        self.landmark_set.begun.connect(self._annotate)
        self.journal.restored.connect(self._show_result)
        self.export.exported.connect(self.journal.settle_exported)
        self.export.exported.connect(self._on_exported)
        self.training.trained.connect(self.inputs.add_model)
        self.starts.chosen.connect(self.inputs.add_model)
        self._connect_worklist()
        self.review.can_ask = self.detection.questions.can_ask
        self.review.asking.connect(self.detection.questions.ask)
        self.detection.answered.connect(self.review.answer)
        self.review.corrected.connect(self._on_corrected)
        self.review.placing.connect(lambda is_placing: self._keys.while_placing(is_placing))

    def _connect_worklist(self) -> None:
        at_work = self.worklist.at_work
        at_work.opened.connect(self._show_result)
        at_work.begun.connect(lambda result: self._annotate(result, None))
        at_work.detecting.connect(self.detection.detect_soon)
        at_work.found.connect(self._take_worker)
        at_work.is_detecting = lambda: self.detection.queue.is_busy
        at_work.ahead.ended.connect(self._show_detected)
        at_work.ahead.ended.connect(self.worklist.foresee)
        at_work.export = lambda then: self.export.export_soon(self._status.show, then)
        self.export.revision_before = at_work.revision_before
        self.export.exported.connect(self.worklist.exported)
        self.detection.ended.connect(self.worklist.foresee)
        self.mistakes.wanted.connect(self._open_at)
        self.mistakes.title_of = self.worklist.title_of
        self.second_reader.case_of = at_work.case_of
        self.export.exported.connect(self.second_reader.look_again)

    def _open_at(self, case: str, landmark: str) -> None:
        """Open a case of the dataset in the review, at a landmark; empty: wherever that begins."""
        if self.worklist.at_work.worklist is None:
            self.worklist.look_again()
        self.worklist.open(case)
        work, result = self.worklist.at_work.current, self.state.result()
        if work is None or work.case != case or result is None:
            return
        self.ui.deskTabs.setCurrentWidget(self.ui.reviewTab)
        if self.review.session is not None and landmark in result.landmarks.names:
            self.review.session.select(landmark)

    def _take_worker(self, volume, queue) -> None:
        """Of the case that is shown, if that is what the other worker has looked at: it can be asked then
        what else would move."""
        if queue.last_image is not None and queue.last_image.volume.Get() is volume:
            self.detection.take_worker_of(queue)

    # --- the line at the foot

    def _show_status_button(self) -> None:
        self.ui.statusButton.enabled = not self._status.is_whole

    def _on_status_button(self, checked=False):
        slicer.util.infoDisplay(self._status.text)

    # --- what one section tells and others have to follow

    def _on_corrected(self) -> None:
        """Only what shows it follows, for a drag tells of many changes."""
        if self.state.node:
            self.export.update()
            self.journal.show()
            self.second_reader.show()

    def _on_exported(self, export, revision) -> None:
        """The dataset has a case more, to train from and to begin with: the list of models says so."""
        self.training.offer()
        if self.state.node:
            self.inputs.update()

    def _show_detected(self, results) -> None:
        """That of the volume at hand; who has moved on to another one is not taken away from it."""
        if self.state.node is None:
            return
        volume = self.state.node.inputVolume
        mine = [result for result in results if result.volume_node is volume]
        if mine or (results and volume is None):
            self._show_result((mine or results)[-1])
        else:
            with slicer.util.RenderBlocker():
                self.update()

    def _show_result(self, result) -> None:
        """Choose it and begin its review; nobody may have told of what was restored in it."""
        with slicer.util.RenderBlocker():
            self.state.choose(result)
            self.update()
            self._begin_review()

    def _annotate(self, result, source) -> None:
        """Begin, or go on with, a review by hand. source: whose review it takes over, or None."""
        if source is not None:
            self.journal.keep_instead(result, source, lambda: take_over(result, source))
        self._show_result(result)
        self.review.annotate()

    def _begin_review(self) -> None:
        """After Detect: what is shown of a new result, one step after another."""
        self.review.begin()
        self.surroundings.begin()
        self.ui.deskTabs.setCurrentWidget(self.ui.reviewTab)

    # --- the life of the panel

    def enter(self) -> None:
        self.follow_scene()
        self._keys.enter()

    def exit(self) -> None:
        """A detection that runs goes on, and what was done in the review can be undone later."""
        self._keys.exit()
        self.follow(None)

    def close(self) -> None:
        """The application closes, or the module is reloaded."""
        self._keys.exit()
        self._drop.release()
        self._update_soon.stop()
        self.follow(None)
        for section in self.sections:
            section.close()
        OnResize.release_all()
        self.removeObservers()

    # --- following the scene

    def _observe_scene(self) -> None:
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_close)
        self.addObserver(scene, scene.EndSaveEvent, self._on_scene_saved)
        self.addObserver(scene, scene.EndBatchProcessEvent, self._on_scene_end_batch)
        self.addObserver(scene, scene.NodeAddedEvent, self._on_nodes_changed)
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_nodes_changed)

    def _on_scene_start_close(self, caller, event):
        self.follow(None)
        self._status.show("")
        for section in self.sections:
            section.forget()
        self.detection.stop(_("The scene was closed; the detection was cancelled."))

    def _on_scene_end_close(self, caller, event):
        if self.parent.isEntered:
            self.follow_scene()

    def _on_scene_saved(self, caller, event):
        self.journal.settle_saved()

    def _on_scene_end_batch(self, caller, event):
        """A scene was read, or much has changed at once: everything may be another."""
        if self.state.node:
            self.follow_scene()

    def _on_nodes_changed(self, caller, event):
        """It may have been an image, a result, or a part of one; many nodes count as one change."""
        is_busy = self.detection.queue.is_busy or self.worklist.at_work.ahead.is_busy
        if self.state.node and not is_busy:
            self._update_soon.start()

    def _on_nodes_have_changed(self):
        """An image that was added is chosen if there was none to choose before."""
        node = self.state.node
        if node is None:
            return
        volumes = self.logic.inputVolumes(slicer.mrmlScene)
        new = [each for each in volumes if each.GetID() not in self._volumes_seen]
        self._volumes_seen = {each.GetID() for each in volumes}
        if node.inputVolume is None and new:
            node.inputVolume = new[0]
        self.update()

    def follow_scene(self) -> None:
        """Follow the scene's parameter node, and choose what there is only one sensible choice for."""
        node = self.logic.getParameterNode()
        keys = [key for key, _path, _description in self.logic.models()]
        if node.model not in keys:
            node.model = keys[0] if keys else ""
        volumes = self.logic.inputVolumes(slicer.mrmlScene)
        self._volumes_seen = {each.GetID() for each in volumes}
        if node.inputVolume is None:
            node.inputVolume = volumes[0] if volumes else None
        self.follow(node)

    def follow(self, node) -> None:
        """Follow another parameter node, or none."""
        before = self.state.node
        if before:
            before.disconnectGui(self._gui_tag)
            self.removeObserver(
                before.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_modified
            )
            for section in self.sections:
                section.detach()
        self.state.node = node
        if node:
            # Not connectGui, which returns no tag: nothing it connects is ever disconnected.
            self._gui_tag = node.connectParametersToGui(widgets_of_parameters(self.ui))
            self.addObserver(node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_modified)
            for section in self.sections:
                section.attach()
            self.update()

    def _on_modified(self, caller, event):
        self.update()

    def update(self) -> None:
        """Make panel and views agree with the state. Safe to call at any time."""
        if self._is_updating or self.state.node is None:
            return
        if slicer.mrmlScene.IsBatchProcessing():
            return  # half of the nodes may not be there yet
        self._is_updating = True
        try:
            self.state.follow_volume()
            for section in self.sections:
                section.update()
        finally:
            self._is_updating = False
