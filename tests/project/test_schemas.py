"""What every script prints with --json is what its JSON Schema in docs/schemas describes.

The documents of an evaluation and of a benchmark are checked where they are made for other tests.
"""

import json
from pathlib import Path
from subprocess import PIPE

import pytest
from builds import manifest
from documents import SCHEMAS, check
from jsonschema import Draft202012Validator
from support import Scryfall, command, run

from devtools.demo.model import FILE_NAMES
from devtools.demo.photos import Photo, document
from devtools.flags_doc import scripts
from devtools.scryfall.process import running


def test_every_script_has_its_schema() -> None:
    """Each schema is one, and belongs to a script, to a line of a stream or to an error."""
    names = {path.stem for path in SCHEMAS.glob("*.json")}
    printing = {Path(name).stem for name in scripts()}
    assert names == printing | {"query_index_line", "error"}
    for name in names:
        schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)


def test_a_schema_can_be_missed() -> None:
    """A field that is missing, of another type, or not described, is noticed."""
    good = {
        "version": "1.0",
        "index": "x",
        "build_id": "b",
        "rows": 1,
        "checks": [],
        "problems": [],
    }
    check(good, "verify_index")
    for bad in ({**good, "rows": "1"}, {**good, "more": 1}, {"version": "1.0"}):
        with pytest.raises(Exception, match=r"is not of type|unexpected|required property"):
            check(bad, "verify_index")


def test_query(built_index: Path, filled_cache: Path) -> None:
    """A match, an unreadable picture, and both ways to print them."""
    scan = min(filled_cache.glob("*.jpg"))
    asked = ("--index", built_index, scan, "no.jpg")
    check(run("query_index.py", *asked, "--json").json(), "query_index")
    check(run("query_index.py", *asked, "--json", "--exact", "--whole").json(), "query_index")
    lines = run("query_index.py", *asked, "--whole", "--ndjson").out.splitlines()
    assert len(lines) == 2
    for line in lines:
        check(json.loads(line), "query_index_line")


def test_download_and_builds(
    deck: Path, built_index: Path, plain_model: str, tmp_path: Path
) -> None:
    """The summary, the manifest with and without whitening, and the two in one."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    with Scryfall("--cards", deck / "cards.jsonl", "--images", deck / "images") as server:
        server.faults({"match": "/back/", "fault": "status", "params": {"code": 404}})
        flags = ("--scryfall-api", server.url, "--cache", cache, "--limit", 24, "--json")
        check(run("download_images.py", *flags).json(), "download_images")
        server.faults()
        build = ("--model", plain_model, "--no-whiten", "--out", out)
        check(run("build_mtg_faiss.py", *flags, *build).json(), "build_mtg_faiss")
    again = run("build_embeddings.py", "--cache", cache, *build, "--json")
    check(again.json(), "build_embeddings")
    for folder in (out, built_index):
        check(manifest(folder), "build_embeddings")


def test_the_cache_tools(cache: Path, tmp_path: Path) -> None:
    """With something to report."""
    (cache / f"{'0' * 48}.jpg").write_bytes(b"junk")
    report = tmp_path / "report.json"
    flags = ("--cache", cache, "--json")
    check(run("scripts/validate_cache.py", *flags, "--report", report).json(), "validate_cache")
    check(json.loads(report.read_text()), "validate_cache")
    check(run("scripts/prune_cache.py", *flags, "--dry-run").json(), "prune_cache")


def test_the_index_tools(built_index: Path, tmp_path: Path) -> None:
    """Of a whole index."""
    flags = ("--index", built_index, "--json")
    check(run("scripts/verify_index.py", *flags).json(), "verify_index")
    exported = run("scripts/export_for_browser.py", *flags, "--out", tmp_path / "page")
    check(exported.json(), "export_for_browser")


def test_the_demo_and_its_tools(tmp_path: Path) -> None:
    """Cards drawn, a model that is there, a server that is ended, and what the demo counts."""
    out = ("--json", "--out", tmp_path)
    check(run("scripts/draw_cards.py", *out, "--count", 2).json(), "draw_cards")
    for name in FILE_NAMES:
        (tmp_path / name).touch()
    check(run("scripts/make_demo_model.py", *out).json(), "make_demo_model")
    with running(command("scripts/serve_scryfall.py", "--json"), stdout=PIPE) as server:
        assert server.stdout is not None
        with server.stdout as lines:
            text = "".join(iter(lines.readline, "}\n")) + "}"
    check(json.loads(text), "serve_scryfall")
    photo = Photo(tmp_path, [{"name": "A", "face_id": "a"}], [{"name": "B", "face_id": "b"}])
    check(document([photo], "an encoder", tmp_path), "demo")


def test_errors(tmp_path: Path) -> None:
    """Of whatever script, before and during its work."""
    for script in sorted(scripts()):
        result = run(script, "--json", "--no-such-flag")
        assert result.code == 2
        check(result.json(), "error")
    check(run("query_index.py", "--index", tmp_path / "no", "x.jpg", "--json").json(), "error")
