"""On what machine, and with which versions, something was measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from helpers.index.manifest import describe_environment
from helpers.parallel import cpu_count

_PACKAGES = (
    *("torch", "open_clip_torch", "onnxruntime", "numpy", "pillow", "faiss-cpu", "requests"),
    *("hnswlib", "img2dataset"),
)


def describe_machine() -> dict[str, Any]:
    """Return CPU, cores, memory (bytes), load, and the versions of all that is compared."""
    return {
        "cpu": _cpu(),
        "cores": cpu_count(),
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "versions": describe_environment(_PACKAGES),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
