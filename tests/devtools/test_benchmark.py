"""scripts/benchmark.py: what it measures, how it compares, and that it leaves nothing behind."""

from __future__ import annotations

import json
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT, command, environment, run

sys.path.insert(0, str(ROOT / "scripts"))

from devtools.benchmarks import pipeline
from devtools.benchmarks.compare import Contender, Rounds, Series, compare, failures, figure
from devtools.benchmarks.processes import task_command
from helpers.model.torch_embedder import OpenClipEmbedder
from helpers.packages import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from support import Result

    from helpers.report import Progress

SCRIPT = "scripts/benchmark.py"
SMALL = ("--images", 8, "--cards", 60, "--vectors", 300)
LIGHT = ("startup", "decode", "download", "bulk", "index")
KEYS = {
    *("part", "name", "status", "unit", "value", "median", "repetitions"),
    *("ratio", "ratio_to", "peak_rss_mb", "note"),
}


def ratios_fit(entries: list[dict[str, Any]]) -> bool:
    """Tell whether medians are those of the repetitions, and ratios those of the medians."""
    medians = {entry["name"]: entry["median"] for entry in entries}
    measured = [entry for entry in entries if entry["status"] == "measured"]
    return len(measured) > 0 and all(
        entry["value"] == entry["median"] == statistics.median(entry["repetitions"])
        and (
            entry["ratio_to"] is None
            or entry["ratio"] == entry["median"] / medians[entry["ratio_to"]]
        )
        for entry in measured
    )


# --- the script ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def light() -> dict[str, Any]:
    """The document of every part that needs no model, where no other program is installed."""
    result = run(SCRIPT, "--json", "--parts", ",".join(LIGHT), "--repeats", 2, *SMALL, PATH="")
    assert result.code == 0, result.err
    document: dict[str, Any] = result.json()
    return document


def test_the_document_says_where_and_what(light: dict[str, Any]) -> None:
    """Machine, versions and parameters are named; every measurement has all its keys."""
    assert light["version"] == "1.0"
    assert light["machine"]["cpu"]
    assert light["machine"]["cores"] >= 1
    assert light["machine"]["ram_bytes"] > 1e8
    assert {"python", "platform", "numpy", "pillow"} <= light["machine"]["versions"].keys()
    assert light["model"] == {
        "name": "ViT-B-32-quickgelu",
        "pretrained": "random",
        "trained": False,
    }
    assert light["parameters"]["images"] == 8
    assert [set(entry) for entry in light["measurements"]] == [KEYS] * len(light["measurements"])
    assert {entry["part"] for entry in light["measurements"]} == set(LIGHT)


def test_ratios_come_from_the_medians(light: dict[str, Any]) -> None:
    """Two repetitions each, positive, with the memory of a process of Python at least."""
    entries = light["measurements"]
    assert ratios_fit(entries)
    measured = [entry for entry in entries if entry["status"] == "measured"]
    assert {len(entry["repetitions"]) for entry in measured} == {2}
    positive = [entry for entry in measured if "memory growth" not in entry["name"]]
    assert all(min(entry["repetitions"]) > 0 for entry in positive)
    assert all(5 < entry["peak_rss_mb"] < 2000 for entry in measured)
    assert len({entry["name"] for entry in entries}) == len(entries)


def test_what_is_missing_is_a_row(light: dict[str, Any]) -> None:
    """A program that is not there has its rows all the same, and is no failure."""
    notes = {entry["name"]: entry["note"] for entry in light["measurements"]}
    missing = {entry["name"] for entry in light["measurements"] if entry["status"] == "missing"}
    assert {"aria2c -j16", "img2dataset, 16 threads"} <= missing
    assert notes["aria2c -j16"].startswith("not installed: aria2c")


def rows_of(result: Result) -> dict[str, list[str]]:
    """Return the cells of each row of a table, by the name of its measurement."""
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert {len(row) for row in rows} == {9}
    return {row[1]: row for row in rows}


