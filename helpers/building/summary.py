"""What a build says of itself: its manifest, and the lines at its end."""

import uuid
from typing import Any

from helpers.building.hnsw import BuiltIndex
from helpers.building.inputs import Inputs
from helpers.building.options import BuildOptions
from helpers.images.scan import Scan
from helpers.index import manifest, publish
from helpers.model.embedder import Embedder
from helpers.report import Reporter, duration, safe_percentage, safe_rate, timestamp


def manifest_of(
    inputs: Inputs, scan: Scan, embedder: Embedder, index: BuiltIndex, whitening: dict[str, Any]
) -> dict[str, Any]:
    """Return `build_manifest.json`, as far as it follows from these."""
    options, total = inputs.options, len(inputs.faces)
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


def report_summary(document: dict[str, Any], options: BuildOptions, report: Reporter) -> None:
    """Say what a build embedded, left out and wrote."""
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
