"""Mutations that know the structure of what they change, so that readers get past the first line."""

from __future__ import annotations

import copy
import json
import struct
import zlib

HOSTILE_WORDS = (
    "", "0", "-1", "-0", "1e400", "nan", "inf", "9" * 20, "9" * 5000, "1_000", "²", "١٢٣", "0x10",
    "%s%n%d", "%03d.raw", "LIST", "LIST 2", "LOCAL", "../x", "/etc/passwd", "/dev/zero", "a\0b",
    "\x1b[31m", "\u202e", "x" * 5000, "x" * 100_000, "2147483647", "4294967295",
    "18446744073709551615", "1e-320", "(1,0,0)", "(,,)", "none", "raw", "ascii", "hex", "bzip2",
    "float", "block", "3 3 3", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", "= = =", ": :",
)  # fmt: skip
HOSTILE_VALUES = (
    None, True, [], {}, [[]], {"a": {}}, "", " ", "x" * 5000, "\ud800", "\0", "\x1b[2J", 0, -1, 1.5,
    10**30, 10**400, float("nan"), float("inf"), -0.0, 1e308, 1e-320, ["1", "2", "3"], [1, 2],
    [1, 2, 3, 4], [True, 2, 3], [10**400] * 3, "RAS", "LPS", "defined", "missing", "/etc/passwd",
    "../x", "a/b", "image.nrrd",
)  # fmt: skip
HOSTILE_NUMBERS = (
    0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1,
    2**63 - 1, 2**64 - 1, 1000, 100_000,
)  # fmt: skip


def of_json(text: str, random) -> bytes:
    """Some values in the document replaced, left out or repeated; or its bytes changed."""
    if random.random() < 0.1:
        return of_bytes(text.encode(), random)
    document = {"": json.loads(text)}
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        node, key = random.choice(list(_places(document)))
        action = random.random()
        if action < 0.15 and key != "":
            node.pop(key)
        elif action < 0.25 and isinstance(node, list):
            node.insert(key, copy.deepcopy(node[key]))
        elif action < 0.3 and isinstance(node, dict) and key != "":
            node[str(random.choice(HOSTILE_WORDS))] = node.pop(key)
        else:
            node[key] = copy.deepcopy(random.choice(HOSTILE_VALUES))
    return json.dumps(document[""]).encode()


def _places(node):
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from _places(node[key])


def of_lines(content: bytes, random, text_bytes: int = None) -> bytes:
    """Words and lines changed in what is text: the first `text_bytes`, the rest being values."""
    if random.random() < 0.1:
        return of_bytes(content, random)
    head, values = content[:text_bytes], content[len(content[:text_bytes]) :]
    lines = head.decode("utf-8").split("\n")
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(lines))
        action = random.random()
        if action < 0.1:
            lines.pop(at)
        elif action < 0.2:
            lines.insert(random.randrange(len(lines) + 1), lines[at])
        elif action < 0.25:
            lines.insert(at, random.choice(HOSTILE_WORDS))
        else:
            lines[at] = _of_line(lines[at], random)
        lines = lines or [""]
    values = values[: random.randrange(len(values) + 1)] if random.random() < 0.1 else values
    return "\n".join(lines).encode("utf-8", "surrogatepass") + values


def _of_line(line: str, random) -> str:
    mark = random.choice([m for m in (",", " ", "=", ":", ":=") if m in line] or [" "])
    words = line.split(mark)
    words[random.randrange(len(words))] = random.choice(HOSTILE_WORDS)
    return mark.join(words)


def of_bytes(content: bytes, random, header_bytes: int = 400) -> bytes:
    """Numbers in the header replaced; a part cut off, repeated or overwritten."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        action = random.random()
        if action < 0.7 and len(changed) > 8:
            size, code = random.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
            at = random.randrange(min(len(changed) - size + 1, header_bytes))
            number = random.choice(HOSTILE_NUMBERS) % 2 ** (8 * size)
            struct.pack_into(random.choice("<>") + code, changed, at, number)
        elif action < 0.85:
            del changed[random.randrange(len(changed) + 1) :]
        elif changed:
            at = random.randrange(len(changed))
            changed[at:at] = random.randbytes(random.randrange(1, 64))
    return bytes(changed)


def of_png(content: bytes, random) -> bytes:
    """As of bytes, and mostly with the checksum of the header made right again."""
    changed = bytearray(of_bytes(content, random, 33))
    if len(changed) > 33 and random.random() < 0.8:
        changed[29:33] = struct.pack(">I", zlib.crc32(bytes(changed[12:29])))
    return bytes(changed)


def of_gzip(content: bytes, random, change) -> bytes:
    """What is packed changed, and packed again; or the packed bytes changed."""
    if random.random() < 0.3:
        return of_bytes(content, random)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(change(zlib.decompress(content, 31), random)) + packer.flush()
