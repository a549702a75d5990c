"""What a download leaves behind: files, lists, numbers, messages; and how it shares its work."""

import itertools
import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support import ROOT, Scryfall, run

from helpers.cards.card_face import IMAGE_VERSIONS
from helpers.cards.face_list import list_path, read_list
from helpers.images.forecast import MEAN_BYTES, forecast, warn_if_short
from helpers.parallel import STOP_SECONDS, bounded_map
from helpers.report import Reporter


@pytest.fixture
def flags(scryfall: Scryfall, tmp_path: Path) -> tuple[object, ...]:
    """Flags of a download into an empty cache."""
    return ("--scryfall-api", scryfall.url, "--cache", tmp_path / "cache")


def test_nothing_new_asks_nobody(scryfall: Scryfall, flags: tuple[object, ...]) -> None:
    """The second run makes no request and says that everything is there."""
    assert run("download_images.py", *flags).code == 0
    before = len(scryfall.log())
    result = run("download_images.py", *flags, "--json")
    assert result.code == 0
    assert len(scryfall.log()) == before
    document = result.json()
    assert (document["downloaded"], document["already_cached"], document["failed"]) == (0, 24, 0)


def test_quiet_is_silent_on_success(flags: tuple[object, ...]) -> None:
    """Cron sends no mail."""
    result = run("download_images.py", *flags, "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_without_a_terminal_there_are_few_lines(flags: tuple[object, ...]) -> None:
    """One line at the start and one at the end, no bar."""
    err = run("download_images.py", *flags).err
    assert err.count("Downloading: ") == 2
    assert "\r" not in err


def test_limit_counts_faces(scryfall: Scryfall, flags: tuple[object, ...]) -> None:
    """`--limit 5` asks for five images, `--limit 0` for none."""
    assert run("download_images.py", *flags, "--limit", 0, "--json").json()["faces"] == 0
    assert scryfall.image_requests() == []
    assert run("download_images.py", *flags, "--limit", 5, "--json").json()["downloaded"] == 5
    assert len(scryfall.image_requests()) == 5


def test_images_are_byte_for_byte_what_was_served(deck: Path, flags: tuple[object, ...]) -> None:
    """The cache holds the files of the server, and SHA256SUMS holds their digests."""
    assert run("download_images.py", *flags).code == 0
    cache = Path(str(flags[3]))
    served = {path.read_bytes() for path in (deck / "images").iterdir()}
    assert all(path.read_bytes() in served for path in cache.glob("*.jpg"))
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"],  # noqa: S607 - of coreutils
        cwd=cache,
        check=False,
    )
    assert checked.returncode == 0
    assert len((cache / "SHA256SUMS").read_text().splitlines()) == 24


def test_an_emptied_file_is_fetched_again(scryfall: Scryfall, flags: tuple[object, ...]) -> None:
    """A file of no bytes, as a crashed file system may leave it, does not count as cached."""
    assert run("download_images.py", *flags).code == 0
    victim = next(Path(str(flags[3])).glob("*.jpg"))
    victim.write_bytes(b"")
    assert run("download_images.py", *flags, "--json").json()["downloaded"] == 1
    assert victim.stat().st_size > 0


def test_failures_are_listed_for_people_and_the_next_run(
    scryfall: Scryfall, flags: tuple[object, ...], tmp_path: Path
) -> None:
    """`download_failures.json` names face, URL and reason; a clean run empties it."""
    scryfall.faults({"match": "/back/", "fault": "status", "params": {"code": 404}})
    result = run("download_images.py", *flags, "--json", "--max-failure-rate", 1)
    assert result.code == 0
    path = tmp_path / "cache" / "download_failures.json"
    failures = json.loads(path.read_text())["failures"]
    assert failures == result.json()["failures"]
    assert failures
    assert all(failure["reason"] == "HTTP 404 Not Found" for failure in failures)
    assert "failed" in result.err

    scryfall.faults()
    assert run("download_images.py", *flags).code == 0
    assert json.loads(path.read_text())["failures"] == []


def test_too_many_failures_are_3(scryfall: Scryfall, flags: tuple[object, ...]) -> None:
    """Above `--max-failure-rate` the run is incomplete, and says what to do."""
    scryfall.faults({"match": "/back/", "fault": "status", "params": {"code": 404}})
    result = run("download_images.py", *flags)
    assert result.code == 3
    assert "download_failures.json, then type the same command again" in result.err


def test_the_workers_work_at_once(deck: Path, tmp_path: Path) -> None:
    """24 images at 0.3 s each take 16 workers far less than one after the other (7.2 s)."""
    images = ("--cards", deck / "cards.jsonl", "--images", deck / "images")
    with Scryfall(*images, "--latency", 0.3) as server:
        flags = ("--scryfall-api", server.url, "--cache", tmp_path, "--json")
        result = run("download_images.py", *flags, MTG_TIME_FACTOR="1")
    assert result.code == 0
    assert result.json()["seconds"] < 3.6


