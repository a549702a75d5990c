"""A build that has something to do: images → vectors → whitening → index, published as one set."""

import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

import numpy as np

from helpers.building import checkpoint
from helpers.building.embed import Plan, embed_all, unfinished
from helpers.building.engine import Engine, prepare_engine
from helpers.building.hnsw import BuiltIndex
from helpers.building.inputs import Inputs
from helpers.building.outputs import write_encoder, write_index, write_metadata, write_vectors
from helpers.building.resume import open_store, reuse_last_build
from helpers.building.row_keys import row_keys
from helpers.building.summary import manifest_of, report_summary, statistics_of
from helpers.building.whiten import whitening_of_build
from helpers.errors import BrokenImagesError, DataError, UsageError
from helpers.images.scan import Scan, scan_cache
from helpers.index import manifest, publish
from helpers.model.cpu_layout import choose_layout
from helpers.model.embedder import Embedder
from helpers.report import Reporter

LEAST_KEPT = 0.9  # of the rows, by a build that was not told `--allow-shrink`


def prepare(inputs: Inputs, report: Reporter) -> tuple[Scan, Engine]:
    """Find out, before anything is written, which images there are and what embeds them."""
    options, engine = inputs.options, None
    # Reading a whole cache takes minutes: a model that cannot be is named before.
    if any(inputs.images()):
        engine = prepare_engine(options.model, options.out, inputs.sample, report)
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
    message = f"the index in {options.out} would shrink from {before:,} rows to {now:,}"
    anyway = "or, if that is what you want, add --allow-shrink"
    if len(inputs.faces) < LEAST_KEPT * before:
        raise UsageError(
            message,
            details=f"the flags ask for {len(inputs.faces):,} faces; the old index is kept",
            suggestion=f"choose another --out for a build of fewer cards,\n{anyway}",
        )
    directory, broken = inputs.cache.directory, scan.invalid + failed
    kind = BrokenImagesError if broken else DataError
    repair = f"python scripts/validate_cache.py --cache {directory} --fix\n" if broken else ""
    raise kind(
        message,
        details=f"{broken:,} images are broken, {scan.missing:,} are not in {directory};"
        " the old index is kept",
        suggestion=f"{repair}{options.source.download_command()}\n{anyway}",
    )


def build(
    inputs: Inputs, scan: Scan, engine: Engine, state: str, report: Reporter
) -> dict[str, Any]:
    """Build and publish the index of the rows of `scan`; return its manifest."""
    options, start = inputs.options, time.monotonic()
    embedder = _load_model(engine, report)
    with closing(_open_store(inputs, scan, embedder, report)) as store:
        counts = {"resumed_embeddings": int(store.done.sum())}
        counts["reused_embeddings"] = reuse_last_build(inputs, embedder.fingerprint, store, report)
        counts["failed_embeddings"], layout = _embed(inputs, scan, embedder, store, report)
        _require_rows(inputs, scan, counts["failed_embeddings"])
        seconds = round(time.monotonic() - start, 3)
        about, whitening = whitening_of_build(inputs, scan, embedder, store, report)
        with publish.staging(options.out) as staging:
            rows = np.flatnonzero(store.done)
            write_vectors(staging, store, rows)
            index = write_index(staging, options, whitening, seconds)
            write_metadata(staging, inputs.faces, scan, rows, index.first_rows)
            durations = {"embedding_seconds": seconds, "index_seconds": index.seconds}
            statistics = statistics_of(inputs, scan, counts, durations)
            described = _describe(index, options.hnsw_m, store, whitened=whitening is not None)
            document = manifest_of(inputs, statistics, embedder, described, state)
            document["parameters"] |= layout
            document["whitening"] = about
            if engine.encoder is not None:
                write_encoder(staging, engine.encoder)
                document["encoder"] = engine.encoder.about
            document["outputs"] = manifest.describe_outputs(staging)
            document = manifest.write_manifest(staging, document)
            publish.publish(options.out, staging, checkpoint.leftovers(options.out))
    report_summary(document, options, report)
    return document


def _load_model(engine: Engine, report: Reporter) -> Embedder:
    model = engine.options
    report.info(f"Loading {model.model} {model.pretrained}".rstrip() + f" ({engine.name})")
    embedder = engine.open()
    if not model.trained:
        report.warning("the weights are random: the index will recognise nothing (tests only)")
    return embedder


def _open_store(
    inputs: Inputs, scan: Scan, embedder: Embedder, report: Reporter
) -> checkpoint.VectorStore:
    out = inputs.options.out
    if not inputs.options.resume and checkpoint.leftovers(out):
        report.info("--no-resume: the checkpoint is removed")
        checkpoint.discard(out)
    keys = row_keys(inputs.faces, scan)
    return open_store(out, keys, embedder.dim, embedder.fingerprint, report)


def _embed(
    inputs: Inputs,
    scan: Scan,
    embedder: Embedder,
    store: checkpoint.VectorStore,
    report: Reporter,
) -> tuple[int, dict[str, int]]:
    """Return how many images failed, and the layout that was used, empty if nothing was left."""
    options, todo = inputs.options, int((~store.done).sum())
    if todo == 0:
        return 0, {}
    check = options.validate_cache
    items = unfinished(store, inputs.faces, scan, inputs.cache, validate=check)
    layout = choose_layout(embedder, todo, options.batch, options.threads, report)
    embedder.use_threads(layout.threads)
    plan = Plan(layout.batch, layout.workers, options.checkpoint_frequency)
    failed = embed_all(items, store, embedder, plan, report)
    if not store.done.any():
        checkpoint.discard(options.out)  # there is nothing in it to go on from
        raise _nothing_valid(inputs, scan, failed)
    return failed, {"batch": layout.batch, "threads": layout.workers * layout.threads}


def _describe(
    index: BuiltIndex, hnsw_m: int, store: checkpoint.VectorStore, *, whitened: bool
) -> dict[str, Any]:
    return {
        "type": f"{'Linear,L2norm,' * whitened}IDMap,HNSW{hnsw_m},Flat",
        "metric": "METRIC_INNER_PRODUCT",
        "whitened": whitened,
        "scores": "whitened cosine" if whitened else "cosine",
        "vectors": int(store.done.sum()),
        "dimension": store.dim,
        "distinct": index.distinct,
        "self_check": asdict(index.self_check),
    }
