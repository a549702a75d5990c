"""`validate_cache.py` and `prune_cache.py`: what they find, and that they touch nothing else."""

import json
import shutil
from pathlib import Path

import pytest
from support import Scryfall, run

from helpers.cards.card_face import safe_filename
from helpers.images.prune import judge

URL = "https://cards.scryfall.io/normal/front/a/b/ab.jpg"
ORPHAN = safe_filename(URL + "?1")


@pytest.fixture
def flags(scryfall: Scryfall, tmp_path: Path) -> tuple[object, ...]:
    """Flags of a download from a server that is alive into a cache that is full."""
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path / "live")
    assert run("download_images.py", *flags).code == 0
    return flags


def images(cache: Path) -> set[str]:
    """Return the names of the image files."""
    return {path.name for path in cache.glob("*.jpg")}


def spoil(cache: Path) -> dict[str, str]:
    """Break three images in different ways; return their names and the reasons to be given."""
    cut, zeros, page = sorted(cache.glob("*.jpg"))[:3]
    cut.write_bytes(cut.read_bytes()[:2000])
    data = zeros.read_bytes()
    zeros.write_bytes(data[:-500] + bytes(500))
    page.write_bytes(b"<!DOCTYPE html><html></html>")
    return {cut.name: "truncated", zeros.name: "truncated", page.name: "HTML"}


def test_validate_finds_what_is_broken(cache: Path) -> None:
    """Exit code 3; each broken file with its reason; nothing is removed without --fix."""
    broken = spoil(cache)
    before = images(cache)
    result = run("scripts/validate_cache.py", "--cache", cache, "--json")
    assert result.code == 3
    document = result.json()
    assert (document["total_files"], document["valid_files"]) == (24, 21)
    found = {failure["filename"]: failure["reason"] for failure in document["failures"]}
    assert found.keys() == broken.keys()
    assert all(broken[name] in reason for name, reason in found.items())
    assert images(cache) == before


