"""Finding the images that a table names, and reading how large they are without reading them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import MM, Grid
from landmark_heatmap.images.imageio import image_stem, is_image_file, read_place
from landmark_heatmap.images.series import find_dicom


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image on disk with its grid, its values unread. note, from_slicer: as of images.placing."""

    path: Path
    grid: Grid
    note: str = ""
    from_slicer: np.ndarray = field(default_factory=lambda: np.eye(4))
    is_size_stated: bool = False

    @classmethod
    def read(cls, path: Path) -> ImageFile:
        place = read_place(path)
        return cls(path, place.grid, place.note, place.from_slicer, place.is_size_stated)

    @property
    def states_spacing(self) -> bool:
        return self.grid.unit == MM


class ImageFolder:
    """The images below a folder, to be found by the names that tables give them."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise DatasetError(f"There is no folder '{folder}' for the images.")
        self._folder = folder
        self._by_stem, self._by_letters = {}, {}
        for path in sorted(p for p in folder.rglob("*") if is_image_file(p)):
            self._by_stem.setdefault(image_stem(path), []).append(path)
            self._by_letters.setdefault(_letters(image_stem(path)), []).append(path)

    def find(self, name: str):
        """The image that a table calls `name`, or None.

        The extension may be missing or another one, for photographs get converted. Folders in the
        name have to agree with those below the image folder, if the image lies in one: frame 1 of
        another video is another image. Raises DatasetError if several could be meant.
        """
        named = PurePosixPath(name.replace("\\", "/"))
        stem = image_stem(named) if is_image_file(named) else named.name
        # Windows, where many tables come from, takes 'A.PNG' and 'a.png' for one file.
        candidates = self._by_stem.get(stem) or self._by_letters.get(_letters(stem), [])
        exact = [path for path in candidates if path == self._folder / named]
        here = [path for path in candidates if path.parent == self._folder]
        below = [path for path in candidates if self._agree(path, named)]
        found = exact or here or below
        found = found or self._folders_of_slices(named)
        if len(found) > 1:
            found = [path for path in found if path.name == named.name] or found
        if len(found) > 1:
            paths = ", ".join(f"'{path}'" for path in found)
            raise DatasetError(
                f"'{name}' could be any of {paths}; give the folder of those that are meant."
            )
        return found[0] if found else None

    def _folders_of_slices(self, named: PurePosixPath) -> list:
        """The folders of this name that hold the slices of a DICOM series."""
        folders = (path for path in sorted(self._folder.rglob("*")) if path.name == named.name)
        folders = (path for path in folders if path.is_dir() and self._agree(path, named))
        return [path for path in folders if find_dicom(path).series]

    def _agree(self, path: Path, named: PurePosixPath) -> bool:
        """Whether the last folders of both are the same, as far as both have any."""
        folders = path.relative_to(self._folder).parts[:-1]
        return all(a == b for a, b in zip(reversed(folders), reversed(named.parts[:-1])))


def _letters(stem: str) -> str:
    """A name without what systems write differently: capitals, and how letters with marks are made."""
    return unicodedata.normalize("NFC", stem).casefold()
