"""A build that has something to do: images → vectors → whitening → index, published as one set."""

import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from helpers.atomic_io import AtomicFile, disk_errors, fsync_file
from helpers.building.checkpoint import VectorStore, row_keys
from helpers.building.embed import embed_all, unfinished
from helpers.building.engine import EngineChoice
from helpers.building.hnsw import BuiltIndex, IndexOptions, build_index
from helpers.building.inputs import Inputs
from helpers.building.resume import resume, reuse_last_build
from helpers.building.whiten import whitening_of_build
from helpers.cards.face_list import faces_of_rows
from helpers.errors import AppError, BrokenImagesError, DataError, UsageError
from helpers.images.scan import scan_cache
from helpers.index import manifest, publish
from helpers.index.rows import BLOCK
from helpers.model.cpu_layout import choose_layout
from helpers.model.embedder import Embedder
from helpers.model.encoder_cache import Encoder
from helpers.model.unit_vectors import check_unit
from helpers.model.whitening import Whitening
from helpers.report import Reporter, duration, safe_percentage, safe_rate, timestamp

_CHECK_SHARE = 0.05  # of the build's time, which the index may spend on finding its own rows
_CHECK_LEAST = 5.0  # seconds
LEAST_KEPT = 0.9  # of the rows, by a build that was not told `--allow-shrink`


