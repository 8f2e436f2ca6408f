"""The command that imports other people's landmarks."""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.errors import DatasetError

from .importing import FORMATS, ORIGINS, UNITS, ImportJob, import_cases


def add_import(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "import", help="turn tables of landmarks, or files of other programs, into training pairs"
    )
    parser.add_argument("files", nargs="+", type=Path, help="the files, or folders of them")
    parser.add_argument(
        "--images",
        required=True,
        type=Path,
        metavar="DIR",
        help="the images' folder; or one image that all files are about",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--format", choices=FORMATS, help="of the files, where it cannot be told from them"
    )
    parser.add_argument(
        "--unit", choices=UNITS, help="of the numbers, if the format leaves it open"
    )
    parser.add_argument("--origin", choices=ORIGINS, help="where they count from, likewise")
    parser.add_argument(
        "--spacing", type=float, metavar="MM", help="the size of a pixel (default: 1; isbi: 0.1)"
    )
    parser.add_argument("--names", type=Path, metavar="FILE", help="a landmark's name on each line")
    parser.add_argument(
        "--rows", nargs=2, type=int, metavar=("FIRST", "LAST"), help="only these images, from 1"
    )
    parser.add_argument(
        "--combine", choices=("mean",), help="what becomes of several readers' marks of an image"
    )
    parser.set_defaults(command=_import)


def _import(options) -> int:
    job = ImportJob(
        tuple(options.files),
        options.images,
        options.output,
        options.format,
        options.unit,
        options.origin,
        options.spacing,
        _names(options.names),
        options.rows and tuple(options.rows),
        options.combine == "mean",
    )
    count = import_cases(job)
    print(f"{count} cases in {options.output}")
    return 0


def _names(path):
    """A name on each line of the file; None without one."""
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"'{path}' is not a text file in UTF-8: {error}.") from error
    return tuple(line.strip() for line in lines if line.strip())
