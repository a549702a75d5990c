"""Every fault between us and Scryfall: how often we ask, what is on disk, what we say.

One run meets all faults at once, each at a face of its own, so that forty rows cost seconds; the
tests then look at one row each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import Result, Scryfall, run

from helpers.cards.card_face import CardFace
from helpers.cards.face_list import list_path, read_list
from helpers.validation import validate_image

TRIES = 3
RETRIES = ("--max-retries", TRIES - 1)


@dataclass(frozen=True)
class Fault:
    """A fault, and the reason that a failure is given when it lasts."""

    name: str
    reason: str
    params: dict[str, Any] | None = None
    final: bool = False  # asking again is pointless, and is not done

    @property
    def id(self) -> str:
        """Name the row."""
        return "-".join(map(str, (self.name, *(self.params or {}).values())))[:60]

    def rule(self, match: str = "", times: int | None = None) -> dict[str, Any]:
        """Return the rule for the server's fault plan."""
        return {"match": match, "fault": self.name, "times": times, "params": self.params or {}}


def status(code: int, reason: str, *, final: bool = False) -> Fault:
    """Return the fault of that HTTP status."""
    return Fault("status", f"HTTP {code} {reason}", {"code": code}, final)


FAULTS = [
    status(404, "Not Found", final=True),
    status(410, "Gone", final=True),
    status(408, "Request Timeout"),
    status(500, "Internal Server Error"),
    status(502, "Bad Gateway"),
    status(503, "Service Unavailable"),
    status(504, "Gateway Timeout"),
    Fault("reset_before_headers", "the connection broke off"),
    Fault("reset_in_body", "the connection broke off"),
    Fault("close_early", "the connection broke off"),
    Fault("close_early_no_length", "truncated or followed by junk"),
    Fault("length_too_long", "the connection broke off"),
    Fault("length_too_short", "truncated or followed by junk"),
    Fault("chunked_cut", "the connection broke off"),
    Fault("gzip_bomb", "not a picture in a format that is read", {"megabytes": 5}),
    Fault("altered", "no length of a body", {"headers": {"Content-Length": "9" * 5000}}),
    Fault("endless", "more than the 16,777,216 bytes allowed"),
    Fault("html", "an HTML or XML page"),
    Fault("html_as_image", "an HTML or XML page"),
    Fault("empty", "empty file"),
    Fault("one_pixel", "1 x 1 is too small for a card"),
    Fault("wrong_type", "PNG content under the name of a JPEG"),
    Fault("truncated_honest", "truncated or followed by junk"),
    Fault("redirect_loop", "more than 5 redirects", final=True),
    Fault("redirect", "not https", {"location": "http://example.com/a.jpg"}, final=True),
    Fault("redirect", "not https", {"location": "file:///etc/passwd"}, final=True),
    Fault("hang", "too slow: time is up"),
    Fault("stall", "too slow: time is up"),
    Fault("drip", "too slow: time is up"),
    Fault("drip_headers", "too slow: time is up"),
]
each_fault = pytest.mark.parametrize("number", range(len(FAULTS)), ids=[f.id for f in FAULTS])


@dataclass(frozen=True)
class Story:
    """Two runs of a download against the same cache: with faults, and after they are gone."""

    cache: Path
    faces: list[CardFace]
    first: Result
    second: Result
    tries: list[int]
    after_first: set[str]

    def failure(self, number: int) -> str | None:
        """Return the reason that the first run gave for a face, None if it had its image."""
        reasons = {f["face_id"]: f["reason"] for f in self.first.json()["failures"]}
        return reasons.get(self.faces[number].face_id)


