"""A folder of warped cases, as `fit` reads it, with what each one was made of."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import MARKUPS_SUFFIX, write_annotation
from landmark_heatmap.annotation.landmarks import Annotation, Point, PointState
from landmark_heatmap.annotation.not_marked import told_readings
from landmark_heatmap.detection.prepare import intensity_window, scaled
from landmark_heatmap.errors import DatasetError
from landmark_heatmap.files import new_folder
from landmark_heatmap.images.geometry import MM, Image
from landmark_heatmap.images.imageio import read_image, write_image
from landmark_heatmap.model.description import IntensityNormalisation

from ..data.cases import find_cases, told_apart
from ..outputs import check_free
from ..planning.config import TrainConfig
from .cases import Folded, Template, backward_map, box_of, grid_in, pulled, surrounded
from .shapes import Configuration, mixed, read_configurations

RECORD = "warped.csv"
_COLUMNS = ("case", "image", "surroundings", "configuration", "other", "share_of_other")
# Draws of one case before it is given up.
_TRIES = 20
# Warped images take few bytes, and a scanner gives as many.
_LEVELS = 4095


@dataclass(frozen=True)
class How:
    """mixtures: the share of cases that mix two configurations. jitter_mm: standard deviation of a
    small random move of each landmark. around: folders of annotated images that lend their
    surroundings to those that have none, to the share `around_share` of the cases. cut_mm, air_mm: how
    far each side of the image is moved in or out at most. spacing_mm: of the new images; None: each
    template's own. off_mm: a point that is further from where the others say is not used. looks: the
    settings of a training, by which grey values are changed as they are while training; None: not.
    """

    cases: int
    mixtures: float = 0.6
    jitter_mm: float = 0.5
    around: tuple = ()
    around_share: float = 0.5
    cut_mm: float = 0.0
    air_mm: float = 0.0
    spacing_mm: float = None
    off_mm: float = 10.0
    looks: TrainConfig = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What a case is made of. positions: (L, 3), where its landmarks are."""

    template: Template
    spline: object
    positions: np.ndarray
    first: Configuration
    second: Configuration = None
    share: float = 0.0


