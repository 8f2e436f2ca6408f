"""The Markdown files of this repository, and what stands in them."""

from __future__ import annotations

import re
from pathlib import Path

from places import ROOT

START = ROOT / "README.md"
# What is made here, and is no document of the project: environments, HTML, what the demo writes.
_MADE = re.compile(r"\..*|build|demo-output.*")
DOCUMENTS = [
    path
    for top in sorted(ROOT.iterdir())
    if not _MADE.fullmatch(top.name)
    for path in ([top] if top.is_file() else sorted(top.rglob("*.md")))
    if path.suffix == ".md"
    and not any(part.startswith(".") for part in path.parts[len(ROOT.parts) :])
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fences_in(text: str) -> list:
    """(language, content) of every fenced block."""
    return _FENCE.findall(text)


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def spans_in(text: str) -> list:
    """What stands between single backticks, on one line or two."""
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", without_fences(text))
    return [" ".join(span.split()) for span in spans]


def links_in(text: str) -> list:
    """The targets of a document's links and pictures that are no web addresses and no headings."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target.split("#")[0] for target in targets if not re.match(r"\w+:|#", target)]


def headings_linked_in(text: str) -> list:
    """(file, heading) of a document's links to a heading; the file is empty for its own."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [tuple(each.split("#")) for each in targets if "#" in each and ":" not in each]


def anchors_in(text: str) -> set:
    """How a document's headings are linked to: small letters, digits and hyphens."""
    titles = re.findall(r"^#+ (.+)$", without_fences(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def reached_from(start: Path) -> set:
    """The documents that links lead to, from this one on."""
    reached, waiting = set(), [start.resolve()]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        linked = links_in(document.read_text(encoding="utf-8"))
        targets = {(document.parent / each).resolve() for each in linked if each.endswith(".md")}
        waiting += targets - reached
    return reached
