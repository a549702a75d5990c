#!/usr/bin/env python3
"""Draw invented cards into a folder: `cards.jsonl` and one image file per face.

    draw_cards.py --out drawn --count 300
    serve_scryfall.py --cards drawn/cards.jsonl --images drawn/images

The same seed draws the same cards.
"""

import json
from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from devtools.drawn_cards.cards import EXTENSIONS, deck, image_faces
from helpers import cli
from helpers.atomic_io import atomic_write, make_directory
from helpers.cli_validation import Directory, Flag, FlagGroup, Number, OneOf
from helpers.report import DOCUMENT_VERSION, Reporter

FLAGS = FlagGroup(
    "drawing",
    (
        Flag("--out", Directory(), None, "DIR", "folder to write to", required=True),
        Flag("--count", Number(int, 1, 1_000_000), 300, "N", "faces to draw"),
        Flag("--seed", Number(int, 0), 0, "N", "of everything that is random"),
        Flag("--image-version", OneOf(tuple(EXTENSIONS)), "normal", "KEY", ", ".join(EXTENSIONS)),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Draw and write."""
    from devtools.drawn_cards import drawing

    cards, out, version = deck(args.count, args.seed), args.out, args.image_version
    make_directory(out / "images")
    lines = (json.dumps(card, ensure_ascii=False) + "\n" for card in cards)
    atomic_write(out / "cards.jsonl", "".join(lines))
    faces = list(image_faces(cards))
    with report.progress(len(faces), "Drawing") as progress:
        for card, face in faces:
            name = card["id"] + (f"-{face}" if face else "") + f".{EXTENSIONS[version]}"
            atomic_write(out / "images" / name, drawing.render(card, face, version))
            progress.advance()
    report.line(str(out))
    counts = {"cards": len(cards), "images": len(faces)}
    report.document({"version": DOCUMENT_VERSION, "out": str(out), **counts})
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
