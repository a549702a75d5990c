"""How flags are declared, and the one check of all of them before any work and any heavy import.

Each package declares its flags in its `options` module: name, default, rule and help in one line of
a `FlagGroup`. argparse hands every value over as the text that was typed; `validate_args` turns it
into what its rule says and lists *all* problems at once, which argparse's own `type=` cannot.
"""

import math
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from helpers.errors import UsageError

_Options = TypeVar("_Options")

#: Where the product declares its flags, for a `Namespace` that no parser of ours has made.
_OPTIONS = ("cards.options", "network.policy", "model.options", "building.options", "query.options")
#: Converts a flag's value; raises ValueError with what is to be shown behind the flag's name.
Rule = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Number:
    """A whole or decimal number within bounds (inclusive)."""

    kind: type[int | float]
    low: float
    high: float = math.inf
    also: float | None = None  # one more allowed value, outside the bounds

    def __call__(self, value: Any) -> int | float:
        """Apply the rule."""
        try:
            number = self.kind(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number) and (self.low <= number <= self.high or number == self.also):
            return number
        noun = "a whole number" if self.kind is int else "a number"
        bounds = f">= {self.low:g}" if self.high == math.inf else f"{self.low:g} to {self.high:g}"
        other = "" if self.also is None else f" (or {self.also:g})"
        raise ValueError(f"must be {noun} {bounds}{other}, not {str(value)!r}")


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of a list."""

    choices: tuple[str, ...]

    def __call__(self, value: Any) -> str:
        """Apply the rule."""
        if value in self.choices:
            return str(value)
        meant = did_you_mean(str(value), self.choices)
        raise ValueError(f"must be one of {', '.join(self.choices)}, not {value!r}{meant}")


def ascii_line(value: Any) -> str:
    """Return a word or a line that HTTP headers and file systems can carry (a `Rule`)."""
    if isinstance(value, str) and value.strip() and value.isprintable() and value.isascii():
        return value
    raise ValueError(f"must be a line of plain ASCII text, not {value!r}")


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values with commas between them, each by the same rule."""

    rule: Rule

    def __call__(self, value: Any) -> tuple[Any, ...]:
        """Apply the rule."""
        return tuple(self.rule(word.strip()) for word in str(value).split(","))


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory, which may still have to be made unless it `must_exist`."""

    must_exist: bool = False

    def __call__(self, value: Any) -> Path:
        """Apply the rule."""
        path = Path(value)
        if not value or (not path.is_dir() and (self.must_exist or path.exists())):
            kind = "an existing directory" if self.must_exist else "a directory"
            raise ValueError(f"must be {kind}, not {str(value)!r}")
        return path


def existing_file(value: Any) -> Path:
    """Return the path of a file that is there (a `Rule`)."""
    if Path(value).is_file():
        return Path(value)
    raise ValueError(f"must be an existing file, not {str(value)!r}")


@dataclass(frozen=True, slots=True)
class FileName:
    """A file to write, whose ending says in which format."""

    endings: tuple[str, ...]

    def __call__(self, value: Any) -> Path:
        """Apply the rule."""
        if Path(value).suffix.lower() in self.endings:
            return Path(value)
        raise ValueError(f"must end in {' or '.join(self.endings)}, not {str(value)!r}")


class Flag:
    """One flag of a command line.

    Args:
        name: as it is typed, or a bare word for positional arguments.
        rule: what its value must be; None if anything goes.
        default: its value where it is not given.
        words: how `--help` calls its value, and what it says of it, to which the default is added.
        more: further arguments of `ArgumentParser.add_argument`; `required` is checked by us.
    """

    def __init__(
        self, name: str, rule: Rule | None = None, default: Any = None, *words: str, **more: Any
    ) -> None:
        self.name = name
        self.rule = rule
        self.required = more.pop("required", False)
        named = dict(zip(("metavar", "help"), words, strict=False))
        if default is not None and "help" in named:
            named["help"] += " (%(default)s)"
        self.argparse = {"default": default, **named, **more}

    @property
    def field(self) -> str:
        """The name of its value in the `Namespace`."""
        return self.name.lstrip("-").replace("-", "_")

    def problems(self, args: Namespace) -> Iterator[str]:
        """Convert the flag's value in `args`; yield what is wrong with it."""
        value = getattr(args, self.field, None)
        if value is None and self.required:
            yield f"{self.name} must be given"
        if value is None or self.rule is None:
            return
        setattr(args, self.field, None)
        try:
            setattr(args, self.field, self.rule(value))
        except ValueError as error:
            yield f"{self.name} {error}"
        except OSError as error:  # a path too long, or below a directory that may not be read
            yield f"{self.name} cannot be used: {error.strerror}: {value!s:.200}"


@dataclass(frozen=True, slots=True)
class FlagGroup:
    """Flags of one concern, under one heading of `--help`."""

    title: str
    flags: tuple[Flag, ...]
    #: Yields what is wrong between several flags, already converted; None is one that was wrong.
    check: Callable[[Namespace], Iterable[str]] = lambda _: ()

    def typed(self, values: Mapping[str, Any]) -> list[str]:
        """Return the flags with their values (by field) as they are typed, but no default."""
        words = []
        for flag in self.flags:
            value = values.get(flag.field)
            text = ",".join(value) if isinstance(value, (tuple, list)) else str(value)
            if value not in (None, "") and text != str(flag.argparse["default"]):
                words += [flag.name, text]
        return words


def validate_args(args: Namespace) -> None:
    """Check every known attribute of `args` and convert it in place; None means "not given".

    Of a `Namespace` that no parser of ours made, the flags of the main scripts are checked.

    Raises:
        UsageError: lists all problems at once (exit code 2).
    """
    given: tuple[FlagGroup, ...] = getattr(args, "flag_groups", ())
    groups = given or tuple(_product_groups())
    problems = list(getattr(args, "problems", ()))
    for flag in (flag for group in groups for flag in group.flags):
        if given or hasattr(args, flag.field):
            problems += flag.problems(args)
    for group in groups:
        problems += group.check(args)
    if problems:
        raise UsageError(
            "1 argument is wrong" if len(problems) == 1 else f"{len(problems)} arguments are wrong",
            details="\n".join(problems),
            suggestion="correct what is named above; --help lists every flag",
        )


def options_of(cls: type[_Options], args: Namespace, **given: Any) -> _Options:
    """Fill a dataclass: fields are `given`, or validated flags of their names, or have defaults."""
    names = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    flags = {name: value for name, value in vars(args).items() if name in names}
    return cls(**{**flags, **given})


def _product_groups() -> Iterator[FlagGroup]:
    for name in _OPTIONS:
        module = import_module(f"helpers.{name}")
        yield from (value for value in vars(module).values() if isinstance(value, FlagGroup))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the ending of a message that names the most similar known word, if one is close."""
    found = get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
