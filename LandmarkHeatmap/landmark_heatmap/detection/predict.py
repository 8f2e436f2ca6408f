"""From an image and a model to a Prediction."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ..errors import PredictionError
from ..images.geometry import Image, in_pixels
from ..model.description import ModelDescription, Stage
from ..model.heatmap import gaussian_mass
from ..model.model_file import Model, read_model
from ..model.network import heatmaps_and_presences
from .joint import predictions
from .locate import Found, choose, located
from .memory import check_coarse, check_fine
from .prediction import Prediction, moved
from .prepare import prepare_with_window, stage_grid
from .refine import Refiner, Source, batch_on
from .suits import check_unit


class Predictor:
    """A loaded model that can be applied to one image after another.

    model: a Model, or the path of a model file. device: 'auto' takes a GPU where there is one (cuda, or
    mps on a Mac); or a name that torch knows. Raises ModelFileError if the model file cannot be used,
    PredictionError if the device cannot. A GPU that lacks an operation is left for the processor;
    `note` says so then.
    """

    def __init__(self, model, device: str = "auto"):
        self.model = model if isinstance(model, Model) else read_model(model)
        device, self.note = best_device() if device == "auto" else device, ""
        try:
            self._go_to(torch.device(device))
        # torch says with an assertion that it was built without CUDA.
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise PredictionError(f"The device '{device}' cannot be used: {reason}") from error

    def _go_to(self, device: torch.device) -> None:
        for network in self.model.networks:
            network.to(device)
        self.device = device

    def __repr__(self) -> str:
        return f"Predictor({self.description.told()}, on {self.device})"

    @property
    def description(self) -> ModelDescription:
        return self.model.description

    def predict(self, image: Image, progress=None) -> Prediction:
        """Detect all landmarks of one image.

        progress: called with (what is being done, fraction done 0 to 1). Of an image in px, a voxel is
        1 px whatever its affine says; the result lies where the affine says.
        Raises PredictionError if the model cannot be applied to this image.
        """
        check_unit(image.grid, self.description)
        placed, image = image, in_pixels(image)
        return moved(self._predicted(image, progress), placed.ijk_to_lps, image.ijk_to_lps)

    def _predicted(self, image: Image, progress) -> Prediction:
        seen, grid = self.seen(image, progress)
        model, last = self.model, self.description.stages[-1]
        is_last = [each.stage == last for each in seen]
        points = predictions(seen, model.belief, model.joint, grid, is_last)
        if progress is not None:
            progress("Done", 1.0)
        return Prediction(self.description.landmarks, points, grid, model.identity)

    def seen(self, image: Image, progress=None) -> tuple:
        """(a Seen for each landmark, by the last stage that sees it; the coarse stage's grid).

        image: one whose voxels are as large as its affine says. Raises PredictionError if the model
        cannot be applied to it.
        """
        progress = progress or (lambda stage, fraction: None)
        coarse = self.description.stages[0]
        self._check_memory(image)
        progress("Resampling", 0.0)
        prepared, window = prepare_with_window(image, coarse, self.description.intensity)
        try:
            return self._seen(prepared, Source(image, window), progress), prepared.grid
        except NotImplementedError as error:
            if self.device.type == "cpu":
                raise
            self.note = f"'{self.device}' lacks an operation ({error}): computed on the processor."
            warnings.warn(self.note, stacklevel=2)
            self._go_to(torch.device("cpu"))
            return self._seen(prepared, Source(image, window), progress), prepared.grid
        except (MemoryError, RuntimeError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise PredictionError(
                f"There is not enough memory on '{self.device}' for"
                f" {' x '.join(map(str, prepared.grid.size_ijk))} voxels at the model's spacing."
            ) from error

    def _check_memory(self, image: Image) -> None:
        """Of all stages, before the first one is tried: each landmark has one crop at least."""
        coarse, *fine = self.description.stages
        size = stage_grid(image.grid, coarse).size_ijk[::-1]
        check_coarse(size, coarse, self.description.members)
        if fine:
            crops = len(self.description.landmarks)
            check_fine(size, self.description, crops, batch_on(self.device))

    def _seen(self, prepared: Image, source: Source, progress) -> tuple:
        names, prior = self.description.landmarks.names, self.model.prior
        coarse, *fine = self.description.stages
        progress("Detecting", 0.2)
        heatmaps, presences = run_network(self.model.networks[0], prepared, coarse, self.device)
        found = Found(heatmaps, presences, prepared.grid, coarse)
        choice = choose(found, prior)
        progress("Locating", 0.5)
        if not fine:
            return located(names, found, choice)
        refiner = Refiner(self.model.networks[1], fine[0], self.device)
        crops = sum(map(len, choice.peaks)) + len(
            names
        )  # one more, where its pose has it elsewhere
        check_fine(heatmaps.shape[1:], self.description, crops, batch_on(self.device))
        return refiner.refine(names, found, choice, source, prior)


def best_device() -> str:
    """Of this machine, as torch names it."""
    if torch.cuda.is_available():
        return "cuda"
    mps = getattr(torch.backends, "mps", None)
    return "mps" if mps is not None and mps.is_available() else "cpu"


def _is_lack_of_memory(error) -> bool:
    """torch has a class of its own for GPUs only; of the processor it says so in words."""
    known = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, known) or "can't allocate memory" in str(error)


@torch.inference_mode()
def run_network(network, prepared: Image, stage: Stage, device) -> tuple:
    """Heatmaps (L, K, J, I), float32, height one where perfect, and presences (L,).

    Raises PredictionError if they are not finite: nothing can be told from such a map.
    """
    array = torch.from_numpy(np.ascontiguousarray(prepared.array)).to(device)
    is_2d = stage.network.dimension == 2
    logits = network(array[None] if is_2d else array[None, None])
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    heatmaps, presences = heatmaps_and_presences(logits, stage.network.head, mass)
    if is_2d:
        heatmaps = heatmaps[:, None]
    if not torch.isfinite(presences).all():
        raise PredictionError("The network's output is not finite; its weights cannot be used.")
    return heatmaps.cpu().numpy(), presences.cpu().numpy()
