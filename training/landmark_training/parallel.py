"""Training in several processes at once, as `torchrun --nproc-per-node N` starts them.

All processes draw the same plan of each batch and each works on its share; the gradients are summed,
so that every process takes the same step as one alone would. Only the first one judges, writes and
speaks; what it decides is told to the others.
"""

from __future__ import annotations

import atexit
import datetime
import os
import sys
from contextlib import contextmanager, suppress
from functools import lru_cache

import torch
from torch import distributed

from landmark_heatmap.errors import LandmarkHeatmapError
from landmark_heatmap.launch import Place, place

# Longer than any validation: a process that ends is noticed at once, whatever this is.
_PATIENCE = datetime.timedelta(days=1)


class Team:
    """The processes that train together. One by itself is a team, too."""

    def __init__(self, here: Place):
        self.rank, self.size = here.rank, here.size

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def voice(self, say):
        """`say`, if it is this process that speaks."""
        return say if self.is_first else lambda line: None

    def share(self, items) -> list:
        """This process's part of a batch; the parts of all, one after the other, are the whole."""
        first, end = (len(items) * rank // self.size for rank in (self.rank, self.rank + 1))
        return items[first:end]

    def decided(self, decide):
        """What decide() gives in the first process, in all of them. Nobody is ahead of it."""
        if self.size == 1:
            return decide()
        told = [decide() if self.is_first else None]
        with _failures_told():
            distributed.broadcast_object_list(told, src=0)
        return told[0]

    def backward(self, loss: torch.Tensor, weight: torch.Tensor, parameters, scale=1.0) -> float:
        """Leave the gradients of the batch's loss in the parameters; returns that loss.

        loss: the mean over this process's share. weight: what the share counts in the mean over all.
        scale: what the gradients are multiplied by, for half precision.
        """
        if self.size == 1:
            (loss * scale).backward()
            return loss.item()
        (loss * (weight * scale)).backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        figures = torch.stack([loss.detach() * weight, weight])
        together = torch.cat([*(g.flatten() for g in gradients), figures])
        with _failures_told():
            distributed.all_reduce(together)
        together /= together[-1].clone().clamp_min(1e-6)
        for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients] + [2])):
            gradient.copy_(mean.view_as(gradient))
        return together[-2].item()


@lru_cache(maxsize=1)
def team() -> Team:
    """The team that the launcher's variables tell of, joined when it is first asked for.

    Raises LandmarkHeatmapError if the others are not found.
    """
    here = place()
    if here.size > 1:
        here.set_threads()
        own_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= here.local_size
        try:
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if own_gpus else "gloo", timeout=_PATIENCE
            )
        except (RuntimeError, ValueError) as error:
            raise LandmarkHeatmapError(f"The other processes are not found: {error}") from error
        atexit.register(distributed.destroy_process_group)
    return Team(here)


def leave(code: int) -> None:
    """End a process that has joined a team, at once; does nothing in one by itself.

    Where the interpreter ends first, a thread of torch's that still waits for the others now and then
    aborts a process that has done all it had to, and the launcher calls the whole run a failure.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    with suppress(RuntimeError):
        distributed.destroy_process_group()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextmanager
def _failures_told():
    """The end of another process, in words."""
    try:
        yield
    except RuntimeError as error:
        raise LandmarkHeatmapError(
            "Another process of this run has ended; what it says is the reason."
        ) from error
