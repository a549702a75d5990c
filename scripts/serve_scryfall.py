#!/usr/bin/env python3
"""Serve a Scryfall of our own on 127.0.0.1, for demos, tests and work without a network.

It answers as Scryfall does since 20 July 2026 (`--legacy`: as before): `/bulk-data` and
`/bulk-data/<type>`, the bulk file with ETag and Range, and the images under their URLs with the
scan's epoch. Cards come from a file, or are drawn. Standard output gets one line, the base URL;
SIGINT or SIGTERM ends it.

    serve_scryfall.py --draw 300                    # cards of our own
    serve_scryfall.py --cards cards.jsonl --images images/ --faults faults.json
"""

import signal
from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from devtools.scryfall.options import FLAGS
from devtools.scryfall.server import LoopbackScryfall
from helpers import cli
from helpers.report import DOCUMENT_VERSION, Reporter

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Serve until a signal comes, which is how a server ends well."""
    with LoopbackScryfall(args) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.stop.set())
        report.line(server.url)
        report.document({"version": DOCUMENT_VERSION, "url": server.url})
        server.stop.wait()
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