def tell(folder: Path, times: int | None) -> Story:
    """Run a download with every fault (`times` each, or always), then one without."""
    deck, cache = folder / "deck", folder / "cache"
    drawn = run("scripts/draw_cards.py", "--out", deck, "--count", len(FAULTS), "--seed", 5)
    assert drawn.code == 0, drawn.err
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        flags = ("--scryfall-api", server.url, "--cache", cache, "--json")
        assert run("download_images.py", *flags, "--limit", 0).code == 0
        listed = read_list(list_path(cache, "unique_artwork", "normal"))
        assert listed is not None
        paths = [face.image_url.removeprefix(server.url).replace("?", r"\?") for face in listed]
        server.faults(*(f.rule(path, times) for f, path in zip(FAULTS, paths, strict=True)))
        first = run("download_images.py", *flags, *RETRIES)
        after_first = {path.name for path in cache.iterdir()}
        asked = [entry["path"] for entry in server.image_requests()]
        server.faults()
        second = run("download_images.py", *flags)
    urls = [face.image_url.removeprefix(server.url) for face in listed]
    return Story(cache, list(listed), first, second, list(map(asked.count, urls)), after_first)


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Every fault strikes once."""
    return tell(tmp_path_factory.mktemp("passing"), 1)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Every fault strikes always, until the second run."""
    return tell(tmp_path_factory.mktemp("lasting"), None)


@each_fault
def test_a_passing_fault_costs_one_more_try(passing: Story, number: int) -> None:
    """What may pass is asked for again and is then there; a final answer is taken at its word."""
    fault, name = FAULTS[number], passing.faces[number].image_file
    final = fault.final and fault.name != "redirect_loop"  # which leads back here, and then on
    assert passing.tries[number] == (1 if final else 2)
    assert (name in passing.after_first) is not final
    assert (passing.failure(number) is None) is not final


@each_fault
def test_a_lasting_fault_is_named_and_leaves_nothing(lasting: Story, number: int) -> None:
    """Nothing is under the final name, the reason is given, and the tries are counted."""
    fault = FAULTS[number]
    assert lasting.faces[number].image_file not in lasting.after_first
    assert fault.reason in (lasting.failure(number) or "")
    following = 5 if fault.name == "redirect_loop" else 0
    assert lasting.tries[number] == (1 if fault.final else TRIES) + following


@pytest.mark.parametrize("which", ["passing", "lasting"])
def test_the_second_run_repairs_everything(which: str, request: pytest.FixtureRequest) -> None:
    """Once the faults are gone the same command brings every image, and every one is valid."""
    story: Story = request.getfixturevalue(which)
    assert story.second.code == 0, story.second.err
    for face in story.faces:
        assert validate_image(story.cache / face.image_file).valid
    assert not list(story.cache.glob("*.part"))


def test_exit_codes_tell_how_bad_it_was(passing: Story, lasting: Story) -> None:
    """3 for some failures above the allowed rate, 5 where not one image could be had."""
    assert passing.first.code == 3
    assert "too many downloads failed" in passing.first.err
    assert lasting.first.code == 5
    assert "all downloads failed" in lasting.first.err


def test_no_unfinished_file_is_left(passing: Story, lasting: Story) -> None:
    """Neither run leaves a part behind."""
    assert not any(name.endswith(".part") for name in passing.after_first | lasting.after_first)


# Faults of the host as a whole: they hold or end the run for all images.


@pytest.mark.parametrize(
    ("times", "params", "code", "said"),
    [
        (1, {"code": 429}, 0, ""),
        (2, {"code": 429}, 0, ""),
        (1, {"code": 429, "retry_after": "2"}, 0, ""),
        (1, {"code": 429, "retry_after": "soon"}, 0, ""),
        (1, {"code": 503, "retry_after": "http-date:+9"}, 0, ""),
        (None, {"code": 429}, 4, "in a row to slow down"),
        (None, {"code": 429, "retry_after": "99999"}, 4, "asks us to stay away for 99999 s"),
    ],
)
def test_a_host_that_slows_us_down(
    scryfall: Scryfall,
    tmp_path: Path,
    times: int | None,
    params: dict[str, Any],
    code: int,
    said: str,
) -> None:
    """A penalty is sat out; one that does not end, or is too long, ends the run and says so."""
    rule = {"match": "/cards.scryfall.io/", "fault": "status", "times": times, "params": params}
    scryfall.faults(rule)
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path, "--limit", 8, "--json")
    result = run("download_images.py", *flags)
    assert result.code == code, result.err
    assert said in result.err
    asked = len(scryfall.image_requests())
    if code == 0:
        assert result.json()["downloaded"] == 8
        assert asked == 8 * (1 + (times or 0))
    else:
        # A burst of all, then one at a time; a late answer costs one more. All on their own: 8 × 6.
        assert asked < 3 * 8
        assert not list(tmp_path.glob("*.jpg"))
        scryfall.faults()
        assert run("download_images.py", *flags).json()["downloaded"] == 8


