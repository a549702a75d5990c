"""`--watch DIR`: answer pictures as they arrive in a folder, each once, also across restarts.

The folder is looked at every second: inotify would tell of a file sooner, but not of one on a
network share, nor when it is complete. A file is read when its size and time have stayed the same
from one look to the next; if it cannot be decoded then, it may still be on its way, and it is
tried again whenever it changes.

What was answered stands in a journal beside the list, a line of JSON per event. An entry `begun`
that no `done` follows is the trace of a run that was killed while it wrote: what the list has
gained since is taken back, and the picture is answered again.
"""

import contextlib
import json
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from helpers import signals
from helpers.atomic_io import atomic_write, disk_errors
from helpers.errors import DataError
from helpers.lock import file_lock
from helpers.network.clock import Clock
from helpers.query import inputs
from helpers.query.inputs import Picture
from helpers.query.open_index import OpenIndex
from helpers.query.output import exports
from helpers.query.output.exports import CardList, Layout
from helpers.query.output.lines import publish
from helpers.report import Reporter

SECONDS = 1.0
#: Looks at an unchanged file that cannot be decoded before it is called broken.
PATIENCE = 30
STATE_SUFFIX = ".watched.jsonl"

#: Size and time of a file: where they are the same, so is the file.
_Stamp = tuple[int, int]


class Arrivals:
    """The pictures of a folder that are complete and were not handed out yet.

    Args:
        folder: to look into; not below it.
        answered: stamps of what earlier runs have answered, by file name.
        report: hears of files that are broken.
    """

    def __init__(self, folder: Path, answered: dict[str, _Stamp], report: Reporter) -> None:
        self._folder = folder
        self._answered = answered
        self._report = report
        self._seen: dict[str, tuple[_Stamp, int]] = {}  # stamp, and looks at which it was the same

    def look(self) -> Iterator[tuple[Picture, _Stamp]]:
        """Look once; yield the pictures that are complete by now, in the order of their times."""
        found = sorted(self._files(), key=lambda each: (each[1][1], each[0]))
        for name, stamp in found:
            if self._answered.get(name) == stamp:
                continue
            before, looks = self._seen.get(name, (None, 0))
            looks = looks + 1 if before == stamp else 0
            self._seen[name] = (stamp, looks)
            if looks:
                yield from self._read(name, stamp, looks)

    def _read(self, name: str, stamp: _Stamp, looks: int) -> Iterator[tuple[Picture, _Stamp]]:
        if 1 < looks < PATIENCE:
            return
        path = self._folder / name
        picture = inputs.read(str(path), path.read_bytes)
        if picture.image is not None:
            self._answered[name] = stamp
            yield picture, stamp
        elif looks >= PATIENCE:
            self._answered[name] = stamp
            self._report.item_error(f"{path}: {picture.error}")

    def _files(self) -> Iterator[tuple[str, _Stamp]]:
        with disk_errors(self._folder), os.scandir(self._folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() in inputs.SUFFIXES:
                    with contextlib.suppress(FileNotFoundError):
                        about = entry.stat()
                        yield entry.name, (about.st_size, about.st_mtime_ns)


def state_of(target: Path) -> Path:
    """Return the file that remembers what is in a list."""
    return target.with_name(target.name + STATE_SUFFIX)


class Journal:
    """A list of cards that grows, and beside it the memory of what is in it.

    Args:
        target: the list; None if there is none, and nothing is remembered.
        layout: its columns.

    Raises:
        DataError: the list has other columns, or its journal is damaged.
        WriteError: the disk refuses.
    """

    def __init__(self, target: Path | None, layout: Layout) -> None:
        self._target = target
        self._state = target and state_of(target)
        self._layout = layout
        self.stamps: dict[str, _Stamp] = {}
        self.digests: set[str] = set()
        if target is not None:
            self._start_list(target)
            self._recover(target)

    def _start_list(self, target: Path) -> None:
        header = exports.text([self._layout.columns])
        if not target.exists():
            atomic_write(target, header)
        with disk_errors(target), target.open(encoding="utf-8", newline="") as file:
            if file.readline() != header:
                raise DataError(
                    f"{target} is a list with other columns",
                    suggestion="name another file with --csv, or the same --csv-format as before",
                )

    def _recover(self, target: Path) -> None:
        """Read what earlier runs have answered; take back what one of them left half-written."""
        begun: dict[str, Any] | None = None
        for entry in self._entries():
            begun = entry if entry["event"] == "begun" else None
            if begun is None:
                self.digests.add(entry["digest"])
                self.stamps[entry["name"]] = (entry["size"], entry["mtime_ns"])
        if begun is not None and target.stat().st_size > begun["list_bytes"]:
            with disk_errors(target):
                os.truncate(target, begun["list_bytes"])

    def _entries(self) -> Iterator[dict[str, Any]]:
        if self._state is None or not self._state.exists():
            return
        with disk_errors(self._state):
            lines = self._state.read_bytes().split(b"\n")
        if lines.pop():  # a line without an end: the run was killed while it wrote it
            with disk_errors(self._state):
                os.truncate(self._state, sum(len(line) + 1 for line in lines))
        try:
            yield from map(json.loads, lines)
        except ValueError as error:
            raise DataError(
                f"{self._state} is damaged",
                details=str(error),
                suggestion="remove it together with the list, or name another list with --csv",
            ) from error

    @contextlib.contextmanager
    def entering(self, picture: Picture, stamp: _Stamp) -> Iterator[None]:
        """Remember a picture; what the block adds to the list is taken back if it is killed."""
        if self._target is not None:
            size = self._target.stat().st_size
            self._note({"event": "begun", "digest": picture.digest, "list_bytes": size})
        yield
        name = Path(picture.name).name
        self._note(
            {
                "event": "done",
                "digest": picture.digest,
                "name": name,
                "size": stamp[0],
                "mtime_ns": stamp[1],
            }
        )
        self.stamps[name] = stamp
        self.digests.add(str(picture.digest))

    def append(self, rows: list[list[str]]) -> None:
        """Add lines to the list."""
        if self._target is not None and rows:
            _append(self._target, exports.text(rows))

    def _note(self, entry: dict[str, Any]) -> None:
        if self._state is not None:
            _append(self._state, json.dumps(entry) + "\n")


def _append(path: Path, text: str) -> None:
    with disk_errors(path), path.open("ab") as file:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())


