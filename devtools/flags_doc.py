"""Writes docs/flags.md from the parsers of the scripts: `python -m devtools.flags_doc`."""

import argparse
import os
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from helpers.atomic_io import atomic_write

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "flags.md"
HEAD = """\
# Flags

<!-- Written by `python -m devtools.flags_doc`; a test compares. Change the parsers instead. -->

Left out below: `-h`, `--help`, and `--version`, which prints the version.
"""
_DEFAULT = " (%(default)s)"  # at the end of a help


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


def scripts() -> list[str]:
    """Return the paths of all scripts, relative to the root, the main ones first."""
    found = (*sorted(ROOT.glob("*.py")), *sorted((ROOT / "scripts").glob("*.py")))
    return [
        path.relative_to(ROOT).as_posix()
        for path in found
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]


def parser_of(script: str) -> argparse.ArgumentParser:
    """Return the parser of a script, as it is where no variable of ours is set."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MTG_")}
    path = ROOT / script
    with (
        mock.patch.dict(os.environ, own, clear=True),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
    ):
        parser: argparse.ArgumentParser = runpy.run_path(str(path))["PARSER"]
    return parser


def describe(script: str) -> Script:
    """Return what a script's parser says."""
    parser = parser_of(script)
    summary = (parser.description or "").strip().partition("\n\n")[0]
    # argparse has no public name for its groups, and prints them in this order.
    groups = tuple(
        Group(group.title or "", tuple(_rows(group._group_actions)))  # noqa: SLF001
        for group in parser._action_groups  # noqa: SLF001
    )
    used = tuple(group for group in groups if group.rows)
    return Script(script, " ".join(summary.split()), used)


def _rows(actions: Iterable[argparse.Action]) -> Iterator[str]:
    for action in actions:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):  # noqa: SLF001
            continue
        named = action.option_strings or [str(action.metavar)]
        names = ", ".join(f"`{name}`" for name in named)
        default, meaning = _default_and_meaning(action)
        yield f"| {names} | {default} | {_escaped(meaning)} |"


def _escaped(text: str) -> str:
    """Keep Markdown from taking `|` for a column and `<id>` for a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _default_and_meaning(action: argparse.Action) -> tuple[str, str]:
    """Return both cells; a default in brackets at the end of the help is not said twice."""
    text = (action.help or "").replace("%%", "%")
    if action.nargs == 0:
        return ("on" if action.default else "off"), text
    if text.endswith(_DEFAULT):
        return f"`{_value(action.default)}`", text.removesuffix(_DEFAULT)
    meaning, bracket, told = text.rpartition(" (")
    if bracket and told.endswith(")"):
        return told[:-1], meaning
    return "none", text


def _value(default: object) -> str:
    """Return a default as it is typed: 5.0 is "5"."""
    return re.sub(r"^(\d+)\.0$", r"\1", str(default))


def text() -> str:
    """Return docs/flags.md: the groups that scripts share first, then each script with its own."""
    found = [describe(script) for script in scripts()]
    users: dict[Group, list[str]] = {}
    for script in found:
        for group in script.groups:
            users.setdefault(group, []).append(script.path)
    shared = {
        group: ", ".join(f"`{path}`" for path in paths)
        for group, paths in users.items()
        if len(paths) > 1
    }
    blocks = [HEAD, "## Flags of several scripts\n"]
    for group, names in shared.items():
        blocks.append(f"### {_heading(group)}\n\nOf {names}.\n\n{_table(group.rows)}")
    blocks += [_section(script, shared) for script in found]
    return "\n".join(blocks)


def _section(script: Script, shared: Iterable[Group]) -> str:
    parts = [f"## {script.path}\n", f"{script.summary}\n"]
    if common := [group for group in script.groups if group in shared]:
        links = ", ".join(f"[{_heading(each)}](#{each.title.lower()})" for each in common)
        parts.append(f"Shared flags: {links}.\n")
    own = [group for group in script.groups if group not in shared]
    parts += [f"{_heading(group)}:\n\n{_table(group.rows)}" for group in own]
    return "\n".join(parts)


def _heading(group: Group) -> str:
    return group.title[:1].upper() + group.title[1:]


def _table(rows: Sequence[str]) -> str:
    return "\n".join(["| flag | default | meaning |", "|---|---|---|", *rows]) + "\n"


def main() -> int:
    """Write the file."""
    atomic_write(TARGET, text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
