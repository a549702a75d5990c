"""The Python API, as docs/python-api.md shows it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import METADATA
from PIL import Image
from support import ROOT

from helpers import open_index
from helpers.errors import DataError
from helpers.query.answer import Answer, Found
from helpers.query.open_index import OpenIndex
from helpers.validation import InvalidImageError


@pytest.fixture(scope="module")
def opened(built_index: Path) -> OpenIndex:
    """An opened index that takes each picture as one card."""
    found: OpenIndex = open_index(built_index, whole=True, k=2)
    return found


@pytest.fixture
def scan(built_index: Path, filled_cache: Path) -> Path:
    """The picture of its first card: names of files depend on the server's port."""
    with (built_index / METADATA).open() as lines:
        return Path(filled_cache / json.loads(lines.readline())["image_file"])


def examples() -> list[str]:
    """Return the Python code blocks of the document."""
    text = (ROOT / "docs/python-api.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_kind_of_source(opened: OpenIndex, scan: Path) -> None:
    """A path, a string, bytes, an image and an array are the same picture."""
    with Image.open(scan) as image:
        picture = image.convert("RGB")
    sources = (scan, str(scan), scan.read_bytes(), picture, np.asarray(picture))
    for source in sources:
        answer = opened.ask(source)
        assert isinstance(answer, Answer)
        (card,) = answer.cards
        assert isinstance(card, Found)
        assert card.hits[0]["image_file"] == scan.name
        assert (answer.width, answer.height) == picture.size
        assert len(card.hits) == 2


def test_what_is_no_picture(opened: OpenIndex, tmp_path: Path) -> None:
    """Bytes that are none, and a directory that is no index, raise what the document says."""
    with pytest.raises(InvalidImageError):
        opened.ask(b"junk")
    with pytest.raises(DataError):
        open_index(tmp_path)


def test_the_examples_run(
    built_index: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three lines, a loop over the cards, and the web service, which answers and refuses."""
    (tmp_path / "index_out").symlink_to(built_index)
    (tmp_path / "photo.jpg").write_bytes(scan.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    for example in examples():
        exec(compile(example, "docs/python-api.md", "exec"), names)  # noqa: S102 - our own
    assert names["answer"].cards[0].hits[0]["image_file"] == scan.name
    assert names["answer"].cards[0].hits[0]["name"] in capsys.readouterr().out

    statuses = []

    def post(content: bytes) -> dict[str, Any]:
        environ = {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        body = names["application"](environ, lambda status, _: statuses.append(status))
        document: dict[str, Any] = json.loads(b"".join(body))
        return document

    assert post(scan.read_bytes())["hits"][0]["image_file"] == scan.name
    assert post(b"junk")["error"]
    assert statuses == ["200 OK", "400 Bad Request"]
    assert len(examples()[-1].splitlines()) <= 30
