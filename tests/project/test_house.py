"""The rules that keep the house in order: layers, lazy imports, one printer."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support import ROOT, environment

#: The packages of helpers/, each allowed to import those before it, itself and the ground.
PACKAGES = (
    *("network", "cards", "images", "model", "index", "building"),
    *("photo", "query", "evaluation"),
)
#: What lies directly in helpers/, below all packages, in the order of its own imports.
GROUND = (
    *("errors", "packages", "signals", "parallel", "cli_validation"),
    *(
        "atomic_io",
        "lock",
        "worker_process",
        "report",
        "cli",
        "validation",
        "stopwatch",
        "json_lines",
    ),
)
#: The face of `network`, at the path that users import; everything after `network` may import it.
FACE = "session"
MOST_FILES = 15

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
    "onnx",
    "onnxruntime",
)


def modules(*folders: str) -> list[Path]:
    """Return the modules of helpers/ and its packages, or of other folders of the project."""
    return sorted(
        path for folder in folders or ("helpers",) for path in (ROOT / folder).rglob("*.py")
    )


def name_of(path: Path) -> str:
    """Return the path as a test's name."""
    return path.relative_to(ROOT).as_posix()


def imported(path: Path, package: str) -> set[str]:
    """Return what a file imports of `package` at run time, without its name: `index.manifest`."""
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
            if node.module == package:
                names |= {alias.name for alias in node.names}
            elif node.module.startswith(f"{package}."):
                below = node.module.removeprefix(f"{package}.")
                is_folder = (ROOT / package / below.replace(".", "/")).is_dir()
                names |= {f"{below}.{each.name}" for each in node.names} if is_folder else {below}
        elif isinstance(node, ast.Import) and id(node) not in typing_only:
            dotted = [alias.name for alias in node.names]
            names |= {
                each.removeprefix(f"{package}.") for each in dotted if each.startswith(package)
            }
    return names - {"__version__"}


def level(name: str) -> int:
    """Return how high a module of helpers/ stands; an import must not lead upwards."""
    top = name.split(".", maxsplit=1)[0]
    if top == FACE:
        return PACKAGES.index("network")
    return -1 if top in GROUND else PACKAGES.index(top)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_down(path: Path) -> None:
    """No package imports one that stands after it; the ground keeps an order of its own."""
    me = path.relative_to(ROOT / "helpers").with_suffix("").as_posix().replace("/", ".")
    if me == "__init__":
        return
    above = {name for name in imported(path, "helpers") if level(name) > level(me)}
    if me in GROUND:
        above |= imported(path, "helpers") - set(GROUND[: GROUND.index(me)])
    assert above == set()


@pytest.mark.parametrize("package", [*PACKAGES, "devtools"])
def test_there_is_no_circle(package: str) -> None:
    """Within a package, the modules can be put in an order in which every import leads back."""
    folder = ROOT / package if package == "devtools" else ROOT / "helpers" / package
    dotted = folder.relative_to(ROOT).as_posix().replace("/", ".")
    inside = {
        path.relative_to(folder).with_suffix("").as_posix().replace("/", "."): path
        for path in folder.rglob("*.py")
    }
    graph = {me: imported(path, dotted) & set(inside) for me, path in inside.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("path", [*ROOT.glob("*.py"), *modules()], ids=name_of)
def test_the_product_does_not_import_devtools(path: Path) -> None:
    """What we develop with is no part of what a user runs."""
    assert imported(path, "devtools") == set()


def test_every_folder_can_be_taken_in_at_a_glance() -> None:
    """No folder holds more than 15 modules."""
    for folder in {path.parent for path in modules("helpers", "devtools", "scripts", "tests")}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder


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


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_report_prints(path: Path) -> None:
    """Stdout and stderr belong to `report`; a child process answers its parent there."""
    if name_of(path) == "helpers/__init__.py":  # speaks to a Python that can load nothing else
        return
    if path.stem in {"report", "worker_process"}:
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert calls.isdisjoint({"print", "sys.stdout.write", "sys.stderr.write"})


def test_functions_stay_short() -> None:
    """No function is longer than 60 lines or takes more than 6 parameters besides self."""
    for path in (*modules("helpers", "devtools", "scripts"), *ROOT.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.args, *node.args.kwonlyargs]
                given = [argument for argument in arguments if argument.arg != "self"]
                where = f"{path.name}:{node.lineno} {node.name}"
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 60, where
                assert len(given) <= 6, where
