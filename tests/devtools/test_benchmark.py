"""scripts/benchmark.py: what it measures, how it compares, and that it leaves nothing behind."""

import json
import random
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import check
from support import ROOT, command, environment, run

sys.path.insert(0, str(ROOT / "scripts"))

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from support import Result

from devtools.benchmarks.compare import Comparison, Contender, figure
from devtools.benchmarks.embedding import data_loader
from devtools.benchmarks.index import prepare_photos
from devtools.benchmarks.processes import Run, RunFailedError, run_command, task_command
from helpers.errors import Stopped
from helpers.images.preprocess import load_image_rgb
from helpers.model.torch_embedder import OpenClipEmbedder
from helpers.packages import not_installed
from helpers.report import Reporter

SCRIPT = "scripts/benchmark.py"
SMALL = ("--images", 8, "--cards", 60, "--vectors", 300)
LIGHT = ("decode", "bulk", "index")
KEYS = {
    *("part", "name", "status", "unit", "value", "median", "repetitions"),
    *("ratio", "ratio_to", "cpu_seconds", "peak_rss_mb", "note"),
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
    """The document of every part that needs no model."""
    result = run(SCRIPT, "--json", "--parts", ",".join(LIGHT), "--repeats", 2, *SMALL)
    assert result.code == 0, result.err
    document: dict[str, Any] = result.json()
    return document


def test_the_document_says_where_and_what(light: dict[str, Any]) -> None:
    """Machine, versions and parameters are named; every measurement has all its keys."""
    check(light, "benchmark")
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
    assert all(min(entry["repetitions"]) > 0 for entry in measured)
    assert all(entry["cpu_seconds"] > 0 for entry in measured)
    assert all(5 < entry["peak_rss_mb"] < 2000 for entry in measured)
    assert len({entry["name"] for entry in entries}) == len(entries)


def rows_of(result: Result) -> dict[str, list[str]]:
    """Return the cells of each row of a table, by the name of its measurement."""
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert {len(row) for row in rows} == {10}
    return {row[1]: row for row in rows}


def test_an_engine_is_measured(plain_model: str) -> None:
    """The table holds the pipeline beside its ceiling, a query, a photo's steps, the whitening."""
    parts = "model,pipeline,query,photo,whiten"
    flags = ("--parts", parts, "--repeats", 1, "--model", plain_model, "--images", 24)
    result = run(SCRIPT, *SMALL, *flags, "--engines", "onnx-fp32")
    assert result.code == 0, result.err
    shown = rows_of(result)
    # in the order in which they ended
    ended = [row[0] for row in shown.values()]
    assert sorted(ended) == sorted([*parts.split(","), "photo", "photo"])
    assert ended.index("query") > max(ended.index("model"), ended.index("pipeline"))
    ceiling = "onnx-fp32: model and preparation, each measured alone"
    assert shown["onnx-fp32: pipeline"][5] == ceiling
    assert "-" not in {row[2] for row in shown.values()}
    assert all(float(row[2]) >= 0 for row in shown.values())
    assert "untrained" not in result.err


def test_photos_of_a_list_hold_one_card_more_each(filled_cache: Path, tmp_path: Path) -> None:
    """Readable files, as many as were asked for."""
    prepare_photos(str(filled_cache), str(tmp_path / "photos"), 3)
    paths = sorted((tmp_path / "photos").iterdir())
    assert [load_image_rgb(path).size for path in paths] == [(1600, 1200)] * 3


def test_engines_that_are_missing_are_rows(model: str) -> None:
    """Without torch and onnxruntime every row is there, says so, and nothing has failed."""
    flags = ("--parts", "pipeline,query", "--repeats", 1, "--model", model)
    result = run(SCRIPT, *flags, *SMALL, hide="torch,onnxruntime")
    assert result.code == 0, result.err
    shown = rows_of(result)
    wanted = ("torch-fp32: pipeline", "DataLoader", "one picture")
    assert [word for word in wanted if not any(word in name for name in shown)] == []
    assert {row[2] for row in shown.values()} == {"-"}
    assert "cannot be used" in shown["torch-fp32: pipeline"][9]
    assert "not installed: torch" in shown["torch-fp32: pipeline"][9]


@pytest.mark.usefixtures("no_export")
def test_a_data_loader_feeds_torch(filled_cache: Path, model: str, tmp_path: Path) -> None:
    """It embeds the whole cache."""
    with pytest.MonkeyPatch.context() as patch:
        sizes: list[int] = []
        patch.setattr(OpenClipEmbedder, "embed", counting(OpenClipEmbedder.embed, sizes))
        assert data_loader(["--model", model, "--engine", "torch"], str(filled_cache), "") > 0
    assert sizes[-2:] == [16, 8]


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


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_shows_what_has_been_measured(tmp_path: Path, *, as_json: bool) -> None:
    """In the middle of the second part: the rows of the first, no process and no file stays."""
    flags = ("--parts", "decode,bulk", "--images", 2, "--cards", 2000, "--repeats", 2)
    process = subprocess.Popen(
        command(SCRIPT, *flags, *["--json"] * as_json),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    )
    assert process.stderr is not None
    assert any("Measuring bulk: round 1" in line for line in process.stderr)
    assert any(processes_of(tmp_path) for _ in range(1000))  # the first of them is starting
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped by SIGINT" in err
    if as_json:
        parts = [entry["part"] for entry in json.loads(out)["measurements"]]
    else:
        parts = [line.split("\t")[0] for line in out.splitlines()]
    assert parts[:2] == ["decode"] * 2
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


# --- comparing -------------------------------------------------------------------------------


class Shown(Reporter):
    """Keeps the rows that are printed."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.rows: list[list[str]] = []

    def line(self, text: str) -> None:
        """Keep a row."""
        self.rows.append(text.split("\t"))

    def names(self) -> list[str]:
        """Return the names of the measurements, in the order of their rows."""
        return [row[1] for row in self.rows]


def contender(name: str, to: str = "", **more: Any) -> Contender:
    """Return a contender that only has a name."""
    return Contender("test", name, "things", lambda _: [name], to=to, **more)


def script(figures: dict[str, list[float]], turns: list[str]) -> Callable[[Contender], Run]:
    """Return what runs a contender: it yields the next of its figures, and fails without one."""

    def run(each: Contender) -> Run:
        turns.append(each.name)
        if not figures[each.name]:
            raise RunFailedError("no luck")
        return Run(1.0, 2.0, 30.0, f"{figures[each.name].pop(0)}\n")

    return run


def test_contenders_take_turns() -> None:
    """Every one runs once before any runs again, in another order; ratios are of medians."""
    contenders = [contender("a"), contender("b", "a"), contender("c", "b")]
    figures = {"a": [4.0, 5, 4, 1], "b": [2.0, 2, 2, 2], "c": [1.0, 9, 0, 1]}
    report, turns = Shown(), list[str]()
    comparison = Comparison(contenders, 4, report)
    comparison.measure(script(figures, turns), random.Random(1))
    rounds = [turns[start : start + 3] for start in range(0, 12, 3)]
    assert [sorted(each) for each in rounds] == [["a", "b", "c"]] * 4
    assert len({tuple(each) for each in rounds}) > 1
    assert [entry["ratio"] for entry in comparison.entries()] == [None, 0.5, 0.5]
    assert sorted(report.names()) == ["a", "b", "c"]


@pytest.mark.parametrize("seed", range(6))
def test_a_row_comes_as_soon_as_it_is_known(seed: int) -> None:
    """Nothing before the last round; then each at once, unless its reference is still to come."""
    contenders = [contender("a"), contender("b", "a"), contender("c"), contender("d", "other part")]
    figures = {each.name: [3.0, 3] for each in contenders}
    report, turns, seen = Shown(), list[str](), list[list[str]]()
    inner = script(figures, turns)

    def run(each: Contender) -> Run:
        seen.append(report.names())
        return inner(each)

    Comparison(contenders, 2, report).measure(run, random.Random(seed))
    for before, names in zip(range(8), seen, strict=True):
        done = turns[4:before]
        known = [each for each in done if each != "b" or "a" in done]
        assert sorted(names) == sorted(known)
    assert len(report.names()) == 4


def test_what_stops_a_comparison_loses_nothing() -> None:
    """The rows of what has run, with the runs that it has had, and only those."""
    turns: list[str] = []
    inner = script({"a": [1.0, 3, 5], "b": [2.0, 4, 6]}, turns)

    def run(each: Contender) -> Run:
        if len(turns) == 3:
            raise Stopped(signal.SIGINT)
        return inner(each)

    report = Shown()
    comparison = Comparison([contender("a"), contender("b", "a"), contender("c")][:2], 3, report)
    with pytest.raises(Stopped):
        comparison.measure(run, random.Random(1))
    assert report.rows == []
    comparison.show(unfinished=True)
    comparison.show(unfinished=True)
    assert report.names() == ["a", "b"]
    assert sorted(len(entry["repetitions"]) for entry in comparison.entries()) == [1, 2]


def test_a_failure_is_named_and_the_rest_goes_on() -> None:
    """Its message is the note; nothing of it counts, and no ratio is taken to it."""
    contenders = [contender("wrong"), contender("absent", missing="no it"), contender("b", "wrong")]
    report = Shown()
    comparison = Comparison(contenders, 2, report)
    comparison.measure(script({"wrong": [1.0], "b": [3.0, 3]}, []), random.Random(2))
    entries = comparison.entries()
    assert [entry["status"] for entry in entries] == ["failed", "missing", "measured"]
    assert [entry["note"] for entry in entries] == ["no luck", "no it", ""]
    assert [entry["median"] for entry in entries] == [None, None, 3.0]
    assert entries[2]["ratio"] is None
    assert sorted(report.names()) == ["absent", "b", "wrong"]


# --- processes -------------------------------------------------------------------------------


def test_a_process_that_fails_says_why() -> None:
    """The line that names the error, and the exit code."""
    code = "import sys; sys.stderr.write('ERROR: no luck\\nlater\\n'); sys.exit(3)"
    with pytest.raises(RunFailedError, match=r"ERROR: no luck \(exit code 3\)"):
        run_command([sys.executable, "-c", code], {})


MEASURED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from devtools.benchmarks.processes import run_command
small = run_command([sys.executable, "-c", "pass"], {})
code = "import os; x = bytearray(80_000_000); print(os.environ['MINE'])"
large = run_command([sys.executable, "-c", code], {"MINE": "7"})
print(json.dumps([small.peak_mb, large.peak_mb, large.seconds, large.cpu_seconds, large.figure()]))
"""


def test_time_and_memory_are_those_of_the_process() -> None:
    """Memory of a child's own, where the parent is small; its environment and its figure."""
    words = [sys.executable, "-c", MEASURED, str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    small, large, seconds, cpu_seconds, value = json.loads(done.stdout)
    assert 60 < large - small < 90
    assert seconds > 0
    assert cpu_seconds > 0
    assert value == 7


def echo(text: str) -> dict[str, Any]:
    """Be a task: return what was given."""
    return {"text": text}


def test_a_task_is_called_in_a_process_of_its_own() -> None:
    """Options and answers travel as JSON."""
    words = task_command(echo, Path("é"))
    assert words[-2].endswith("test_benchmark:echo")
    assert json.loads(words[-1]) == ["é"]


def test_missing_modules_are_named() -> None:
    """Without importing anything."""
    assert not_installed("json", "no_such_module") == "not installed: no_such_module"
    assert not_installed("json") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (0.5, "0.5"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.6, "12,346"),
    ],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    """As many as a measurement is worth."""
    assert figure(value) == text
