"""What the documents name is there: links, files and folders."""

import re

import pytest

from places import ROOT

DOCUMENTS = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(
        part.startswith(".") or part == "demo-output" for part in path.relative_to(ROOT).parts
    )
]
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}


def links_in(text: str) -> list:
    """The targets of a document's links that are no web addresses and no headings."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target.split("#")[0] for target in targets if not re.match(r"\w+:|#", target)]


def headings_linked_in(text: str) -> list:
    """(file, heading) of a document's links to a heading; the file is empty for its own."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [tuple(each.split("#")) for each in targets if "#" in each and ":" not in each]


def anchors_in(text: str) -> set:
    """How a document's headings are linked to: small letters, digits and hyphens."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def places_in(text: str) -> list:
    """What stands between backticks and begins with a folder or a file of the repository's root."""
    named = re.findall(r"`([\w./-]+)`", text)
    return [each for each in named if "/" in each and each.split("/")[0] in TOP]


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_link_leads_somewhere(document):
    targets = links_in(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_heading_that_is_linked_to_is_there(document):
    for file, heading in headings_linked_in(document.read_text(encoding="utf-8")):
        target = document.parent / file if file else document
        if target.suffix == ".md":
            assert heading in anchors_in(target.read_text(encoding="utf-8")), (file, heading)


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_file_that_is_named_is_there(document):
    named = places_in(document.read_text(encoding="utf-8"))
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_a_link_and_a_name_that_lead_nowhere_are_seen():
    text = "[a](gone.md#b) [c](https://example.org/x) [d](#e) `training/gone.py` `a/b`"
    assert links_in(text) == ["gone.md"]
    assert places_in(text) == ["training/gone.py"]


def test_a_heading_is_known_by_its_anchor():
    text = "# A `b`: c\n## Other people's tables\n[d](#a-b-c) [e](f.md#g) [h](https://i.org/#j)"
    assert anchors_in(text) == {"a-b-c", "other-peoples-tables"}
    assert headings_linked_in(text) == [("", "a-b-c"), ("f.md", "g")]
