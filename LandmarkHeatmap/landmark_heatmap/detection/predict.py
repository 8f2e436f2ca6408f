"""From an image and a model to a Prediction."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager

import numpy as np
import torch

from ..errors import PredictionError
from ..images.geometry import Grid, Image, in_pixels
from ..model.belief_form import uncalibrated
from ..model.description import ModelDescription, Stage
from ..model.heatmap import gaussian_mass
from ..model.logits import heatmaps_and_presences
from ..model.model_file import Model, read_model
from ..side_by_side import side_by_side
from .agreement import Frame, Places, coarse_candidates
from .joint import predictions
from .locate import Found, choose
from .memory import check_coarse, check_fine
from .prediction import Prediction, moved
from .prepare import prepare_with_window, stage_grid
from .proposals import Kept
from .refine import Look, Refiner, Source, batches_on
from .sight import Sight
from .suits import check_unit, told_before, told_brightness
from .unlike import told_implausible


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

    def predict(self, image: Image, progress=None, keep=None) -> Prediction:
        """Detect all landmarks of one image.

        progress: called with (what is being done, fraction done 0 to 1). keep: called with a Kept, which
        can tell what else would move if a landmark does. Of an image in px, a voxel is
        1 px whatever its affine says; the result lies where the affine says.
        Raises PredictionError if the model cannot be applied to this image.
        """
        placed, image = image, in_pixels(image)
        sight = self.sighted(image, progress)
        if keep is not None:
            keep(Kept(self, sight, placed))
        prediction = self._predicted(sight, image, progress)
        return moved(prediction, placed.ijk_to_lps, image.ijk_to_lps)

    def _predicted(self, sight: Sight, image: Image, progress) -> Prediction:
        points = self.told(self.answered(sight), sight)
        found, model = sight.found, self.description
        words = [*told_before(image.grid, model), told_brightness(found.brightness, model)]
        words.append(told_implausible(points, self.model.joint, found.grid))
        if progress is not None:
            progress("Done", 1.0)
        identity, words = self.model.identity, tuple(filter(None, words))
        return Prediction(model.landmarks, points, found.grid, identity, words=words)

    def told(self, seen, sight: Sight) -> tuple:
        """A LandmarkPrediction for each Seen."""
        grid = sight.found.grid
        model, is_last = self.model, self.is_last(seen)
        return predictions(seen, model.belief, model.joint, grid, is_last, side_by_side)

    def is_last(self, seen) -> list:
        """For each Seen, which may be None, whether it is by the last stage."""
        last = self.description.stages[-1]
        return [each is not None and each.stage == last for each in seen]

    def seen(self, image: Image, progress=None) -> tuple:
        """(a Seen for each landmark, by the last stage that sees it; the coarse stage's grid). See
        `sighted`."""
        sight = self.sighted(image, progress)
        return self.answered(sight), sight.found.grid

    def answered(self, sight: Sight, given=None, absent=()) -> tuple:
        """See Sight.answered, which may ask the fine network again. Raises PredictionError."""
        with self.telling_of_memory(sight.found.grid):
            return sight.answered(given, absent)

    def sighted(self, image: Image, progress=None) -> Sight:
        """What the networks see.

        image: one whose voxels are as large as its affine says. Raises PredictionError if the model
        cannot be applied to it.
        """
        check_unit(image.grid, self.description)
        progress = progress or (lambda stage, fraction: None)
        coarse = self.description.stages[0]
        self._check_memory(image)
        progress("Resampling", 0.0)
        prepared, window = prepare_with_window(image, coarse, self.description.intensity)
        source = Source(image, window)
        with self.telling_of_memory(prepared.grid):
            try:
                return self._sighted(prepared, source, progress)
            except NotImplementedError as error:
                if self.device.type == "cpu":
                    raise
                self.note = (
                    f"'{self.device}' lacks an operation ({error}): computed on the processor."
                )
                warnings.warn(self.note, stacklevel=2)
                self._go_to(torch.device("cpu"))
                return self._sighted(prepared, source, progress)

    @contextmanager
    def telling_of_memory(self, grid: Grid):
        """Whatever asks the networks in here says in words that the memory does not suffice.

        grid: of the coarse stage. Raises PredictionError then.
        """
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise PredictionError(
                f"There is not enough memory on '{self.device}' for"
                f" {' x '.join(map(str, grid.size_ijk))} voxels at the model's spacing."
            ) from error

    def _check_memory(self, image: Image) -> None:
        """Of all stages, before the first one is tried: each landmark has one crop at least."""
        coarse, *fine = self.description.stages
        size = stage_grid(image.grid, coarse).size_ijk[::-1]
        check_coarse(size, coarse, self.description.members)
        if fine:
            crops = len(self.description.landmarks)
            self._check_fine(size, crops)

    def _check_fine(self, size, crops: int) -> None:
        batch = math.prod(batches_on(self.device, self.description.stages[1]))
        check_fine(size, self.description, crops, batch)

    def _sighted(self, prepared: Image, source: Source, progress) -> Sight:
        coarse = self.description.stages[0]
        progress("Detecting", 0.2)
        heatmaps, presences = run_network(self.model.networks[0], prepared, coarse, self.device)
        progress("Locating", 0.5)
        brightness = float(prepared.array.mean())
        return self.sight_of(Found(heatmaps, presences, prepared.grid, coarse, brightness), source)

    def sight_of(self, found: Found, source: Source) -> Sight:
        """What the fine stage, if there is one, sees of what the coarse one has found."""
        names, model = self.description.landmarks.names, self.model
        choice, places = choose(found, model.prior), self._places(found)
        fine = self.description.stages[1:]
        if not fine:
            return Sight(
                names, found, coarse_candidates(names, found, choice), places, prior=model.prior
            )
        refiner = Refiner(model.networks[1], fine[0], self.device)
        # One more, where its pose has it elsewhere.
        crops = sum(map(len, choice.peaks)) + len(names)
        self._check_fine(found.heatmaps.shape[1:], crops)
        candidates = refiner.candidates(names, found, choice, source, model.prior)
        return Sight(
            names, found, candidates, places, Look(refiner, source, model.prior), model.prior
        )

    def _places(self, found: Found) -> Places:
        model = self.model
        if model.joint is None:
            return None
        form = model.belief or uncalibrated(len(found.presences), found.stage.sigma_mm)
        return Places(Frame(model.joint, form, found.grid))


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
    return _on_the_processor(heatmaps).numpy(), presences.cpu().numpy()


def _on_the_processor(maps: torch.Tensor) -> torch.Tensor:
    """A copy in memory that a GPU reaches by itself, which torch keeps for the next detection; without
    a GPU the same."""
    if maps.device.type != "cuda":
        return maps.cpu()
    return torch.empty(maps.shape, dtype=maps.dtype, pin_memory=True).copy_(maps)
