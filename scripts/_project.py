"""Puts the project's root on the path, so that a script runs by path from any directory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
