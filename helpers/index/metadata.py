"""`mtg_meta.jsonl`: one line of JSON per row, parsed only when it is asked for."""

import json
import mmap
from array import array
from io import BufferedReader
from typing import Any, cast


class MetadataLines:
    """So many lines, in 8 bytes of memory for each; `ValueError` if there are more or fewer.

    Attributes:
        copies: first row → further rows with the very same vector.
    """

    def __init__(self, file: BufferedReader, count: int) -> None:
        self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._starts = array("q", [0])
        self.copies: dict[int, list[int]] = {}
        file.seek(0)  # read, not mapped: a map's pages would all count as memory in use
        for row, line in enumerate(file):
            self._starts.append(self._starts[-1] + len(line))
            if b'"same_as"' in line:  # few lines have it, and only those are parsed
                self.copies.setdefault(json.loads(line)["same_as"], []).append(row)
        if len(self._starts) != count + 1:
            raise ValueError(f"{len(self._starts) - 1:,} lines, {count:,} rows")

    def read(self, row: int) -> dict[str, Any]:
        """Return line `row`, counted from 0."""
        line = self._data[self._starts[row] : self._starts[row + 1]]
        return cast("dict[str, Any]", json.loads(line))
