"""What can go wrong between a client and Scryfall, on demand and by seed.

A fault either alters an answer before it is sent (`ALTERATIONS`: another status, another body) or
breaks the way it is sent (`BREAKAGES`: reset, cut, stalled, dripping). `FaultPlan` decides which
request meets which; `serve_scryfall.py` does the rest. A fault document looks like this:

    {"seed": 1, "rules": [{"match": "/normal/", "fault": "status", "times": 2, "skip": 0,
                           "probability": 0.5, "params": {"code": 503, "retry_after": "1"}}]}
"""

import email.utils
import functools
import gzip
import http.client
import io
import json
import random
import re
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Params = dict[str, Any]

_ENDLESS_BYTES = 1_000_000_000
_ENDLESS_SECONDS = 60.0
_POLL_SECONDS = 0.1
_HTML = b"<!DOCTYPE html><html><body><h1>Please log in to this network</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer as it should be: status, headers (without the length) and body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def head(self, **changes: str | None) -> bytes:
        """The bytes before the body; `None` leaves a header out, `_` in a name stands for `-`."""
        fields: dict[str, str | None] = {"Content-Length": str(len(self.body)), **self.headers}
        fields |= {name.replace("_", "-"): value for name, value in changes.items()}
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def without_validators(self) -> "Response":
        """The same answer without what would identify its old body."""
        kept = {k: v for k, v in self.headers.items() if k in {"Content-Type", "Date"}}
        return replace(self, headers=kept)


def json_answer(status: int, document: Any) -> Response:
    """Wrap a JSON document as Scryfall's API does."""
    body = json.dumps(document).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8"})


def error_answer(status: int, code: str, details: str) -> Response:
    """Make Scryfall's error object."""
    error = {"object": "error", "code": code, "status": status, "details": details}
    return json_answer(status, error)


# Which request meets which fault


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a fault document; ValueError for an unknown fault, TypeError for another key."""

    match: str = ""
    fault: str = ""
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    params: Params = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.fault not in ALTERATIONS.keys() | BREAKAGES.keys():
            raise ValueError(f"unknown fault: {self.fault!r}")
        re.compile(self.match)  # a bad pattern is found now


class FaultPlan:
    """Rules in order; the first that matches the URL and is due strikes.

    Chance depends on the seed, the rule, the URL and how often that URL was asked for, not on the
    order in which threads arrive.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._seed = document.get("seed", 0)
        self._rules = [Rule(**rule) for rule in document.get("rules", [])]
        self._asked: Counter[str] = Counter()
        self._struck: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def strike(self, url: str) -> Rule | None:
        """Count a request for `url` (path and query) and return the rule that strikes it."""
        with self._lock:
            asked = self._asked[url]
            self._asked[url] += 1
            for number, rule in enumerate(self._rules):
                if self._is_due(number, rule, url, asked):
                    self._struck[number, url] += 1
                    return rule
        return None

    def _is_due(self, number: int, rule: Rule, url: str, asked: int) -> bool:
        if asked < rule.skip or not re.search(rule.match, url):
            return False
        if rule.times is not None and self._struck[number, url] >= rule.times:
            return False
        return random.Random(f"{self._seed} {number} {url} {asked}").random() < rule.probability


# Faults that alter the answer


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _status(_answer: Response, params: Params) -> Response:
    code = params.get("code", 503)
    answer = error_answer(code, "injected", f"The fault plan asked for status {code}.")
    if "body" in params:
        answer = replace(answer, body=params["body"].encode())
    if "retry_after" in params:
        answer.headers["Retry-After"] = _retry_after(str(params["retry_after"]))
    return answer


def _retry_after(value: str) -> str:
    """Send the value as it is, but turn `http-date:+3` into the date three seconds ahead."""
    if value.startswith("http-date:"):
        ahead = float(value.removeprefix("http-date:"))
        return email.utils.formatdate(time.time() + ahead, usegmt=True)
    return value


def _altered(answer: Response, params: Params) -> Response:
    """Send other headers (null takes one out), and in the body `new` for `old`, of `replace`."""
    headers = {**answer.headers, **params.get("headers", {})}
    headers = {name: text for name, text in headers.items() if text is not None}
    old, new = params.get("replace", ["", ""])
    return replace(answer, headers=headers, body=answer.body.replace(old.encode(), new.encode()))


def _one_pixel(_answer: Response, _params: Params) -> Response:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "JPEG")
    return Response(200, file.getvalue(), {"Content-Type": "image/jpeg"})


def _wrong_type(answer: Response, params: Params) -> Response:
    """Send another valid format under the old name and type; what is no image stays."""
    if not answer.headers.get("Content-Type", "").startswith("image/"):
        return answer
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(answer.body)) as image:
        image.convert("RGB").save(file, params.get("format", "png"))
    return replace(answer.without_validators(), body=file.getvalue())


def _gzip_bomb(answer: Response, params: Params) -> Response:
    bomb = replace(answer.without_validators(), body=_bomb(params.get("megabytes", 200)))
    bomb.headers["Content-Encoding"] = "gzip"
    return bomb


@functools.cache
def _bomb(megabytes: int) -> bytes:
    """So many zeros, in a thousandth of their size."""
    return gzip.compress(bytes(1_000_000 * megabytes), mtime=0)


