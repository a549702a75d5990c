"""What the flags may hold: one table, checked before any work and any heavy import.

argparse hands every number over as the text that was typed; `validate_args` turns it into the
number and lists *all* problems at once, which argparse's own `type=` cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.errors import UsageError
from helpers.query.grouping import GROUPINGS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

KINDS = ("unique_artwork", "default_cards", "all_cards", "oracle_cards")
FITS = ("pad", "crop", "squash")
DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "onnx", "torch")
PRECISIONS = ("fp32", "int8", "fp16")
PARTS = ("recall", "grid", "identify", "photos")
BENCHMARK_PARTS = (
    *("startup", "decode", "model", "pipeline", "download", "bulk", "index", "query"),
)
BENCHMARK_ENGINES = ("torch-fp32", "onnx-fp32", "onnx-int8")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class Rule(Protocol):
    """A rule converts one flag's value."""

    def read(self, value: Any) -> Any:
        """Return the converted value.

        Raises:
            ValueError: what is wrong with it, to be shown behind the flag's name.
        """


@dataclass(frozen=True, slots=True)
class Number:
    """A whole or decimal number within bounds (inclusive)."""

    kind: type[int | float]
    low: float
    high: float = math.inf
    also: float | None = None  # one more allowed value, outside the bounds

    def read(self, value: Any) -> int | float:
        """Return `value` as a number, or raise ValueError."""
        try:
            number = self.kind(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number) and (self.low <= number <= self.high or number == self.also):
            return number
        raise ValueError(f"must be {self._wanted()}, not {str(value)!r}")

    def _wanted(self) -> str:
        noun = "a whole number" if self.kind is int else "a number"
        bounds = f">= {self.low:g}" if self.high == math.inf else f"{self.low:g} to {self.high:g}"
        return f"{noun} {bounds}" + (f" (or {self.also:g})" if self.also is not None else "")


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of a list."""

    choices: tuple[str, ...]

    def read(self, value: Any) -> str:
        """Return `value` if it is in the list, or raise ValueError."""
        if value in self.choices:
            return str(value)
        raise ValueError(f"must be one of {', '.join(self.choices)}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Text:
    """A word or a line that HTTP headers and file systems can carry."""

    def read(self, value: Any) -> str:
        """Return `value` unless it is empty or holds control characters (ValueError)."""
        if isinstance(value, str) and value.strip() and value.isprintable() and value.isascii():
            return value
        raise ValueError(f"must be a line of plain ASCII text, not {value!r}")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """The address of Scryfall's API or of a mirror of it."""

    def read(self, value: Any) -> str:
        """Return `value` without a final slash, or raise ValueError."""
        parts = urlsplit(str(value))
        if parts.hostname and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
        ):
            return str(value).rstrip("/")
        raise ValueError(f"must begin with https:// (http:// on this machine), not {value!r}")


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values with commas between them, each by the same rule."""

    rule: Rule

    def read(self, value: Any) -> tuple[Any, ...]:
        """Return the converted values, or raise ValueError for the first wrong one."""
        return tuple(self.rule.read(word.strip()) for word in str(value).split(","))


@dataclass(frozen=True, slots=True)
class Pair:
    """M and efConstruction with a slash between them."""

    def read(self, value: Any) -> tuple[int, int]:
        """Return both numbers, or raise ValueError."""
        m, slash, ef = str(value).partition("/")
        if slash and m.isdecimal() and ef.isdecimal() and 4 <= int(m) <= int(ef) <= 2000:  # noqa: PLR2004
            return int(m), int(ef)
        raise ValueError(f"must be pairs such as 32/200 (4 to 2000, M first), not {str(value)!r}")


RULES: dict[str, Rule] = {
    "kind": OneOf(KINDS),
    "limit": Number(int, 0),
    "image_version": OneOf(IMAGE_VERSIONS),
    "max_bulk_age": Number(float, 0),
    "scryfall_api": BaseUrl(),
    "user_agent": Text(),
    "workers": Number(int, 1, 128),
    "timeout_connect": Number(float, 1),
    "timeout_read": Number(float, 5),
    "max_retries": Number(int, 0),
    "max_failure_rate": Number(float, 0, 1),
    "batch": Number(int, 1, 4096),
    "threads": Number(int, 1, 1024),
    "engine": OneOf(ENGINES),
    "size": Number(int, 64, 4096),
    "fit": OneOf(FITS),
    "hnsw_m": Number(int, 4, 128),
    "hnsw_ef_construction": Number(int, 4, 2000),
    "checkpoint_frequency": Number(int, 100, also=0),
    "device": OneOf(DEVICES),
    "precision": OneOf(PRECISIONS),
    "k": Number(int, 1),
    "ef_search": Number(int, 1),
    "min_score": Number(float, -1, 1),
    "group": OneOf(GROUPINGS),
    "parts": ListOf(OneOf(PARTS)),
    "ladder": ListOf(Number(int, 1, 10_000)),
    "grid": ListOf(Pair()),
    "sample": Number(int, 1),
    "seed": Number(int, 0),
}
#: What a flag of that name holds in `scripts/benchmark.py`, where it differs; see `args.rules`.
BENCHMARK_RULES: dict[str, Rule] = {
    "parts": ListOf(OneOf(BENCHMARK_PARTS)),
    "engines": ListOf(OneOf(BENCHMARK_ENGINES)),
    "images": Number(int, 2, 100_000),
    "vectors": Number(int, 100, 10_000_000),
    "cards": Number(int, 10, 1_000_000),
    "repeats": Number(int, 1, 100),
}


def validate_args(args: Namespace) -> None:
    """Check every known attribute of `args` and convert it in place; None means "not given".

    Where a script means something else by a flag, `args.rules` holds its own rules.

    Raises:
        UsageError: lists all problems at once (exit code 2).
    """
    problems = [
        *_apply_rules(args),
        *_path_problems(args),
        *_cross_problems(args),
        *_engine_problems(args),
        *_query_problems(args),
        *_evaluation_problems(args),
    ]
    if problems:
        raise UsageError(
            "1 argument is wrong" if len(problems) == 1 else f"{len(problems)} arguments are wrong",
            details="\n".join(problems),
            suggestion="correct what is named above; --help lists every flag",
        )


def _apply_rules(args: Namespace) -> Iterator[str]:
    for name, rule in {**RULES, **getattr(args, "rules", {})}.items():
        value = getattr(args, name, None)
        if value is None:
            continue
        try:
            setattr(args, name, rule.read(value))
        except ValueError as error:
            setattr(args, name, None)
            yield f"{flag(name)} {error}"


def _path_problems(args: Namespace) -> Iterator[str]:
    for name in ("cache", "out", "index"):
        value = getattr(args, name, None)
        if value == "":
            yield f"{flag(name)} must be a directory, not an empty word"
        elif value is not None and Path(value).exists() and not Path(value).is_dir():
            yield f"{flag(name)} must be a directory, but {value} is a file"
    bulk_file = getattr(args, "bulk_file", None)
    if bulk_file is not None and not Path(bulk_file).is_file():
        yield f"{flag('bulk_file')} must be an existing file, not {bulk_file!r}"


def _cross_problems(args: Namespace) -> Iterator[str]:
    m, ef = getattr(args, "hnsw_m", None), getattr(args, "hnsw_ef_construction", None)
    if m is not None and ef is not None and ef < m:
        yield f"{flag('hnsw_ef_construction')} ({ef}) must be >= {flag('hnsw_m')} ({m})"
    if getattr(args, "bulk_file", None) is not None and getattr(args, "refresh_bulk", False):
        yield f"{flag('refresh_bulk')} makes no sense with {flag('bulk_file')}: it asks nobody"
    cache, out = getattr(args, "cache", None), getattr(args, "out", None)
    if cache and out and Path(cache).resolve() == Path(out).resolve():
        yield f"{flag('out')} and {flag('cache')} must be two directories"


def _engine_problems(args: Namespace) -> Iterator[str]:
    precision, engine = getattr(args, "precision", None), getattr(args, "engine", None)
    device = getattr(args, "device", None)
    if device in {"cuda", "mps"} and engine == "onnx":
        yield f"--engine onnx runs on the CPU, not on {device}: use --engine torch"
    if precision == "int8" and (engine == "torch" or device in {"cuda", "mps"}):
        yield "--precision int8 needs --engine onnx on the CPU (leave --engine and --device out)"
    if precision == "fp16" and (engine == "onnx" or device == "cpu"):
        yield "--precision fp16 needs a GPU and --engine torch (leave --engine and --device out)"


def _query_problems(args: Namespace) -> Iterator[str]:
    if getattr(args, "images", None) == [] and not args.text:
        yield "name at least one picture, or a sentence with --text"
    if any(not text.strip() for text in getattr(args, "text", None) or ()):
        yield "--text must not be empty"
    sheet = getattr(args, "sheet", None)
    if sheet is not None and Path(sheet).suffix.lower() not in {".png", ".html"}:
        yield f"--sheet must end in .png or .html, not {sheet!r}"


def _evaluation_problems(args: Namespace) -> Iterator[str]:
    parts, photos = getattr(args, "parts", None) or (), getattr(args, "photos", None)
    if "photos" in parts and photos is None:
        yield "--parts photos needs --photos"
    if photos is not None and not Path(photos).is_file():
        yield f"--photos must be an existing file, not {photos!r}"
    if getattr(args, "save_thresholds", False) and "identify" not in parts:
        yield "--save-thresholds needs --parts identify, which measures them"
    plot, negatives = getattr(args, "plot", None), getattr(args, "negatives", None)
    if plot is not None and Path(plot).suffix.lower() != ".png":
        yield f"--plot must end in .png, not {plot!r}"
    if negatives is not None and not Path(negatives).is_dir():
        yield f"--negatives must be an existing directory, not {negatives!r}"


def flag(name: str) -> str:
    """Return the flag as it is typed: `hnsw_m` → `--hnsw-m`."""
    return "--" + name.replace("_", "-")
