"""The input section: the volume, the list of models, what the chosen one is, and the device."""

from __future__ import annotations

from html import escape

import qt
import slicer
from slicer.i18n import tr as _

from landmark_heatmap.detection.suits import told_before, told_symmetric
from landmark_heatmap.lengths import number
from landmark_heatmap.model.cards.card_text import card_sections, error_told
from landmark_heatmap.model.model_file import MODEL_SUFFIX
from landmark_heatmap.registering.start_file import START_SUFFIX
from LandmarkHeatmapLib.volumes import component_note, grid_of, size_ijk, unit_of

from ..models import told
from ..section import Section
from ..state import DEVICES
from ..texts import FixedText
from ..widgets import fill, select, showing_errors


class InputSection(Section):
    """Volume, model and device, with what is known of each."""

    def __init__(self, ui, state, logic):
        super().__init__(ui, state, logic)
        self._shown, self._noted = None, ()
        self._model_tip = ui.modelComboBox.toolTip
        self._image_note = FixedText(self.ui.imageNoteLabel)
        self._model_info = FixedText(self.ui.modelInfoLabel)
        self._device_note = FixedText(self.ui.deviceNoteLabel)
        self._next_step = FixedText(self.ui.nextStepLabel)
        fill(self.ui.deviceComboBox, [(_(text), key) for key, text in DEVICES.items()])
        select(self.ui.deviceComboBox, state.device)
        self.ui.modelComboBox.connect("currentIndexChanged(int)", self._on_model_chosen)
        self.ui.addModelButton.connect("clicked(bool)", self._on_add_button)
        self.ui.shareModelsButton.connect("clicked(bool)", self._on_share_button)
        self.ui.sampleButton.connect("clicked(bool)", self._on_sample_button)
        self.ui.deviceComboBox.connect("currentIndexChanged(int)", self._on_device_chosen)

    def update(self) -> None:
        node, models = self.state.node, self.logic.models()
        fill(self.ui.modelComboBox, [(told(d), key) for key, _path, d in models])
        select(self.ui.modelComboBox, node.model)
        # A long name is cut in the box.
        name = self.ui.modelComboBox.currentText
        self.ui.modelComboBox.toolTip = f"{name}. {self._model_tip}" if name else self._model_tip
        chosen = next((d for key, _path, d in models if key == node.model), None)
        self._show_model(chosen, node.model)
        self._note_image(node.inputVolume, chosen)
        self.ui.deviceNoteLabel.setVisible(bool(self._device_note.text))
        self._hide_overlays_from_selector()
        self._show_next_step()

    def _note_image(self, volume, description) -> None:
        """Once for each change: a file's header is read for it."""
        noted = volume and (volume.GetID(), volume.GetMTime(), description)
        if noted != self._noted:
            self._noted = noted
            self._image_note.show(_image_note(volume, description) if volume else "")
        self.ui.imageNoteLabel.setVisible(bool(self._image_note.text))

    def _show_next_step(self) -> None:
        """One line: where one is on the way from an image to a dataset."""
        node = self.state.node
        volumes = self.logic.inputVolumes(slicer.mrmlScene)
        if not volumes:
            text = _("Load an image, or:")
        elif node.inputVolume is None:
            text = _("Choose the image below.")
        elif not node.model:
            text = _("Add a model (a .safetensors file), or annotate by hand.")
        elif self.state.result() is None:
            text = _("Detect the landmarks, or annotate your own by hand.")
        else:
            text = _("Look at the landmarks under Review; then export.")
        self._next_step.show(text)
        self.ui.sampleButton.setVisible(not volumes)

    def show_device(self, device: str, note: str) -> None:
        """device: what a detection ran on, as the worker calls it. note: why; may be empty."""
        text = _("Took: {device}").format(device=_(DEVICES.get(device.split(":")[0], device)))
        self._device_note.show(f"{text}. {note}" if note else f"{text}.")
        self.ui.deviceNoteLabel.setVisible(True)

    def forget(self) -> None:
        self._device_note.show("")

    def add_model(self, path) -> None:
        """Add a model file to the list and choose it."""
        with showing_errors(_("The model could not be added."), self.told.emit):
            self.state.node.model = self.logic.addModel(path)
            self.changed.emit()

    def share_models(self, folder) -> None:
        """Take the models of a folder onto the list."""
        with showing_errors(_("The folder could not be taken."), self.told.emit):
            count = self.logic.shareModels(folder)
            self.changed.emit()
            self.told.emit(_("{count} models of '{folder}'.").format(count=count, folder=folder))

    def _show_model(self, description, key) -> None:
        has_changed = description is not None and self.logic.modelHasChanged(key)
        if description is not None and self._shown == (id(description), has_changed):
            return
        self._shown = id(description), has_changed
        if description is None:
            self._model_info.show(_("No model: add one (a file that ends in .safetensors)."))
            self.ui.modelDetailsTextBrowser.html = ""
            return
        facts = [_("{count} landmarks").format(count=len(description.landmarks))]
        if description.dimension is None:
            facts.append(_("cases laid over the image"))
        else:
            facts[0] = f"{facts[0]}, {description.dimension}D"
        error = _expected_error(description)
        if error:
            facts.append(_("mean error {error}").format(error=error))
        if told_symmetric(description):
            facts.append(_("mirrored images are not noticed"))
        if has_changed:
            facts.insert(
                0, _("this file has changed since it was added; add it again if that is right")
            )
        self._model_info.show("; ".join(facts))
        self.ui.modelDetailsTextBrowser.html = describe(description)

    def _hide_overlays_from_selector(self) -> None:
        """Heatmaps are no images to detect in."""
        hidden = [node.GetID() for node in self.logic.overlayNodes(slicer.mrmlScene)]
        proxy = self.ui.inputVolumeSelector.sortFilterProxyModel()
        if list(proxy.hiddenNodeIDs) != hidden:
            proxy.hiddenNodeIDs = hidden

    def _on_model_chosen(self, index):
        if self.state.node:
            self.state.node.model = self.ui.modelComboBox.itemData(index) or ""

    def _on_device_chosen(self, index):
        self.state.device = self.ui.deviceComboBox.currentData

    def _on_sample_button(self, checked=False):
        from ..sample_data import add_synthetic_hip

        self.state.node.inputVolume = add_synthetic_hip()

    def _on_add_button(self, checked=False):
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(),
            _("Add a model"),
            "",
            _("Landmark models") + f" (*{MODEL_SUFFIX} *{START_SUFFIX})",
        )
        if path:
            self.add_model(path)

    def _on_share_button(self, checked=False):
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("A folder of models that is shared"), ""
        )
        if folder:
            self.share_models(folder)


