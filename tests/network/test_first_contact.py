"""That nobody answers is said soon and once, and the tries go on."""

import threading

import pytest
from support import FakeClock, Scryfall

from helpers.network import first_contact
from helpers.network.first_contact import FirstContact
from helpers.network.policy import Policy
from helpers.network.responses import FetchError
from helpers.session import DownloadSession

NOWHERE = "http://127.0.0.1:9"


def ask(url: str, path: str = "/x.jpg") -> tuple[list[str], float]:
    """Ask twice for what is not there; return what was said, and the seconds of waiting."""
    said: list[str] = []
    clock = FakeClock()
    session = DownloadSession(Policy("test", url, max_retries=3), clock, said.append)
    for _ in range(2):
        with pytest.raises(FetchError):
            session.get_bytes(url + path, limit=100)
    return said, clock.time


def test_a_refusal_is_said_at_once_and_the_tries_go_on() -> None:
    """One line for all tries of all requests, which are as many and as far apart as ever."""
    said, waited = ask(NOWHERE)
    assert said == ["No answer from 127.0.0.1:9 (connection refused); trying on, Ctrl-C ends it"]
    assert waited >= 2 * (1 + 2 + 4)


def test_a_host_that_answers_is_not_accused(scryfall: Scryfall) -> None:
    """Neither an error nor a body that breaks off is silence."""
    scryfall.faults({"fault": "status", "params": {"code": 503}, "times": 2})
    assert ask(scryfall.url)[0] == []


def test_silence_is_said_before_the_first_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes the request and says nothing: the clock alone brings the line, once."""
    assert Policy("", "").timeout_connect > first_contact.SILENCE
    monkeypatch.setattr(first_contact, "SILENCE", 0.01)
    said: list[str] = []
    heard = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    contact = FirstContact("example.org", say)
    assert heard.wait(10)
    contact.failed("no answer in time")
    assert said == ["No answer from example.org (silence so far); trying on, Ctrl-C ends it"]


def test_an_answer_ends_the_watch() -> None:
    """After it nothing is said any more, and no timer is left."""
    said: list[str] = []
    others = set(threading.enumerate())
    contact = FirstContact("example.org", said.append)
    contact.answered()
    contact.failed("the connection broke off")
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers if timer not in others)
    assert said == []
