"""How long a detection takes, and how much memory: one command that prints tables.

    python Testing/benchmarks/detection.py [--quick] [--threads 2] [--device cpu] [--plot growth.png]

See README.md beside it. Every measurement runs in a process of its own, whose peak memory the system
counts; what is compared is measured in turns.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "LandmarkHeatmap"),
    str(ROOT / "training"),
    str(ROOT / "Testing/support"),
]

import cases
import numpy as np
import peer
import stages
import torch

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.heap import give_back, keep_freed_memory
from landmark_heatmap.model.model_file import read_model
from landmark_heatmap.worker.process import environment

LANDMARKS = 28
CUBES, COUNTS = (64, 128, 256, 512), (8, 28, 64, 128)
# The part of the volume that the sliding window is measured on: two windows along each axis.
_PART = 168
_MEMORY_STATUS = Path("/proc/self/status")


def main() -> int:
    options = _options()
    if options.child:
        cases.set_threads(options.threads)
        keep_freed_memory()
        print(json.dumps(_CHILDREN[options.child](**json.loads(options.arguments))))
        return 0
    cases.large_ct()
    runs = options.runs or (1 if options.quick else 5)
    print(f"{_machine(options.threads)}, on {_device(options.device)}")
    for wanted, tables in (
        ("peer", _against_sliding),
        ("growth", _growth),
        ("stages", _stages),
    ):
        if wanted in options.only:
            tables(options, runs)
    return 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of the networks: cpu, cuda or mps")
    parser.add_argument("--runs", type=int, help="of each measurement (default: 5; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="one run each, and smaller growth")
    parser.add_argument("--plot", type=Path, help="draw the growth into this PNG file")
    parser.add_argument(
        "--only", nargs="+", default=["peer", "growth", "stages"], metavar="PART",
        help="peer, growth, stages (default: all)",
    )  # fmt: skip
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--arguments", default="{}", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_child(name: str, options, **arguments) -> dict:
    """What one of _CHILDREN finds, in a process of its own that is set up as the worker is."""
    command = [sys.executable, __file__, "--child", name, "--threads", str(options.threads)]
    command += ["--arguments", json.dumps({"device": options.device, **arguments})]
    variables = environment()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=variables)
    return json.loads(done.stdout.splitlines()[-1])


def _median_of(found: list) -> dict:
    return {key: median(each[key] for each in found) for key in found[0]}


# What is measured


def _detect(device, landmarks=LANDMARKS, side=None, all_present=False, repeats=3) -> dict:
    """Our detection. The first run is not counted: torch prepares itself then."""
    image, _ = cases.large_ct(mapped=side is not None)
    if side is not None:
        image = cases.middle_of(image, side)
    predictor = Predictor(cases.two_stage_model(landmarks, all_present=all_present), device)
    before = _peak_bytes()
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        predictor.predict(image)
        seconds.append(time.perf_counter() - start)
        give_back()  # as the worker does after each image
    peak = _peak_bytes()
    return {
        "seconds": median(seconds[1:]),
        "first": seconds[0],
        "beyond_image": peak - image.array.nbytes,
        "beyond_start": peak - before,
        "on_gpu": stages.gpu_bytes(device),
    }


def _slide(device, landmarks=LANDMARKS, spacing_mm=None) -> dict:
    """The sliding window on a part, and what that means for the whole."""
    image, _ = cases.large_ct(mapped=True)
    features = read_model(cases.SHIPPED).description.stages[0].network.features
    whole = peer.size_at(image, spacing_mm)
    voxel = cases.SPACING_MM if spacing_mm is None else spacing_mm
    part = cases.middle_of(image, int(np.ceil(_PART * voxel / cases.SPACING_MM)))
    size = peer.size_at(part, spacing_mm)
    seconds = peer.slide(part, landmarks, features, spacing_mm, device)
    windows, all_windows = peer.windows_of(size), peer.windows_of(whole)
    # The heatmaps, the counts, and the image in float32; and what the process needs anyway.
    counted = peer.heatmap_bytes(whole, landmarks) + 4 * int(np.prod(whole))
    of_part = peer.heatmap_bytes(size, landmarks) + 4 * int(np.prod(size))
    return {
        "seconds": seconds * all_windows / windows,
        "part_seconds": seconds,
        "windows": windows,
        "all_windows": all_windows,
        "heatmap_bytes": peer.heatmap_bytes(whole, landmarks),
        "beyond_image": _peak_bytes() - part.array.nbytes - of_part + counted,
    }


def _errors(device) -> dict:
    """The mean error in mm of what the shipped model finds in the large CT."""
    image, truth = cases.large_ct()
    model = read_model(cases.SHIPPED)
    points = Predictor(model, device).predict(image).annotation().points
    distances = [
        np.linalg.norm(np.subtract(points[name].position_lps, point.position_lps))
        for name, point in truth.points.items()
        if points[name].position_lps is not None
    ]
    return {"mre": float(np.mean(distances)), "found": len(distances), "of": len(truth.points)}


def _by_stage(device, repeats=3) -> dict:
    image, _ = cases.large_ct()
    if device == "cpu":
        # Stages that run side by side have no time of their own.
        cases.set_threads(1)
    predictor = Predictor(cases.two_stage_model(LANDMARKS), device)
    predictor.predict(image)
    runs = [stages.detection_seconds(predictor, image) for _ in range(repeats)]
    rates = stages.plain_rates(device)
    return {
        "read": stages.reading_seconds(image),
        "publish": stages.publishing_seconds(predictor, image),
        "seconds": _median_of(runs),
        "flops": stages.network_flops(predictor, image),
        "rates": rates,
    }


_CHILDREN = {"detect": _detect, "slide": _slide, "errors": _errors, "stages": _by_stage}


def _peak_bytes() -> int:
    """The most memory that this process has held at once."""
    if _MEMORY_STATUS.is_file():
        for line in _MEMORY_STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# What is printed


def _machine(threads: int) -> str:
    model = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        for line in cpu.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return (
        f"{model}, {threads} threads, torch {torch.__version__}, Python {platform.python_version()}"
    )


def _device(name: str) -> str:
    return torch.cuda.get_device_name(name) if name.startswith("cuda") else name


def _against_sliding(options, runs: int) -> None:
    repeats = 1 if options.quick else 3
    spacings = {
        "MONAI sliding window at the image's resolution": None,
        "MONAI sliding window at the model's finest spacing": "fine",
    }
    fine = cases.two_stage_model(1).description.stages[1].spacing_mm[0]
    ours, slid = [], {name: [] for name in spacings}
    for _ in range(runs):
        ours.append(_in_child("detect", options, repeats=repeats))
        for name, spacing in spacings.items():
            spacing = fine if spacing else None
            slid[name].append(_in_child("slide", options, spacing_mm=spacing))
    mine = _median_of(ours)
    rows = [["coarse to fine", f"{mine['seconds']:.2f} s", "1", _gb(mine["beyond_image"]), "1", ""]]
    for name, found in slid.items():
        each = _median_of(found)
        rows.append(
            [
                name,
                f"{each['seconds']:.0f} s",
                f"{each['seconds'] / mine['seconds']:.0f}",
                _gb(each["beyond_image"]),
                f"{each['beyond_image'] / mine['beyond_image']:.1f}",
                f"{_gb(each['heatmap_bytes'])} of heatmaps; scaled from {each['windows']:.0f} of"
                f" {each['all_windows']:.0f} windows ({each['part_seconds']:.1f} s)",
            ]
        )
    size = " x ".join(map(str, cases.SIZE_IJK))
    print(f"\n### {size} voxels of {cases.SPACING_MM} mm, {LANDMARKS} landmarks, {runs} runs\n")
    print(_table(["", "time", "times ours", "beyond the image", "times ours", ""], rows))
    print(f"\nThe first detection after loading takes {mine['first']:.2f} s.")
    if mine["on_gpu"]:
        print(f"On the GPU it holds {_gb(mine['on_gpu'])}.")
    errors = _in_child("errors", options)
    print(
        f"MRE of the shipped model on this CT: {errors['mre']:.2f} mm ({errors['found']} of"
        f" {errors['of']} landmarks found). No network of the other kind is trained: its weights are"
        " random, and so are those of our fine stage; time and memory do not depend on them."
    )


def _growth(options, runs: int) -> None:
    repeats = 1 if options.quick else 3
    cubes = CUBES[:3] if options.quick else CUBES
    grown = {
        "voxels": [(n, {"side": n, "all_present": True}) for n in cubes],
        "landmarks": [(n, {"side": 256, "landmarks": n, "all_present": True}) for n in COUNTS],
    }
    found = {what: {n: [] for n, _ in cases_} for what, cases_ in grown.items()}
    for _ in range(runs):
        for what, cases_ in grown.items():
            for n, arguments in cases_:
                found[what][n].append(_in_child("detect", options, repeats=repeats, **arguments))
    medians = {w: {n: _median_of(each) for n, each in f.items()} for w, f in found.items()}
    print("\n### Growth, every landmark taken for present\n")
    rows = []
    for n, each in medians["voxels"].items():
        label = f"{n} cubed, {LANDMARKS} landmarks"
        rows.append(_growth_row(label, each, medians["voxels"][cubes[0]], (n / cubes[0]) ** 3))
    for n, each in medians["landmarks"].items():
        label = f"256 cubed, {n} landmarks"
        rows.append(_growth_row(label, each, medians["landmarks"][COUNTS[0]], n / COUNTS[0]))
    print(_table(["", "size", "time", "times first", "beyond the image", "by detecting"], rows))
    if options.plot:
        _draw(medians, options.plot)


def _growth_row(label: str, each: dict, first: dict, size: float) -> list:
    return [
        label,
        f"{size:.4g}",
        f"{each['seconds']:.2f} s",
        f"{each['seconds'] / first['seconds']:.1f}",
        _gb(each["beyond_image"]),
        _gb(each["beyond_start"]),
    ]


def _draw(medians: dict, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for row, (key, unit, scale) in enumerate(
        (("seconds", "s", 1), ("beyond_start", "GB beyond image and start", 1e9))
    ):
        for column, (what, found) in enumerate(medians.items()):
            axes = figure.add_subplot(2, 2, 1 + 2 * row + column)
            x = [n**3 / 1e6 if what == "voxels" else n for n in found]
            axes.plot(x, [each[key] / scale for each in found.values()], "o-")
            axes.set(xlabel="million voxels" if what == "voxels" else what, ylabel=unit)
            axes.set_xlim(0)
            axes.set_ylim(0)
            axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    print(f"\nDrawn: {path}")


def _stages(options, runs: int) -> None:
    found = _in_child("stages", options, repeats=max(3, runs))
    seconds = {**found["seconds"], "publish": found["publish"] or 0.0}
    total = sum(seconds.values())
    networks = sum(seconds[name] for name in stages.NETWORKS)
    told = ", one thread" if options.device == "cpu" else ""
    print(f"\n### Time by stage{told}\n")
    rows = [
        [
            name,
            f"{seconds[name] * 1e3:.0f} ms",
            f"{seconds[name] / total:.1%}",
            f"{found['flops'][name] / 1e9:.1f}" if name in found["flops"] else "",
            f"{found['flops'][name] / seconds[name] / 1e9:.0f}" if name in found["flops"] else "",
        ]
        for name in ("resample", "coarse", "crops", "fine", "decode", "publish")
    ]
    rows.insert(
        0, ["read (NRRD, not compressed)", f"{found['read'] * 1e3:.0f} ms", "not counted", "", ""]
    )
    if found["publish"] is None:
        rows[-1][1:3] = ["not measured: no slicer-core", ""]
    print(_table(["stage", "time", "share", "GFLOP", "GFLOP/s"], rows))
    print(f"\nAll but the networks: {(total - networks) / networks:.2f} of the networks' time.\n")
    print(
        _table(
            ["beside it, float32", "GFLOP/s"], [[n, f"{r:.0f}"] for n, r in found["rates"].items()]
        )
    )


def _gb(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


def _table(head: list, rows: list) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