class Build:
    """One build. Making it finds out which images there are and what embeds them."""

    def __init__(self, inputs: Inputs, report: Reporter) -> None:
        self._inputs, self._options, self._report = inputs, inputs.options, report
        model, out, check = self._options.model, self._options.out, self._options.validate_cache
        choice = EngineChoice(model, out, inputs.sample, report)
        # Reading a whole cache takes minutes: a model that cannot be is named before.
        engine = choice.prepare() if any(inputs.images()) else None
        self._scan = scan_cache(inputs.faces, inputs.cache, report, validate=check)
        self._require(len(self._scan.faces))
        self._engine = engine or choice.prepare()  # the first image may have come meanwhile

    def _require(self, rows: int) -> None:
        """Refuse a build of no rows, or of less than `LEAST_KEPT` of those of the last one."""
        inputs, options, scan = self._inputs, self._options, self._scan
        before = inputs.last["index"]["vectors"] if inputs.last else 0
        if rows and (options.allow_shrink or rows >= LEAST_KEPT * before):
            return
        directory, broken = inputs.cache.directory, scan.invalid + len(scan.faces) - rows
        kind: type[AppError] = BrokenImagesError if broken else DataError
        details = (
            f"the flags ask for {len(inputs.faces):,} faces; {broken:,} images are broken,"
            f" {scan.missing:,} are not in {directory}"
        )
        ways_out = options.source.download_command()
        if rows == 0:
            raise kind("No valid images to embed", details=details, suggestion=ways_out)
        if broken:
            ways_out = f"python scripts/validate_cache.py --cache {directory} --fix\n{ways_out}"
        if len(inputs.faces) < LEAST_KEPT * before:
            kind, ways_out = UsageError, "choose another --out for a build of fewer cards,"
        raise kind(
            f"the index in {options.out} would shrink from {before:,} rows to {rows:,}",
            details=f"{details}; the old index is kept",
            suggestion=f"{ways_out}\nor, if that is what you want, add --allow-shrink",
        )

    def run(self, state: str) -> dict[str, Any]:
        """Build and publish the index; return its manifest, which notes the `input_state`."""
        inputs, scan, report, start = self._inputs, self._scan, self._report, time.monotonic()
        embedder, encoder, out = self._load(), self._engine.encoder, self._options.out
        store = self._open_store(embedder)
        resumed = int(store.done.sum())
        reused = reuse_last_build(inputs, embedder.fingerprint, store, report)
        layout = self._embed(embedder, store)
        seconds = round(time.monotonic() - start, 3)
        about, whitening = whitening_of_build(inputs, scan, embedder, store, report)
        with publish.staging(out) as staging:
            rows = np.flatnonzero(store.done)
            write_vectors(staging, store, rows)
            index = build_index(self._index_options(staging, whitening, seconds))
            self._write_metadata(staging, rows, index.first_rows)
            document = self._document(embedder, index, about)
            document["parameters"] |= layout
            document["source"]["state"] = state
            document["statistics"] |= {
                "resumed_embeddings": resumed,
                "reused_embeddings": reused,
                "embedding_seconds": seconds,
            }
            if encoder is not None:
                _write_encoder(staging, encoder)
                document["encoder"] = encoder.about
            document["outputs"] = manifest.describe_outputs(staging)
            document = manifest.write_manifest(staging, document)
            publish.publish(out, staging)
        self._report_summary(document)
        return document

    def _load(self) -> Embedder:
        options, report = self._options, self._report
        name = f"{options.model.model} {options.model.pretrained}".rstrip()
        report.info(f"Loading {name} ({self._engine.name})")
        embedder = self._engine.open()
        if not options.model.trained:
            report.warning("the weights are random: the index will recognise nothing (tests only)")
        return embedder

    def _open_store(self, embedder: Embedder) -> VectorStore:
        """Return the store of the rows, with what a stopped build has done of them."""
        out, keys = self._options.out, row_keys(self._inputs.faces, self._scan)
        if not self._options.resume and publish.remove_checkpoints(out):
            self._report.info("--no-resume: the checkpoint is removed")
        store = VectorStore(out, keys, embedder.dim, embedder.fingerprint)
        resume(store, self._report)
        return store

    def _embed(self, embedder: Embedder, store: VectorStore) -> dict[str, int]:
        """Embed what is not done; return batch and threads that were used, if any."""
        options, inputs, todo = self._options, self._inputs, int((~store.done).sum())
        if todo == 0:
            return {}
        layout = choose_layout(embedder, todo, options.batch, options.threads, self._report)
        embedder.use_threads(layout.threads)
        check = options.validate_cache
        items = unfinished(store, inputs.faces, self._scan, inputs.cache, validate=check)
        embed_all(items, store, embedder, layout, options.checkpoint_frequency, self._report)
        if not store.done.any():
            publish.remove_checkpoints(options.out)  # there is nothing in it to go on from
        self._require(int(store.done.sum()))
        return {"batch": layout.batch, "threads": layout.workers * layout.threads}

    def _index_options(
        self, staging: Path, whitening: Whitening | None, seconds: float
    ) -> IndexOptions:
        """Return how to index the staged vectors; the build's `seconds` bound the self-check."""
        return IndexOptions(
            vectors=(staging / publish.VECTORS).absolute(),
            target=(staging / publish.INDEX).absolute(),
            hnsw_m=self._options.hnsw_m,
            hnsw_ef_construction=self._options.hnsw_ef_construction,
            check_seconds=max(_CHECK_LEAST, _CHECK_SHARE * seconds),
            whitening=whitening,
        )

    def _write_metadata(
        self, staging: Path, rows: NDArray[np.int64], first_rows: dict[int, int]
    ) -> None:
        """Write one line per row: the face, the digest of its image, the row it is a copy of."""
        faces = faces_of_rows(self._inputs.faces, self._scan.faces[rows])
        with AtomicFile(staging / publish.METADATA) as file:
            for line, (row, face) in enumerate(zip(rows, faces, strict=True)):
                same_as = {"same_as": first_rows[line]} if line in first_rows else {}
                sha256 = self._scan.sha256[row].tobytes().hex()
                text = face.to_json(image_sha256=sha256, **same_as)
                file.write(text.encode("utf-8", "replace") + b"\n")

    def _document(
        self, embedder: Embedder, index: BuiltIndex, whitening: dict[str, Any]
    ) -> dict[str, Any]:
        """Return `build_manifest.json`, as far as it follows from these."""
        inputs, options, scan = self._inputs, self._options, self._scan
        total = len(inputs.faces)
        rows = index.distinct + len(index.first_rows)
        failed = len(scan.faces) - rows
        # With validation, an image that cannot be embedded is one that has just failed it.
        invalid = failed if options.validate_cache else 0
        commit, whitened = manifest.git_commit(), whitening["used"]
        return {
            "version": manifest.VERSION,
            "timestamp": timestamp(),
            "build_id": uuid.uuid4().hex,
            "parameters": options.to_json(),
            "model": embedder.fingerprint,
            "index": {
                "type": f"{'Linear,L2norm,' * whitened}IDMap,HNSW{options.hnsw_m},Flat",
                "metric": "METRIC_INNER_PRODUCT",
                "whitened": whitened,
                "scores": "whitened cosine" if whitened else "cosine",
                "vectors": rows,
                "dimension": embedder.dim,
                "distinct": index.distinct,
                "self_check": index.self_check,
            },
            "statistics": {
                "total_records": total,
                "successful_embeddings": rows,
                "missing_from_cache": scan.missing,
                "failed_embeddings": failed - invalid,
                "validation_failures": scan.invalid + invalid,
                "success_rate": safe_percentage(rows, total),
                "index_seconds": index.seconds,
            },
            "source": inputs.bulk.origin,
            "environment": {**manifest.describe_environment(), "device": embedder.device},
            **({"git_commit": commit} if commit else {}),
            "whitening": whitening,
        }

    def _report_summary(self, document: dict[str, Any]) -> None:
        """Say what a build embedded, left out and wrote."""
        options, report = self._options, self._report
        numbers, index = document["statistics"], document["index"]
        reused, resumed = numbers["reused_embeddings"], numbers["resumed_embeddings"]
        embedded = numbers["successful_embeddings"] - reused - resumed
        seconds = numbers["embedding_seconds"]
        speed = f" ({safe_rate(embedded, seconds)} images/s, start-up included)" if embedded else ""
        report.info(
            f"Embedded {embedded:,} images in {duration(seconds)}{speed},"
            f" reused {reused:,} of the last build"
            + (f" and {resumed:,} of a stopped one" if resumed else "")
        )
        report.info(
            f"Indexed {numbers['successful_embeddings']:,} of {numbers['total_records']:,} faces"
            f" ({numbers['success_rate']}): {numbers['missing_from_cache']:,} not in the cache,"
            f" {numbers['validation_failures']:,} invalid, {numbers['failed_embeddings']:,} failed"
        )
        check = index["self_check"]
        report.info(
            f"Index: {index['type']}, {index['metric']} ({index['scores']}), M={options.hnsw_m},"
            f" efConstruction={options.hnsw_ef_construction}, {index['vectors']:,} vectors"
            f" ({index['distinct']:,} distinct) of dimension {index['dimension']};"
            f" {check['found']:,} of {check['asked']:,} rows asked for find themselves"
        )
        names = [*document["outputs"], publish.MANIFEST]
        report.info(f"Written to {options.out}/: {', '.join(names)}")


def write_vectors(staging: Path, store: VectorStore, rows: NDArray[np.int64]) -> None:
    """Write the rows int64 [n] of the store as float32 [n, dim], checked by `check_unit`."""
    with AtomicFile(staging / publish.VECTORS) as file:
        form = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), store.dim)}
        npy.write_array_header_1_0(file, form)
        for start in range(0, len(rows), BLOCK):
            vectors = store.read(rows[start : start + BLOCK])
            check_unit(vectors)
            file.write(vectors.tobytes())


def _write_encoder(staging: Path, encoder: Encoder) -> None:
    """Let the index take its encoder along; on one file system this costs no space."""
    target = staging / publish.ENCODER
    with disk_errors(target):
        try:
            os.link(encoder.path, target)
        except OSError:  # a file system without hard links
            shutil.copyfile(encoder.path, target)
        fsync_file(target)
