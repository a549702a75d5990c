"""What the loopback Scryfall answers, and the server that sends it."""

import contextlib
import http.server
import json
import re
import socketserver
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TextIO
from urllib.parse import urlsplit

from devtools.drawn_cards.cards import SOON_URL, deck
from devtools.scryfall.content import (
    BULK_KINDS,
    CONTENT_TYPES,
    Bulk,
    ImageUrl,
    ReadImage,
    drawn_images,
    file_answer,
    folder_images,
    image_urls,
    read_cards,
)
from devtools.scryfall.faults import (
    ALTERATIONS,
    BREAKAGES,
    FaultPlan,
    Response,
    Rule,
    Wire,
    error_answer,
    json_answer,
)
from helpers.atomic_io import disk_errors
from helpers.errors import DataError, UsageError

_API = "/api.scryfall.com"
UPDATED_AT = "2026-08-03T21:06:11.353+00:00"
_LIBRARY_AGENT = re.compile(
    r"(python-requests|python-urllib|python-httpx|python/|aiohttp|go-http-client|okhttp|java/|$)",
    re.IGNORECASE,
)


#: Answers a GET for a path with an optional query and headers, their names in Title-Case.
Answer = Callable[[str, Mapping[str, str]], Response]


class Scryfall:
    """What Scryfall answers."""

    def __init__(self, bulk: Bulk, images: dict[str, ImageUrl], read: ReadImage) -> None:
        self._bulk = bulk
        self._images = images
        self._read = read
        self._files = {f"/{bulk.path(kind)}" for kind in BULK_KINDS}
        entries = [bulk.entry(kind) for kind in BULK_KINDS]
        self._api: dict[str, Any] = {
            "/bulk-data": {"object": "list", "has_more": False, "data": entries}
        }
        for entry in entries:
            for name in (entry["type"], entry["type"].replace("_", "-"), entry["id"]):
                self._api[f"/bulk-data/{name}"] = entry

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer a request (an `Answer`)."""
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

    def _image(self, path: str, query: str) -> Response:
        """Answer with an image; another epoch than the card's own is another, unknown, scan."""
        wanted = self._images.get(path)
        extension = path.rpartition(".")[2]
        if wanted is None or wanted.query != query or extension not in CONTENT_TYPES:
            return _not_found()
        body = self._read(path)
        if body is None:
            return _not_found()
        return file_answer(
            body, CONTENT_TYPES[extension], {"Cache-Control": "public, max-age=604800"}
        )

    def _api_answer(self, path: str, headers: Mapping[str, str]) -> Response:
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


def _not_found() -> Response:
    return error_answer(404, "not_found", "The requested object or REST method was not found.")


def _soon() -> Response:
    """Answer as errors.scryfall.com does: a picture that says that the picture is missing."""
    from devtools.drawn_cards import drawing

    card = {"id": "soon", "name": "Image coming soon", "image_status": "placeholder"}
    return file_answer(drawing.render(card, 0, "normal"), "image/jpeg", {})


def conditional(answer: Response, headers: Mapping[str, str]) -> Response:
    """Apply If-None-Match, Range and If-Range to a full answer."""
    etag = answer.headers.get("ETag", "")
    if answer.status != http.HTTPStatus.OK or not etag:
        return answer
    known = {tag.strip().removeprefix("W/") for tag in headers.get("If-None-Match", "").split(",")}
    if "*" in known or etag.removeprefix("W/") in known:
        kept = {k: v for k, v in answer.headers.items() if k != "Content-Type"}
        return Response(304, headers=kept)
    same = headers.get("If-Range", etag) in {etag, answer.headers.get("Last-Modified")}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").strip())
    if "Accept-Ranges" in answer.headers and same and asked and asked[0] != "bytes=-":
        return _partial(answer, asked[1], asked[2])
    return answer


def _partial(answer: Response, first: str, last: str) -> Response:
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
    return Response(206, answer.body[start:end], ranged)


