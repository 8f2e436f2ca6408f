"""The command that looks for mistakes in annotations before they are learnt."""

from __future__ import annotations

import argparse
from pathlib import Path

from landmark_heatmap.errors import printable
from landmark_heatmap.files import write_json
from landmark_heatmap.lengths import length
from landmark_heatmap.model.shipped import model_path

from ..outputs import check_new_file
from .settings import add_pairs, pairs_in

# The exit code where something was found, as of `landmark-heatmap dataset check`.
FOUND = 1
# Of a finding about many landmarks, so many are named in the table; all are in the JSON.
_NAMED = 3


def add_commands(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "check",
        help="look for mistakes in annotations: exchanged, mirrored or misplaced points, other frames,"
        " names, copies; nothing is changed",
        description="Exit code 0: nothing was found; 1: something was; 2: the input cannot be used. Of"
        " datasets, the files are looked at too, as `landmark-heatmap dataset check` does alone.",
    )
    parser.add_argument(
        "data",
        nargs="+",
        metavar="DATASET",
        help="exported dataset folders, or folders of images with .mrk.json files of the same name",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="say also which points are not where this model sees them, in cases that it has not seen;"
        " a model file, or the name of one that comes along",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="a new file for all findings")
    add_pairs(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; of the model")
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..checking.check import check

    if options.json:
        check_new_file(options.json)
    pairs, midline = pairs_in(options.pairs) if options.pairs else ((), ())
    model = options.model and model_path(options.model)
    checked = check(
        *(options.data, model, options.device, pairs, midline),
        progress=lambda cases: tqdm(cases, unit="case", leave=False),
    )
    if options.json:
        write_json(options.json, checked.to_json(), new=True)
    print(printable(_table(checked.findings), lines=True))
    for note in checked.notes:
        print(f"\nNote: {printable(note)}")
    count = len(checked.findings)
    found = f"{count} finding{'s' if count > 1 else ''}" if count else "Nothing was found"
    print(f"\n{found} in {checked.cases} cases.")
    return FOUND if checked.findings else 0


def _table(findings) -> str:
    """A line each: what, case, landmarks, size, and why."""
    if not findings:
        return ""
    rows = [["what", "case", "landmark", "size", "why"]]
    for each in findings:
        names = ", ".join(each.landmarks[:_NAMED])
        more = len(each.landmarks) - _NAMED
        size = "" if each.size is None else f"{length(each.size)} {each.unit}"
        names += f" and {more} more" if more > 0 else ""
        rows.append([each.kind, each.case, names, size, each.reason])
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)][:-1]
    return "\n".join(
        "   ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])
        for row in rows
    )
