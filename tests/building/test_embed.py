"""The whole way: Scryfall → cache → index → query, with the real scripts."""

from pathlib import Path

from support import Scryfall, run

OUTPUTS = ("mtg_embeddings.npy", "mtg_meta.jsonl")


def test_every_card_finds_itself(filled_cache: Path, built_index: Path) -> None:
    """Images of the cache, asked for, are answered with their own card at a score ≥ 0.99."""
    asked = sorted(filled_cache.glob("*.jpg"))[::3]
    result = run("query_index.py", "--index", built_index, "--whole", "--k", 1, "--json", *asked)

    assert result.code == 0, result.err
    queries = result.json()["queries"]
    assert len(queries) == 8
    for query in queries:
        (hit,) = query["hits"]
        assert query["query"].endswith(hit["image_file"])
        assert hit["score"] >= 0.99


def test_one_step_gives_the_same_files_as_two(
    scryfall: Scryfall, plain_model: str, tmp_path: Path
) -> None:
    """`build_mtg_faiss.py` writes byte for byte what the two single steps write."""
    build = ("--model", plain_model, "--no-whiten", "--out")
    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path / "one")
    one = run("build_mtg_faiss.py", *flags, *build, tmp_path / "one_out")
    assert one.code == 0, one.err

    flags = ("--scryfall-api", scryfall.url, "--cache", tmp_path / "two")
    assert run("download_images.py", *flags).code == 0
    two = run("build_embeddings.py", *flags, *build, tmp_path / "two_out")
    assert two.code == 0, two.err

    for name in OUTPUTS:
        both = [(tmp_path / folder / name).read_bytes() for folder in ("one_out", "two_out")]
        assert both[0] == both[1]
