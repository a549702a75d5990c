"""The options of a build, and how to tell that nothing has changed since the last one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.cards.card_source import CardSource
from helpers.model.options import ModelOptions

if TYPE_CHECKING:
    from argparse import Namespace


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The flags of the group "build"."""

    out: Path
    batch: int | None
    threads: int | None
    validate_cache: bool
    hnsw_m: int
    hnsw_ef_construction: int
    checkpoint_frequency: int
    resume: bool
    reuse: bool
    model: ModelOptions
    source: CardSource

    @classmethod
    def from_args(cls, args: Namespace) -> BuildOptions:
        """Read the flags, already validated.

        Raises:
            UsageError: the flags of the model contradict each other.
        """
        return cls(
            out=Path(args.out),
            batch=args.batch,
            threads=args.threads,
            validate_cache=args.validate_cache,
            hnsw_m=args.hnsw_m,
            hnsw_ef_construction=args.hnsw_ef_construction,
            checkpoint_frequency=args.checkpoint_frequency,
            resume=args.resume,
            reuse=args.reuse,
            model=ModelOptions.from_args(args),
            source=CardSource.from_args(args),
        )

    def to_json(self) -> dict[str, Any]:
        """Return every flag that shaped the result, for the manifest."""
        return {
            "kind": self.source.kind,
            "limit": self.source.limit,
            "image_version": self.source.image_version,
            "cache": str(self.source.cache),
            "bulk_file": str(self.source.bulk_file) if self.source.bulk_file else None,
            "batch": self.batch,
            "threads": self.threads,
            "validate_cache": self.validate_cache,
            "hnsw_m": self.hnsw_m,
            "hnsw_ef_construction": self.hnsw_ef_construction,
            **asdict(self.model),
        }
