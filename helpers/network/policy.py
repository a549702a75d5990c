"""How to ask: who we are, how many at once, how long to wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace


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
    def from_args(cls, args: Namespace) -> Policy:
        """Read the flags of the download step; a script without them gets the defaults."""
        names = ("workers", "timeout_connect", "timeout_read", "max_retries")
        given = {name: getattr(args, name) for name in names if hasattr(args, name)}
        return cls(user_agent=args.user_agent, api_url=args.scryfall_api, **given)

    @property
    def patience(self) -> float:
        """Seconds that all tries of one image may spend in transfer, waits not counted.

        So much is needed to run into the read timeout at every try; a server that drips bytes
        gets no more.
        """
        return (self.max_retries + 1) * self.timeout_read
