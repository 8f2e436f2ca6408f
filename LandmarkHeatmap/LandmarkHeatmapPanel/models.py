"""The models that can be chosen: those that ship, and those the user added."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from landmark_heatmap.errors import ModelFileError
from landmark_heatmap.model.model_file import read_description
from landmark_heatmap.model.shipped import shipped_models

from .widgets import keep_setting, setting


class ModelList:
    """The models that ship with the extension, and those the user added, kept in the settings."""

    def __init__(self):
        self._read = {}

    def all(self) -> list:
        """(key, path, ModelDescription) of each model that can be read: shipped first, then added.

        The key of a shipped model is its file's name, so that a scene means the same model on
        another computer; that of an added one is its path. A file is read again when it changed.
        """
        shipped = [(path.name, path) for path in shipped_models().values()]
        found = []
        for key, path in shipped + [(text, Path(text)) for text in self._added()]:
            description = self._description(path)
            if description is not None:
                found.append((key, path, description))
        return found

    def add(self, path) -> str:
        """Add a model file to the user's list; returns its key. Raises ModelFileError."""
        read_description(path)
        key = str(Path(path))
        if key not in self._added():
            # As JSON: a list setting of one element would come back as a plain string.
            keep_setting("AddedModels", json.dumps([*self._added(), key]))
        return key

    def path(self, key) -> Path:
        """The file of a key of `all`; any other text is taken for a path."""
        return next((path for k, path, _description in self.all() if k == key), Path(key))

    def _description(self, path):
        try:
            changed = path.stat().st_mtime_ns
            if self._read.get(path, (None,))[0] != changed:
                self._read[path] = (changed, read_description(path))
        except (OSError, ModelFileError) as error:
            if path not in self._read or self._read[path][0] is not None:
                logging.warning("The model '%s' is left out: %s", path, error)
            self._read[path] = (None, None)
        return self._read[path][1]

    @staticmethod
    def _added() -> list:
        return json.loads(setting("AddedModels", "[]"))
