"""Once round the loop, without Slicer: detect, see, correct, export, retrain, and what it has brought.

    python3 dev.py demo [--output DIR] [--seed N]

Everything is real: the shipped model, the MRML scene of slicer-core, its rendering and its mouse
interaction, the dataset folder, the training. Only the image is synthetic, so that the truth is
known to the hundredth of a millimetre. At the end stands what correction is for: images of another
scanner, on which the shipped model is lost, six of them corrected, and how it does then on others.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landmark_heatmap.annotation.annotation_files import write_annotation
from landmark_heatmap.dataset.record import Review
from landmark_heatmap.detection.predict import Predictor
from landmark_heatmap.images.imageio import write_image
from landmark_heatmap.synthetic.hip import make_synthetic_hip
from landmark_training.fit import fit
from landmark_training.planning.config import TrainConfig
from LandmarkHeatmapLib.display import overlay
from LandmarkHeatmapLib.export import export_case
from LandmarkHeatmapLib.result import markups
from LandmarkHeatmapLib.result.detection_result import DetectionResult
from LandmarkHeatmapLib.review.session import ReviewSession
from LandmarkHeatmapLib.volumes import add_volume
from places import ROOT

from . import other_scanner
from .before_after import before_and_after
from .labelled import front_with_names, slice_with_names
from .other_scanner import errors_of
from .scene import Application, Complaints
from .views import SLICE_VIEWS, SliceView, ThreeDView, add_surface, save_png

MODEL = ROOT / "LandmarkHeatmap/Resources/Models/synthetic_hip.safetensors"
RAS = np.array([-1, -1, 1])
BONE_HU = 250
VIEW_PIXELS = 800
# Hips that neither the shipped model nor the demo is trained on; those that are corrected, and some of
# the kind that the model knows, against forgetting.
UNSEEN_SEEDS = range(90_001, 90_007)
CORRECTED_SEEDS = range(80_001, 80_007)
REHEARSAL_SEEDS = range(81_001, 81_003)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="a new folder (default: demo-output...)")
    parser.add_argument("--seed", type=int, default=90_000, help="of the synthetic hip")
    options = parser.parse_args()
    output = options.output or free_folder()
    output.mkdir(parents=True)
    with Complaints() as complaints:
        run(output, options.seed)
    if complaints.texts:
        print("VTK complained:", *complaints.texts, sep="\n  ", file=sys.stderr)
        return 1
    return 0


def run(output: Path, seed: int) -> None:
    step("A synthetic hip CT")
    hip = make_synthetic_hip(seed, whole_pelvis=True)
    write_image(output / "hip.nrrd", hip.image)
    write_annotation(output / "hip-truth.mrk.json", hip.annotation)

    step("Detecting with the shipped model")
    started = time.perf_counter()
    prediction = Predictor(MODEL).predict(hip.image, tell_progress)
    print(f"   {len(prediction.points)} landmarks in {time.perf_counter() - started:.1f} s")
    before = errors_of(prediction.annotation(), hip.annotation)

    step("Publishing into a MRML scene and rendering it")
    application = Application()
    volume = add_volume(application.scene, hip.image, "Synthetic hip")
    volume.GetDisplayNode().SetWindowLevelMinMax(-200, 1200)
    result = DetectionResult.publish(volume, prediction)
    size = (VIEW_PIXELS, VIEW_PIXELS)
    views = {name: SliceView(application, name, size) for name in SLICE_VIEWS}
    for view in views.values():
        view.show(volume)
    overlay.show_heatmap(result)
    worst = max(before, key=before.get)
    show_landmark(views, result, worst)
    render_all(application, result, views, output)

    step(f"Dragging the worst landmark, {worst} ({before[worst]:.1f} mm off), to its place")
    session = ReviewSession(result)
    session.select(worst, jump=False)
    drag_to_truth(result, views, worst, hip.annotation.position_lps(worst) * RAS)
    print(f"   the scene noticed it: '{session.undo_text}' is offered")
    session.release()
    for name in result.landmarks.names:
        if result.review(name) is Review.UNTOUCHED:
            result.confirm(name)
    corrected = errors_of(result.annotation(), hip.annotation)
    show_landmark(views, result, worst)
    save_png(output / "corrected.png", np.hstack(list(slices_with_names(result, views).values())))

    step("Exporting the corrected case")
    dataset = output / "dataset"
    print(f"   {export_case(result, dataset, annotator='demo')}")
    application.scene.WriteToMRB(str(output / "scene.mrb"), None)
    report(before, corrected)

    step(f"Another scanner, in whose images bone is dark: {len(CORRECTED_SEEDS)} hips, corrected")
    application.scene.Clear(False)
    other_scanner.export_corrected(application, Predictor(MODEL), CORRECTED_SEEDS, dataset)

    step("Retraining from all that was corrected, with a few known cases against forgetting")
    model = retrain(output, dataset)

    step("What it has brought, on hips that neither model has seen")
    compare_on_unseen(model, output)
    print(f"\nPictures, scene, dataset and model: {output}")


def retrain(output: Path, dataset: Path) -> Path:
    """A short fine-tuning on the exported cases and some rehearsal ones."""
    rehearsal = output / "rehearsal"
    rehearsal.mkdir()
    for seed in REHEARSAL_SEEDS:
        known = make_synthetic_hip(seed)
        write_image(rehearsal / f"hip-{seed}.nrrd", known.image)
        write_annotation(rehearsal / f"hip-{seed}.mrk.json", known.annotation)
    config = TrainConfig(epochs=2, steps_per_epoch=15, learning_rate=1e-3, validation_share=0.15)
    return fit([dataset, rehearsal], output / "run", config, MODEL, say=lambda s: print("  ", s))


def render_all(application, result, views, output: Path) -> None:
    """Slices with heatmaps and fiducials, and the bones in 3D with both."""
    threed = ThreeDView(application, (VIEW_PIXELS, VIEW_PIXELS))
    add_surface(application.scene, result.volume_node, BONE_HU, opacity=0.35)
    for node in result.overlay_nodes[1:]:
        add_surface(application.scene, node, 0.35, colour=(1.0, 0.45, 0.1), opacity=0.8)
    threed.look_from_front()
    pictures = slices_with_names(result, views)
    names = {"Red": "axial", "Green": "coronal", "Yellow": "sagittal"}
    for name, picture in pictures.items():
        print(f"   {save_png(output / f'{names[name]}.png', picture)}")
    with names_hidden(result):
        front = front_with_names(threed, result.landmarks.names, positions_of(result))
    print(f"   {save_png(output / '3d.png', front)}")
    top = np.hstack([pictures["Red"], front])
    bottom = np.hstack([pictures["Green"], pictures["Yellow"]])
    print(f"   {save_png(output / 'views.png', np.vstack([top, bottom]))}")


def slices_with_names(result, views) -> dict:
    with names_hidden(result):
        names, positions = result.landmarks.names, positions_of(result)
        return {each: slice_with_names(view, names, positions) for each, view in views.items()}


@contextmanager
def names_hidden(result):
    """VTK writes them on each other; they are drawn where there is room."""
    display = result.markups_node.GetDisplayNode()
    display.SetPointLabelsVisibility(False)
    yield
    display.SetPointLabelsVisibility(True)


def positions_of(result) -> np.ndarray:
    """(L, 3) in RAS, NaN for landmarks that are nowhere."""
    positions = np.array(markups.world_positions(result.markups_node), dtype=float)
    positions[markups.are_missing(result.markups_node)] = np.nan
    return positions


def show_landmark(views, result, name: str) -> None:
    index = result.landmarks.index(name)
    for view in views.values():
        view.jump_to(markups.world_positions(result.markups_node)[index])


def drag_to_truth(result, views, name: str, truth_ras) -> None:
    """As a person would: in the axial view along two axes, then in the coronal one along the third."""
    index = result.landmarks.index(name)
    for view in (views["Red"], views["Green"]):
        show_landmark(views, result, name)
        view.render()
        start = markups.world_positions(result.markups_node)[index]
        view.drag(start, truth_ras)


def report(before, corrected) -> None:
    print("\nError in mm            as detected   corrected by hand")
    for name in before:
        print(f"{name:24}{before[name]:10.2f}{corrected[name]:20.2f}")
    means = [np.mean(list(errors.values())) for errors in (before, corrected)]
    print(f"{'mean':24}{means[0]:10.2f}{means[1]:20.2f}")


def compare_on_unseen(model: Path, output: Path) -> None:
    """The old and the new model on hips of both scanners, and a picture of the first of the other one."""
    predictors = (Predictor(MODEL), Predictor(model))
    for words, scan in (("the other scanner", True), ("CT, as before", False)):
        errors, said = ([], []), None
        for seed in UNSEEN_SEEDS:
            hip = make_synthetic_hip(seed)
            image = other_scanner.as_seen_there(hip.image) if scan else hip.image
            said = [predictor.predict(image) for predictor in predictors]
            for found, prediction in zip(errors, said):
                found += errors_of(prediction.annotation(), hip.annotation).values()
            if scan and seed == UNSEEN_SEEDS[0]:
                shown = before_and_after(image, hip.annotation, *said)
                (output / "before-and-after.png").write_bytes(shown)
        before, after = map(other_scanner.told, errors)
        print(f"   {words:20} before {before}, after {after}; mean of {len(UNSEEN_SEEDS)} hips")
    print(f"   {output / 'before-and-after.png'}")


def tell_progress(stage: str, fraction: float) -> None:
    print(f"   {fraction:4.0%} {stage}", flush=True)


def step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def free_folder() -> Path:
    """demo-output, or the first of demo-output-2, -3 ... that is not there yet."""
    number = 1
    while True:
        folder = ROOT / ("demo-output" if number == 1 else f"demo-output-{number}")
        if not folder.exists():
            return folder
        number += 1


if __name__ == "__main__":
    sys.exit(main())
