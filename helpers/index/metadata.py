"""`mtg_meta.jsonl`: one line of JSON per row, parsed only when it is asked for."""

import json
import mmap
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, cast

import numpy as np

_SAME_AS = re.compile(rb'"same_as"')  # few lines have it, and only those are parsed
_BLOCK_BYTES = 1 << 20  # of the metadata, read at a time


class MetadataLines:
    """The metadata: lines that are parsed only when asked for, in 8 bytes of memory for each.

    Attributes:
        copies: first row → further rows with the very same vector.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.copies: dict[int, list[int]] = {}
        starts, row, position = [np.zeros(1, dtype=np.int64)], 0, 0
        for block in _blocks_of_lines(file):
            after = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + 1
            for match in _SAME_AS.finditer(block):
                line = int(np.searchsorted(after, match.start(), side="right"))
                card = json.loads(block[after[line - 1] if line else 0 : after[line]])
                self.copies.setdefault(card["same_as"], []).append(row + line)
            starts.append(after + position)
            row, position = row + len(after), position + len(block)
        self._starts = np.concatenate(starts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def read(self, row: int) -> dict[str, Any]:
        """Return line `row`, counted from 0."""
        line = self._data[int(self._starts[row]) : int(self._starts[row + 1])]
        return cast("dict[str, Any]", json.loads(line))


def _blocks_of_lines(file: BufferedReader) -> Iterator[bytes]:
    """Yield the whole file, cut at line ends; a map's pages would all count as memory in use."""
    file.seek(0)
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        lines, end, rest = (rest + block).rpartition(b"\n")
        yield lines + end