def watch(index: OpenIndex, args: Namespace, report: Reporter) -> NoReturn:
    """Answer what arrives in `args.watch` until the process is told to stop.

    Raises:
        Stopped: by a signal; a picture in hand is finished first.
        DataError: the list belongs to another layout.
        BusyError: another process adds to the same list.
    """
    with file_lock(state_of(args.csv)) if args.csv else contextlib.nullcontext():
        _watch(index, args, report)


def _watch(index: OpenIndex, args: Namespace, report: Reporter) -> NoReturn:
    cards = CardList(Layout(args.csv_format))
    journal = Journal(args.csv, cards.layout)
    arrivals = Arrivals(args.watch, dict(journal.stamps), report)
    clock = Clock()
    report.info(f"Watching {args.watch}; {len(journal.digests)} pictures are answered already")
    while True:
        for picture, stamp in arrivals.look():
            with signals.held():
                _take(picture, stamp, (index, args, report), (cards, journal))
        clock.wait(SECONDS)


def _take(
    picture: Picture,
    stamp: _Stamp,
    asked: tuple[OpenIndex, Namespace, Reporter],
    kept: tuple[CardList, Journal],
) -> None:
    """Answer one picture, unless one with the same content is answered already."""
    (index, args, report), (cards, journal) = asked, kept
    if picture.digest in journal.digests:
        report.detail(f"{picture.name}: the same picture was answered before")
        return
    answer = index.answer(picture)
    with journal.entering(picture, stamp):
        journal.append(cards.add(answer))
        publish(answer, report, ndjson=args.ndjson)
