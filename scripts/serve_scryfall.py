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
import datetime as dt
import json
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import _project  # noqa: F401 - puts the project's root on the path

from devtools.drawn_cards.cards import deck
from devtools.scryfall.content import (
    Bulk,
    Card,
    DrawnImages,
    FolderImages,
    image_urls,
    read_cards,
)
from devtools.scryfall.faults import (
    FaultPlan,
)
from devtools.scryfall.server import UPDATED_AT, RequestLog, Scryfall, Server

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        default=UPDATED_AT,
        help=f"time of the bulk data (default: {UPDATED_AT})",
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
