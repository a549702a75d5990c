"""The pictures that a query names: every format, every size, and everything that is none."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from helpers.query import photo_file
from helpers.query.photo_file import jpeg_scans, load_photo
from helpers.validation import FORMATS, InvalidImageError


def picture(width: int = 80, height: int = 60) -> Image.Image:
    """Return a picture that is red on the left and blue on the right."""
    image = Image.new("RGB", (width, height), (200, 30, 30))
    image.paste((30, 30, 200), (width // 2, 0, width, height))
    return image


def encoded(kind: str, image: Image.Image | None = None, **more: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **more)
    return buffer.getvalue()


def reason(source: Path | str | bytes) -> str:
    """Return why a picture is refused."""
    with pytest.raises(InvalidImageError) as caught:
        load_photo(source)
    return str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_allowed_format(kind: str) -> None:
    """Each comes out upright, in RGB, with its own size and colours."""
    image = load_photo(encoded(kind))

    assert (image.mode, image.size) == ("RGB", (80, 60))
    left, right = np.asarray(image)[30, 10], np.asarray(image)[30, 70]
    assert left[0] > 150 > left[2]
    assert right[2] > 150 > right[0]


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "ICO", "PCX", "DDS", "ICNS"])
def test_no_other_format(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the name says, nothing else is opened: PostScript would run in Ghostscript."""
    opened = []
    Image.init()
    monkeypatch.setitem(Image.OPEN, kind, (lambda *_: opened.append(kind), None))

    assert "not a picture" in reason(encoded(kind))
    assert opened == []


