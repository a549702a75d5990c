#!/usr/bin/env python3
"""Damaged input of every kind: each case ends well, or with an error that says why.

    tests/fuzz.py --seconds 600 --seed 7

Prints one line per kind: cases, refused, tracebacks, hangs. Ends with 1 if there was any of the
last two, and names seed and number of the case, which repeat it.
"""

import argparse
import contextlib
import io
import itertools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from builds import card, made_up_manifest
from PIL import Image, ImageDraw

from helpers.cards import bulk_download
from helpers.cards.face_list import write_faces
from helpers.errors import AppError
from helpers.index.publish import INDEX, JOURNAL, MANIFEST, METADATA, VECTORS
from helpers.index.verify import check_index
from helpers.query import inputs
from helpers.query.photo_file import load_photo
from helpers.validation import FORMATS, InvalidImageError, validate_image

HANG_SECONDS = 20
_DIM, _ROWS = 8, 40
#: What parsers stumble over.
_TOKENS = (
    *(b"\0", b"\xff", b"\n", b'"', b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"-1"),
    *(b"1e999", b"NaN", b"9" * 400, b"\\ud800", b"\xe2\x80\xa8", b"../", b"[" * 2000, b"\x1b[2J"),
)


class Hang(BaseException):
    """A case took too long. Not an `Exception`, so that nothing swallows it."""


class RefusedError(Exception):
    """The input was refused with a reason, as it should be."""


@dataclass
class Count:
    """What came of the cases of one kind."""

    cases: int = 0
    refused: int = 0
    hangs: int = 0
    tracebacks: list[str] = field(default_factory=list)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return damaged bytes: flipped, cut, repeated, swapped, with tokens put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(changed) + 1)
        end = min(len(changed), start + chance.choice((1, 4, 64, 1024)))
        kind = chance.randrange(6)
        if kind == 0:
            changed[start:end] = chance.randbytes(end - start)
        elif kind == 1:
            del changed[start:end]
        elif kind == 2:
            changed[start:start] = changed[start:end] * chance.randint(1, 50)
        elif kind == 3:
            changed[start:start] = chance.choice(_TOKENS)
        elif kind == 4:
            changed[start:end] = bytes(end - start)
        else:
            del changed[chance.choice((start, len(changed) - 1, 0)) :]
    return bytes(changed)


