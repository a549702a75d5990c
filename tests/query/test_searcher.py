"""The ways to ask: paths, patterns, lists, addresses, turned pictures; sheets as answers."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from builds import Deck, call
from PIL import Image
from support import command, environment, run

import query_index
from devtools.scryfall.faults import Response
from devtools.scryfall.server import Server
from helpers.index.manifest import read_manifest, write_manifest


@pytest.fixture(scope="module")
def photos(filled_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three cards, one of them upside down, and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    for number, path in enumerate(sorted(filled_cache.glob("*.jpg"))[:3]):
        with Image.open(path) as image:
            turned = image.rotate(180) if number == 2 else image
            turned.save(folder / f"photo-{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def web(photos: Path) -> Iterator[str]:
    """A web server that serves the photos."""

    def answer(target: str, _: object) -> Response:
        file = photos / target[1:]
        return Response(200, file.read_bytes()) if file.is_file() else Response(404)

    with Server() as server:
        server.answer = answer
        yield server.url


def test_every_way_to_name_a_picture(built_index: Path, photos: Path, web: str) -> None:
    """A file, a directory, a pattern, an address and a missing one; failures do not stop others."""
    result = run(
        "query_index.py",
        *("--index", built_index, "--whole", "--json", "--k", 1),
        *(photos / "photo-0.png", photos, photos / "*-1.png"),
        *(f"{web}/photo-1.png", f"{web}/none.png", photos / "notes.txt"),
    )
    assert result.code == 3
    queries = result.json()["queries"]
    names = [query["query"].rsplit("/", 1)[-1] for query in queries]
    assert names == [
        *("photo-0.png", "photo-0.png", "photo-1.png", "photo-2.png", "photo-1.png"),
        *("photo-1.png", "none.png", "notes.txt"),
    ]
    assert [query["error"] is None for query in queries] == [True] * 6 + [False] * 2
    assert "HTTP 404" in queries[6]["error"]
    assert "not a picture" in queries[7]["error"]
    assert queries[0]["hits"][0]["score"] >= 0.99


def test_lines_are_answered_as_they_come(built_index: Path, photos: Path) -> None:
    """With `-` an answer is there before the next line is sent."""
    with subprocess.Popen(
        command("query_index.py", "--index", built_index, "--whole", "--k", 1, "--quiet", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        for number in (0, 1):
            asking.stdin.write(f"{photos}/photo-{number}.png\n")
            asking.stdin.flush()
            assert f"photo-{number}.png\t1\t1.0000\t" in asking.stdout.readline()
        asking.stdin.close()
        assert asking.wait(30) == 0


def test_sheets(built_index: Path, photos: Path, filled_cache: Path, tmp_path: Path) -> None:
    """A PNG and a self-contained HTML page show queries beside whole cards."""
    asked = ("--index", built_index, "--k", 2, "--cache", filled_cache, photos)
    assert run("query_index.py", *asked, "--sheet", tmp_path / "sheet.png").code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > 3 * 201
    assert run("query_index.py", *asked, "--whole", "--sheet", tmp_path / "sheet.html").code == 0
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count('<figure class="photo"><img src="data:image/jpeg;base64,') == 3
    assert page.count('src="') == page.count('src="data:image/jpeg;base64,')


def test_a_model_without_words_says_so(
    encoded: Deck, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--text` with a text tower that is marked as untrained is refused with a way out."""
    folder = Path(shutil.copytree(model.removeprefix("local-dir:"), tmp_path / "model"))
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text().replace("{", '{"text_tower": "untrained",', 1))
    out = Path(shutil.copytree(encoded.folder / "out", tmp_path / "out"))
    document = read_manifest(out)
    document["model"]["model"] = f"local-dir:{folder}"
    write_manifest(out, document)

    result = call(query_index.main, ["--index", out, "--text", "a red dragon"], capsys)

    assert result.code == 5
    assert "no trained text tower" in result.err


def test_a_question_is_needed(built_index: Path, tmp_path: Path) -> None:
    """Nothing to ask, and a sheet of an unknown kind, are both named before any work."""
    result = run("query_index.py", "--index", built_index, "--sheet", tmp_path / "sheet.gif")
    assert result.code == 2
    assert "name at least one picture" in result.err
    assert "--sheet must end in .png or .html" in result.err


def test_weights_that_are_gone(index: Path, photos: Path, tmp_path: Path) -> None:
    """Without onnxruntime a weights file that was moved is named, with code 5 and a way out."""
    document = read_manifest(index)
    document["model"] |= {"model": "RN50", "pretrained": str(tmp_path / "gone.pt")}
    write_manifest(index, document)

    result = run("query_index.py", "--index", index, photos, hide="onnxruntime")
    assert result.code == 5
    assert f"no such file: {tmp_path}/gone.pt" in result.err
    assert "put the file back" in result.err
