"""Asking the index."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import INDEX, MANIFEST, METADATA, VECTORS, Deck, build, call, flip, manifest, picture
from PIL import Image, ImageDraw
from support import Result, run

import query_index
from helpers.index.manifest import write_manifest
from helpers.index.publish import ENCODER

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def built(plain_model: str, tmp_path_factory: pytest.TempPathFactory) -> Deck:
    """A deck of 30 cards, card 20 and 21 with the same picture, and a build of it in `out`."""
    deck = Deck.of(tmp_path_factory.mktemp("query"), 30)
    deck.image(21).write_bytes(picture(20))
    done = run("build_embeddings.py", *deck.flags(deck.folder / "out", plain_model))
    assert done.code == 0, done.err
    return deck


@pytest.fixture
def out(built: Deck, tmp_path: Path) -> Path:
    """An index of the test's own, to be harmed."""
    return Path(shutil.copytree(built.folder / "out", tmp_path / "out"))


def ask(out: Path, capture: Capture, *more: object) -> Result:
    """Run `query_index.py` inside this process; each picture is one card."""
    return call(query_index.main, ["--index", out, "--whole", *more], capture)


def test_every_picture_finds_itself(built: Deck, tmp_path: Path, capsys: Capture) -> None:
    """A directory of pictures, in the graph and by brute force: rank 1, score ≥ 0.99."""
    without_scans = ("--cache", tmp_path)  # none is compared with its hits
    for exact in ([], ["--exact"]):
        flags = ("--json", *without_scans, *exact)
        result = ask(built.folder / "out", capsys, *flags, built.cache)
        assert result.code == 0, result.err
        queries = result.json()["queries"]
        assert len(queries) == 30
        for query in queries:
            assert query["hits"][0]["score"] >= 0.99
            files = [hit["image_file"] for hit in query["hits"][:2]]
            assert Path(query["query"]).name in files


def test_the_document(built: Deck, capsys: Capture) -> None:
    """`--json` holds the index, each query, and per hit rank, score, row and the metadata."""
    result = ask(built.folder / "out", capsys, "--json", "--k", 3, built.image(5))

    document = result.json()
    assert document["index"]["type"] == "IDMap,HNSW32,Flat"
    assert document["index"]["metric"] == "METRIC_INNER_PRODUCT"
    assert document["index"]["vectors"] == 30
    assert document["index"]["dimension"] == 32
    assert document["index"]["ef_search"] == 64
    (query,) = document["queries"]
    assert query["error"] is None
    assert [hit["rank"] for hit in query["hits"]] == [1, 2, 3]
    assert (query["hits"][0]["row"], query["hits"][0]["name"]) == (5, "Card 5")
    assert query["hits"][0]["lang"] == "en"


def test_lines_into_a_pipe(built: Deck, capsys: Capture) -> None:
    """Without a terminal: tab-separated lines on stdout, the index on stderr."""
    result = ask(built.folder / "out", capsys, "--k", 2, built.image(5))

    rows = [line.split("\t") for line in result.out.splitlines()]
    assert len(rows) == 2
    assert rows[0][0] == str(built.image(5))
    assert rows[0][1:6] == ["1", "1.0000", "Card 5", "TST", "5"]
    assert "METRIC_INNER_PRODUCT (cosine), 30 vectors of dimension 32, efSearch=64" in result.err


def test_both_cards_of_one_picture(built: Deck, capsys: Capture) -> None:
    """The picture that two cards share is answered with both, in the order of their rows."""
    result = ask(built.folder / "out", capsys, "--json", "--k", 2, built.image(21))

    assert [hit["row"] for hit in result.json()["queries"][0]["hits"]] == [20, 21]


def test_paths_on_stdin(built: Deck) -> None:
    """`-` reads one path per line."""
    result = run(
        "query_index.py",
        *("--index", built.folder / "out", "--whole", "--k", 1, "-"),
        stdin=f"{built.image(1)}\n\n{built.image(2)}\n",
    )

    assert result.code == 0, result.err
    assert [line.split("\t")[3] for line in result.out.splitlines()] == ["Card 1", "Card 2"]


def test_ef_search_is_raised(built: Deck, capsys: Capture) -> None:
    """The efSearch that is shown is the one that is used: at least 2 k."""
    result = ask(built.folder / "out", capsys, "--k", 25, "--ef-search", 16, built.image(1))

    assert "efSearch=50" in result.err
    assert len(result.out.splitlines()) == 25


def test_a_minimal_score(built: Deck, capsys: Capture) -> None:
    """`--min-score` leaves out what is less alike."""
    flags = ("--json", "--k", 30, "--min-score", 0.999)
    hits = ask(built.folder / "out", capsys, *flags, built.image(3)).json()["queries"][0]["hits"]

    assert [hit["row"] for hit in hits] == [3]


def test_a_minimal_score_that_nothing_reaches(built: Deck, tmp_path: Path, capsys: Capture) -> None:
    """It is said for each picture, with the best score there was; the exit code is 0."""
    one, other = tmp_path / "98.jpg", tmp_path / "99.jpg"
    for path in (one, other):
        path.write_bytes(picture(int(path.stem)))
    flags = ("--whole", "--min-score", 1)
    result = ask(built.folder / "out", capsys, *flags, one, other)
    assert (result.code, result.out) == (0, "")
    said = [line for line in result.err.splitlines() if "nothing reaches --min-score 1" in line]
    assert [line.partition(":")[0] for line in said] == [str(one), str(other)]
    assert all(-1 < float(line.rpartition(" ")[2]) < 1 for line in said)


