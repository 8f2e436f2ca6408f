"""The .tps of tpsDig, tpsUtil and geomorph: blocks of an image each, read and written.

'LM=12', or 'LM3=' in 3D, and a line of numbers for each landmark; then IMAGE=, ID=, SCALE=. Some write
these before the landmarks. CURVES and OUTLINES follow with points of their own, which are semilandmarks
and no landmarks. What the numbers mean the file does not say: in 2D they are pixels by custom, counted
from the bottom left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .text import with_decimal_points, written

_AXES = {"LM": 2, "LM3": 3}
# What may follow the landmarks, and brings lines of numbers of its own.
_LINES_FOLLOW = ("CURVES", "OUTLINES", "POINTS", "POINTS3", "CHAIN", "RADII")
_ONCE = ("IMAGE", "SCALE")
# geomorph's own word, which it reads without being asked to; tpsDig's -1 it takes for a place.
MISSING = "NA"


@dataclass
class Block:
    """The lines of one image. line: where it begins. rows: [(line, cells)] of the landmarks.

    values: KEY -> (line, text), in the order of the file.
    """

    line: int
    axes: int
    rows: list
    values: dict = field(default_factory=dict)

    def value(self, key: str) -> str:
        """The text of a key, empty if the block has none."""
        return self.values.get(key, (0, ""))[1]

    @property
    def has_curves(self) -> bool:
        return "CURVES" in self.values or "OUTLINES" in self.values


def read_blocks(text: str) -> list:
    """The Blocks of a file. Raises ValueError, naming the line, for what cannot be read."""
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith(("#", "//"))]
    keys = [(at, _split(line)[0]) for at, (_, line) in enumerate(lines)]
    heads = [at for at, key in keys if key in _AXES]
    if not heads or not keys[0][1]:
        raise ValueError("it does not begin with a line LM= or LM3=")
    starts = heads if keys[0][1] in _AXES else _starts_before(keys, heads)
    return [_block(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)])]


def write_blocks(blocks) -> str:
    """The text of a file. blocks: (points, {KEY: text}) each; of a point its numbers, or None.

    All have the same number of landmarks, of 2 or 3 numbers.
    """
    lines = []
    for points, values in blocks:
        axes = next((len(point) for point in points if point is not None), 2)
        lines.append(f"{'LM3' if axes == 3 else 'LM'}={len(points)}")
        for point in points:
            cells = [MISSING] * axes if point is None else map(written, point)
            lines.append(" ".join(cells))
        lines += [f"{key}={value}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _starts_before(keys, heads) -> list:
    """Where blocks start whose IMAGE= and ID= come before their landmarks, or one of the two does."""
    starts = []
    for head, last in zip(heads, [-1, *heads]):
        first = [at for at in range(last + 1, head) if keys[at][1] == keys[0][1]]
        if first:
            starts.append(first[-1])
            continue
        at = head
        while at - 1 > last and keys[at - 1][1] and keys[at - 1][1] not in _LINES_FOLLOW:
            at -= 1
        starts.append(at)
    return starts


def _block(lines) -> Block:
    """lines: [(number, text)], of which one has LM= or LM3=."""
    head = next(at for at, (_, text) in enumerate(lines) if _split(text)[0] in _AXES)
    line, text = lines[head]
    key, count = _split(text)
    if not (count.isascii() and count.isdigit() and len(count) < 9):
        raise ValueError(f"line {line}: '{text}' needs a whole number")
    end = head + 1 + int(count)
    rows = lines[head + 1 : end]
    follow = next((n for n, (_, row) in enumerate(rows) if "=" in row), len(rows))
    if follow < int(count):
        raise ValueError(f"line {line}: '{text}' is followed by {follow} landmarks")
    cells = with_decimal_points([(number, row.split()) for number, row in rows])
    block = Block(lines[0][0], _AXES[key], cells)
    for number, other in (*lines[:head], *lines[end:]):
        _add(block, number, other, line, count)
    return block


def _add(block: Block, number: int, text: str, line: int, count: str) -> None:
    key, value = _split(text)
    if key in block.values and key in _ONCE:
        raise ValueError(f"line {number}: a second {key} for one image")
    last = next(reversed(block.values), None)
    if not key and last not in _LINES_FOLLOW:
        raise ValueError(
            f"line {number}: '{text[:60]}' is neither KEY=value nor one of the {count} landmarks that"
            f" line {line} announces"
        )
    if key:
        # A second POINTS= has to become the last again.
        block.values.pop(key, None)
        block.values[key] = (number, value)


def _split(text: str) -> tuple:
    """(KEY, value) of a line KEY=value, ('', the line) of any other."""
    key, equals, value = text.partition("=")
    return (key.strip().upper(), value.strip()) if equals else ("", text)
