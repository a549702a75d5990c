"""What a query may name, and what it gets for names that are none."""

import io
import os
import sys
from pathlib import Path

import pytest

from helpers.query import inputs

LONG = "x" * 300 + ".jpg"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path needs the polite session."""
    monkeypatch.setattr(inputs, "fetched", lambda _: pytest.fail("it was taken for an address"))


@pytest.mark.parametrize(
    "word", ["a\0b.jpg", "\ud800.jpg", LONG, f"{LONG}/[a]*", "[a\0]*", "\udcff\udcfe.jpg", "~" * 9]
)
def test_no_name_ends_the_run(word: str) -> None:
    """A word that no file can have stands for itself, and has a reason."""
    assert list(inputs.expand(word)) == [word]

    picture = inputs.load(word)
    assert picture.image is None
    assert picture.error


@pytest.mark.parametrize("word", ["[" * 30_000, "x/" + "[" * 9000, "?*[" * 5000])
def test_what_is_too_long_is_no_pattern(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To make a pattern of it would take minutes (found by the fuzzer)."""
    monkeypatch.setattr("glob.glob", lambda *_, **__: pytest.fail("it was taken for a pattern"))
    assert list(inputs.expand(word)) == [word]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    """It stands for itself, and has a reason."""
    (tmp_path / "shut").mkdir(mode=0)

    assert list(inputs.expand(str(tmp_path / "shut"))) == [str(tmp_path / "shut")]


def test_a_directory_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system says while names are looked up, the word stands for itself."""

    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)

    assert list(inputs.expand(str(tmp_path))) == [str(tmp_path)]


class Stdin:
    """Standard input that holds these bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_names_on_stdin_hold_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux's names are bytes: those that are not UTF-8 arrive as they are; no line is too long."""
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    with open(odd, "wb"):  # noqa: PTH123 - a name of bytes
        pass
    monkeypatch.setattr(sys, "stdin", Stdin(odd + b"\r\n\n\0\n" + b"y" * 200_000))

    names = [picture.name for picture in inputs.pictures(["-"])]

    assert names[:2] == [os.fsdecode(odd), "\0"]
    assert "".join(names[2:]) == "y" * 200_000
    assert inputs.load(names[0]).error == "empty file"


def test_a_closed_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names nothing."""
    monkeypatch.setattr(sys, "stdin", None)

    assert list(inputs.pictures(["-"])) == []
