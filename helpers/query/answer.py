"""What a query gets: the cards found in a picture, each with a verdict and the nearest cards."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Verdict = Literal["match", "unsure", "no card"]
#: Surest first.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MATCH, UNSURE, NO_CARD = VERDICTS

Hit = dict[str, Any]
#: Four (x, y).
Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on."""

    inliers: int | None  # features that agree with the scan; None where nothing was compared
    score: float  # cosine of the best hit
    margin: float | None  # its distance from that of the next card; None for a title


@dataclass(frozen=True, slots=True)
class Found:
    """One card found in a picture.

    A match is verified by `geometry`, `title` or `score`; `title` also stands where a title names
    the card and no scan agrees with the picture. The corners are in pixels of the upright picture,
    clockwise from the card's own top left; None where the whole picture was taken as the card.
    """

    verdict: Verdict  # unsure: the hits are only the nearest cards
    hits: list[Hit]  # records of the index with `rank` and `score`, best first
    evidence: Evidence
    corners: Corners | None = None
    verified_by: str | None = None
    printing: str | None = None  # of a match: `sure`, or `tied` with others of the same art

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `cards` in the `--json` document."""
        corners = self.corners
        return {
            "corners": corners and [[round(x, 1), round(y, 1)] for x, y in corners],
            "verdict": self.verdict,
            "verified_by": self.verified_by,
            "printing": self.printing,
            "evidence": asdict(self.evidence),
            "hits": self.hits,
        }


@dataclass(slots=True)
class Answer:
    """What came of one query: the cards found, or the reason why there are none."""

    query: str  # what the user called the picture, or the sentence
    error: str | None = None  # why the picture could not be read
    width: int | None = None  # of the upright picture in pixels; None for a sentence
    height: int | None = None
    cards: tuple[Found, ...] = ()  # left to right, top to bottom; at least one in a picture
    image: bytes | None = None  # a small JPEG of the picture, for a sheet
    repeated: bool = False  # the same picture was asked before in this run

    @property
    def surest(self) -> Found | None:
        """The card that is known best, None if the picture could not be read."""

        def doubt(card: Found) -> tuple[int, int, float]:
            evidence = card.evidence
            return VERDICTS.index(card.verdict), -(evidence.inliers or 0), -evidence.score

        return min(self.cards, key=doubt, default=None)

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
