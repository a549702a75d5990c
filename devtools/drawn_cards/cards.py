"""Invented Magic-like cards as Scryfall card objects (the shape in force since July 2026).

The demo and the tests need cards that belong to nobody. Everything follows from a seed: the same
`deck(count, seed)` gives the same names, texts, ids and URLs on every machine.
`devtools.drawn_cards.drawing` draws the images that the URLs promise.
"""

import datetime as dt
import random
import re
import uuid
from collections.abc import Iterator
from typing import Any

EXTENSIONS = {
    "small": "jpg", "normal": "jpg", "large": "jpg", "png": "png", "art_crop": "jpg",
    "border_crop": "jpg", "thumb": "webp", "grid": "webp", "display": "webp", "art": "webp",
    "crop": "webp",
}  # fmt: skip
"""Scryfall's image versions and the file type of each."""

SOON_URL = "https://errors.scryfall.com/soon.jpg"
"""Where every image URL of a card with `image_status: missing` points."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "drawn-cards.invalid")
_FACES_PER_UNUSABLE = 25
_FULL_ART_SHARE = 0.12
_BORDERS = ("black", "borderless", "white", "silver", "gold")
_BORDER_WEIGHTS = (74, 14, 2, 5, 5)

_SETS = (
    ("d93", "Cinder and Loam", "1993-10-04", "1993"),
    ("d95", "The Salt Kings", "1995-06-12", "1993"),
    ("d98", "Tidewrack", "1998-02-16", "1997"),
    ("d01", "Hollow Moon", "2001-10-01", "1997"),
    ("d04", "Vault of Gears", "2004-06-04", "2003"),
    ("d09", "Marrowfen", "2009-04-30", "2003"),
    ("d12", "Spires of Oum", "2012-10-05", "2003"),
    ("d16", "Nine Lanterns", "2016-04-08", "2015"),
    ("d21", "Thornglass", "2021-09-24", "2015"),
    ("d26", "Orrery Awake", "2026-03-13", "2015"),
)
_RARITIES = ("common", "common", "common", "uncommon", "uncommon", "rare", "mythic")
_ARTISTS = ("A. Seed", "Polly Gon", "Noah Noise", "Grady Ent", "Ray D. Al", "Bess Ier", "V. Ector")
_ADJECTIVES = _words("""
    Ashen Brazen Hollow Gilded Drowned Verdant Feral Silent Amber Ragged Moonlit Sunken Bitter
    Runic Pallid Iron Thorned Wandering Molten Frozen Gentle Restless Hungry Starlit Crooked
""")
_NOUNS = _words("""
    Lantern Tide Warden Gate Thicket Harbinger Ember Crown Oracle Marsh Anvil Prowler Veil Bell
    Spire Hound Mirror Garden Reaver Compass Choir Raven Furnace Vigil Orchard Serpent
""")
_SYLLABLES = _words("""
    ka ru vel tor ish mo dra lin qua zer bo neth ul sa fen gor yth pel arn ek ola tam wyr ix
""")
_EPITHETS = (
    "the Unburnt", "Keeper of Salt", "Last of Nine", "Who Listens", "the Tall", "Moth-Queen",
    "Born of Rust", "Voice of Loam", "the Patient", "Twice Crowned",
)  # fmt: skip
_CREATURES = _words("Beast Serpent Wizard Scout Goblin Spirit Dragon Golem Bird Horror Knight")
_KEYWORDS = ("Flying", "Trample", "Haste", "Vigilance", "Reach", "Deathtouch", "Lifelink")
_RULES = (
    "When {name} enters, draw a card, then discard a card.",
    "{name} deals {n} damage to any target.",
    "Destroy target creature with power {n} or less.",
    "You gain {n} life for each {kind} you control.",
    "Create {n} 1/1 {kind} creature tokens.",
    "Whenever another {kind} enters, {name} gets +{n}/+{n} until end of turn.",
    "Sacrifice a {kind}: Return {name} to its owner's hand.",
    "Target player reveals the top {n} cards of their library.",
    "At the beginning of your upkeep, put a lantern counter on {name}.",
    "Counter target spell unless its controller pays {{{n}}}.",
    "Search your library for a land card and put it onto the battlefield tapped.",
    "Untap up to {n} target permanents. They can't be blocked this turn.",
)


def deck(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Print card objects that have exactly `count` faces with an image of their own.

    About one card in twelve is double-faced, one in ten a reprint of an earlier one (same
    `oracle_id` and `illustration_id`). On top, for every 25 faces, comes one card without a usable
    image (`image_status` `missing` or `placeholder`), as Scryfall's bulk files hold them too.
    """
    press = _Press(seed)
    cards: list[dict[str, Any]] = []
    faces = 0
    while faces < count:
        card = press.usable_card(room=count - faces)
        cards.append(card)
        before, faces = faces, faces + (1 if "image_uris" in card else len(card["card_faces"]))
        if faces // _FACES_PER_UNUSABLE > before // _FACES_PER_UNUSABLE:
            cards.append(press.unusable_card())
    return cards


