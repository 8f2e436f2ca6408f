"""The same cases as other scanners, and other people, would have them: what a model makes of each.

    python training/benchmarks/other_scans.py MODEL DATA --output NEW.json [--of head] [--only KIND ...]

Each image of DATA is turned into another pose, resampled to other voxels, given other numbers and
noise, cut off, set into a larger field of view, and mirrored; the model detects in each. Judge on cases
that the model has not seen. A table is printed, with how far what is found lies from what is found in
the scan as it is ("moved", in the anatomy's frame); the file has every position, to look closer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.files import write_json
from landmark_heatmap.images.geometry import Grid, Image
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.images.resample import resample
from landmark_training.data.cases import find_cases, told_apart


@dataclass(frozen=True, eq=False)
class Scan:
    """An image, and where the landmarks (L, 3) are in it, mm in LPS; NaN for those cut off.

    motion: (3, 3), what has turned or mirrored space since the scan as it was.
    """

    image: Image
    positions: np.ndarray
    motion: np.ndarray = field(default_factory=lambda: np.eye(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--of", choices=SETS, default="skull", help="which kinds of scans are made")
    parser.add_argument("--only", nargs="*", choices=KINDS)
    args = parser.parse_args()
    if args.output.exists():
        parser.error(f"'{args.output}' is there already.")
    predictor = Predictor(args.model, "cpu")
    names = predictor.description.landmarks.names
    cases, found = told_apart(find_cases([args.data])), {}
    print(
        "| scan | MRE mm | worst mm | missed | false | moved mm |\n|---|---|---|---|---|---|",
        flush=True,
    )
    for kind in args.only or SETS[args.of]:
        found[kind] = {}
        for number, case in enumerate(cases):
            scan = Scan(read_image(case.image_path), case.annotation.positions_lps(names))
            scan = KINDS[kind](scan, np.random.default_rng(number))
            found[kind][case.name] = seen(predictor, scan)
        print(row(kind, found[kind], found.get("as it is")), flush=True)
        write_json(args.output, found)


def seen(predictor: Predictor, scan: Scan) -> dict:
    points = predictor.predict(scan.image).points
    return {
        "reference": listed(scan.positions),
        "found": listed(np.array([point.position_lps for point in points])),
        "motion": scan.motion.tolist(),
        "absent": [bool(point.is_absent) for point in points],
        "look": [point.doubt and point.doubt.to_json() for point in points],
    }


def listed(positions) -> list:
    return [None if not np.isfinite(each).all() else each.tolist() for each in positions]


def row(kind: str, found: dict, plain: dict) -> str:
    """plain: what was found in the scans as they are, or None."""
    errors, apart, missed, false = [], [], 0, 0
    for name, each in found.items():
        apart += [] if plain is None else moved_by(each, plain[name])
        for truth, there, absent in zip(each["reference"], each["found"], each["absent"]):
            missed += truth is not None and absent
            false += truth is None and not absent
            if truth is not None and not absent:
                errors.append(float(np.linalg.norm(np.subtract(truth, there))))
    told = f"{np.mean(errors):.3f} | {np.max(errors):.2f}" if errors else "- | -"
    moved = f"{np.mean(apart):.3f}" if apart else "-"
    return f"| {kind} | {told} | {missed} | {false} | {moved} |"


def moved_by(each: dict, plain: dict) -> list:
    """How far each landmark found in both lies from where it was found, as seen from its reference."""
    back = np.array(each["motion"])
    apart = []
    for i, truth in enumerate(each["reference"]):
        if truth is not None and not each["absent"][i] and not plain["absent"][i]:
            here = np.subtract(each["found"][i], truth) @ back
            there = np.subtract(plain["found"][i], plain["reference"][i])
            apart.append(float(np.linalg.norm(here - there)))
    return apart


def resampled(scan: Scan, spacing, turn=None, margin: float = 0.0) -> Scan:
    """On a grid of its own, whose axes are `turn` (3, 3); margin: mm more on each side."""
    grid, spacing = scan.image.grid, np.broadcast_to(spacing, 3).astype(float)
    directions = grid.directions if turn is None else turn
    corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in grid.size_ijk))).reshape(3, -1).T
    along = grid.to_lps(corners) @ directions
    low, high = along.min(0) - margin, along.max(0) + margin
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = directions @ (low + spacing / 2)
    target = Grid(np.maximum(1, np.round((high - low) / spacing)).astype(int), affine)
    image = resample(scan.image, target)
    # Air, for what lies at the edge would be drawn out into streaks.
    for k, plane in enumerate(image.array):
        i, j = np.meshgrid(*map(np.arange, target.size_ijk[:2]))
        voxels = np.stack([i, j, np.full_like(i, k)], axis=-1)
        plane[~grid.contains(target.to_lps(voxels))] = scan.image.array.min()
    return replace(scan, image=image)


def turned(scan: Scan, random) -> Scan:
    """Another pose in the scanner: on turned voxels, which are then said to lie straight."""
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    scan = resampled(scan, scan.image.grid.spacing_mm.mean(), turn)
    return moved(scan, turn.T)


def moved(scan: Scan, matrix) -> Scan:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    image = Image(scan.image.array, affine @ scan.image.ijk_to_lps, scan.image.unit)
    return Scan(image, scan.positions @ np.asarray(matrix).T, matrix @ scan.motion)


def tilted(scan: Scan, random) -> Scan:
    """The head held otherwise: by up to 25 degrees about each axis."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(random.uniform(-25, 25, 3))):
        a, b = [each for each in range(3) if each != axis]
        step = np.eye(3)
        step[[a, b], [a, b]], step[a, b], step[b, a] = np.cos(angle), -np.sin(angle), np.sin(angle)
        turn = turn @ step
    return moved(resampled(scan, scan.image.grid.spacing_mm.mean(), turn), turn.T)