def test_a_fifty_megapixel_jpeg_is_shrunk_while_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pixels never exist all at once; no detail that a smaller side could hold is lost."""
    data = encoded("JPEG", picture(8160, 6120), quality=30)
    sizes = []
    whole = ImageFile.ImageFile.load

    def load(me: ImageFile.ImageFile) -> Any:
        sizes.append(me.size)
        return whole(me)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    image = load_photo(data)

    assert image.size == (2040, 1530)
    assert max(sizes[0]) == 2040


@pytest.mark.parametrize(
    ("kind", "size", "shrunk"),
    [
        ("PNG", (3200, 90), (3200, 90)),
        ("PNG", (6000, 120), (3200, 64)),
        ("GIF", (6000, 120), (3200, 64)),
        ("JPEG", (3999, 80), (3200, 64)),
        ("JPEG", (4000, 80), (2000, 40)),
        ("JPEG", (14000, 280), (3200, 64)),
    ],
)
def test_larger_pictures_are_shrunk(
    kind: str, size: tuple[int, int], shrunk: tuple[int, int]
) -> None:
    """The longer side ends between 2,000 and 3,200 pixels; the proportions and colours stay."""
    image = load_photo(encoded(kind, picture(*size)))

    assert image.size == shrunk
    assert np.asarray(image)[20, 100, 0] > 150
    assert np.asarray(image)[20, -100, 2] > 150


def test_a_card_is_read_as_the_cache_reads_it() -> None:
    """Up to 3,200 pixels nothing is shrunk: an identical picture gives identical pixels."""
    from helpers.images.preprocess import load_image_rgb

    data = encoded("JPEG", picture(672, 936))

    assert np.array_equal(np.asarray(load_photo(data)), np.asarray(load_image_rgb(data)))


def test_photos_are_turned_upright() -> None:
    """EXIF says how the camera was held, also for a picture that is shrunk."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    image = load_photo(encoded("JPEG", picture(6000, 120), exif=exif))

    assert image.size == (40 * 3000 // 2000, 3000)
    assert np.asarray(image)[100, 30, 0] > 150


@pytest.mark.parametrize("kind", ["PNG", "JPEG2000", "TIFF"])
def test_sixteen_bit_grey_is_named(kind: str) -> None:
    """Converted, it would be white."""
    data = encoded(kind, Image.fromarray(np.full((60, 80), 30_000, dtype=np.uint16)))
    assert "16-bit grey" in reason(data)


def test_heic_names_the_package() -> None:
    """Without the package, its name; nothing is required."""
    assert "pillow-heif" in reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_heic_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, Pillow reads HEIC: here by a stand-in that always sees the same picture."""
    module = ModuleType("pillow_heif")

    class Heif(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            if self.fp is None or len(self.fp.read()) < 80 * 60 * 3:
                raise SyntaxError("cut off")  # so does pillow-heif
            self._size, self._mode = (80, 60), "RGB"
            self.tile = [ImageFile._Tile("raw", (0, 0, 80, 60), 0, "RGB")]  # noqa: SLF001

    def register() -> None:
        Image.register_open("HEIF", Heif, lambda prefix: prefix[8:12] == b"heic")

    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN})
    monkeypatch.setattr(module, "register_heif_opener", register, raising=False)
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    monkeypatch.setattr(photo_file, "is_here", lambda name: name == "pillow_heif")
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80 * 60 * 3)

    assert load_photo(data).size == (80, 60)
    assert reason(data[:5000]) == "this HEIC picture is cut off or broken"


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP"])
def test_too_many_pixels(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by what the header says, before anything is decoded."""
    monkeypatch.setattr(photo_file, "MAX_PIXELS", 4799)

    assert "80 x 60 is more than 4,799 pixels" in reason(encoded(kind))


def scans(count: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated until there are `count`."""
    data = encoded("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    more = count - jpeg_scans(data)
    return data[:-2] + data[last:-2] * more + data[-2:]


def test_jpeg_scans_are_counted() -> None:
    """Of the first image alone: a thumbnail in its header and a second image do not count."""
    assert jpeg_scans(encoded("JPEG")) == 1
    assert jpeg_scans(encoded("JPEG", progressive=True)) > 5
    assert jpeg_scans(scans(40)) == 40
    assert jpeg_scans(encoded("PNG")) == 0
    thumbnail = encoded("JPEG", picture(32, 32), progressive=True)
    assert jpeg_scans(encoded("JPEG", exif=b"Exif\0\0" + thumbnail)) == 1
    assert jpeg_scans(encoded("JPEG") + encoded("JPEG")) == 1


def test_too_many_scans() -> None:
    """A JPEG of a thousand scans would keep the decoder busy for as many passes."""
    assert load_photo(scans(60)).size == (80, 60)
    assert "scans" in reason(scans(1000))


@pytest.mark.parametrize(
    "start",
    [
        encoded("JPEG")[:2] + b"\xff\xe0\0\x02" * 1_200_000,
        b"GIF89a" + bytes(7) + b"!\xfe\0" * 900_000,
    ],
    ids=["JPEG", "GIF"],
)
def test_headers_without_end(start: bytes) -> None:
    """Millions of empty segments are not all looked at."""
    assert "too many segments" in reason(start)


@pytest.mark.parametrize(
    "error",
    [RuntimeError, AssertionError, MemoryError, SyntaxError, KeyError, RecursionError, OSError],
)
def test_every_failure_of_a_decoder(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a decoder raises, it is this picture that cannot be read."""

    def load(_: object) -> None:
        raise error("out of cheese\nhere")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)

    assert reason(encoded("PNG")).startswith("this picture cannot be read: ")
    assert "\n" not in reason(encoded("PNG"))


def damaged(data: bytes, chance: np.random.Generator) -> bytes:
    """Return a file with some of its bytes changed, and perhaps cut."""
    changed = bytearray(data)
    for place in chance.integers(0, len(data), chance.integers(1, 20)):
        changed[place] = chance.integers(256)
    return bytes(changed[: chance.integers(1, 2 * len(data))])


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_pictures_have_a_reason(kind: str) -> None:
    """Of a hundred damaged files of each format, each is a picture or has a reason."""
    chance = np.random.default_rng(FORMATS.index(kind))
    whole, refused = encoded(kind), 0
    for _ in range(100):
        try:
            assert load_photo(damaged(whole, chance)).mode == "RGB"
        except InvalidImageError:
            refused += 1
    assert refused > 0


def pipe(path: Path) -> None:
    """Make a pipe that nobody writes to."""
    os.mkfifo(path)


def sparse(path: Path) -> None:
    """Make a file that claims 30 GB."""
    with path.open("wb") as file:
        file.truncate(30_000_000_000)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (pipe, "a pipe or a device"),
        (lambda path: path.symlink_to("/dev/zero"), "a pipe or a device"),
        (sparse, "30,000,000,000 bytes"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: path.touch(), "empty file"),
        (lambda _: None, "No such file"),
    ],
    ids=["pipe", "device", "sparse", "directory", "empty", "missing"],
)
def test_only_regular_files_of_bounded_size(
    make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    """Nothing is read that would not end; each has its own reason."""
    make(tmp_path / "it.jpg")

    assert why in reason(tmp_path / "it.jpg")


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud800.jpg", "x" * 300 + ".jpg", ""])
def test_names_that_no_file_can_have(name: str) -> None:
    """Zero bytes, lone surrogates, names longer than any file system's."""
    assert reason(name)
