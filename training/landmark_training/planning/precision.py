"""In which precision a run trains: measured on this machine, at the sizes that it will train on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import nn

from landmark_heatmap.model.description import COARSE, Stage
from landmark_heatmap.model.logits import log_probabilities
from landmark_heatmap.model.network import network_for

# Half precision alone makes the gradients of a layer differ by up to a third of what they are; memory
# that nobody wrote to differs by all of it.
_MOST_APART = 0.6
# Where the processor lacks it, it is slower by far; a little slower is other work in between.
_SLOWER = 1.2
# The first time may take longer than all others; in a step that takes long, it makes no difference.
_ROUNDS, _LONG_SECONDS = 2, 2.0
# Images of a step that are tried: one would let the processor take other ways than several do.
_TRIED = 2


@dataclass(frozen=True)
class Probe:
    """What a stage's steps work on. sizes: of images along the array's axes; the time is that of the
    first. count: how many there are in a step, of which only a few are tried."""

    stage: Stage
    sizes: tuple
    count: int


@dataclass(frozen=True)
class Choice:
    """precision: what to train in, and why, in words. step_seconds: of each stage, by its role, what
    network and gradients of a step take; empty if nothing was measured."""

    precision: torch.dtype
    why: str
    step_seconds: dict = field(default_factory=dict)


def choose_precision(wanted: str, probes, device: torch.device) -> Choice:
    """Half precision, unless its gradients are not those of float32, or it is no faster here."""
    if wanted != "auto":
        return Choice(getattr(torch, wanted), "as was asked for")
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        # They only imitate bfloat16, slowly; what float16 cannot hold is found while training.
        return Choice(torch.float16, "this GPU has no bfloat16")
    full, half = {}, {}
    for probe in probes:
        measured = _Measured(probe, device)
        wrong = measured.disagreement()
        role = probe.stage.role
        full[role], half[role] = measured.seconds[torch.float32], measured.seconds[torch.bfloat16]
        if wrong:
            told = f"in bfloat16 the gradients of the {role} network are wrong here: {wrong}"
            # The others are not measured; a run that knows one of them can estimate.
            return Choice(torch.float32, told, full)
    ratio = sum(full.values()) / sum(half.values())
    if device.type == "cpu" and ratio < 1 / _SLOWER:
        return Choice(torch.float32, f"bfloat16 takes {1 / ratio:.1f} times as long here", full)
    return Choice(
        torch.bfloat16,
        f"{ratio:.1f} times as fast as float32 here, with the same gradients",
        half,
    )


class _Measured:
    """A network with random weights on random images, in both precisions, in turns: whatever else
    the machine does slows both alike."""

    def __init__(self, probe: Probe, device: torch.device):
        self.probe, self.device = probe, device
        self.network = network_for(probe.stage).to(device).train()
        for parameter in self.network.parameters():
            # At zero, nothing behind it would get a gradient.
            if not parameter.any():
                nn.init.normal_(parameter, std=0.05)
        self.seconds = {torch.float32: float("inf"), torch.bfloat16: float("inf")}

    def disagreement(self) -> str:
        """What is wrong with the gradients in bfloat16; empty if they are those of float32."""
        for number, size in enumerate(self.probe.sizes):
            inputs = self._inputs(size)
            for turn in range(_ROUNDS):
                if turn > 0 and (number > 0 or self.seconds[torch.float32] > _LONG_SECONDS):
                    break
                full = self._gradients(inputs, torch.float32, number == 0)
                try:
                    half = self._gradients(inputs, torch.bfloat16, number == 0)
                except RuntimeError as error:
                    return str(error).partition("\n")[0][:100]
                wrong = _apart(full, half) if turn == 0 else ""
                if wrong:
                    return f"{wrong}, for images of {' x '.join(map(str, size[::-1]))} voxels"
        return ""

    @property
    def _count(self) -> int:
        return min(self.probe.count, _TRIED)

    def _inputs(self, size) -> tuple:
        count, stage = self._count, self.probe.stage
        images = torch.randn(count, 1, *size, device=self.device)
        if stage.role == COARSE:
            return (images,)
        return images, torch.arange(count, device=self.device) % stage.network.landmarks

    def _gradients(self, inputs, dtype, is_timed: bool) -> dict:
        """Of every parameter, by its name."""
        start = time.perf_counter()
        self.network.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            logits = self.network(*inputs)
        log_p = log_probabilities(logits)
        voxels = log_p.voxels.flatten(2)
        # Any distribution over the voxels will do, if it is the same for both.
        wanted = torch.linspace(0, 300, voxels.shape[2], device=self.device).sin().mul(4).softmax(0)
        (-(voxels * wanted).sum(2).mean() - 0.1 * log_p.nowhere.mean()).backward()
        # Reading a number waits for a GPU.
        gradients = {
            name: parameter.grad.detach().cpu()
            for name, parameter in self.network.named_parameters()
            if parameter.grad is not None
        }
        if is_timed:
            seconds = (time.perf_counter() - start) * self.probe.count / self._count
            self.seconds[dtype] = min(self.seconds[dtype], seconds)
        return gradients


def _apart(full: dict, half: dict) -> str:
    """The first layer whose gradients are not finite, or too far from those in float32."""
    for name, expected in full.items():
        if not torch.isfinite(half[name]).all():
            return f"those of '{name}' are not finite"
        apart = float((half[name] - expected).norm() / expected.norm().clamp_min(1e-12))
        # Those of a few numbers, of norms and biases, are nothing but noise in half precision.
        if expected.ndim > 2 and apart > _MOST_APART:
            return f"those of '{name}' differ by {100 * apart:.0f} %"
    return ""