def sides_exchanged(scan: Scan, random) -> Scan:
    """Left taken for right, as a wrong header has it."""
    return moved(scan, np.diag([-1.0, 1.0, 1.0]))


def mirrored(scan: Scan, random) -> Scan:
    """Slices stacked the wrong way round."""
    return moved(scan, np.diag([1.0, 1.0, -1.0]))


def valued(change):
    def scan_of(scan: Scan, random) -> Scan:
        array = change(scan.image.array.astype(np.float32), random)
        return replace(scan, image=replace(scan.image, array=array))

    return scan_of


def noisy(array, random):
    return array + random.normal(0, 0.1 * np.percentile(array, 99.5), array.shape).astype("f4")


def curved(power: float):
    """Another contrast: greys to a power."""

    def change(array, random):
        low, high = np.percentile(array, [0.5, 99.5])
        return np.clip((array - low) / (high - low), 0, 1) ** power * 1000

    return valued(change)


def inverted(array, random):
    return array.max() - array


def uneven(array, random):
    """Twice as bright on one side as on the other, as near a coil."""
    return array * np.linspace(0.7, 1.4, array.shape[1])[None, :, None].astype("f4")


def cut(share: float, axis: int = 0):
    """Without that share of the image at an axis's end, and the landmarks that lie there."""

    def scan_of(scan: Scan, random) -> Scan:
        size = np.array(scan.image.grid.size_ijk)
        size[axis] -= int(share * size[axis])
        image = scan.image.cropped([0, 0, 0], size.tolist())
        inside = image.grid.contains(np.nan_to_num(scan.positions))[:, None]
        return replace(scan, image=image, positions=np.where(inside, scan.positions, np.nan))

    return scan_of


AS_IT_IS = {"as it is": lambda scan, random: scan}
SKULL = {
    "mirrored": mirrored,
    "turned": turned,
    "voxels of 0.07 mm": lambda scan, random: resampled(scan, 0.07),
    "voxels of 0.3 mm": lambda scan, random: resampled(scan, 0.3),
    "slices of 0.5 mm": lambda scan, random: resampled(scan, (0.141, 0.141, 0.5)),
    "16 bit, an offset": valued(lambda array, random: (200 * array + 1000).astype(np.uint16)),
    "float, -1 to 1": valued(lambda array, random: array / 127.5 - 1),
    "16 levels of grey": valued(lambda array, random: np.floor(array / 16)),
    "noise of a tenth": valued(noisy),
    "a quarter cut off": cut(0.25),
    "half cut off": cut(0.5),
    "8 mm more on all sides": lambda scan, random: resampled(
        scan, scan.image.grid.spacing_mm, margin=8.0
    ),
}
HEAD = {
    "tilted by up to 25 degrees": tilted,
    "left and right exchanged": sides_exchanged,
    "voxels of 1 mm": lambda scan, random: resampled(scan, 1.0),
    "voxels of 3 mm": lambda scan, random: resampled(scan, 3.0),
    "slices of 5 mm": lambda scan, random: resampled(scan, (1.0, 1.0, 5.0)),
    "greys to the power 0.5": curved(0.5),
    "greys to the power 2": curved(2.0),
    "inverted": valued(inverted),
    "bright on one side": valued(uneven),
    "noise of a tenth": valued(noisy),
    "the upper fifth cut off": cut(0.2, axis=2),
    "40 mm more on all sides": lambda scan, random: resampled(
        scan, scan.image.grid.spacing_mm, margin=40.0
    ),
}
SETS = {"skull": {**AS_IT_IS, **SKULL}, "head": {**AS_IT_IS, **HEAD}}
KINDS = {**AS_IT_IS, **SKULL, **HEAD}


if __name__ == "__main__":
    main()