def _image_note(volume, description) -> str:
    """Which part of a volume is used, and what makes it unlike the model's images."""
    part = component_note(volume)
    said = [_("Used: {part}.").format(part=part)] if part else []
    if description is not None and 0 not in size_ijk(volume):
        before = told_before(grid_of(volume, unit_of(volume)), description)
        said += [_("Beware: {word}").format(word=word) for word in before]
    return " ".join(said)


def _expected_error(description) -> str:
    """On cases that it had not seen, by its card; without one, on those held out of its training."""
    if description.card is not None:
        return error_told(description.card.errors[0], is_short=True)
    error = description.metrics.get("validation_mre_mm")
    is_number = isinstance(error, (int, float))
    return f"{number(error)} {description.unit}" if is_number else ""


def describe(description) -> str:
    """What is known of a model, as HTML: card, facts, training, errors, landmarks with definitions."""
    facts = [
        (_("Name"), description.name),
        (_("Version"), description.version),
        (_("Licence"), description.licence),
        (_("Made"), description.created[:10]),
        (_("Trained on"), _training(description.training)),
        *((metric_name(key), _rounded(value)) for key, value in description.metrics.items()),
    ]
    rows = "".join(
        f"<li>{escape(k)}: {escape(str(v))}</li>" for k, v in facts if v not in ("", None)
    )
    marks = "".join(
        f"<li><b>{escape(mark.name)}</b> {escape(mark.definition)}</li>"
        for mark in description.landmarks.landmarks
    )
    card = "".join(
        f"<p><b>{escape(_(title))}</b></p><ul>{_items(said)}</ul>"
        for title, said in card_sections(description)
    )
    return f"<p>{escape(description.text)}</p>{card}<ul>{rows}</ul><ol>{marks}</ol>"


def _items(texts) -> str:
    return "".join(f"<li>{escape(text)}</li>" for text in texts)


# What a model file calls its metrics, word by word, and what the user reads.
_WORDS = {
    "mre": "mean radial error",
    "sdr": "success rate within",
    "mm": "(mm)",
    "px": "(pixels)",
    "std": "standard deviation of the",
}


def metric_name(key: str) -> str:
    """'validation_mre_mm' as 'Validation mean radial error (mm)'."""
    text = " ".join(_WORDS.get(word, word) for word in key.split("_"))
    return text[:1].upper() + text[1:]


def _training(training: dict) -> str:
    if "cases" not in training:
        return ""
    data = training.get("data") or []
    names = ", ".join(map(str, data if isinstance(data, list) else [data]))
    return _("{cases} cases ({data})").format(cases=training["cases"], data=names)


def _rounded(value):
    return f"{value:.3g}" if isinstance(value, float) else value


class ModelDrop(qt.QObject):
    """Takes model files that are dropped on a widget, and leaves all others to who takes those."""

    def __init__(self, widget, on_model):
        qt.QObject.__init__(self)
        self._on_model = on_model
        self._widget = widget
        widget.installEventFilter(self)

    def release(self) -> None:
        self._widget.removeEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() not in (qt.QEvent.DragEnter, qt.QEvent.Drop):
            return False
        paths = [url.toLocalFile() for url in event.mimeData().urls()]
        if not paths or not all(path.endswith((MODEL_SUFFIX, START_SUFFIX)) for path in paths):
            return False
        event.acceptProposedAction()
        if event.type() == qt.QEvent.Drop:
            for path in paths:
                self._on_model(path)
        return True