def test_an_engine_is_measured(model: str) -> None:
    """The table holds the pipeline and the build beside the ceiling, queries and searches."""
    flags = ("--parts", "model,pipeline,query", "--repeats", 1, "--model", model)
    result = run(SCRIPT, *flags, *SMALL, "--engines", "onnx-fp32")
    assert result.code == 0, result.err
    shown = rows_of(result)
    assert [row[0] for row in shown.values()] == ["model"] * 2 + ["pipeline"] * 2 + ["query"] * 4
    assert shown["onnx-fp32: pipeline"][6] == "onnx-fp32: one model on all cores"
    assert "-" not in {row[2] for row in shown.values()}
    assert "untrained" not in result.err


def test_engines_that_are_missing_are_rows(model: str) -> None:
    """Without torch and onnxruntime every row is there, says so, and nothing has failed."""
    flags = ("--parts", "pipeline,query", "--repeats", 1, "--model", model)
    result = run(SCRIPT, *flags, *SMALL, hide="torch,onnxruntime")
    assert result.code == 0, result.err
    shown = rows_of(result)
    wanted = ("naive loop", "DataLoader", "as a whole", "first hit", "further pictures", "HNSW")
    assert [word for word in wanted if not any(word in name for name in shown)] == []
    assert {row[2] for row in shown.values()} == {"-"}
    assert shown["torch-fp32: pipeline"][8] == "not installed: torch"
    assert shown["onnx-int8: pipeline"][8] == "not installed: onnxruntime, torch"


@pytest.mark.parametrize("way", [pipeline.naive_loop, pipeline.data_loader])
def test_other_ways_to_feed_torch(
    way: Callable[..., dict[str, Any]], filled_cache: Path, model: str, tmp_path: Path
) -> None:
    """Each of them embeds the whole cache."""
    flags = ["--model", model, "--engine", "torch", "--batch", "5"]
    with pytest.MonkeyPatch.context() as patch:
        sizes: list[int] = []
        patch.setattr(OpenClipEmbedder, "embed", counting(OpenClipEmbedder.embed, sizes))
        assert way(flags, str(filled_cache), str(tmp_path))["rate"] > 0
    assert sizes[-5:] == [5, 5, 5, 5, 4]


