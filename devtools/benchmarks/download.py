"""Downloading from a Scryfall of our own that takes its time to answer."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.material import read_faces
from devtools.benchmarks.processes import task_command
from devtools.scryfall.process import ROOT, quiet_scryfall
from helpers.images.cache import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.benchmarks.material import Material
    from devtools.benchmarks.processes import Run

LATENCY = 0.05  # seconds before each answer: what a server on the same continent takes
WORKERS = 16
OURS = "download_images.py, {} workers"
_ARIA = (
    *("-q", "--file-allocation=none", "--auto-file-renaming=false", "--no-conf"),
    f"-j{WORKERS}",
)
_IMG2DATASET = (
    *("--output_format", "files", "--resize_mode", "no", "--processes_count", "1"),
    *("--thread_count", str(WORKERS), "--enable_wandb", "False", "--skip_reencode", "True"),
)


def contenders(material: Material) -> list[Contender]:
    """Return this project's script, and what a user might take instead.

    The server is a process of its own: its work is not in the figures.
    """
    url = material.closing.enter_context(quiet_scryfall(*material.served, "--latency", LATENCY))
    lists = _Lists(material, url)
    found = [lists.ours(1), lists.ours(WORKERS), lists.requests(), lists.aria(), lists.dataset()]
    return [replace(each, variables={"NO_ALBUMENTATIONS_UPDATE": "1"}) for each in found]


class _Lists:
    """The same list of pictures in the form that each program wants."""

    def __init__(self, material: Material, url: str) -> None:
        self._images, self._url = material.args.images, url
        # A cache that knows the cards and holds no picture.
        self._empty = material.folder / "empty-cache"
        self._script = ("download_images.py", "--scryfall-api", url, "--quiet")
        material.run(*self._script, "--cache", self._empty, "--limit", 0)
        urls = [face.image_url for face in read_faces(self._empty)]
        self._urls = material.folder / "urls.txt"
        self._urls.write_text("\n".join(urls) + "\n", encoding="utf-8")
        self._aria = material.folder / "aria2.txt"
        entries = (f"{url}\n out={number}.jpg\n" for number, url in enumerate(urls))
        self._aria.write_text("".join(entries), encoding="utf-8")

    def ours(self, workers: int) -> Contender:
        """Return our script, which validates, hashes and flushes every picture to the disk."""

        def command(scratch: Path) -> list[str]:
            cache = shutil.copytree(self._empty, scratch / "cache")
            script, *flags = self._script
            words = (*flags, "--cache", cache, "--workers", workers)
            return [sys.executable, str(ROOT / script), *map(str, words)]

        return self._contender(OURS.format(workers).replace("1 workers", "1 worker"), command)

    def requests(self) -> Contender:
        """Return what one would write in ten lines."""
        return self._contender(
            f"requests in {WORKERS} threads",
            lambda scratch: task_command(thread_pool, self._urls, scratch),
            "no validation, no retries of bodies, no checksums",
        )

    def aria(self) -> Contender:
        """Return aria2c, which knows nothing of images."""
        words = ["aria2c", *_ARIA, "-i", str(self._aria)]
        found = self._contender(
            f"aria2c -j{WORKERS}",
            lambda scratch: [*words, "-d", str(scratch)],
            "no validation, no checksums",
        )
        return replace(found, missing=_not_on_path("aria2c"))

    def dataset(self) -> Contender:
        """Return img2dataset, which decodes every image, too."""
        words = ["img2dataset", *_IMG2DATASET, "--url_list", str(self._urls)]
        found = self._contender(
            f"img2dataset, {WORKERS} threads",
            lambda scratch: [*words, "--output_folder", str(scratch / "out")],
            "decodes every picture, too",
        )
        return replace(found, missing=_not_on_path("img2dataset"))

    def _contender(
        self, name: str, command: Callable[[Path], list[str]], note: str = ""
    ) -> Contender:
        rate = Series(name, "images/s", self._rate, _reference(name, "1 worker"), note)
        cpu = "CPU of " + name
        reference = _reference(cpu, f"{WORKERS} workers")
        cost = Series(cpu, "CPU s/1,000 images", self._cpu_cost, reference)
        return Contender("download", command, (rate, cost), check=self._check)

    def _check(self, folder: Path) -> str:
        """Count the pictures: img2dataset, for one, ends well without them."""
        found = sum(path.suffix in IMAGE_SUFFIXES for path in folder.rglob("*"))
        return "" if found == self._images else f"{found} of {self._images} pictures have come"

    def _rate(self, run: Run) -> float:
        return float(self._images / run.seconds)

    def _cpu_cost(self, run: Run) -> float:
        return float(1000 * run.cpu_seconds / self._images)


def _reference(name: str, workers: str) -> str:
    """Return our own script's name with so many workers, in the words of that series."""
    prefix = "CPU of " if name.startswith("CPU of ") else ""
    reference = f"{prefix}download_images.py, {workers}"
    return "" if name == reference else reference


def _not_on_path(program: str) -> str:
    return "" if shutil.which(program) else f"not installed: {program}"


# --- in a process of its own -----------------------------------------------------------------


def thread_pool(urls: str, folder: str) -> dict[str, Any]:
    """Fetch every address of a list with one session; return how many `files` there are."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=WORKERS))

    def fetch(numbered: tuple[int, str]) -> None:
        number, url = numbered
        response = session.get(url, timeout=(5, 30))
        response.raise_for_status()
        (Path(folder) / f"{number}.jpg").write_bytes(response.content)

    with ThreadPoolExecutor(WORKERS) as pool:
        lines = Path(urls).read_text(encoding="utf-8").splitlines()
        return {"files": len(list(pool.map(fetch, enumerate(lines))))}
