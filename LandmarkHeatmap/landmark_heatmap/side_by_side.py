"""Many small calculations at a time, each in one thread: what has nothing to wait for is not put off.

The threads of one small convolution meet again and again, and all of them wait for the one that the
machine has put off. Threads with a landmark each never meet.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch


def most_of(x: torch.Tensor):
    """What `side_by_side` is told of work on x: a GPU has one line of work for all."""
    return None if x.device.type == "cpu" else 1


def side_by_side(work, items, most: int = None) -> list:
    """[work(item) for item in items], in this order, with as many at a time as torch has threads here.

    most: at a time at most. What torch does in one of them, it does in one thread. An error of one is
    raised when those that have begun are over.
    """
    items, threads = list(items), torch.get_num_threads()
    at_a_time = min(threads, len(items), most or threads)
    if at_a_time < 2:
        return [work(item) for item in items]
    learns, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def alone(item):
        # Each thread has its own.
        with torch.inference_mode(inference), torch.set_grad_enabled(learns):
            return work(item)

    try:
        with ThreadPoolExecutor(at_a_time, "side_by_side", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(alone, items))
    finally:
        # Threads to come take over what was set last, whoever set it.
        torch.set_num_threads(threads)
