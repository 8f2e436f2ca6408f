"""Rows about landmarks, to be printed, shown in a notebook, or handed to pandas."""

from __future__ import annotations

from html import escape

from ..lengths import length

_FRAME = "x, y, z in mm, LPS"


class Table(list):
    """A list of rows, each a dict with the same keys: `pandas.DataFrame(table)` takes it as it is.

    Numbers are as exact as they were computed; only printing rounds them. None: there is none.
    """

    def __repr__(self) -> str:
        if not self:
            return "Table(no rows)"
        header, rows = self._texts()
        columns = list(zip(header, *rows))
        widths = [max(map(len, column)) for column in columns]
        numeric = [any(isinstance(row[key], float) for row in self) for key in header]
        lines = [
            "  ".join(
                cell.rjust(width) if is_number else cell.ljust(width)
                for cell, width, is_number in zip(cells, widths, numeric)
            ).rstrip()
            for cells in (header, *rows)
        ]
        return "\n".join([*lines, f"({_FRAME})"])

    def _repr_html_(self) -> str:
        if not self:
            return escape(repr(self))
        header, rows = self._texts()
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        return (
            f"<table><caption>{_FRAME}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _texts(self) -> tuple:
        """(header, rows), all texts."""
        header = list(self[0])
        return header, [[_text(row[key]) for key in header] for row in self]


def _text(value) -> str:
    if value is None:
        return "-"
    return length(value) if isinstance(value, float) else str(value)
