"""From an image and a model to a Prediction."""

from __future__ import annotations

import numpy as np
import torch

from .description import IntensityNormalisation, ModelDescription, Stage
from .errors import PredictionError
from .geometry import Grid, Image, canonical_grid, spaced_grid
from .heatmap import decode_peak, gaussian_mass
from .model_file import Model, read_model
from .network import log_probabilities
from .prediction import LandmarkPrediction, Prediction
from .resample import resample

# A heatmap is cut to where it is above this share of a perfect peak.
_SHOWN = 0.01
# More voxels than this on a model's grid means that the image's spacing cannot be right.
_LARGEST_GRID = 512**3


def stage_grid(image: Grid, stage: Stage) -> Grid:
    """The grid on which a coarse stage sees an image.

    Raises PredictionError for a 2D model and a 3D image or the reverse, and for an image that is
    out of all proportion to the model's spacing.
    """
    dimension = stage.network.dimension
    if image.is_2d != (dimension == 2):
        raise PredictionError(
            f"The model is for {dimension}D images; this image has"
            f" {' x '.join(map(str, image.size_ijk))} voxels."
        )
    canonical = canonical_grid(image)
    spacing = (*stage.spacing_mm, canonical.spacing_mm[2])[:3]
    # Judged before any memory is asked for.
    voxels = np.prod(np.ceil(np.array(canonical.size_ijk) * canonical.spacing_mm / spacing))
    if voxels > _LARGEST_GRID:
        raise PredictionError(
            f"The image is {np.round(canonical.size_ijk * canonical.spacing_mm, 1).tolist()} mm"
            f" large, far too large for a model with voxels of {list(stage.spacing_mm)} mm. Check"
            " the spacing of the image."
        )
    return spaced_grid(canonical, spacing)


def prepare(image: Image, stage: Stage, intensity: IntensityNormalisation) -> Image:
    """The image as a coarse stage sees it: its grid, and float32 intensities from -1 to 1."""
    resampled = resample(image, stage_grid(image.grid, stage))
    return Image(normalise(resampled.array, intensity), resampled.ijk_to_lps)


def normalise(array: np.ndarray, intensity: IntensityNormalisation) -> np.ndarray:
    """Intensities to -1 to 1. Voxels that are not finite count as the lowest."""
    finite = np.isfinite(array)
    if not finite.any():
        raise PredictionError("The image holds no finite intensities.")
    low, high = intensity.low, intensity.high
    if intensity.kind == "percentiles":
        low, high = (float(p) for p in np.percentile(array[finite], [low, high]))
    values = np.where(finite, array, low).astype(np.float32)
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 2 - 1


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
        if len(self.description.stages) > 1:
            raise PredictionError("This version applies models with one stage only.")
        stage, network = self.description.stages[0], self.model.networks[0]
        progress("Resampling", 0.0)
        prepared = prepare(image, stage, self.description.intensity)
        progress("Detecting", 0.3)
        heatmaps, presences = run_network(network, prepared, stage, self.device)
        progress("Locating", 0.9)
        landmarks = self.description.landmarks
        points = locate(landmarks.names, heatmaps, presences, prepared.grid, stage)
        progress("Done", 1.0)
        return Prediction(landmarks, points, prepared.grid, self.model.identity)


@torch.inference_mode()
def run_network(network, prepared: Image, stage: Stage, device) -> tuple:
    """Heatmaps (L, K, J, I), float32, height one where perfect, and presences (L,)."""
    array = torch.from_numpy(np.ascontiguousarray(prepared.array)).to(device)
    is_2d = stage.network.dimension == 2
    log_p = log_probabilities(network(array[None] if is_2d else array[None, None]))
    heatmaps = torch.exp(log_p.voxels[0]) * gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    presences = 1 - torch.exp(log_p.nowhere[0])
    if is_2d:
        heatmaps = heatmaps[:, None]
    return heatmaps.cpu().numpy(), presences.cpu().numpy()


def locate(names, heatmaps, presences, grid: Grid, stage: Stage) -> tuple:
    """A LandmarkPrediction for each channel. heatmaps: (L, K, J, I) on `grid`. presences: (L,)."""
    return tuple(
        _located(name, heatmap, float(presence), grid, stage)
        for name, heatmap, presence in zip(names, heatmaps, presences)
    )


def _located(name, heatmap, presence, grid: Grid, stage: Stage) -> LandmarkPrediction:
    """Decode one channel (K, J, I) on `grid`, and cut it to where it shows something."""
    position_kji = decode_peak(heatmap)
    start, size = _shown_box(heatmap)
    return LandmarkPrediction(
        name,
        grid.to_lps(position_kji[::-1]),
        presence,
        _confidence(heatmap, position_kji, grid, stage),
        Image(heatmap, grid.ijk_to_lps).cropped(start, size),
    )


def _shown_box(heatmap: np.ndarray) -> tuple:
    """(start, size) along i, j, k of the voxels that show something, with one voxel around them."""
    shown = heatmap > min(_SHOWN, heatmap.max() / 2)
    start, size = [], []
    for axis in (2, 1, 0):
        along = np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis)))
        first = max(along[0] - 1, 0) if along.size else 0
        last = min(along[-1] + 1, heatmap.shape[axis] - 1) if along.size else 0
        start.append(int(first))
        size.append(int(last - first + 1))
    return start, size


def _confidence(heatmap, position_kji, grid: Grid, stage: Stage) -> float:
    """The probability within two sigma of the position, over what a perfect heatmap has there."""
    dimension = stage.network.dimension
    offsets = np.ogrid[tuple(slice(n) for n in heatmap.shape)]
    spacing_kji = grid.spacing_mm[::-1]
    square = sum(
        ((index - centre) * spacing) ** 2
        for index, centre, spacing, length in zip(offsets, position_kji, spacing_kji, heatmap.shape)
        if length > 1
    )
    near = heatmap[square <= (2 * stage.sigma_mm) ** 2].sum()
    perfect = {2: 0.8647, 3: 0.7385}[dimension]  # a Gaussian's share within two sigma
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    return float(np.clip(near / (mass * perfect), 0, 1))
