"""A landmark-train that trains nothing: it tells, and ends, as the name of the dataset says.

Run as the real one is (`command=[STAND_IN]`); needs no torch. 'quick' is done at once, 'slow' goes on
until it is asked to stop, 'late' does so and then takes its time to end, until the file `let-go` is in
its folder; 'bad' cannot be used (nor looked at, nor asked), 'crash' ends without a word, 'early' ends
before an error was measured. A run that is resumed is done at once, whatever it was.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "LandmarkHeatmap"), str(ROOT / "training")]

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.runs.live import CANCELLED, CASES, CURVE
from landmark_training.live import told_in

MODEL = ROOT / "LandmarkHeatmap" / "Resources" / "Models" / "synthetic_hip.safetensors"
PICTURE = ROOT / "LandmarkHeatmap" / "Resources" / "Icons" / "LandmarkHeatmap.png"
LET_GO = "let-go"
TRUST = {"network": 1.5, "registered": 0.8, "landmarks": 12, "network_apart": True}
VERDICT = {
    "verdict": "better",
    "sentence": "The new model is better than the one before: so it is.",
}


def plan(words) -> int:
    if "bad" in Path(words[words.index("--data") + 1]).name:
        print("3 %, 4 s gone  reading images", file=sys.stderr)
        print("landmark-train: The case 'a' has no image.", file=sys.stderr)
        return 2
    print("  spacing 3 mm: the images are large\n" + " ".join(words))
    return 0


def check(words) -> int:
    """Of each case of the dataset its first landmark is off; 'whole' has none that is."""
    dataset = Path(words[2])
    if "bad" in dataset.name:
        print("landmark-train: No case can be looked at.", file=sys.stderr)
        return 2
    off = [] if "whole" in dataset.name else sorted((dataset / "cases").iterdir())
    findings = [
        {"kind": "off", "reason": f"In {case.name} the tip is off.", "case": case.name}
        | {"landmarks": ["Tip"], "size": 12.0, "unit": "mm"}
        for case in off
    ]
    document = {"cases": 2, "findings": findings, "notes": ["No model was asked."]}
    Path(words[words.index("--json") + 1]).write_text(json.dumps(document), encoding="utf-8")
    return 1 if findings else 0


def starts(words) -> int:
    """The cases are better than the network, and both together best; of one case nothing is told."""
    dataset = Path(words[2])
    if "bad" in dataset.name:
        print("landmark-train: No case can be read.", file=sys.stderr)
        return 2
    while "slow" in dataset.name:
        time.sleep(0.02)
    is_one = len(list((dataset / "cases").iterdir())) < 2
    ways = ["registered", "network", "both"] if "--model" in words else ["registered"]
    errors = {"registered": 3.0, "network": 4.0, "both": 2.0}
    reached = [
        {"way": way, "cases": 3, "mean": errors[way], "median": 1.5, "unit": "mm", "seconds": 20.0}
        for way in ways
    ]
    document = {
        "cases": 1 if is_one else 3,
        "starts": [] if is_one else reached,
        "best": "" if is_one else min(ways, key=errors.get),
        "advice": ["It cannot be told yet."] if len(ways) > 1 and not is_one else [],
        "notes": ["Annotate a second one."] if is_one else [],
        "trust": TRUST if len(ways) > 1 else None,
    }
    Path(words[words.index("--json") + 1]).write_text(json.dumps(document), encoding="utf-8")
    return 0


def fit(words) -> int:
    goes_on = "--resume" in words
    run = Path(words[-1])
    what = "quick" if goes_on else Path(words[words.index("--data") + 1]).name
    with told_in(run, goes_on) as live:
        live.tell("reading images", 0.1, None)
        if what == "bad":
            raise DatasetError("These cases cannot be used: a.")
        if what == "crash":
            print("Segmentation fault", flush=True)
            os._exit(139)
        train(run, live)
        if what == "early":
            live.note(held_out=2, mre=None, kept_mre=None)
            (run / "comparison.json").unlink()
        try:
            while what in ("slow", "late"):
                live.tell("coarse epoch 2 of 9", 0.5, 90.0)
                time.sleep(0.02)
        except KeyboardInterrupt:
            # As fit does: it is told before all is put away.
            live.end(CANCELLED)
            while what == "late" and not (live.folder / LET_GO).exists():
                time.sleep(0.02)
            raise
    return 0


def train(run: Path, live) -> None:
    (run / "run.json").write_text("{}", encoding="utf-8")
    shutil.copy(MODEL, run / "model.safetensors")
    (run / "comparison.json").write_text(json.dumps(VERDICT), encoding="utf-8")
    for name in (CURVE, CASES):
        shutil.copy(PICTURE, live.folder / name)
    live.note(reasons=("because of the data",), epoch=2, mre=2.5, kept_epoch=1, kept_mre=2.25)


if __name__ == "__main__":
    try:
        sys.exit(
            {"plan": plan, "check": check, "starts": starts, "fit": fit}[sys.argv[1]](sys.argv)
        )
    except KeyboardInterrupt:
        sys.exit(130)
