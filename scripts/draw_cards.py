"""Draw invented cards into a folder: `cards.jsonl` and one image file per face.

    draw_cards.py --out drawn --count 300
    serve_scryfall.py --cards drawn/cards.jsonl --images drawn/images

The same seed draws the same cards.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import _project  # noqa: F401 - puts the project's root on the path

from devtools.drawn_cards.cards import EXTENSIONS, deck, image_faces

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Draw and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--count", type=int, default=300, help="faces (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--version", choices=EXTENSIONS, default="normal", help="default: normal")
    args = parser.parse_args(argv)
    from devtools.drawn_cards import drawing

    cards = deck(args.count, args.seed)
    images = args.out / "images"
    try:
        images.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(card, ensure_ascii=False) + "\n" for card in cards)
        (args.out / "cards.jsonl").write_text(lines, encoding="utf-8")
        for card, face in image_faces(cards):
            name = card["id"] + (f"-{face}" if face else "") + f".{EXTENSIONS[args.version]}"
            (images / name).write_bytes(drawing.render(card, face, args.version))
    except OSError as error:
        parser.error(str(error))
    sys.stdout.write(f"{args.out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
