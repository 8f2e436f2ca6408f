"""Commands that documents tell people to type: whether the programs would take them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

from landmark_heatmap import cli as detecting
from landmark_training import cli as training
from places import ROOT, SUPPORT

from .documents import fences_in

# Those that are told in the words of argparse, by how they are called.
PARSERS = {
    "landmark-heatmap": detecting._parser,
    "landmark-train": training._parser,
    "landmark_heatmap.cli": detecting._parser,
    "landmark_training.cli": training._parser,
}
# A word in a synopsis that stands for what a person puts there.
_STANDS_FOR_SOMETHING = re.compile(r"[A-Z][A-Z_]*")


def commands_in(text: str) -> list:
    """The commands in a document's fenced blocks, each on one line, comments left out."""
    lines = []
    for language, content in fences_in(text):
        if language in ("", "bash", "sh"):
            lines += re.sub(r"\\\n\s*", " ", content).splitlines()
    return [line.strip() for line in lines if _program(line)]


def fault_of(command: str) -> str:
    """Why a command would not be taken; empty if it would be."""
    program, rest = _program(command)
    if program == "dev.py":
        return _fault_of_job(rest)
    if program not in PARSERS:
        return _fault_of_script(program, rest)
    # argparse takes the beginning of an option for it; a document has to spell it out.
    known = _fault_of_words(PARSERS[program](), rest)
    if known:
        return known
    parser = PARSERS[program]()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(_filled(rest, parser))
    except SystemExit as ending:
        return said.getvalue() if ending.code else ""
    return ""


def fault_of_span(span: str) -> str:
    """The same for a command in a sentence, which may leave out what is not spoken of."""
    words = _words(span)
    return _fault_of_words(PARSERS[words[0]](), words[1:]) if words[0] in PARSERS else ""


def _fault_of_words(parser, words) -> str:
    """The first command or option among the words that there is not."""
    known = set()
    for word in words:
        known |= set(parser._option_string_actions)
        if word.startswith("--"):
            if word not in known:
                return f"{parser.prog} has no {word}"
        elif subparsers_of(parser):
            if word not in subparsers_of(parser):
                return f"{parser.prog} has no command {word}"
            parser = subparsers_of(parser)[word]
    return ""


def subparsers_of(parser) -> dict:
    """Name to parser of the commands of a command; empty if it has none."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            return action.choices
    return {}


def _words(command: str) -> list:
    """As a shell has them; of a synopsis, without brackets and dots, and the first of alternatives."""
    words = []
    for word in shlex.split(command, comments=True):
        word = word[1:] if word.startswith("[") else word
        word = word[:-1] if word.endswith("]") and "[" not in word else word
        word = word[:-3] if word.endswith("...") else word
        words += [word.split("|")[0]] if word else []
    return words


def _program(command: str):
    """(program, the words after it), or None for what is no command of ours.

    The program is one of PARSERS, `dev.py`, or the path of a script of this repository.
    """
    if not re.search(r"landmark|dev\.py|python|torchrun", command):
        return None
    words = _words(command)
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        words = words[1:]
    if not words:
        return None
    if words[0] in PARSERS:
        return words[0], words[1:]
    if not re.search(r"(^|/)(python[\d.]*|torchrun)$", words[0]):
        return None
    for index, word in enumerate(words):
        if word == "-m" and words[index + 1] in PARSERS:
            return words[index + 1], words[index + 2 :]
        if word == "-m" and words[index + 1].startswith(("headless.", "qt_host.", "handbook.")):
            script = SUPPORT / (words[index + 1].replace(".", "/") + ".py")
            return script.relative_to(ROOT).as_posix(), words[index + 2 :]
        if word == "dev.py":
            return word, words[index + 1 :]
        if word.endswith(".py"):
            return word, words[index + 1 :]
    return None


def _filled(words, parser) -> list:
    """The words with a number where a synopsis has a name for one."""
    filled, action = [], None
    for word in words:
        if word in subparsers_of(parser):
            parser = subparsers_of(parser)[word]
        if word.startswith("--"):
            action = parser._option_string_actions.get(word)
        elif (
            action is not None
            and action.type in (int, float)
            and _STANDS_FOR_SOMETHING.fullmatch(word)
        ):
            word = "1"
        filled.append(word)
    return filled


def jobs() -> dict:
    """The jobs of dev.py."""
    specification = importlib.util.spec_from_file_location("dev_of_documents", ROOT / "dev.py")
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded.JOBS


def _fault_of_job(words) -> str:
    if words and words[0] in jobs():
        return ""
    return f"python3 dev.py has no job {words[0] if words else ''!r}"


def _fault_of_script(name: str, words) -> str:
    """Its options are looked for in its source: to start it would take what it needs."""
    script = ROOT / name
    if not script.is_file():
        return f"there is no {name}"
    source = _with_what_it_imports(script)
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    unknown = [option for option in options if f'"{option}"' not in source]
    return f"{name} has no {', '.join(unknown)}" if unknown else ""


def _with_what_it_imports(script: Path) -> str:
    """The source of a script, and of its neighbours that it imports."""
    source = script.read_text(encoding="utf-8")
    names = re.findall(r"^(?:import|from) \.?(\w+)", source, re.MULTILINE)
    beside = [script.with_name(f"{name}.py") for name in names]
    return "\n".join(
        [source, *(path.read_text(encoding="utf-8") for path in beside if path.is_file())]
    )
