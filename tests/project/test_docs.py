"""README, CONTRIBUTING and docs/ agree with the scripts, with the files and with each other."""

import functools
import re
import shlex
import signal
from pathlib import Path

import pytest
from support import ROOT

from devtools import flags_doc, tree_doc
from helpers import errors

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"))
)
SCRIPTS = flags_doc.scripts()
LINK = re.compile(r"\]\(([^)\s]+)\)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
FILE = re.compile(r"`((?:scripts|helpers|devtools|tests)/[a-z_/]+\.(?:py|mjs))`")
#: Flags of pip and of systemctl.
FOREIGN = {"--ignore-missing", "--index-url", "--now"}
#: Flags that the documents already name and no script has yet; a test keeps this list honest.
PLANNED: frozenset[str] = frozenset()


def read(document: str) -> str:
    """Return the text of a document of the project."""
    return (ROOT / document).read_text(encoding="utf-8")


@functools.cache
def flags(script: str) -> frozenset[str]:
    """Return the long flags of a script, those that all scripts have included."""
    rows = [row for group in flags_doc.describe(script).groups for row in group.rows]
    named = [name for row in rows for name in FLAG.findall(row.split(" | ")[0])]
    return frozenset({"--help", "--version", *named})


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return every `python SCRIPT …` of the code blocks of a text: the script, and its flags."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = re.findall(
        r"(?:^|/| )python3? (\S+\.py)([^\n|>&;#)]*)", "\n".join(blocks), re.MULTILINE
    )
    return [(script, FLAG.findall(" ".join(shlex.split(rest)))) for script, rest in found]


def anchors(text: str) -> set[str]:
    """Return the names under which a Markdown text's headings can be linked to."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_flags_equal_the_parsers() -> None:
    """docs/flags.md is what `python -m devtools.flags_doc` writes."""
    assert read("docs/flags.md") == flags_doc.text()


def test_the_tree_equals_the_files() -> None:
    """The tree in docs/developing.md is what `python -m devtools.tree_doc` writes."""
    text = read("docs/developing.md")
    assert text == tree_doc.filled(text, ROOT)


def test_the_tree_tells_files_and_packages(tmp_path: Path) -> None:
    """Packages come with their own line, folders without Python files not at all."""
    for name, text in {
        "ask.py": '"""Ask.\n\nMore."""\n',
        "helpers/__init__.py": '"""The product."""\n',
        "helpers/cards/__init__.py": '"""Cards."""\n',
        "helpers/cards/face.py": '"""A face."""\n',
        "helpers/pictures/logo.txt": "",
        "scripts/run.py": '"""Run."""\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "devtools").mkdir()
    assert tree_doc.tree(tmp_path).splitlines() == [
        "```text",
        "ask.py       Ask.",
        "scripts/",
        "  run.py     Run.",
        "helpers/     The product.",
        "  cards/     Cards.",
        "    face.py  A face.",
        "```",
    ]


def test_a_tree_needs_its_marks() -> None:
    """A document without the place for the tree is refused, not overwritten."""
    with pytest.raises(ValueError, match="lacks the mark"):
        tree_doc.filled("# Developing\n", ROOT)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_local_links_lead_somewhere(document: str) -> None:
    """Every link to a file or a heading of the project leads to one."""
    for link in LINK.findall(read(document)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_can_be_typed(document: str) -> None:
    """Each command in a code block names a script that exists, with flags that it has."""
    for script, used in commands(read(document)):
        known = [name for name in SCRIPTS if script == name or script.endswith(f"/{name}")]
        assert known, f"no such script: {script}"
        assert set(used) <= flags(max(known, key=len)), script


def test_commands_and_links_are_found() -> None:
    """The tests of commands and links have something to look at."""
    assert len(LINK.findall(read("README.md"))) > 10
    assert len(commands(read("README.md"))) >= 5
    assert commands("```sh\n.venv/bin/python /opt/a.py --fix x  # no --comment\n```") == [
        ("/opt/a.py", ["--fix"])
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_flag_exists(document: str) -> None:
    """No text names a flag that no script has."""
    known = frozenset[str]().union(*map(flags, SCRIPTS))
    assert not PLANNED & known, "no longer planned: take it out of PLANNED"
    assert set(FLAG.findall(read(document))) - FOREIGN - PLANNED <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    """Every file of the project that a text names by its path is there."""
    named = FILE.findall(read(document))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_exit_codes_equal_the_program() -> None:
    """The table of exit codes holds the codes of `helpers.errors`, 0, and those of the signals."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in classes if issubclass(each, errors.AppError)}
    codes |= {0} | {errors.Stopped(number).exit_code for number in (signal.SIGINT, signal.SIGTERM)}
    listed = re.findall(r"^\| (\d+) \|", read("docs/exit-codes-and-files.md"), re.MULTILINE)
    assert sorted(map(int, listed)) == sorted(codes)
