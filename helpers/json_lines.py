"""JSON of one line, half a million times: by msgspec where that is installed, else by json.

msgspec takes a third of the time, and gives the same values.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]


def loads(line: bytes) -> Any:
    """Return the value of a line of UTF-8.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    try:
        return msgspec.json.decode(line) if msgspec else json.loads(line)
    except ValueError:  # msgspec knows no NaN and no half of a surrogate pair
        return json.loads(line)


def loader_of(keys: Iterable[str]) -> Callable[[bytes], Any]:
    """Return a `loads` that may leave out all but these keys of an object, and what is wrong there.

    To make the other values of a card would take as long as all else in reading it.
    """
    if msgspec is None:
        return loads
    wanted = TypedDict("wanted", dict.fromkeys(keys, Any), total=False)  # type: ignore[misc]
    decode = msgspec.json.Decoder(wanted).decode

    def load(line: bytes) -> Any:
        try:
            return decode(line)
        except ValueError:  # no object, or none that msgspec knows
            return loads(line)

    return load


def dumps(value: Any) -> bytes:
    """Return a value as one line with its end; the spaces in it are up to the library."""
    if msgspec is not None:
        return msgspec.json.encode(value) + b"\n"
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
