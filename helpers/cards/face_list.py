"""The faces of a bulk file, worked out once and kept beside the images.

A bulk file takes seconds to minutes to parse (2 s per 100,000 cards); the faces in it are an
eighth of its size. The list is bound to its bulk file by SHA-256, so a stale one is never used; it
carries a CRC-32 of itself, so a damaged one is worked out again; and it is read in a stream: memory
does not grow with the number of cards.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from helpers import json_lines
from helpers.atomic_io import AtomicFile, open_regular
from helpers.cards.bulk_file import iter_cards, unusable_bulk
from helpers.cards.card_face import NO_PICTURE, CardFace, faces_of
from helpers.errors import WriteError
from helpers.lock import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BufferedReader
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from helpers.cards.bulk_file import BulkFile

FORMAT = 5  # raise it whenever faces_of changes its answer
_IMAGE_FILE = CardFace._fields.index("image_file")
_SET = CardFace._fields.index("set")
_TRAILER_BYTES = 8192  # more than the last line can be long
_ENOUGH = 10_000  # entries without one face show that a file holds something else than cards
_BLOCK = 1 << 20  # bytes checked at a time: 30 MB take 10 ms


@dataclass(frozen=True, slots=True)
class FaceList:
    """The faces of one bulk file in its order, those of `sets` and no more than `limit` if given.

    `chosen` counts them before `limit`. `skipped` counts, by reason, the cards and faces that are
    left out; `odd` names the first card of each reason that should not occur (see
    `card_face.NO_PICTURE`).
    """

    path: Path
    total: int
    skipped: dict[str, int]
    odd: dict[str, str]
    chosen: int
    limit: int | None = None
    sets: frozenset[str] | None = None

    def __len__(self) -> int:
        return self.chosen if self.limit is None else min(self.limit, self.chosen)

    def __iter__(self) -> Iterator[CardFace]:
        yield from map(CardFace.of_values, self._lines())

    def image_files(self) -> Iterator[str]:
        """Yield the name of each face's image in the cache."""
        yield from map(_image_file, self._lines())

    def lacking(self, has: Callable[[str], bool]) -> Iterator[CardFace]:
        """Yield the faces whose image `has` denies; only those lines are parsed."""
        lines = (line for line in self._lines() if not has(_image_file(line)))
        yield from map(CardFace.of_values, lines)

    def only(self, sets: Iterable[str] | None, limit: int | None) -> FaceList:
        """Return the faces of these sets (codes such as `rtr`), and no more than `limit`."""
        if sets is None:
            return replace(self, limit=limit)
        chosen = replace(self, sets=frozenset(sets))
        return replace(chosen, chosen=sum(1 for _ in chosen.image_files()), limit=limit)

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            lines: Iterator[bytes] = itertools.islice(file, self.total)
            if self.sets is not None:
                lines = (line for line in lines if json_lines.loads(line)[_SET] in self.sets)
            yield from lines if self.limit is None else itertools.islice(lines, self.limit)


def _image_file(line: bytes) -> str:
    values: list[Any] = json_lines.loads(line)
    return str(values[_IMAGE_FILE])


def open_faces(bulk: BulkFile, directory: Path, version: str) -> FaceList:
    """Return the faces of `bulk`, from the list in `directory` or worked out now.

    Raises:
        DataError: the bulk file is unusable.
    """
    target = list_path(directory, bulk.kind, version)
    faces = _read(target, bulk.sha256, version)
    if faces is None:
        try:
            write_faces(bulk.path, bulk.sha256, target, version)
        except WriteError:  # a cache on a read-only or full disk can still be read
            target = _temporary_directory() / target.name
            write_faces(bulk.path, bulk.sha256, target, version)
        faces = _read(target, bulk.sha256, version)
    if faces is None:
        raise AssertionError(f"{target} was just written and cannot be read back")
    return faces


def read_list(path: Path) -> FaceList | None:
    """Return the list at `path` whatever bulk file it was made of, None if it is damaged."""
    trailer = _trailer(path)
    return None if trailer is None else _of_trailer(path, trailer)


