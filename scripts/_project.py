"""Puts the project's root on the path, so that a script runs by path from any directory.

Importing `helpers` says what is wrong with a Python that is too old.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import helpers  # noqa: F401
