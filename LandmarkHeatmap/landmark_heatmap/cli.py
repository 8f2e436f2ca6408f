"""landmark-heatmap: detection and evaluation from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .annotations import MARKUPS_SUFFIX, write_annotation
from .command_line import run_command
from .errors import LandmarkHeatmapError
from .files import new_folder, write_json
from .imageio import image_stem, read_image, write_image

_DEFAULT_THRESHOLDS_MM = (2.0, 2.5, 3.0, 4.0)


def main(arguments=None) -> int:
    """Run the command line.

    Returns the exit code: 0; 1 if some images could not be done; 2 for input that cannot be used,
    or files that cannot be written; 130 for Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    return run_command("landmark-heatmap", options.command, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="landmark-heatmap", description="Detect anatomical landmarks, and judge how well."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    detect = commands.add_parser("detect", help="detect the landmarks of images")
    detect.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    detect.add_argument("--model", required=True, type=Path, help="the model file")
    detect.add_argument("--output", required=True, type=Path, metavar="DIR")
    detect.add_argument("--heatmaps", action="store_true", help="write the heatmaps as NRRD too")
    detect.add_argument("--device", default="auto", help="auto, cpu or cuda")
    detect.add_argument(
        "--overwrite", action="store_true", help="replace results that are there already"
    )
    detect.set_defaults(command=_detect)
    evaluate = commands.add_parser(
        "evaluate", help="compare predicted with reference annotations, in mm"
    )
    evaluate.add_argument("predictions", type=Path, help="an annotation file, or a folder of them")
    evaluate.add_argument("references", type=Path, help="the same, with the true positions")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    evaluate.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        default=_DEFAULT_THRESHOLDS_MM,
        metavar="MM",
        help="success detection rates at these distances (default: 2 2.5 3 4)",
    )
    evaluate.add_argument(
        "--overwrite", action="store_true", help="replace the JSON file if it is there already"
    )
    evaluate.set_defaults(command=_evaluate)
    describe = commands.add_parser("describe", help="print what a model file says of itself")
    describe.add_argument("model", type=Path)
    describe.set_defaults(command=_describe)
    return parser


def _detect(options) -> int:
    from .predict import Predictor

    targets = _targets(options)
    predictor = Predictor(options.model, options.device)
    options.output.mkdir(parents=True, exist_ok=True)
    failures = 0
    for number, (image_path, target) in enumerate(targets, 1):
        print(f"[{number}/{len(targets)}] {image_path}", flush=True)
        try:
            prediction = predictor.predict(read_image(image_path))
        except LandmarkHeatmapError as error:
            print(f"  failed: {error}", file=sys.stderr)
            failures += 1
            continue
        if options.heatmaps:
            _write_heatmaps(_heatmap_folder(target), prediction)
        # The annotation comes last: where it is, everything is.
        write_annotation(target, prediction.annotation())
        for point in prediction.points:
            _print_point(point)
    if failures:
        print(f"{failures} of {len(targets)} images could not be done.", file=sys.stderr)
    return 1 if failures else 0


def _targets(options) -> list:
    """(image, annotation file to write) for each image. Refused before any work is done."""
    if options.output.exists() and not options.output.is_dir():
        raise LandmarkHeatmapError(f"'{options.output}' is a file; --output has to be a folder.")
    targets, taken = [], {}
    for image in options.images:
        target = options.output / (image_stem(image) + MARKUPS_SUFFIX)
        # Names that differ in capitals only are one file on Windows and macOS.
        key = target.name.lower()
        if key in taken:
            raise LandmarkHeatmapError(
                f"'{taken[key]}' and '{image}' would both be written to '{target}'."
            )
        _check_free(target, options.overwrite)
        if options.heatmaps:
            _check_free(_heatmap_folder(target), options.overwrite, folder=True)
        taken[key] = image
        targets.append((image, target))
    return targets


def _check_free(target: Path, overwrite: bool, folder: bool = False) -> None:
    """That `target` can be written without taking anything from the user that was not offered."""
    if not target.exists():
        return
    if not overwrite:
        raise LandmarkHeatmapError(
            f"'{target}' is there already. Choose another place, or add --overwrite."
        )
    if target.is_dir() != folder:
        raise LandmarkHeatmapError(
            f"'{target}' is a {'file' if folder else 'folder'} and cannot be overwritten by a"
            f" {'folder' if folder else 'file'}. Choose another place."
        )


def _heatmap_folder(target: Path) -> Path:
    """Where the heatmaps go that belong to an annotation file: beside it."""
    return target.with_name(target.name[: -len(MARKUPS_SUFFIX)] + "-heatmaps")


def _write_heatmaps(folder: Path, prediction) -> None:
    """One NRRD a landmark and the combined one; a new folder appears whole or not at all."""
    images = {
        f"{number:03d}-{_file_name(point.name)}.nrrd": point.heatmap
        for number, point in enumerate(prediction.points, 1)
    }
    images["combined.nrrd"] = prediction.combined_heatmap()
    if not folder.exists():
        with new_folder(folder) as temporary:
            _write_images(temporary, images)
        return
    _write_images(folder, images)
    # Those of an earlier model would look like this one's. Other files in there are the user's.
    for old in folder.glob("[0-9][0-9][0-9]-*.nrrd"):
        if old.name not in images:
            old.unlink()


def _write_images(folder: Path, images: dict) -> None:
    for name, image in images.items():
        write_image(folder / name, image)


def _file_name(name: str) -> str:
    """A landmark's name as part of a file name; the number before it keeps it unique."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _print_point(point) -> None:
    if point.is_absent:
        print(f"  {point.name}: not in this image (presence {point.presence:.2f})")
    else:
        x, y, z = point.position_lps
        print(f"  {point.name}: LPS {x:.2f} {y:.2f} {z:.2f} mm, confidence {point.confidence:.2f}")


def _evaluate(options) -> int:
    from .evaluation import evaluate, pair_annotations
    from .evaluation_table import format_table

    if options.json:
        _check_free(options.json, options.overwrite)
    pairs = pair_annotations(options.predictions, options.references)
    evaluation = evaluate(pairs, thresholds_mm=tuple(options.thresholds))
    print(format_table(evaluation))
    if options.json:
        write_json(options.json, evaluation.to_json())
    return 0


def _describe(options) -> int:
    import json

    from .model_file import read_description

    print(json.dumps(read_description(options.model).to_json(), indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