def warp_cases(data, configurations, output, how: How, say=print) -> int:
    """Write how.cases images of the annotated cases below `data`, each warped so that its landmarks lie
    exactly as in one of the configurations, or as in a mixture of two, into the new folder `output`.

    configurations: .fcsv, .mrk.json and .csv files, or folders of them, mm. Returns the number of cases.
    Raises DatasetError for what cannot be used; then nothing is written. A configuration to which
    the map folds is passed over, and told.
    """
    from tqdm import tqdm

    _check(how)
    output = Path(output)
    check_free(output)
    # Images come last: what is wrong with the points is told before any of them is read.
    cases, names = _annotated(data, say)
    outer_cases = _annotated(how.around, say, names)[0] if how.around else []
    usual = cases[0].annotation.positions_lps(names)
    known = read_configurations(configurations, names, usual, how.off_mm)
    _tell_readings("The points", [each.annotation for each in known], say)
    templates = [_template(case, names) for case in cases]
    around = [_template(case, names) for case in outer_cases]
    _tell_filled(known, how.off_mm, say)
    random = np.random.default_rng(how.seed)
    order = [known[i] for i in random.permutation(len(known))]
    output.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(output) as folder:
        with open(folder / RECORD, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            turns, folded = count(), {}
            for number in tqdm(range(how.cases), unit="case", disable=None):
                drawn = _draw(turns, templates, order, how, random, folded)
                outer = _draw_surroundings(drawn, around, how, random, folded)
                name = f"{output.name}-{number + 1:04d}"
                image = _image(drawn, outer, how, random)
                write_image(folder / f"{name}.nrrd", image)
                write_annotation(folder / f"{name}{MARKUPS_SUFFIX}", _annotation(names, drawn))
                writer.writerow(_row(name, drawn, outer))
        if output.exists():
            output.rmdir()  # empty
    if folded:
        say(f"Passed over, since the map folds: {'; '.join(folded)}.")
    say(
        f"{how.cases} cases in {output}, of {len(templates)} annotated images and {len(known)}"
        f" configurations; what each is made of: {output / RECORD}"
    )
    return how.cases


def _check(how: How) -> None:
    for name, value, least, most in (
        ("--cases", how.cases, 1, 10**6),
        ("--mixtures", how.mixtures, 0, 1),
        ("--around-share", how.around_share, 0, 1),
        ("--jitter", how.jitter_mm, 0, 100),
        ("--cut", how.cut_mm, 0, 1000),
        ("--air", how.air_mm, 0, 1000),
        ("--off", how.off_mm, 0.01, 1000),
        ("--spacing", how.spacing_mm or 1, 0.001, 1000),
    ):
        if not least <= value <= most:
            raise DatasetError(f"{name} is {value:g}; it has to be from {least:g} to {most:g}.")


def _annotated(data, say, names=None) -> tuple:
    """(cases, names of the landmarks). names: those that are asked for; by default those of the first
    case. Raises DatasetError for a case that lacks one."""
    cases = told_apart(find_cases(data))
    _tell_readings("The annotated images", [case.annotation for case in cases], say)
    for case in cases:
        placed = [
            name
            for name in case.annotation.names
            if case.annotation.state(name) is PointState.PLACED
        ]
        names = tuple(placed) if names is None else names
        missing = [name for name in names if name not in placed]
        if missing or not names:
            raise DatasetError(
                f"'{case.image_path}' lacks the landmarks {', '.join(missing[:10]) or '(any)'}: an image"
                " to be warped needs all that the others have."
            )
    return cases, names


def _template(case, names) -> Template:
    """Raises DatasetError for an image that is 2D, or not in mm."""
    image = read_image(case.image_path)
    if image.grid.is_2d or image.unit != MM:
        raise DatasetError(f"'{case.image_path}' is no volume in mm: only those can be warped.")
    definitions = {name: case.annotation.points[name].definition for name in names}
    return Template(case.name, image, case.annotation.positions_lps(names), definitions)


def _tell_readings(whose: str, annotations, say) -> None:
    read_as = told_readings(annotations)
    if read_as:
        say(f"{whose}: {read_as}")


def _tell_filled(known, off_mm: float, say) -> None:
    filled = [f"{each.name} ({', '.join(each.filled)})" for each in known if each.filled]
    if filled:
        say(
            f"Missing, or more than {off_mm:g} mm from where the others say, so put there:"
            f" {'; '.join(filled)}."
        )


def _draw(turns, templates, order, how: How, random, folded: dict) -> _Drawn:
    """Each configuration in turn, alone or with another one; one whose map folds is passed over, and
    noted in `folded`. turns: counts on."""
    for _ in range(_TRIES):
        turn = next(turns)
        template, first = templates[turn % len(templates)], order[turn % len(order)]
        positions, second, share = first.positions, None, 0.0
        if len(order) > 1 and random.random() < how.mixtures:
            others = [each for each in order if each is not first]
            second, share = others[random.integers(len(others))], random.uniform(0.1, 0.5)
            positions = mixed(first, second, share)
        positions = positions + random.normal(0, how.jitter_mm, positions.shape)
        try:
            spline = backward_map(template, positions)
        except Folded as fold:
            said = f"'{template.name}' to '{first.name}'"
            folded[f"{said} with '{second.name}'" if second else said] = said = f"{said}: {fold}"
            continue
        return _Drawn(template, spline, positions, first, second, share)
    raise DatasetError(
        f"Of {_TRIES} maps drawn for a case each one folds, the last one {said}. Do the names of the"
        " points mean the same in images and configurations, and left what is left?"
    )


def _draw_surroundings(drawn: _Drawn, around, how: How, random, folded: dict):
    """(Template, spline) that lends its surroundings; None for a case that gets none, one to which its
    map folds included, which is noted in `folded`."""
    outer = around[random.integers(len(around))] if around else None
    if outer is None or random.random() >= how.around_share:
        return None
    try:
        return outer, backward_map(outer, drawn.positions)
    except Folded:
        folded[f"'{outer.name}' around '{drawn.first.name}'"] = None
        return None


def _image(drawn: _Drawn, outer, how: How, random) -> Image:
    """outer: see `_draw_surroundings`."""
    template = drawn.template
    low, high = box_of(outer[0] if outer else template, drawn.positions)
    moved = random.uniform(-how.cut_mm, how.air_mm, (2, 3))
    low, high = low - moved[0], high + moved[1]
    spacing = how.spacing_mm or float(template.image.grid.spacing_mm.mean())
    grid = grid_in(low, high, spacing)
    array = pulled(template, drawn.spline, grid)
    if outer is not None:
        array = surrounded(array, pulled(*outer, grid))
    if how.looks is not None:
        array = _with_other_looks(array, grid.spacing_mm[::-1], how.looks, random)
    low, high = float(array.min()), float(array.max())
    levels = np.round((array - low) * (_LEVELS / max(high - low, 1e-6)))
    return Image(levels.astype(np.int16), grid.ijk_to_lps, MM)


def _with_other_looks(array, spacing_mm, config: TrainConfig, random) -> np.ndarray:
    """array: (K, J, I)."""
    import torch

    from ..data.contrasts import with_other_looks

    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    seen = scaled(array, intensity_window(array, IntensityNormalisation()))
    images = with_other_looks(torch.from_numpy(seen)[None, None], spacing_mm, config, generator)
    return images[0, 0].numpy()


def _annotation(names, drawn: _Drawn) -> Annotation:
    definitions = drawn.template.definitions
    return Annotation(
        {
            name: Point(PointState.PLACED, tuple(map(float, place)), definition=definitions[name])
            for name, place in zip(names, drawn.positions)
        }
    )


def _row(name: str, drawn: _Drawn, outer) -> list:
    second = drawn.second.name if drawn.second else ""
    share = f"{drawn.share:.3f}" if drawn.second else ""
    around = outer[0].name if outer else ""
    return [name, drawn.template.name, around, drawn.first.name, second, share]
