"""Serve a Scryfall of our own on 127.0.0.1, for demos, tests and work without a network.

It answers as Scryfall does since 20 July 2026 (`--legacy`: as before): `/bulk-data` and
`/bulk-data/<type>`, the bulk file with ETag and Range, and the images under their URLs with the
scan's epoch. Cards come from a file, or are drawn. Standard output gets one line, the base URL;
SIGINT or SIGTERM ends it.

    serve_scryfall.py --draw 300                    # cards of our own
    serve_scryfall.py --cards cards.jsonl --images images/ --faults faults.json

`GET /_log` returns the requests so far; `POST /_faults` replaces the fault plan.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.server
import json
import re
import signal
import socketserver
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO
from urllib.parse import urlsplit

import _project  # noqa: F401 - puts the project's root on the path
from scryfall_content import (
    BULK_KINDS,
    CONTENT_TYPES,
    Bulk,
    Card,
    DrawnImages,
    FolderImages,
    ImageUrl,
    file_answer,
    image_urls,
    read_cards,
)
from scryfall_faults import (
    ALTERATIONS,
    BREAKAGES,
    Answer,
    FaultPlan,
    Rule,
    Wire,
    error_answer,
    json_answer,
)

from helpers.card_deck import SOON_URL, deck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_API = "/api.scryfall.com"
_UPDATED_AT = "2026-08-03T21:06:11.353+00:00"
_LIBRARY_AGENT = re.compile(
    r"(python-requests|python-urllib|python-httpx|python/|aiohttp|go-http-client|okhttp|java/|$)",
    re.IGNORECASE,
)


class ImageSource(Protocol):
    """Where images come from: drawn or read from a folder."""

    def read(self, wanted: ImageUrl, extension: str) -> bytes | None:
        """Return the file, or None if there is none."""


class Scryfall:
    """Answers requests; knows nothing of sockets."""

    def __init__(self, bulk: Bulk, images: dict[str, ImageUrl], source: ImageSource) -> None:
        self._bulk = bulk
        self._images = images
        self._source = source
        self._files = {f"/{bulk.path(kind)}" for kind in BULK_KINDS}
        entries = [bulk.entry(kind) for kind in BULK_KINDS]
        self._api: dict[str, Any] = {
            "/bulk-data": {"object": "list", "has_more": False, "data": entries}
        }
        for entry in entries:
            for name in (entry["type"], entry["type"].replace("_", "-"), entry["id"]):
                self._api[f"/bulk-data/{name}"] = entry

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Answer a GET for `target`, a path with an optional query; header names in Title-Case."""
        url = urlsplit(target)
        if url.path in self._files:
            answer = self._bulk.file(headers.get("Accept-Encoding", ""))
        elif url.path.removeprefix("/") == SOON_URL.removeprefix("https://"):
            answer = _soon()
        elif "." in url.path.split("/")[1] and not url.path.startswith(_API):
            answer = self._image(url.path.removeprefix("/"), url.query)
        else:
            answer = self._api_answer(url.path.removeprefix(_API).rstrip("/"), headers)
        return conditional(answer, headers)

    def _image(self, path: str, query: str) -> Answer:
        """Answer with an image; another epoch than the card's own is another, unknown, scan."""
        wanted = self._images.get(path)
        extension = path.rpartition(".")[2]
        if wanted is None or wanted.query != query or extension not in CONTENT_TYPES:
            return _not_found()
        body = self._source.read(wanted, extension)
        if body is None:
            return _not_found()
        return file_answer(
            body, CONTENT_TYPES[extension], {"Cache-Control": "public, max-age=604800"}
        )

    def _api_answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        if _LIBRARY_AGENT.match(headers.get("User-Agent", "").strip()):
            details = "Please name your application and a contact in the User-Agent header."
            return error_answer(400, "generic_user_agent", details)
        if not headers.get("Accept", "").strip():
            return error_answer(400, "missing_accept", "Please send an Accept header.")
        if path not in self._api:
            return _not_found()
        answer = json_answer(200, self._api[path])
        answer.headers["ETag"] = "W/" + file_answer(answer.body, "", {}).headers["ETag"]
        return answer


