"""Detection in many images: one loaded model, and the next image read while the network works.

A stopped run goes on where it stood: what this model made of the same image is not done again.
Under a launcher such as torchrun, each of N processes takes every N-th image.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..annotation.annotation_files import MARKUPS_SUFFIX, read_annotation
from ..annotation.on_image import stated_spacing
from ..errors import LandmarkHeatmapError, printable
from ..files import real_path
from ..images.below import images_below
from ..images.geometry import MM, Image
from ..images.identity import files_sha256, placed_id
from ..images.imageio import image_stem, read_image
from ..images.series import DicomSeries
from ..launch import Place, place
from ..leftovers import tidy
from ..lengths import number as told_number
from .result_files import MadeBy, Results
from .suits import told_before, told_symmetric

# Of more images than these, nobody reads where every point is.
_FEW_IMAGES = 5


@dataclass(frozen=True)
class Job:
    """An image file, or the slices of a DICOM series; and where its results belong."""

    image: object
    results: Results


def find_jobs(paths, output: Path) -> list:
    """Image files, and all images below folders, in the order given and by name; sorted alike
    wherever this runs.

    The results of an image below a folder lie below `output` as it does below the folder. Hidden
    files, segmentations (.seg.nrrd), folders of heatmaps and what is in `output` are left out.
    Raises LandmarkHeatmapError for a folder without images, and for two that would have the same
    results.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise LandmarkHeatmapError(f"'{output}' is a file; --output has to be a folder.")
    jobs, taken = [], {}
    for path in map(Path, paths):
        images = images_below(path, output) if path.is_dir() else [path]
        for image in images:
            is_series = isinstance(image, DicomSeries)
            name, folder = (
                (image.name, image.folder) if is_series else (image_stem(image), image.parent)
            )
            below = folder.relative_to(path) if path.is_dir() else Path()
            annotation = output / below / (name + MARKUPS_SUFFIX)
            # Names that differ in capitals only are one file on Windows and macOS.
            key = str(annotation).lower()
            if key in taken and _is_one(taken[key], image):
                continue
            if key in taken:
                raise LandmarkHeatmapError(
                    f"'{taken[key]}' and '{image}' would both be written to '{annotation}'."
                )
            taken[key] = image
            jobs.append(Job(image, Results(annotation)))
    return jobs


def _is_one(image, other) -> bool:
    """Whether two paths, or two series, are of the same files."""
    files = (i.files if isinstance(i, DicomSeries) else (i,) for i in (image, other))
    return len({tuple(map(real_path, each)) for each in files}) == 1


def detect(
    paths,
    model,
    output,
    heatmaps=False,
    overwrite=False,
    device="auto",
    form=None,
    spacing_mm=None,
    load=None,
) -> int:
    """Detect the landmarks of image files and of all images below folders; as the command does.

    form: of dataset/convert.py, in which all results are written as well. spacing_mm: the size of a
    voxel, if files do not state it or are wrong. load: makes a Predictor of the model and a device.
    Returns how many of this process's images could not be done, each of them told; all of them if no
    landmark was found. Raises LandmarkHeatmapError before any work if model or device cannot be used,
    or anything but results of this model is in the way.
    """
    if load is None:
        from .predict import Predictor as load

    here = place()
    if form is not None and here.size > 1:
        told = "--format needs all results in one process; run landmark-heatmap convert afterwards."
        raise LandmarkHeatmapError(told)
    jobs = find_jobs(paths, Path(output))
    here.set_threads()
    batch = Batch(load(model, here.device(device)), heatmaps, overwrite, spacing_mm)
    mine = list(enumerate(jobs, 1))[here.rank :: here.size]
    for folder in {job.results.annotation.parent for _, job in mine}:
        tidy(folder)
    for _, job in mine:
        job.results.check_free(batch.predictor.model.identity, heatmaps, overwrite)
    if here.is_first and told_symmetric(batch.predictor.description):
        _warn(printable(told_symmetric(batch.predictor.description)))
    failures = batch.do(mine, len(jobs))
    if form is not None and failures < len(jobs):
        _write_as(form, jobs, Path(output), overwrite)
    if failures:
        _warn(f"{failures} of {len(mine)} images could not be done.")
    _wait_for_the_others(here, failures)
    return failures


