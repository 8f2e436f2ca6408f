"""Odd values, and documents and bytes with something odd in them, all from a seed."""

from __future__ import annotations

import copy
import json
import random

_ODD = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**64),
    10**400,
    0.5,
    -0.0,
    1e-30,
    1e-7,
    1e40,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "coarse",
    "\0",
    "\ud800",
    "\x1b[31m",
    "../../x",
    "x" * 5000,
    "x" * 200_000,
    "1e400",
    [],
    [None],
    [0] * 1000,
    [[[]]],
    {},
    {"": {}},
)


def odd_value(rng: random.Random, value):
    """Something else in the place of `value`: of another type, or a little off."""
    chance = rng.random()
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and abs(value) < 1e300 and chance < 0.4:
        factor = rng.choice((0, -1, 2, 0.5, 1.0001, 10, 1e3, 1e-3, 1e6))
        changed = value * factor
        return int(changed) if isinstance(value, int) and chance < 0.3 else float(changed)
    if isinstance(value, str) and chance < 0.3:
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(("\ud83d", "\n", "é", "\0", "x" * 600)) + value[at:]
    if isinstance(value, list) and value and chance < 0.4:
        return rng.choice((value[:-1], value * 2, value[::-1], [*value, value[0]], value * 300))
    return copy.deepcopy(rng.choice(_ODD))


def odd_document(rng: random.Random, document):
    """A copy with one to three of its values replaced, removed, renamed or nested."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            return odd_value(rng, document)
        holder, key = rng.choice(places)
        chance = rng.random()
        if chance < 0.1:
            del holder[key]
        elif chance < 0.15 and isinstance(holder, dict):
            holder[str(key) + "_"] = holder.pop(key)
        elif chance < 0.2:
            holder[key] = json.loads("[" * 200 + "]" * 200)
        else:
            holder[key] = odd_value(rng, holder[key])
    return document


def odd_bytes(rng: random.Random, content: bytes) -> bytes:
    """With bits flipped, a part missing, doubled or foreign, or cut off."""
    content = bytearray(content)
    at = rng.randrange(len(content)) if content else 0
    kind = rng.randrange(6)
    if kind == 0 and content:
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del content[at:]
    elif kind == 2:
        del content[at : at + rng.randint(1, 64)]
    elif kind == 3:
        content[at:at] = content[at : at + rng.randint(1, 64)]
    elif kind == 4:
        content[at:at] = rng.randbytes(rng.randint(1, 64))
    else:
        content += b"\0" * rng.randint(1, 4096)
    return bytes(content)


def _places(document):
    """(holder, key) of every value in a document."""
    items = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document[:50])
    for key, value in items:
        yield document, key
        yield from _places(value)
