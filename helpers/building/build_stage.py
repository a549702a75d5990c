"""Step 2: the cache → vectors → index, published as one set."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import remove_parts
from helpers.building.inputs import Inputs, input_state
from helpers.building.losses import require_rows
from helpers.building.options import BuildOptions
from helpers.building.summary import manifest_of, report_summary, statistics_of
from helpers.cards.card_source import bulk_for_build, faces_of
from helpers.errors import BrokenImagesError, DataError
from helpers.images.cache import ImageCache
from helpers.index import manifest, publish
from helpers.lock import directory_lock
from helpers.report import byte_size

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from helpers.building.checkpoint import VectorStore
    from helpers.building.engine import Engine
    from helpers.building.whiten import BuildWhitening
    from helpers.images.download_stage import DownloadSummary
    from helpers.images.scan import Scan
    from helpers.model.embedder import Embedder
    from helpers.report import Reporter


def embed_stage(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Build the index of everything the cache holds.

    Returns:
        The manifest of the build, or of the last one if nothing has changed since.

    Raises:
        DataError, UsageError, SourceError, WriteError, BusyError: the old index is as it was, and
            finished vectors are kept for the next run.
    """
    options = BuildOptions.from_args(args)
    options.model.check_files()
    options = _as_before(options, manifest.last_manifest(options.out))
    cache = ImageCache(options.source.cache)
    cache.require(options.source.download_command())
    bulk = bulk_for_build(options.source, args, report)
    inputs = Inputs(options, cache, bulk, faces_of(options.source, bulk, report), None)
    # Nobody can hold the lock of a directory that does not exist yet; looking first leaves no
    # trace of a build that finds nothing to embed.
    look_first = not options.out.exists() or len(inputs.faces) == 0
    if look_first:
        report.release()
    prepared = _prepare(inputs, report) if look_first else None
    with directory_lock(options.out):
        publish.recover(options.out)
        remove_parts(options.out)
        inputs = replace(inputs, last=manifest.last_manifest(options.out))
        state = input_state(inputs)
        last = _unchanged(inputs, state, report)
        if last is not None:
            rows = last["index"]["vectors"]
            report.nothing_new(last["timestamp"], f"{options.out} is up to date, {rows:,} cards")
            return last
        report.release()
        scan, engine = prepared or _prepare(inputs, report)
        return _build(inputs, scan, engine, state, report)


def _as_before(options: BuildOptions, last: dict[str, Any] | None) -> BuildOptions:
    """Resize as the last build of this model did, so that its vectors can be taken over."""
    flags = ("model", "pretrained", "size", "fit")
    if last is None or not options.reuse:
        return options
    if any(last["parameters"].get(flag) != getattr(options.model, flag) for flag in flags):
        return options
    resizes = last["model"]["preprocessing"].get("resizes", 2)
    return replace(options, model=replace(options.model, resizes=resizes))


def look_ahead(args: Namespace, report: Reporter) -> None:
    """Say what a first run will fetch, and end it now if its model cannot be had.

    Raises:
        UsageError, SourceError, DataError, WriteError: no image has been asked for yet.
    """
    from helpers.building.engine import require_model
    from helpers.images.forecast import first_download

    options = BuildOptions.from_args(args)
    images = first_download(options.source)
    needed = [images] if images else []

    def announce(size: int) -> None:
        report.release()
        weights = f"{byte_size(size)} of weights, once"
        report.info(f"Needed: {', and '.join([weights, *needed])}")
        needed.clear()

    require_model(options.model, options.out, report, announce)
    if needed:
        report.info(f"Needed: {images}")


def build_repaired(
    args: Namespace, summary: DownloadSummary, report: Reporter
) -> tuple[dict[str, Any], DownloadSummary]:
    """Build from a cache that was just brought up to date; fetch what turns out broken again, once.

    Returns:
        The manifest, and the summary of both downloads.
    """
    from helpers.images.download_stage import download_stage

    try:
        document = embed_stage(args, report)
        if not document["statistics"]["validation_failures"] or not _remove_broken(args, report):
            return document, summary
    except BrokenImagesError:
        if not _remove_broken(args, report):
            raise
    again = download_stage(args, report)
    again.downloaded += summary.downloaded
    again.size += summary.size
    again.seconds += summary.seconds
    return embed_stage(args, report), again


def _remove_broken(args: Namespace, report: Reporter) -> int:
    """Remove the broken images of the cache; return how many there were."""
    from helpers.images.scan import check_cache, remove_failures

    if not args.validate_cache:
        return 0
    cache = ImageCache(args.cache)
    with directory_lock(cache.directory):
        check = check_cache(cache, None, report)
        remove_failures(cache, check)
    broken: int = check["invalid_files"]
    if broken:
        report.warning(f"{broken:,} broken images are fetched again")
    return broken


def _unchanged(inputs: Inputs, state: str, report: Reporter) -> dict[str, Any] | None:
    """Return the last manifest if it was made from exactly these inputs and its files are whole."""
    options, last = inputs.options, inputs.last
    if last is None or not options.reuse or last["source"].get("state") != state:
        return None
    problem = manifest.damage(options.out, last)
    if problem is not None:
        report.warning(f"the index in {options.out} is built anew: {problem}")
        return None
    return last


