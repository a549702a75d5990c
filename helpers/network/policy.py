"""How to ask: who we are, how many at once, how long to wait."""

from argparse import Namespace
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

from helpers.cli_validation import Flag, FlagGroup, Number, options_of


@dataclass(frozen=True, slots=True)
class Policy:
    """How to ask. Times are seconds."""

    user_agent: str
    api_url: str
    workers: int = 16
    timeout_connect: float = 5.0
    timeout_read: float = 30.0
    max_retries: int = 5

    @classmethod
    def from_args(cls, args: Namespace) -> Self:
        """Read the flags of the download step; a script without them gets the defaults."""
        return options_of(cls, args, api_url=args.scryfall_api)

    @property
    def patience(self) -> float:
        """Seconds in transfer for all tries of one image: each may run into the read timeout."""
        return (self.max_retries + 1) * self.timeout_read


_SECONDS = partial(Number, float, high=3600.0)  # a day-long silence is a run that hangs


def may_be_asked(url: str) -> bool:
    """Tell whether a URL is https, or http on this machine; ValueError if it is none."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or local)


def base_url(value: Any) -> str:
    """Return the address of an API without a final slash (a `Rule`)."""
    if may_be_asked(str(value)):
        return str(value).rstrip("/")
    raise ValueError(f"must begin with https:// (http:// on this machine), not {value!r}")


FLAGS = FlagGroup(
    "download",
    (
        Flag("--workers", Number(int, 1, 128), 16, "N", "downloads at a time, 1 to 128"),
        Flag("--timeout-connect", _SECONDS(low=1), 5.0, "S", "seconds to connect, >= 1"),
        Flag("--timeout-read", _SECONDS(low=5), 30.0, "S", "seconds of silence, >= 5"),
        Flag("--max-retries", Number(int, 0, 100), 5, "N", "further tries per image, >= 0"),
    ),
)
