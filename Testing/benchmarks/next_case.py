"""From the key to the next case: how long it takes until its landmarks are seen.

    PYTHONPATH=LandmarkHeatmap:Testing/support python Testing/benchmarks/next_case.py [--size I J K]

Synthetic hips of a common size in a folder, the shipped model in real worker processes, in the host.
Each case is confirmed landmark by landmark; then Next is pressed, which exports it. Told is the time
until the next one's landmarks are in the table and the views are drawn: with the next case made ready
meanwhile, as the panel does it, and without.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from qt_host.application import the_host


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--size", type=int, nargs=3, default=(240, 160, 200), metavar=("I", "J", "K")
    )
    parser.add_argument("--cases", type=int, default=6)
    options = parser.parse_args()
    host = the_host()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "scans").mkdir()
        spacing = 360 / options.size[0]
        for seed in range(options.cases):
            hip = make_synthetic_hip(seed, tuple(options.size), spacing, whole_pelvis=True)
            write_image(folder / "scans" / f"hip{seed}.nrrd", hip.image)
        size = " x ".join(map(str, options.size))
        print(f"{options.cases} images of {size} voxels; medians of {options.cases - 1}, in s")
        ready = visit(host, folder, "ready", looks_ahead=True)
        fresh = visit(host, folder, "fresh", looks_ahead=False)
        print(f"made ready meanwhile {ready[0]:5.2f}, {ready[1]:.2f} of them at work")
        print(f"not made ready       {fresh[0]:5.2f}, {fresh[0] / ready[0]:.1f} times as long")
        host.close_modules()


def visit(host, folder: Path, dataset: str, looks_ahead: bool) -> np.ndarray:
    """Median seconds from the click to shown, and of them those in which this thread had a processor."""
    host.start_afresh()
    panel = host.open()
    at_work = panel.desk.worklist.at_work
    if not looks_ahead:
        at_work.look_ahead = lambda order: None
    panel.ui.casesFolderPathLineEdit.currentPath = str(folder / "scans")
    panel.ui.casesDatasetPathLineEdit.currentPath = str(folder / dataset)
    host.click(panel.ui.casesRefreshButton)
    panel.ui.casesTable.setCurrentCell(0, 0)
    host.click(panel.ui.openCaseButton)
    count, took = panel.ui.casesTable.rowCount, []
    for number in range(count):
        host.wait_until(lambda name=f"hip{number}": is_shown(panel, name), seconds=60)
        result = panel.desk.state.result()
        for name in result.landmarks.names:
            result.confirm(name)
        host.wait_until(lambda: is_at_rest(panel), seconds=60)
        host.process(300)
        if number == count - 1:
            break
        start, busy = time.perf_counter(), time.thread_time()
        host.click(panel.ui.nextCaseButton)
        host.wait_until(lambda name=f"hip{number + 1}": is_shown(panel, name), seconds=60)
        host.process()
        took.append((time.perf_counter() - start, time.thread_time() - busy))
    print(f"  {dataset}: {' '.join(f'{each:.2f}' for each, _busy in took)}", flush=True)
    return np.median(took, axis=0)


def is_shown(panel, name: str) -> bool:
    result = panel.desk.state.result()
    if result is None or result.volume_node.GetName() != name:
        return False
    return panel.logic.isInSliceViews(result.volume_node) and panel.ui.reviewTable.rowCount == len(
        result.landmarks
    )


def is_at_rest(panel) -> bool:
    at_work = panel.desk.worklist.at_work
    return not panel.detection.queue.is_busy and not at_work.ahead.is_busy


if __name__ == "__main__":
    main()
