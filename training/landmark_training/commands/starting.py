"""The command that tells what to begin the next case with."""

from __future__ import annotations

import argparse
from pathlib import Path

from landmark_heatmap.errors import printable
from landmark_heatmap.model.shipped import model_path


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "starts",
        help="what to begin the next case with: the annotated cases laid over it, a network, or both",
        description="Leaves each case out in turn. Some seconds for each pair of cases.",
    )
    parser.add_argument(
        "data",
        metavar="DATASET",
        help="an exported dataset folder, or a folder of images with .mrk.json files of the same name",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a network to compare with, on the cases that it has not seen; a model file, or the name of"
        " one that comes along",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write a new file, NAME.start.json, that names the model and the dataset: with it as the"
        " model, both are used together",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; of the network")
    parser.set_defaults(command=_starts)


def _starts(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from landmark_heatmap.dataset.folder import is_dataset
    from landmark_heatmap.errors import DatasetError
    from landmark_heatmap.registering.start_file import write_start

    from ..starts import starts, told

    if options.write and not (options.model and is_dataset(options.data)):
        raise DatasetError("--write needs --model and an exported dataset folder: it names both.")
    model = options.model and model_path(options.model)
    found = starts(
        options.data, model, options.device, lambda cases: tqdm(cases, unit="case", leave=False)
    )
    print(printable(told(found), lines=True))
    if options.write:
        try:
            write_start(options.write, options.model, options.data, found.trust)
        except FileExistsError as error:
            raise DatasetError(
                f"'{options.write}' is there already; choose another name."
            ) from error
        print(printable(f"Both together, as a model: {options.write}"))
    return 0
