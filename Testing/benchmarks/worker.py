"""From click to fiducials through the warm worker, against the same detection in this process.

    python Testing/benchmarks/worker.py [--size 512 512 600] [--runs 5]

Both end with the result in a MRML scene (slicer-core). In turns, after one run each to warm up; the
medians are shown. The shipped model, the synthetic CT of the other benchmarks. `poll` is called every 20
ms, as the panel's timer does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("LandmarkHeatmap", "training", "Testing/support")]

from cases import SHIPPED, SIZE_IJK, large_ct

from headless.scene import shared_application
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.worker.client import Finished, WorkerClient
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.volumes import add_volume, image_of

_INTERVAL_SECONDS = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=3, type=int, default=SIZE_IJK, metavar="N")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    scene = shared_application().scene
    volume = add_volume(scene, large_ct(tuple(options.size))[0], "CT")
    predictor, client = Predictor(SHIPPED, "cpu"), WorkerClient(sys.executable)
    ways = {
        "in this process": lambda: here(predictor, volume),
        "worker": lambda: there(client, volume),
    }
    seconds, longest = {name: [] for name in ways}, 0.0
    try:
        for run in range(options.runs + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                prediction, held_up = way()
                DetectionResult.publish(volume, prediction)
                if run:  # the first one warms up
                    seconds[name].append(time.perf_counter() - start)
                    longest = max(longest, held_up)
    finally:
        client.close()
    direct, through = (median(each) for each in seconds.values())
    size = " x ".join(map(str, options.size))
    print(f"| {size}, 12 landmarks, {os.cpu_count()} cores | seconds |\n|---|---|")
    print(f"| detected and published in this process | {direct:.2f} |")
    print(f"| through the warm worker | {through:.2f} |")
    print(f"| ratio | {through / direct:.2f} |")
    print(f"| longest call of poll | {1000 * longest:.0f} ms |")
    return 0


def here(predictor, volume) -> tuple:
    return predictor.predict(image_of(volume)), 0.0


def there(client, volume) -> tuple:
    """(prediction, how long the longest call took)."""
    longest = 0.0
    client.detect(image_of(volume), SHIPPED, "cpu")
    while True:
        start = time.perf_counter()
        events = client.poll()
        took = time.perf_counter() - start
        longest = max(longest, took)
        for event in events:
            if isinstance(event, Finished):
                return event.prediction, longest
        if not client.is_busy:
            raise RuntimeError(f"The worker did not finish: {events}")
        # A timer of Qt's counts from when it was due, not from when its work was done.
        time.sleep(max(0.0, _INTERVAL_SECONDS - took))


if __name__ == "__main__":
    sys.exit(main())
