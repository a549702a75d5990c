"""The faces of a bulk file, worked out once and kept beside the images.

A bulk file takes seconds to minutes to parse (2 s per 100,000 cards); the faces in it are an
eighth of its size. The list is bound to its bulk file by SHA-256, so a stale one is never used; it
carries a CRC-32 of itself, so a damaged one is worked out again; and it is mapped, not loaded: the
system takes the memory back whenever it needs it.
"""

import itertools
import json
import mmap
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from helpers.atomic_io import AtomicFile, open_regular
from helpers.cards.bulk_file import BulkFile, iter_cards, unusable_bulk
from helpers.cards.card_face import NO_PICTURE, CardFace, faces_of

FORMAT = 6  # raise it whenever faces_of changes its answer
_SEAL_BYTES = 9  # of the last line: the CRC-32 of everything before it, in hexadecimal
_ENOUGH = 10_000  # entries without one face show that a file holds something else than cards


@dataclass(frozen=True, slots=True)
class FaceList:
    """`count` faces of one bulk file in its order, those of `sets` only if given.

    `total` counts all that the bulk file has, `skipped`, by reason, the cards and faces that are
    left out; `odd` names the first card of each reason that should not occur (see
    `card_face.NO_PICTURE`).

    `data` stays the list that was opened, whatever has its name by now. A build reads it several
    times in many hours, and rows are positions in it: a download that replaces the list meanwhile
    would give the vectors the names of other cards.
    """

    data: mmap.mmap
    total: int
    count: int
    skipped: dict[str, int]
    odd: dict[str, str]
    sets: frozenset[str] | None = None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[CardFace]:
        faces = map(CardFace.of_values, self._lines())
        chosen = (face for face in faces if self.sets is None or face.set in self.sets)
        yield from itertools.islice(chosen, self.count)

    def _lines(self) -> Iterator[bytes]:
        start = 0
        for _ in range(self.total):
            end = self.data.find(b"\n", start)
            yield self.data[start:end]
            start = end + 1

    def image_files(self) -> Iterator[str]:
        """Yield the name of each face's image in the cache."""
        return (face.image_file for face in self)

    def only(self, sets: Iterable[str] | None, limit: int | None) -> Self:
        """Return the faces of these sets (codes such as `rtr`), and no more than `limit`."""
        chosen = self
        if sets is not None:
            chosen = replace(self, sets=frozenset(sets))
            chosen = replace(chosen, count=sum(1 for _ in chosen))
        return chosen if limit is None else replace(chosen, count=min(limit, chosen.count))


def open_faces(bulk: BulkFile, directory: Path, version: str) -> FaceList:
    """Return the faces of `bulk`, from the list in `directory` or worked out now.

    Raises:
        DataError: the bulk file is unusable.
        WriteError: the disk refuses the list.
    """
    path = list_path(directory, bulk.kind, version)
    faces = read_list(path, bulk.sha256)
    if faces is None:
        write_faces(bulk.path, bulk.sha256, path, version)
        faces = read_list(path, bulk.sha256)
    if faces is None:
        raise unusable_bulk(bulk.path, f"{path} was replaced while it was written")
    return faces


def read_list(path: Path, bulk_sha256: str | None = None) -> FaceList | None:
    """Return the list at `path`; None if it is damaged, or not of the bulk file of that digest."""
    try:
        with open_regular(path) as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = len(data) - _SEAL_BYTES
        if zlib.crc32(memoryview(data)[:end]) != int(data[end:], 16):
            return None
        about = json.loads(data[data.rfind(b"\n", 0, end - 1) + 1 : end])
    except (OSError, ValueError):
        return None
    if about["format"] != FORMAT or bulk_sha256 not in (None, about["bulk_sha256"]):
        return None
    total = about["total"]
    return FaceList(data, total, total, about["skipped"], about["odd"])


def list_path(directory: Path, kind: str, version: str) -> Path:
    """Return where the list of that bulk kind and image version is kept."""
    return directory / f"faces-{kind}-{version}.jsonl"


def write_faces(bulk_path: Path, bulk_sha256: str, target: Path, version: str) -> None:
    """Read a bulk file to its end and write one line per face, then a line of totals and a seal.

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
            seen = f"no card is as Scryfall describes them: {dict(skipped)}"
            raise unusable_bulk(bulk_path, seen)
        about = {"format": FORMAT, "bulk_sha256": bulk_sha256, "total": total}
        line = json.dumps({**about, "skipped": skipped, "odd": odd}).encode() + b"\n"
        file.write(line + b"%08x\n" % zlib.crc32(line, crc))


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


def faces_of_rows(faces: FaceList, positions: Iterable[int]) -> Iterator[CardFace]:
    """Yield the faces at the ascending `positions` of the list, in one pass over it."""
    chosen = bytearray(len(faces))
    for position in positions:
        chosen[position] = True
    return itertools.compress(faces, chosen)
