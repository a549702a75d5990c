"""A manifest is believed only as a whole: by its own digest, and by what its fields may be."""

import copy
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builds import MANIFEST, made_up_manifest, manifest
from support import run

from helpers.errors import DataError
from helpers.index import publish
from helpers.index.manifest import damage, read_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a manifest of made-up files."""
    (tmp_path / publish.VECTORS).write_bytes(b"x")
    made_up_manifest(tmp_path, {"vectors": 3, "dimension": 4, "distinct": 2})
    return tmp_path


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value of a document."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*path, key))


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy with one value replaced."""
    other = copy.deepcopy(document)
    inner = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return other


def test_any_change_is_noticed(folder: Path) -> None:
    """Whichever field becomes whatever: refused, naming the file; as it was, it is read."""
    document = manifest(folder)
    assert read_manifest(folder) == document
    values: tuple[Any, ...] = (None, "qad", -1, 0.25, [], {}, True)
    for path, value in itertools.product(places(document), values):
        other = changed(document, path, value)
        if other != document:
            (folder / MANIFEST).write_text(json.dumps(other))
            with pytest.raises(DataError, match="no usable index"):
                read_manifest(folder)


def test_the_layout_does_not_matter(folder: Path) -> None:
    """The digest is of what the manifest says, not of its spaces."""
    document = manifest(folder)
    (folder / MANIFEST).write_text(json.dumps(document, sort_keys=True))

    assert read_manifest(folder) == document


def test_fields_of_a_later_version_are_kept(folder: Path) -> None:
    """What nothing here judges may be there."""
    document = {**manifest(folder), "whitening": {"used": False}, "more": [1]}
    document["outputs"]["mtg_pictures.bin"] = {"bytes": 1, "sha256": "ab" * 32, "codec": "x"}
    write_manifest(folder, document)

    assert read_manifest(folder)["more"] == [1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model", "preprocessing", "fit"), "qad"),
        (("model", "preprocessing", "mean"), [0.5, 0.5]),
        (("model", "preprocessing", "std"), [0.5, 0, 0.5]),
        (("model", "preprocessing", "mean"), [0.5, "0.5", 0.5]),
        (("model", "preprocessing", "side"), 10**9),
        (("model", "preprocessing"), None),
        (("index", "vectors"), -3),
        (("index", "vectors"), True),
        (("index", "distinct"), 4),
        (("index", "dimension"), "4"),
        (("outputs",), []),
        (("outputs", publish.VECTORS, "bytes"), 1.5),
        (("outputs", publish.VECTORS, "sha256"), "../" * 20 + "abcd"),
        (("parameters", "cache"), 7),
        (("source",), None),
        (("encoder",), {"key": "x", "precision": "int8"}),
    ],
)
def test_senseless_fields(folder: Path, path: tuple[str, ...], value: Any) -> None:
    """Also without a digest, as older programs wrote it, and with one that fits."""
    document = changed(manifest(folder), path, value)
    write_manifest(folder, document)
    with pytest.raises(DataError):
        read_manifest(folder)
    del document["sha256"]
    (folder / MANIFEST).write_text(json.dumps(document))

    with pytest.raises(DataError) as caught:
        read_manifest(folder)

    assert ".".join(path[-1:]) in caught.value.details


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", ".hidden", "a/b", "", "a\0b", "x" * 300]
)
def test_outputs_are_files_of_the_directory(folder: Path, name: str) -> None:
    """Nothing outside the index is opened on the word of a manifest."""
    document = manifest(folder)
    document["outputs"][name] = {"bytes": 1, "sha256": "ab" * 32}
    write_manifest(folder, document)

    with pytest.raises(DataError, match="no usable index"):
        read_manifest(folder)


def test_a_file_that_the_manifest_does_not_name(folder: Path) -> None:
    """It belongs to no build, whatever it holds."""
    (folder / publish.INDEX).touch()

    assert damage(folder, manifest(folder), (publish.INDEX,)) == (
        "mtg_cards.faiss is no file of this build"
    )


def test_older_manifests_are_read(folder: Path) -> None:
    """Those without a digest."""
    document = manifest(folder)
    del document["sha256"]
    (folder / MANIFEST).write_text(json.dumps(document))

    assert read_manifest(folder) == document


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}", b"null", b" " * (1 << 25)],
)
def test_no_manifest_at_all(folder: Path, text: bytes) -> None:
    """Bytes that are no text, JSON without end, numbers without end, too much."""
    (folder / MANIFEST).write_bytes(text)

    with pytest.raises(DataError, match="no usable index"):
        read_manifest(folder)


@pytest.mark.parametrize("name", [MANIFEST, publish.METADATA, publish.INDEX, publish.JOURNAL])
def test_pipes_do_not_hold_a_reader(index: Path, name: str) -> None:
    """A pipe in the place of a file: exit 5 at once, or, for the journal, as if there were none."""
    (index / name).unlink(missing_ok=True)
    os.mkfifo(index / name)

    result = run("scripts/verify_index.py", "--index", index, timeout=60)

    assert result.code == (0 if name == publish.JOURNAL else 5)
    assert "Traceback" not in result.err


def test_a_changed_manifest_gives_no_answers(index: Path, filled_cache: Path) -> None:
    """One changed `mean`: refused by the check and by a query, which would name a wrong card."""
    document = manifest(index)
    document["model"]["preprocessing"]["mean"][0] += 0.001
    (index / MANIFEST).write_text(json.dumps(document))

    for script, arguments in (
        ("scripts/verify_index.py", ()),
        ("query_index.py", (min(filled_cache.glob("*.jpg")),)),
    ):
        result = run(script, "--index", index, *arguments)
        assert result.code == 5
        assert "it has been changed" in result.err


def test_the_interpolations_are_those_of_the_preprocessing() -> None:
    """Two lists, since a reader of manifests loads no image library."""
    from helpers.images import preprocess
    from helpers.model.own_encoder import INTERPOLATIONS

    assert set(INTERPOLATIONS) == preprocess._RESAMPLING.keys()  # noqa: SLF001
