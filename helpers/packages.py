"""Which packages are installed, told without importing any."""

from __future__ import annotations

import importlib.util


def is_here(package: str) -> bool:
    """Tell whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def not_installed(*packages: str) -> str:
    """Return `not installed: …` for those of the packages that are not, "" if all are."""
    absent = [package for package in packages if not is_here(package)]
    return f"not installed: {', '.join(absent)}" if absent else ""
