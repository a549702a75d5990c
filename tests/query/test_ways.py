"""What goes in by stdin, and what comes out as JSON lines, as a list and as an error."""

import csv
import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from support import command, environment, run

from helpers.query.inputs import is_picture


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp", "tiff", "avif"])
def test_a_picture_is_told_from_a_list(suffix: str, tmp_path: Path) -> None:
    """By its first line, of whatever format Pillow writes."""
    path = tmp_path / f"picture.{suffix}"
    Image.new("RGB", (20, 20)).save(path)
    assert is_picture(path.read_bytes().split(b"\n")[0] + b"\n")
    assert not is_picture(f"{path}\n".encode())


@pytest.mark.parametrize("line", [b"BMW.jpg\n", b"\n", b"", "Jötun.jpg\n".encode(), b"II.tif\n"])
def test_a_list_is_no_picture(line: bytes) -> None:
    """Names that begin like a picture's bytes are names."""
    assert not is_picture(line)


def test_one_picture_on_stdin(built_index: Path, filled_cache: Path) -> None:
    """`cat x.jpg | query_index.py -` answers it."""
    scan = min(filled_cache.glob("*.jpg"))
    with scan.open("rb") as file:
        done = subprocess.run(
            command("query_index.py", "--index", built_index, "--whole", "--json", "-"),
            stdin=file,
            capture_output=True,
            env=environment(),
            check=True,
        )
    (query,) = json.loads(done.stdout)["queries"]
    assert query["query"] == "-"
    assert query["hits"][0]["image_file"] == scan.name


def test_lines_of_json_come_as_they_are_answered(built_index: Path, filled_cache: Path) -> None:
    """With `--ndjson` each line is an entry of `queries`, there before the next question."""
    scans = sorted(filled_cache.glob("*.jpg"))[:2]
    asked = ("--index", built_index, "--whole", "--ndjson", "-")
    with subprocess.Popen(
        command("query_index.py", *asked),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    ) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        for scan in scans:
            asking.stdin.write(f"{scan}\n")
            asking.stdin.flush()
            entry = json.loads(asking.stdout.readline())
            assert (entry["query"], entry["error"]) == (str(scan), None)
            assert entry["cards"][0]["hits"][0]["image_file"] == scan.name
        asking.stdin.close()
        assert asking.wait(60) == 0
        assert asking.stdout.read() == ""


def test_a_list_is_written(built_index: Path, filled_cache: Path, tmp_path: Path) -> None:
    """One line a card, though a picture is named twice and another cannot be read."""
    scan = min(filled_cache.glob("*.jpg"))
    listed = tmp_path / "cards.csv"
    flags = ("--whole", "--csv", listed, "--csv-format", "manabox")
    result = run("query_index.py", "--index", built_index, *flags, scan, scan, "no.jpg")
    assert result.code == 3
    with listed.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["Picture"] == str(scan)
    assert row["Quantity"] == ("1" if row["Verdict"] == "match" else "0")


@pytest.mark.parametrize(
    ("flags", "code", "category"),
    [
        (("--index", "no-such", "x.jpg"), 5, "data unusable"),
        (("--k", "0"), 2, "usage"),
    ],
)
def test_an_error_is_a_document(flags: tuple[str, ...], code: int, category: str) -> None:
    """With `--json`, and only then; the text on stderr stays."""
    result = run("query_index.py", *flags, "--json")
    assert result.code == code
    error = result.json()["error"]
    assert (error["category"], error["exit_code"]) == (category, code)
    assert error["message"] in result.err
    assert error["suggestion"]
    assert run("query_index.py", *flags).out == ""


def test_an_answer_is_the_only_document(built_index: Path, filled_cache: Path) -> None:
    """A run that answered and failed in part prints its answers, not the failure as well."""
    scan = min(filled_cache.glob("*.jpg"))
    result = run("query_index.py", "--index", built_index, "--json", scan, "no.jpg")
    assert result.code == 3
    assert [query["error"] is None for query in result.json()["queries"]] == [True, False]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--json", "--ndjson", "x.jpg"), "--json and --ndjson"),
        (("--watch", ".", "x.jpg"), "--watch goes with"),
        (("--watch", "no-such-folder"), "must be an existing directory"),
        (("--csv", "cards.txt", "x.jpg"), "--csv must end in .csv"),
        (("--csv-format", "excel", "x.jpg"), "--csv-format must be one of moxfield"),
    ],
)
def test_contradictions(flags: tuple[str, ...], told: str) -> None:
    """They are named before any work."""
    result = run("query_index.py", *flags)
    assert result.code == 2
    assert told in result.err