def test_a_slow_image_does_not_hold_the_others(
    scryfall: Scryfall, flags: tuple[object, ...], tmp_path: Path
) -> None:
    """One URL drips for ever: it alone fails, and its reason says so."""
    assert run("download_images.py", *flags, "--limit", 0).code == 0
    faces = read_list(list_path(tmp_path / "cache", "unique_artwork", "normal"))
    assert faces is not None
    path = next(iter(faces)).image_url.removeprefix(scryfall.url).split("?")[0]
    scryfall.faults({"match": path, "fault": "drip"})
    result = run("download_images.py", *flags, "--json", "--max-retries", 1)
    assert (result.json()["downloaded"], result.json()["failed"]) == (23, 1)
    assert "too slow" in result.json()["failures"][0]["reason"]


def test_a_file_size_limit_is_6(flags: tuple[object, ...], tmp_path: Path) -> None:
    """Under `ulimit -f` nothing broken is left; path, room free and room needed are named."""
    assert run("download_images.py", *flags, "--limit", 0).code == 0
    result = run("download_images.py", *flags, file_limit=30_000)
    cache = tmp_path / "cache"
    assert result.code == 6, result.err
    assert str(cache) in result.err
    assert "raise the file-size limit" in result.err
    assert "are free on the file system" in result.err
    assert "the missing images need about" in result.err
    assert all(path.stat().st_size <= 30_000 for path in cache.glob("*.jpg"))
    assert not list(cache.glob("*.part"))
    assert run("download_images.py", *flags).code == 0


def test_a_place_that_cannot_be_written_is_6(scryfall: Scryfall) -> None:
    """/proc takes no directories; the message names it."""
    result = run("download_images.py", "--scryfall-api", scryfall.url, "--cache", "/proc/cache")
    assert result.code == 6
    assert "/proc/cache" in result.err
    assert scryfall.log() == []


def test_a_short_disk_is_mentioned_before_a_long_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """6 GB of images and 1 GB free: a warning with both figures; enough room: silence."""
    needed = 54_963 * MEAN_BYTES["normal"]
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Disk", (), {"free": 10**9}))
    warn_if_short(tmp_path, needed, Reporter())
    assert "need about 6.1 GB, 1.0 GB are free" in capsys.readouterr().err
    warn_if_short(tmp_path, 10**8, Reporter())
    assert capsys.readouterr().err == ""


def test_every_image_version_has_an_estimate() -> None:
    """No version is left out of the table of sizes."""
    assert MEAN_BYTES.keys() == set(IMAGE_VERSIONS)


@pytest.mark.parametrize(
    ("images", "version", "workers", "said"),
    [
        (274, "normal", 16, "274 images, about 30.4 MB and 1 min"),
        (1_000, "small", 1, "1,000 images, about 10.0 MB and 2 min"),
        (54_963, "normal", 16, "54,963 images, about 6.1 GB and 8 min"),
        (540_484, "png", 128, "540,484 images, about 732.4 GB and 16 h"),
    ],
)
def test_a_forecast_names_images_bytes_and_time(
    images: int, version: str, workers: int, said: str
) -> None:
    """The line is the bottleneck, or the wait for answers where images are small or workers few."""
    assert forecast(images, version, workers) == f"{said} at 100 Mbit/s"


def test_the_forecast_stands_before_the_download(flags: tuple[object, ...]) -> None:
    """It is the line before "Downloading"; where nothing is to be downloaded there is none."""
    lines = run("download_images.py", *flags).err.splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.startswith("To download: 24 images, ")]
    assert lines[place + 1].startswith("Downloading: 24 images")
    assert "To download" not in run("download_images.py", *flags).err


def test_the_next_command_is_about_the_same_cards(
    deck: Path, flags: tuple[object, ...], tmp_path: Path
) -> None:
    """It is the last line, typed as it stands; flags that only a download has are left out."""
    lines = (deck / "cards.jsonl").read_text().splitlines()
    code = json.loads(lines[0])["set"]
    other = ("--workers", 4, "--set", f"{code.upper()},xyz", "--limit", 1)
    err = run("download_images.py", *flags, *other, cwd=ROOT).err
    cache = f"--cache {tmp_path}/cache"
    assert err.splitlines()[-1] == (
        f"Next: python build_embeddings.py {cache} --set {code},xyz --limit 1"
    )
    elsewhere = run("download_images.py", *flags, cwd=ROOT / "docs").err
    assert elsewhere.splitlines()[-1] == f"Next: python ../build_embeddings.py {cache}"


def test_bounded_map_takes_only_what_it_can_work_off() -> None:
    """With 2 workers at most 8 items are taken ahead of what the caller has got back."""
    taken = itertools.count()
    items = (next(taken) for _ in range(1000))
    for got, _ in enumerate(bounded_map(str, items, 2)):
        ahead = int(repr(taken)[len("count(") : -1]) - got
        assert ahead <= 8
    assert got == 999


def test_bounded_map_ends_its_workers_at_once() -> None:
    """Leaving early wakes the workers and does not wait for items that were not begun."""
    leave = threading.Event()
    results = bounded_map(lambda n: n if n == 0 else leave.wait(30), range(100), 2,
                          on_abort=leave.set)  # fmt: skip
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < STOP_SECONDS / 2
