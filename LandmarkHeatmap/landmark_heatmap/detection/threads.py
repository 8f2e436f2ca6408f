"""How many threads a network gets on the processor: as many as make it faster now.

Threads of one convolution wait for each other. Where another program has one of the cores, all of them
wait for the one that was put off. Two are never slower than one, since most of a detection is done a
landmark a thread (side_by_side.py); of more it is measured.
"""

from __future__ import annotations

import os
import time

import torch
from torch.nn import functional

from ..launch import place

# What is measured: a convolution like those of the coarse network's upper levels, so many times.
_SHAPE, _FEATURES, _RUNS = (24, 40, 40), 16, 3
_NEVER_SLOWER = 2
# More threads have to be worth it: by so much.
_WORTH = 0.9
# How long the machine is taken to be as busy as it was.
_HOLDS_SECONDS = 20.0


class Threads:
    """Sets torch's threads before a detection. Nothing is changed where somebody has said how many
    (OMP_NUM_THREADS)."""

    def __init__(self, most: int = None, clock=time.monotonic, measure=None):
        """most: as many as there are cores for this process, by default."""
        self.most = most or place().threads()
        self.is_free = "OMP_NUM_THREADS" not in os.environ
        self._clock, self._measure, self._until = clock, measure or seconds_with, None

    def fit(self) -> int:
        """How many they are now."""
        now = self._clock()
        if self.is_free and (self._until is None or now > self._until):
            torch.set_num_threads(fastest(self.most, self._measure))
            self._until = self._clock() + _HOLDS_SECONDS
        return torch.get_num_threads()


def fastest(most: int, measure) -> int:
    """The number of threads that is worth it: 2, 4 and so on up to `most`, as long as each is faster by
    a tenth than those before. measure: seconds with so many."""
    if most <= _NEVER_SLOWER:
        return most
    best, least = _NEVER_SLOWER, measure(_NEVER_SLOWER)
    for count in _counts(most):
        seconds = measure(count)
        if seconds < _WORTH * least:
            best, least = count, seconds
    return best


def _counts(most: int) -> list:
    powers = (2**n for n in range(most.bit_length()))
    return sorted({*(n for n in powers if _NEVER_SLOWER < n < most), most})


@torch.inference_mode()
def seconds_with(count: int) -> float:
    """Of a convolution, on average: one that was put off counts as it will count later."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        x = torch.zeros(1, _FEATURES, *_SHAPE)
        weight = torch.zeros(_FEATURES, _FEATURES, 3, 3, 3)
        functional.conv3d(x, weight, padding=1)
        begun = time.perf_counter()
        for _ in range(_RUNS):
            functional.conv3d(x, weight, padding=1)
        return (time.perf_counter() - begun) / _RUNS
    finally:
        torch.set_num_threads(before)
