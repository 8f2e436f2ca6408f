"""The files that a detection leaves: an annotation, perhaps a folder of heatmaps, and who made them.

Each says which model made it of which image. So a stopped run can go on, and no result is taken for
that of another model, or of another image of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..annotation.annotation_files import MARKUPS_SUFFIX, read_made_by, write_annotation
from ..errors import LandmarkHeatmapError
from ..files import new_folder, read_json, write_json
from ..images.below import HEATMAPS_ENDING
from ..images.imageio import write_image
from ..model.description import ModelIdentity
from .prediction import Prediction

_MADE_BY_NAME = "made-by.json"
# Of a landmark's name, so many bytes go into a file's name; systems allow 255 in all.
_LONGEST_FILE_NAME = 100


@dataclass(frozen=True)
class MadeBy:
    """model: which one. image_sha256: of the image's files. spacing_mm: that the user stated of it.
    image: the id of its voxels and their place (images.identity), once it was read. is_read_as_ever:
    whether earlier versions, which have no such id, read it as it is read now."""

    model: ModelIdentity
    image_sha256: str
    spacing_mm: float = None
    image: str = None
    is_read_as_ever: bool = False

    def to_json(self) -> dict:
        return {
            "model": self.model.to_json(),
            "imageSha256": self.image_sha256,
            "spacingMm": self.spacing_mm,
            "image": self.image,
        }

    def made(self, document: dict) -> bool:
        """Whether `document` says that this model made it of this image."""
        is_same_file = document.get("imageSha256") == self.image_sha256
        if "image" in document:
            is_same_file = is_same_file and document.get("spacingMm") == self.spacing_mm
        else:
            is_same_file = is_same_file and self.is_read_as_ever
        # The same image may have been saved once more.
        is_same_image = is_same_file or self.image and document.get("image") == self.image
        return is_same_image and is_by(document, self.model)


def is_by(document: dict, model: ModelIdentity) -> bool:
    """Whether `document`, the JSON of a MadeBy, names this model."""
    named = document.get("model")
    return isinstance(named, dict) and named.get("sha256") == model.sha256


@dataclass(frozen=True)
class Results:
    """What belongs to one image. annotation: the path of its file."""

    annotation: Path

    @property
    def heatmaps(self) -> Path:
        """The folder of heatmaps, beside the annotation."""
        return self.annotation.with_name(
            self.annotation.name[: -len(MARKUPS_SUFFIX)] + HEATMAPS_ENDING
        )

    def paths(self, with_heatmaps: bool) -> list:
        return [self.annotation, self.heatmaps] if with_heatmaps else [self.annotation]

    def made_by(self, path: Path) -> dict:
        """What one of the paths says of who made it; empty if it says nothing."""
        if path == self.annotation:
            return read_made_by(path)
        try:
            document = read_json(path / _MADE_BY_NAME)
        except LandmarkHeatmapError:
            return {}
        return document if isinstance(document, dict) else {}

    def check_free(self, model: ModelIdentity, with_heatmaps: bool, overwrite: bool) -> None:
        """That nothing is in the way but results of this model.

        Raises LandmarkHeatmapError for anything else, unless it may be overwritten and can be.
        """
        for path in self.paths(with_heatmaps):
            if not path.exists():
                continue
            if not overwrite and not is_by(self.made_by(path), model):
                raise in_the_way(path)
            if path.is_dir() != (path == self.heatmaps):
                kinds = ("folder", "file") if path.is_dir() else ("file", "folder")
                raise LandmarkHeatmapError(
                    f"'{path}' is a {kinds[0]} and cannot be overwritten by a {kinds[1]}. Choose"
                    " another place."
                )

    def are_made(self, made_by: MadeBy, with_heatmaps: bool) -> bool:
        """Whether all of them are there, and were made so."""
        return all(
            path.exists() and made_by.made(self.made_by(path)) for path in self.paths(with_heatmaps)
        )

    def missing(self, made_by: MadeBy, with_heatmaps: bool, overwrite: bool) -> list:
        """The paths that have still to be written. Raises LandmarkHeatmapError for one in the way."""
        missing = []
        for path in self.paths(with_heatmaps):
            if path.exists() and made_by.made(self.made_by(path)):
                continue
            if path.exists() and not overwrite:
                raise in_the_way(path)
            missing.append(path)
        return missing

    def write(self, prediction: Prediction, made_by: MadeBy, missing, overwrite: bool) -> None:
        """Write the `missing` ones. What another process, doing the same, wrote just now is kept.

        Raises LandmarkHeatmapError for what came into the way in the meantime.
        """
        self.annotation.parent.mkdir(parents=True, exist_ok=True)
        while missing:
            try:
                self._write(prediction, made_by, missing, overwrite)
                return
            except FileExistsError:
                # Whatever exists is now either ours, and no longer missing, or in the way.
                missing = self.missing(made_by, self.heatmaps in missing, overwrite)

    def _write(self, prediction, made_by: MadeBy, missing, overwrite: bool) -> None:
        """The annotation comes last: where it is, everything is."""
        document = made_by.to_json()
        if self.heatmaps in missing:
            _write_heatmaps(self.heatmaps, prediction, document, overwrite)
        if self.annotation in missing:
            write_annotation(self.annotation, prediction.annotation(), document, new=not overwrite)


def in_the_way(path) -> LandmarkHeatmapError:
    return LandmarkHeatmapError(
        f"'{path}' is there already, and not from this model and image. Choose another place, or add"
        " --overwrite."
    )


def _write_heatmaps(folder: Path, prediction: Prediction, made_by: dict, overwrite: bool) -> None:
    """One NRRD a landmark, one more of its belief, and the combined one; a new folder appears whole
    or not at all."""
    images = {
        f"{number:03d}-{_file_name(point.name)}.nrrd": point.heatmap
        for number, point in enumerate(prediction.points, 1)
    }
    for number, point in enumerate(prediction.points, 1):
        if point.belief is not None:
            images[f"{number:03d}-{_file_name(point.name)}-belief.nrrd"] = point.belief
    images["combined.nrrd"] = prediction.combined_heatmap()
    if not (overwrite and folder.exists()):
        with new_folder(folder) as temporary:
            _write_images(temporary, images, made_by)
        return
    # Until all are there, they are nobody's.
    (folder / _MADE_BY_NAME).unlink(missing_ok=True)
    _write_images(folder, images, made_by)
    # Those of an earlier model would look like this one's. Other files in there are the user's.
    for old in folder.glob("[0-9][0-9][0-9]-*.nrrd"):
        if old.name not in images:
            old.unlink()


def _write_images(folder: Path, images: dict, made_by: dict) -> None:
    for name, image in images.items():
        write_image(folder / name, image)
    write_json(folder / _MADE_BY_NAME, made_by)


def _file_name(name: str) -> str:
    """A landmark's name as part of a file name; the number before it keeps it unique."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    return plain.encode("utf-8")[:_LONGEST_FILE_NAME].decode("utf-8", "ignore")
