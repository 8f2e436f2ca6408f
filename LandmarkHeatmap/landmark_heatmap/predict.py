"""From an image and a model to a Prediction."""

from __future__ import annotations

import numpy as np
import torch

from .description import ModelDescription, Stage
from .geometry import Image
from .heatmap import gaussian_mass
from .locate import Found, choose, located
from .model_file import Model, read_model
from .network import belief_of
from .prediction import Prediction
from .prepare import prepare_with_window
from .refine import Refiner, Source


class Predictor:
    """A loaded model that can be applied to one image after another.

    model: a Model, or the path of a model file. device: 'auto' takes a GPU where there is one; or a
    name that torch knows. Raises ModelFileError if the model file cannot be used.
    """

    def __init__(self, model, device: str = "auto"):
        self.model = model if isinstance(model, Model) else read_model(model)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        for network in self.model.networks:
            network.to(self.device)

    @property
    def description(self) -> ModelDescription:
        return self.model.description

    def predict(self, image: Image, progress=None) -> Prediction:
        """Detect all landmarks of one image.

        progress: called with (what is being done, fraction done 0 to 1).
        Raises PredictionError if the model cannot be applied to this image.
        """
        progress = progress or (lambda stage, fraction: None)
        coarse, landmarks = self.description.stages[0], self.description.landmarks
        progress("Resampling", 0.0)
        prepared, window = prepare_with_window(image, coarse, self.description.intensity)
        progress("Detecting", 0.2)
        heatmaps, presences = run_network(self.model.networks[0], prepared, coarse, self.device)
        found = Found(heatmaps, presences, prepared.grid, coarse)
        choice = choose(found, self.model.prior)
        progress("Locating", 0.5)
        if len(self.description.stages) == 1:
            points = located(landmarks.names, found, choice)
            combined = None
        else:
            refiner = Refiner(self.model.networks[1], self.description.stages[1], self.device)
            source = Source(image, window)
            points = refiner.refine(landmarks.names, found, choice, source, self.model.prior)
            combined = found.combined()
        progress("Done", 1.0)
        return Prediction(landmarks, points, prepared.grid, self.model.identity, combined)


@torch.inference_mode()
def run_network(network, prepared: Image, stage: Stage, device) -> tuple:
    """Heatmaps (L, K, J, I), float32, height one where perfect, and presences (L,)."""
    array = torch.from_numpy(np.ascontiguousarray(prepared.array)).to(device)
    is_2d = stage.network.dimension == 2
    logits = network(array[None] if is_2d else array[None, None])
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    belief = belief_of(logits, stage.network.head, mass)
    # The independent head may go below zero, which no heatmap means.
    heatmaps = belief.heatmap[0].clamp_min(0)
    presences = torch.sigmoid(belief.presence_logit[0])
    if is_2d:
        heatmaps = heatmaps[:, None]
    return heatmaps.cpu().numpy(), presences.cpu().numpy()
