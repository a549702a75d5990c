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
    activate = _ROOT / ".venv" / "bin" / "activate"
    if activate.exists() and Path(sys.prefix).resolve() != activate.parent.parent.resolve():
        advice = f". {activate}, then type the same command again"
    else:
        advice = f"{sys.executable} -m pip install -r {_ROOT / 'requirements.txt'}"
    state = "not installed" if isinstance(error, ModuleNotFoundError) else "of another version"
    details = f"{sys.executable}: {error}"
    return UsageError(f"the package {package} is {state}", details=details, suggestion=advice)
