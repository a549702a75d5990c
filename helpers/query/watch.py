"""`--watch DIR`: answer pictures as they arrive in a folder, each once, also across restarts.

The folder is looked at every second: inotify says nothing of network shares, nor when a file is
complete. A file is read when its size and time have stayed the same from one look to the next; if
it cannot be decoded, it may still be on its way, and is tried again whenever it changes.

What was answered stands in a journal beside the list, a line of JSON per event. A last entry
`begun` is the trace of a run that was killed while it wrote: what the list has gained since is
taken back, and the picture is answered again.
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
from helpers.query.output.exports import Layout, text
from helpers.query.output.lines import publish
from helpers.report import Reporter

SECONDS = 1.0
#: Looks at an unchanged file that cannot be decoded before it is called broken.
PATIENCE = 30
STATE_SUFFIX = ".watched.jsonl"

#: Size and time of a file: where they are the same, so is the file.
_Stamp = tuple[int, int]


class Arrivals:
    """The pictures of a folder, not below it, that are complete and were not handed out yet.

    Those that earlier runs have answered are known by their file names and stamps.
    """

    def __init__(self, folder: Path, answered: dict[str, _Stamp], report: Reporter) -> None:
        self._folder, self._report = folder, report
        #: Per file its stamp, and the looks at which it was the same.
        self._seen = {name: (stamp, PATIENCE) for name, stamp in answered.items()}

    def look(self) -> Iterator[tuple[Picture, _Stamp]]:
        """Look once; yield the pictures that are complete by now, in the order of their times."""
        for name, stamp in sorted(self._files(), key=lambda each: (each[1][1], each[0])):
            before, looks = self._seen.get(name, (None, 0))
            looks = looks + 1 if before == stamp else 0
            self._seen[name] = (stamp, looks)
            if looks not in {1, PATIENCE}:
                continue
            picture = inputs.load(str(self._folder / name))
            if picture.image is not None:
                self._seen[name] = (stamp, PATIENCE)
                yield picture, stamp
            elif looks == PATIENCE:
                self._report.item_error(f"{picture.name}: {picture.error}")

    def _files(self) -> Iterator[tuple[str, _Stamp]]:
        with disk_errors(self._folder), os.scandir(self._folder) as entries:
            for entry in entries:
                if inputs.NAME.search(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        about = entry.stat()
                        yield entry.name, (about.st_size, about.st_mtime_ns)


def state_of(target: Path) -> Path:
    """Return the file that remembers what is in a list."""
    return target.with_name(target.name + STATE_SUFFIX)


class Journal:
    """A list of cards that grows, and beside it the memory of what is in it.

    Where there is no list (`target` is None), nothing outlives this run.

    Raises:
        DataError: the list has other columns, or its journal is damaged.
    """

    def __init__(self, target: Path | None, layout: Layout) -> None:
        self._target = target
        self.stamps: dict[str, _Stamp] = {}
        self.digests: set[str | None] = set()
        if target is not None:
            _start_list(target, text([layout.columns]))
            self._recover(target)

    def _recover(self, target: Path) -> None:
        """Read what earlier runs have answered; take back what one of them left half-written."""
        last: dict[str, Any] = {"event": "done"}
        for last in _entries(state_of(target)):
            if last["event"] == "done":
                self.digests.add(last["digest"])
                self.stamps[last["name"]] = (last["size"], last["mtime_ns"])
        if last["event"] == "begun" and target.stat().st_size > last["list_bytes"]:
            with disk_errors(target):
                os.truncate(target, last["list_bytes"])

    def add(self, picture: Picture, stamp: _Stamp, rows: list[list[str]]) -> None:
        """Add the lines of a picture to the list, all or none, and remember it."""
        self.digests.add(picture.digest)
        if self._target is None:
            return
        state, length = state_of(self._target), self._target.stat().st_size
        name, (size, mtime_ns) = Path(picture.name).name, stamp
        done = {"digest": picture.digest, "name": name, "size": size, "mtime_ns": mtime_ns}
        _append(state, json.dumps({"event": "begun", "list_bytes": length}) + "\n")
        _append(self._target, text(rows))
        _append(state, json.dumps({"event": "done", **done}) + "\n")


def _start_list(target: Path, header: str) -> None:
    if not target.exists():
        atomic_write(target, header)
    with disk_errors(target), target.open(encoding="utf-8", newline="") as file:
        if file.readline() != header:
            raise DataError(
                f"{target} is a list with other columns",
                suggestion="name another file with --csv, or the same --csv-format as before",
            )


def _entries(state: Path) -> list[dict[str, Any]]:
    """Read a journal; remove a line without an end, whose writer was killed."""
    with disk_errors(state):
        content = state.read_bytes() if state.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(state, whole)
    try:
        return [json.loads(line) for line in content[:whole].splitlines()]
    except ValueError as error:
        raise DataError(
            f"{state} is damaged",
            details=str(error),
            suggestion="remove it together with the list, or name another list with --csv",
        ) from error


def _append(path: Path, content: str) -> None:
    with disk_errors(path), path.open("ab") as file:
        file.write(content.encode("utf-8", "replace"))
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
        layout, clock = Layout(args.csv_format), Clock()
        journal = Journal(args.csv, layout)
        arrivals = Arrivals(args.watch, journal.stamps, report)
        report.info(f"Watching {args.watch}; {len(journal.digests)} pictures are answered already")
        while True:
            for picture, stamp in arrivals.look():
                if picture.digest in journal.digests:  # the same picture under another name
                    continue
                with signals.held():
                    answer = index.answer(picture)
                    publish(answer, report, ndjson=args.ndjson)
                    journal.add(picture, stamp, layout.rows(answer))
            clock.wait(SECONDS)
