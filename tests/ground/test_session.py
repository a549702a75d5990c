"""The retry loop, request by request: schedule, Retry-After, redirects, deadlines, manners."""

import contextlib
import email.utils
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support import FakeClock, Scryfall

from helpers.errors import SourceError
from helpers.network.host import Host
from helpers.network.incoming_file import IncomingFile
from helpers.network.policy import Policy
from helpers.network.responses import (
    AbortedError,
    FetchError,
    PermanentError,
    check_url,
    parse_retry_after,
)
from helpers.session import DownloadSession

LISTING = "/bulk-data/unique-artwork"


class RecordingClock(FakeClock):
    """A fake clock that remembers the waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        """Jump ahead and note how far."""
        self.waits.append(seconds)
        return super().wait(seconds)


@pytest.fixture(scope="module")
def server(deck: Path) -> Iterator[Scryfall]:
    """One Scryfall for all tests here; each sets its own faults, which resets the counts."""
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        yield server


@pytest.fixture
def url(server: Scryfall) -> str:
    """A file of Scryfall's, without faults."""
    server.faults()
    return f"{server.url}/data.scryfall.io/unique-artwork/unique-artwork-20260803210611.jsonl.gz"


def session_of(server: Scryfall, clock: FakeClock | None = None, **policy: Any) -> DownloadSession:
    """Return a session that asks `server`."""
    return DownloadSession(Policy("Test/1.0", f"{server.url}/api.scryfall.com", **policy), clock)


def fetch(session: DownloadSession, url: str) -> bytes:
    """Fetch the whole body."""
    return session.get_bytes(url, limit=10**7)


def stream(
    session: DownloadSession,
    url: str,
    *,
    size: int | None = None,
    complaints: Iterable[str] = (),
) -> bytes:
    """Fetch the whole body into a file, which is refused as often as there are complaints."""
    left = list(complaints)

    def check(_part: Path, _sha256: str) -> None:
        if left:
            raise ValueError(left.pop())

    with TemporaryDirectory() as folder:
        target = Path(folder) / "file"
        with IncomingFile(target, 10**7, check, size) as file:
            session.get_file(url, file)
        return target.read_bytes()


def asked(server: Scryfall) -> list[dict[str, Any]]:
    """Return the requests for bulk files since the server started."""
    return [entry for entry in server.log() if "data.scryfall.io" in entry["path"]]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_the_waits_are_1_2_4_8_16_with_jitter(server: Scryfall, url: str, status: int) -> None:
    """Each retried status is asked for six times; each wait is the schedule's plus ≤ 25 %."""
    server.faults({"fault": "status", "params": {"code": status}})
    clock = RecordingClock()
    before = len(asked(server))

    with pytest.raises(FetchError, match=rf"HTTP {status} .*\(6 tries\)"):
        fetch(session_of(server, clock), url)

    assert len(asked(server)) - before == 6
    schedule = [1, 2, 4, 8, 16]
    waits = [wait for wait in clock.waits if wait >= 1]  # the gate's own waits are shorter
    assert len(waits) == 5
    assert all(base <= wait <= 1.25 * base for base, wait in zip(schedule, waits, strict=True))
    assert len({wait / base for base, wait in zip(schedule, waits, strict=True)}) > 1


def test_waits_are_capped_at_a_minute(server: Scryfall, url: str) -> None:
    """With many retries no wait exceeds 60 s and its jitter."""
    server.faults({"fault": "status", "params": {"code": 503}})
    clock = RecordingClock()
    with pytest.raises(FetchError):
        fetch(session_of(server, clock, max_retries=9), url)
    assert max(clock.waits) <= 75
    assert sum(wait >= 60 for wait in clock.waits) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_refusals_are_not_retried(server: Scryfall, url: str, status: int) -> None:
    """Another 4xx is the answer: one request, no wait."""
    server.faults({"fault": "status", "params": {"code": status}})
    clock = RecordingClock()
    before = len(asked(server))
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        fetch(session_of(server, clock), url)
    assert len(asked(server)) - before == 1
    assert clock.waits == []


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_of_the_api_ends_the_run_with_its_details(
    server: Scryfall, url: str, status: int
) -> None:
    """What Scryfall says in `details` reaches the user, and nobody asks again."""
    server.faults({"match": "bulk-data", "fault": "status", "params": {"code": status}})
    with pytest.raises(SourceError) as caught:
        session_of(server, RecordingClock()).get_api(LISTING)
    assert f"The fault plan asked for status {status}." in caught.value.details


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("7", 7, 7), ("0", 1, 1.25), ("soon", 1, 1.25), ("-3", 1, 1.25), ("http-date:+30", 27, 30)],
)
def test_retry_after_is_obeyed(
    server: Scryfall, url: str, retry_after: str, least: float, most: float
) -> None:
    """Seconds and dates count, nonsense falls back to the schedule."""
    params = {"code": 429, "retry_after": retry_after}
    server.faults({"fault": "status", "times": 1, "params": params})
    clock = RecordingClock()
    assert fetch(session_of(server, clock), url)
    assert least <= clock.time <= most


