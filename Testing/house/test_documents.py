"""What the documents name is there: links, pages, files, commands, keys; JSON is read as it says."""

import ast
import json
import re

import pytest

from handbook import commands, reference
from handbook.documents import (
    DOCUMENTS,
    START,
    anchors_in,
    fences_in,
    headings_linked_in,
    links_in,
    reached_from,
    spans_in,
)
from landmark_heatmap.annotation.sets.set_file import read_set
from landmark_heatmap.model.cards.card_file import read_card
from landmark_heatmap.registering.start_file import read_start
from landmark_heatmap.worker import protocol
from places import MODULE_FOLDER, ROOT

IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
# Who reads JSON that says which schema it has.
READERS = {
    "landmark-heatmap-landmark-set": read_set,
    "landmark-heatmap-start": read_start,
    "landmark-heatmap-card": read_card,
}


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_command_would_be_taken(document):
    text = document.read_text(encoding="utf-8")
    faults = {each: commands.fault_of(each) for each in commands.commands_in(text)}
    faults |= {each: commands.fault_of_span(each) for each in spans_in(text)}
    assert {command: fault for command, fault in faults.items() if fault} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=IDS)
def test_every_json_is_read_as_what_it_says_it_is(document, tmp_path):
    for language, content in fences_in(document.read_text(encoding="utf-8")):
        if language == "json":
            assert problem_of_json(content, tmp_path) == ""


def problem_of_json(content: str, folder) -> str:
    """Why JSON of a document cannot be used; one message of the worker a line, or one document."""
    try:
        if content.startswith('{"message"'):
            for line in content.encode().splitlines():
                is_request = json.loads(line)["message"] in protocol._REQUESTS
                (protocol.read_request if is_request else protocol.read_answer)(line)
            return ""
        schema = json.loads(content).get("schema")
        if schema is not None:
            file = folder / "snippet.json"
            file.write_text(content, encoding="utf-8")
            READERS[schema](file)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_every_page_is_reached_from_the_first_one():
    assert {path.resolve() for path in DOCUMENTS} - reached_from(START) == set()


def test_every_page_is_in_the_contents_and_those_are_in_the_sidebar():
    """The front page is at the top; docs/conf.py makes the sidebar of the links of the contents."""
    contents = ROOT / "docs" / "README.md"
    listed = {(contents.parent / each).resolve() for each in links_in(text_of("docs/README.md"))}
    assert {path.resolve() for path in DOCUMENTS} - listed == {contents}


def test_the_page_of_the_command_line_is_what_the_programs_say():
    said = reference.PAGE.read_text(encoding="utf-8")
    assert said == reference.page(), "write it anew: python3 dev.py docs"


def test_every_argument_of_the_programs_says_what_it_is_for():
    assert [line for line in reference.page().splitlines() if line.endswith("|  |")] == []


def test_every_key_of_the_review_is_on_the_page_of_keys_and_no_other():
    source = (MODULE_FOLDER / "LandmarkHeatmapPanel/reviewing/keys.py").read_text(encoding="utf-8")
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
    }
    keys = {*assigned["SHORTCUTS"].values(), *assigned["CASE_SHORTCUTS"].values(), "Escape"}
    first = [
        line.split("|")[1] for line in text_of("docs/reference/keys.md").splitlines() if "|" in line
    ]
    assert set(re.findall(r"\*\*([^*]+)\*\*", " ".join(first))) == keys


def test_every_message_of_the_worker_is_on_its_page_with_all_that_it_holds():
    named = set(spans_in(text_of("docs/reference/worker.md")))
    for kind, fields in {**protocol._REQUESTS, **protocol._ANSWERS}.items():
        assert {kind, *fields} <= named, kind
    assert f"version {protocol.VERSION}" in text_of("docs/reference/worker.md")


def test_every_figure_of_consistency_is_on_the_page_of_metrics():
    from landmark_heatmap.judging.consistency import FIGURES, WINDOW_SIGMAS
    from landmark_heatmap.judging.modes import SADDLE, SECOND_MODE

    text = text_of("docs/reference/metrics.md")
    assert set(FIGURES) <= set(spans_in(text))
    for number in (WINDOW_SIGMAS, SADDLE, SECOND_MODE):
        assert re.search(rf"(?<![\d.]){number:g}(?![\d.]*\d)", text), number


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("landmark-heatmap detec a --model b --output c", "no command detec"),
        ("landmark-train fit --dat x", "has no --dat"),
        ("landmark-heatmap detect a --output c", "required: --model"),
        ("landmark-heatmap convert a --to tpss --output b", "invalid choice"),
        ("landmark-train fit --data a --epochs ten", "invalid int"),
        ("torchrun --nproc-per-node 2 -m landmark_training.cli fit --dta x", "has no --dta"),
        ("python3 dev.py demoo", "no job"),
        ("python Testing/benchmarks/training.py --quickly", "has no --quickly"),
        ("A=b .venv-3.11/bin/python training/benchmarks/gone.py", "there is no"),
    ],
)
def test_a_wrong_command_is_seen(command, fault):
    (found,) = commands.commands_in(f"```\n{command}\nls\n```\n")
    assert fault in commands.fault_of(found)


def test_a_right_command_and_a_synopsis_are_no_faults():
    text = (
        "```\nlandmark-heatmap detect IMAGE|FOLDER... --model NAME \\\n  --output DIR [--spacing MM]\n"
        "landmark-train fit --data a --output b --set 'spacing_mm=[1.2]'  # a word\n"
        "PYTHONPATH=x python3 dev.py demo\n```\n"
    )
    found = commands.commands_in(text)
    assert len(found) == 3
    assert [commands.fault_of(each) for each in found] == ["", "", ""]


def test_a_wrong_command_in_a_sentence_is_seen():
    assert commands.fault_of_span("landmark-train fit --from MODEL") == ""
    assert commands.fault_of_span("landmark-train fits") != ""
    assert commands.fault_of_span("landmark-heatmap dataset check --all") != ""
    assert spans_in("a `landmark-train\nfit` b\n```\n`c`\n```\n") == ["landmark-train fit"]


def test_wrong_json_is_seen(tmp_path):
    assert problem_of_json('{"a": 1}', tmp_path) == ""
    assert "JSON" in problem_of_json('{"a": 1,}', tmp_path)
    assert problem_of_json('{"message": "cancel"}', tmp_path) != ""
    assert problem_of_json('{"schema": "landmark-heatmap-start"}', tmp_path) != ""


def test_a_link_and_a_name_that_lead_nowhere_are_seen():
    text = "[a](gone.md#b) [c](https://example.org/x) [d](#e) `training/gone.py` `a/b`"
    assert links_in(text) == ["gone.md"]
    assert places_in(text) == ["training/gone.py"]


def test_a_heading_is_known_by_its_anchor():
    text = "# A `b`: c\n## Other people's tables\n[d](#a-b-c) [e](f.md#g) [h](https://i.org/#j)"
    assert anchors_in(text) == {"a-b-c", "other-peoples-tables"}
    assert headings_linked_in(text) == [("", "a-b-c"), ("f.md", "g")]


def test_a_page_is_reached_over_another_one(tmp_path):
    for name, text in (
        ("a", "[b](b.md)"),
        ("b", "[a](a.md) [c](sub/c.md#d)"),
        ("sub/c", ""),
        ("d", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.md").write_text(text)
    reached = {path.stem for path in reached_from(tmp_path / "a.md")}
    assert reached == {"a", "b", "c"}
