"""The list of cards for collection sites."""

import csv
import io

import pytest
from finds import answer, found, hit

from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer
from helpers.query.output.exports import OWN_COLUMNS, SITES, Layout, printings, summary

#: What each site documents for its import; Moxfield compares the spelling.
DOCUMENTED = {
    "moxfield": {
        *("Count", "Name", "Edition", "Condition", "Language", "Foil", "Collector Number"),
        *("Alter", "Playtest Card", "Purchase Price"),
    },
    "archidekt": {
        *("Quantity", "Name", "Finish", "Condition", "Date Added", "Language", "Purchase Price"),
        *("Tags", "Edition Name", "Edition Code", "Multiverse Id", "Scryfall ID"),
        "Collector Number",
    },
    "deckbox": {
        *("Count", "Tradelist Count", "Name", "Edition", "Card Number", "Condition", "Language"),
        *("Foil", "Scryfall ID"),
    },
    "manabox": {
        *("Name", "Set code", "Set name", "Collector number", "Foil", "Rarity", "Quantity"),
        *("Scryfall ID", "Condition", "Language"),
    },
}


def listing(*answers: Answer, site: str = SITES[0]) -> str:
    """Return the list of some answers."""
    layout = Layout(site)
    return layout.text([row for each in answers for row in layout.rows(each)])


def rows(*answers: Answer) -> list[dict[str, str]]:
    """Read a list back."""
    return list(csv.DictReader(io.StringIO(listing(*answers), newline="")))


@pytest.mark.parametrize("site", SITES)
def test_every_column_is_one_that_the_site_documents(site: str) -> None:
    """Ours stand behind them."""
    columns = Layout(site).columns
    assert columns[-len(OWN_COLUMNS) :] == OWN_COLUMNS
    known = DOCUMENTED[site] | ({"Scryfall ID"} if site == "moxfield" else set())
    assert set(columns[: -len(OWN_COLUMNS)]) <= known
    assert len(set(columns)) == len(columns)


def test_a_line_per_card() -> None:
    """Count, name of both faces, set, number, language, id, verdict, picture, place in it."""
    card = hit("Front", card_name="Front // Back", lang="zhs", collector_number="7★")
    text = listing(answer("a b.jpg", found(MATCH, card, printing="tied")))
    assert text.splitlines()[1] == (
        "1,Front // Back,rtr,,Simplified Chinese,,7★,id of Front,match,tied,a b.jpg,1"
    )


@pytest.mark.parametrize(
    ("site", "line"),
    [
        ("archidekt", "1,A,JP,Return to Ravnica,rtr,id of A,31"),
        ("deckbox", "1,0,A,Return to Ravnica,31,,Japanese,,id of A"),
        ("manabox", "1,A,RTR,Return to Ravnica,31,normal,ja,id of A"),
    ],
)
def test_each_site_has_its_words(site: str, line: str) -> None:
    """Sets by code or by name, languages by their codes of that site."""
    text = listing(answer("x", found(MATCH, hit("A", lang="ja"))), site=site)
    assert text.splitlines()[1] == f"{line},match,,x,1"


def test_unsure_cards_are_last_and_do_not_count() -> None:
    """What is no card, and a picture without an answer, have no line."""
    answers = (
        answer("1", found(UNSURE, hit("A")), found(MATCH, hit("B"))),
        answer("2", found(NO_CARD, hit("C")), found(MATCH, hit("D"))),
        Answer("3", "no picture"),
        answer("4", found(UNSURE)),
    )
    assert [(row["Name"], row["Count"], row["Verdict"]) for row in rows(*answers)] == [
        ("B", "1", "match"),
        ("D", "1", "match"),
        ("A", "0", "unsure"),
    ]
    lines = [row for each in answers for row in Layout().rows(each)]
    assert summary(lines) == "2 cards, 1 unsure"


def test_a_card_in_two_pictures_counts_twice_and_a_picture_once() -> None:
    """A run tells which pictures are the same, by their content."""
    card = found(MATCH, hit("A"))
    answers = (answer("1", card), answer("2", card), answer("again", card, repeated=True))
    assert [row["Picture"] for row in rows(*answers)] == ["1", "2"]


def test_a_sentence_has_no_card() -> None:
    """What a sentence describes lies on no table."""
    assert rows(Answer("a dragon", cards=(found(UNSURE, hit("A")),))) == []


def test_names_with_commas_and_quotes() -> None:
    """They are quoted as RFC 4180 says, and lines end in CRLF."""
    given = answer("x", found(MATCH, hit('Borrowing 100,000 "Arrows"')))
    assert '"Borrowing 100,000 ""Arrows"""' in listing(given)
    assert listing(given).endswith("\r\n")
    assert rows(given)[0]["Name"] == 'Borrowing 100,000 "Arrows"'


def test_every_printing_may_be_chosen() -> None:
    """The hits, each followed by its further printings."""
    other = {"set": "lea", "set_name": "Alpha", "collector_number": "1", "scryfall_id": "z"}
    card = found(UNSURE, hit("A", also=[other]), hit("B"))
    assert [(each["name"], each["set"]) for each in printings(card)] == [
        ("A", "rtr"),
        ("A", "lea"),
        ("B", "rtr"),
    ]