def list_path(directory: Path, kind: str, version: str) -> Path:
    """Return where the list of that bulk kind and image version is kept."""
    return directory / f"faces-{kind}-{version}.jsonl"


def write_faces(bulk_path: Path, bulk_sha256: str, target: Path, version: str) -> None:
    """Read a bulk file to its end and write one line per face, then a line of totals.

    Raises:
        DataError: the bulk file is unusable; an older list is as it was.
        WriteError: the disk refuses; an older list is as it was.
    """
    skipped: Counter[str] = Counter()
    odd: dict[str, str] = {}
    total = crc = 0
    with AtomicFile(target) as file:
        for card, face in _distinct_faces(bulk_path, version):
            if isinstance(face, CardFace):
                total += 1
                line = face.to_values()
                crc = zlib.crc32(line, crc)
                file.write(line)
                continue
            skipped[face] += 1
            if face not in NO_PICTURE:
                odd.setdefault(face, f"{card.get('id')!a:.40} {card.get('name')!a:.60}")
            if total == 0 and odd and skipped.total() >= _ENOUGH:
                break
        if odd and total == 0:
            raise unusable_bulk(
                bulk_path, f"no card is as Scryfall describes them: {dict(skipped)}"
            )
        trailer = {
            "format": FORMAT,
            "bulk_sha256": bulk_sha256,
            "image_version": version,
            "total": total,
            "skipped": skipped,
            "odd": odd,
        }
        file.write(_sealed(trailer, crc))


def _sealed(trailer: dict[str, Any], crc: int) -> bytes:
    """Return the last line, whose CRC-32 covers the lines before it and itself."""
    crc = zlib.crc32(json.dumps(trailer).encode(), crc)
    return json.dumps({**trailer, "crc32": crc}).encode() + b"\n"


def _distinct_faces(
    bulk_path: Path, version: str
) -> Iterator[tuple[dict[str, Any], CardFace | str]]:
    """Yield each card with each of its faces, or with the reason why one is left out.

    Of faces with the same id the first one counts: an index names its rows by these ids.
    """
    known: set[int] = set()  # hashes: half as large as the ids, 50 MB for half a million
    for card in iter_cards(bulk_path):
        if isinstance(card, str):
            yield {"name": card}, "not_json"
            continue
        for face in faces_of(card, version):
            if isinstance(face, str):
                yield card, face
            elif (key := hash(face.face_id)) in known:
                yield card, "duplicate_id"
            else:
                known.add(key)
                yield card, face


def _read(path: Path, bulk_sha256: str, version: str) -> FaceList | None:
    """Return the list at `path` if it is of that bulk file and version, else None."""
    trailer = _trailer(path)
    if trailer is None or (trailer["bulk_sha256"], trailer["image_version"]) != (
        bulk_sha256,
        version,
    ):
        return None
    return _of_trailer(path, trailer)


def _of_trailer(path: Path, trailer: dict[str, Any]) -> FaceList:
    total = trailer["total"]
    return FaceList(path, total, trailer["skipped"], trailer["odd"], total)


def _trailer(path: Path) -> dict[str, Any] | None:
    """Return the last line of a list, None if the list is damaged or of another format."""
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            file.seek(max(0, size - _TRAILER_BYTES))
            line = file.read().removesuffix(b"\n").rsplit(b"\n", 1)[-1] + b"\n"
            trailer: dict[str, Any] = json.loads(line)
            del trailer["crc32"]
            whole = line == _sealed(trailer, _crc(file, size - len(line)))
            return trailer if whole and trailer["format"] == FORMAT else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _crc(file: BufferedReader, size: int) -> int:
    """Return the CRC-32 of the first `size` bytes."""
    file.seek(0)
    crc = 0
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        crc, size = zlib.crc32(block, crc), size - len(block)
    return crc


def _temporary_directory() -> Path:
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(scratch_directory("mtg-faces-"))


def faces_of_rows(faces: FaceList, positions: NDArray[np.int64]) -> Iterator[CardFace]:
    """Yield the faces at the ascending `positions` of the list, in one pass over it."""
    wanted = iter(positions.tolist())
    position = next(wanted, None)
    for number, face in enumerate(faces):
        if number == position:
            yield face
            position = next(wanted, None)
