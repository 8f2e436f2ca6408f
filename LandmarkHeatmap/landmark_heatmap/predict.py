"""From an image and a model to a Prediction."""

from __future__ import annotations

import numpy as np
import torch

from .description import IntensityNormalisation, ModelDescription, Stage
from .errors import PredictionError
from .geometry import Grid, Image, canonical_grid, spaced_grid
from .heatmap import decode_peak, gaussian_mass
from .model_file import Model, read_model
from .network import belief_of
from .prediction import LandmarkPrediction, Prediction
from .prior import choose_peaks
from .resample import resample

# A heatmap is cut to where it is above this share of a perfect peak.
_SHOWN = 0.01
# Peaks that are offered to the shape prior: so many, and none below this share of the highest.
_MOST_PEAKS = 3
_LOWEST_PEAK = 0.05
# Along an axis: all voxels that have one after them, and all that have one before.
_NEIGHBOURS = (slice(None, -1), slice(1, None))
# More voxels than this on a model's grid means that the image's spacing cannot be right.
_LARGEST_GRID = 512**3
# A longest side of fewer voxels on the model's grid means the same: nothing could be seen in it.
_SMALLEST_SIDE = 3


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
    extent = np.array(canonical.size_ijk) * canonical.spacing_mm
    # Judged before any memory is asked for.
    too_large = np.prod(np.ceil(extent / spacing)) > _LARGEST_GRID
    if too_large or max((extent / spacing)[:dimension]) < _SMALLEST_SIDE:
        raise PredictionError(
            f"The image is {' x '.join(f'{mm:.3g}' for mm in extent)} mm large, far too"
            f" {'large' if too_large else 'small'} for a model with voxels of"
            f" {list(stage.spacing_mm)} mm. Check the spacing of the image."
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
    name that torch knows. Raises ModelFileError if the model file cannot be used, PredictionError
    if the device cannot.
    """

    def __init__(self, model, device: str = "auto"):
        self.model = model if isinstance(model, Model) else read_model(model)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.device = torch.device(device)
            for network in self.model.networks:
                network.to(self.device)
        # torch says with an assertion that it was built without CUDA.
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise PredictionError(f"The device '{device}' cannot be used: {reason}") from error

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
        try:
            heatmaps, presences = run_network(network, prepared, stage, self.device)
        except (MemoryError, RuntimeError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise PredictionError(
                f"There is not enough memory on '{self.device}' for"
                f" {' x '.join(map(str, prepared.grid.size_ijk))} voxels at the model's spacing."
            ) from error
        progress("Locating", 0.9)
        landmarks = self.description.landmarks
        prior = self.model.prior
        points = locate(landmarks.names, heatmaps, presences, prepared.grid, stage, prior)
        progress("Done", 1.0)
        return Prediction(landmarks, points, prepared.grid, self.model.identity)


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
    belief = belief_of(logits, stage.network.head, mass)
    # The independent head may go below zero, which no heatmap means.
    heatmaps = belief.heatmap[0].clamp_min(0)
    presences = torch.sigmoid(belief.presence_logit[0])
    if is_2d:
        heatmaps = heatmaps[:, None]
    if not (torch.isfinite(heatmaps).all() and torch.isfinite(presences).all()):
        raise PredictionError("The network's output is not finite; its weights cannot be used.")
    return heatmaps.cpu().numpy(), presences.cpu().numpy()


def locate(names, heatmaps, presences, grid: Grid, stage: Stage, prior=None) -> tuple:
    """A LandmarkPrediction for each channel.

    heatmaps: (L, K, J, I) on `grid`. presences: (L,). prior: a ShapePrior that chooses where a
    heatmap has several peaks; without one the highest peak is taken.
    """
    peaks = [find_peaks(heatmap, grid, stage.sigma_mm) for heatmap in heatmaps]
    chosen = [0] * len(peaks)
    if prior is not None and any(len(each) > 1 for each in peaks):
        chosen = _choose(peaks, heatmaps, presences, grid, stage, prior)
    return tuple(
        _located(name, heatmap, decode_peak(heatmap, each[i]), float(presence), grid, stage)
        for name, heatmap, each, i, presence in zip(names, heatmaps, peaks, chosen, presences)
    )


def find_peaks(heatmap: np.ndarray, grid: Grid, sigma_mm: float) -> list:
    """Voxel indices (k, j, i) of up to three peaks, the highest first, three sigma apart."""
    peaks = [np.unravel_index(np.argmax(heatmap), heatmap.shape)]
    is_candidate = _is_local_maximum(heatmap) & (heatmap > _LOWEST_PEAK * heatmap[peaks[0]])
    while len(peaks) < _MOST_PEAKS:
        is_candidate &= _square_mm(peaks[-1], heatmap.shape, grid) > (3 * sigma_mm) ** 2
        if not is_candidate.any():
            break
        highest = np.argmax(np.where(is_candidate, heatmap, -np.inf))
        peaks.append(np.unravel_index(highest, heatmap.shape))
    return peaks


def _is_local_maximum(heatmap: np.ndarray) -> np.ndarray:
    """Which voxels no neighbour exceeds, corner neighbours included; one axis after another."""
    highest = heatmap
    for axis in range(heatmap.ndim):
        before, after = (np.swapaxes(highest, 0, axis)[part] for part in _NEIGHBOURS)
        highest = highest.copy()
        along = np.swapaxes(highest, 0, axis)
        np.maximum(along[1:], before, out=along[1:])
        np.maximum(along[:-1], after, out=along[:-1])
    return heatmap >= highest


def _choose(peaks, heatmaps, presences, grid: Grid, stage: Stage, prior) -> list:
    """The peak of each channel that the prior favours."""
    along = slice(0, stage.network.dimension)
    positions = [
        np.array([(decode_peak(h, p)[::-1] * grid.spacing_mm)[along] for p in each])
        for h, each in zip(heatmaps, peaks)
    ]
    heights = [np.log([h[tuple(p)] for p in each]) for h, each in zip(heatmaps, peaks)]
    return choose_peaks(positions, heights, np.asarray(presences) >= 0.5, prior)


def _located(name, heatmap, position_kji, presence, grid: Grid, stage: Stage) -> LandmarkPrediction:
    """One channel (K, J, I) with its position, cut to where it shows something."""
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
    square = _square_mm(position_kji, heatmap.shape, grid)
    near = heatmap[square <= (2 * stage.sigma_mm) ** 2].sum()
    perfect = {2: 0.8647, 3: 0.7385}[dimension]  # a Gaussian's share within two sigma
    mass = gaussian_mass(stage.sigma_mm, stage.spacing_mm)
    return float(np.clip(near / (mass * perfect), 0, 1))


def _square_mm(position_kji, shape, grid: Grid) -> np.ndarray:
    """The squared distance in mm of every voxel from a position, broadcastable to `shape`."""
    axes = zip(np.ogrid[tuple(map(slice, shape))], position_kji, grid.spacing_mm[::-1])
    return sum(((index - centre) * spacing) ** 2 for index, centre, spacing in axes)
