"""Hits of one card belong together: many printings share a picture, and people ask for the card."""

from typing import Any

GROUPINGS = ("card", "art", "none")
#: Cosine within which two answers count as equally good. A vector depends on the batch it is
#: computed in by up to 3e-6 and HNSW adds nothing to that; two scans of one picture differ by more.
TIE_MARGIN = 1e-4

Record = dict[str, Any]


def group_key(record: Record, by: str) -> object:
    """Return what the rows of one group have in common.

    `card` is Scryfall's oracle id together with the face, since both faces of a card share the id
    and look different; `art` is the illustration id, which reprints with the same picture share.
    Cards without such an id (art series, emblems of old files) stand for themselves.
    """
    if by == "card":
        return (record.get("oracle_id") or record["face_id"], record["name"])
    if by == "art":
        return record.get("illustration_id") or record["face_id"]
    return record["face_id"], record["row"]


def group_hits(hits: list[Record], by: str, k: int) -> list[Record]:
    """Fold records with `score` and `row`, best first, into `k` groups, as one of `GROUPINGS` says.

    Returns:
        The best hit of each group, best first, with its new `rank` from 1, `tie` (True where its
        score is within `TIE_MARGIN` of the best group's, and there is more than one such group),
        and `also`: the group's further rows, shortened to what tells printings apart.
    """
    groups: dict[object, Record] = {}
    for hit in hits:
        key = group_key(hit, by)
        if key in groups:
            groups[key]["also"].append(_short(hit))
        else:
            groups[key] = {**hit, "also": []}
    best = list(groups.values())[:k]
    close = sum(best[0]["score"] - hit["score"] <= TIE_MARGIN for hit in best)
    for rank, hit in enumerate(best, 1):
        hit["rank"] = rank
        hit["tie"] = close > 1 and rank <= close
    return best


def _short(hit: Record) -> Record:
    ids = ("score", "row", "scryfall_id", "face_id", "card_name")
    printing = ("set", "set_name", "collector_number", "lang", "scryfall_uri", "image_file")
    return {key: hit.get(key) for key in (*ids, *printing)}
