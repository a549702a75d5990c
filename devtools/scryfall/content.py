"""What our own Scryfall holds: card objects, the bulk files made of them, and the images.

Upstream URLs `https://HOST/path?query` are served as `http://127.0.0.1:PORT/HOST/path?query`, so
that the hosts of Scryfall stay apart. No HTTP here but for the `Response` values.
"""

import csv
import datetime as dt
import email.utils
import functools
import gzip
import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from devtools.drawn_cards.cards import EXTENSIONS, SOON_URL
from devtools.scryfall.faults import Response

Card = dict[str, Any]

CONTENT_TYPES = {"png": "image/png", "webp": "image/webp"}
CONTENT_TYPES |= dict.fromkeys(("jpg", "jpeg"), "image/jpeg")
BULK_KINDS = ("oracle_cards", "unique_artwork", "default_cards", "all_cards", "rulings")
_DRAWN_KEPT = 4000  # images, most of 60 kB

#: Returns the file for a `HOST/path` among the images of the cards, None if there is none.
ReadImage = Callable[[str], bytes | None]


# Images


class ImageUrl(NamedTuple):
    """What one image URL of a card stands for."""

    card: Card
    face: int
    version: str
    query: str


def image_urls(cards: list[Card]) -> dict[str, ImageUrl]:
    """Index the images of all cards by `HOST/path`."""
    found = {}
    for card in cards:
        for face, uris in _image_uris(card):
            for version, url in uris.items():
                path, _, query = url.removeprefix("https://").partition("?")
                found[path] = ImageUrl(card, face, version, query)
    found.pop(SOON_URL.removeprefix("https://"), None)
    return found


def _image_uris(card: Card) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each `image_uris` of a card with the number of its face."""
    for face, holder in enumerate([card] if "image_uris" in card else card.get("card_faces", [])):
        if "image_uris" in holder:
            yield face, holder["image_uris"]


def drawn_images(images: dict[str, ImageUrl]) -> ReadImage:
    """Return what draws images on demand and keeps the latest, encoded."""

    @functools.lru_cache(_DRAWN_KEPT)
    def read(path: str) -> bytes | None:
        wanted = images[path]
        if wanted.version not in EXTENSIONS:
            return None
        from devtools.drawn_cards import drawing

        return drawing.render(wanted.card, wanted.face, wanted.version)

    return read


def folder_images(images: dict[str, ImageUrl], source: Path) -> ReadImage:
    """Return what reads files as they are, whatever version is asked for.

    They are re-encoded only if the URL asks for another format. `source` is a folder of
    `<id>[-<face>].<ext>`, or a CSV file with `file,scryfall_id[,face]`.
    """
    files = _files(source)

    def read(path: str) -> bytes | None:
        wanted, extension = images[path], path.rpartition(".")[2]
        file = files.get((wanted.card["id"], wanted.face))
        if file is None:
            return None
        content = file.read_bytes()
        if CONTENT_TYPES.get(file.suffix[1:].lower()) == CONTENT_TYPES.get(extension):
            return content
        return _encoded(content, extension)

    return read


def _files(source: Path) -> dict[tuple[str, int], Path]:
    """Return the file of each face."""
    if source.is_dir():
        return {_face_of(file.stem): file for file in source.iterdir() if file.is_file()}
    with source.open(newline="", encoding="utf-8") as lines:
        return {
            (row["scryfall_id"], int(row.get("face") or 0)): source.parent / row["file"]
            for row in csv.DictReader(lines)
        }


def _face_of(stem: str) -> tuple[str, int]:
    """Split `<id>` or `<id>-<face>`; an id has four dashes of its own."""
    card_id, face = stem[:36], stem[37:]
    return card_id, int(face) if face.isdigit() else 0


def _encoded(content: bytes, extension: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGBA" if extension == "png" else "RGB").save(
            file, CONTENT_TYPES[extension].removeprefix("image/"), quality=90
        )
    return file.getvalue()


# Bulk data


@dataclass(frozen=True, slots=True)
class Bulk:
    """The bulk listing and the bulk file, in the shape of today or of before 20 July 2026."""

    base: str
    updated_at: dt.datetime
    legacy: bool
    plain: bytes
    packed: bytes

    @classmethod
    def of(cls, cards: list[Card], base: str, updated_at: dt.datetime, *, legacy: bool) -> Self:
        """Write the bulk file: gzip JSONL today, a JSON array in the old shape."""
        lines = [json.dumps(_rewritten(card, base), ensure_ascii=False) for card in cards]
        text = "[\n" + ",\n".join(lines) + "\n]\n" if legacy else "".join(f"{x}\n" for x in lines)
        plain = text.encode()
        return cls(base, updated_at, legacy, plain, gzip.compress(plain, mtime=0))

    def path(self, kind: str) -> str:
        """Where the file of a kind lies, as `HOST/path`."""
        name, stamp = kind.replace("_", "-"), self.updated_at.strftime("%Y%m%d%H%M%S")
        extension = "json" if self.legacy else "jsonl.gz"
        return f"data.scryfall.io/{name}/{name}-{stamp}.{extension}"

    def entry(self, kind: str) -> dict[str, Any]:
        """Describe one kind, as `GET /bulk-data/<kind>` does."""
        entry_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.bulk.invalid"))
        url = f"{self.base}/{self.path(kind)}"
        shape: dict[str, Any] = {"jsonl_download_uri": url, "compressed_size": len(self.packed)}
        if self.legacy:
            shape = {
                "size": len(self.plain),
                "download_uri": url,
                "content_type": "application/json",
                "content_encoding": "gzip",
            }
        return {
            "object": "bulk_data",
            "id": entry_id,
            "type": kind,
            "updated_at": self.updated_at.isoformat(timespec="milliseconds"),
            "uri": f"{self.base}/api.scryfall.com/bulk-data/{entry_id}",
            "name": kind.replace("_", " ").title(),
            "description": "A file of card objects, served for tests.",
        } | shape

    def file(self, accept_encoding: str) -> Response:
        """Answer with the file: gzip is its format today, and was its transfer encoding before."""
        modified = email.utils.format_datetime(self.updated_at, usegmt=True)
        if not self.legacy:
            return file_answer(self.packed, "application/gzip", {"Last-Modified": modified})
        headers = {"Last-Modified": modified, "Vary": "Accept-Encoding"}
        if "gzip" not in accept_encoding:
            return file_answer(self.plain, "application/json", headers)
        return file_answer(self.packed, "application/json", headers | {"Content-Encoding": "gzip"})


def file_answer(body: bytes, content_type: str, headers: dict[str, str]) -> Response:
    """Answer with a file that has a strong ETag and can be asked for in ranges."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    fixed = {"Content-Type": content_type, "ETag": etag, "Accept-Ranges": "bytes"}
    return Response(200, body, fixed | headers)


def _rewritten(card: Card, base: str) -> Card:
    """Point the image URLs of a card to this server."""

    def local(uris: dict[str, str]) -> dict[str, str]:
        return {version: url.replace("https://", f"{base}/", 1) for version, url in uris.items()}

    def moved(holder: Card) -> Card:
        if "image_uris" not in holder:
            return holder
        return holder | {"image_uris": local(holder["image_uris"])}

    card = moved(card)
    if "card_faces" in card:
        card = card | {"card_faces": [moved(face) for face in card["card_faces"]]}
    return card


def read_cards(file: Path) -> list[Card]:
    """Read card objects, one a line, from a plain or gzipped file."""
    with file.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    opened: Callable[..., Any] = gzip.open if packed else open
    with opened(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
