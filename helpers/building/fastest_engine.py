"""Which engine is faster on this machine: measured once, where a build is long, then remembered.

On one CPU ONNX Runtime was twice as fast as torch, on another 1.06 times. Once an index exists, its
builds stay with its engine, so that vectors can be taken over.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import replace
from typing import TYPE_CHECKING

from helpers import worker_process
from helpers.atomic_io import note_json
from helpers.errors import DataError, WriteError
from helpers.model.cpu_layout import best_rate
from helpers.model.encoder_cache import default_folder
from helpers.packages import is_here

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.building.engine import Engine, Sample
    from helpers.report import Reporter

LONG = 20_000  # pictures: 5 minutes and more; measuring takes about 20 s
_CLEARLY = 1.05  # smaller differences are noise


def fastest(engine: Engine, sample: Sample, report: Reporter) -> Engine:
    """Return the engine that embeds more pictures a second here.

    Args:
        engine: ONNX Runtime with its encoder; it is taken where the build is short.
        sample: of the pictures of the build.
        report: says what was measured.
    """
    if not is_here("torch") or len(sample(LONG)) < LONG:
        return engine
    memo = default_folder() / f"engine-{_digest(engine)}.json"
    name = _recall(memo)
    if name is None:
        report.info("Measuring onnx and torch on this machine (once)")
        name = _measured(engine, report)
        _remember(memo, name)
    return replace(engine, name=name)


def _measured(engine: Engine, report: Reporter) -> str:
    if engine.encoder is not None:
        path = engine.encoder.path.absolute()
        engine = replace(engine, encoder=replace(engine.encoder, path=path))
    onnx = worker_process.call(rate_in_child, engine)
    try:
        torch = worker_process.call(rate_in_child, replace(engine, name="torch"))
    except DataError as error:
        report.detail(f"torch cannot be measured: {error.message}")
        return "onnx"
    report.info(f"onnx {onnx:.1f}, torch {torch:.1f} images/s")
    return "torch" if torch > _CLEARLY * onnx else "onnx"


def rate_in_child(engine: Engine) -> float:
    """Return images/s of an engine: only a child process may load both."""
    return best_rate(engine.open())


def _digest(engine: Engine) -> str:
    weights = engine.encoder.about["sha256"] if engine.encoder else ""
    what = json.dumps([weights, platform.processor(), platform.machine()])
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def _recall(memo: Path) -> str | None:
    try:
        name = json.loads(memo.read_bytes())["engine"]
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return name if name in {"onnx", "torch"} else None


def _remember(memo: Path, name: str) -> None:
    try:
        note_json(memo, {"engine": name})
    except WriteError:
        return  # it is measured again next time
