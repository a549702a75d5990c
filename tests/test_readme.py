"""The README says what the scripts really do: every script, flag, default, exit code and link."""

from __future__ import annotations

import functools
import re
import shlex
import signal
import subprocess
import sys

import pytest
from support import ROOT, environment

from helpers import errors

README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.py"), *ROOT.glob("scripts/*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


@functools.cache
def options(script: str) -> dict[str, str]:
    """Return each long flag of a script's `--help` with the text behind it, on one line."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"],
        capture_output=True,
        text=True,
        env=environment(COLUMNS="1000"),
        check=True,
    )
    rows = re.findall(r"^  (-.*?)(?:  +(.*))?$", done.stdout, re.MULTILINE)
    return {flag: text for names, text in rows for flag in FLAG.findall(names)}


def section(title: str) -> str:
    """Return the README's text from a heading to the next one of the same or a higher level."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", README, re.MULTILINE)
    assert heading, f"no heading {title!r}"
    rest = README[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def listed(script: str) -> list[tuple[str, str]]:
    """Return the flags that the README's tables list for a script, with their defaults.

    A table is either `Of` some scripts or names the script in the first cell of each row.
    """
    rows: list[tuple[str, str]] = []
    for block in re.split(r"^### ", section("Scripts and flags"), flags=re.MULTILINE)[1:]:
        of = re.search(r"^Of (.*):$", block, re.MULTILINE)
        name = re.escape(f"| `{script}` ") if of is None else ""
        if of is None or f"`{script}`" in of[1]:
            rows += re.findall(rf"^{name}\| (`-.*?) \| (.*?) \|", block, re.MULTILINE)
    return [(flag, default.strip("`")) for cell, default in rows for flag in FLAG.findall(cell)]


def commands() -> list[tuple[str, list[str]]]:
    """Return every `python SCRIPT …` of the README's code blocks: the script, and its flags."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    found = re.findall(r"(?:^|/| )python3? (\S+\.py)([^\n|>&;#)]*)", text, re.MULTILINE)
    return [(script, FLAG.findall(" ".join(shlex.split(rest)))) for script, rest in found]


def test_every_script_has_its_commands() -> None:
    """The table of scripts has a row for each script, and for nothing else."""
    table = section("Scripts and flags").split("\n### ")[0]
    assert sorted(re.findall(r"^\| `([^`]+\.py)` \|", table, re.MULTILINE)) == SCRIPTS


def test_every_command_can_be_typed() -> None:
    """Each command in a code block names a script that exists, with flags that it has."""
    found = commands()
    assert len(found) > 10
    for script, flags in found:
        known = [name for name in SCRIPTS if script == name or script.endswith(f"/{name}")]
        assert known, f"no such script: {script}"
        assert set(flags) <= options(max(known, key=len)).keys(), script


@pytest.mark.parametrize("script", SCRIPTS)
def test_flag_tables_equal_the_help(script: str) -> None:
    """The tables list exactly the flags of `--help`, each once; all scripts have that one."""
    flags = [flag for flag, _ in listed(script)]
    assert sorted([*flags, "--help"]) == sorted(options(script))


@pytest.mark.parametrize("script", SCRIPTS)
def test_defaults_equal_the_help(script: str) -> None:
    """Where `--help` ends with a default of one word, the table has the same."""
    defaults = dict(listed(script))
    for flag, text in options(script).items():
        told = re.search(r"\((?:default: )?(?!JSON)([^\s()]+)\)$", text)
        if told:
            assert defaults[flag] == told[1].removesuffix(".0"), flag


def test_files_that_are_named_exist() -> None:
    """Every file of the project that the text names by its path is there."""
    named = re.findall(r"`((?:scripts/|helpers/|tests/)?\w+\.(?:py|txt))`", README)
    assert set(SCRIPTS) <= set(named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_exit_codes_equal_the_program() -> None:
    """The table of exit codes holds the codes of `helpers.errors`, 0, and those of the signals."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in classes if issubclass(each, errors.AppError)}
    codes |= {0} | {errors.Stopped(number).exit_code for number in (signal.SIGINT, signal.SIGTERM)}
    listed = re.findall(r"^\| (\d+) \|", section("Exit codes"), re.MULTILINE)
    assert sorted(map(int, listed)) == sorted(codes)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets(target: str) -> None:
    """`make demo` and `make test` stand in a code block of the README and in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert re.search(rf"^make {target}\b", section("Two commands"), re.MULTILINE)


def test_local_links_lead_somewhere() -> None:
    """Every link to a file or a heading of the project leads to one."""
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif "://" not in link:
            assert (ROOT / link).is_file(), link
