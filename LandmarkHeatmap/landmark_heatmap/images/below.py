"""All images below a folder: files and DICOM series, as they are found on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import LandmarkHeatmapError, printable
from ..files import real_path
from .imageio import is_image_file
from .series import find_dicom, is_dicom_file

# Slicer's segmentations are NRRD files, too, and no images.
_NO_IMAGES = (".seg.nrrd",)
# How the names of folders of heatmaps end, which a detection writes beside its results.
HEATMAPS_ENDING = "-heatmaps"


def images_below(folder: Path, left_out: Path) -> list:
    """Paths of image files and DicomSeries, by name; sorted alike wherever this runs.

    Hidden files, segmentations (.seg.nrrd), folders of heatmaps and what is in `left_out` are left
    out; the latter not where `folder` itself is in it. Raises LandmarkHeatmapError for a folder
    without images.
    """
    own = real_path(left_out)
    own = None if real_path(folder).is_relative_to(own) else own
    images, with_dicom = [], []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in parts)
        is_heatmap = any(part.endswith(HEATMAPS_ENDING) for part in parts[:-1])
        is_segmentation = path.name.lower().endswith(_NO_IMAGES)
        is_own = own is not None and real_path(path).is_relative_to(own)
        if is_hidden or is_heatmap or is_segmentation or is_own:
            continue
        if not path.is_file():
            continue
        # Files of DICOM often have no ending at all.
        if (not is_image_file(path) or path.suffix.lower() == ".dcm") and is_dicom_file(path):
            with_dicom.append(path.parent)
        elif is_image_file(path):
            images.append(path)
    for each in dict.fromkeys(with_dicom):
        found = find_dicom(each)
        images += (*found.series, *found.images)
        for note in found.notes:
            print(printable(note), file=sys.stderr, flush=True)
    images.sort(key=str)
    if not images:
        raise LandmarkHeatmapError(f"There is no image below '{folder}'.")
    return images
