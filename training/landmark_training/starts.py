"""Which start is better now, on the user's own cases: the cases themselves, a network, or both together.

Each case is left out in turn and the others are laid over it; a network judges only cases that it has not
seen. So one knows when a network has overtaken the cases that it learnt from.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from landmark_heatmap.errors import DatasetError
from landmark_heatmap.images.geometry import in_pixels
from landmark_heatmap.images.identity import ids_of
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.judging.evaluation import Evaluation, evaluate
from landmark_heatmap.lengths import length
from landmark_heatmap.registering.atlas import Atlas, AtlasCase, atlas_of
from landmark_heatmap.registering.registrar import RegisteredStart
from landmark_heatmap.registering.together import Together

from .data.cases import find_cases, label_of, landmark_set_of, told_apart, without_never_placed
from .judging.comparison import Comparison, Verdict, compare
from .judging.judge import known_to

REGISTERED, NETWORK, BOTH = "the cases, registered", "the network", "both together"


@dataclass(frozen=True, eq=False)
class Start:
    """What one way of beginning reaches. seconds: of a case."""

    name: str
    evaluation: Evaluation
    seconds: float


@dataclass(frozen=True, eq=False)
class Starts:
    """cases: how many there are. starts: a Start each, of the same cases that were left out. notes:
    sentences on what could not be told."""

    cases: int
    starts: tuple
    notes: tuple = ()

    @property
    def best(self) -> Start:
        """That with the least mean error; of few cases perhaps by chance."""
        return min(self.starts, key=lambda start: start.evaluation.overall.mean_mm.value)

    @property
    def comparison(self) -> Comparison:
        """The network against the registered cases; None without a network."""
        found = {start.name: start.evaluation for start in self.starts}
        if NETWORK not in found:
            return None
        return compare(found[NETWORK], found[REGISTERED], (NETWORK, REGISTERED))

    @property
    def advice(self) -> str:
        """What to begin the next case with."""
        if not self.starts:
            return "Nothing could be left out, so nothing can be told."
        comparison = self.comparison
        if comparison is None:
            return (
                "The next case can begin so. When a network has been trained, --model tells which of them"
                " is better."
            )
        verdict = comparison.verdict
        if verdict is Verdict.BETTER:
            told = "The network has overtaken the cases that are registered"
        elif verdict is Verdict.WORSE:
            told = "The network has not overtaken the cases that are registered yet"
        else:
            told = "Whether the network has overtaken the cases cannot be told yet"
        return f"{told}. Least is the error of {self.best.name}: begin the next case so."


def starts(folder, model_path=None, device: str = "auto", progress=None) -> Starts:
    """Leave each case out in turn. folder: a dataset, or a folder of images with .mrk.json files.

    model_path: of a network to compare with. progress: wraps the cases in whatever shows how far it is.
    Raises DatasetError for a folder without usable cases.
    """
    atlas = _atlas(folder)
    if len(atlas.cases) < 2:
        note = "With one case alone there is none to leave out: annotate a second one."
        return Starts(len(atlas.cases), (), (note,))
    asked, predictor, notes = atlas.cases, None, []
    if model_path is not None:
        predictor, asked, notes = _network(model_path, device, atlas)
    rows = {REGISTERED: []} if predictor is None else {REGISTERED: [], NETWORK: [], BOTH: []}
    seconds = dict.fromkeys(rows, 0.0)
    for case in (progress or iter)(asked):
        for name, prediction, took in _predicted(atlas, case, predictor):
            rows[name].append((case.name, prediction.annotation(), _label(case)))
            seconds[name] += took
    found = tuple(
        Start(name, evaluate(each, names=_names(atlas, predictor)), seconds[name] / len(each))
        for name, each in rows.items()
    )
    return Starts(len(atlas.cases), found, tuple(notes))


def _atlas(folder) -> Atlas:
    cases = told_apart(find_cases([folder]))
    landmarks = landmark_set_of([folder], cases)
    landmarks, _ = without_never_placed(landmarks, [case.annotation for case in cases])
    asked = [AtlasCase(each.name, each.image_path, each.annotation) for each in cases]
    return atlas_of(Path(folder).resolve().name, landmarks, asked)


def _network(model_path, device: str, atlas: Atlas) -> tuple:
    """(Predictor, the cases that it has not seen, notes). All cases, and no Predictor, where it has seen
    all of them."""
    from landmark_heatmap.detection.predict import Predictor

    predictor = Predictor(model_path, device)
    if not set(predictor.description.landmarks.names) & set(atlas.landmarks.names):
        raise DatasetError(f"'{model_path}' knows none of the landmarks of '{atlas.name}'.")
    trained, chosen, notes = known_to(Path(model_path), predictor.description)
    new = tuple(
        case
        for case in atlas.cases
        if not (ids_of(case.image_path) | {case.name}) & (trained | chosen)
    )
    if not new:
        notes.append(
            f"The network has seen all {len(atlas.cases)} cases: of these it says nothing. Annotate one"
            " more that it has not learnt from, or compare the networks of cross-validate."
        )
        return None, atlas.cases, notes
    if len(new) < len(atlas.cases):
        notes.append(
            f"The network has seen {len(atlas.cases) - len(new)} of the {len(atlas.cases)} cases: only"
            " the others are compared."
        )
    return predictor, new, notes


def _predicted(atlas: Atlas, case: AtlasCase, predictor):
    """(name of the start, Prediction, seconds) of each."""
    image, start = in_pixels(read_image(case.image_path)), RegisteredStart(atlas.without(case.name))
    began = time.monotonic()
    registered = start.predict(image)
    took = time.monotonic() - began
    yield REGISTERED, registered, took
    if predictor is None:
        return
    began = time.monotonic()
    network = predictor.predict(image)
    yield NETWORK, network, time.monotonic() - began
    both = Together(predictor, start).joined(network, registered, image)
    yield BOTH, both, time.monotonic() - began + took


def _label(case: AtlasCase):
    """What a person said of a case; read_image knows how large it is."""
    return label_of(case.annotation, read_image(case.image_path).grid)


def _names(atlas: Atlas, predictor) -> tuple:
    names = atlas.landmarks.names
    if predictor is None:
        return names
    return tuple(name for name in names if name in predictor.description.landmarks.names)


def told(found: Starts) -> str:
    """A table and what follows from it, for a person who has to decide."""
    lines = []
    if found.starts:
        count, unit = len(found.starts[0].evaluation.cases), found.starts[0].evaluation.unit
        what = "Each case left out in turn" if count == found.cases else f"{count} cases left out"
        lines.append(f"{what}, of {found.cases}:")
    for start in found.starts:
        overall = start.evaluation.overall
        lines.append(
            f"  {start.name:<24} mean error {length(overall.mean_mm.value)} {unit}, median"
            f" {length(overall.median_mm.value)} {unit}, {start.seconds:.0f} s a case"
        )
    if found.comparison is not None:
        lines.append(found.comparison.sentence)
    return "\n".join([*lines, *found.notes, found.advice])
