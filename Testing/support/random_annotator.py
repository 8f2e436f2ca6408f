"""Somebody who annotates a worklist in random steps, in a process of their own; and who judges it all.

    python random_annotator.py FOLDER NAME STEPS SEED

FOLDER holds scans/ and data/, the dataset. What was done is written, a JSON line a step, to
FOLDER/NAME.jsonl, after it was done. Two of them on one FOLDER disturb each other as much as they can:
they take and take over, forget to refresh, export late, and ask for what is done already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np

from landmark_heatmap.annotation.annotation_files import read_annotation
from landmark_heatmap.annotation.landmarks import (
    Annotation,
    Landmark,
    LandmarkSet,
    Point,
    PointState,
)
from landmark_heatmap.dataset.cases import add_case
from landmark_heatmap.dataset.check import check_dataset
from landmark_heatmap.dataset.folder import create_dataset
from landmark_heatmap.dataset.record import CaseRecord, Review, read_record
from landmark_heatmap.errors import CaseInWorkError, RevisedMeanwhileError
from landmark_heatmap.images.geometry import Image
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.worklist.entries import Worklist
from landmark_heatmap.worklist.locks import STALE_AFTER_S, CaseLock
from landmark_heatmap.worklist.order import take_next
from landmark_heatmap.worklist.remarks import clear_remark, set_remark
from places import MODULE_FOLDER, ROOT

SUPPORT = ROOT / "Testing" / "support"
LANDMARKS = LandmarkSet((Landmark("A"),))
NEXT, ASKED = "next", "asked"


class Annotator:
    """One at work. held: the CaseLock of what is in hand, or None."""

    def __init__(self, folder: Path, name: str, seed: int):
        self.name, self.dataset, self.scans = name, folder / "data", folder / "scans"
        self.random, self.number = Random(f"{name}{seed}"), 0
        self.worklist = Worklist(self.dataset, self.scans)
        self.held, self.slept = None, False
        self._log = (folder / f"{name}.jsonl").open("w", encoding="utf-8")

    def run(self, steps: int) -> None:
        weights = {
            self.take_next: 5, self.take_any: 2, self.export: 5, self.release: 1, self.sleep: 1,
            self.refresh: 1, self.remark: 1, self.bring_an_image: 1,
        }  # fmt: skip
        for self.number in range(steps):
            (step,) = self.random.choices(list(weights), list(weights.values()))
            step()
        self.release()
        self._log.close()

    def tell(self, what: str, **more) -> None:
        line = {"what": what, "by": self.name, "at": time.monotonic_ns(), **more}
        print(json.dumps(line), file=self._log, flush=True)

    # --- steps

    def take_next(self) -> None:
        if self.held is None:
            self._had(take_next(self.worklist, "name", self.name), NEXT)

    def take_any(self) -> None:
        """Also what is done, and what somebody has left."""
        if self.held is None:
            entries = self.worklist.entries()
            taken = [each for each in entries if not each.is_free]
            entry = self.random.choice(taken if taken and self.random.random() < 0.7 else entries)
            try:
                self._had(CaseLock.take(self.dataset, entry.case, self.name, True), ASKED)
            except CaseInWorkError as error:
                assert entry.case in str(error), error

    def _had(self, lock, how: str) -> None:
        if lock is not None:
            self.held, self.slept = lock, False
            over = lock.taken_over_from
            known = {"revision": lock.revision, "over": None if over is None else over.token}
            self.tell("took", case=lock.case, how=how, **known)

    def export(self) -> None:
        """What is in hand; who does not hear that it is done already would do it again."""
        lock = self.held
        if lock is None:
            return
        place = (float(self.number), float(self.random.random()), 0.0)
        points = Annotation({"A": Point(PointState.PLACED, place)})
        record = CaseRecord({"A": Review.CORRECTED}, annotator=self.name)
        self.tell("exports", case=lock.case, after=lock.revision)
        try:
            revision = add_case(self.dataset, lock.case, None, points, record, after=lock.revision)
        except RevisedMeanwhileError as error:
            self.tell("refused", case=lock.case, why=str(error))
        else:
            self.tell("exported", case=lock.case, revision=revision.name, place=place)
        self.release()

    def release(self) -> None:
        if self.held is not None:
            self.tell("releases", case=self.held.case, slept=self.slept)
            self.held.release()
            self.held = None

    def sleep(self) -> None:
        """The computer is shut for a while, with the case in hand."""
        if self.held is not None and self.held.is_held:
            self.slept = True
            self.tell("sleeps", case=self.held.case)
            then = time.time() - STALE_AFTER_S - 60
            os.utime(self.held.path, (then, then))
            time.sleep(self.random.uniform(0, 0.1))

    def refresh(self) -> None:
        if self.held is not None:
            self.held.refresh()

    def remark(self) -> None:
        entry = self.random.choice(self.worklist.entries())
        if self.random.random() < 0.3:
            self.tell("asks", case=entry.case)
            set_remark(self.dataset, entry.case, f"Remark {self.number}", self.name)
        else:
            clear_remark(self.dataset, entry.case)

    def bring_an_image(self) -> None:
        bring_image(self.scans, f"{self.name}{self.number}", self.number)
        self.worklist.find_again()


def bring_image(scans: Path, name: str, seed: int) -> None:
    values = np.random.default_rng(list(map(ord, name))).integers(0, 99, (2, 3, 4))
    write_image(scans / f"{name}.nrrd", Image(values.astype(np.int16), np.eye(4)))


def work_together(folder: Path, steps: int, seed: int = 0, names=("anna", "otto")) -> list:
    """Let several annotate for so many steps each; returns all that they told, in the order of time."""
    (folder / "scans").mkdir(parents=True)
    for number in range(6):
        bring_image(folder / "scans", f"first{number}", number)
    create_dataset(folder / "data", LANDMARKS)
    command = [sys.executable, __file__, str(folder)]
    running = [
        subprocess.Popen(
            [*command, name, str(steps), str(seed)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (MODULE_FOLDER, SUPPORT)))},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in running:
        _out, complaints = process.communicate()
        if process.returncode:
            raise RuntimeError(complaints)
    told = []
    for name in names:
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        told += map(json.loads, lines)
    return sorted(told, key=lambda each: each["at"])


def faults(folder: Path, told) -> list:
    """What must not be, in words: something lost, done twice unasked, or in two hands at once."""
    found = _lost(folder / "data", told) + _in_two_hands(told) + _again(told)
    return found + [f"{fault.path}: {fault.reason}" for fault in check_dataset(folder / "data")]


def _lost(dataset: Path, told) -> list:
    """Each export is there as it was told, and there is none that nobody told of."""
    found, exported = [], [each for each in told if each["what"] == "exported"]
    for each in exported:
        revision = dataset / "cases" / each["case"] / each["revision"]
        if not revision.is_dir():
            found.append(f"{each['case']}, {each['revision']} of {each['by']} is gone")
            continue
        place = read_annotation(revision / "landmarks.mrk.json").position_lps("A")
        by = read_record(revision / "record.json").annotator
        if by != each["by"] or not np.allclose(place, each["place"]):
            found.append(f"{revision} is not what {each['by']} exported")
    there = len(list(dataset.glob("cases/*/revision-*")))
    return found if there == len(exported) else [*found, f"{there} revisions, {len(exported)} told"]


def _again(told) -> list:
    """Whoever was given a case that was exported already, and that nobody has asked for since."""
    found = []
    for each in told:
        if each["what"] != "took" or each["how"] != NEXT or not each["revision"]:
            continue
        of_case = [other for other in told if other.get("case") == each["case"]]
        begun = (other["at"] for other in of_case if other.get("after") == each["revision"] - 1)
        asked = [other["at"] for other in of_case if other["what"] == "asks"]
        if not any(at > min(begun, default=0) for at in asked if at < each["at"]):
            found.append(f"{each['by']} was given {each['case']} again unasked")
    return found


def _in_two_hands(told) -> list:
    """Whoever takes a case that another has, and who did not sleep."""
    holds, found = {}, []
    for each in told:
        case = each.get("case")
        if each["what"] == "took":
            other = holds.get(case)
            if other is not None:
                found.append(f"{each['by']} took {case}, which {other} had")
            holds[case] = each["by"]
        elif each["what"] in ("releases", "sleeps") and holds.get(case) == each["by"]:
            del holds[case]
    return found


if __name__ == "__main__":
    place, who, count, start = sys.argv[1:]
    Annotator(Path(place), who, int(start)).run(int(count))
