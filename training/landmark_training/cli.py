"""landmark-train: the command line of the training pipeline."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from landmark_heatmap.command_line import INTERRUPTED, Parser, add_version, run_command
from landmark_heatmap.errors import DatasetError, explain_missing_package
from landmark_heatmap.launch import let_threads_sleep, place
from landmark_heatmap.runs.live import CANCELLED

from .live import told_in
from .outputs import new_folder
from .progress import doing, shown


def main(arguments=None) -> int:
    """Run the command line.

    Returns the exit code: 0; 2 for input that cannot be used, files that cannot be written, or a
    training that cannot go on; 130 for Ctrl-C, whatever is kept.
    """
    # The commands bring NumPy along, whose library reads it once.
    let_threads_sleep()
    options = _parser().parse_args(arguments)
    return run_command("landmark-train", options.command, options)


def _parser() -> argparse.ArgumentParser:
    from .commands import calibrating, carding, checking, planning, starting, warping
    from .commands.cross_validate import add_cross_validation
    from .commands.importing import add_import
    from .commands.judging import add_commands
    from .commands.settings import add_fit_options

    parser = Parser(prog="landmark-train", description="Train landmark models for LandmarkHeatmap.")
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser(
        "fit", help="train a model, or continue from one, and write a model file"
    )
    fit.add_argument("--output", metavar="RUN", help="a new folder for the run")
    fit.add_argument(
        "--resume", metavar="RUN", help="go on with an interrupted run; no other option"
    )
    add_fit_options(fit)
    fit.set_defaults(command=_fit)
    planning.add_command(commands)
    add_cross_validation(commands)
    add_import(commands)
    hips = commands.add_parser(
        "synthetic-hips", help="make synthetic hip CTs with exact landmarks to train on"
    )
    hips.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder")
    hips.add_argument("--cases", type=int, default=100, metavar="N", help="how many")
    hips.add_argument(
        "--first-seed",
        type=int,
        default=0,
        metavar="N",
        help="of the first hip, the next one up for each further; the same seed makes the same hip",
    )
    hips.add_argument("--size", type=int, default=96, help="voxels along each side")
    hips.add_argument("--spacing", type=float, default=3.0, metavar="MM", help="of the voxels")
    hips.add_argument(
        "--whole-pelvis",
        action="store_true",
        help="all of it in each image, and no landmark absent; at least 285 mm wide",
    )
    hips.set_defaults(command=_synthetic_hips)
    add_commands(commands)
    calibrating.add_commands(commands)
    carding.add_commands(commands)
    checking.add_commands(commands)
    starting.add_commands(commands)
    warping.add_commands(commands)
    return parser


def _fit(options) -> int:
    started = time.monotonic()
    if options.resume:
        if options.data or options.output or options.parent:
            raise DatasetError(
                "--resume goes on with a run as it was begun; give the folder alone."
            )
    elif not options.data or not options.output:
        raise DatasetError("fit needs --data and --output, or --resume.")
    is_first = place().is_first
    folder = (options.resume or options.output) if is_first else None
    told = told_in(folder, bool(options.resume))
    with told as live, explain_missing_package(), shown(not is_first, live):
        doing("loading torch")
        from landmark_heatmap.model.shipped import model_path

        from .commands.settings import config_of
        from .fit import Stopped, fit, resume
        from .parallel import team

        try:
            if options.resume:
                model = resume(options.resume, started=started)
            else:
                parent = options.parent and model_path(options.parent)
                config = config_of(options)
                model = fit(options.data, options.output, config, parent, started=started)
        except Stopped:
            live.end(CANCELLED)
            return INTERRUPTED  # all was said
    team().voice(print)(f"The model: {model}")
    return 0


def _synthetic_hips(options) -> int:
    from tqdm import tqdm

    from landmark_heatmap.annotation.annotation_files import write_annotation
    from landmark_heatmap.images.imageio import write_image
    from landmark_heatmap.synthetic.hip import make_synthetic_hip

    if options.cases < 1:
        raise DatasetError(f"--cases is {options.cases}; it has to be 1 or more.")
    if options.first_seed < 0:
        raise DatasetError(f"--first-seed is {options.first_seed}; it has to be 0 or more.")
    folder = new_folder(options.output)
    for seed in tqdm(range(options.first_seed, options.first_seed + options.cases), unit="hip"):
        hip = make_synthetic_hip(
            seed, options.size, options.spacing, whole_pelvis=options.whole_pelvis
        )
        write_image(folder / f"hip-{seed:05d}.nrrd", hip.image)
        # The annotation comes last: a case without one would be refused, one without image too.
        write_annotation(folder / f"hip-{seed:05d}.mrk.json", hip.annotation)
    print(f"{options.cases} cases in {folder}")
    return 0


if __name__ == "__main__":
    code = main()
    # Only a training has brought it along.
    if f"{__package__}.parallel" in sys.modules:
        sys.modules[f"{__package__}.parallel"].leave(code)
    sys.exit(code)
