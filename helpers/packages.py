"""Which packages are installed, told without importing any."""

import importlib.util
import sys
from pathlib import Path

from helpers.errors import UsageError

_ROOT = Path(__file__).resolve().parent.parent
_OURS = frozenset({"helpers", "devtools", "_project"})


def is_here(package: str) -> bool:
    """Tell whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def not_installed(*packages: str) -> str:
    """Return `not installed: …` for those of the packages that are not, "" if all are."""
    absent = [package for package in packages if not is_here(package)]
    return f"not installed: {', '.join(absent)}" if absent else ""


def missing_package(error: ImportError) -> UsageError | None:
    """Return what to type where an import fails for want of a package, None if of ours."""
    package = (error.name or "").partition(".")[0]
    if not package or package in _OURS or package in sys.stdlib_module_names:
        return None
    state = "not installed" if isinstance(error, ModuleNotFoundError) else "of another version"
    return UsageError(
        f"the package {package} is {state}",
        details=f"{sys.executable}: {error}",
        suggestion=_how_to_install(),
    )


def _how_to_install() -> str:
    activate = _ROOT / ".venv" / "bin" / "activate"
    if activate.exists() and Path(sys.prefix).resolve() != activate.parent.parent.resolve():
        return f". {activate}, then type the same command again"
    return f"{sys.executable} -m pip install -r {_ROOT / 'requirements.txt'}"