class Fuzzer:
    """Holds whole input of each kind, and gives damaged input to what reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = list(_pictures())
        self.cards = b"".join(json.dumps(card(number)).encode() + b"\n" for number in range(6))
        self.whole = _index(folder / "whole")
        (folder / "photos").mkdir()
        self.photo = folder / "photos" / "photo.png"
        self.photo.write_bytes(self.pictures[1])

    def picture(self, chance: random.Random) -> None:
        """A picture of any format, as a query and as an image of the cache."""
        data = mutate(chance.choice(self.pictures), chance)
        validate_image(data, chance.choice((".jpg", ".png", ".webp", "")))
        try:
            load_photo(data)
        except InvalidImageError as error:
            raise RefusedError(str(error)) from error

    def bulk(self, chance: random.Random) -> None:
        """A bulk file: lines, or one array."""
        data = self.cards
        if chance.random() < 0.3:
            data = b"[" + b",".join(data.splitlines()) + b"]"
        path = self.folder / "bulk.jsonl"
        path.write_bytes(mutate(data, chance))
        write_faces(path, "aa", self.folder / "faces.jsonl", "normal")

    def listing(self, chance: random.Random) -> None:
        """What Scryfall says of a bulk file."""
        document = {
            "object": "bulk_data",
            "type": "all_cards",
            "updated_at": "2026-07-20T21:06:11.353+00:00",
            "jsonl_download_uri": "https://data.scryfall.io/all-cards.jsonl.gz",
            "compressed_size": 1000,
        }
        try:
            found = json.loads(mutate(json.dumps(document).encode(), chance))
        except (ValueError, RecursionError) as error:  # asked for again by the session
            raise RefusedError(str(error)) from error
        if not isinstance(found, dict):
            raise RefusedError("no object")
        bulk_download.listed(found)

    def index(self, chance: random.Random) -> None:
        """A directory with an index, one of its files damaged."""
        out = self.folder / "index"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self.whole, out)
        name = chance.choice((MANIFEST, MANIFEST, METADATA, VECTORS, INDEX, JOURNAL))
        if name == JOURNAL:
            (out / JOURNAL).write_bytes(
                b'{"version": "1.0", "staging": ".build-1", "obsolete": []}'
            )
        (out / name).write_bytes(mutate((out / name).read_bytes(), chance))
        problems = check_index(out)["problems"]
        if problems:
            raise RefusedError(problems[0])

    def stdin(self, chance: random.Random) -> None:
        """Names of pictures, a line each."""
        # Relative: the end of an absolute one may be cut off, and then name a directory of others.
        data = mutate((f"./photos/{self.photo.name}".encode() + b"\n") * 3, chance)
        stdin, sys.stdin = sys.stdin, _Stdin(data)
        try:
            with contextlib.chdir(self.folder), patch.object(inputs, "fetched", _no_network):
                found = list(inputs.pictures(["-"]))
        finally:
            sys.stdin = stdin
        errors = [picture.error for picture in found]
        if any(errors):
            raise RefusedError(str(errors))

    @property
    def kinds(self) -> dict[str, Callable[[random.Random], None]]:
        """What is fuzzed, by name."""
        every = (self.picture, self.bulk, self.listing, self.index, self.stdin)
        return {one.__name__: one for one in every}


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def _no_network(_: str) -> bytes:
    raise InvalidImageError("no network here")


def _pictures() -> Iterator[bytes]:
    image = Image.new("RGB", (90, 60), (200, 30, 30))
    ImageDraw.Draw(image).ellipse((9, 9, 70, 50), (10, 200, 90))
    for kind in FORMATS:
        for mode in ("RGB", "L") if kind != "GIF" else ("P",):
            buffer = io.BytesIO()
            image.convert(mode).save(buffer, kind)
            yield buffer.getvalue()
    for more in ({"progressive": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **more)
        yield buffer.getvalue()


def _index(folder: Path) -> Path:
    from helpers.building.hnsw import IndexOptions, build

    folder.mkdir()
    vectors = np.random.default_rng(0).normal(size=(_ROWS, _DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(folder / VECTORS, vectors)
    built = build(IndexOptions(folder / VECTORS, folder / INDEX, 8, 40, 60.0))
    keys = ("name", "scryfall_id", "face_id", "image_file", "image_sha256")
    lines = ({key: f"{key} {row}" for key in keys} for row in range(_ROWS))
    (folder / METADATA).write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = {"vectors": _ROWS, "dimension": _DIM, "distinct": built.distinct, "whitened": False}
    made_up_manifest(folder, about)
    return folder


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise `Hang` in a block that takes too long."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_case(
    case: Callable[[random.Random], None], kind: str, seed: int, number: int, count: Count
) -> None:
    """Run one case; what came of it goes into `count`."""
    count.cases += 1
    try:
        with _limited():
            case(random.Random(f"{seed} {kind} {number}"))
    except (AppError, RefusedError):
        count.refused += 1
    except Hang:
        count.hangs += 1
        count.tracebacks.append(f"seed {seed}, {kind} {number}: more than {HANG_SECONDS} s")
    except Exception:  # noqa: BLE001 - the very thing that is looked for
        count.tracebacks.append(f"seed {seed}, {kind} {number}:\n{traceback.format_exc()}")


def fuzz(seconds: float, seed: int, folder: Path, least: int = 20) -> dict[str, Count]:
    """Run cases of all kinds in turn until the time is over, `least` of each in any case."""
    kinds = Fuzzer(folder).kinds
    counts = {kind: Count() for kind in kinds}
    end = time.monotonic() + seconds
    for number in itertools.count():
        if number >= least and time.monotonic() > end:
            return counts
        for kind, case in kinds.items():
            run_case(case, kind, seed, number, counts[kind])
    raise AssertionError("itertools.count never ends")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        counts = fuzz(args.seconds, args.seed, Path(folder))
    for kind, count in counts.items():
        failed = len(count.tracebacks) - count.hangs
        sys.stdout.write(
            f"{kind}: {count.cases:,} cases, {count.refused:,} refused, {failed} tracebacks,"
            f" {count.hangs} hangs\n"
        )
    problems = [text for count in counts.values() for text in count.tracebacks]
    sys.stdout.write("".join(f"\n{text}\n" for text in problems[:20]))
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