def _not_found() -> Answer:
    return error_answer(404, "not_found", "The requested object or REST method was not found.")


def _soon() -> Answer:
    """Answer as errors.scryfall.com does: a picture that says that the picture is missing."""
    from helpers import card_art

    card = {"id": "soon", "name": "Image coming soon", "image_status": "placeholder"}
    return file_answer(card_art.render(card, 0, "normal"), "image/jpeg", {})


def conditional(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """Apply If-None-Match, Range and If-Range to a full answer."""
    etag = answer.headers.get("ETag", "")
    if answer.status != http.HTTPStatus.OK or not etag:
        return answer
    known = {tag.strip().removeprefix("W/") for tag in headers.get("If-None-Match", "").split(",")}
    if "*" in known or etag.removeprefix("W/") in known:
        kept = {k: v for k, v in answer.headers.items() if k != "Content-Type"}
        return Answer(304, headers=kept)
    same = headers.get("If-Range", etag) in {etag, answer.headers.get("Last-Modified")}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").strip())
    if "Accept-Ranges" in answer.headers and same and asked and asked[0] != "bytes=-":
        return _partial(answer, asked[1], asked[2])
    return answer


def _partial(answer: Answer, first: str, last: str) -> Answer:
    """Cut one range out of an answer: `first-last`, `first-` or `-count`."""
    if first and last and int(last) < int(first):
        return answer  # RFC 9110, section 14.1.1: an invalid range is ignored
    size = len(answer.body)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1 if first and last else size, size)
    if start >= end:
        return replace(
            error_answer(416, "range_not_satisfiable", f"The file has {size} bytes."),
            headers={"Content-Range": f"bytes */{size}"},
        )
    ranged = answer.headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return Answer(206, answer.body[start:end], ranged)


