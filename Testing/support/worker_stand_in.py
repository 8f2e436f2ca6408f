"""A worker whose network is a stand-in: it answers, or misbehaves, as the model's name says.

Run as the real one is (`WorkerClient(server=...)`); needs no torch.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "LandmarkHeatmap"))

from landmark_heatmap.annotation.doubt import Doubt
from landmark_heatmap.annotation.landmarks import Landmark, LandmarkSet
from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
from landmark_heatmap.detection.proposals import Proposal
from landmark_heatmap.errors import PredictionError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.model.description import ModelIdentity
from landmark_heatmap.worker import protocol, server

NAMES = ("Left", "Right")


class Moves:
    """Of the last image: what is not given would move 3 mm along L."""

    def __init__(self, points, what):
        self.points, self.what = points, what

    def proposals(self, given, new, absent):
        if self.what == "thinks-long":
            time.sleep(0.5)
        if set(given) - set(NAMES):
            raise PredictionError(f"The model has no landmark '{min(set(given) - set(NAMES))}'.")
        return tuple(
            Proposal(replace(point, position_lps=point.position_lps + [3, 0, 0]), 3.0)
            for point in self.points
            if point.name not in given and point.name not in absent
        )


class StandIn:
    """Finds its landmarks at the brightest and at the darkest voxel."""

    def __init__(self, model: str, device: str):
        self.what, self.device = Path(model).stem, "cpu"
        print("a library says hello on standard output")
        if self.what == "no-torch":
            raise ImportError("No module named 'torch'")

    def predict(self, image: Image, progress, keep=None) -> Prediction:
        progress("Detecting", 0.2)
        misbehave = getattr(self, "_" + self.what.replace("-", "_"), None)
        if misbehave:
            misbehave(progress)
        progress("Locating", 0.5)
        points = []
        for name, index in zip(NAMES, (image.array.argmax(), image.array.argmin())):
            kji = np.unravel_index(index, image.array.shape)
            corner = np.maximum(np.array(kji) - 2, 0)
            heatmap = np.ones((3, 3, 3), np.float32)
            crop = Image(heatmap, image.cropped(corner[::-1].tolist(), (1, 1, 1)).ijk_to_lps)
            position = image.grid.to_lps(np.array(kji)[::-1])
            doubt = Doubt(1.5, 0.9, 3.0)
            points.append(LandmarkPrediction(name, position, 0.9, 0.8, crop, crop, doubt))
        landmarks = LandmarkSet(tuple(Landmark(name) for name in NAMES))
        identity = ModelIdentity(self.what, "1", "0" * 64)
        if keep is not None:
            keep(Moves(points, self.what))
        return Prediction(landmarks, tuple(points), image.grid, identity)

    def _slow(self, progress):
        for step in range(100):
            progress("Detecting", 0.2 + 0.003 * step)
            time.sleep(0.1)

    def _hang(self, progress):
        time.sleep(60)

    def _exit(self, progress):
        os._exit(3)

    def _crash(self, progress):
        ctypes.string_at(0)

    def _refuse(self, progress):
        raise PredictionError("The image is empty.")

    def _break(self, progress):
        raise RuntimeError("something broke")


class GarbageServer(server.Server):
    """Says what is no message."""

    def _detected(self, request):
        self.output.write(b"this is no message\n")
        self.output.flush()
        return super()._detected(request)


if __name__ == "__main__":
    if "GARBAGE" in os.environ:
        server.Server = GarbageServer
    if "OTHER_VERSION" in os.environ:
        protocol.VERSION = 99
    server.main(make_predictor=StandIn)
