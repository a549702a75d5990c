"""The bulk file: every shape it comes in, how it is kept up to date, and what is refused."""

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Scryfall, run

from devtools.scryfall.faults import Response, json_answer
from devtools.scryfall.server import Server
from helpers.cards.bulk_file import cached_bulk, iter_cards, local_bulk
from helpers.cards.face_list import list_path, read_list, write_faces
from helpers.errors import DataError

CARDS = [{"object": "card", "name": f"Card {n}", "artist": "a\u2028b [{,"} for n in range(40)]
JSONL = "".join(json.dumps(card, ensure_ascii=False) + "\n" for card in CARDS).encode()
FILE = "/data.scryfall.io/"
HALVES = JSONL[: JSONL.index(b"\n") + 1], JSONL[JSONL.index(b"\n") + 1 :]


@pytest.fixture(scope="module")
def server(deck: Path) -> Iterator[Scryfall]:
    """One Scryfall for all tests here."""
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        yield server


def fetch(server: Scryfall, cache: Path, *args: object) -> tuple[int, list[dict[str, Any]]]:
    """Bring the bulk file up to date; return the exit code and the requests."""
    before = len(server.log())
    result = run("download_images.py", "--scryfall-api", server.url, "--cache", cache,
                 "--limit", 0, *args)  # fmt: skip
    return result.code, server.log()[before:]


