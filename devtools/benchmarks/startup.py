"""How long a script takes before it does anything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from devtools.benchmarks.compare import Contender, Series
from devtools.scryfall.process import ROOT

if TYPE_CHECKING:
    from devtools.benchmarks.material import Material

SCRIPTS = ("download_images.py", "build_embeddings.py", "build_mtg_faiss.py", "query_index.py")
_PYTHON = "python -c pass"
_BAD_FLAG = ("query_index.py", "--k", "0")
_USAGE = 2  # exit code


def contenders(_material: Material) -> list[Contender]:
    """Return `--help` of each main script, and an argument error, beside Python itself."""
    help_pages = [_contender(f"{script} --help", (script, "--help")) for script in SCRIPTS]
    series = Series(_PYTHON, "s", lambda run: run.seconds)
    python = Contender("startup", lambda _: [sys.executable, "-c", "pass"], (series,))
    return [python, *help_pages, _contender(" ".join(_BAD_FLAG), _BAD_FLAG, _USAGE)]


def _contender(name: str, words: tuple[str, ...], exit_code: int = 0) -> Contender:
    script, *arguments = words
    command = [sys.executable, str(ROOT / script), *arguments]
    series = Series(name, "s", lambda run: run.seconds, _PYTHON)
    return Contender("startup", lambda _: command, (series,), exit_code=exit_code)
