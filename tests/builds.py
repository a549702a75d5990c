"""What the tests of the build share: a cache of small pictures, and builds inside this process."""

import contextlib
import hashlib
import io
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from PIL import Image
from support import ROOT, Result

import build_embeddings
from helpers import worker_process
from helpers.cards.card_face import safe_filename
from helpers.index.manifest import VERSION, describe_outputs, write_manifest
from helpers.index.publish import ENCODER
from helpers.model.onnx_export import export_encoder

VECTORS, METADATA, INDEX = "mtg_embeddings.npy", "mtg_meta.jsonl", "mtg_cards.faiss"
MANIFEST = "build_manifest.json"


def card(number: int, scan: int = 1) -> dict[str, Any]:
    """Return a card object with one picture; another `scan` is another image URL."""
    ident = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "object": "card",
        "id": f"{ident[:8]}-{ident[8:12]}-4000-8000-{ident[12:24]}",
        "name": f"Card {number}",
        "set": "tst",
        "collector_number": str(number),
        "lang": "en",
        "layout": "normal",
        "image_uris": {"normal": f"https://cards.scryfall.io/normal/front/{ident}.jpg?{scan}"},
    }


def picture(number: int, scan: int = 1) -> bytes:
    """Return a small JPEG, different for every number and scan."""
    colours = np.random.default_rng([number, scan]).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours).resize((60, 84), Image.Resampling.NEAREST).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass
class Deck:
    """A bulk file and an image cache in `folder`, filled without any network."""

    folder: Path
    cards: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = self.folder / "cache"
        self.bulk = self.folder / "cards.jsonl"
        self.cache.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, folder: Path, count: int) -> Self:
        """Make a deck of the cards 0 to `count` - 1."""
        deck = cls(folder)
        deck.put([(number, 1) for number in range(count)])
        return deck

    def put(self, scans: list[tuple[int, int]]) -> None:
        """Make the deck hold exactly these (number, scan), in this order."""
        self.cards = [card(number, scan) for number, scan in scans]
        self.bulk.write_text("".join(json.dumps(entry) + "\n" for entry in self.cards))
        for place, (number, scan) in enumerate(scans):
            if not self.image(place).exists():
                self.image(place).write_bytes(picture(number, scan))

    def image(self, place: int) -> Path:
        """Return the image file of the card at that place of the bulk file."""
        return self.cache / safe_filename(self.cards[place]["image_uris"]["normal"])

    def flags(self, out: Path, model: str) -> list[str]:
        """Return the flags of a build of this deck; tests of the whitening turn it on."""
        words = ["--bulk-file", self.bulk, "--cache", self.cache, "--out", out, "--model", model]
        engine = "auto" if model.startswith("onnx:") else "torch"
        return [*map(str, words), "--batch", "8", "--engine", engine, "--no-whiten"]


def build(
    deck: Deck, out: Path, model: str, capture: pytest.CaptureFixture[str], *more: object
) -> Result:
    """Run `build_embeddings.py` inside this process."""
    return call(build_embeddings.main, [*deck.flags(out, model), *more], capture)


def call(
    main: Callable[[Sequence[str]], int],
    arguments: Sequence[object],
    capture: pytest.CaptureFixture[str],
) -> Result:
    """Run a script's `main` inside this process and give the signal handlers back."""
    capture.readouterr()
    with own_signals():
        code = main([str(argument) for argument in arguments])
    said = capture.readouterr()
    return Result(code, said.out, said.err)


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Restore the handlers that a script installs."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def patched(statements: str, *arguments: object) -> list[str]:
    """Return the command line that runs `build_embeddings.py` after some statements."""
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n{statements}\n"
        "import build_embeddings\nraise SystemExit(build_embeddings.main())"
    )
    return [sys.executable, "-c", code, *map(str, arguments)]


def manifest(out: Path) -> dict[str, Any]:
    """Return the manifest in `out`."""
    document: dict[str, Any] = json.loads((out / MANIFEST).read_text())
    return document


def made_up_manifest(folder: Path, index: dict[str, Any]) -> None:
    """Describe files that no build has made."""
    channels = [0.5, 0.5, 0.5]
    shape = {"side": 64, "mean": channels, "std": channels, "interpolation": "bicubic"}
    document = {
        "version": VERSION,
        "build_id": "x",
        "parameters": {"cache": "image_cache"},
        "model": {"model": "x", "preprocessing": {**shape, "fit": "pad", "size": 384}},
        "index": {"type": "x", "metric": "METRIC_INNER_PRODUCT", **index},
        "source": {},
        "statistics": {},
        "outputs": describe_outputs(folder),
    }
    write_manifest(folder, document)


def statistics(out: Path) -> dict[str, Any]:
    """Return the statistics of the build in `out`."""
    numbers: dict[str, Any] = manifest(out)["statistics"]
    return numbers


def names(out: Path) -> set[str]:
    """Return the names of all files in `out` except the lock."""
    return {path.name for path in out.iterdir()} - {".lock"} if out.exists() else set()


def same_files(one: Path, other: Path) -> bool:
    """Tell whether vectors and metadata of two builds are equal to the byte."""
    return all((one / n).read_bytes() == (other / n).read_bytes() for n in (VECTORS, METADATA))


def flip(path: Path, position: int) -> None:
    """Change one byte of a file; a negative position counts from its end."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x20
    path.write_bytes(data)


class Crash:
    """Makes the model fail with the given batch, as a bug or the machine would."""

    def __init__(self, patch: pytest.MonkeyPatch, batch: int) -> None:
        from helpers.model.torch_embedder import OpenClipEmbedder

        whole, self.embedded = OpenClipEmbedder.embed, 0

        def embed(me: OpenClipEmbedder, pixels: Any) -> Any:
            if len(pixels) > 1:  # the first call only asks for the width
                self.embedded += 1
                if self.embedded == batch:
                    raise RuntimeError("the machine caught fire")
            return whole(me, pixels)

        patch.setattr(OpenClipEmbedder, "embed", embed)


class StoredExport:
    """Stands in for the export of an encoder, which takes seconds: hands out one made before.

    Args:
        patch: replaces `helpers.worker_process.call`.
        out: a build that holds the encoder.
        company: wait until as many exports are in the store (10 s at the most).
    """

    def __init__(self, patch: pytest.MonkeyPatch, out: Path, company: int = 1) -> None:
        self._out, self._company, self._whole = out, company, worker_process.call
        self.exports = 0
        patch.setattr(worker_process, "call", self)

    def __call__(self, function: Any, *arguments: Any) -> Any:
        """Return what `helpers.worker_process.call` does."""
        if function is not export_encoder:
            return self._whole(function, *arguments)
        self.exports += 1
        target = arguments[1]
        shutil.copyfile(self._out / ENCODER, target)
        end = time.monotonic() + 10
        while len(list(target.parent.glob("*.onnx*"))) < self._company and time.monotonic() < end:
            time.sleep(0.01)
        about = manifest(self._out)["encoder"]
        return {key: about[key] for key in about.keys() - {"key", "sha256", "bytes"}}
