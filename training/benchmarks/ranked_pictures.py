"""Pictures of the best, the median and the worst case of a model, and of where its landmarks lie.

    python training/benchmarks/ranked_pictures.py MODEL DATA --output NEW_FOLDER [--planes]

3D. Each case is turned as its landmarks lie, and the brightest voxels along three lines of sight are
shown: crosses are the reference, rings what the model found. With --planes, for a brain in its head,
sagittal, coronal and axial planes through the middle of the landmarks are shown instead, with all of the
landmarks laid onto them. `numbers.png` names the landmarks of the best case. Judge on cases that the
model has not seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.geometry import Grid
from landmark_heatmap.images.imageio import read_image
from landmark_heatmap.images.resample import resample
from landmark_heatmap.pictures.drawing import new_figure, png
from landmark_training.data.cases import find_cases, told_apart
from landmark_training.outputs import new_folder

# Voxels of a picture along the longest side, and mm around the landmarks.
SIDE, AROUND, AROUND_IN_PLANES = 260, 2.0, 40.0
AXES = ((0, 1), (0, 2), (1, 2))


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
    figure = new_figure(7.5, 5.2)
    panels = figure.subplots(3, 3)
    for row, (word, place) in zip(panels, places.items()):
        mean, most, case, truth, found = ranked[place]
        print(f"{word}: {case.name}, mean {mean:.3f} mm, worst landmark {most:.2f} mm")
        draw(row, case, truth, found, planes=args.planes)
        row[0].set_title(f"{word}: {case.name}, mean {mean:.3f} mm", fontsize=8, loc="left")
    (folder / "ranked.png").write_bytes(png(figure))
    _, _, case, truth, found = ranked[0]
    figure = new_figure(9.0, 7.6)
    panels = figure.subplot_mosaic([[0, 0], [1, 2]])
    draw(list(panels.values()), case, truth, None, names, args.planes)
    (folder / "numbers.png").write_bytes(png(figure))


def draw(panels, case, truth, found, names=None, planes=False) -> None:
    """Three lines of sight, or planes, in a row of axes. found: (L, 3), or None."""
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
    for axes, (right, up) in zip(panels, AXES):
        across = 3 - right - up
        flat = image.take(middle[across], 2 - across) if planes else image.max(axis=2 - across)
        axes.imshow(flat, cmap="gray", origin="lower", vmax=np.percentile(flat, 99.7))
        if planes and up == 1:
            axes.invert_yaxis()  # the front of an axial plane is above
        places = grid.to_ijk(truth)[:, [right, up]]
        axes.plot(*places.T, "+", color="#ffd23f", markersize=5, markeredgewidth=0.8)
        if found is not None:
            rings = grid.to_ijk(found)[:, [right, up]]
            axes.plot(
                *rings.T, "o", color="#2ec4ff", markersize=5, fillstyle="none", markeredgewidth=0.7
            )
        for name, place in zip(names or (), places):
            axes.annotate(
                name, place, (3, 3), textcoords="offset points", color="white", fontsize=7
            )
        axes.set_axis_off()


if __name__ == "__main__":
    main()
