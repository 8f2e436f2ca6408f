"""The command that imports other people's landmarks."""

from __future__ import annotations

from pathlib import Path

from landmark_heatmap.errors import DatasetError, printable
from landmark_heatmap.files import read_text

from ..importing import FORMATS, MM_OF, ORIGINS, SPACINGS, SYSTEMS, UNITS, Stated, import_tables
from .settings import add_pairs, pairs_in


def add_import(commands) -> None:
    """commands: the subparsers of landmark-train."""
    parser = commands.add_parser(
        "import", help="turn other people's tables of landmarks into pairs to train on"
    )
    parser.add_argument(
        "tables",
        nargs="+",
        type=Path,
        metavar="TABLE",
        help="a file, or a folder of one file a case",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="the folder of the images, or one image"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--format",
        choices=[form.name for form in FORMATS],
        help="by default what the table unmistakably is",
    )
    parser.add_argument("--unit", choices=UNITS, help="of the numbers, where the format has none")
    parser.add_argument("--origin", choices=ORIGINS, help="where pixels or mm count from")
    parser.add_argument("--system", choices=SYSTEMS, help="of points in mm in 3D")
    parser.add_argument(
        "--spacing",
        type=float,
        metavar="MM",
        help="the size of a pixel (default: a medical image's own; 1 for a photograph)",
    )
    parser.add_argument("--scale-unit", choices=list(MM_OF), help="of the SCALE lines of a .tps")
    parser.add_argument(
        "--spacing-of",
        choices=SPACINGS,
        help="which is true where an nnLandmark image and its annotation contradict each other",
    )
    parser.add_argument(
        "--endings",
        nargs=2,
        metavar=("TABLE", "IMAGE"),
        help="how the names of .fcsv files and images end, where they differ: _afids _T1w",
    )
    parser.add_argument("--names", type=Path, metavar="FILE", help="a landmark's name on each line")
    parser.add_argument(
        "--rows", nargs=2, type=int, metavar=("FIRST", "LAST"), help="only these rows, from 1"
    )
    parser.add_argument(
        "--combine", choices=["mean"], help="each table is a reader's: the mean of their points"
    )
    add_pairs(parser)
    parser.set_defaults(command=_import)


def _import(options) -> int:
    stated = Stated(
        images=options.images,
        unit=options.unit,
        origin=options.origin,
        system=options.system,
        spacing_mm=options.spacing,
        scale_unit=options.scale_unit,
        spacing_of=options.spacing_of,
        endings=options.endings and tuple(options.endings),
    )
    import_tables(
        options.tables,
        options.output,
        stated,
        options.format,
        _names(options.names),
        options.rows,
        options.combine,
        lambda text: print(printable(text, lines=True)),
        sides=pairs_in(options.pairs) if options.pairs else ((), ()),
    )
    return 0


def _names(path):
    """The lines of a file that are not empty; None for no file."""
    if path is None:
        return None
    lines = read_text(path, DatasetError).splitlines()
    return [line.strip() for line in lines if line.strip()]
