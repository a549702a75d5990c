"""A cache in which anything may have happened: it costs the damaged part, never the whole."""

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Scryfall, run

from helpers.cards.bulk_file import cached_bulk
from helpers.images.cache import ImageCache

NAME = "0123456789abcdef" * 3 + ".jpg"


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\n",
        b"\0" * 5000,
        b"no digest\n",
        b"a" * 64 + b"  -1.jpg\n",
        b"a" * 64 + b"  " + b"z" * 48 + b".jpg\n",
        b"a" * 200_000 + b"\n",
    ],
)
def test_a_damaged_line_of_digests_costs_that_line(damage: bytes, tmp_path: Path) -> None:
    """The lines before and after it count."""
    other = NAME.replace("0", "1")
    (tmp_path / "SHA256SUMS").write_bytes(
        b"b" * 64
        + b"  "
        + NAME.encode()
        + b"\n"
        + damage
        + b"\n"
        + b"c" * 64
        + b"  "
        + other.encode()
        + b"\n"
    )

    table = ImageCache(tmp_path).digests()

    assert table.get(NAME) == b"\xbb" * 32
    assert table.get(other) == b"\xcc" * 32


@pytest.mark.parametrize(
    "name",
    ["-1.jpg", "x.jpg", ".jpg", "+000000000000001.jpg", "٣" * 16 + ".jpg", "0 " * 8 + ".jpg"],
)
def test_strange_names_have_no_digest(name: str, tmp_path: Path) -> None:
    """A name that is none of ours is looked up without harm."""
    ImageCache(tmp_path).note_digest(NAME, b"")

    assert ImageCache(tmp_path).digests().get(name) is None


def test_what_is_no_file_is_broken(scryfall: Scryfall, tmp_path: Path) -> None:
    """A directory, a pipe, a strange name: named, removed by --fix, fetched again."""
    cache = tmp_path / "cache"
    flags = ("--scryfall-api", scryfall.url, "--cache", cache, "--json")
    assert run("download_images.py", *flags).code == 0
    victims = sorted(cache.glob("*.jpg"))[:2]
    for victim in victims:
        victim.unlink()
    victims[0].mkdir()
    os.mkfifo(victims[1])
    (cache / "-1.jpg").write_bytes(b"x" * 100)
    with (cache / "SHA256SUMS").open("ab") as sums:
        sums.write(b"\xff\xff  \xff.jpg\n")

    check = run("scripts/validate_cache.py", "--cache", cache, "--json")

    assert check.code == 3, check.err
    failures = {failure["filename"]: failure["reason"] for failure in check.json()["failures"]}
    assert failures.keys() == {"-1.jpg", victims[0].name, victims[1].name}
    assert "directory" in failures[victims[0].name]
    assert "pipe" in failures[victims[1].name]
    first = run("download_images.py", *flags)
    assert first.code == 3, "one of 24 is more than 1 %"
    assert [failure["reason"] for failure in first.json()["failures"]] == [
        f"a directory has the name of its file: {victims[0]}"
    ]
    assert first.json()["downloaded"] == 1
    assert run("scripts/validate_cache.py", "--cache", cache, "--fix").code == 0
    assert run("download_images.py", *flags).json()["downloaded"] == 1
    assert run("scripts/validate_cache.py", "--cache", cache, "--quiet").err == ""


def test_a_directory_that_is_not_empty_is_not_removed(cache: Path) -> None:
    """`--fix` removes no file that it has not judged."""
    (cache / "mine.jpg").mkdir()
    (cache / "mine.jpg" / "thesis.txt").touch()

    result = run("scripts/validate_cache.py", "--cache", cache, "--fix")

    assert result.code == 6
    assert "mine.jpg" in result.err
    assert (cache / "mine.jpg" / "thesis.txt").exists()


def cut(data: bytes) -> bytes:
    """Lose the middle, and keep the last line."""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[-1:])


def swap(data: bytes) -> bytes:
    """Change a line into other valid JSON."""
    return data.replace(b'"', b"'", 2)


def more(data: bytes) -> bytes:
    """Let the last line claim more faces than there are."""
    return data.replace(b'"total": 24', b'"total": 99')


@pytest.mark.parametrize("harm", [cut, swap, more, lambda data: data[:-9], lambda _: b"\0\n" * 99])
def test_a_damaged_face_list_is_worked_out_again(
    harm: Callable[[bytes], bytes], cache: Path
) -> None:
    """It is the cache of a computation: no run ends because of it, and the next finds it whole."""
    path = next(cache.glob("faces-*.jsonl"))
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    assert path.read_bytes() != whole

    result = run("scripts/prune_cache.py", "--cache", cache, "--json")

    assert result.code == 0, result.err
    assert result.json()["needed"] == 24
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../bulk.jsonl"},
        {"path": 3},
        {"sha256": None},
        {"checked_at": "now"},
        {"updated_at": 20260720},
        {"unknown": 1},
    ],
)
def test_a_note_of_the_bulk_file_is_not_believed(change: dict[str, Any], tmp_path: Path) -> None:
    """A field of another type, or a path elsewhere: as if there were no note."""
    (tmp_path / "bulk.jsonl").touch()
    note = {"path": "bulk.jsonl", "kind": "all_cards", "sha256": "aa", "checked_at": time.time()}
    target = tmp_path / "cache" / "bulk-all_cards.json"
    target.parent.mkdir()
    (target.parent / "bulk.jsonl").touch()
    target.write_text(json.dumps(note))
    assert cached_bulk(target.parent, "all_cards") is not None

    target.write_text(json.dumps({**note, **change}))

    assert cached_bulk(target.parent, "all_cards") is None


@pytest.mark.parametrize("moment", [4e9, math.inf, math.nan])
def test_a_note_from_the_future_is_old(moment: float, tmp_path: Path) -> None:
    """A wrong clock does not stop us from asking until it is right."""
    (tmp_path / "bulk.jsonl").touch()
    note = {"path": "bulk.jsonl", "kind": "all_cards", "sha256": "aa", "checked_at": moment}
    (tmp_path / "bulk-all_cards.json").write_text(json.dumps(note))

    bulk = cached_bulk(tmp_path, "all_cards")

    assert bulk is not None
    assert np.isposinf(bulk.age_hours)