def test_one_unreadable_picture(built: Deck, tmp_path: Path, capsys: Capture) -> None:
    """The others are answered; the broken one is named; exit 3."""
    (tmp_path / "broken.jpg").write_bytes(b"junk")

    result = ask(
        built.folder / "out", capsys, "--json", tmp_path / "broken.jpg", built.image(1), "no.jpg"
    )

    assert result.code == 3
    errors = [query["error"] is not None for query in result.json()["queries"]]
    assert errors == [True, False, True]
    assert "no.jpg: No such file" in result.err


def test_no_readable_picture(built: Deck, tmp_path: Path, capsys: Capture) -> None:
    """Not one answer: exit 5."""
    assert ask(built.folder / "out", capsys, tmp_path / "no.jpg").code == 5


def missing(out: Path, name: str) -> None:
    """Remove a file."""
    (out / name).unlink()


def cut(out: Path, name: str) -> None:
    """Leave half of a file."""
    (out / name).write_bytes((out / name).read_bytes()[:-100])


def bit(out: Path, name: str) -> None:
    """Change one byte."""
    flip(out / name, (out / name).stat().st_size // 3)


@pytest.mark.parametrize("name", [INDEX, METADATA, VECTORS])
@pytest.mark.parametrize("harm", [missing, cut, bit])
def test_a_damaged_index_is_refused(
    out: Path, built: Deck, capsys: Capture, name: str, harm: Callable[[Path, str], None]
) -> None:
    """Missing, cut or changed: exit 5, the file is named, and so is the command that helps."""
    harm(out, name)
    flags = ["--text", "a goblin"] if name == VECTORS else []

    result = ask(out, capsys, *flags, built.image(1))

    assert result.code == 5
    assert name in result.err
    assert "python build_embeddings.py" in result.err
    assert result.out == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "9.0"}'])
def test_a_manifest_that_is_none(out: Path, built: Deck, capsys: Capture, text: str) -> None:
    """Foreign or damaged JSON is exit 5, never a traceback."""
    (out / MANIFEST).write_text(text)

    result = ask(out, capsys, built.image(1))

    assert result.code == 5
    assert "Traceback" not in result.err


def test_an_index_of_a_later_version(out: Path, built: Deck, capsys: Capture) -> None:
    """A format that this program cannot know is refused by its number."""
    (out / MANIFEST).write_text(json.dumps({**manifest(out), "version": "9.0"}))

    result = ask(out, capsys, built.image(1))

    assert result.code == 5
    assert "manifest.version is '9.0'" in result.err


def test_other_weights_than_the_index_was_built_with(
    encoded: Deck, model: str, tmp_path: Path, capsys: Capture
) -> None:
    """The model directory has changed since the build: refused, with both digests."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(model.removeprefix("local-dir:"), tmp_path / "model"))
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))
    document = manifest(out)
    document["model"]["model"] = f"local-dir:{folder}"
    del document["encoder"], document["outputs"][ENCODER]  # as built without onnxruntime
    write_manifest(out, document)
    assert ask(out, capsys, encoded.image(1)).code == 0, "a moved model is the same model"
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"] += torch.tensor(1e-3)
    save_file(weights, folder / "open_clip_model.safetensors")

    result = ask(out, capsys, encoded.image(1))

    assert result.code == 5
    assert "weights_sha256: was" in result.err


@pytest.mark.usefixtures("no_export")
def test_an_index_on_random_weights_says_so(tmp_path: Path, capsys: Capture) -> None:
    """Untrained weights are fixed, so the index answers, with a warning."""
    deck = Deck.of(tmp_path, 2)
    flags = ("--pretrained", "random")
    assert build(deck, tmp_path / "out", "ViT-S-32-alt", capsys, *flags).code == 0

    result = ask(tmp_path / "out", capsys, "--json", deck.image(1))

    assert result.code == 0
    assert "random weights: its answers mean nothing" in result.err
    assert result.json()["index"]["trained"] is False


def test_two_cards_that_differ_in_the_title_bar(
    tmp_path: Path, model: str, capsys: Capture
) -> None:
    """Same art, another name: two vectors, and each picture finds its own card."""
    deck = Deck.of(tmp_path, 2)
    for place, name in enumerate(("Serra Angel", "Shivan Dragon")):
        image = Image.new("RGB", (488, 680), (90, 60, 30))
        image.paste((200, 180, 150), (20, 20, 468, 64))
        ImageDraw.Draw(image).text((30, 28), name, fill=(0, 0, 0), font_size=26)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=95)
        deck.image(place).write_bytes(buffer.getvalue())
    assert build(deck, tmp_path / "out", model, capsys).code == 0
    assert manifest(tmp_path / "out")["index"]["distinct"] == 2

    found = ask(tmp_path / "out", capsys, "--json", "--k", 1, deck.image(0), deck.image(1)).json()

    assert [query["hits"][0]["row"] for query in found["queries"]] == [0, 1]
