"""What stands in for a network, a patient and a hand."""

from __future__ import annotations

import numpy as np
import slicer


class ClientOfTruth:
    """Stands in for the worker in tests: it finds every landmark three mm beside where it is.

    holds: it works for ever. failures: what the next detections fail with, None for those that do
    not. follow_mm: what is not given would move by so much in x; nobody can be asked if None.
    """

    def __init__(self, truths):
        self._truths, self._image, self._calls = truths, None, 0
        self.holds, self.failures, self.is_cancelled = False, [], False
        self.follow_mm, self._found, self._answers = None, None, []

    @property
    def is_busy(self):
        return self._image is not None or bool(self._answers)

    @property
    def can_propose(self):
        return self.follow_mm is not None and self._found is not None

    def propose(self, given, new=None, absent=()):
        from dataclasses import replace

        from landmark_heatmap.detection.proposals import Proposal
        from landmark_heatmap.worker.client import Proposed

        moved = [
            Proposal(
                replace(each, position_lps=each.position_lps + [self.follow_mm, 0, 0]),
                self.follow_mm,
            )
            for each in self._found.points
            if each.name not in given
        ]
        self._answers = [Proposed(tuple(moved))]

    def detect(self, image, model_path, device="auto"):
        self._image, self.is_cancelled = image, False

    def cancel(self):
        self.is_cancelled = self.is_busy

    def close(self):
        pass

    def poll(self):
        from landmark_heatmap.worker.client import Cancelled, Failed, Finished, Progress

        if self._image is None:
            answers, self._answers = self._answers, []
            return answers
        if self.holds and not self.is_cancelled:
            return [Progress("Detecting", 0.5, 3.0)]
        image, self._image = self._image, None
        if self.is_cancelled:
            return [Cancelled()]
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            return [Failed(failure, "what the process had printed")]
        truth = self._truths[self._calls % len(self._truths)]
        self._calls += 1
        self._found = predict(truth, image)
        return [Progress("Detecting", 1.0, 0.0), Finished(self._found, "cpu")]


def predict(truth, image):
    """The Prediction of an image with this true Annotation, 3 mm off in x. The last landmark is said to
    break the shape."""
    from landmark_heatmap.annotation.doubt import Doubt
    from landmark_heatmap.detection.prediction import LandmarkPrediction, Prediction
    from landmark_heatmap.model.description import ModelIdentity
    from landmark_heatmap.synthetic.hip import SYNTHETIC_HIP_LANDMARKS as LANDMARKS

    grid = image.grid
    indices = np.stack(np.meshgrid(*map(np.arange, grid.size_ijk), indexing="ij"), axis=-1)
    voxels_lps = grid.to_lps(indices)
    points = []
    for name in LANDMARKS.names:
        position = truth.position_lps(name) + [3.0, 0, 0]
        square = ((voxels_lps - position) ** 2).sum(axis=-1).transpose(2, 1, 0)
        heatmap = np.exp(-square / (2 * 6.0**2)).astype(np.float32)
        image_of_heatmap = type(image)(heatmap, grid.ijk_to_lps)
        belief = type(image)(_belief(square / 6.0**2).astype(np.float32), grid.ijk_to_lps)
        apart, oddness = (14.0, 2.0) if name == LANDMARKS.names[-1] else (1.0, 0.1)
        doubt = Doubt(4.0, 0.9, 8.0, apart, oddness)
        points.append(LandmarkPrediction(name, position, 1.0, 0.9, image_of_heatmap, belief, doubt))
    return Prediction(LANDMARKS, tuple(points), grid, ModelIdentity("truth", "1", "0" * 64))


def _belief(square):
    """One less the share of a Gaussian that lies nearer, by the square of the distance in sigma."""
    order = np.argsort(square, axis=None)
    share = np.cumsum(np.exp(-square.ravel()[order] / 2))
    belief = np.empty(square.size)
    belief[order] = 1 - np.concatenate([[0.0], share[:-1]]) / share[-1]
    return belief.reshape(square.shape)


def put_synthetic_hip(size=(60, 30, 40), spacing_mm=6.0):
    """A volume node in the scene, and the true Annotation."""
    from landmark_heatmap.synthetic.hip import make_synthetic_hip
    from LandmarkHeatmapLib.volumes import add_volume

    hip = make_synthetic_hip(7, size, spacing_mm, whole_pelvis=True)
    return add_volume(slicer.mrmlScene, hip.image, "Hip"), hip.annotation


def drag(result, name):
    """Move a landmark by 12 mm, as the end of a mouse drag reports it."""
    markups = result.markups_node
    index = result.landmarks.index(name)
    position = np.array(markups.GetNthControlPointPositionWorld(index)) + [0, 12.0, 0]
    result.move(name, position)
    markups.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