def image_faces(cards: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each card with each face that has an image of its own."""
    for card in cards:
        if card["image_status"] != "missing":
            for face in range(1 if "image_uris" in card else len(card["card_faces"])):
                yield card, face


class _Press:
    """Prints one card after the other, and never a name twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(f"deck {seed}")
        self.names: set[str] = set()
        self.originals: list[dict[str, Any]] = []
        self.printed = self.unusable = 0

    def usable_card(self, room: int) -> dict[str, Any]:
        """Print a card of at most `room` (1 or more) faces with an image."""
        kinds = ("single", "reprint", "double", "shared", "token")
        kind = self.rng.choices(kinds, (74, 10, 8, 4, 4))[0]
        if kind == "reprint" and self.originals:
            return self._reprint(self.rng.choice(self.originals))
        if kind == "double" and room > 1:
            return self._double()
        if kind == "shared":
            return self._shared()
        face = self._face(self._type_line(token=kind == "token"))
        card = self._card(face, layout="token" if kind == "token" else "normal")
        card["image_uris"] = _image_uris(card, "front")
        self.originals.append(card)
        return card

    def unusable_card(self) -> dict[str, Any]:
        """Print, in turn, a card without any scan and one with a placeholder for a scan."""
        self.unusable += 1
        card = self._card(self._face(self._type_line()), layout="normal")
        card["highres_image"] = False
        if self.unusable % 2:
            card |= {"image_status": "missing", "image_uris": dict.fromkeys(EXTENSIONS, SOON_URL)}
        else:
            card |= {"image_status": "placeholder", "lang": "de"}
            card["image_uris"] = _image_uris(card, "front")
        return card

    def _double(self) -> dict[str, Any]:
        """Two faces, each with images of its own."""
        layout = self.rng.choice(("transform", "modal_dfc", "reversible_card"))
        front = self._face(self._type_line())
        reversible = layout == "reversible_card"
        back = dict(front) if reversible else self._face(self._type_line())
        card = self._card(_joined(front, back), layout=layout)
        if reversible:
            oracle_id = card.pop("oracle_id")
            for face in (front, back):
                face |= {"oracle_id": oracle_id, "layout": "normal", "cmc": card["cmc"]}
        for key in ("colors", "mana_cost", "oracle_text", "illustration_id"):
            card.pop(key)
        for side, face in (("front", front), ("back", back)):
            face["illustration_id"] = _uuid("art", card["id"], side)
            face["image_uris"] = _image_uris(card, side)
        card["card_faces"] = [front, back]
        return card

    def _shared(self) -> dict[str, Any]:
        """Two faces on one image: a split card or a creature with an adventure."""
        creature = f"Creature — {self.rng.choice(_CREATURES)}"
        shared = (("split", "Sorcery", "Instant"), ("adventure", creature, "Sorcery — Adventure"))
        layout, *types = self.rng.choice(shared)
        faces = [self._face(type_line) for type_line in types]
        card = self._card(_joined(*faces), layout=layout)
        card.pop("oracle_text")
        card["image_uris"] = _image_uris(card, "front")
        card["card_faces"] = faces
        return card

    def _reprint(self, original: dict[str, Any]) -> dict[str, Any]:
        """Print the same rules and art again, in another set and its frame."""
        card = original | self._printing() | {"reprint": True}
        card["image_uris"] = _image_uris(card, "front")
        return card

    def _card(self, face: dict[str, Any], *, layout: str) -> dict[str, Any]:
        """Combine what is printed on a face with one printing of it."""
        card = {"object": "card"} | self._printing() | face | {"object": "card", "layout": layout}
        return card | {
            "oracle_id": _uuid("oracle", card["id"]),
            "illustration_id": _uuid("art", card["id"]),
            "cmc": _mana_value(face["mana_cost"]),
            "color_identity": face["colors"],
            "keywords": [],
        }

    def _printing(self) -> dict[str, Any]:
        """What two printings of one card do not share."""
        self.printed += 1
        code, set_name, released_at, frame = self.rng.choice(_SETS)
        card_id, number = _uuid("card", self.seed, self.printed), str(self.printed)
        scanned = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
            seconds=self.rng.randrange(2 * 365 * 86400)
        )
        return {
            "id": card_id, "lang": "en", "released_at": released_at,
            "uri": f"https://api.scryfall.com/cards/{card_id}",
            "scryfall_uri": f"https://scryfall.com/card/{code}/{number}",
            "highres_image": True, "image_status": "highres_scan",
            "image_updated_at": scanned.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "set": code, "set_name": set_name, "set_type": "expansion",
            "collector_number": number, "rarity": self.rng.choice(_RARITIES), "frame": frame,
            "full_art": self.rng.random() < _FULL_ART_SHARE,
            "border_color": self.rng.choices(_BORDERS, _BORDER_WEIGHTS)[0],
            "digital": False, "reprint": False,
        }  # fmt: skip

    def _face(self, type_line: str) -> dict[str, Any]:
        """What is printed on one face."""
        rng, name = self.rng, self._name()
        cost, colors = self._mana_cost(type_line)
        face: dict[str, Any] = {
            "object": "card_face", "name": name, "mana_cost": cost, "type_line": type_line,
            "oracle_text": self._rules(name, type_line), "colors": colors,
            "artist": rng.choice(_ARTISTS), "illustration_id": _uuid("art", self.seed, name),
        }  # fmt: skip
        if "Creature" in type_line:
            face |= {"power": str(rng.randint(0, 7)), "toughness": str(rng.randint(1, 8))}
        return face

    def _rules(self, name: str, type_line: str) -> str:
        """Make up a rules text; each line is a paragraph of it."""
        rng = self.rng
        if type_line == "Land":
            return f"{{T}}: Add {{{rng.choice('WUBRG')}}}."
        keywords = [rng.choice(_KEYWORDS)] if "Creature" in type_line else []
        if type_line.startswith("Token"):
            return keywords[0]
        sentences = rng.sample(_RULES, rng.choice((1, 2, 2, 3)))
        return "\n".join(keywords + sentences).format(
            name=name.partition(",")[0], n=rng.randint(2, 4), kind=rng.choice(_CREATURES)
        )

    def _name(self) -> str:
        """Make up a name that this press has not used."""
        while True:
            rng = self.rng
            person = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 3))).capitalize()
            names = (
                f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}",
                f"{rng.choice(_NOUNS)} of {person}",
                f"{person}, {rng.choice(_EPITHETS)}",
                f"{person}'s {rng.choice(_NOUNS)}",
            )
            name = rng.choice(names)
            if name not in self.names:
                self.names.add(name)
                return name

    def _type_line(self, *, token: bool = False) -> str:
        """Choose a type line; tokens are creatures."""
        creature = f"Creature — {self.rng.choice(_CREATURES)}"
        if token:
            return f"Token {creature}"
        kinds = (creature, "Instant", "Sorcery", "Enchantment", "Artifact", "Land")
        return self.rng.choices(kinds, (50, 12, 12, 8, 9, 9))[0]

    def _mana_cost(self, type_line: str) -> tuple[str, list[str]]:
        """Choose a mana cost such as `{2}{G}` and the colours of the card (sorted, WUBRG letters).

        Lands and tokens cost nothing, artifacts have no colour.
        """
        rng = self.rng
        if type_line == "Land":
            return "", []
        generic = rng.randint(0, 5)
        if type_line == "Artifact":
            return f"{{{generic}}}", []
        colors = sorted(rng.sample("WUBRG", rng.choices((1, 2, 3), (75, 20, 5))[0]))
        if type_line.startswith("Token"):
            return "", colors
        pips = colors + [colors[0]] * rng.choice((0, 0, 1))
        return (f"{{{generic}}}" if generic else "") + "".join(f"{{{c}}}" for c in pips), colors


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def _joined(front: dict[str, Any], back: dict[str, Any]) -> dict[str, Any]:
    """The card that two faces make together, keyed as Scryfall keys it."""
    joined = {key: f"{front[key]} // {back[key]}" for key in ("name", "type_line")}
    kept = {key: front[key] for key in ("mana_cost", "oracle_text", "artist")}
    return joined | kept | {"colors": sorted({*front["colors"], *back["colors"]})}


def _mana_value(cost: str) -> float:
    """Count a mana cost: a number counts itself, any other symbol one."""
    symbols = re.findall(r"{(\w+)}", cost)
    return float(sum(int(s) if s.isdigit() else 1 for s in symbols))


def _image_uris(card: dict[str, Any], side: str) -> dict[str, str]:
    """Scryfall's image URLs; the query is the time of the scan, in seconds since 1970."""
    card_id = card["id"]
    epoch = int(dt.datetime.fromisoformat(card["image_updated_at"]).timestamp())
    folder = f"{side}/{card_id[0]}/{card_id[1]}"
    return {
        version: f"https://cards.scryfall.io/{version}/{folder}/{card_id}.{extension}?{epoch}"
        for version, extension in EXTENSIONS.items()
    }
