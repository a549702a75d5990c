"""What a build says of itself: statistics, manifest, and the lines at its end."""

import uuid
from dataclasses import asdict
from typing import Any

from helpers.building.hnsw import BuiltIndex
from helpers.building.inputs import Inputs
from helpers.building.options import BuildOptions
from helpers.images.scan import Scan
from helpers.index import manifest, publish
from helpers.model.embedder import Embedder
from helpers.report import Reporter, duration, safe_percentage, safe_rate, timestamp


def statistics_of(
    inputs: Inputs, scan: Scan, counts: dict[str, int], durations: dict[str, float]
) -> dict[str, Any]:
    """Return the counts of the manifest, and how long the parts took (seconds)."""
    total, failed = len(inputs.faces), counts["failed_embeddings"]
    successful = len(scan.faces) - failed
    # With validation, an image that cannot be embedded is one that has just failed it.
    invalid = failed if inputs.options.validate_cache else 0
    return {
        "total_records": total,
        "successful_embeddings": successful,
        **counts,
        "missing_from_cache": scan.missing,
        "failed_embeddings": failed - invalid,
        "validation_failures": scan.invalid + invalid,
        "success_rate": safe_percentage(successful, total),
        **durations,
    }


def manifest_of(
    inputs: Inputs,
    statistics: dict[str, Any],
    embedder: Embedder,
    index: BuiltIndex,
    whitening: dict[str, Any],
    state: str,
) -> dict[str, Any]:
    """Return `build_manifest.json`, but for the digests of files; `state`: see `input_state`."""
    commit, whitened = manifest.git_commit(), whitening["used"]
    return {
        "version": manifest.VERSION,
        "timestamp": timestamp(),
        "build_id": uuid.uuid4().hex,
        "parameters": inputs.options.to_json(),
        "model": embedder.fingerprint,
        "index": {
            "type": f"{'Linear,L2norm,' * whitened}IDMap,HNSW{inputs.options.hnsw_m},Flat",
            "metric": "METRIC_INNER_PRODUCT",
            "whitened": whitened,
            "scores": "whitened cosine" if whitened else "cosine",
            "vectors": statistics["successful_embeddings"],
            "dimension": embedder.dim,
            "distinct": index.distinct,
            "self_check": asdict(index.self_check),
        },
        "statistics": statistics,
        "source": {**inputs.bulk.origin, "state": state},
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
