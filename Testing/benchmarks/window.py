"""What the panel costs a window: how long it stands still, and what a start with the module takes.

    PYTHONPATH=LandmarkHeatmap:Testing/support python Testing/benchmarks/window.py

A heartbeat of 10 ms in the host's event loop; told are the longest gap between two beats and how often
each view was drawn. Rendering is by software here, and takes most of it: beside each figure stands
the same with the views hidden, which is the module's own share.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import slicer
from PySide6 import QtCore

from landmark_heatmap.images.geometry import Image
from LandmarkHeatmapLib.volumes import add_volume
from mrml_examples import make_many
from panel_stand_ins import ScriptedClient
from places import MODULE_FOLDER, ROOT
from qt_host.application import the_host

BEAT_MS = 10


class Client(ScriptedClient):
    """Finds 45 landmarks at once, whatever it is shown."""

    def detect(self, image, model_path, device="auto"):
        super().detect(image, model_path, device)
        self._events[-1] = type(self._events[-1])(
            prediction=make_many(image), device="cpu", device_note="", seconds={"all": 0.5}
        )


@contextmanager
def heartbeat(host, what: str):
    views = [slicer.app.layoutManager().sliceWidget(name) for name in ("Red", "Green", "Yellow")]
    drawn, gaps, last = [view.renders for view in views], [], [time.perf_counter()]

    def beat():
        now = time.perf_counter()
        gaps.append(1000 * (now - last[0]) - BEAT_MS)
        last[0] = now

    timer = QtCore.QTimer()
    timer.setTimerType(QtCore.Qt.PreciseTimer)
    timer.timeout.connect(beat)
    timer.start(BEAT_MS)
    yield
    host.process(50)
    timer.stop()
    renders = [view.renders - before for view, before in zip(views, drawn)]
    print(f"{what:32} longest gap {max(gaps):6.0f} ms, views drawn {renders}", flush=True)


def visit(host, is_seen: bool) -> None:
    host.start_afresh()
    panel = host.open()
    panel.detection.queue.client.close()
    panel.detection.queue.client = Client()
    panel.logic.missingPackages = list
    views = slicer.app.layoutManager().viewport_widget
    views.setVisible(is_seen)
    suffix = "" if is_seen else ", views hidden"
    rng = np.random.default_rng(0)
    array = rng.normal(0, 20, (150, 160, 160)).astype(np.int16)
    volumes = [
        add_volume(slicer.mrmlScene, Image(array, np.diag([2.0, 2.0, 2.0, 1.0])), f"Scan {n}")
        for n in range(3)
    ]
    panel.ui.inputVolumeSelector.setCurrentNode(volumes[0])
    slicer.util.setSliceViewerLayers(background=volumes[0], fit=True)
    host.process(200)
    queue = panel.detection.queue
    with heartbeat(host, f"detection{suffix}"):
        host.click(panel.ui.detectButton)
        host.wait_until(lambda: not queue.is_busy, seconds=60)
    with heartbeat(host, f"ten rows{suffix}"):
        for _ in range(10):
            host.click(panel.ui.nextButton)
            host.process(30)
    result = panel.logic.results(volumes[0])[-1]
    view = slicer.app.layoutManager().sliceWidget("Red")
    index = result.landmarks.index(panel.review.session.current)
    start = view.position_of(result.markups_node.GetNthControlPointPositionWorld(index))
    if is_seen:
        with heartbeat(host, "drag"):
            for _step in range(12):
                host.drag(view, start, start + host.point(4, 2), steps=1)
                start += host.point(4, 2)
                host.process(10)
    with heartbeat(host, f"batch of three{suffix}"):
        host.open_tab_of(panel.ui.batchCollapsibleButton)
        panel.ui.batchCollapsibleButton.collapsed = False
        host.click(panel.ui.batchAllButton)
        host.click(panel.ui.batchDetectButton)
        host.wait_until(lambda: not queue.is_busy, seconds=120)
    views.setVisible(True)


START = """
import json, resource, sys, time
from qt_host.application import the_host
host = the_host()
begin, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if {with_module}:
    host.load()
took = time.perf_counter() - begin
print()
print(json.dumps([1000 * took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def start(with_module: bool) -> list:
    """Milliseconds to load the module, and the memory of the process in MB; the best of three."""
    path = [str(ROOT / "Testing" / "support"), str(MODULE_FOLDER)]
    code = f"import sys; sys.path[:0] = {path!r}\n" + START.format(with_module=with_module)
    found = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return np.min(found, axis=0)


def main() -> None:
    without, with_it = start(False), start(True)
    print(f"start without the module: {without[1]:.0f} MB")
    print(f"start with the module:    {with_it[1]:.0f} MB, {with_it[0]:.0f} ms more")
    host = the_host()
    visit(host, is_seen=False)
    visit(host, is_seen=True)
    host.close_modules()


if __name__ == "__main__":
    main()
