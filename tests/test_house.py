"""The rules that keep the house in order: layers, lazy imports, one printer."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

#: Modules may import modules of lower layers, and those that stand before them in their own.
LAYERS = (
    # stdlib only
    ("errors", "signals", "records", "grouping", "parallel", "packages", "clock", "cli_validation"),
    ("atomic_io", "child", "report", "gate", "lock", "disk_space", "confidence", "cli"),
    # one library each: requests, Pillow, numpy
    (
        "answers",
        "transport",
        "session",
        "validation",
        "images",
        "pictures",
        "cache",
        "vectors",
        "row_keys",
        "publish",
        "row_file",
    ),
    (
        "bulk_file",
        "face_list",
        "leftovers",
        "manifest",
        "model_options",
        "encoder_store",
        "checkpoint",
        "resume",
        "census",
    ),
    # torch, faiss and the steps that use them
    (
        "bulk",
        "download",
        "card_source",
        "embedder",
        "onnx_embedder",
        "encoder_check",
        "encoder_export",
        "encoder_quantize",
        "engines",
        "tuning",
        "faiss_build",
        "index_build",
        "card_index",
        "index_check",
    ),
    ("build_options", "build_outputs", "embed_rows", "cache_check"),
    ("query_sheet", "download_stage", "embed_stage", "query_stage"),
    # measuring an index, and taking it elsewhere
    (
        "eval_vectors",
        "eval_thresholds",
        "eval_graph",
        "eval_identify",
        "eval_photos",
        "eval_tables",
        "eval_plot",
        "evaluation",
        "browser_export",
    ),
)
#: Drawing and distorting, for the demo, the tests and the evaluation: they know only each other.
PICTURES = (
    "card_canvas",
    "card_backdrops",
    "card_textures",
    "card_things",
    "card_creatures",
    "card_scenes",
    "card_deck",
    "card_frames",
    "card_art",
    "distort",
    "non_cards",
    "sheet",
    "sheet_html",
)

SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.py"), *(ROOT / "scripts").glob("*.py"))
    if "ArgumentParser" in path.read_text() or "cli.parser" in path.read_text()
)
HEAVY = (
    "torch",
    "open_clip",
    "faiss",
    "numpy",
    "requests",
    "urllib3",
    "PIL",
    "tqdm",
    "filelock",
    "onnx",
    "onnxruntime",
)


def modules() -> list[Path]:
    """Return the modules of helpers/."""
    return sorted(path for path in (ROOT / "helpers").glob("*.py") if path.stem != "__init__")


def imported_helpers(path: Path) -> set[str]:
    """Return the helpers that a file imports at run time, at its top or inside a function."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing_only:
            if node.module == "helpers":
                names |= {alias.name for alias in node.names}
            elif node.module.startswith("helpers."):
                names.add(node.module.removeprefix("helpers."))
    return names - {"__version__"}


def test_every_module_has_its_layer() -> None:
    """A new module must be given a place."""
    placed = [name for layer in (*LAYERS, PICTURES) for name in layer]
    assert sorted(placed) == [path.stem for path in modules()]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_imports_go_down(path: Path) -> None:
    """No module imports one that stands above it, so there are no circles."""
    order = [name for layer in LAYERS for name in layer]
    if path.stem in PICTURES:
        allowed = {*PICTURES, "errors"}
    else:
        allowed = {*order[: order.index(path.stem)], *PICTURES}
    assert imported_helpers(path) <= allowed


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_loads_nothing_heavy(script: str) -> None:
    """`--help` answers at once: no library is imported for it."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / script), "--help"],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout.startswith("usage:")
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_only_report_prints(path: Path) -> None:
    """Stdout and stderr belong to `report`; a child process answers its parent there."""
    if path.stem in {"report", "child"}:
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert calls.isdisjoint({"print", "sys.stdout.write", "sys.stderr.write"})


def test_functions_stay_short() -> None:
    """No function is longer than 60 lines or takes more than 6 parameters besides self."""
    for path in (*modules(), *ROOT.glob("*.py"), *(ROOT / "scripts").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.args, *node.args.kwonlyargs]
                given = [argument for argument in arguments if argument.arg != "self"]
                where = f"{path.name}:{node.lineno} {node.name}"
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 60, where
                assert len(given) <= 6, where
