"""Things that drawn cards show: arms, vessels, buildings, plants, signs, each on a stamp."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from devtools.drawn_cards.canvas import HALF, Point, Stamp, around

Motif = Callable[[Stamp], None]

#: Symmetrical things, part by part: colour, lightness in percent, and the right half from top to
#: bottom in percent of the stamp.
_OUTLINES: dict[str, tuple[tuple[int, int, str], ...]] = {
    "sword": (
        (0, 30, "0 -100 9 -84 8 38 0 38"),
        (1, 0, "0 36 34 28 40 42 0 50"),
        (2, -40, "0 48 6 48 6 78 0 78"),
        (1, 20, "0 74 12 86 0 98"),
    ),
    "shield": (
        (1, -20, "0 -92 76 -76 70 10 40 62 0 98"),
        (0, 10, "0 -70 56 -58 52 8 30 46 0 74"),
        (2, 20, "0 -40 14 -10 44 -8 18 12 26 44 0 26"),
    ),
    "axe": (
        (2, -40, "0 -96 7 -96 7 98 0 98"),
        (0, 20, "6 -60 30 -62 78 -92 96 -40 80 8 30 -18 6 -16"),
        (1, 0, "0 -70 16 -60 16 -14 0 -8"),
    ),
    "crown": (
        (0, 10, "0 -70 14 -20 44 -80 50 -15 94 -60 74 40 0 40"),
        (1, -10, "0 36 74 36 72 62 0 62"),
        (2, 40, "0 -8 12 8 0 24"),
    ),
    "potion": (
        (1, 60, "0 -90 18 -90 18 -38 68 32 60 84 44 94 0 94"),
        (0, 0, "0 14 56 22 62 36 54 80 40 88 0 88"),
        (2, -30, "0 -100 14 -100 14 -82 0 -82"),
    ),
    "book": (
        (0, -20, "0 -48 50 -72 99 -56 99 62 50 52 0 66"),
        (1, 70, "0 -40 48 -62 90 -48 90 50 48 40 0 54"),
        (2, -10, "22 -30 36 -16 50 -30 62 -2 48 24 36 8 20 20"),
    ),
    "lantern": (
        (1, -40, "0 -96 22 -74 56 -50 0 -48"),
        (0, 50, "0 -46 40 -46 50 46 0 46"),
        (2, 30, "0 -34 20 6 14 30 0 40"),
        (1, -20, "0 46 60 46 52 74 0 74"),
    ),
    "bell": (
        (0, 0, "0 -92 26 -82 44 -20 52 36 84 62 0 62"),
        (1, 20, "0 10 50 10 53 24 0 24"),
        (2, -20, "0 60 16 72 0 90"),
    ),
    "anvil": (
        (0, -20, "0 -50 99 -50 66 -8 26 2 24 34 62 62 62 82 0 82"),
        (1, 40, "0 -60 90 -60 90 -48 0 -48"),
        (2, 40, "0 -98 10 -74 40 -84 16 -62 0 -60"),
    ),
    "hourglass": (
        (1, 60, "0 -80 54 -80 50 -46 8 0 50 46 54 80 0 80"),
        (0, 0, "0 -36 42 -40 6 0 0 4"),
        (0, 0, "0 26 44 60 46 76 0 76"),
        (2, -20, "0 -96 66 -96 66 -78 0 -78"),
        (2, -20, "0 78 66 78 66 96 0 96"),
    ),
    "goblet": (
        (0, 10, "0 -80 60 -80 52 -20 14 8 12 58 52 88 0 92"),
        (1, -20, "0 -80 60 -80 58 -62 0 -56"),
        (2, 30, "0 -40 16 -24 0 -6"),
    ),
    "key": (
        (0, 10, "0 -98 36 -80 38 -46 10 -26 8 58 34 60 34 74 10 76 10 98 0 98"),
        (1, -50, "0 -80 18 -68 18 -52 0 -40"),
    ),
    "castle": (
        (1, -20, "0 -10 54 -10 54 -24 66 -24 66 -10 96 -10 96 92 0 92"),
        (0, 10, "62 -60 98 -60 98 92 62 92"),
        (2, 0, "56 -58 80 -100 104 -58"),
        (0, 20, "0 -70 24 -70 24 30 0 30"),
        (2, -10, "0 -110 30 -66 0 -66"),
        (1, -80, "0 30 22 44 22 92 0 92"),
    ),
    "pagoda": (
        (0, -10, "0 -60 22 -60 30 90 0 90"),
        (1, 10, "0 -100 20 -80 56 -62 0 -62"),
        (1, -10, "0 -34 30 -34 74 -10 0 -10"),
        (1, -30, "0 22 34 22 94 50 0 50"),
        (2, 50, "0 60 12 66 12 90 0 90"),
    ),
    "pyramid": (
        (0, 20, "0 -80 99 80 0 80"),
        (1, -20, "0 -30 30 30 0 30"),
        (2, 60, "0 -12 14 16 0 16"),
    ),
    "gate": (
        (0, -10, "0 -94 60 -80 92 -30 92 92 0 92"),
        (1, 40, "0 -66 40 -52 62 -10 62 92 0 92"),
        (2, -20, "0 -30 20 -20 34 10 34 92 0 92"),
    ),
    "temple": (
        (0, 10, "0 -90 98 -46 0 -40"),
        (1, 20, "0 -42 88 -42 88 -24 0 -24"),
        (2, 30, "14 -24 30 -24 30 64 14 64"),
        (2, 10, "56 -24 74 -24 74 64 56 64"),
        (0, -20, "0 62 96 62 99 86 0 86"),
    ),
    "ship": (
        (0, -30, "0 -98 5 -98 5 40 0 40"),
        (1, 50, "0 -84 60 -66 74 8 0 20"),
        (2, 0, "0 -44 66 -32 70 -14 0 -24"),
        (0, 0, "0 38 96 26 66 84 0 90"),
    ),
    "pine": (
        (2, -50, "0 60 12 60 12 98 0 98"),
        (0, -20, "0 10 70 66 0 66"),
        (0, 0, "0 -40 56 24 0 24"),
        (0, 20, "0 -98 40 -16 0 -16"),
    ),
    "mushroom": (
        (1, 50, "0 -10 20 -10 28 60 40 90 0 92"),
        (0, 0, "0 -92 56 -74 96 -10 70 8 0 12"),
        (2, 50, "20 -60 40 -52 44 -30 20 -30"),
    ),
    "cactus": (
        (0, 0, "0 -96 22 -84 24 30 44 28 46 -30 70 -30 70 50 24 62 24 96 0 96"),
        (2, 40, "0 -120 20 -108 16 -88 0 -84"),
    ),
    "lotus": (
        (0, 10, "0 40 99 -16 60 66 0 80"),
        (1, 20, "0 50 72 -62 44 60 0 76"),
        (0, 40, "0 -90 32 0 0 76"),
    ),
    "flame": (
        (0, 0, "0 -99 14 -40 50 -64 44 -10 80 -20 60 70 0 94"),
        (1, 40, "0 -40 20 0 42 10 36 62 0 80"),
        (2, 60, "0 10 18 44 0 72"),
    ),
    "volcano": (
        (1, 30, "0 -99 40 -90 24 -50 60 -60 20 -30 0 -30"),
        (0, -20, "0 -30 26 -30 52 20 99 86 0 86"),
        (2, 20, "0 -30 24 -30 20 0 8 30 0 60"),
    ),
    "helm": (
        (0, 20, "0 -80 50 -66 62 0 52 70 20 90 0 90"),
        (1, -70, "6 -18 50 -26 46 -8 8 -2"),
        (2, 0, "0 -120 14 -90 8 40 0 60"),
    ),
    "urn": (
        (0, 0, "0 -80 34 -80 22 -56 66 -10 56 50 24 92 0 92"),
        (1, 30, "0 -24 56 -20 66 -4 0 -2"),
        (2, 0, "0 14 64 14 60 34 0 34"),
        (2, -30, "30 -66 82 -66 78 -10 66 -10 64 -50 28 -50"),
    ),
    "totem": (
        (0, 0, "0 -98 40 -90 40 -34 0 -34"),
        (1, 10, "0 -34 52 -34 48 30 0 30"),
        (2, 0, "0 30 44 30 50 96 0 96"),
        (2, 40, "30 -80 99 -98 60 -60 34 -50"),
        (1, -80, "10 -76 30 -76 24 -60 10 -60"),
        (0, -80, "8 -18 34 -22 30 -4 8 -4"),
        (1, 60, "0 60 30 54 24 74 0 78"),
    ),
    "feather": (
        (0, 10, "0 -98 22 -70 32 -10 24 40 6 60 0 60"),
        (1, -30, "0 -90 4 -40 5 98 0 98"),
        (2, 20, "0 -40 20 -50 22 -30 0 -16"),
    ),
    "heart": (
        (0, 0, "0 -40 24 -76 70 -76 92 -34 66 20 0 92"),
        (1, 40, "0 -10 20 -34 44 -24 36 6 0 44"),
    ),
}  # fmt: skip


@functools.cache
def _half(text: str) -> tuple[Point, ...]:
    numbers = [int(word) / 100 for word in text.split()]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _outlined(s: Stamp, name: str) -> None:
    """Draw one of the symmetrical things, narrower or wider than it is written."""
    wide = s.rng.uniform(0.75, 1.2)
    for which, light, text in _OUTLINES[name]:
        half = [(x * wide, y) for x, y in _half(text)]
        if min(x for x, _ in half) > 0:
            s.twice(half, s.color(which, light / 100))
        else:
            s.mirrored(half, s.color(which, light / 100))


def _gear(s: Stamp) -> None:
    teeth, rim = s.rng.randint(6, 14), s.rng.uniform(0.65, 0.85)
    radii = (rim, rim, 1, 1)
    wheel = [(r * x, r * y) for r, (x, y) in zip(radii * teeth, around(4 * teeth, 1), strict=True)]
    s.polygon(wheel, s.color(0))
    s.disc((0, 0), rim * 0.75, s.color(1, 0.2))
    s.disc((0, 0), rim * 0.35, s.color(2, -0.3))


def _mandala(s: Stamp) -> None:
    petals = s.rng.randint(5, 14)
    for ring, radius in enumerate((1.0, 0.75, 0.5, 0.28)):
        wide = s.rng.uniform(0.15, 0.5)
        for x, y in around(petals, radius, ring / petals / 2):
            s.polygon([(x, y), (x * 0.6 - y * wide, y * 0.6 + x * wide), (0, 0),
                       (x * 0.6 + y * wide, y * 0.6 - x * wide)],
                      s.color(ring, 0.25 * (ring % 2)))  # fmt: skip
    s.disc((0, 0), 0.12, s.color(1, 0.6))


def _sigil(s: Stamp) -> None:
    points, skip, ink = s.rng.randint(5, 11), s.rng.randint(2, 4), s.color(0, 0.3)
    for radius in (0.55, 0.95):
        ring = around(48, radius)
        s.stroke([*ring, ring[0]], 0.06, s.color(1))
    star = around(points, 0.9)
    s.stroke([star[k * skip % points] for k in range(points + 1)], 0.05, ink)
    for at in star:
        s.disc(at, 0.12, s.color(2))


def _runes(s: Stamp) -> None:
    for column in (-0.66, 0, 0.66):
        nodes = [(column + x, y) for x in (-0.22, 0.22) for y in (-0.8, -0.3, 0.3, 0.8)]
        s.stroke([nodes[0], nodes[3]], 0.12, s.color(0))
        for _ in range(3):
            s.stroke(s.rng.sample(nodes, 2), 0.12, s.color(0))


def _spiral(s: Stamp) -> None:
    turns, ink = s.rng.uniform(2, 5), s.color(0)
    angles = [turns * math.tau * t / 90 for t in range(91)]
    path = [(t / 90 * math.cos(a), t / 90 * math.sin(a)) for t, a in enumerate(angles)]
    s.stroke(path, s.rng.uniform(0.06, 0.14), ink)
    for at in path[30::12]:
        s.disc(at, 0.08, s.color(1, 0.2))


def _flower(s: Stamp) -> None:
    petals, wide = s.rng.randint(4, 11), s.rng.uniform(0.18, 0.42)
    s.stroke([(0, 0), (0.1, 0.9), (0.05, 1.6)], 0.1, s.color(2, -0.3))
    for x, y in around(petals, 0.62):
        s.disc((x, y), wide, s.color(0, -0.25))
        s.disc((x, y), wide * 0.75, s.color(0, 0.2))
    s.disc((0, 0), 0.36, s.color(1))
    for at in around(8, 0.2):
        s.disc(at, 0.05, s.color(2, -0.5))


def _sun(s: Stamp) -> None:
    rays, long = s.rng.randint(8, 20), s.rng.uniform(0.3, 0.6)
    for k, (x, y) in enumerate(around(rays, 1)):
        reach = 1 if k % 2 else 1 - long / 2
        s.polygon([(x * reach, y * reach), (-y * 0.2, x * 0.2), (y * 0.2, -x * 0.2)], s.color(k))
    s.disc((0, 0), 1 - long, s.color(1, 0.3))
    for x in (-0.2, 0.2):
        s.disc((x, -0.12), 0.08, s.color(2, -0.7))
    s.stroke([(-0.25, 0.15), (0, 0.28), (0.25, 0.15)], 0.07, s.color(2, -0.7))


def _moon(s: Stamp) -> None:
    outer = around(36, 1)[4:33]
    inner = [(0.35 + 0.78 * x, 0.78 * y) for x, y in around(36, 1)[4:33]]
    s.polygon(outer + inner[::-1], s.color(0, 0.4))
    for at in ((0.3, -0.3), (0.45, 0.2), (0.05, 0.05)):
        s.polygon([(at[0] + x, at[1] + y) for x, y in around(4, 0.16)], s.color(1, 0.5))


def _planet(s: Stamp) -> None:
    for step in range(9):
        share = step / 9
        s.disc((-0.3 * share, -0.3 * share), 0.75 * (1 - 0.7 * share), s.color(0, share - 0.4))
    for k in range(s.rng.randint(0, 3)):
        ring = [((1.3 - 0.15 * k) * math.cos(t / 20), 0.28 * math.sin(t / 20))
                for t in range(-12, 76)]  # fmt: skip
        s.stroke(ring, 0.08, s.color(1 + k, 0.3))


def _tree(s: Stamp) -> None:
    leaf, spread = s.color(0), s.rng.uniform(0.35, 0.7)

    def grow(at: Point, angle: float, long: float, depth: int) -> None:
        tip = (at[0] + long * math.sin(angle), at[1] - long * math.cos(angle))
        s.stroke([at, tip], 0.05 * depth, s.color(2, -0.5))
        if depth == 1:
            s.disc(tip, s.rng.uniform(0.12, 0.24), leaf)
            return
        for side in (-spread, 0.1, spread):
            grow(tip, angle + side + s.rng.uniform(-0.2, 0.2), long * 0.68, depth - 1)

    grow((0, 1), 0, 0.75, 4)


def _crystals(s: Stamp) -> None:
    for _ in range(s.rng.randint(4, 9)):
        foot, tilt = s.rng.uniform(-0.5, 0.5), s.rng.uniform(-0.7, 0.7)
        long, half, which = s.rng.uniform(0.8, 1.8), s.rng.uniform(0.1, 0.24), s.rng.randrange(3)
        tip, neck = (foot + tilt, 0.9 - long), (foot + 0.8 * tilt, 0.9 - 0.8 * long)
        for side, light in ((-half, 0.4), (half, -0.25)):
            s.polygon([(foot + side, 0.9), (neck[0] + side, neck[1]), tip, neck, (foot, 0.9)],
                      s.color(which, light))  # fmt: skip


def _lightning(s: Stamp) -> None:
    for k in range(s.rng.randint(1, 4)):
        x = s.rng.uniform(-0.8, 0.8)
        path = [(x + s.rng.uniform(-0.35, 0.35), -1.2 + step * 0.4) for step in range(7)]
        s.stroke(path, 0.16, (*s.color(k), 120))
        s.stroke(path, 0.06, s.color(k, 0.75))


def _wave(s: Stamp) -> None:
    for k in range(3):
        low = 0.35 * k
        curl = [(-1.2, 0.9), (-0.9, low - 0.2), (-0.3, low - 0.8), (0.3, low - 0.85),
                (0.75, low - 0.5), (0.65, low - 0.2), (0.4, low - 0.45), (0.1, low - 0.35),
                (0, low + 0.2), (0.3, 0.7), (1.2, 0.9)]  # fmt: skip
        s.polygon(curl, s.color(k, 0.2))
        s.stroke(curl[1:7], 0.08, s.color(k, 0.8))


def _cloud(s: Stamp) -> None:
    puffs = [(s.rng.uniform(-0.9, 0.9), s.rng.uniform(-0.3, 0.2)) for _ in range(9)]
    for light, lift in ((-0.3, 0.08), (0.4, 0)):
        for k, (x, y) in enumerate(puffs):
            s.disc((x, y + lift), 0.25 + 0.04 * k, s.color(0, light))


def _eye(s: Stamp) -> None:
    lid = [(x / 10, -0.55 * math.cos(x / 10 * math.pi / 2)) for x in range(-10, 11)]
    s.polygon(lid + [(x, -y) for x, y in lid[::-1]], s.color(1, 0.75))
    for radius, which, light in ((0.48, 0, -0.3), (0.38, 0, 0.1), (0.2, 2, -0.85)):
        s.disc((0, 0), radius, s.color(which, light))
    s.disc((-0.12, -0.14), 0.08, (255, 255, 255))
    for x, y in around(12, 1)[7:12] if s.rng.random() < HALF else around(12, 1):
        s.stroke([(0.9 * x, 0.65 * y), (1.2 * x, 1.0 * y)], 0.07, s.color(2))


def _orrery(s: Stamp) -> None:
    for k, radius in enumerate((1.0, 0.72, 0.45)):
        ring = [(x, y * s.rng.uniform(0.4, 1)) for x, y in around(30, radius)]
        s.stroke([*ring, ring[0]], 0.035, s.color(1, 0.3))
        s.disc(ring[s.rng.randrange(30)], 0.17 - 0.03 * k, s.color(k))
    s.disc((0, 0), 0.2, s.color(0, 0.6))


def _named(names: str) -> tuple[Motif, ...]:
    return tuple(functools.partial(_outlined, name=name) for name in names.split())


ARMS: tuple[Motif, ...] = (
    *_named("sword shield axe crown potion book lantern bell anvil hourglass goblet key helm urn"),
    *_named("totem feather"), _gear, _orrery,
)  # fmt: skip
PLACES: tuple[Motif, ...] = (
    *_named("castle pagoda pyramid gate temple ship pine mushroom cactus volcano lotus"),
    _tree, _wave, _crystals, _flower,
)  # fmt: skip
SIGNS: tuple[Motif, ...] = (
    *_named("flame heart lotus"), _mandala, _sigil, _runes, _spiral, _sun, _moon, _planet,
    _lightning, _cloud, _eye, _flower, _crystals, _wave, _orrery,
)  # fmt: skip
