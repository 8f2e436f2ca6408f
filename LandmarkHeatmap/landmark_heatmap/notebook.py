"""What a researcher needs from a notebook or a script; it stands at the top of the package.

    import landmark_heatmap as lh

Thin: the work is done in the wings. What needs torch or matplotlib takes it when it is called, and
says what to install where it is missing.
"""

from __future__ import annotations

import os
from pathlib import Path

from .annotation import annotation_files
from .annotation.landmarks import Annotation
from .errors import LandmarkHeatmapError, explain_missing_package
from .files import offering_overwrite
from .images import imageio
from .images.geometry import Image
from .judging import evaluation
from .judging.evaluation import Evaluation
from .judging.pairing import pair_annotations
from .registering.models import load, model_path


def load_model(model, device: str = "auto"):
    """A Predictor: a loaded model, which `detect` applies to one image after another.

    model: the path of a model file, or the name of one that comes along (`shipped_models()`); or a
    dataset folder, whose cases are registered to the images, which needs no torch.
    device: 'auto' takes a GPU where there is one; or a name that torch knows. Its `description`
    says what the model is for. Raises ModelFileError, PredictionError for a device that cannot be
    used, MissingPackageError without torch.
    """
    with explain_missing_package():
        return load(model_path(model), device)


def detect(image, model, device: str = "auto"):
    """The Prediction of all landmarks of an image: positions, presences, confidences, heatmaps.

    image: an Image, or the path of an image file. model: what `load_model` gave; or what it takes,
    and is then loaded, onto `device`, for this image alone. Raises ImageFileError for a file that
    cannot be read, PredictionError if the model cannot be applied to this image.
    """
    image = _image(image)
    if isinstance(model, (str, os.PathLike)):
        model = load_model(model, device)
    return model.predict(image)


def evaluate(predictions, references, thresholds_mm=None) -> Evaluation:
    """How far predictions are from references, in mm; printed, it is a table.

    Each of the two is one case (a Prediction, an Annotation or the path of an annotation file) or
    several: a folder of annotation files, a dataset, a dict of names to cases, or a list. Several
    are matched by name, and lists of what has no name in order. thresholds_mm: of the success rates;
    by default what fits the size of what is marked. Raises AnnotationError for what cannot be a case,
    and for cases that cannot be matched.
    """
    return evaluation.evaluate(pair_annotations(predictions, references), thresholds_mm)


def picture(image, landmarks, window=None):
    """A Picture of an image with its landmarks, which a notebook shows and `.save(path)` writes.

    image: an Image, or the path of an image file. landmarks: a Prediction, with its heatmaps; or an
    Annotation. window: intensities (low, high) that become black and white. 3D: three planes through
    the middle of the landmarks. Raises LandmarkHeatmapError for landmarks of another image,
    MissingPackageError without matplotlib.
    """
    image = _image(image)
    with explain_missing_package():
        from .pictures.overview import overview

        return overview(image, landmarks, window)


def write_image(path, image: Image, overwrite: bool = False) -> Path:
    """Write an image, compressed, the format by the extension; returns the path.

    Raises ImageFileError for what the format cannot hold, LandmarkHeatmapError for a file that is
    there already, unless it may be overwritten.
    """
    return _written(imageio.write_image, path, image, overwrite)


def write_annotation(path, annotation: Annotation, overwrite: bool = False) -> Path:
    """Write landmarks as Slicer's .mrk.json, in LPS and mm; returns the path.

    A Prediction's landmarks are its `annotation()`. Raises AnnotationError for another extension,
    LandmarkHeatmapError for a file that is there already, unless it may be overwritten.
    """
    return _written(annotation_files.write_annotation, path, annotation, overwrite)


def _image(given) -> Image:
    if isinstance(given, (str, os.PathLike)):
        return imageio.read_image(given)
    if isinstance(given, Image):
        return given
    raise LandmarkHeatmapError(
        f"An image is an Image or the path of an image file, not a {type(given).__name__}. An array"
        " with the axes (K, J, I) becomes one by Image(array, ijk_to_lps), with a 4x4 affine in mm."
    )


def _written(write, path, content, overwrite: bool) -> Path:
    with offering_overwrite(path):
        write(path, content, new=not overwrite)
    return Path(path)
