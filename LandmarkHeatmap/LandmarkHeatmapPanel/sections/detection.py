"""The big button, the bar below it, and the list for several images at once."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.images.imageio import is_image_file
from landmark_heatmap.registering.models import is_registered
from landmark_heatmap.worker.client import WorkerClient

from ..detecting.jobs import Job
from ..detecting.packages import ensure_packages
from ..detecting.questions import Questions
from ..detecting.queue import DetectionQueue
from ..section import Section, Signal
from ..texts import duration
from ..widgets import showing_errors


class DetectionSection(Section):
    """Turns clicks into jobs of the queue, and what the queue tells into words.

    ran_on(device, note): where an image was detected in, and why there. ended(results): all images
    are done; the results that are new. answered(question, found): what else would move.
    """

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self.ran_on, self.ended, self.answered = Signal(), Signal(), Signal()
        self.queue = DetectionQueue(WorkerClient(), self._on_status, self._on_outcome, self._on_end)
        self.questions = Questions(self.queue, self.answered.emit)
        self._files = []
        self._is_batch, self._soon = False, None
        self.ui.progressBar.setVisible(False)
        self.ui.detectButton.connect("clicked(bool)", self._on_detect_button)
        self.ui.batchDetectButton.connect("clicked(bool)", self._on_batch_button)
        self.ui.batchAllButton.connect("clicked(bool)", self._on_all_button)
        self.ui.batchFolderButton.connect("clicked(bool)", self._on_folder_button)
        self.ui.batchClearButton.connect("clicked(bool)", self._on_clear_button)
        self.ui.batchListWidget.connect("itemChanged(QListWidgetItem*)", self._on_ticked)

    def update(self) -> None:
        node, is_busy = self.state.node, self.queue.is_busy
        can_start = bool(node.inputVolume and node.model)
        if is_busy:
            text, hint = _("Cancel"), _("Stop the detection. What is finished stays.")
        else:
            text = _("Detect landmarks")
            hint = _("Find the landmarks in the input volume. Earlier results stay as they are.")
            if node.inputVolume is None:
                hint = _("Choose an input volume first.")
            elif not node.model:
                hint = _("Add a model first.")
        self.ui.detectButton.text, self.ui.detectButton.toolTip = text, hint
        self.ui.detectButton.enabled = is_busy or can_start
        self.ui.progressBar.setVisible(is_busy)
        self._fill_list()
        self._update_batch_button()

    def stop(self, reason: str) -> None:
        """The scene, the module or the application is about to go."""
        self.queue.cancel(reason)

    def forget(self) -> None:
        self.questions.stop()
        self.queue.last_image = None
        self.ui.batchReportList.clear()

    def close(self) -> None:
        self.questions.close()
        self.queue.close()

    # --- starting

    def detect(self, jobs) -> None:
        """Detect in these; asks for packages first, and tells what is wrong."""
        with showing_errors(_("The detection failed."), self.told.emit):
            path = self.logic.modelPath(self.state.node.model)
            # Cases are registered without torch.
            if not is_registered(path) and not ensure_packages(self.logic):
                self.told.emit(
                    _(
                        "Detection needs torch, which is not installed. Review, export and"
                        " comparison work without."
                    )
                )
                return
            self._is_batch = len(jobs) > 1
            self.ui.batchReportList.clear()
            self.questions.stop()
            self.queue.start(
                slicer.mrmlScene,
                jobs,
                path,
                self.state.device,
            )
        self.update()

    def detect_soon(self, volume) -> None:
        """Detect in this one, or as soon as what runs is done; the last one that was asked for counts."""
        if self.queue.is_busy:
            self._soon = volume
        else:
            self.detect([Job.of_volume(volume)])

    def take_worker_of(self, queue) -> None:
        """Exchange workers with another queue, whose worker has what it detected last in mind. Not while
        either of them is at it."""
        if self.queue.is_busy or queue.is_busy:
            return
        self.questions.stop()
        self.queue.client, queue.client = queue.client, self.queue.client
        self.queue.last_image, queue.last_image = queue.last_image, self.queue.last_image

    def _on_detect_button(self, checked=False):
        if self.queue.is_busy:
            self.told.emit(_("Cancelling..."))
            self.queue.cancel()
        else:
            self.detect([Job.of_volume(self.state.node.inputVolume)])

    # --- what the queue tells

    def _on_status(self, status):
        self.ui.progressBar.value = round(100 * status.fraction)
        left = ""
        if status.seconds_left is not None:
            left = " - " + _("{time} left").format(time=duration(status.seconds_left))
        self.ui.progressBar.setFormat(f"%p%{left}")
        self.told.emit(f"{status.text}...")

    def _on_outcome(self, outcome):
        if outcome.error:
            logging.warning("No landmarks in '%s': %s", outcome.name, outcome.error)
        else:
            self.ran_on.emit(outcome.device, outcome.device_note)

    def _on_end(self, outcomes, stopped):
        """One image says itself what came of it; several are listed."""
        whole = [each for each in outcomes if each.result is not None and each.result.is_whole]
        text = stopped or outcomes[-1].error
        if self._is_batch:
            text = stopped or _("Detected in {found} of {total} images.").format(
                found=len(whole), total=len(outcomes)
            )
            for outcome in outcomes:
                self._report(outcome)
        elif whole and not stopped:
            text = _("{count} landmarks detected in '{name}' in {seconds:.1f} s.").format(
                count=len(whole[0].result.landmarks),
                name=whole[0].name,
                seconds=whole[0].seconds,
            )
            # The first thing to know, if there is one.
            text = " ".join([*map(_sentence, whole[0].words), text])
        self.told.emit(text)
        self._let_go_of_finished_files(outcomes)
        self.ended.emit([outcome.result for outcome in whole])
        soon, self._soon = self._soon, None
        if soon is not None and soon.GetScene() is not None and not stopped:
            self.detect([Job.of_volume(soon)])

    def _report(self, outcome) -> None:
        text = f"{outcome.name}: {outcome.error or _('done')}"
        text = " ".join([text, *map(_sentence, outcome.words)])
        _new_item(self.ui.batchReportList, text)

    def _let_go_of_finished_files(self, outcomes) -> None:
        """They are volumes of the scene now; those that failed stay on the list."""
        done = {outcome.name for outcome in outcomes if outcome.result is not None}
        self._files = [path for path in self._files if Job.of_file(path).name not in done]

    # --- several images

    def _entries(self) -> list:
        """(text, what Job to make, an id) for each image that can be chosen."""
        volumes = self.logic.inputVolumes(slicer.mrmlScene)
        return [(volume.GetName(), volume.GetID()) for volume in volumes] + [
            (str(path), str(path)) for path in self._files
        ]

    def _fill_list(self) -> None:
        widget, entries = self.ui.batchListWidget, self._entries()
        items = [widget.item(row) for row in range(widget.count)]
        if [(item.text(), item.data(qt.Qt.UserRole)) for item in items] == entries:
            return
        ticked = {item.data(qt.Qt.UserRole) for item in items if item.checkState() == qt.Qt.Checked}
        was_blocked = widget.blockSignals(True)
        widget.clear()
        for text, key in entries:
            item = _new_item(widget, text)
            item.setData(qt.Qt.UserRole, key)
            is_ticked = key in ticked or key in map(str, self._files)
            item.setCheckState(qt.Qt.Checked if is_ticked else qt.Qt.Unchecked)
        widget.blockSignals(was_blocked)

    def _ticked(self) -> list:
        widget = self.ui.batchListWidget
        items = [widget.item(row) for row in range(widget.count)]
        return [item.data(qt.Qt.UserRole) for item in items if item.checkState() == qt.Qt.Checked]

    def _update_batch_button(self) -> None:
        ready = bool(self._ticked()) and bool(self.state.node.model)
        self.ui.batchDetectButton.enabled = ready and not self.queue.is_busy
        self.ui.batchClearButton.enabled = bool(self._files)

    def _on_ticked(self, item):
        self._update_batch_button()

    def _on_all_button(self, checked=False):
        widget = self.ui.batchListWidget
        all_ticked = len(self._ticked()) == widget.count
        for row in range(widget.count):
            widget.item(row).setCheckState(qt.Qt.Unchecked if all_ticked else qt.Qt.Checked)

    def _on_folder_button(self, checked=False):
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Add a folder of images"), ""
        )
        if folder:
            self.add_folder(folder)

    def add_folder(self, folder) -> None:
        """Put the image files of a folder on the list, ticked."""
        with showing_errors(_("The folder could not be added."), self.told.emit):
            found = sorted(path for path in Path(folder).iterdir() if is_image_file(path))
            if not found:
                raise LandmarkHeatmapError(
                    _("'{folder}' holds no image files.").format(folder=folder)
                )
            self._files += [path for path in found if path not in self._files]
            self.changed.emit()

    def _on_clear_button(self, checked=False):
        self._files = []
        self.changed.emit()

    def _on_batch_button(self, checked=False):
        scene = slicer.mrmlScene
        files = set(map(str, self._files))
        self.detect(
            [
                Job.of_file(key) if key in files else Job.of_volume(scene.GetNodeByID(key))
                for key in self._ticked()
            ]
        )


def _new_item(widget: qt.QListWidget, text: str):
    """A list's new last item. The list makes it: one made in Python might go with its variable."""
    widget.addItem(text)
    item = widget.item(widget.count - 1)
    item.setToolTip(text)
    return item


def _sentence(word: str) -> str:
    """Files are named before it elsewhere; here it stands alone."""
    return word[:1].upper() + word[1:]
