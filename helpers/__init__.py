"""The package under the scripts of the MTG image database.

`from helpers import validate_image` works for every name in `_PUBLIC`; a module is imported when
one of its names is first asked for, so that nothing heavy is loaded on the way.
"""

import os
import sys
from importlib import import_module
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036 - before anything that an older Python lacks
    _found = ".".join(map(str, sys.version_info[:3]))
    sys.stderr.write(
        f"ERROR: usage: this needs Python 3.11 or newer, not {_found} ({sys.executable})\n"
        "  Suggestion: python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt\n"
    )
    raise SystemExit(2)

__version__ = "1.2.0"

# ONNX Runtime's official builds report their use to Microsoft unless told not to before they are
# imported (its Privacy.md): building and asking need no network and shall use none.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "DownloadSession": "session",
    "atomic_write": "atomic_io",
    "atomic_write_stream": "atomic_io",
    "download_image": "images.download",
    "load_image_rgb": "images.preprocess",
    "open_index": "query.open_index",
    "safe_filename": "cards.card_face",
    "safe_percentage": "report",
    "validate_args": "cli_validation",
    "validate_image": "validation",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
