"""Writes docs/flags.md from the parsers of the scripts: `python -m devtools.flags_doc`."""

import argparse
import contextlib
import os
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from unittest import mock

from helpers.atomic_io import atomic_write

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "flags.md"
HEAD = """\
# Flags

<!-- Written by `python -m devtools.flags_doc`; a test compares. Change the parsers instead. -->

Left out below: `-h`, `--help`, and `--version`, which prints the version.
"""
_TABLE = ("| flag | default | meaning |", "|---|---|---|")
#: argparse's own groups; their flags need no heading of their own.
_PLAIN_GROUPS = ("options", "positional arguments")


@dataclass(frozen=True, slots=True)
class Group:
    """The flags under one heading of a `--help`."""

    title: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """What the parser of a script says."""

    path: str
    summary: str
    groups: tuple[Group, ...]


class _FoundParser(BaseException):
    """Carries a parser out of its script; no `except Exception` of the script stops it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def scripts() -> list[str]:
    """Return the paths of all scripts, relative to the root, the main ones first."""
    found = (*sorted(ROOT.glob("*.py")), *sorted((ROOT / "scripts").glob("*.py")))
    return [
        path.relative_to(ROOT).as_posix()
        for path in found
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]


def parser_of(script: str) -> argparse.ArgumentParser:
    """Return the parser of a script: the script is run up to the parsing of its arguments."""

    def stop(parser: argparse.ArgumentParser, *_args: object, **_kwargs: object) -> NoReturn:
        raise _FoundParser(parser)

    own = {name: value for name, value in os.environ.items() if not name.startswith("MTG_")}
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_known_args", stop),
        mock.patch.dict(os.environ, own, clear=True),
        _as_main(ROOT / script) as path,
    ):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _FoundParser as found:
            return found.parser
    raise ValueError(f"{script} ends without parsing its arguments")


@contextlib.contextmanager
def _as_main(path: Path) -> Iterator[Path]:
    """Let a script find what lies beside it, and its own name in `sys.argv`."""
    with (
        mock.patch.object(sys, "argv", [str(path)]),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
    ):
        yield path


def describe(script: str) -> Script:
    """Return what a script's parser says."""
    parser = parser_of(script)
    summary = (parser.description or "").strip().partition("\n\n")[0]
    # argparse has no public name for its groups, and prints them in this order.
    groups = tuple(
        Group(group.title or "", tuple(_rows(parser, group._group_actions)))  # noqa: SLF001
        for group in parser._action_groups  # noqa: SLF001
    )
    used = tuple(group for group in groups if group.rows)
    return Script(script, " ".join(summary.split()), used)


def _rows(parser: argparse.ArgumentParser, actions: Iterable[argparse.Action]) -> Iterator[str]:
    for action in actions:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):  # noqa: SLF001
            continue
        named = action.option_strings or [str(action.metavar)]
        names = ", ".join(f"`{name}`" for name in named)
        default, meaning = _default_and_meaning(parser, action)
        yield f"| {names} | {default} | {_escaped(meaning)} |"


def _escaped(text: str) -> str:
    """Keep Markdown from taking `|` for a column and `<id>` for a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _default_and_meaning(
    parser: argparse.ArgumentParser, action: argparse.Action
) -> tuple[str, str]:
    """Return both cells; a default in brackets at the end of the help is not said twice."""
    filled = {**vars(action), "prog": parser.prog}
    text = (action.help or "") % filled
    meaning, told = _split_brackets(text)
    if action.choices:
        words = ", ".join(f"`{word}`" for word in action.choices)
        meaning = f"{meaning}: {words}" if meaning else words
    if isinstance(action, argparse.BooleanOptionalAction):
        return ("on" if action.default else "off"), meaning
    if action.nargs == 0:
        return "off", text
    if action.required and action.nargs != argparse.ZERO_OR_MORE:
        return "required", text
    value = _value(action.default)
    if told:
        return (f"`{value}`" if value == _value(told) else told), meaning
    return (f"`{value}`" if value else "none"), meaning or text


def _split_brackets(text: str) -> tuple[str, str]:
    """Split "seconds (default: 5)" into its meaning and "5"; brackets may hold brackets."""
    if not text.endswith(")"):
        told = re.fullmatch(r"(?:(.*); )?default: (.*)", text)
        return (told[1] or "", told[2]) if told else (text, "")
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if depth == 0:
            return text[:place].rstrip(), text[place + 1 : -1].removeprefix("default: ")
    return text, ""


def _value(default: object) -> str:
    """Return a default as it is typed: 5.0 → "5", None and an empty list → ""."""
    if default is None or default == []:
        return ""
    text = str(default)
    return text.removesuffix(".0") if re.fullmatch(r"\d+\.0", text) else text


def text() -> str:
    """Return docs/flags.md: the groups that scripts share first, then each script with its own."""
    found = [describe(script) for script in scripts()]
    users: dict[Group, list[str]] = {}
    for script in found:
        for group in script.groups:
            users.setdefault(group, []).append(script.path)
    shared = {
        group: paths
        for group, paths in users.items()
        if len(paths) > 1 and group.title not in _PLAIN_GROUPS
    }
    blocks = [HEAD, "## Flags of several scripts\n"]
    for group, paths in shared.items():
        names = ", ".join(f"`{path}`" for path in paths)
        blocks.append(f"### {_heading(group)}\n\nOf {names}.\n\n{_table(group.rows)}")
    blocks += [_section(script, shared) for script in found]
    return "\n".join(blocks)


def _section(script: Script, shared: Iterable[Group]) -> str:
    common = [group for group in script.groups if group in shared]
    own = [group for group in script.groups if group not in shared]
    parts = [f"## {script.path}\n", f"{script.summary}\n"]
    if common:
        links = ", ".join(f"[{_heading(each)}](#{each.title.lower()})" for each in common)
        parts.append(f"Shared flags: {links}.\n")
    plain = [row for group in own if group.title in _PLAIN_GROUPS for row in group.rows]
    if plain:
        parts.append(_table(plain))
    parts += [
        f"{_heading(group)}:\n\n{_table(group.rows)}"
        for group in own
        if group.title not in _PLAIN_GROUPS
    ]
    return "\n".join(parts)


def _heading(group: Group) -> str:
    return group.title[:1].upper() + group.title[1:]


def _table(rows: Sequence[str]) -> str:
    return "\n".join([*_TABLE, *rows]) + "\n"


def main() -> int:
    """Write the file."""
    atomic_write(TARGET, text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
