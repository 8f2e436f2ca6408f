"""What every reader of a format returns, and how readers take in text and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from landmark_heatmap.annotation.formats.text import decoded, finite_number, table_rows
from landmark_heatmap.annotation.landmarks import PointState
from landmark_heatmap.annotation.names import check_name
from landmark_heatmap.annotation.not_marked import is_empty_word
from landmark_heatmap.errors import DatasetError, quoted
from landmark_heatmap.files import read_bytes, read_json

# A hundred thousand images of forty landmarks each take half of this.
_LARGEST_TABLE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Stated:
    """What the user says of the numbers, for where the file does not. None: nothing was said.

    images: the folder of the images, or one image. unit: 'px' or 'mm'. origin: 'top-left' or
    'bottom-left'. system: 'RAS' or 'LPS'. spacing_mm: the size of a pixel. scale_unit: of the SCALE
    lines of a .tps. spacing_of: 'image' or 'annotation', where nnLandmark's files contradict each
    other. endings: (of a table's name, of its image's name), where they differ.
    """

    images: Path = None
    unit: str = None
    origin: str = None
    system: str = None
    spacing_mm: float = None
    scale_unit: str = None
    spacing_of: str = None
    endings: tuple = None


@dataclass(frozen=True)
class Marks:
    """What a table says of one image.

    image: its name as the table has it, with or without folders and extension; or its Path, where
    the format itself says where the image lies. points: by landmark, a tuple of numbers that mean
    what `frame` says, or the PointState of a landmark that is not placed. where: the file and the
    line, for messages. case: the name of the case, if it is not the image's. is_own_file: the
    table's file holds this image only, and `image` is the file's own name. definitions: by landmark.
    read_as: the Convention of each landmark that the format itself does not say to be plainly placed.
    code: the number that the file says it writes for missing ones.
    """

    image: object
    points: dict
    frame: object
    where: str
    case: str = None
    is_own_file: bool = False
    definitions: dict = field(default_factory=dict)
    read_as: dict = field(default_factory=dict)
    code: float = None


@dataclass(frozen=True)
class Table:
    """All that a file, or a folder of one file a case, says. notes: what the user has to know."""

    marks: tuple
    names: tuple
    notes: tuple = ()


def read_text(path: Path) -> str:
    """The text of a file, in UTF-8 or a code page. Raises DatasetError for what is no text, or larger
    than any table."""
    try:
        return decoded(read_bytes(path, DatasetError, _LARGEST_TABLE_BYTES))
    except ValueError as error:
        raise DatasetError(f"'{path}' is not a text file: {error}.") from error


def read_document(path: Path):
    """The JSON document in a file. Raises DatasetError for what is none."""
    return read_json(path, DatasetError, _LARGEST_TABLE_BYTES)


def parsed(path: Path, parse, *arguments):
    """parse(the text of the file, *arguments). Its ValueErrors become DatasetErrors with the file."""
    text = read_text(path)
    try:
        return parse(text, *arguments)
    except ValueError as error:
        raise refused(path, error) from error


def refused(path: Path, error: ValueError) -> DatasetError:
    """What is wrong with a file, in words that may begin with the line."""
    comma = "," if str(error).startswith("line ") else ":"
    return DatasetError(f"'{path}'{comma} {error}.")


def csv_rows(path: Path) -> list:
    """[(number of the line, its cells without spaces around them)], empty lines left out."""
    rows = parsed(path, table_rows)
    if not rows:
        raise DatasetError(f"'{path}' is empty.")
    return rows


def place(path: Path, line: int) -> str:
    """How messages say where something stands."""
    return f"'{path}', line {line}"


def point_of(cells, where: str, landmark: str):
    """The numbers in the cells as a tuple; PointState.UNJUDGED if all of them are empty.

    Raises DatasetError for anything else.
    """
    if all(map(is_empty_word, cells)):
        return PointState.UNJUDGED
    numbers = tuple(number_of(cell) for cell in cells)
    if None in numbers:
        raise DatasetError(
            f"{where}: landmark '{landmark}' stands at ({', '.join(cells)}); that has to be"
            f" {len(cells)} numbers with a decimal point, or nothing."
        )
    return numbers


def finite(values, where: str, landmark: str) -> tuple:
    """The numbers of a point that a JSON file has. Raises DatasetError for anything else."""
    if not all(type(v) in (int, float) and abs(v) < float("inf") for v in values):
        raise DatasetError(
            f"{where}: landmark '{landmark}' stands at {quoted(values)}, no numbers."
        )
    return tuple(map(float, values))


def count_of(text: str):
    """The whole number that a text is, at most a billion, or None. (Python takes '²' for a digit.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def number_of(text: str):
    """The finite number that a text is, or None."""
    return finite_number(text)


def check_names(names, where: str) -> tuple:
    """The landmarks' names of a table. Raises DatasetError if one is empty or stands there twice."""
    for name in names:
        if not name.strip():
            raise DatasetError(f"{where}: landmark {names.index(name) + 1} has no name.")
        if names.count(name) > 1:
            raise DatasetError(f"{where}: the landmark '{name}' stands there twice.")
        check_name(name, f"{where}: ")
    if not names:
        raise DatasetError(f"{where}: there are no landmarks.")
    return tuple(names)
