#!/usr/bin/env python3
"""Serve a Scryfall of our own on 127.0.0.1, for demos, tests and work without a network.

It answers as Scryfall does since 20 July 2026 (`--legacy`: as before): `/bulk-data` and
`/bulk-data/<type>`, the bulk file with ETag and Range, and the images under their URLs with the
scan's epoch. Cards come from a file, or are drawn. Standard output gets one line, the base URL;
SIGINT or SIGTERM ends it.

    serve_scryfall.py --draw 300                    # cards of our own
    serve_scryfall.py --cards cards.jsonl --images images/ --faults faults.json

`GET /_log` returns the requests so far; `POST /_faults` replaces the fault plan.
"""

import json
import re
import signal
import threading
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TextIO

import _project  # noqa: F401 - puts the project's root on the path

from devtools.drawn_cards.cards import deck
from devtools.scryfall.content import Bulk, DrawnImages, FolderImages, image_urls, read_cards
from devtools.scryfall.faults import FaultPlan
from devtools.scryfall.options import FLAGS
from devtools.scryfall.server import RequestLog, Scryfall, Server
from helpers import cli
from helpers.atomic_io import disk_errors
from helpers.errors import DataError, UsageError
from helpers.report import DOCUMENT_VERSION, Reporter

PARSER = cli.parser(__doc__, FLAGS)


def build_server(args: Namespace) -> Server:
    """Read the input files and bind the port.

    Raises:
        DataError: an input file cannot be read.
        UsageError: the port is taken.
        WriteError: the log cannot be written.
    """
    try:
        faults = FaultPlan(json.loads(Path(args.faults).read_text("utf-8")) if args.faults else {})
        cards = read_cards(Path(args.cards)) if args.cards else deck(args.draw or 300, args.seed)
        source = FolderImages.load(Path(args.images)) if args.images else DrawnImages()
        urls = image_urls(cards)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, re.error) as error:
        raise DataError(f"an input file is unusable: {error}", details=repr(error)) from error
    log = RequestLog(_opened(Path(args.log)) if args.log else None)
    try:
        server = Server(args.port, faults, args.latency, log)
    except OSError as error:
        raise UsageError(f"cannot listen on port {args.port}: {error.strerror}") from error
    bulk = Bulk.of(cards, server.base, args.updated_at, legacy=args.legacy)
    server.scryfall = Scryfall(bulk, urls, source)
    return server


def _opened(path: Path) -> TextIO:
    with disk_errors(path):
        return path.open("a", encoding="utf-8")


def work(args: Namespace, report: Reporter) -> int:
    """Serve until a signal comes, which is how a server ends well."""
    server = build_server(args)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop.set())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    report.line(server.base)
    report.document({"version": DOCUMENT_VERSION, "url": server.base})
    server.stop.wait()
    server.shutdown()
    server.server_close()
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
