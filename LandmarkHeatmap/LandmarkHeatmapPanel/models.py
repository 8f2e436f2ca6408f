"""The models that can be chosen: those that ship, those the user added, those of a shared folder, and the
dataset that is exported to, whose cases are registered."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from slicer.i18n import tr as _

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.model.shipped import shipped_models
from landmark_heatmap.registering.models import describe, is_registered

from .library import has_changed, remember, share, shared_models
from .widgets import keep_setting, setting


class ModelList:
    """The models that ship with the extension, and those the user added, kept in the settings."""

    def __init__(self):
        self._read, self._changed = {}, {}

    def all(self) -> list:
        """(key, path, ModelDescription) of each model that can be read: shipped first, then added, then
        those of the shared folder, then the dataset folder that is exported to, once it has a case.

        The key of a shipped model is its file's name, so that a scene means the same model on
        another computer; that of an added one is its path. A file is read again when it changed.
        """
        shipped = [(path.name, path) for path in shipped_models().values()]
        found = []
        added = self._added()
        added += [str(path) for path in shared_models() if str(path) not in added]
        dataset = setting("DatasetFolder")
        if dataset and dataset not in added and is_registered(dataset):
            added.append(dataset)
        for key, path in shipped + [(text, Path(text)) for text in added]:
            description = self._description(path)
            if description is not None:
                found.append((key, path, description))
        return found

    def add(self, path) -> str:
        """Add a model file, or a dataset folder, to the user's list; returns its key. Raises
        ModelFileError or DatasetError."""
        describe(path)
        remember(path)
        self._changed = {}
        key = str(Path(path))
        if key not in self._added():
            # As JSON: a list setting of one element would come back as a plain string.
            keep_setting("AddedModels", json.dumps([*self._added(), key]))
        return key

    def share(self, folder) -> int:
        """Take the models of a folder that is shared onto the list; see library.share."""
        count, self._changed = share(folder), {}
        return count

    def has_changed(self, key) -> bool:
        """Whether the file of a model is another than when it was added; looked at once for each time
        that it is written."""
        path = self.path(key)
        written = self._read.get(path, (None,))[0]
        if self._changed.get(path, (None,))[0] != written:
            try:
                self._changed[path] = (written, has_changed(path))
            except OSError:
                return False
        return self._changed.get(path, (None, False))[1]

    def path(self, key) -> Path:
        """The file of a key of `all`; any other text is taken for a path."""
        return next((path for k, path, _description in self.all() if k == key), Path(key))

    def _description(self, path):
        try:
            # A case that is added to a dataset changes the folder of its cases, and other landmarks the
            # file that says which they are; which revision is the newest is nothing that the list shows.
            places = (path / "cases", path / "dataset.json") if is_registered(path) else (path,)
            changed = tuple(each.stat().st_mtime_ns for each in places)
            if self._read.get(path, (None,))[0] != changed:
                self._read[path] = (changed, describe(path))
        except (OSError, LandmarkHeatmapError) as error:
            # Nothing is wrong with a dataset that has no case yet.
            is_new = path not in self._read or self._read[path][0] is not None
            if is_new and not is_registered(path):
                logging.warning("The model '%s' is left out: %s", path, error)
            self._read[path] = (None, None)
        return self._read[path][1]

    @staticmethod
    def _added() -> list:
        return json.loads(setting("AddedModels", "[]"))


def told(description) -> str:
    """What stands in the list for a model: its name, and its landmarks or its cases."""
    if description.dimension is None:
        return f"{description.name} ({description.version})"
    return _("{name} ({count} landmarks)").format(
        name=description.name, count=len(description.landmarks)
    )
