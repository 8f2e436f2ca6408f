"""Multi-landmark heatmap detection in 2D and 3D images.

What a researcher needs stands here and is imported when it is used:

    import landmark_heatmap as lh

    prediction = lh.detect("hip.nrrd", "synthetic_hip")
    print(prediction.to_table())
    lh.picture("hip.nrrd", prediction)

This package is pure: numpy, SimpleITK and torch, never slicer, vtk or qt. Both the Slicer module
and the training pipeline stand on it. Modules that need no torch (geometry, landmarks,
annotations, heatmap decoding, dataset folders, evaluation) import none, so that review, export and
comparison work in a Slicer without torch.

Positions and affines are in mm in the LPS frame of ITK and DICOM unless a name says RAS.
"""

__version__ = "0.1.0"
# STILL TO BE DECIDED: where the repository will lie. What has to spell it out, because its format asks
# for that, is compared with this by Testing/house/test_index.py, which names every such place.
HOMEPAGE = "https://github.com/LandmarkHeatmap/SlicerLandmarkHeatmap"

# Each name that stands here, and the module that it comes from on its first use.
_HOMES = {
    "annotation.annotation_files": ("read_annotation",),
    "annotation.landmarks": ("Annotation", "Landmark", "LandmarkSet", "Point", "PointState"),
    "detection.prediction": ("LandmarkPrediction", "Prediction"),
    "errors": ("LandmarkHeatmapError",),
    "images.geometry": ("Grid", "Image"),
    "images.imageio": ("read_image",),
    "model.model_file": ("read_description",),
    "model.shipped": ("shipped_models",),
    "notebook": (
        "detect",
        "evaluate",
        "load_model",
        "picture",
        "write_annotation",
        "write_image",
    ),
    "synthetic.hip": ("make_synthetic_hip",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list:
    return sorted({*globals(), *__all__})