def counting(embed: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    """Return `embed`, which then notes the size of each batch."""

    def noting(self: OpenClipEmbedder, pixels: NDArray[np.float32]) -> Any:
        sizes.append(len(pixels))
        return embed(self, pixels)

    return noting


@pytest.mark.parametrize(
    ("flags", "complaints"),
    [
        (("--parts", "recall"), ["--parts"]),
        (("--images", "1", "--repeats", "0"), ["--images", "--repeats"]),
        (("--vectors", "x", "--cards", "9", "--seed", "-1"), ["--vectors", "--cards", "--seed"]),
        (("--model", "ViT-B-33", "--engines", "onnx"), ["--engines"]),
        (("--model", "ViT-B-33"), ["ViT-B-33"]),
    ],
)
def test_bad_flags_are_named(flags: tuple[str, ...], complaints: list[str]) -> None:
    """All problems at once, exit code 2, before any work."""
    result = run(SCRIPT, *flags)
    assert result.code == 2
    assert [word for word in complaints if word not in result.err] == []


def test_pictures_of_the_user_are_taken(filled_cache: Path, tmp_path: Path) -> None:
    """`--cache` is read only; a directory without pictures is refused."""
    before = sorted(filled_cache.iterdir())
    flags = ("--parts", "decode", "--repeats", 1, "--images", 3)
    result = run(SCRIPT, *flags, "--cache", filled_cache, "--json")
    assert result.json()["parameters"]["cache"] == str(filled_cache)
    assert sorted(filled_cache.iterdir()) == before
    refused = run(SCRIPT, *flags, "--cache", tmp_path)
    assert refused.code == 5
    assert "no pictures" in refused.err


def processes_of(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has just ended
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """In the middle of a download, with a server beside it: no process and no file stays."""
    flags = ("--parts", "download", "--images", 60, "--repeats", 99)
    process = subprocess.Popen(
        command(SCRIPT, *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    )
    assert process.stderr is not None
    assert any("Measuring download" in line for line in process.stderr)
    time.sleep(0.3)
    assert processes_of(tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert "stopped by" in err
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


# --- comparing -------------------------------------------------------------------------------


class Counter:
    """Counts what has been done."""

    done = 0

    def advance(self, count: int = 1) -> None:
        """Count."""
        self.done += count


def python(name: str, code: str, to: str = "", **more: Any) -> Contender:
    """Return a contender whose figure is what some code prints."""
    series = Series(name, "things", lambda run: float(run.lines[-1][1]), to)
    return Contender("test", lambda _: [sys.executable, "-c", code], (series,), **more)


def rounds(folder: Path, repeats: int) -> Rounds:
    """Return rounds with a fixed order."""
    return Rounds(repeats, random.Random(1), folder)


def test_contenders_take_turns(tmp_path: Path) -> None:
    """Every one runs once before any runs again."""
    log = tmp_path / "log"
    code = "open({!r}, 'a').write('{}'); print({})"
    contenders = [
        python(name, code.format(str(log), name, value), to)
        for name, value, to in (("a", 4, ""), ("b", 2, "a"), ("c", 1, "b"))
    ]
    progress: Progress = Counter()
    entries = compare(contenders, rounds(tmp_path, 4), progress)
    turns = log.read_text()
    assert [sorted(turns[start : start + 3]) for start in range(0, 12, 3)] == [["a", "b", "c"]] * 4
    assert turns != turns[:3] * 4
    assert [entry["ratio"] for entry in entries] == [None, 0.5, 0.5]
    assert list(tmp_path.iterdir()) == [log]


def test_a_failure_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Its last word is the note; nothing of it counts, and no ratio is taken to it."""
    wrong = python("wrong", "raise SystemExit('ERROR: no luck')")
    unwanted = python("unwanted", "print(1)", check=lambda _: "7 of 8 have come")
    absent = python("absent", "print(1)", missing="not installed: it")
    fine = python("fine", "print(3); raise SystemExit(2)", "wrong", exit_code=2)
    counter = Counter()
    entries = compare([wrong, unwanted, absent, fine], rounds(tmp_path, 2), counter)
    assert counter.done == 8
    assert [entry["status"] for entry in entries] == ["failed", "failed", "missing", "measured"]
    assert "no luck (exit code 1)" in entries[0]["note"]
    assert entries[1]["note"] == "7 of 8 have come"
    assert (entries[3]["median"], entries[3]["ratio"]) == (3.0, None)
    assert failures({"measurements": entries}) == ["wrong", "unwanted"]


MEASURED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from devtools.benchmarks.processes import run_command
small = run_command([sys.executable, "-c", "pass"])
code = "import time; print(1, flush=True); x = bytearray(80_000_000); time.sleep(0.1); print(2)"
large = run_command([sys.executable, "-c", code])
print(json.dumps([small.peak_mb, large.peak_mb, large.seconds, *(each for each, _ in large.lines)]))
"""


def test_time_and_memory_are_those_of_the_process() -> None:
    """Memory of a child's own, where the parent is small; and when each line came."""
    words = [sys.executable, "-c", MEASURED, str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    small, large, seconds, first, last = json.loads(done.stdout)
    assert 60 < large - small < 90
    assert first + 0.1 <= last <= seconds


def echo(text: str) -> dict[str, Any]:
    """Be a task: return what was given."""
    return {"text": text}


def test_a_task_is_called_in_a_process_of_its_own() -> None:
    """Options and answers travel as JSON."""
    words = task_command(echo, Path("é"))
    assert words[-2:] == ["test_benchmark:echo", '["\\u00e9"]']


def test_missing_modules_are_named() -> None:
    """Without importing anything."""
    assert not_installed("json", "no_such_module") == "not installed: no_such_module"
    assert not_installed("json") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (0.01234, "0.0123"),
        (0.5, "0.500"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.6, "12,346"),
    ],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    """As many as a measurement is worth."""
    assert figure(value) == text