ALTERATIONS: dict[str, Callable[[Response, Params], Response]] = {
    "status": _status,
    "altered": _altered,
    "html": lambda _, __: Response(200, _HTML, {"Content-Type": "text/html; charset=utf-8"}),
    "html_as_image": lambda _, __: Response(200, _HTML, {"Content-Type": "image/jpeg"}),
    "empty": lambda answer, _: replace(answer.without_validators(), body=b""),
    "one_pixel": _one_pixel,
    "wrong_type": _wrong_type,
    "truncated_honest": lambda a, _: replace(a.without_validators(), body=_half(a.body)),
    "redirect": lambda _, params: Response(302, headers={"Location": params["location"]}),
    # The server puts the request's own URL into the params.
    "redirect_loop": lambda _, params: Response(302, headers={"Location": params["location"]}),
    "gzip_bomb": _gzip_bomb,
}


# Faults that break the way an answer is sent


class Wire:
    """One client's connection: counts the bytes of bodies, and knows when the client has left."""

    def __init__(self, connection: socket.socket, stop: threading.Event) -> None:
        self._connection = connection
        self._stop = stop
        self.answered = False
        self.body_bytes = 0
        self.reset = False

    def send(self, head: bytes, body: bytes = b"") -> None:
        """Send bytes; those of the body are counted once they are handed to the kernel."""
        self.answered = True
        self._connection.sendall(head + body)
        self.body_bytes += len(body)

    def idle(self, seconds: float) -> bool:
        """Wait; False as soon as the client has left or the server stops."""
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and not self._client_left():
            if (left := deadline - time.monotonic()) <= 0:
                return True
            self._stop.wait(min(left, _POLL_SECONDS))
        return False

    def _client_left(self) -> bool:
        readable, _, _ = select.select([self._connection], [], [], 0)
        return bool(readable) and not self._connection.recv(1, socket.MSG_PEEK)

    def arm_reset(self) -> None:
        """Make the coming close a reset (RST) instead of an orderly end (FIN)."""
        linger_on_for_no_time = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_for_no_time)
        self.reset = True


def _reset_in_body(wire: Wire, answer: Response, _params: Params) -> None:
    wire.send(answer.head(), _half(answer.body))
    wire.idle(_POLL_SECONDS)  # a reset discards what the client has not read yet
    wire.arm_reset()


def _chunked_cut(wire: Wire, answer: Response, _params: Params) -> None:
    half = _half(answer.body)
    wire.send(answer.head(Content_Length=None, Transfer_Encoding="chunked") + b"%x\r\n" % len(half))
    wire.send(b"", half)
    wire.send(b"\r\n")


def _early_hints(wire: Wire, answer: Response, _params: Params) -> None:
    for interim in ("102 Processing", "103 Early Hints"):
        wire.send(f"HTTP/1.1 {interim}\r\nLink: </style.css>; rel=preload\r\n\r\n".encode())
    # This connection ends here, as after every fault: a client that is not told might use it again.
    wire.send(answer.head(Connection="close"), answer.body)


def _endless(wire: Wire, answer: Response, params: Params) -> None:
    deadline = time.monotonic() + params.get("seconds", _ENDLESS_SECONDS)
    wire.send(answer.head(Content_Length=None, Connection="close"), answer.body)
    block = bytes(65536)
    while wire.body_bytes < _ENDLESS_BYTES and time.monotonic() < deadline and wire.idle(0):
        wire.send(b"", block)


def _stall(wire: Wire, answer: Response, params: Params) -> None:
    wire.send(answer.head(), _half(answer.body))
    wire.idle(params.get("seconds", 60))


def _drip(wire: Wire, answer: Response, params: Params) -> None:
    wire.send(answer.head())
    for byte in _paced(wire, answer.body, params):
        wire.send(b"", byte)


def _drip_headers(wire: Wire, answer: Response, params: Params) -> None:
    head = answer.head()
    sent = 0
    for byte in _paced(wire, head, params):
        wire.send(byte)
        sent += 1
    if sent == len(head):
        wire.send(b"", answer.body)


def _paced(wire: Wire, data: bytes, params: Params) -> Iterator[bytes]:
    """Hand out single bytes, one every `interval` seconds, while the client stays."""
    for at in range(len(data)):
        if not wire.idle(params.get("interval", 0.2)):
            return
        yield data[at : at + 1]


BREAKAGES: dict[str, Callable[[Wire, Response, Params], object]] = {
    "reset_before_headers": lambda wire, _, __: wire.arm_reset(),
    "reset_in_body": _reset_in_body,
    "close_early": lambda wire, a, _: wire.send(a.head(), _half(a.body)),
    "close_early_no_length": lambda wire, a, _: wire.send(
        a.head(Content_Length=None, Connection="close"), _half(a.body)
    ),
    "length_too_long": lambda wire, a, _: wire.send(
        a.head(Content_Length=str(len(a.body) + 1000)), a.body
    ),
    "length_too_short": lambda wire, a, _: wire.send(
        a.head(Content_Length=str(len(a.body) // 2)), a.body
    ),
    "chunked_cut": _chunked_cut,
    "early_hints": _early_hints,
    "endless": _endless,
    "hang": lambda wire, _, params: wire.idle(params.get("seconds", 60)),
    "stall": _stall,
    "drip": _drip,
    "drip_headers": _drip_headers,
}
"""Each of these ends the connection when it is done."""
