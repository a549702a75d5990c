"""Watching a folder: every picture once, whatever happens on the way."""

import json
import os
import signal
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import cast

import pytest
from builds import picture
from finds import answer, found, hit
from support import command, environment

from helpers.errors import BusyError, DataError, WriteError
from helpers.lock import file_lock
from helpers.query.answer import MATCH, UNSURE
from helpers.query.inputs import Picture
from helpers.query.open_index import OpenIndex
from helpers.query.output.exports import Layout
from helpers.query.watch import PATIENCE, STATE_SUFFIX, Arrivals, Journal, state_of, watch
from helpers.report import Reporter

STAMP = (1, 2)


def names(arrivals: Arrivals) -> list[str]:
    """Look once; return the names of the pictures that are complete."""
    return [found.name.rsplit("/", 1)[-1] for found, _ in arrivals.look()]


def test_a_picture_is_read_once_it_has_stopped_growing(tmp_path: Path) -> None:
    """Not at the first look, not while it grows, and never twice."""
    content = picture(1)
    path = tmp_path / "a.jpg"
    arrivals = Arrivals(tmp_path, {}, Reporter())
    path.write_bytes(content[:300])
    assert names(arrivals) == []
    path.write_bytes(content[:400])
    assert names(arrivals) == []
    assert names(arrivals) == []  # it has stopped, but is no whole picture
    path.write_bytes(content)
    assert names(arrivals) == []
    assert names(arrivals) == ["a.jpg"]
    assert names(arrivals) == []
    about = path.stat()
    again = Arrivals(tmp_path, {"a.jpg": (about.st_size, about.st_mtime_ns)}, Reporter())
    assert names(again) + names(again) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """What is no picture by its name, such as a part of a copy, is not even opened."""
    (tmp_path / "a.jpg.part").write_bytes(picture(1))
    (tmp_path / "notes.txt").write_text("x")
    arrivals = Arrivals(tmp_path, {}, Reporter())
    assert names(arrivals) + names(arrivals) == []


def test_a_broken_picture_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After some patience; if it changes, it is read again."""
    (tmp_path / "a.jpg").write_bytes(b"junk")
    arrivals = Arrivals(tmp_path, {}, Reporter())
    for _ in range(2 * PATIENCE):
        assert names(arrivals) == []
    assert capsys.readouterr().err.count("a.jpg: ") == 1
    (tmp_path / "a.jpg").write_bytes(picture(1))
    assert names(arrivals) + names(arrivals) == ["a.jpg"]


def test_what_is_answered_is_remembered(tmp_path: Path) -> None:
    """The journal knows names and contents again; the list has one header."""
    target = tmp_path / "cards.csv"
    for number in (1, 2):
        journal = Journal(target, Layout())
        assert len(journal.digests) == number - 1
        given = answer(str(number), found(MATCH if number == 2 else UNSURE, hit("A")))
        seen = Picture(f"in/{number}.jpg", digest=str(number))
        journal.add(seen, STAMP, Layout().rows(given))
    assert Journal(target, Layout()).stamps == {"1.jpg": STAMP, "2.jpg": STAMP}
    lines = target.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["Count", "0", "1"]  # in order of arrival


def test_a_pipe_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """What is no regular file has a reason, like any other broken picture."""
    os.mkfifo(tmp_path / "pipe.jpg")
    arrivals = Arrivals(tmp_path, {}, Reporter())
    (tmp_path / "a.jpg").write_bytes(picture(1))
    assert names(arrivals) + names(arrivals) == ["a.jpg"]


@pytest.mark.parametrize("kept", [0, 20])
def test_a_killed_run_leaves_no_half_written_picture(tmp_path: Path, kept: int) -> None:
    """What the list gained since the journal's last `begun` is taken back."""
    target = tmp_path / "cards.csv"
    journal = Journal(target, Layout())
    before = target.read_bytes()
    journal.add(Picture("1.jpg", digest="1"), STAMP, [["half", "a", "line"]])
    begun, done = state_of(target).read_bytes().splitlines(keepends=True)
    state_of(target).write_bytes(begun + done[:kept])  # as far as the run came

    again = Journal(target, Layout())

    assert again.digests == set()
    assert target.read_bytes() == before


def test_a_list_of_another_site_is_refused(tmp_path: Path) -> None:
    """Columns are never mixed; a damaged journal is named."""
    Journal(tmp_path / "cards.csv", Layout("moxfield"))
    with pytest.raises(DataError, match="other columns"):
        Journal(tmp_path / "cards.csv", Layout("deckbox"))
    (tmp_path / f"cards.csv{STATE_SUFFIX}").write_text("{junk\n")
    with pytest.raises(DataError, match="damaged"):
        Journal(tmp_path / "cards.csv", Layout("moxfield"))


def test_two_processes_do_not_add_to_one_list(tmp_path: Path) -> None:
    """The second ends with 75 before it has read or written anything; later the list is free."""
    target = tmp_path / "cards.csv"
    args = Namespace(csv=target, csv_format="moxfield", watch=tmp_path / "gone")
    index = cast("OpenIndex", None)
    with file_lock(state_of(target)), pytest.raises(BusyError, match=STATE_SUFFIX) as busy:
        watch(index, args, Reporter())
    assert busy.value.exit_code == 75
    assert not target.exists()
    with pytest.raises(WriteError, match="gone"):
        watch(index, args, Reporter())


def test_a_folder_is_watched_until_stopped(
    built_index: Path, filled_cache: Path, tmp_path: Path
) -> None:
    """Pictures that arrive are in list and stream; SIGTERM is code 143; a second run goes on."""
    folder, listed = tmp_path / "in", tmp_path / "cards.csv"
    folder.mkdir()
    scans = sorted(filled_cache.glob("*.jpg"))[:4]
    asked = ("--index", built_index, "--whole", "--ndjson", "--csv", listed, "--watch", folder)
    told: list[str] = []
    for first, last in ((0, 2), (2, 4)):
        with subprocess.Popen(
            command("query_index.py", *asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as watching:
            assert watching.stdout is not None
            for scan in scans[first:last]:
                (folder / scan.name).write_bytes(scan.read_bytes())
                told.append(json.loads(watching.stdout.readline())["query"])
            watching.send_signal(signal.SIGTERM)
            rest, err = watching.communicate(timeout=60)
        assert (watching.returncode, rest) == (143, ""), err
    assert told == [str(folder / scan.name) for scan in scans]
    assert len(listed.read_text().splitlines()) == 1 + 4
