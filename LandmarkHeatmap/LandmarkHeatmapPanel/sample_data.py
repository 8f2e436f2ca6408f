"""The synthetic hip in the Sample Data module: made here when it is asked for, never downloaded."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

_ICON = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "LandmarkHeatmap.png"
_SEED, _SIZE, _SPACING_MM = 7, (125, 85, 105), 2.5


def add_synthetic_hip(source=None):
    """A CT-like volume that the shipped model knows, shown in the slice views; returns its node.

    source: what the Sample Data module passes; not needed.
    """
    from landmark_heatmap.synthetic.hip import make_synthetic_hip
    from LandmarkHeatmapLib.volumes import add_volume

    with slicer.util.WaitCursor():
        hip = make_synthetic_hip(_SEED, _SIZE, _SPACING_MM, whole_pelvis=True)
        node = add_volume(slicer.mrmlScene, hip.image, "SyntheticHip")
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def register() -> None:
    """Offer it in the Sample Data module, if that is there."""
    try:
        import SampleData
    except ImportError:
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="Landmark Heatmap",
        sampleName=_("Synthetic hip"),
        # The module wants an address and a file; with a function of our own it uses neither.
        uris="",
        fileNames="SyntheticHip.nrrd",
        nodeNames="SyntheticHip",
        customDownloader=add_synthetic_hip,
        thumbnailFileName=str(_ICON),
    )
