"""Which of how many processes this one is, as a launcher such as torchrun tells them all."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .errors import LandmarkHeatmapError

# OpenMP's own word, and what GNU's and Intel's libraries of it need beside it.
_ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
# NumPy's library for matrices knows no sleep, and the matrices here are small.
_ALONE = {"OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Place:
    """Process `rank` of `size`; of those, `local_size` run on this machine, this one as `local_rank`."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def threads(self) -> int:
        """This process's share of the processor cores that it may use."""
        if hasattr(os, "sched_getaffinity"):
            cores = len(os.sched_getaffinity(0))
        else:
            cores = os.cpu_count() or 1
        return max(1, cores // self.local_size)

    def set_threads(self) -> None:
        """Give torch its share of the cores. A process by itself has them all already.

        torchrun sets one thread for each process, whatever the machine has.
        """
        if self.local_size > 1:
            import torch

            torch.set_num_threads(self.threads())

    def device(self, wanted: str) -> str:
        """'auto' and 'cuda' with several processes: each takes a GPU of its own, where there are any."""
        if self.local_size == 1 or wanted not in ("auto", "cuda"):
            return wanted
        import torch

        if torch.cuda.is_available():
            return f"cuda:{self.local_rank % torch.cuda.device_count()}"
        return wanted


def let_threads_sleep(environment=None) -> None:
    """Threads that wait for each other sleep meanwhile, unless the user has said otherwise.

    By default they keep the cores busy to be quick when it goes on, and where another program has one of
    the cores, all of them wait for the thread that was put off. To be called before NumPy and torch are
    imported, whose libraries read this once; or of the environment of a process that is started.
    """
    environment = os.environ if environment is None else environment
    for name, value in {**_ASLEEP, **_ALONE}.items():
        environment.setdefault(name, value)


def place(environment=None) -> Place:
    """From RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE; without them, a process by itself.

    Without the local ones, all processes are taken to be on machines of their own.
    Raises LandmarkHeatmapError for numbers that make no sense.
    """
    environment = os.environ if environment is None else environment
    names = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    texts = {name: environment.get(name, default) for name, default in names.items()}
    try:
        rank, size, local_rank, local_size = map(int, texts.values())
    except ValueError:
        rank, size, local_rank, local_size = -1, 0, 0, 0
    if not (0 <= rank < size and 0 <= local_rank < local_size):
        told = ", ".join(f"{name}={text}" for name, text in texts.items())
        raise LandmarkHeatmapError(f"The launcher's variables make no sense: {told}.")
    return Place(rank, size, local_rank, local_size)
