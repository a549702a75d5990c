"""What a query gets: the cards found in a picture, each with a verdict and the nearest cards."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["match", "unsure", "no card"]
#: Surest first.
VERDICTS: tuple[Verdict, ...] = ("match", "unsure", "no card")
MATCH, UNSURE, NO_CARD = VERDICTS

Hit = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on.

    Args:
        inliers: local features that one homography maps from the scan to the picture; None where
            nothing was compared.
        score: cosine of the best hit.
        margin: distance of its score from that of the next card.
    """

    inliers: int | None
    score: float | None
    margin: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """One card found in a picture.

    Args:
        verdict: `match` if verified, `unsure` if the hits are only the nearest cards, `no card` if
            there is nothing like a card.
        hits: records of the index with `rank` and `score`, best first.
        evidence: what the verdict rests on.
        corners: four (x, y) in pixels of the upright picture, clockwise from the card's own top
            left corner; None where the whole picture was taken as the card.
        verified_by: `geometry`, `title` or `score` for a match; `title` also where a title names
            the card and no scan of that name agrees with the picture; else None.
        printing: `sure` if this printing is told from those with the same art, else `tied`; None
            unless it is a match.
    """

    verdict: Verdict
    hits: list[Hit]
    evidence: Evidence
    corners: tuple[tuple[float, float], ...] | None = None
    verified_by: str | None = None
    printing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `cards` in the `--json` document."""
        corners = self.corners
        return {
            "corners": corners and [[round(x, 1), round(y, 1)] for x, y in corners],
            "verdict": self.verdict,
            "verified_by": self.verified_by,
            "printing": self.printing,
            "evidence": {
                "inliers": self.evidence.inliers,
                "score": self.evidence.score,
                "margin": self.evidence.margin,
            },
            "hits": self.hits,
        }


@dataclass(slots=True)
class Answer:
    """What came of one query: the cards found, or the reason why there are none.

    Args:
        query: what the user called the picture, or the sentence.
        error: why the picture could not be read, None if it could.
        width: of the upright picture in pixels; None for a sentence.
        height: likewise.
        cards: left to right, top to bottom; one at least where the picture could be read.
        image: a small JPEG of the picture for a sheet, if one is wanted.
        digest: SHA-256 of the picture's file, by which one that is given twice is known.
    """

    query: str
    error: str | None = None
    width: int | None = None
    height: int | None = None
    cards: tuple[Found, ...] = ()
    image: bytes | None = None
    digest: str | None = None

    @property
    def surest(self) -> Found | None:
        """The card that is known best, None if the picture could not be read."""
        return min(self.cards, key=_doubt, default=None)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the surest card."""
        return self.surest.verdict if self.surest else None

    @property
    def hits(self) -> list[Hit]:
        """The hits of the surest card."""
        return self.surest.hits if self.surest else []

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `queries` in the `--json` document."""
        return {
            "query": self.query,
            "error": self.error,
            "width": self.width,
            "height": self.height,
            "cards": [card.to_json() for card in self.cards],
            "verdict": self.verdict,
            "hits": self.hits,
        }


def _doubt(card: Found) -> tuple[int, int, float]:
    """Return a key that is smallest for the surest card."""
    evidence = card.evidence
    return VERDICTS.index(card.verdict), -(evidence.inliers or 0), -(evidence.score or 0.0)
