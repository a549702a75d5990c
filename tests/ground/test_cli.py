"""Flags, errors and exit codes that all scripts share."""

import errno
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import own_signals
from support import ROOT, run

import helpers
from helpers import cli
from helpers.cli_validation import validate_args
from helpers.errors import UsageError
from helpers.report import Reporter

SCRIPTS = ("download_images.py", "build_embeddings.py", "build_mtg_faiss.py", "query_index.py")
PUBLIC = (
    *("DownloadSession", "validate_image", "validate_args", "atomic_write", "atomic_write_stream"),
    *("safe_filename", "download_image", "load_image_rgb", "safe_percentage"),
)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Every wrong flag is named in one message, exit code 2, and nothing is created."""
    result = run(
        "build_mtg_faiss.py",
        *("--limit", "-1", "--workers", "129", "--batch", "0", "--size", "63", "--kind", "cards"),
        *("--timeout-connect", "0", "--timeout-read", "4.9", "--max-retries", "x"),
        *("--hnsw-m", "3", "--hnsw-ef-construction", "2001", "--checkpoint-frequency", "99"),
        *("--max-failure-rate", "nan", "--scryfall-api", "http://example.org"),
        cwd=tmp_path,
    )
    assert result.code == 2
    assert result.out == ""
    assert "ERROR: usage: 13 arguments are wrong" in result.err
    for flag in ("--limit", "--workers", "--batch", "--size", "--kind", "--timeout-connect"):
        assert f"{flag} must be" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_unknown_flags_are_usage_errors(script: str) -> None:
    """Argparse's own complaints have the same form and code; flags cannot be abbreviated."""
    result = run(script, "--ver")
    assert result.code == 2
    assert result.err.startswith("ERROR: usage: ")
    assert "Suggestion:" in result.err


def test_quiet_and_verbose_exclude_each_other() -> None:
    """A contradiction is refused."""
    assert run("download_images.py", "-q", "-v").code == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_version(script: str) -> None:
    """`--version` names the script and the version on stdout."""
    assert run(script, "--version").out == f"{script} {helpers.__version__}\n"


def test_ef_construction_must_not_be_below_m() -> None:
    """A cross-check that no single flag's rule can see."""
    args = Namespace(hnsw_m=64, hnsw_ef_construction=32)
    with pytest.raises(UsageError, match="1 argument is wrong") as caught:
        validate_args(args)
    assert "--hnsw-ef-construction (32) must be >= --hnsw-m (64)" in caught.value.details


def test_values_are_converted_and_bounds_are_inclusive() -> None:
    """Text becomes numbers; the limits of the contract are allowed, 0 switches checkpoints off."""
    args = Namespace(workers="128", limit="0", size="64", checkpoint_frequency="0", hnsw_m=None)
    validate_args(args)
    assert vars(args) == {
        "workers": 128,
        "limit": 0,
        "size": 64,
        "checkpoint_frequency": 0,
        "hnsw_m": None,
    }


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """`--cache FILE` and `--bulk-file MISSING` are refused before any work."""
    file = tmp_path / "file"
    file.touch()
    args = Namespace(cache=str(file), bulk_file=str(tmp_path / "missing"))
    with pytest.raises(UsageError) as caught:
        validate_args(args)
    assert f"--cache must be a directory, not '{file}'" in caught.value.details
    assert "--bulk-file must be an existing file" in caught.value.details


def test_scripts_run_from_any_directory(tmp_path: Path) -> None:
    """The package is found by the script's own path."""
    assert run("scripts/validate_cache.py", "--version", cwd=tmp_path).code == 0


def test_public_names_can_be_imported() -> None:
    """The names of the contract come from the package itself, each from its module."""
    for name in PUBLIC:
        assert callable(getattr(helpers, name))
    with pytest.raises(AttributeError):
        _ = helpers.no_such_name


def test_a_broken_pipe_ends_quietly(filled_cache: Path, tmp_path: Path) -> None:
    """A reader that has seen enough (`| head`) causes no traceback."""
    cache = shutil.copytree(filled_cache, tmp_path / "cache")
    for path in cache.glob("*.jpg"):
        path.write_bytes(b"broken" * 1000)
    script = f"{sys.executable} {ROOT}/scripts/validate_cache.py --cache {cache} --json | head -c 1"
    done = subprocess.run(script, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


ALL = ("scripts/validate_cache.py", "scripts/verify_index.py", "scripts/demo.py", *SCRIPTS)


@pytest.mark.parametrize("script", ALL)
def test_an_old_python_is_told_so(script: str, tmp_path: Path) -> None:
    """Two lines instead of an ImportError, exit 2."""
    code = (
        "import sys, runpy; sys.version_info = (3, 10, 4, 'final', 0)\n"
        f"sys.path.insert(0, {str((ROOT / script).parent)!r})\n"
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: usage: this needs Python 3.11 or newer, not 3.10.4")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("package", "script", "flags"),
    [
        ("numpy", "scripts/verify_index.py", ()),
        ("PIL", "scripts/validate_cache.py", ("--cache", "images")),
        ("requests", "download_images.py", ()),
        ("numpy", "query_index.py", ("a.jpg",)),
    ],
)
def test_a_missing_package_is_no_bug(
    package: str, script: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """The venv forgotten, or part of the requirements: what to type, exit 2."""
    (tmp_path / "images").mkdir()
    result = run(script, *flags, cwd=tmp_path, hide=package)
    assert result.code == 2, result.err
    assert f"ERROR: usage: the package {package} is not installed" in result.err
    assert "pip install -r" in result.err or "bin/activate" in result.err
    assert "bug" not in result.err


def work_that(error: Exception) -> Callable[[Namespace, Reporter], int]:
    """Return the work of a script that fails."""

    def work(_: Namespace, __: Reporter) -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/cache"), 5),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 5),
        (OSError(errno.EMFILE, "Too many open files"), 5),
        (OSError(errno.EIO, "Input/output error", "/cache/a.jpg"), 5),
        (OSError(errno.ENOSPC, "No space left on device"), 6),
        (OSError(errno.EROFS, "Read-only file system", "/cache"), 6),
        (ModuleNotFoundError("No module named 'numpy'", name="numpy"), 2),
        (ImportError("cannot import name 'x' from 'PIL'", name="PIL"), 2),
        (ModuleNotFoundError("No module named 'helpers.no'", name="helpers.no"), 1),
        (KeyError("x"), 1),
    ],
)
def test_whatever_the_system_says_has_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Permissions, long names, missing packages: codes of the table; only a bug is 1."""
    with own_signals():
        assert cli.run(cli.parser("x"), work_that(error), []) == code
    said = capsys.readouterr().err
    assert ("Traceback" in said) == (code == 1)
    assert "Suggestion: " in said


@pytest.mark.parametrize("flag", ["--cache", "--out", "--bulk-file"])
def test_a_path_too_long_is_a_usage_error(flag: str, tmp_path: Path) -> None:
    """Longer than any file system allows: named among the other problems, exit 2."""
    result = run("build_embeddings.py", flag, tmp_path / ("x" * 300), "--batch", 0)
    assert result.code == 2, result.err
    assert f"{flag} cannot be used: File name too long" in result.err
    assert "2 arguments are wrong" in result.err


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOME and an entry in /etc/passwd, encoders are kept nowhere, and nothing fails."""
    from helpers.model.encoder_cache import EncoderStore

    for name in ("MTG_ENCODER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert EncoderStore(Reporter(quiet=True)).folder.is_dir()