def _prepare(inputs: Inputs, report: Reporter) -> tuple[Scan, Engine]:
    """Find out, before anything is written, which images there are and what embeds them."""
    from helpers.building.engine import prepare_engine
    from helpers.images.scan import scan_cache

    faces, cache, options = inputs.faces, inputs.cache, inputs.options
    engine = None
    # Reading a whole cache takes minutes: a model that cannot be is named before.
    if any(inputs.images()):
        engine = prepare_engine(options.model, options.out, inputs.sample, report)
    scan = scan_cache(faces, cache, report, validate=options.validate_cache)
    if engine is None or len(scan.faces) == 0:
        raise _nothing_valid(inputs, scan, 0)
    require_rows(inputs, scan)
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


def _build(
    inputs: Inputs, scan: Scan, engine: Engine, state: str, report: Reporter
) -> dict[str, Any]:
    from helpers.building.checkpoint import leftovers
    from helpers.building.outputs import write_encoder
    from helpers.building.whiten import whitening_of_build

    options, start = inputs.options, time.monotonic()
    embedder = _load_model(engine, report)
    with closing(_open_store(inputs, scan, embedder, report)) as store:
        counts = {"resumed_embeddings": int(store.done.sum())}
        counts["reused_embeddings"] = _reuse(inputs, embedder, store, report)
        counts["failed_embeddings"], layout = _embed(inputs, scan, embedder, store, report)
        require_rows(inputs, scan, counts["failed_embeddings"])
        durations = {"embedding_seconds": round(time.monotonic() - start, 3)}
        whitening = whitening_of_build(inputs, scan, embedder, store, report)
        with publish.staging(options.out) as staging:
            index = _write_files(staging, inputs, scan, store, whitening, durations)
            statistics = statistics_of(inputs, scan, counts, durations)
            document = manifest_of(inputs, statistics, embedder, index, state)
            document["parameters"] |= layout
            document["whitening"] = whitening.about
            if engine.encoder is not None:
                write_encoder(staging, engine.encoder)
                document["encoder"] = engine.encoder.about
            document["outputs"] = manifest.describe_outputs(staging)
            document = manifest.write_manifest(staging, document)
            publish.publish(options.out, staging, leftovers(options.out))
    report_summary(document, options, report)
    return document


def _load_model(engine: Engine, report: Reporter) -> Embedder:
    model = engine.options
    report.info(f"Loading {model.model} {model.pretrained}".rstrip() + f" ({engine.name})")
    embedder = engine.open()
    if not model.trained:
        report.warning("the weights are random: the index will recognise nothing (tests only)")
    return embedder


def _open_store(inputs: Inputs, scan: Scan, embedder: Embedder, report: Reporter) -> VectorStore:
    from helpers.building import checkpoint
    from helpers.building.resume import open_store
    from helpers.building.row_keys import row_keys

    out = inputs.options.out
    if not inputs.options.resume and checkpoint.leftovers(out):
        report.info("--no-resume: the checkpoint is removed")
        checkpoint.discard(out)
    keys = row_keys(inputs.faces, scan)
    return open_store(out, keys, embedder.dim, embedder.fingerprint, report)


def _reuse(inputs: Inputs, embedder: Embedder, store: VectorStore, report: Reporter) -> int:
    from helpers.building.row_keys import reuse_last_build

    if not inputs.options.reuse:
        return 0
    out = inputs.options.out
    reused, why_not = reuse_last_build(out, inputs.last, embedder.fingerprint, store)
    if why_not:
        report.info(f"No vectors are taken from the last build: {why_not}")
    elif reused:
        report.info(f"Taken from the last build: {reused:,} vectors of unchanged images")
    return reused


def _embed(
    inputs: Inputs,
    scan: Scan,
    embedder: Embedder,
    store: VectorStore,
    report: Reporter,
) -> tuple[int, dict[str, int]]:
    """Return how many images failed, and the layout that was used, empty if nothing was left."""
    from helpers.building import checkpoint
    from helpers.building.embed import Plan, embed_all, unfinished
    from helpers.model.cpu_layout import choose_layout

    if store.done.all():
        return 0, {}
    options, todo = inputs.options, int((~store.done).sum())
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


def _write_files(
    staging: Path,
    inputs: Inputs,
    scan: Scan,
    store: VectorStore,
    whitening: BuildWhitening,
    durations: dict[str, float],
) -> dict[str, Any]:
    import numpy as np

    from helpers.building.outputs import write_index, write_metadata, write_vectors

    rows = np.flatnonzero(store.done)
    write_vectors(staging, store, rows)
    seconds = durations["embedding_seconds"]
    index = write_index(staging, inputs.options, whitening.whitening, seconds)
    durations["index_seconds"] = index.seconds
    write_metadata(staging, inputs.faces, scan, rows, index.first_rows)
    whitened = whitening.whitening is not None
    return {
        "type": f"{'Linear,L2norm,' * whitened}IDMap,HNSW{inputs.options.hnsw_m},Flat",
        "metric": "METRIC_INNER_PRODUCT",
        "whitened": whitened,
        "scores": "whitened cosine" if whitened else "cosine",
        "vectors": len(rows),
        "dimension": store.dim,
        "distinct": index.distinct,
        "self_check": asdict(index.self_check),
    }