@pytest.fixture(params=["msgspec and isal", "the standard library"])
def readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with and without the libraries that are only faster."""
    if request.param == "the standard library":
        monkeypatch.setattr("helpers.json_lines.msgspec", None)
        monkeypatch.setitem(sys.modules, "isal", None)


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(JSONL, id="jsonl"),
        pytest.param(JSONL.rstrip(), id="no-last-newline"),
        pytest.param(b"\xef\xbb\xbf" + JSONL.replace(b"\n", b"\r\n"), id="bom-and-crlf"),
        pytest.param(gzip.compress(JSONL), id="gzip"),
        pytest.param(b"".join(map(gzip.compress, HALVES)), id="gzip-of-two-members"),
        pytest.param(json.dumps(CARDS).encode(), id="array"),
        pytest.param(json.dumps(CARDS, indent=2, ensure_ascii=False).encode(), id="array-of-lines"),
        pytest.param(gzip.compress(json.dumps(CARDS).encode()), id="array-gzip"),
    ],
)
def test_every_shape_gives_the_same_cards(content: bytes, tmp_path: Path) -> None:
    """JSONL or an array, gzipped or not: the same objects in the same order."""
    path = tmp_path / "bulk"
    path.write_bytes(content)
    assert list(iter_cards(path)) == CARDS


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(JSONL, mtime=0)[:-9], "it cannot be read to its end"),
        (gzip.compress(JSONL, mtime=0)[:60] + bytes(40), "it cannot be read to its end"),
        (gzip.compress(JSONL, mtime=0)[:-4] + b"abcd", "it cannot be read to its end"),
        (JSONL[:-20], "it cannot be read to its end"),
        (json.dumps(CARDS).encode()[:-1], "to its end: the array is broken"),
        (b"", "it holds no cards"),
        (b"[]", "it holds no cards"),
        (b"<html></html>", "it cannot be read to its end"),
        (b'{"object":"list","data":[]}', "not a card object"),
        (b"[1, 2]", "not a card object"),
        (b"[" * 100_000, "it cannot be read to its end"),
    ],
)
def test_what_is_no_bulk_file_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    """Damage anywhere, even in the last bytes, is found before the end of the stream."""
    path = tmp_path / "bulk"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(iter_cards(path))
    assert reason in caught.value.details


BAD_LINES = [b"{", b'"text"', b"7", b"[]", b"\xff", b'{"object":"list"}', b"[" * 100_000]


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
@pytest.mark.parametrize("place", [1, 20, 40])
def test_one_bad_line_does_not_spoil_the_others(bad: bytes, place: int, tmp_path: Path) -> None:
    """Wherever it stands it is named by its number, and every card is there."""
    lines = JSONL.splitlines(keepends=True)
    path = tmp_path / "bulk"
    path.write_bytes(b"".join([*lines[:place], bad + b"\n", *lines[place:]]))
    entries: list[object] = list(iter_cards(path))
    assert entries[:place] + entries[place + 1 :] == CARDS
    assert f"entry {place + 1} is not " in str(entries[place])


def test_many_bad_lines_are_no_bulk_file(tmp_path: Path) -> None:
    """A few are left out, more are refused long before the end of the file."""
    path = tmp_path / "bulk"
    path.write_bytes(JSONL + b"{\n" * 10)
    assert sum(isinstance(entry, str) for entry in iter_cards(path)) == 10
    path.write_bytes(JSONL + b"{\n" * 11 + JSONL * 100)
    with pytest.raises(DataError) as caught:
        list(iter_cards(path))
    assert "entry 51 is not JSON" in caught.value.details
    assert "and 10 before it are bad" in caught.value.details


def test_a_bad_line_is_counted_and_warned_of(tmp_path: Path, deck: Path) -> None:
    """A download says which line it left out and why, and brings the rest."""
    bulk = tmp_path / "bulk"
    bulk.write_bytes(b"{broken\n" + (deck / "cards.jsonl").read_bytes())
    flags = ("--cache", tmp_path / "cache", "--limit", 0, "--quiet", "--json")
    result = run("download_images.py", "--bulk-file", bulk, *flags)
    assert (result.code, result.json()["skipped"]["not_json"]) == (0, 1), result.err
    assert "entry 1 is not JSON" in result.err


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize("start", [b"", b"["])
@pytest.mark.parametrize("unit", [b"\n", b" ", b'{"a": "%b"}\n' % (b"b" * 500)])
def test_what_unfolds_without_end_is_bounded(
    unit: bytes, start: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few packed kilobytes of nearly nothing are given up long before their end."""
    monkeypatch.setattr("helpers.cards.bulk_file._SMALL", 1 << 12)
    path = tmp_path / "bulk.gz"
    with gzip.open(path, "wb") as file:
        file.write(start)
        for _ in range(2):
            file.write(unit * ((1 << 20) // len(unit)))
    with pytest.raises(DataError) as caught:
        list(iter_cards(path))
    assert "unfolds to more than 100 times its size" in caught.value.details


def test_objects_that_are_no_cards_are_soon_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of other objects is given up after some of them, not read for minutes."""
    monkeypatch.setattr("helpers.cards.face_list._ENOUGH", 100)
    bulk, target = tmp_path / "bulk", tmp_path / "faces.jsonl"
    bulk.write_bytes(b"{}\n" * 1000)
    with pytest.raises(DataError) as caught:
        write_faces(bulk, "0" * 64, target, "normal")
    assert "{'not_a_card': 100}" in caught.value.details
    assert not target.exists()


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line longer than any card is refused before it is read."""
    monkeypatch.setattr("helpers.cards.bulk_file._LONGEST_ELEMENT", 1 << 16)
    path = tmp_path / "bulk"
    path.write_bytes(b" " * (1 << 17))
    with pytest.raises(DataError) as caught:
        list(iter_cards(path))
    assert "without end" in caught.value.details


def test_a_file_larger_than_any_bulk_file_is_not_read(tmp_path: Path) -> None:
    """A sparse file of 30 GB costs nothing to make, and nothing to refuse."""
    path = tmp_path / "bulk"
    path.touch()
    os.truncate(path, 30 * 10**9)
    with pytest.raises(DataError) as caught:
        local_bulk(path)
    assert "30,000,000,000 bytes" in caught.value.details


def test_a_face_list_of_another_format_is_not_read(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that an older program left is worked out again instead of misread."""
    path = list_path(cache, "unique_artwork", "normal")
    assert read_list(path) is not None
    monkeypatch.setattr("helpers.cards.face_list.FORMAT", 99)
    assert read_list(path) is None


def test_a_young_file_is_used_without_asking(server: Scryfall, tmp_path: Path) -> None:
    """The second run within 24 hours makes no request at all."""
    assert len(fetch(server, tmp_path)[1]) == 2
    assert fetch(server, tmp_path) == (0, [])


def test_an_old_file_costs_one_conditional_request(server: Scryfall, tmp_path: Path) -> None:
    """`--refresh-bulk` and a passed age ask with the ETag: 304, no download."""
    fetch(server, tmp_path)
    for flags in (("--refresh-bulk",), ("--max-bulk-age", 0)):
        code, requests = fetch(server, tmp_path, *flags)
        assert code == 0
        assert [entry["status"] for entry in requests] == [304]


def test_a_new_file_replaces_the_old_one(server: Scryfall, deck: Path, tmp_path: Path) -> None:
    """When Scryfall has a newer file the cache holds that one only."""
    fetch(server, tmp_path)
    (tmp_path / "bulk-unique_artwork-20200101000000.jsonl.gz").write_bytes(b"of a killed run")
    (tmp_path / "bulk-oracle_cards-20200101000000.jsonl.gz").write_bytes(b"another kind")
    with Scryfall("--cards", deck / "cards.jsonl", "--updated-at", "2026-09-01T00:00:00") as newer:
        assert fetch(newer, tmp_path, "--refresh-bulk")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("bulk-*.gz")) == [
        "bulk-oracle_cards-20200101000000.jsonl.gz",
        "bulk-unique_artwork-20260901000000.jsonl.gz",
    ]


@pytest.mark.parametrize("damage", ["note", "file"])
def test_a_damaged_cache_costs_one_download(server: Scryfall, tmp_path: Path, damage: str) -> None:
    """Without a usable note or without the file the bulk data are fetched again."""
    fetch(server, tmp_path)
    if damage == "note":
        (tmp_path / "bulk-unique_artwork.json").write_text("{")
    else:
        next(tmp_path.glob("bulk-*.gz")).unlink()
    assert [entry["status"] for entry in fetch(server, tmp_path)[1]] == [200, 200]


def test_a_broken_download_goes_on_where_it_ended(server: Scryfall, tmp_path: Path) -> None:
    """After a cut body only the rest is asked for, and the whole is right."""
    server.faults({"match": "/data.scryfall.io/", "fault": "close_early", "times": 1})
    code, requests = fetch(server, tmp_path)
    server.faults()
    assert code == 0
    assert [entry["status"] for entry in requests] == [200, 200, 206]
    assert requests[1]["bytes"] + requests[2]["bytes"] == next(tmp_path.glob("*.gz")).stat().st_size


def test_two_versions_are_never_joined(deck: Path, tmp_path: Path) -> None:
    """A part with another ETag, though it would fit without a seam, costs one more download."""
    headers = {"ETag": '"of another version"'}
    params = {"headers": headers, "replace": ['"lang": "en"', '"lang": "xx"']}
    with Scryfall("--legacy", "--cards", deck / "cards.jsonl", "--images", deck / "images") as old:
        old.faults(
            {"match": FILE, "fault": "close_early", "times": 1},
            {"match": FILE, "fault": "altered", "skip": 1, "times": 1, "params": params},
        )
        code, requests = fetch(old, tmp_path)
    assert code == 0
    assert [entry["status"] for entry in requests] == [200, 200, 206, 200]
    bulk = cached_bulk(tmp_path, "unique_artwork")
    assert bulk is not None
    assert {card["lang"] for card in iter_cards(bulk.path) if isinstance(card, dict)} == {"en"}


def test_a_rest_that_is_gone_starts_over(server: Scryfall, tmp_path: Path) -> None:
    """416 to the request for the rest is no reason to end the run."""
    server.faults(
        {"match": FILE, "fault": "close_early", "times": 1},
        {"match": FILE, "fault": "status", "skip": 1, "times": 1, "params": {"code": 416}},
    )
    code, requests = fetch(server, tmp_path)
    server.faults()
    assert code == 0
    assert [entry["status"] for entry in requests] == [200, 200, 416, 200]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"compressed_size": "12345"}, "compressed_size is '12345'"),
        ({"compressed_size": -1}, "compressed_size is -1"),
        ({"compressed_size": True}, "compressed_size is True"),
        ({"compressed_size": 10**30}, "compressed_size is 1000"),
        ({"compressed_size": [1]}, "compressed_size is [1]"),
        ({"updated_at": 20260803}, "updated_at is 20260803"),
        ({"updated_at": {}}, "updated_at is {}"),
        ({"updated_at": "\ud800"}, "updated_at is '\\ud800'"),
        ({"jsonl_download_uri": None}, "download_uri is "),
        ({"jsonl_download_uri": ["https://h/a"]}, "download_uri is "),
        ({"jsonl_download_uri": "https://h/\ud800.jsonl.gz"}, "download_uri is "),
        ({"jsonl_download_uri": "ftp://h/a.jsonl.gz"}, "not https"),
        ({"jsonl_download_uri": "https://[h"}, "broken URL"),
        ({"object": ["bulk_data"]}, "object is ['bulk_data']"),
    ],
)
def test_a_listing_of_another_shape_is_refused(
    server: Scryfall, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    """Exit code 4 and the field that is not as documented; never a traceback."""
    listing = {"object": "bulk_data", "jsonl_download_uri": "https://h/a.jsonl.gz", **changes}
    check_refused(server, tmp_path, json.dumps(listing), reason)


@pytest.mark.parametrize(
    "body", [DEEP, '{"object": ' + DEEP, '{"a": ' + "9" * 5000 + "}", "[]", "null", '"bulk_data"']
)
def test_a_listing_that_is_no_object_is_refused(
    server: Scryfall, tmp_path: Path, body: str
) -> None:
    """Exit code 4, also for JSON that is nested too deep or has endless numbers."""
    check_refused(server, tmp_path, body, "the answer ")


def check_refused(server: Scryfall, cache: Path, listing: str, reason: str) -> None:
    """Check that a run against such a listing ends with 4, for that reason."""
    params = {"code": 200, "body": listing}
    server.faults({"match": "/bulk-data/", "fault": "status", "params": params})
    flags = ("--scryfall-api", server.url, "--cache", cache, "--max-retries", 0)
    result = run("download_images.py", *flags)
    server.faults()
    assert result.code == 4, result.err
    assert reason in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "changes",
    [
        {"checked_at": "now"},
        {"checked_at": None},
        {"checked_at": 4e9},  # in the year 2096
        {"sha256": 5},
        {"updated_at": 20260803},
        {"etag": "with\nnewline"},
        {"etag": ["W/"]},
        {"url": {}},
        {"path": 5},
        {"more": 1},
    ],
)
def test_a_damaged_note_costs_one_question(
    server: Scryfall, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """A note with odd values, or from the future, is not believed and then put right."""
    fetch(server, tmp_path)
    note = tmp_path / "bulk-unique_artwork.json"
    sound = json.loads(note.read_text())
    note.write_text(json.dumps({**sound, **changes}))
    code, requests = fetch(server, tmp_path)
    assert code == 0
    assert requests
    assert json.loads(note.read_text()) == {**sound, "checked_at": pytest.approx(time.time(), 1)}


def test_a_note_nested_too_deep_is_damaged(tmp_path: Path) -> None:
    """It is no reason for a traceback."""
    (tmp_path / "bulk-unique_artwork.json").write_text(DEEP)
    assert cached_bulk(tmp_path, "unique_artwork") is None


def test_the_old_shape_of_the_listing_still_works(deck: Path, tmp_path: Path) -> None:
    """`download_uri` and a JSON array, as before 20 July 2026 and at mirrors."""
    with Scryfall("--legacy", "--cards", deck / "cards.jsonl", "--images", deck / "images") as old:
        assert fetch(old, tmp_path)[0] == 0
    bulk = cached_bulk(tmp_path, "unique_artwork")
    assert bulk is not None
    assert bulk.path.suffix == ".json"
    assert len(list(iter_cards(bulk.path))) > 0


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_file_of_another_size_than_listed_is_refused(difference: int, tmp_path: Path) -> None:
    """`compressed_size` is checked against the answer's length before anything is loaded."""
    body = gzip.compress(JSONL)
    with Server() as mirror:
        listing = {
            "object": "bulk_data",
            "jsonl_download_uri": f"{mirror.url}/file.jsonl.gz",
            "compressed_size": len(body) + difference,
        }
        file, listed = Response(200, body), json_answer(200, listing)
        mirror.answer = lambda path, _: file if path.endswith(".gz") else listed
        flags = ("--scryfall-api", mirror.url, "--cache", tmp_path, "--max-retries", 1)
        result = run("download_images.py", *flags)
    assert result.code == 4
    assert f"{len(body):,} bytes announced by the server" in result.err
    assert not list(tmp_path.glob("bulk-*"))


def test_a_local_file_asks_nobody(filled_cache: Path, tmp_path: Path) -> None:
    """`--bulk-file` makes no API request: a dead address does not matter."""
    file = next(filled_cache.glob("bulk-*.gz"))
    flags = ("--bulk-file", file, "--scryfall-api", "http://127.0.0.1:9", "--limit", 0)
    result = run("download_images.py", *flags, "--cache", tmp_path)
    assert result.code == 0, result.err