class Batch:
    """Applies a Predictor to one image after another, and writes the results."""

    def __init__(
        self, predictor, heatmaps: bool = False, overwrite: bool = False, spacing_mm: float = None
    ):
        self.predictor, self.heatmaps, self.overwrite = predictor, heatmaps, overwrite
        self.spacing_mm, self._told = spacing_mm, Counter()
        self.seconds, self.computed, self.empty = 0.0, 0, 0

    def do(self, numbered, count: int) -> int:
        """numbered: (number, Job) pairs, of `count` in all. Returns how many failed."""
        failures = skipped = 0
        for left, ((number, job), reading) in enumerate(_read_ahead(numbered, self._read)):
            left, start = len(numbered) - left, time.monotonic()
            which = f"[{number}/{count}] {printable(job.image)}"
            try:
                work = reading.result()
                if work is None:
                    skipped += 1
                    continue
                print(f"{which}{self._time_left(left)}", flush=True)
                before = told_before(work.image.grid, self.predictor.description)
                self._tell(job, [work.image.note, *before])
                prediction = self._done(job, work)
                self._tell(job, [word for word in prediction.words if word not in before])
                self.computed += 1
                if all(point.is_absent for point in prediction.points):
                    self.empty += 1
                    _warn(f"  no landmark was found in {printable(job.image)}")
                self.seconds += time.monotonic() - start
                if len(numbered) <= _FEW_IMAGES:
                    _print_points(prediction)
            except LandmarkHeatmapError as error:
                _warn(f"{which} failed: {error}")
                failures += 1
        for note, count in self._told.items():
            if count > 1:
                _warn(printable(f"The same of {count - 1} more: {note}"))
        if skipped:
            print(f"{skipped} of {len(numbered)} images were done before.", flush=True)
        if not self.empty or self.empty != len(numbered) - failures:
            return failures
        _warn("No landmark was found in any image.")
        return failures + self.empty

    def _tell(self, job: Job, notes) -> None:
        """What has to be known of an image or its result; the same of many images only once."""
        for note in filter(None, notes):
            self._told[note] += 1
            if self._told[note] == 1:
                _warn(printable(f"{job.image}: {note}"))

    def _read(self, numbered) -> _Work:
        """What there is to do, or None. Runs beside the network."""
        _, job = numbered
        try:
            model, stated = self.predictor.model.identity, self.spacing_mm
            made_by = MadeBy(model, files_sha256(job.image), stated)
            if job.results.are_made(made_by, self.heatmaps):
                return None
            image = read_image(job.image, stated)
            as_ever = stated is None and image.unit == MM and not image.note
            made_by = replace(made_by, image=placed_id(image), is_read_as_ever=as_ever)
            missing = job.results.missing(made_by, self.heatmaps, self.overwrite)
            return _Work(image, made_by, missing) if missing else None
        except Exception as error:
            raise _told(error) from error

    def _done(self, job: Job, work: _Work):
        """The prediction, when its files are there. OSError if they cannot be written."""
        try:
            prediction = self.predictor.predict(work.image)
        except Exception as error:
            raise _told(error) from error
        try:
            job.results.write(prediction, work.made_by, work.missing, self.overwrite)
        except OSError as error:
            # That is of this image alone; a full disk would be of all.
            if error.errno == errno.ENAMETOOLONG:
                raise _told(error) from error
            raise
        return prediction

    def _time_left(self, images: int) -> str:
        if not self.computed:
            return ""
        seconds = images * self.seconds / self.computed
        return f", about {seconds:.0f} s left" if seconds < 90 else f", {seconds / 60:.0f} min left"


@dataclass(frozen=True, eq=False)
class _Work:
    """An image as it was read. missing: the paths to write."""

    image: Image
    made_by: MadeBy
    missing: list


def _told(error: Exception) -> LandmarkHeatmapError:
    """Why one image could not be done.

    Nothing about one image may end the run, a mistake of ours that it brings out included: the same
    command would never get past it. Such a mistake is shown in full.
    """
    if isinstance(error, LandmarkHeatmapError):
        return error
    if isinstance(error, MemoryError):
        return LandmarkHeatmapError("There is not enough memory for it.")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return LandmarkHeatmapError("The name of its results would be too long. Shorten its name.")
    if isinstance(error, OSError):
        return LandmarkHeatmapError(f"It cannot be read: {error.strerror or error}.")
    traceback.print_exception(type(error), error, error.__traceback__)
    return LandmarkHeatmapError(f"A mistake of this program: {error!r}.")


def _read_ahead(items, read):
    """(item, future of read(item)) for each item; one more is read while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting = deque()
        try:
            for item in items:
                waiting.append((item, reader.submit(read, item)))
                if len(waiting) == 2:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_points(prediction) -> None:
    for point in prediction.points:
        if point.is_absent:
            print(f"  {printable(point.name)}: not in this image (presence {point.presence:.2f})")
        else:
            # Finer than the network sees by as much as a position can be exact.
            pixel = 0.1 * float(min(prediction.grid.spacing_mm))
            x, y, z = (told_number(x, like=pixel, least=2) for x in point.position_lps)
            where = f"LPS {x} {y} {z} {prediction.grid.unit}"
            sure = f"confidence {point.confidence:.2f}"
            if point.doubt is not None:
                sure = f"{sure}, {point.doubt.told(prediction.grid.unit)}"
            print(f"  {printable(point.name)}: {where}, {sure}")


def _write_as(form: str, jobs, output: Path, overwrite: bool) -> None:
    """All results that are there, for another program."""
    from ..dataset.convert import ONE_FILE, Item, convert

    done = [job for job in jobs if job.results.annotation.is_file()]
    items = []
    for job in done:
        below = job.results.annotation.relative_to(output).as_posix()[: -len(MARKUPS_SUFFIX)]
        annotation = read_annotation(job.results.annotation)
        items.append(Item(below, annotation, job.image, stated_spacing(job.results.annotation)))
    folder = output / form
    target = folder / f"landmarks.{form}" if form in ONE_FILE else folder
    for sentence in convert(items, form, target, overwrite=overwrite):
        print(printable(sentence), flush=True)


def _wait_for_the_others(here: Place, failures: int) -> None:
    """torchrun ends all processes when one ends with an error: it has to be the last.

    torchrun's own store counts those that are done. Other launchers have none, and need no care.
    """
    if here.size == 1 or "TORCHELASTIC_USE_AGENT_STORE" not in os.environ:
        return
    from torch.distributed import TCPStore

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        store = TCPStore(address, port, here.size, is_master=False)
        store.add("landmark_heatmap_done", 1)
        while failures and store.add("landmark_heatmap_done", 0) < here.size:
            time.sleep(0.5)
    except RuntimeError:
        # The store went with the first machine, whose processes are all done then.
        return
