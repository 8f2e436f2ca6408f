"""Once round the loop, without Slicer: detect, see, correct, export, retrain, detect again.

    python3 dev.py demo [--output DIR] [--seed N]

Everything is real: the shipped model, the MRML scene of slicer-core, its rendering and its mouse
interaction, the dataset folder, the training. Only the image is synthetic, so that the truth is
known to the hundredth of a millimetre.
"""

from __future__ import annotations

import argparse
import sys
import time
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

from .scene import Application, Complaints
from .views import SLICE_VIEWS, SliceView, ThreeDView, add_surface, save_png

MODEL = ROOT / "LandmarkHeatmap/Resources/Models/synthetic_hip.safetensors"
RAS = np.array([-1, -1, 1])
BONE_HU = 250
# Hips that neither the shipped model nor the demo is trained on, and a few that it is.
UNSEEN_SEEDS = range(90_001, 90_007)
REHEARSAL_SEEDS = range(80_001, 80_009)


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
    views = {name: SliceView(application, name) for name in SLICE_VIEWS}
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
    save_png(output / "corrected.png", np.hstack([view.render() for view in views.values()]))

    step("Exporting the corrected case")
    dataset = output / "dataset"
    print(f"   {export_case(result, dataset, annotator='demo')}")
    application.scene.WriteToMRB(str(output / "scene.mrb"), None)

    step("Retraining from it, with a few known cases against forgetting")
    model = retrain(output, dataset)
    again = errors_of(Predictor(model).predict(hip.image).annotation(), hip.annotation)

    report(before, corrected, again)
    compare_on_unseen(model)
    print(f"\nPictures, scene, dataset and model: {output}")


def retrain(output: Path, dataset: Path) -> Path:
    """A short fine-tuning on the exported case and some rehearsal ones."""
    rehearsal = output / "rehearsal"
    rehearsal.mkdir()
    for seed in REHEARSAL_SEEDS:
        known = make_synthetic_hip(seed)
        write_image(rehearsal / f"hip-{seed}.nrrd", known.image)
        write_annotation(rehearsal / f"hip-{seed}.mrk.json", known.annotation)
    config = TrainConfig(epochs=2, steps_per_epoch=15, learning_rate=2e-4, validation_share=0.2)
    return fit([dataset, rehearsal], output / "run", config, MODEL, say=lambda s: print("  ", s))


def render_all(application, result, views, output: Path) -> None:
    """Slices with heatmaps and fiducials, and the bones in 3D with both."""
    threed = ThreeDView(application, (500, 500))
    add_surface(application.scene, result.volume_node, BONE_HU, opacity=0.35)
    for node in result.overlay_nodes[1:]:
        add_surface(application.scene, node, 0.35, colour=(1.0, 0.45, 0.1), opacity=0.8)
    threed.look_from_front()
    pictures = {name.lower(): view.render() for name, view in views.items()}
    names = {"red": "axial", "green": "coronal", "yellow": "sagittal"}
    for name, picture in pictures.items():
        print(f"   {save_png(output / f'{names[name]}.png', picture)}")
    print(f"   {save_png(output / '3d.png', threed.render())}")
    top = np.hstack([pictures["red"], threed.render()])
    bottom = np.hstack([pictures["green"], pictures["yellow"]])
    print(f"   {save_png(output / 'views.png', np.vstack([top, bottom]))}")


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


def errors_of(found, truth) -> dict:
    """Landmark to distance in mm; infinite for one that was missed."""
    errors = {}
    for name in truth.names:
        position, true = found.position_lps(name), truth.position_lps(name)
        if true is not None:
            errors[name] = np.inf if position is None else float(np.linalg.norm(position - true))
    return errors


def report(before, corrected, again) -> None:
    print("\nError in mm            as detected   corrected by hand   detected after retraining")
    for name in before:
        print(f"{name:24}{before[name]:10.2f}{corrected[name]:20.2f}{again[name]:28.2f}")
    means = [np.mean(list(errors.values())) for errors in (before, corrected, again)]
    print(f"{'mean':24}{means[0]:10.2f}{means[1]:20.2f}{means[2]:28.2f}")
    print("(The last column is on the very case that was trained on.)")


def compare_on_unseen(model: Path) -> None:
    """The old and the new model on hips that neither has seen."""
    old, new = Predictor(MODEL), Predictor(model)
    errors = {old: [], new: []}
    for seed in UNSEEN_SEEDS:
        hip = make_synthetic_hip(seed)
        for predictor, found in errors.items():
            found += errors_of(predictor.predict(hip.image).annotation(), hip.annotation).values()
    found = [[e for e in errors[p] if np.isfinite(e)] for p in (old, new)]
    missed = [len(errors[p]) - len(f) for p, f in zip((old, new), found)]
    print(
        f"On {len(UNSEEN_SEEDS)} hips that neither model has seen: MRE {np.mean(found[0]):.2f} mm"
        f" ({missed[0]} missed) before, {np.mean(found[1]):.2f} mm ({missed[1]} missed) after."
    )


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
