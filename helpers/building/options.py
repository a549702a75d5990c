"""How to build: the flags of the group "build"."""

from argparse import BooleanOptionalAction, Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from helpers.cards.options import CardSource
from helpers.cli_validation import Directory, Flag, FlagGroup, Number, options_of
from helpers.model.options import ModelOptions


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
    whiten: bool
    allow_shrink: bool
    model: ModelOptions
    source: CardSource

    @classmethod
    def from_args(cls, args: Namespace) -> Self:
        """Read the flags, already validated; `UsageError` where those of the model do not fit."""
        model, source = ModelOptions.from_args(args), CardSource.from_args(args)
        return options_of(cls, args, model=model, source=source)

    def to_json(self) -> dict[str, Any]:
        """Return every flag that shaped the result, for the manifest."""
        own = ("batch", "threads", "validate_cache", "hnsw_m", "hnsw_ef_construction", "whiten")
        return {
            "kind": self.source.kind,
            "limit": self.source.limit,
            "set": self.source.sets,
            "image_version": self.source.image_version,
            # Absolute: whoever asks the index may do so from another directory.
            "cache": str(self.source.cache.absolute()),
            "bulk_file": str(self.source.bulk_file.absolute()) if self.source.bulk_file else None,
            **{name: getattr(self, name) for name in own},
            **asdict(self.model),
        }


def _contradictions(args: Namespace) -> Iterator[str]:
    names = ("hnsw_m", "hnsw_ef_construction", "cache", "out")
    m, ef, cache, out = (getattr(args, name, None) for name in names)
    if m is not None and ef is not None and ef < m:
        yield f"--hnsw-ef-construction ({ef}) must be >= --hnsw-m ({m})"
    if cache and out and Path(cache).resolve() == Path(out).resolve():
        yield "--out and --cache must be two directories"


def _switch(name: str, words: str) -> Flag:
    """Return a flag that is on by default, and off with `--no-` before its name."""
    return Flag(name, default=True, help=words, action=BooleanOptionalAction)


FLAGS = FlagGroup(
    "build",
    (
        Flag("--out", Directory(), "index_out", "DIR", "output directory"),
        Flag("--batch", Number(int, 1, 4096), None, "N", "images per forward pass (measured)"),
        Flag("--threads", Number(int, 1, 1024), None, "N", "CPU threads that embed (measured)"),
        _switch("--validate-cache", "check every image"),
        Flag("--hnsw-m", Number(int, 4, 128), 32, "M", "links per vector, 4 to 128"),
        Flag(
            "--hnsw-ef-construction",
            Number(int, 4, 2000),
            200,
            "EF",
            "candidates while building, M to 2000",
        ),
        Flag(
            "--checkpoint-frequency",
            Number(int, 100, also=0),
            500,
            "N",
            "images between checkpoints, 0 for none, else >= 100",
        ),
        _switch("--resume", "go on where a stopped build ended"),
        Flag(
            "--allow-shrink",
            help="replace an index by one of less than 90 %% of its rows",
            action="store_true",
        ),
        _switch("--reuse", "take unchanged vectors from the last build"),
        _switch("--whiten", "learn from the cards what to overlook in photos of them"),
    ),
    _contradictions,
)