def test_a_file_that_fails_otherwise_holds_nobody_back(
    server: Scryfall, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a 429 and a 503 the others go on while it waits for its own next tries."""
    params = {"code": 429}
    server.faults(
        {"fault": "status", "times": 1, "params": params},
        {"fault": "status", "params": {"code": 503}},
    )
    clock, let_go = RecordingClock(), []
    whole = Host.step_aside

    def step_aside(host: Host, request: object) -> None:
        if host.is_told(request):
            let_go.append(len(clock.waits))
        whole(host, request)

    monkeypatch.setattr(Host, "step_aside", step_aside)
    with pytest.raises(FetchError, match="503"):
        fetch(session_of(server, clock), url)

    assert len(let_go) == 1
    assert let_go[0] < len(clock.waits) - 3, "four waits of its own come after that"


def test_retry_after_beyond_the_cap_closes_the_host(server: Scryfall, url: str) -> None:
    """A host that wants a day gets it: the run ends at once instead of coming back early."""
    params = {"code": 429, "retry_after": "99999"}
    server.faults({"fault": "status", "params": params})
    clock = RecordingClock()
    before = len(asked(server))
    with pytest.raises(SourceError, match="stay away for 99999 s"):
        fetch(session_of(server, clock), url)
    assert len(asked(server)) - before == 1
    assert clock.time == 0


def test_a_host_that_always_says_429_is_left_alone(server: Scryfall, url: str) -> None:
    """After 8 penalties in a row, over two minutes, no worker asks again, whatever the URL."""
    server.faults({"fault": "status", "params": {"code": 429}})
    clock = RecordingClock()
    session = session_of(server, clock)
    before = len(asked(server))
    with pytest.raises(FetchError):
        fetch(session, url)
    with pytest.raises(SourceError, match="8 times in a row"):
        fetch(session, url)
    assert len(asked(server)) - before == 8
    assert clock.time >= 1 + 2 + 4 + 8 + 16 + 32 + 60


@pytest.mark.parametrize("fault", ["reset_before_headers", "html"])
def test_32_failed_urls_in_a_row_mean_the_host_is_down(
    server: Scryfall, url: str, fault: str
) -> None:
    """A dead network, or a log-in page for each file, ends the run instead of costing days."""
    server.faults({"fault": fault})
    session = session_of(server, RecordingClock(), max_retries=0, workers=1)

    def check(_body: bytes) -> None:
        raise ValueError("not what was asked for")

    for _ in range(31):
        with pytest.raises(FetchError):
            session.get_bytes(url, limit=10**7, check=check)
    with pytest.raises(SourceError, match="failed 32 URLs in a row"):
        session.get_bytes(url, limit=10**7, check=check)


def test_every_request_says_who_asks(server: Scryfall, url: str) -> None:
    """User-Agent on every request, Accept too: Scryfall's API refuses requests without them."""
    session = session_of(server)
    listing, _ = session.get_api(LISTING) or ({}, None)
    assert "compressed_size" in listing
    fetch(session, url)
    assert {entry["headers"]["User-Agent"] for entry in server.log()[-2:]} == {"Test/1.0"}


def test_credentials_of_netrc_stay_at_home(
    server: Scryfall, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.netrc` that names the host adds no Authorization header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(session_of(server), url)
    assert "Authorization" not in server.log()[-1]["headers"]


def test_a_redirect_is_followed_and_its_body_is_not_read(server: Scryfall, url: str) -> None:
    """A redirect to another file of the same host leads there."""
    target = url.replace("unique-artwork", "oracle-cards")
    server.faults({"match": "unique", "fault": "redirect", "params": {"location": target}})
    assert fetch(session_of(server), url)
    assert asked(server)[-1]["path"] in target


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://example.com/x.jpg", "not https"),
        ("file:///etc/passwd", "not https"),
        ("ftp://127.0.0.1/x", "not https"),
        ("http://[broken", "broken URL"),
    ],
)
def test_redirects_out_of_https_are_refused(
    server: Scryfall, url: str, location: str, reason: str
) -> None:
    """Nobody can send us to another protocol, and nobody is asked twice to try."""
    server.faults({"fault": "redirect", "params": {"location": location}})
    before = len(asked(server))
    with pytest.raises(PermanentError, match=reason):
        fetch(session_of(server, RecordingClock()), url)
    assert len(asked(server)) - before == 1


def test_a_redirect_loop_ends(server: Scryfall, url: str) -> None:
    """Five redirects, then the answer is a failure."""
    server.faults({"fault": "redirect_loop"})
    with pytest.raises(PermanentError, match="more than 5 redirects"):
        fetch(session_of(server, RecordingClock()), url)


@pytest.mark.parametrize("fault", ["drip", "drip_headers", "hang", "stall"])
def test_a_deadline_holds_against_a_server_that_keeps_talking(
    server: Scryfall, url: str, fault: str
) -> None:
    """One byte every 50 ms resets every read timeout, and still the time is up after 0.6 s."""
    server.faults({"fault": fault, "params": {"interval": 0.05}})
    start = time.monotonic()
    with pytest.raises(FetchError, match="too slow: time is up"):
        fetch(session_of(server, max_retries=0, timeout_read=0.6), url)
    assert 0.5 <= time.monotonic() - start < 3


def test_headers_without_end_are_no_empty_answer() -> None:
    """What is broken off within its headers has failed, though what came before them was fine."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not ended.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        session = DownloadSession(Policy("Test/1.0", url, timeout_read=0.3, max_retries=0))
        try:
            with pytest.raises(FetchError, match="too slow"):
                fetch(session, url)
        finally:
            ended.set()
            thread.join()


def test_one_dripping_answer_does_not_cost_all_tries(server: Scryfall, url: str) -> None:
    """A try gets half of the time that is left, so the next one can still succeed."""
    server.faults({"fault": "drip", "times": 1, "params": {"interval": 0.05}})
    assert fetch(session_of(server, max_retries=3, timeout_read=0.25), url)


@pytest.mark.parametrize(
    ("altered", "after"),
    [
        ({}, "goes on"),
        ({"Last-Modified": None}, "goes on"),
        ({"ETag": '"another"'}, "starts over"),
        ({"ETag": None}, "starts over"),
        ({"Content-Range": "bytes {start}-{end}/*"}, "goes on"),
        ({"Content-Range": "bytes {start}-{end}/999"}, "starts over"),
        ({"Content-Range": "bytes 0-{end}/{size}"}, "starts over"),
        ({"Content-Range": "bytes"}, "starts over"),
        ({"Content-Range": None}, "starts over"),
        ({"Content-Range": "bytes " + "9" * 5000 + "-1/2"}, "starts over"),
    ],
)
@pytest.mark.parametrize("size", ["known", "unknown"])
def test_two_versions_are_never_joined(
    server: Scryfall, url: str, altered: dict[str, str | None], after: str, size: str
) -> None:
    """A part that is not certainly the rest of the first one costs a request for the whole."""
    whole = fetch(session_of(server), url)
    half = len(whole) // 2
    names = {"start": half, "end": len(whole) - 1, "size": len(whole)}
    headers = {name: text and text.format(**names) for name, text in altered.items()}
    server.faults(
        {"fault": "close_early", "times": 1},
        {"fault": "altered", "skip": 1, "times": 1, "params": {"headers": headers}},
    )
    session = session_of(server, FakeClock())
    assert stream(session, url, size=len(whole) if size == "known" else None) == whole
    requests = asked(server)[-2 if after == "goes on" else -3 :]
    ranges = [entry["headers"].get("Range") for entry in requests]
    assert ranges == [None, f"bytes={half}-", *([None] if after == "starts over" else [])]
    assert requests[1]["headers"]["If-Range"].startswith('"')


def test_a_range_that_is_not_there_any_more_starts_over(server: Scryfall, url: str) -> None:
    """416 to the request for the rest means another file, not the end of the run."""
    server.faults(
        {"fault": "close_early", "times": 1},
        {"fault": "status", "skip": 1, "times": 1, "params": {"code": 416}},
    )
    assert stream(session_of(server, FakeClock()), url)
    assert [entry["status"] for entry in asked(server)[-3:]] == [200, 416, 200]


@pytest.mark.parametrize("code", [206, 304, 416])
def test_a_part_that_nobody_asked_for_is_refused(server: Scryfall, url: str, code: int) -> None:
    """206, 304 and 416 answer conditions; to a plain request they are no answer."""
    server.faults({"fault": "status", "params": {"code": code}})
    with pytest.raises(PermanentError, match=f"HTTP {code}"):
        fetch(session_of(server, FakeClock()), url)


def test_a_file_that_its_check_refuses_comes_again_as_a_whole(server: Scryfall, url: str) -> None:
    """What is complete and still wrong is not worth being continued."""
    data = stream(session_of(server, FakeClock()), url, complaints=("wrong", "wrong again"))
    assert [entry["headers"].get("Range") for entry in asked(server)[-3:]] == [None] * 3
    assert data == fetch(session_of(server), url)


def test_the_check_of_bytes_is_part_of_a_try(server: Scryfall, url: str) -> None:
    """`get_bytes` asks again until the check is content, and names its reason otherwise."""
    complaints = ["wrong", "wrong again"]
    before = len(asked(server))

    def check(_body: bytes) -> None:
        if complaints:
            raise ValueError(complaints.pop())

    def always(_body: bytes) -> None:
        raise RecursionError("nested too deep")

    session = session_of(server, FakeClock(), max_retries=2)
    assert session.get_bytes(url, limit=10**7, check=check)
    assert len(asked(server)) - before == 3
    with pytest.raises(FetchError, match=r"nested too deep \(3 tries\)"):
        session.get_bytes(url, limit=10**7, check=always)


def test_another_thread_may_ask_while_one_checks(server: Scryfall, url: str) -> None:
    """With one worker's network the check of the first body can fetch the second."""
    session = session_of(server, workers=1)
    bodies: list[bytes] = []

    def check(_body: bytes) -> None:
        other = threading.Thread(target=lambda: bodies.append(fetch(session, url)))
        other.start()
        other.join(20)

    body = session.get_bytes(url, limit=10**7, check=check)
    assert bodies == [body]


@pytest.mark.parametrize(
    "length", ["9" * 5000, "-5", "+5", "5, 5", "1e3", "٣", "soon"], ids=lambda text: text[:8]
)
def test_a_nonsensical_length_is_a_failure(server: Scryfall, url: str, length: str) -> None:
    """Whatever Content-Length says, the outcome is a reason and never a traceback."""
    headers = {"Content-Length": length}
    server.faults({"fault": "altered", "params": {"headers": headers}})
    with pytest.raises(FetchError):
        fetch(session_of(server, FakeClock(), max_retries=0), url)


def test_early_hints_are_not_the_answer(server: Scryfall, url: str) -> None:
    """What precedes the answer (102, 103; RFC 8297) is skipped."""
    whole = fetch(session_of(server), url)
    server.faults({"fault": "early_hints"})
    assert fetch(session_of(server, max_retries=0), url) == whole


@pytest.mark.parametrize("fault", ["hang", "stall", "drip"])
def test_abort_wakes_a_worker_that_is_blocked_in_a_read(
    server: Scryfall, url: str, fault: str
) -> None:
    """A stop cuts the connection: the worker is free within a second."""
    server.faults({"fault": fault})
    session = session_of(server)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            fetch(session, url)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            caught.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.4)
    session.abort()
    worker.join(2)
    assert not worker.is_alive()
    assert isinstance(caught[0], AbortedError)


def test_connections_are_reused(server: Scryfall, url: str) -> None:
    """Twenty requests of one worker need one connection."""
    session = session_of(server)
    for _ in range(20):
        fetch(session, url)
    assert len({entry["client"] for entry in asked(server)[-20:]}) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("3", 3), ("99999", 99999)]
    + [(text, None) for text in ("1.5", "-1", "soon", "", "inf", "Sun, 99 Nov 99999999 08:49:37")],
)
def test_retry_after_in_all_shapes(value: str | None, seconds: float | None) -> None:
    """Whole seconds are read; what is nonsense is None."""
    assert parse_retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    """A date ahead is a wait, a date behind is none."""
    ahead = parse_retry_after(email.utils.formatdate(time.time() + 40, usegmt=True))
    assert ahead is not None
    assert 38 <= ahead <= 40
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0


@pytest.mark.parametrize(
    "url", ["http://example.com/a.jpg", "file:///etc/passwd", "https:///a", "a.jpg", "http://[x"]
)
def test_only_https_is_asked(url: str) -> None:
    """Plain http is for this machine alone."""
    with pytest.raises(PermanentError):
        check_url(url)


@pytest.mark.parametrize("url", ["https://cards.scryfall.io/a.jpg", "http://127.0.0.1:1/a.jpg"])
def test_https_and_this_machine_are_fine(url: str) -> None:
    """What the program needs is not refused."""
    refusals = []
    try:
        check_url(url)
    except PermanentError as error:
        refusals.append(str(error))
    assert refusals == []
