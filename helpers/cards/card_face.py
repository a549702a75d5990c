"""Scryfall card objects and the card faces that the index is made of.

Source of the fields: https://scryfall.com/docs/api/cards and https://scryfall.com/docs/api/images
(state of August 2026; objects of 2019 are read as well).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from helpers import json_lines

#: Images of the whole card, in the order in which one stands in for another that a face lacks:
#: first what is large enough for every model, then the ones that are small or trimmed.
FULL_CARD_VERSIONS = ("normal", "large", "display", "png", "grid", "border_crop", "small", "thumb")
IMAGE_VERSIONS = (*FULL_CARD_VERSIONS, "crop", "art_crop", "art")

#: `image_status` values under which every image URL leads to a stand-in picture, not to the card.
_NO_IMAGE_STATUS = ("missing", "placeholder")
_STAND_INS = "https://errors.scryfall.com/"

#: Why a card or a side is left out, where that is nothing unusual. Any other reason means an object
#: that is not as Scryfall documents it: `not_a_card` (no id or no name), `bad_` and a field's name.
NO_PICTURE = frozenset({*_NO_IMAGE_STATUS, "no_image"})


class CardFace(NamedTuple):
    """One side of one printing: what a row of the index describes. Its JSON is the metadata line.

    `card_name` is the whole card's name; `image_url` is the picture that is embedded, `image_file`
    its name in the cache, and `card_url` a picture of the whole card to show. `printed_name` is
    the name in the language of the print where that is not English; JSON lacks it where it is None.
    """

    name: str
    scryfall_id: str
    face_id: str
    set: str | None
    collector_number: str | None
    frame: str | None
    layout: str | None
    lang: str | None
    colors: list[str] | None
    image_url: str
    card_url: str
    scryfall_uri: str | None
    card_name: str
    oracle_id: str | None
    illustration_id: str | None
    artist: str | None
    released_at: str | None
    set_name: str | None
    image_file: str
    printed_name: str | None = None

    def to_json(self, **more: object) -> str:
        """Return the face and `more` fields as one line of JSON, without the line end."""
        fields = self._asdict()
        if self.printed_name is None:
            del fields["printed_name"]
        return _ENCODE({**fields, **more})

    def to_values(self) -> bytes:
        """Return the values alone, in the order of the fields: one line of JSON for `of_values`."""
        return json_lines.dumps(tuple(self))

    @classmethod
    def of_values(cls, line: bytes) -> Self:
        """Return the face that `to_values` wrote."""
        return cls(*json_lines.loads(line))


_OPTIONAL = {name for name, kind in CardFace.__annotations__.items() if "None" in str(kind)}
#: All keys of a card object that are ever asked for.
CARD_KEYS = (*CardFace._fields, "object", "id", "image_status", "image_uris", "card_faces")
_OF_SIDE = ("colors", "oracle_id", "illustration_id", "artist")  # else of the whole card
_COLORS, _PRINTED = map(CardFace._fields.index, ("colors", "printed_name"))
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# `json.dumps` makes a new encoder every time: half a million lines would take twice as long.
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def safe_filename(url: str) -> str:
    """Return the cache's file name for an image URL: 48 hexadecimal digits and an extension.

    The first 32 digits hash the URL without its query, the last 16 the whole URL. Scryfall puts
    the scan's epoch into the query, so two scans of one picture share the first part and differ in
    the second: a stale scan can be told from an unrelated file by its name alone. A `.jpeg` and
    what names no extension of ours is a `.jpg`, so that one format has one extension in the cache.
    """
    place, mark, query = url.partition("?")
    digest = hashlib.sha256(place.encode())
    first = digest.hexdigest()[:32]
    digest.update((mark + query).encode())
    end = place[-5:].lower()
    suffix = ".png" if end.endswith(".png") else ".webp" if end == ".webp" else ".jpg"
    return first + digest.hexdigest()[:16] + suffix


def faces_of(card: Mapping[str, Any], version: str) -> list[CardFace | str]:
    """Return each face of a Scryfall card object, or the reason why it is left out.

    Where the pictures are decides, never the layout's name: a top-level `image_uris` is one
    picture of the whole card (split, adventure and flip cards have faces, too), otherwise every
    entry of `card_faces` has its own. A face without the picture `version` gets the next best.
    """
    if not (_is_text(card.get("id")) and _is_text(card.get("name"))):
        return ["not_a_card"]
    if card.get("image_status") in _NO_IMAGE_STATUS:
        return [card["image_status"]]
    if card.get("image_uris"):
        return [_face(card, card, card["id"], version)]
    sides = card.get("card_faces") or [{}]
    if not isinstance(sides, list):
        return ["bad_card_faces"]
    return [_face(card, side, f"{card['id']}:face:{n}", version) for n, side in enumerate(sides)]


def _face(card: Mapping[str, Any], side: Any, face_id: str, version: str) -> CardFace | str:
    if not isinstance(side, dict):
        return "bad_card_faces"
    uris = side.get("image_uris") or {}
    if not isinstance(uris, dict):
        return "bad_image_uris"
    image_url = uris.get(version) or _next_best(uris)
    if image_url is None:
        return "no_image"
    if not _is_text(image_url):
        return "bad_image_uris"
    if image_url.startswith(_STAND_INS):
        return "missing"
    get = card.get
    if side is not card:
        get = {**card, **{key: side[key] for key in _OF_SIDE if side.get(key) is not None}}.get
    values = (  # of the fields in their order; naming each takes a tenth of all work per card
        side.get("name") or card["name"],
        card["id"],
        face_id,
        *map(get, ("set", "collector_number", "frame", "layout", "lang", "colors")),
        image_url,
        uris.get("normal") or _next_best(uris) or image_url,
        get("scryfall_uri"),
        card["name"],
        *map(get, ("oracle_id", "illustration_id", "artist", "released_at", "set_name")),
        safe_filename(image_url),
        None if card.get("lang") == "en" else _printed_name(side),
    )
    face = tuple.__new__(CardFace, values)
    odd = _odd_field(face)
    return face if odd is None else f"bad_{odd}"


def _printed_name(side: Mapping[str, Any]) -> Any:
    """Return the name as printed; where one picture shows several cards only these may have one."""
    name, parts = side.get("printed_name"), side.get("card_faces")
    if not name and isinstance(parts, list):
        names: list[Any] = [part.get("printed_name") for part in parts if isinstance(part, dict)]
        name = " // ".join(filter(_is_text, names))
    return name or None


def _odd_field(face: CardFace) -> str | None:
    """Return the first field of another type than declared, or empty where text must be."""
    if isinstance(face.colors, list) and "" not in face.colors:
        texts: list[Any] = [*face, *face.colors]
        texts[_COLORS] = ""
        texts[_PRINTED] = face.printed_name or ""
        try:
            if _is_text("".join(texts)):
                return None  # as nearly all cards; the rest takes as long as all else
        except TypeError:
            pass
    for name, value in face._asdict().items():
        texts = value if name == "colors" else [value]
        absent = name in _OPTIONAL and (value is None or texts == [""])
        if not absent and not (isinstance(texts, list) and all(map(_is_text, texts))):
            return name
    return None


def _is_text(value: Any) -> bool:
    """Tell whether a value is a string of at least one character that can be written as UTF-8.

    JSON can hold half a surrogate pair, which no file and no URL can.
    """
    whole = isinstance(value, str) and value != ""
    return whole and (value.isascii() or not _SURROGATE.search(value))


def _next_best(uris: Mapping[str, Any]) -> Any:
    return next((uris[key] for key in FULL_CARD_VERSIONS if uris.get(key)), None)
