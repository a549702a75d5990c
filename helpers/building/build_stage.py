"""Step 2: the cache → vectors → index. Here it is found out what there is to do.

A run that finds nothing to do loads neither numpy nor a model.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from helpers.atomic_io import remove_parts
from helpers.building.inputs import Inputs, input_state
from helpers.building.options import BuildOptions
from helpers.cards.card_source import bulk_for_build, faces_of
from helpers.cards.options import CardSource
from helpers.errors import BrokenImagesError, IncompleteError
from helpers.images.cache import ImageCache
from helpers.index import manifest, publish
from helpers.lock import directory_lock
from helpers.report import Reporter, byte_size, safe_percentage

if TYPE_CHECKING:
    from helpers.building.build import Build
    from helpers.images.download_stage import DownloadSummary


def embed_stage(args: Namespace, report: Reporter) -> dict[str, Any]:
    """Build the index of everything the cache holds; return its manifest.

    Where nothing has changed since the last build, that is the last one. Whatever it raises, the
    old index is as it was, and finished vectors are kept for the next run.
    """
    options = BuildOptions.from_args(args)
    options.model.check_files()
    cache = ImageCache(options.source.cache)
    cache.require(options.source.download_command())
    bulk = bulk_for_build(options.source, args, report)
    inputs = Inputs(options, cache, bulk, faces_of(options.source, bulk, report), None)
    # Nobody can hold the lock of a directory that does not exist yet; looking first leaves no
    # trace of a build that finds nothing to embed.
    build = None if options.out.exists() else _new_build(inputs, report)
    with directory_lock(options.out):
        publish.recover(options.out)
        remove_parts(options.out)
        last = manifest.last_manifest(options.out)
        inputs = replace(inputs, options=_as_before(options, last), last=last)
        state = input_state(inputs)
        if last is not None and _is_unchanged(inputs, state, report):
            rows = last["index"]["vectors"]
            report.nothing_new(last["timestamp"], f"{options.out} is up to date, {rows:,} cards")
            return last
        if build is None or last is not None:
            build = _new_build(inputs, report)
        return build.run(state)


def _new_build(inputs: Inputs, report: Reporter) -> Build:
    from helpers.building.build import Build

    report.release()
    return Build(inputs, report)


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
    """Say what a first run will fetch, and end it if the model cannot be had or does not fit."""
    from helpers.building.engine import EngineChoice
    from helpers.images.forecast import first_download

    options = BuildOptions.from_args(args)
    options.model.check_files()
    images = first_download(options.source)
    needed = [images] if images else []

    def announce(size: int) -> None:
        report.release()
        weights = f"{byte_size(size)} of weights, once"
        report.info(f"Needed: {', and '.join([weights, *needed])}")
        needed.clear()

    EngineChoice(options.model, options.out, lambda _: [], report).require(announce)
    if needed:
        report.info(f"Needed: {images}")


def build_repaired(
    args: Namespace, summary: DownloadSummary, report: Reporter
) -> tuple[dict[str, Any], DownloadSummary]:
    """Build from a cache that was just brought up to date; fetch what turns out broken again, once.

    Return the manifest, and the summary of both downloads.
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
    again.bytes += summary.bytes
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


def _is_unchanged(inputs: Inputs, state: str, report: Reporter) -> bool:
    """Tell whether the last build was made from exactly these inputs, and its files are whole."""
    options, last = inputs.options, inputs.last
    if last is None or not options.reuse or last["source"].get("state") != state:
        return False
    problem = manifest.damage(options.out, last)
    if problem is not None:
        report.warning(f"the index in {options.out} is built anew: {problem}")
    return problem is None


def check_losses(document: dict[str, Any], args: Namespace, report: Reporter) -> None:
    """Warn, also under `--quiet`, of images that a build left out.

    `IncompleteError` if more than `--max-failure-rate` of them are broken.
    """
    numbers = document["statistics"]
    broken = numbers["validation_failures"] + numbers["failed_embeddings"]
    images = broken + numbers["successful_embeddings"]
    if broken and broken / images > args.max_failure_rate:
        raise IncompleteError(
            f"the index in {args.out} lacks {broken:,} cards whose images are broken",
            details=f"{safe_percentage(broken, images)} of {images:,} images,"
            f" more than --max-failure-rate {args.max_failure_rate:g}",
            suggestion=f"python scripts/validate_cache.py --cache {args.cache} --fix\n"
            + CardSource.from_args(args).download_command(),
        )
    if broken or numbers["missing_from_cache"]:
        report.warning(
            f"the index in {args.out} lacks {broken:,} cards whose images are broken and"
            f" {numbers['missing_from_cache']:,} whose images are not in {args.cache}"
        )