def test_nobody_is_asked_during_a_penalty(scryfall: Scryfall, tmp_path: Path) -> None:
    """A 429 with Retry-After 50 (1 s here) holds all 16 workers for that time."""
    params = {"code": 429, "retry_after": "50"}
    first = {"match": "/cards.scryfall.io/", "fault": "status", "times": 1, "params": params}
    scryfall.faults({**first, "probability": 0.3})
    result = run("download_images.py", "--scryfall-api", scryfall.url, "--cache", tmp_path)
    assert result.code == 0, result.err
    requests = scryfall.image_requests()
    struck = [entry["time"] for entry in requests if entry["fault"]]
    assert struck
    for penalty in struck:
        early = [e for e in requests if penalty + 0.3 < e["time"] < penalty + 0.9]
        assert early == []


def test_what_precedes_an_answer_is_skipped(scryfall: Scryfall, tmp_path: Path) -> None:
    """A server that sends 103 Early Hints before each answer is asked once for each."""
    scryfall.faults({"fault": "early_hints"})
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path, "--json", "--max-retries", 0)
    result = run("download_images.py", *flags)
    assert result.code == 0, result.err
    assert result.json()["downloaded"] == result.json()["faces"] > 0


def test_a_closed_port_is_a_source_error(tmp_path: Path) -> None:
    """Nobody listens: exit code 4, and the message says what to do."""
    flags = ("--scryfall-api", "http://127.0.0.1:9", "--cache", tmp_path)
    result = run("download_images.py", *flags, *RETRIES)
    assert result.code == 4
    assert "connection refused (3 tries)" in result.err
    assert "--bulk-file FILE" in result.err


# The listing and the bulk file


LISTING = "/bulk-data/"
FILE = "/data.scryfall.io/"
BULK_FAULTS = {
    LISTING: "status reset_before_headers close_early chunked_cut html empty drip",
    FILE: "status reset_in_body close_early close_early_no_length length_too_long"
    " length_too_short chunked_cut gzip_bomb endless html empty truncated_honest stall drip",
}


@pytest.fixture(scope="module")
def shared(deck: Path) -> Iterator[Scryfall]:
    """One Scryfall for all faults of the bulk data."""
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        yield server


@pytest.mark.parametrize(
    ("where", "fault"), [(where, f) for where, names in BULK_FAULTS.items() for f in names.split()]
)
def test_a_fault_of_the_bulk_data(shared: Scryfall, tmp_path: Path, where: str, fault: str) -> None:
    """It costs a try if it passes; if it lasts the run ends with 4 and leaves no bulk file."""
    shared.faults({"match": where, "fault": fault})
    flags = ("--scryfall-api", shared.url, "--cache", tmp_path, "--limit", 0)
    lasting = run("download_images.py", *flags, "--max-retries", 0)
    assert lasting.code == 4, lasting.err
    assert "the bulk data cannot be had" in lasting.err
    assert {path.name for path in tmp_path.iterdir()} <= {".lock"}

    shared.faults({"match": where, "fault": fault, "times": 1})
    passing = run("download_images.py", *flags, "--max-retries", 1)
    assert passing.code == 0, passing.err
    assert len(list(tmp_path.glob("bulk-*.gz"))) == 1
