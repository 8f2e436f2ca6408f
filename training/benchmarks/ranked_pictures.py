"""Pictures of the best, the median and the worst case of a model, and of where its landmarks lie.

    python training/benchmarks/ranked_pictures.py MODEL DATA --output NEW_FOLDER [--planes]

3D. Each case is turned as its landmarks lie, and the brightest voxels along three lines of sight are
shown: crosses are the reference, rings what the model found. With --planes, for a brain in its head,
sagittal, coronal and axial planes through the middle of the landmarks are shown instead, with all of the
landmarks laid onto them, and letters say which side is which (a skull lies in its scan as it was put
there, so it has none). `numbers.png` names the landmarks of the best case. Judge on cases that the model
has not seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.images.resample import resample
from landmark_heatmap.pictures.drawing import new_figure, outlined, png, round_length
from landmark_heatmap.pictures.labels import NEAR, place_labels
from landmark_training.data.cases import find_cases, told_apart
from landmark_training.outputs import new_folder

# Voxels of a picture along the longest side, and mm around the landmarks.
SIDE, AROUND, AROUND_IN_PLANES = 260, 2.0, 40.0
AXES = ((0, 1), (0, 2), (1, 2))
# Of LPS axes: what lies at the low and at the high end.
LETTERS = ("RL", "AP", "IS")
CROSS, RING = "#ffd23f", "#2ec4ff"
POINTS_PER_INCH, NUMBER_SIZE = 72, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--planes", action="store_true")
    args = parser.parse_args()
    folder, predictor = new_folder(args.output), Predictor(args.model, "cpu")
    names = predictor.description.landmarks.names
    ranked = []
    for case in told_apart(find_cases([args.data])):
        found = predictor.predict(read_image(case.image_path)).annotation().positions_lps(names)
        truth = case.annotation.positions_lps(names)
        errors = np.linalg.norm(found - truth, axis=1)
        ranked.append((float(np.nanmean(errors)), float(np.nanmax(errors)), case, truth, found))
    ranked.sort(key=lambda each: each[0])
    places = {"best": 0, "median": len(ranked) // 2, "worst": -1}
    figure = new_figure(9.0, 6.2)
    panels = figure.subplots(3, 3)
    for row, (word, place) in zip(panels, places.items()):
        mean, most, case, truth, found = ranked[place]
        print(f"{word}: {case.name}, mean {mean:.3f} mm, worst landmark {most:.2f} mm")
        draw(row, case, truth, found, planes=args.planes)
        row[0].set_title(f"{word}: {case.name}, mean {mean:.3f} mm", fontsize=8, loc="left")
    (folder / "ranked.png").write_bytes(png(figure))
    _, _, case, truth, _ = ranked[0]
    figure = new_figure(9.0, 7.6)
    panels = list(figure.subplot_mosaic([[0, 0], [1, 2]]).values())
    shown = draw(panels, case, truth, None, planes=args.planes)
    figure.draw_without_rendering()  # only then the panels have their sizes
    for axes, points in zip(panels, shown):
        number(axes, points, names)
    (folder / "numbers.png").write_bytes(png(figure))


def draw(panels, case, truth, found, planes=False) -> list:
    """Three lines of sight, or planes, in a row of axes. found: (L, 3), or None.

    Returns where the reference lies in each of the axes, (L, 2).
    """
    known = truth[np.isfinite(truth).all(1)]
    # Left to right on the screen as radiologists have it, front to back, foot to head.
    directions = np.eye(3)
    if not planes:
        directions = np.linalg.svd(known - known.mean(0), full_matrices=False)[2].T
        directions[:, 2] *= np.sign(np.linalg.det(directions))
    along = known @ directions
    around = AROUND_IN_PLANES if planes else AROUND
    low, high = along.min(0) - around, along.max(0) + around
    spacing = (high - low).max() / SIDE
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions * spacing, directions @ low
    grid = Grid(np.ceil((high - low) / spacing).astype(int), affine)
    image = resample(read_image(case.image_path), grid).array
    middle = np.rint(grid.to_ijk(known).mean(0)).astype(int)
    shown = []
    for axes, (right, up) in zip(panels, AXES):
        across = 3 - right - up
        flat = image.take(middle[across], 2 - across) if planes else image.max(axis=2 - across)
        axes.imshow(flat, cmap="gray", origin="lower", vmax=np.percentile(flat, 99.7))
        front_above = planes and up == 1  # as axial planes are shown
        if front_above:
            axes.invert_yaxis()
        shown.append(grid.to_ijk(truth)[:, [right, up]])
        mark(axes, shown[-1], "+", CROSS)
        if found is not None:
            mark(axes, grid.to_ijk(found)[:, [right, up]], "o", RING)
        if planes:
            letters(axes, LETTERS[right], LETTERS[up][::-1] if front_above else LETTERS[up])
        bar(axes, flat.shape[1] * spacing, spacing)
        axes.set_axis_off()
    return shown


def mark(axes, places, form: str, colour: str) -> None:
    axes.plot(*places.T, form, color=colour, ms=5, mfc="none", mew=0.8)


def letters(axes, across: str, upwards: str) -> None:
    """Where patient's sides are. across: of left and right end; upwards: of the lower and upper one."""
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.03), (0.5, 0.97))
    for letter, (x, y) in zip(across + upwards, places):
        text = axes.text(x, y, letter, transform=axes.transAxes, ha="center", va="center")
        text.set(color="white", fontsize=7, fontweight="bold")
        outlined(text)


def bar(axes, width_mm: float, spacing: float) -> None:
    """A bar of a round length in the lower left corner, about a fifth of the width."""
    length_mm = round_length(width_mm / 5)
    reach = (0.03, 0.03 + length_mm / width_mm)
    for colour, width in (("black", 4), ("white", 2)):
        axes.plot(reach, (0.04, 0.04), color=colour, lw=width, transform=axes.transAxes)
    text = axes.annotate(
        f"{length_mm:g} mm", (0.03, 0.04), (0, 3), "axes fraction", textcoords="offset points"
    )
    text.set(color="white", fontsize=6)
    outlined(text)


def number(axes, places, names) -> None:
    """Each landmark's number beside it, where it lies on no other; a line leads to one further off."""
    known = np.isfinite(places).all(1)
    names = [name for name, is_known in zip(names, known) if is_known]
    to_points = POINTS_PER_INCH / axes.figure.dpi
    low, high = axes.get_window_extent().get_points() * to_points
    points = axes.transData.transform(places[known]) * to_points
    down = np.stack([points[:, 0] - low[0], high[1] - points[:, 1]], 1)
    sizes = [(NUMBER_SIZE * 0.62 * len(name), NUMBER_SIZE * 0.95) for name in names]
    centres, _ = place_labels(down, sizes, high - low)
    for name, point, offset in zip(names, places[known], (centres - down) * (1, -1)):
        text = axes.annotate(
            name, point, offset, textcoords="offset points", ha="center", va="center"
        )
        text.set(color="white", fontsize=NUMBER_SIZE)
        outlined(text)
        if np.linalg.norm(offset) > NEAR:
            end = axes.transData.inverted().transform(
                axes.transData.transform(point) + offset / to_points
            )
            axes.plot(*zip(point, end), color="white", lw=0.5, zorder=1.5)


if __name__ == "__main__":
    main()
