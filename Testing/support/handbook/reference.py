"""Writes docs/reference/command-line.md from the programs' own parsers: python -m handbook.reference"""

from __future__ import annotations

import argparse
import textwrap

from landmark_heatmap import cli as detecting
from landmark_training import cli as training
from places import ROOT

from .commands import subparsers_of

PAGE = ROOT / "docs" / "reference" / "command-line.md"
_WIDTH = 96
_START = """# Command line

All commands with all their options, as `--help` after a command tells them. This page is written from the
programs by `python3 dev.py docs`; what is wrong here is wrong there. How they are used:
[many images at once](../how-to/folders.md) and [training](../../training/README.md).

After `python3 dev.py setup` the programs lie in `.venv-*/bin`; `pip install '.[train]'` puts them on the
path. `--version` says which versions are at work. What is in square brackets may be left out.
"""


def page() -> str:
    """The whole page, as it has to lie on the disk."""
    parts = [_START]
    for program in (detecting, training):
        parser = program._parser()
        parts.append(f"## {parser.prog}\n\n{parser.description}\n\n{_exit_codes(program.main)}\n")
        parts += [_section(command, text) for command, text in _leaves(parser)]
    return "\n".join(parts)


def _exit_codes(main) -> str:
    """What the program's own documentation says of them."""
    told = " ".join(main.__doc__.split("Returns the exit code:")[1].split())
    return textwrap.fill(f"Exit codes: {told[:-1]}, and 143 for SIGTERM.", _WIDTH)


def _leaves(parser, text=""):
    """(parser, help) of each command that can be called, those of commands with actions too."""
    commands = subparsers_of(parser)
    if not commands:
        yield parser, text
        return
    (action,) = [each for each in parser._actions if each.choices is commands]
    helps = {each.dest: each.help for each in action._choices_actions}
    for name, command in commands.items():
        yield from _leaves(command, helps.get(name, ""))


def _section(parser, text: str) -> str:
    """A heading, what the command does, its synopsis, and a row for each of its arguments."""
    actions = [each for each in parser._actions if each.help != argparse.SUPPRESS]
    actions = [each for each in actions if not isinstance(each, argparse._HelpAction)]
    sentences = [_sentence(each) for each in (text, parser.description) if each]
    rows = [_in_table(f"`{_call(each)}`", _told(each)) for each in actions]
    return "\n".join(
        [
            f"### {parser.prog}\n",
            *(f"{sentence}\n" for sentence in sentences),
            f"```\n{_synopsis(parser.prog, actions)}\n```\n",
            "| argument | what |\n|---|---|",
            *rows,
            "",
        ]
    )


def _synopsis(program: str, actions) -> str:
    """First what has no name, then what is needed, then the rest."""
    order = sorted(actions, key=lambda a: (bool(a.option_strings), not a.required))
    words = [_call(a) if a.required else f"[{_call(a)}]" for a in order]
    # A word with its value stays on one line.
    kept = " ".join([program, *(word.replace(" ", "\0") for word in words)])
    lines = textwrap.wrap(
        kept, _WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent="    "
    )
    return " \\\n".join(lines).replace("\0", " ")


def _call(action) -> str:
    """`--data DATASET...`, as in a synopsis."""
    name = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if action.choices is not None and action.metavar is None:
        name = "|".join(map(str, action.choices))
    if isinstance(name, tuple):
        name = " ".join(name)
    elif isinstance(action.nargs, int) and action.nargs > 1:
        name = " ".join([name] * action.nargs)
    name += "..." if action.nargs in ("+", "*") else ""
    if not action.option_strings:
        return name.upper() if action.metavar is None else name
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {name}"


def _told(action) -> str:
    """The help, with the default where it is a value that the help does not tell."""
    text = action.help or ""
    default = action.default
    if (
        action.option_strings
        and default not in (None, False, True, [], argparse.SUPPRESS)
        and "default" not in text
    ):
        text += f" (default: {default})" if text else f"default: {default}"
    if type(action) is argparse._AppendAction:
        text += "; may be given several times"
    return text


def _in_table(*cells) -> str:
    """A row of a Markdown table."""
    cells = [cell.replace("|", r"\|").replace("<", "&lt;") for cell in cells]
    return f"| {' | '.join(cells)} |"


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def main() -> None:
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(ROOT).as_posix()}")


if __name__ == "__main__":
    main()
