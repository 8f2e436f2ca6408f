"""The command that tells what to begin the next case with."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from landmark_heatmap.errors import printable
from landmark_heatmap.files import write_json
from landmark_heatmap.model.shipped import model_path
from landmark_heatmap.runs import starts as ways


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
    parser.add_argument("--json", type=Path, metavar="FILE", help="a new file for what was found")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; of the network")
    parser.set_defaults(command=_starts)


def _starts(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from landmark_heatmap.dataset.folder import is_dataset
    from landmark_heatmap.errors import DatasetError
    from landmark_heatmap.registering.start_file import check_start_file, write_start

    from ..outputs import check_new_file
    from ..starts import starts, told

    if options.json:
        check_new_file(options.json)
    if options.write:
        if not (options.model and is_dataset(options.data)):
            raise DatasetError(
                "--write needs --model and an exported dataset folder: it names both."
            )
        check_start_file(options.write)
        check_new_file(options.write)
    model = options.model and model_path(options.model)
    found = starts(
        options.data, model, options.device, lambda cases: tqdm(cases, unit="case", leave=False)
    )
    print(printable(told(found), lines=True))
    if options.json:
        write_json(options.json, document_of(found), new=True)
    if options.write:
        try:
            write_start(options.write, options.model, options.data, found.trust)
        except FileExistsError as error:
            raise DatasetError(
                f"'{options.write}' is there already; choose another name."
            ) from error
        print(printable(f"Both together, as a model: {options.write}"))
    return 0


def document_of(found) -> dict:
    """What was found, as landmark_heatmap/runs/starts.py reads it. found: Starts."""
    from ..starts import BOTH, NETWORK, REGISTERED

    way_of = {REGISTERED: ways.REGISTERED, NETWORK: ways.NETWORK, BOTH: ways.BOTH}
    reached = [
        {
            "way": way_of[start.name],
            "cases": len(start.evaluation.cases),
            "mean": start.evaluation.overall.mean_mm.value,
            "median": start.evaluation.overall.median_mm.value,
            "unit": start.evaluation.unit,
            "seconds": start.seconds,
        }
        for start in found.starts
    ]
    comparison = found.comparison
    return {
        "cases": found.cases,
        "starts": reached,
        "best": way_of[found.best.name] if found.starts else "",
        # Without a network there is nothing to choose between.
        "advice": [] if comparison is None else [comparison.sentence, found.advice],
        "notes": list(found.notes),
        "trust": asdict(found.trust) if found.trust.landmarks else None,
    }
