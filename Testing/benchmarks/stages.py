"""Where the time of a detection goes, and how hard the networks work the processor."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import SimpleITK as sitk
import torch
from torch.utils.flop_counter import FlopCounterMode

from landmark_heatmap.detection import predict, refine
from landmark_heatmap.images.imageio import read_image

# Stage -> the functions whose time it is; time in a function called by another counts once, inside.
WATCHED = {
    "resample": [(predict, "prepare_with_window")],
    "crops": [(refine, "read_crop")],
}
NETWORKS = ("coarse", "fine")


def _flop_of_convolution(x_shape, weight_shape, *arguments, out_shape=None, **named) -> int:
    return 2 * math.prod(out_shape) * math.prod(weight_shape[1:])


# torch's own counter does not know oneDNN's convolution, which detection calls.
_ONEDNN = {torch.ops.aten.mkldnn_convolution: _flop_of_convolution}
REST = "decode"


def wait_for(device: str) -> None:
    """Until a GPU has done what it was told: it goes on by itself."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def gpu_bytes(device: str) -> int:
    """The most memory of a GPU that torch has held at once (mps: holds now)."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return torch.mps.driver_allocated_memory() if device == "mps" else 0


class Stopwatch:
    """Seconds by stage; a stage within another stops the outer one's clock."""

    def __init__(self, device: str = "cpu"):
        self.seconds, self._device = {}, device
        self._running, self._since = [], 0.0

    def enter(self, stage: str) -> None:
        self._pay()
        self._running.append(stage)

    def leave(self) -> None:
        self._pay()
        self._running.pop()

    def _pay(self) -> None:
        wait_for(self._device)
        now = time.perf_counter()
        if self._running:
            stage = self._running[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


@contextmanager
def watched(predictor):
    """A Stopwatch that hears of every stage of the predictor's detections while this is open."""
    watch, undo = Stopwatch(str(predictor.device)), []
    for stage, places in WATCHED.items():
        for module, name in places:
            original = getattr(module, name)
            setattr(module, name, _timed(watch, stage, original))
            undo.append((module, name, original))
    for stage, network in zip(NETWORKS, predictor.model.networks):
        undo.append((network, "forward", network.forward))
        network.forward = _timed(watch, stage, network.forward)
    try:
        yield watch
    finally:
        for owner, name, original in undo:
            setattr(owner, name, original)


def _timed(watch: Stopwatch, stage: str, function):
    def timed(*arguments, **named):
        watch.enter(stage)
        try:
            return function(*arguments, **named)
        finally:
            watch.leave()

    return timed


def detection_seconds(predictor, image) -> dict:
    """Seconds of one detection by stage; the networks' calculations are told from what is around."""
    with watched(predictor) as watch:
        watch.enter(REST)
        predictor.predict(image)
        watch.leave()
    return watch.seconds


def reading_seconds(image) -> float:
    """Seconds to read the image from an NRRD file, not compressed; one run, the file just written."""
    with TemporaryDirectory() as folder:
        path = f"{folder}/ct.nrrd"
        sitk.WriteImage(sitk.GetImageFromArray(image.array), path)
        start = time.perf_counter()
        read_image(path)
        return time.perf_counter() - start


def publishing_seconds(predictor, image) -> float:
    """Seconds to put a detection into a MRML scene; None without slicer-core."""
    try:
        from headless.scene import Application
    except (ImportError, RuntimeError):
        return None
    from LandmarkHeatmapLib.result.publishing import publish_nodes
    from LandmarkHeatmapLib.volumes import add_volume

    volume = add_volume(Application().scene, image, "CT")
    prediction = predictor.predict(image)
    start = time.perf_counter()
    publish_nodes(volume, prediction)
    return time.perf_counter() - start


def network_flops(predictor, image) -> dict:
    """Floating-point operations of one detection in each of the networks."""
    counts = dict.fromkeys(NETWORKS, 0)
    undo = []
    for stage, network in zip(NETWORKS, predictor.model.networks):
        original = network.forward

        def counted(*arguments, _stage=stage, _original=original, **named):
            with FlopCounterMode(display=False, custom_mapping=_ONEDNN) as counter:
                result = _original(*arguments, **named)
            counts[_stage] += counter.get_total_flops()
            return result

        network.forward = counted
        undo.append((network, original))
    try:
        predictor.predict(image)
    finally:
        for network, original in undo:
            network.forward = original
    return counts


@torch.inference_mode()
def plain_rates(device: str = "cpu", dtype=torch.float32) -> dict:
    """GFLOP/s of a matrix product, and of convolutions as the networks have them."""
    a, b = (torch.randn(2048, 2048).to(device, dtype) for _ in range(2))
    rates = {"matrix product 2048": 2 * 2048**3 / _seconds(lambda: a @ b, device) / 1e9}
    for width, side in ((12, 104), (16, 64), (48, 32)):
        conv = torch.nn.Conv3d(width, width, 3, padding=1, bias=False).to(device, dtype)
        x = torch.randn(1, width, *(side,) * 3).to(device, dtype)
        flops = 2 * 27 * width * width * side**3
        name = f"convolution 3x3x3, {width} channels, {side} cubed"
        rates[name] = flops / _seconds(lambda conv=conv, x=x: conv(x), device) / 1e9
    return rates


def _seconds(work, device: str = "cpu", repeats: int = 7) -> float:
    """The median; a first run is not counted."""
    work()
    times = []
    for _ in range(repeats):
        wait_for(device)
        start = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]
