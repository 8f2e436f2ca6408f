"""Which start is better now, on the user's own cases: the cases themselves, a network, or both together.

Each case is left out in turn and the others are laid over it; a network judges only cases that it has not
seen. So one knows when a network has overtaken the cases that it learnt from.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
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
from landmark_heatmap.registering.trust import UNMEASURED, Trust, judged, measured

from .data.cases import find_cases, label_of, landmark_set_of, told_apart, without_never_placed
from .data.telling import told_confirmed, told_of_labels
from .judging.comparison import Comparison, Verdict, compare
from .judging.judge import known_to

REGISTERED, NETWORK, BOTH = "the cases, registered", "the network", "both together"


@dataclass(frozen=True, eq=False)
class Start:
    """What one way of beginning reaches. seconds: of a case."""

    name: str
    evaluation: Evaluation
    seconds: float

    @property
    def mean(self) -> float:
        """Of what could be compared; infinite where it found nothing."""
        value = self.evaluation.overall.mean_mm.value
        return math.inf if value is None else value


@dataclass(frozen=True, eq=False)
class Starts:
    """cases: how many there are. starts: a Start each, of the same cases that were left out. notes:
    sentences on what could not be told. trust: how far network and cases can be believed where they are
    used together."""

    cases: int
    starts: tuple
    notes: tuple = ()
    trust: Trust = UNMEASURED

    @property
    def best(self) -> Start:
        """That with the least mean error; of few cases perhaps by chance."""
        return min(self.starts, key=lambda start: start.mean)

    @property
    def comparison(self) -> Comparison:
        """The network against the registered cases; None without a network."""
        found = {start.name: start.evaluation for start in self.starts}
        if NETWORK not in found:
            return None
        return compare(found[NETWORK], found[REGISTERED], (NETWORK, "the registered cases"))

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
    cases = told_apart(find_cases([folder]))
    atlas = _atlas(folder, cases)
    if len(atlas.cases) < 2:
        note = "With one case alone there is none to leave out: annotate a second one."
        return Starts(len(atlas.cases), (), (note,))
    asked, predictor, notes = atlas.cases, None, []
    if model_path is not None:
        predictor, asked, notes = _network(model_path, device, atlas, cases)
    looked_at = [_looked_at(atlas, case, predictor) for case in (progress or iter)(asked)]
    notes = [*notes, *told_of_labels(asked, [each.label for each in looked_at])]
    found = tuple(
        _start(name, looked_at, _names(atlas, predictor))
        for name in (REGISTERED, NETWORK, BOTH)[: 1 if predictor is None else 3]
    )
    if all(math.isinf(start.mean) for start in found):
        names = ", ".join(f"'{each.name}'" for each in looked_at)
        notes = [
            *notes,
            f"Of what a person has judged in {names}, nothing was found that could be compared.",
        ]
        found = ()
    return Starts(len(atlas.cases), found, tuple(notes), _trust(looked_at))


@dataclass(frozen=True, eq=False)
class _LookedAt:
    """A case that was left out, as each start sees it: Predictions without heatmaps, by the start's name;
    seconds likewise. together: makes one of both, with a Trust. judged: see trust.judged."""

    name: str
    label: object
    predictions: dict
    seconds: dict
    together: object
    judged: list


def _start(name: str, looked_at, names) -> Start:
    """Both are judged with the trust of the other cases: what a case shows must not flatter it."""
    rows = []
    for each in looked_at:
        if name == BOTH:
            prediction = each.together(_trust([other for other in looked_at if other is not each]))
        else:
            prediction = each.predictions[name]
        rows.append((each.name, prediction.annotation(), each.label))
    used = (REGISTERED, NETWORK) if name == BOTH else (name,)
    seconds = sum(each.seconds[start] for each in looked_at for start in used)
    return Start(name, evaluate(rows, names=names), seconds / len(rows))


def _trust(looked_at) -> Trust:
    return measured(one for each in looked_at for one in each.judged)


def _atlas(folder, cases) -> Atlas:
    landmarks = landmark_set_of([folder], cases)
    landmarks, _ = without_never_placed(landmarks, [case.annotation for case in cases])
    asked = [AtlasCase(each.name, each.image_path, each.annotation) for each in cases]
    return atlas_of(Path(folder).resolve().name, landmarks, asked)


def _network(model_path, device: str, atlas: Atlas, cases) -> tuple:
    """(Predictor, the cases that it has not seen, notes). All cases, and no Predictor, where it has seen
    all of them. cases: those of the atlas, as they were found."""
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
    names = {case.name for case in new}
    sha256 = predictor.model.identity.sha256
    confirmed = told_confirmed([case for case in cases if case.name in names], sha256)
    notes += [f"The network: {confirmed}"] if confirmed else []
    return predictor, new, notes


def _looked_at(atlas: Atlas, case: AtlasCase, predictor) -> _LookedAt:
    read, start = read_image(case.image_path), RegisteredStart(atlas.without(case.name))
    image, seconds, found = in_pixels(read), {}, {}
    for name, detector in ((REGISTERED, start), (NETWORK, predictor)):
        if detector is None:
            continue
        began = time.monotonic()
        prediction = detector.predict(image)
        seconds[name] = time.monotonic() - began
        # Heatmaps of many cases would fill the memory, and nobody looks at them.
        bare = tuple(replace(point, heatmap=None, belief=None) for point in prediction.points)
        found[name] = replace(prediction, points=bare)

    def together(trust: Trust):
        return Together(predictor, start, trust).joined(found[NETWORK], found[REGISTERED])

    # A person's word is held against the image as it was read.
    label = label_of(case.annotation, read.grid)
    pairs = [] if predictor is None else judged(found[NETWORK], found[REGISTERED], label)
    return _LookedAt(case.name, label, found, seconds, together, pairs)


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
        some = "1 case" if count == 1 else f"{count} cases"
        what = "Each case left out in turn" if count == found.cases else f"{some} left out"
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