def test_validate_notices_one_flipped_bit(cache: Path) -> None:
    """A JPEG that still decodes but is not what was downloaded differs in its SHA-256."""
    path = min(cache.glob("*.jpg"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = run("scripts/validate_cache.py", "--cache", cache)
    assert result.code == 3
    assert result.out.startswith(path.name)


def test_fix_removes_exactly_the_broken_files(flags: tuple[object, ...], tmp_path: Path) -> None:
    """--dry-run removes none, --fix removes them, and the next download brings them back."""
    cache = tmp_path / "live"
    everything, broken = images(cache), spoil(cache)
    assert run("scripts/validate_cache.py", "--cache", cache, "--fix", "--dry-run").code == 3
    assert images(cache) == everything
    assert run("scripts/validate_cache.py", "--cache", cache, "--fix").code == 0
    assert images(cache) == everything - broken.keys()
    assert run("download_images.py", *flags, "--json").json()["downloaded"] == 3
    assert run("scripts/validate_cache.py", "--cache", cache, "--quiet").err == ""


def test_the_report_is_written(cache: Path, tmp_path: Path) -> None:
    """`--report` holds the same document as `--json`."""
    report = tmp_path / "report.json"
    result = run("scripts/validate_cache.py", "--cache", cache, "--report", report, "--json")
    assert result.code == 0
    written = json.loads(report.read_text())
    assert {**written, "timestamp": ""} == {**result.json(), "timestamp": ""}
    assert written["invalid_files"] == 0


@pytest.mark.parametrize("script", ["scripts/validate_cache.py", "scripts/prune_cache.py"])
def test_a_missing_cache_is_5(script: str, tmp_path: Path) -> None:
    """A directory that is not there is named."""
    result = run(script, "--cache", tmp_path / "none")
    assert result.code == 5
    assert "there is no image cache" in result.err


def test_prune_removes_stale_and_orphaned_files_and_only_those(cache: Path) -> None:
    """Another scan and a card that is gone go; images, foreign pictures and lists stay."""
    kept = {path.name for path in cache.iterdir()}
    current = min(images(cache))
    stale = current[:32] + "0" * 16 + ".jpg"
    for name in (stale, ORPHAN, "holiday.jpg", "notes.txt"):
        (cache / name).write_bytes(b"x" * 10)

    dry = run("scripts/prune_cache.py", "--cache", cache, "--dry-run", "--json").json()
    assert {file["filename"]: file["reason"] for file in dry["files"]} == {
        stale: "stale",
        ORPHAN: "orphaned",
    }
    assert (dry["needed"], dry["bytes"], dry["removed"]) == (24, 20, False)
    assert (cache / stale).exists()

    result = run("scripts/prune_cache.py", "--cache", cache)
    assert result.code == 0, result.err
    assert sorted(line.split("\t")[0] for line in result.out.splitlines()) == sorted(
        [stale, ORPHAN]
    )
    assert {path.name for path in cache.iterdir()} == kept | {"holiday.jpg", "notes.txt"}


def test_prune_knows_every_image_version(flags: tuple[object, ...], tmp_path: Path) -> None:
    """Images of another version, downloaded into the same cache, are no orphans."""
    result = run("download_images.py", *flags, "--image-version", "small", "--limit", 3)
    assert result.code == 0, result.err
    result = run("scripts/prune_cache.py", "--cache", tmp_path / "live", "--json")
    assert (result.json()["needed"], result.json()["files"]) == (27, [])


def test_prune_keeps_the_images_of_a_local_bulk_file(filled_cache: Path, tmp_path: Path) -> None:
    """A cache that was filled with `--bulk-file` has a list of its faces, and that counts."""
    bulk, cache = next(filled_cache.glob("bulk-*.gz")), tmp_path / "cache"
    cache.mkdir()
    for name in images(filled_cache):
        shutil.copy(filled_cache / name, cache)
    flags = ("--bulk-file", bulk, "--cache", cache)
    assert run("download_images.py", *flags).code == 0
    (cache / ORPHAN).write_bytes(b"x")
    document = run("scripts/prune_cache.py", "--cache", cache, "--json").json()
    assert [file["filename"] for file in document["files"]] == [ORPHAN]
    assert document["needed"] == 24


def refusal(cache: Path) -> str:
    """Let `prune_cache.py` refuse, with exit code 5 and nothing removed; return what it says."""
    before = images(cache)
    result = run("scripts/prune_cache.py", "--cache", cache)
    assert result.code == 5
    assert images(cache) == before
    return result.err


@pytest.mark.parametrize("lost", ["everything", "the note"])
def test_prune_refuses_to_guess(cache: Path, lost: str) -> None:
    """Without faces to go by every image would look orphaned: exit code 5, nothing removed."""
    for path in (*cache.glob("faces-*"), cache / "bulk-unique_artwork.json"):
        path.unlink()
    if lost == "everything":
        next(cache.glob("bulk-*.gz")).unlink()
    assert "would look orphaned; nothing was removed" in refusal(cache)


def test_prune_refuses_where_one_of_two_lists_is_gone(
    flags: tuple[object, ...], tmp_path: Path
) -> None:
    """The images of the other kind would look orphaned; the command that it names mends that."""
    cache = tmp_path / "live"
    assert run("download_images.py", *flags, "--kind", "all_cards").code == 0
    next(cache.glob("faces-all_cards-*")).unlink()
    assert "--limit 0 --kind all_cards" in refusal(cache)
    assert run("download_images.py", *flags, "--limit", 0, "--kind", "all_cards").code == 0
    result = run("scripts/prune_cache.py", "--cache", cache, "--json")
    assert (result.json()["needed"], result.json()["files"]) == (len(images(cache)), [])


def test_a_new_scan_is_fetched_and_the_old_one_mentioned(
    flags: tuple[object, ...], tmp_path: Path
) -> None:
    """Where the cache has another scan of a picture, the new one is fetched and the old counted."""
    cache = tmp_path / "live"
    current = min(images(cache))
    stale = current[:32] + "f" * 16 + ".jpg"
    (cache / current).rename(cache / stale)
    result = run("download_images.py", *flags, "--json")
    assert result.code == 0, result.err
    assert (result.json()["downloaded"], result.json()["stale"]) == (1, 1)
    assert "1 cached images are earlier scans" in result.err
    listed = run("scripts/prune_cache.py", "--cache", cache, "--dry-run").out
    assert listed.split("\t")[:2] == [stale, "stale"]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        (safe_filename(URL + "?5"), "needed"),
        (safe_filename(URL + "?4"), "stale"),
        (safe_filename(URL.replace("ab.", "cd.") + "?5"), "orphaned"),
        ("picture.jpg", "foreign"),
        (safe_filename(URL + "?5") + ".part", "foreign"),
        (safe_filename(URL + "?4").upper(), "foreign"),
    ],
)
def test_a_file_name_tells_what_it_is(name: str, verdict: str) -> None:
    """The first half of the name is the picture's place, the second its scan."""
    assert judge(name, [safe_filename(URL + "?5")]) == verdict