class RequestLog:
    """The requests so far, in memory and, one JSON line each when done, in a file."""

    def __init__(self, file: TextIO | None) -> None:
        self._entries: list[dict[str, Any]] = []
        self._file = file
        self._lock = threading.Lock()

    def begin(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Note a request that has arrived; its status is None until it is answered."""
        with self._lock:
            self._entries.append(entry)
        return entry

    def end(self, entry: dict[str, Any], **outcome: object) -> None:
        """Note how a request went."""
        with self._lock:
            entry.update(outcome)
            if self._file is not None:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()

    def document(self) -> list[dict[str, Any]]:
        """Copy the log."""
        with self._lock:
            return [dict(entry) for entry in self._entries]


class Server(http.server.ThreadingHTTPServer):
    """The socket side: connections, faults, latency, log."""

    daemon_threads = True
    request_queue_size = 256
    scryfall: Scryfall

    def __init__(self, port: int, faults: FaultPlan, latency: float, log: RequestLog) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults = faults
        self.latency = latency
        self.log = log
        self.stop = threading.Event()

    def server_bind(self) -> None:
        """Bind without the base class's reverse DNS look-up, which may take seconds offline."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of one client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        """Serve requests until the client leaves, in whatever way it does."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Keep quiet: `RequestLog` keeps the log."""

    def do_GET(self) -> None:
        """Answer, perhaps with a fault."""
        if self.path == "/_log":
            self._send(json_answer(200, self.server.log.document()))
            return
        wire = Wire(self.connection, self.server.stop)
        rule = self.server.faults.strike(self.path)
        entry = self.server.log.begin(self._entry(rule))
        status = None
        try:
            self.server.stop.wait(self.server.latency)
            headers = {name.title(): value for name, value in self.headers.items()}
            answer = self.server.scryfall.answer(self.path, headers)
            status = self._send_through(wire, answer, rule)
        finally:
            self.server.log.end(entry, status=status, bytes=wire.body_bytes)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Replace the fault plan."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/_faults":
            self._send(_not_found())
            return
        try:
            self.server.faults = FaultPlan(json.loads(body))
        except (ValueError, TypeError, AttributeError, re.error) as error:
            self._send(error_answer(400, "bad_faults", str(error)))
            return
        self._send(json_answer(200, {"object": "faults"}))

    def _entry(self, rule: Rule | None) -> dict[str, Any]:
        return {
            "time": time.monotonic(),
            "method": self.command,
            "path": self.path,
            "status": None,
            "range": self.headers.get("Range"),
            "user_agent": self.headers.get("User-Agent"),
            "fault": rule.fault if rule else None,
            "bytes": 0,
            "client": self.client_address[1],
        }

    def _send(self, answer: Answer) -> None:
        self._send_through(Wire(self.connection, self.server.stop), answer, None)

    def _send_through(self, wire: Wire, answer: Answer, rule: Rule | None) -> int | None:
        """Send an answer, as the rule would have it; return the status that the client saw."""
        answer.headers["Date"] = self.date_time_string()
        if rule and rule.fault in BREAKAGES:
            self.close_connection = True
            BREAKAGES[rule.fault](wire, answer, rule.params)
            self._close_for_reset(wire)
            return answer.status if wire.answered else None
        if rule:
            answer = ALTERATIONS[rule.fault](answer, {"location": self.path} | rule.params)
        wire.send(answer.head(), b"" if self.command == "HEAD" else answer.body)
        return answer.status

    def _close_for_reset(self, wire: Wire) -> None:
        """Close the socket at once: the orderly way out would send a FIN before the reset."""
        if wire.reset:
            self.rfile.close()
            self.connection.close()


def _utc(text: str) -> dt.datetime:
    """Read a time, which is UTC where it names no zone."""
    moment = dt.datetime.fromisoformat(text)
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def parse_args(argv: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cards = parser.add_mutually_exclusive_group()
    cards.add_argument("--cards", type=Path, help="card objects, one a line (.jsonl, .jsonl.gz)")
    cards.add_argument("--draw", type=int, default=300, metavar="N", help="faces (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="seed of drawn cards (default: 0)")
    parser.add_argument(
        "--images",
        type=Path,
        help="folder of <scryfall_id>[-<face>].<ext>, or a CSV with file,scryfall_id[,face] "
        "(default: draw them)",
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--legacy", action="store_true", help="the bulk shape before 2026-07-20")
    parser.add_argument(
        "--latency", type=float, default=0, metavar="SECONDS", help="before each answer"
    )
    parser.add_argument(
        "--updated-at",
        type=_utc,
        default=_UPDATED_AT,
        help=f"time of the bulk data (default: {_UPDATED_AT})",
    )
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a fault document (JSON)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write one JSON line per request")
    return parser, parser.parse_args(argv)


def build_server(args: argparse.Namespace) -> Server:
    """Read the input files and bind the port."""
    faults = FaultPlan(json.loads(args.faults.read_text("utf-8")) if args.faults else {})
    cards: list[Card] = read_cards(args.cards) if args.cards else deck(args.draw, args.seed)
    source = FolderImages.load(args.images) if args.images else DrawnImages()
    log = RequestLog(args.log.open("a", encoding="utf-8") if args.log else None)
    server = Server(args.port, faults, args.latency, log)
    bulk = Bulk.of(cards, server.base, args.updated_at, legacy=args.legacy)
    server.scryfall = Scryfall(bulk, image_urls(cards), source)
    return server


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal comes."""
    parser, args = parse_args(argv)
    try:
        server = build_server(args)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, re.error) as error:
        parser.error(f"{type(error).__name__}: {error}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.base}\n")
    sys.stdout.flush()
    server.stop.wait()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
