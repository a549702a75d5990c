"""A build that has something to do: images → vectors → whitening → index, published as one set."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from helpers.building import checkpoint
from helpers.building.embed import embed_all, unfinished
from helpers.building.engine import Engine, EngineChoice
from helpers.building.hnsw import BuiltIndex, IndexOptions, build_index
from helpers.building.inputs import Inputs
from helpers.building.options import BuildOptions
from helpers.building.outputs import write_encoder, write_metadata, write_vectors
from helpers.building.resume import open_store, reuse_last_build
from helpers.building.summary import manifest_of, report_summary, statistics_of
from helpers.building.whiten import whitening_of_build
from helpers.errors import AppError, BrokenImagesError, DataError, UsageError
from helpers.images.scan import Scan, scan_cache
from helpers.index import manifest, publish
from helpers.model.cpu_layout import choose_layout
from helpers.model.embedder import Embedder
from helpers.model.whitening import Whitening
from helpers.report import Reporter

_CHECK_SHARE = 0.05  # of the build's time, which the index may spend on finding its own rows
_CHECK_LEAST = 5.0  # seconds
LEAST_KEPT = 0.9  # of the rows, by a build that was not told `--allow-shrink`


def prepare(inputs: Inputs, report: Reporter) -> tuple[Scan, Engine]:
    """Find out, before anything is written, which images there are and what embeds them."""
    options, engine = inputs.options, None
    # Reading a whole cache takes minutes: a model that cannot be is named before.
    if any(inputs.images()):
        engine = EngineChoice(options.model, options.out, inputs.sample, report).prepare()
    scan = scan_cache(inputs.faces, inputs.cache, report, validate=options.validate_cache)
    if engine is None or len(scan.faces) == 0:
        raise _nothing_valid(inputs, scan, 0)
    _require_rows(inputs, scan, 0)
    return scan, engine


def _nothing_valid(inputs: Inputs, scan: Scan, failed: int) -> DataError:
    directory = inputs.cache.directory
    kind = BrokenImagesError if scan.invalid + failed else DataError
    return kind(
        "No valid images to embed",
        details=f"{len(inputs.faces):,} faces: {scan.missing:,} are not in {directory},"
        f" {scan.invalid + failed:,} are invalid",
        suggestion=inputs.options.source.download_command(),
    )


def _require_rows(inputs: Inputs, scan: Scan, failed: int) -> None:
    """Refuse a build that would leave less than `LEAST_KEPT` of the rows of the last one."""
    options = inputs.options
    before = inputs.last["index"]["vectors"] if inputs.last else 0
    now = len(scan.faces) - failed
    if options.allow_shrink or now >= LEAST_KEPT * before:
        return
    directory, broken = inputs.cache.directory, scan.invalid + failed
    repair = f"python scripts/validate_cache.py --cache {directory} --fix\n" if broken else ""
    ways_out = f"{repair}{options.source.download_command()}"
    kind: type[AppError] = BrokenImagesError if broken else DataError
    if len(inputs.faces) < LEAST_KEPT * before:
        kind, ways_out = UsageError, "choose another --out for a build of fewer cards,"
    raise kind(
        f"the index in {options.out} would shrink from {before:,} rows to {now:,}",
        details=f"the flags ask for {len(inputs.faces):,} faces; {broken:,} images are broken,"
        f" {scan.missing:,} are not in {directory}; the old index is kept",
        suggestion=f"{ways_out}\nor, if that is what you want, add --allow-shrink",
    )


def build(
    inputs: Inputs, scan: Scan, engine: Engine, state: str, report: Reporter
) -> dict[str, Any]:
    """Build and publish the index of the rows of `scan`; return its manifest."""
    options, start = inputs.options, time.monotonic()
    name = f"{options.model.model} {options.model.pretrained}".rstrip()
    report.info(f"Loading {name} ({engine.name})")
    embedder = engine.open()
    if not options.model.trained:
        report.warning("the weights are random: the index will recognise nothing (tests only)")
    store = _open_store(inputs, scan, embedder, report)
    counts = {"resumed_embeddings": int(store.done.sum())}
    counts["reused_embeddings"] = reuse_last_build(inputs, embedder.fingerprint, store, report)
    counts["failed_embeddings"], layout = _embed(inputs, scan, embedder, store, report)
    _require_rows(inputs, scan, counts["failed_embeddings"])
    seconds = round(time.monotonic() - start, 3)
    about, whitening = whitening_of_build(inputs, scan, embedder, store, report)
    with publish.staging(options.out) as staging:
        rows = np.flatnonzero(store.done)
        write_vectors(staging, store, rows)
        index = _build_index(staging, options, whitening, seconds)
        write_metadata(staging, inputs.faces, scan, rows, index.first_rows)
        durations = {"embedding_seconds": seconds, "index_seconds": index.seconds}
        statistics = statistics_of(inputs, scan, counts, durations)
        document = manifest_of(inputs, statistics, embedder, index, about, state)
        document["parameters"] |= layout
        if engine.encoder is not None:
            write_encoder(staging, engine.encoder)
            document["encoder"] = engine.encoder.about
        document["outputs"] = manifest.describe_outputs(staging)
        document = manifest.write_manifest(staging, document)
        publish.publish(options.out, staging)
    report_summary(document, options, report)
    return document


def _open_store(
    inputs: Inputs, scan: Scan, embedder: Embedder, report: Reporter
) -> checkpoint.VectorStore:
    out = inputs.options.out
    if not inputs.options.resume and publish.remove_checkpoints(out):
        report.info("--no-resume: the checkpoint is removed")
    keys = checkpoint.row_keys(inputs.faces, scan)
    return open_store(out, keys, embedder.dim, embedder.fingerprint, report)


def _embed(
    inputs: Inputs, scan: Scan, embedder: Embedder, store: checkpoint.VectorStore, report: Reporter
) -> tuple[int, dict[str, int]]:
    """Return how many images failed, and the layout that was used, empty if nothing was left."""
    options, todo = inputs.options, int((~store.done).sum())
    if todo == 0:
        return 0, {}
    check = options.validate_cache
    items = unfinished(store, inputs.faces, scan, inputs.cache, validate=check)
    layout = choose_layout(embedder, todo, options.batch, options.threads, report)
    embedder.use_threads(layout.threads)
    save_every = options.checkpoint_frequency
    failed = embed_all(items, store, embedder, layout, save_every, report)
    if not store.done.any():
        publish.remove_checkpoints(options.out)  # there is nothing in it to go on from
        raise _nothing_valid(inputs, scan, failed)
    return failed, {"batch": layout.batch, "threads": layout.workers * layout.threads}


def _build_index(
    staging: Path, options: BuildOptions, whitening: Whitening | None, seconds: float
) -> BuiltIndex:
    """Build the index of the staged vectors; the build's `seconds` so far bound the self-check."""
    return build_index(
        IndexOptions(
            vectors=(staging / publish.VECTORS).absolute(),
            target=(staging / publish.INDEX).absolute(),
            hnsw_m=options.hnsw_m,
            hnsw_ef_construction=options.hnsw_ef_construction,
            check_seconds=max(_CHECK_LEAST, _CHECK_SHARE * seconds),
            whitening=whitening,
        )
    )
