"""Creatures of drawn cards, each on a stamp: seen from the front, from above, or from the side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from devtools.drawn_cards.canvas import HALF, Point, Stamp, around

if TYPE_CHECKING:
    from devtools.drawn_cards.motifs import Motif

_PUPIL = (10, 8, 12)


def _eyes(s: Stamp, x: float, y: float, size: float) -> None:
    """Two glowing eyes."""
    for side in (-1, 1):
        s.disc((side * x, y), size, s.color(1, 0.75))
        s.disc((side * x, y), size * 0.45, _PUPIL)


def _beast(s: Stamp) -> None:
    """Four legs, a body with spots and spines, neck, head and tail, from the side."""
    rng, hide, crest = s.rng, s.color(0), s.color(1, 0.2)
    thick, neck, leg = rng.uniform(0.2, 0.5), rng.uniform(-0.1, 0.7), rng.uniform(0.35, 0.75)
    for light, x in ((-0.45, -0.45), (-0.45, 0.35), (-0.1, -0.62), (-0.1, 0.5)):
        step = rng.uniform(-0.15, 0.15)
        s.polygon([(x - 0.1, 0.1), (x + 0.14, 0.1), (x + 0.08 + step, 0.2 + leg),
                   (x - 0.06 + step, 0.2 + leg)], s.color(0, light))  # fmt: skip
    spines, tall = rng.randint(3, 9), rng.uniform(0, 0.5)
    for x in (-0.6 + 1.2 * k / spines for k in range(spines)):
        s.polygon([(x - 0.08, 0), (x - 0.05, -tall - thick / 2), (x + 0.14, 0)], crest)
    s.polygon([(-0.8, 0.05), (-0.5, -thick), (0.3, -thick * 0.9), (0.7, -0.1), (0.6, 0.25),
               (-0.6, 0.3)], hide)  # fmt: skip
    for _ in range(rng.randint(0, 12)):
        s.disc((rng.uniform(-0.5, 0.5), rng.uniform(-thick * 0.5, 0.15)), 0.07, s.color(2))
    wag = rng.uniform(-0.7, 0.5)
    s.stroke([(-0.7 - t / 14, wag * math.sin(t / 4)) for t in range(9)], 0.12, hide)
    head = (0.75 + rng.uniform(0, 0.15), -neck)
    s.stroke([(0.55, 0), head], 0.32, hide)
    _head(s, head)


def _head(s: Stamp, at: Point) -> None:
    """Skull, snout, eye and horn, looking right."""
    (x, y), size, snout = at, s.rng.uniform(0.18, 0.3), s.rng.uniform(0.25, 0.5)
    lean, long = s.rng.uniform(-0.4, 0.3), s.rng.uniform(0.2, 0.7)
    s.polygon([(x - 0.12, y), (x + lean, y - size - long), (x + 0.1, y - 0.1)], s.color(1, 0.5))
    s.polygon([(x - size, y - size), (x + size / 2, y - size), (x + snout + 0.1, y),
               (x + snout, y + 0.15), (x, y + size)], s.color(0, 0.1))  # fmt: skip
    s.disc((x + 0.06, y - 0.06), 0.08, s.color(1, 0.8))
    s.disc((x + 0.08, y - 0.06), 0.035, _PUPIL)


def _serpent(s: Stamp) -> None:
    """A long spotted body in loops."""
    loops, phase, swing = s.rng.uniform(0.8, 3), s.rng.random() * 6, s.rng.uniform(0.25, 0.7)
    path = [(1.1 - 2 * t / 70, swing * math.sin(loops * math.tau * t / 70 + phase))
            for t in range(71)]  # fmt: skip
    for t, at in enumerate(path):
        s.disc(at, 0.04 + 0.16 * t / 70, s.color(0, (-0.3, -0.3, 0.1, 0.1, 0.1, 0.1)[t % 6]))
    x, y = path[-1]
    s.polygon([(x + 0.2, y - 0.26), (x - 0.35, y), (x + 0.2, y + 0.26)], s.color(1))
    s.disc((x, y - 0.06), 0.07, s.color(2, 0.7))
    s.stroke([(x - 0.3, y), (x - 0.55, y + 0.05), (x - 0.7, y - 0.08)], 0.04, (200, 30, 40))


def _coiled(s: Stamp) -> None:
    """A snake in a coil, seen from above."""
    turns = s.rng.uniform(1.6, 2.8)
    for t in range(110, 0, -1):
        angle, radius = turns * math.tau * t / 110, 0.15 + 0.8 * t / 110
        s.disc((radius * math.cos(angle), radius * math.sin(angle)), 0.19 - 0.1 * t / 110,
               s.color((0, 0, 0, 1, 1)[t % 5], 0.1))  # fmt: skip
    s.disc((0.1, 0), 0.24, s.color(2))
    s.disc((0.16, -0.1), 0.06, s.color(1, 0.8))
    s.disc((0.16, 0.1), 0.06, s.color(1, 0.8))


def _dragon(s: Stamp) -> None:
    """Wings spread, a horned head, a body that tapers to a tail."""
    rng = s.rng
    span, lift = rng.uniform(0.9, 1.3), rng.uniform(-0.4, 0.1)
    wing = [(0.1, -0.1), (span * 0.4, -0.8 + lift), (span, -0.6 + lift), (span * 0.85, 0.2),
            (span * 0.66, -0.1), (span * 0.55, 0.4), (span * 0.35, 0.1), (0.15, 0.4)]  # fmt: skip
    s.twice(wing, s.color(1, -0.1))
    for tip in (2, 3, 5):
        for side in (-1, 1):
            s.stroke([(side * 0.1, -0.1), (side * wing[tip][0], wing[tip][1])], 0.05, s.color(2))
    s.mirrored([(0, -0.4), (0.24, -0.2), (0.2, 0.3), (0.06, 0.7), (0, 1)], s.color(0))
    s.mirrored([(0, -0.2), (0.11, 0), (0.08, 0.4), (0, 0.6)], s.color(0, 0.5))
    s.twice([(0.06, -0.6), (0.3, -1.05), (0.22, -0.5)], s.color(2, 0.3))
    s.mirrored([(0, -0.75), (0.24, -0.6), (0.14, -0.25), (0, -0.15)], s.color(0, -0.2))
    _eyes(s, 0.1, -0.5, 0.07)


def _bird(s: Stamp) -> None:
    """A bird in flight, from the side."""
    rng, up = s.rng, s.rng.uniform(-1.1, 0.4)
    s.polygon([(-0.1, 0), (-0.6, up - 0.1), (-0.2, up), (0.3, 0)], s.color(1, -0.3))
    s.polygon([(-0.6, 0.1), (-1.15, -0.15), (-1.0, 0.1), (-1.15, 0.35)], s.color(1))
    s.polygon([(-0.7, 0.1), (-0.2, -0.2), (0.5, -0.25), (0.75, 0), (0.3, 0.3), (-0.3, 0.3)],
              s.color(0))  # fmt: skip
    s.disc((0.65, -0.15), 0.26, s.color(0, 0.2))
    s.polygon([(0.82, -0.25), (1.05 + rng.uniform(0, 0.3), -0.08), (0.82, 0.02)], s.color(2))
    s.polygon([(0, 0), (-0.9, up * 0.8), (-0.6, up * 1.1), (0.1, up * 1.2), (0.4, 0)], s.color(1))
    s.disc((0.7, -0.2), 0.06, _PUPIL)


def _fish(s: Stamp) -> None:
    """A fish with fins and bands."""
    tall, bands = s.rng.uniform(0.3, 0.75), s.rng.randint(2, 5)
    s.polygon([(-0.6, 0), (-1.15, -0.5), (-0.95, 0), (-1.15, 0.5)], s.color(1))
    s.polygon([(-0.3, -tall * 0.7), (0, -tall - 0.4), (0.4, -tall * 0.7)], s.color(1, 0.2))
    s.polygon([(-0.2, tall * 0.7), (0, tall + 0.3), (0.2, tall * 0.7)], s.color(1, -0.2))
    s.polygon([(0.85 * x, tall * y) for x, y in around(24, 1)], s.color(0))
    for k in range(bands):
        x = -0.5 + 0.9 * k / bands
        high = tall * math.sqrt(1 - (x / 0.85) ** 2) * 0.95
        s.stroke([(x, -high), (x + 0.06, 0), (x, high)], 0.1, s.color(2))
    s.disc((0.55, -0.12), 0.13, s.color(2, 0.85))
    s.disc((0.57, -0.12), 0.06, _PUPIL)


def _skull(s: Stamp) -> None:
    """A skull, with or without horns."""
    bone, hole = s.color(0, 0.6), s.color(2, -0.85)
    if s.rng.random() < HALF:
        s.twice([(0.4, -0.6), (0.9, -1.1), (0.7, -0.2)], s.color(1))
    s.mirrored([(0, -0.9), (0.5, -0.8), (0.75, -0.3), (0.62, 0.2), (0.38, 0.35), (0.34, 0.8),
                (0, 0.85)], bone)  # fmt: skip
    for side in (-1, 1):
        s.disc((side * 0.3, -0.15), s.rng.uniform(0.18, 0.24), hole)
        s.disc((side * 0.3, -0.15), 0.07, s.color(1, 0.3))
    s.mirrored([(0, 0.1), (0.1, 0.32), (0, 0.3)], hole)
    for x in (-0.2, 0, 0.2):
        s.stroke([(x, 0.5), (x, 0.82)], 0.05, hole)


def _mask(s: Stamp) -> None:
    """A painted face."""
    rng, wide = s.rng, s.rng.uniform(0.5, 0.8)
    s.mirrored([(0, -1), (wide, -0.7), (wide * 1.1, 0), (wide * 0.6, 0.7), (0, 1)], s.color(0))
    s.mirrored([(0, -0.95), (wide * rng.uniform(0.3, 0.9), -0.65), (0, rng.uniform(-0.3, 0.1))],
               s.color(1))  # fmt: skip
    slant = rng.uniform(-0.2, 0.2)
    s.twice([(0.12, -0.15), (0.5, -0.25 - slant), (0.52, -0.05 - slant), (0.15, 0.05)], _PUPIL)
    s.twice([(0.2, 0.2), (wide * 0.9, 0.1), (wide * 0.6, 0.45)], s.color(2))
    s.mirrored([(0, -0.05), (0.12, 0.28), (0, 0.32)], s.color(0, -0.4))
    mouth = rng.uniform(0.03, 0.2)
    s.mirrored([(0, 0.52 - mouth), (0.3, 0.5), (0, 0.52 + mouth)], s.color(1, -0.6))


def _horror(s: Stamp) -> None:
    """Tentacles around one eye or several."""
    arms, curl = s.rng.randint(5, 11), s.rng.uniform(-2, 2)
    for arm in range(arms):
        start = math.tau * arm / arms
        for t in range(14):
            angle, radius = start + curl * (t / 14) ** 2, 0.3 + 0.85 * t / 14
            s.disc((radius * math.cos(angle), radius * math.sin(angle)), 0.2 - 0.012 * t,
                   s.color(0, -0.2 if t % 2 else 0.1))  # fmt: skip
    s.disc((0, 0), 0.52, s.color(0))
    for at in around(s.rng.randint(1, 5), s.rng.uniform(0.05, 0.25)):
        s.disc(at, 0.17, s.color(1, 0.7))
        s.disc(at, 0.08, _PUPIL)


def _spider(s: Stamp) -> None:
    """Eight legs, seen from above."""
    for side in (-1, 1):
        for k in range(4):
            y, knee = -0.3 + 0.2 * k, s.rng.uniform(0.5, 0.8)
            s.stroke([(0, y * 0.4), (side * knee, y * 1.5 - 0.3), (side * 1.1, y * 2.4)], 0.07,
                     s.color(0, -0.3))  # fmt: skip
    s.disc((0, 0.4), s.rng.uniform(0.35, 0.55), s.color(0))
    s.polygon([(0, 0.15), (0.14, 0.4), (0, 0.65), (-0.14, 0.4)], s.color(1, 0.2))
    s.disc((0, -0.12), 0.27, s.color(0, -0.2))
    _eyes(s, 0.1, -0.25, 0.07)


def _butterfly(s: Stamp) -> None:
    """Two pairs of wings with eyes on them."""
    rng, tall = s.rng, s.rng.uniform(0.5, 1)
    s.twice([(0, 0), (0.5, -tall), (1, -tall * 0.8), (0.9, -0.1), (0.3, 0.15)], s.color(0))
    s.twice([(0, 0.05), (0.75, 0.1), (0.7, 0.7), (0.35, rng.uniform(0.6, 1)), (0.1, 0.4)],
            s.color(1))  # fmt: skip
    for side in (-1, 1):
        for at, size in (((side * 0.65, -tall * 0.5), 0.2), ((side * 0.45, 0.4), 0.16)):
            s.disc(at, size, s.color(2, 0.3))
            s.disc(at, size * 0.5, s.color(0, -0.7))
        s.stroke([(0, -0.3), (side * 0.25, -0.85)], 0.04, _PUPIL)
    s.mirrored([(0, -0.4), (0.09, -0.2), (0.07, 0.5), (0, 0.65)], s.color(2, -0.6))


def _guardian(s: Stamp) -> None:
    """A thing of many horns and teeth, from the front."""
    rng, wide = s.rng, s.rng.uniform(0.45, 0.85)
    for k in range(rng.randint(1, 4)):
        x = wide * (0.3 + 0.2 * k)
        s.twice([(x - 0.1, -0.4), (x + rng.uniform(0, 0.5), -1.1 + 0.1 * k), (x + 0.14, -0.3)],
                s.color(1, 0.3))  # fmt: skip
    s.mirrored([(0, -0.7), (wide * 0.7, -0.6), (wide, 0), (wide * 0.8, 0.6), (0, 0.9)], s.color(0))
    for k in range(rng.randint(1, 3)):
        _eyes(s, wide * (0.3 + 0.18 * k), -0.15 - 0.17 * k, 0.15 - 0.03 * k)
    teeth = [(-wide * 0.7 + wide * 1.4 * k / 10, 0.3 + 0.2 * (k % 2)) for k in range(11)]
    s.polygon([(-wide * 0.7, 0.2), *teeth, (wide * 0.7, 0.2)], (245, 240, 220))
    s.mirrored([(0, -0.1), (0.14, 0.15), (0, 0.17)], s.color(2, -0.2))


def _knight(s: Stamp) -> None:
    """A standing figure with a helm, a cape, a shield and a spear."""
    rng, lean = s.rng, s.rng.uniform(-0.1, 0.3)
    s.mirrored([(0, -0.5), (0.4, -0.4), (rng.uniform(0.5, 0.9), 0.95), (0, 0.9)], s.color(1, -0.2))
    s.twice([(0.04, 0.3), (0.24, 0.3), (0.22, 1), (0.06, 1)], s.color(2, -0.5))
    s.mirrored([(0, -0.5), (0.36, -0.45), (0.28, 0.1), (0.36, 0.5), (0, 0.5)], s.color(0))
    s.stroke([(0.5 - lean, 1), (0.5 + lean, -1.1)], 0.06, s.color(2))
    s.polygon([(0.42 + lean, -0.95), (0.5 + lean, -1.3), (0.58 + lean, -0.95)], s.color(2, 0.6))
    s.mirrored([(0, -0.95), (0.2, -0.85), (0.2, -0.6), (0, -0.45)], s.color(0, 0.4))
    s.stroke([(-0.14, -0.7), (0.14, -0.7)], 0.06, _PUPIL)
    sides = rng.choice((4, 6, 20))
    s.polygon([(x - 0.4, y + 0.05) for x, y in around(sides, 0.36, 0.125)], s.color(2, 0.2))
    s.disc((-0.4, 0.05), 0.14, s.color(1))


def _wizard(s: Stamp) -> None:
    """A robe, a pointed hat, a beard, a staff with a light."""
    rng, bend = s.rng, s.rng.uniform(-0.3, 0.3)
    s.mirrored([(0, -0.35), (0.3, -0.3), (rng.uniform(0.5, 0.8), 1), (0, 1)], s.color(0))
    s.mirrored([(0, -0.2), (0.1, 0), (0.14, 1), (0, 1)], s.color(1))
    s.disc((0, -0.48), 0.22, (226, 186, 156))
    s.mirrored([(0, -0.4), (0.2, -0.42), (0.12, 0), (0, 0.15)], (235, 232, 228))
    s.polygon([(-0.42, -0.55), (bend, -1.25), (0.42, -0.55), (0, -0.48)], s.color(0, -0.35))
    s.stroke([(0.62, 1), (0.55, -0.6)], 0.07, s.color(2, -0.4))
    s.disc((0.55, -0.7), 0.26, (*s.color(1, 0.5), 120))
    s.disc((0.55, -0.7), 0.15, s.color(1, 0.8))


def _golem(s: Stamp) -> None:
    """Blocks of stone that stand up."""
    rng = s.rng
    for x, y, w, h in ((0, -0.05, 0.42, 0.4), (0.58, -0.15, 0.2, 0.25), (0.64, 0.3, 0.17, 0.25),
                       (0.24, 0.6, 0.2, 0.35)):  # fmt: skip
        rough = [rng.uniform(-0.06, 0.06) for _ in range(4)]
        block = [(x - w + rough[0], y - h), (x + w, y - h + rough[1]), (x + w + rough[2], y + h),
                 (x - w, y + h + rough[3])]  # fmt: skip
        s.twice(block, s.color(0, rng.uniform(-0.35, 0.25)))
    s.mirrored([(0, -0.95), (0.24, -0.9), (0.28, -0.5), (0, -0.45)], s.color(1, -0.2))
    _eyes(s, 0.12, -0.7, 0.08)
    s.polygon(around(rng.randint(3, 8), 0.2, 0.25), s.color(2, 0.4))


def _wolf(s: Stamp) -> None:
    """A head with pointed ears, from the front."""
    ear, muzzle = s.rng.uniform(0.2, 0.55), s.rng.uniform(0.2, 0.4)
    s.twice([(0.15, -0.5), (0.5, -0.6 - ear), (0.7, -0.2)], s.color(0, -0.3))
    s.mirrored([(0, -0.6), (0.5, -0.5), (0.85, 0.1), (0.4, 0.5), (0, 0.95)], s.color(0))
    s.twice([(0.2, -0.35), (0.8, 0.1), (0.4, 0.4), (0.2, 0.2)], s.color(1, 0.2))
    s.mirrored([(0, -0.1), (muzzle, 0.3), (0.16, 0.85), (0, 0.9)], s.color(0, 0.5))
    s.mirrored([(0, 0.45), (0.16, 0.48), (0, 0.66)], _PUPIL)
    _eyes(s, 0.32, -0.08, 0.11)


def _owl(s: Stamp) -> None:
    """An owl on nothing, with great eyes."""
    wide = s.rng.uniform(0.5, 0.75)
    s.twice([(wide * 0.4, -0.7), (wide, -1.1), (wide, -0.5)], s.color(1))
    s.mirrored(
        [(0, -0.8), (wide, -0.75), (wide * 1.1, 0.2), (wide * 0.5, 0.95), (0, 1)], s.color(0)
    )
    for row in range(4):
        for k in range(-2, 3):
            s.disc((k * 0.2 + row % 2 * 0.1, 0.15 + row * 0.2), 0.1, s.color(1, 0.1 * row))
    s.twice([(wide, -0.1), (wide * 1.5, 0.7), (wide * 0.7, 0.7)], s.color(0, -0.35))
    for side in (-1, 1):
        s.disc((side * wide * 0.48, -0.4), 0.3, s.color(2, 0.6))
    _eyes(s, wide * 0.48, -0.4, 0.2)
    s.mirrored([(0, -0.35), (0.09, -0.25), (0, 0)], s.color(2, -0.2))


def _ghost(s: Stamp) -> None:
    """A wisp with a torn hem."""
    teeth = s.rng.randint(3, 7)
    hem = [(0.6 - 1.2 * k / 2 / teeth, 0.9 - 0.3 * (k % 2)) for k in range(2 * teeth + 1)]
    dome = [(0.6 * math.cos(a / 8), -0.3 - 0.6 * math.sin(a / 8)) for a in range(25, -1, -1)]
    s.polygon(dome + hem, s.color(0, 0.6))
    s.disc((0, 0.1), 0.16, s.color(2, -0.8))
    _eyes(s, 0.22, -0.3, 0.15)


#: By the word that a type line may hold; any creature may also be shown as any of the others.
KINDS: dict[str, tuple[Motif, ...]] = {
    "Beast": (_beast, _guardian, _wolf),
    "Serpent": (_serpent, _coiled, _fish),
    "Wizard": (_wizard, _mask),
    "Scout": (_owl, _knight, _wolf, _butterfly),
    "Goblin": (_guardian, _mask),
    "Spirit": (_ghost, _butterfly, _mask),
    "Dragon": (_dragon, _beast),
    "Golem": (_golem, _guardian),
    "Bird": (_bird, _owl, _bird),
    "Horror": (_horror, _spider, _skull),
    "Knight": (_knight, _skull),
}
CREATURES: tuple[Motif, ...] = tuple(
    dict.fromkeys(motif for kind in KINDS.values() for motif in kind)
)
