"""Text of tables as programs of many countries write it: code pages, separators, decimal commas."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re

# Windows' Western code page takes every byte but these five, and is what old programs there write.
_CODE_PAGE = "cp1252"
_SEPARATORS = ("\t", ";", ",")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_WITH_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
# Lines that are looked at to find the separator.
_LOOKED_AT = 20


def decoded(content: bytes) -> str:
    """The text of a file: UTF-8, with or without a mark, UTF-16 with one, or Windows' code page.

    Lines end with a line feed, whatever they ended with. Raises ValueError for bytes that are no text
    in any of them.
    """
    # A return alone is what old spreadsheets on a Mac end a line with.
    return _decoded(content).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding)
    if b"\0" in content:
        raise ValueError("it has bytes that no text has")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(_CODE_PAGE)


def table_rows(text: str, separator: str = None) -> list:
    """[(number of the line, its cells without spaces around them)], empty lines left out.

    Separated by tabs, semicolons or commas, whichever makes columns of it, if it is not given; a first
    line 'sep=;' says so. Lines above the table that begin with # are no rows. Decimal commas become
    points. Raises ValueError for a text that has both, or is no table.
    """
    remarks, text = _without_remarks(text)
    first, _, rest = text.partition("\n")
    skipped = len(remarks)
    if re.fullmatch(r'"?sep=(.|\\t)"?', first.strip(), re.I):
        separator, text, skipped = first.strip().strip('"')[4:], rest, skipped + 1
        separator = "\t" if separator == "\\t" else separator
    else:
        separator = separator or separator_of(text)
    rows = [(line + skipped, cells) for line, cells in _rows(text, separator) if any(cells)]
    # Of as many cells as the rows below it has, it is a header, or a row whose name begins so.
    above = [each for n, line in enumerate(remarks, 1) for each in _numbered(n, line, separator)]
    rows = [each for each in above if rows and len(each[1]) == len(rows[0][1])] + rows
    return with_decimal_points(rows) if separator != "," else rows


def _without_remarks(text: str) -> tuple:
    """(the first lines, as far as they are empty or begin with #, and the text below them)."""
    lines = text.splitlines(keepends=True)
    count = next((n for n, each in enumerate(lines) if each.strip() and each[0] != "#"), 0)
    return lines[:count], "".join(lines[count:])


def _numbered(line: int, text: str, separator: str) -> list:
    return [(line, cells) for _, cells in _rows(text, separator) if any(cells)]


def separator_of(text: str) -> str:
    """Which of tab, semicolon and comma makes columns of the first lines, and the most numbers where
    several do (a name may hold one of them); a comma if none does."""
    start = "\n".join([line for line in text.splitlines() if line.strip()][:_LOOKED_AT])
    found = {}
    for separator in _SEPARATORS:
        try:
            rows = [cells for _, cells in _rows(start, separator) if any(cells)]
        except ValueError:
            continue
        widths = {len(cells) for cells in rows}
        if widths and min(widths) > 1:
            found[separator] = (len(widths), -sum(_is_written_number(c) for r in rows for c in r))
    return min(found, key=found.get) if found else ","


def _is_written_number(cell: str) -> bool:
    return finite_number(cell) is not None or _WITH_COMMA.fullmatch(cell) is not None


def with_decimal_points(rows) -> list:
    """The same rows; a comma in a number becomes a point.

    Raises ValueError, naming the line, if other numbers have points: then a comma may be anything.
    """
    cells = [(line, cell) for line, row in rows for cell in row]
    comma = next((each for each in cells if _WITH_COMMA.fullmatch(each[1])), None)
    if comma is None:
        return rows
    point = next((each for each in cells if _WITH_POINT.fullmatch(each[1])), None)
    if point is not None:
        raise ValueError(
            f"line {comma[0]} has '{comma[1]}' and line {point[0]} has '{point[1]}': which of the two"
            " begins the decimals?"
        )
    return [
        (line, [c.replace(",", ".") if _WITH_COMMA.fullmatch(c) else c for c in row])
        for line, row in rows
    ]


def finite_number(text: str):
    """The finite number that a text is, or None."""
    # Python would read '1_000' and the digits of other scripts as numbers; no other program does.
    if "_" in text or not text.isascii():
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def written(number: float) -> str:
    """A number as a text that gives the same number when it is read."""
    return repr(float(number) + 0.0)


def _rows(text: str, separator: str) -> list:
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