class Server(http.server.ThreadingHTTPServer):
    """The socket side: connections, faults, latency, log; it serves while a `with` block lasts.

    Each request is noted in memory and, as a JSON line when it is done, in the file `log`.

    Attributes:
        url: the base of all addresses.
        answer: what answers requests; to be set before the first one.
        plan: the faults.
        stop: set when the server is to end.
    """

    daemon_threads = True
    request_queue_size = 256
    answer: Answer

    def __init__(self, port: int = 0, latency: float = 0.0, log: TextIO | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.latency = latency
        self.plan = FaultPlan({})
        self.stop = threading.Event()
        self._log_file = log
        self._entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the fault rules, see `devtools.scryfall.faults`."""
        self.plan = FaultPlan({"seed": 1, "rules": rules})

    def log(self) -> list[dict[str, Any]]:
        """Copy the log: every request so far."""
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def begin(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Note a request that has arrived; its status is None until it is answered."""
        with self._lock:
            self._entries.append(entry)
        return entry

    def end(self, entry: dict[str, Any], body_bytes: int) -> None:
        """Note that a request is done."""
        with self._lock:
            entry["bytes"] = body_bytes
            if self._log_file is not None:
                self._log_file.write(json.dumps(entry) + "\n")
                self._log_file.flush()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.shutdown()
        self.server_close()

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
        """Keep quiet: the server keeps the log."""

    def do_GET(self) -> None:
        """Answer, perhaps with a fault."""
        wire = Wire(self.connection, self.server.stop)
        rule = self.server.plan.strike(self.path)
        entry = self.server.begin(self._entry(rule))
        try:
            self.server.stop.wait(self.server.latency)
            answer = self.server.answer(self.path, entry["headers"])
            self._send_through(wire, answer, rule, entry)
        finally:
            self.server.end(entry, wire.body_bytes)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def _entry(self, rule: Rule | None) -> dict[str, Any]:
        return {
            "time": time.monotonic(),
            "method": self.command,
            "path": self.path,
            "status": None,
            "headers": {name.title(): value for name, value in self.headers.items()},
            "fault": rule.fault if rule else None,
            "bytes": 0,
            "client": self.client_address[1],
        }

    def _send_through(
        self, wire: Wire, answer: Response, rule: Rule | None, entry: dict[str, Any]
    ) -> None:
        """Send an answer, as the rule would have it, and note the status that the client sees."""
        answer.headers["Date"] = self.date_time_string()
        if rule and rule.fault in BREAKAGES:
            self.close_connection = True
            BREAKAGES[rule.fault](wire, answer, rule.params)
            self._close_for_reset(wire)
            entry["status"] = answer.status if wire.answered else None
            return
        if rule:
            answer = ALTERATIONS[rule.fault](answer, {"location": self.path} | rule.params)
        entry["status"] = answer.status  # before the client can go on and look at the log
        wire.send(answer.head(), b"" if self.command == "HEAD" else answer.body)

    def _close_for_reset(self, wire: Wire) -> None:
        """Close the socket at once: the orderly way out would send a FIN before the reset."""
        if wire.reset:
            self.rfile.close()
            self.connection.close()


class LoopbackScryfall(Server):
    """A Scryfall on a port of its own, as the flags of `devtools.scryfall.options` say.

    Raises:
        DataError: an input file cannot be read.
        UsageError: the port is taken.
        WriteError: the log cannot be written.
    """

    def __init__(self, args: Namespace) -> None:
        try:
            faults = json.loads(Path(args.faults).read_text("utf-8")) if args.faults else {}
            plan = FaultPlan(faults)
            cards = read_cards(args.cards) if args.cards else deck(args.draw or 300, args.seed)
            urls = image_urls(cards)
            read = folder_images(urls, Path(args.images)) if args.images else drawn_images(urls)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, re.error) as error:
            raise DataError(f"an input file is unusable: {error}", details=repr(error)) from error
        log = _opened(Path(args.log)) if args.log else None
        try:
            super().__init__(args.port, args.latency, log)
        except OSError as error:
            raise UsageError(f"cannot listen on port {args.port}: {error.strerror}") from error
        self.plan = plan
        bulk = Bulk.of(cards, self.url, args.updated_at, legacy=args.legacy)
        self.answer = Scryfall(bulk, urls, read).answer


def _opened(path: Path) -> TextIO:
    with disk_errors(path):
        return path.open("a", encoding="utf-8")
