"""The README says what the scripts really do, and says it briefly."""

import re

import pytest
from support import ROOT

from devtools.flags_doc import scripts

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: A newcomer reads so many words in about seven minutes; everything else stands in docs/.
MOST_WORDS = 1600


def section(title: str) -> str:
    """Return the README's text from a heading to the next one of the same or a higher level."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", README, re.MULTILINE)
    assert heading, f"no heading {title!r}"
    rest = README[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def test_it_stays_short() -> None:
    """Words are counted as `wc -w` does."""
    assert len(README.split()) <= MOST_WORDS


def test_every_script_has_its_line() -> None:
    """The table of scripts has a row for each script, and for nothing else."""
    listed = re.findall(r"^\| `([^`]+\.py)` \|", section("Scripts"), re.MULTILINE)
    assert sorted(listed) == sorted(scripts())


def test_every_document_is_linked() -> None:
    """Whoever starts at the README finds all of docs/."""
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", README))
    assert linked == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets(target: str) -> None:
    """`make demo` and `make test` stand in a code block of the README and in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert re.search(rf"^make {target}\b", section("Two commands"), re.MULTILINE)


@pytest.mark.parametrize(
    "told",
    [
        "--workers",
        "--max-retries",
        "--hnsw-m",
        "--hnsw-ef-construction",
        "--ef-search",
        "Retry-After",
        "HTTP 429",
        "checkpoint",
        "validate_cache.py",
    ],
)
def test_what_users_asked_for_is_told(told: str) -> None:
    """Downloads, courtesy, HNSW, efSearch and troubles have their lines in the README itself."""
    titles = ("Downloading faster, and politely", "Tuning the index", "When something goes wrong")
    assert told in "".join(map(section, titles))
