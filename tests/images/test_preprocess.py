"""From a picture to the pixels that the model sees."""

import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.images.preprocess import Preprocessing, fit_square, load_image_rgb, prepare
from helpers.validation import InvalidImageError


def content(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def card(title: int = 255) -> Image.Image:
    """Return a grey 488 × 680 card with a title bar of some brightness in its top tenth."""
    image = Image.new("RGB", (488, 680), (128, 128, 128))
    image.paste((title, title, title), (20, 20, 468, 64))
    return image


def square_by(fit: str) -> Preprocessing:
    """Return how a square is made of a picture; its other fields do not matter for that."""
    return Preprocessing(fit, 384, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_pad_keeps_the_whole_card() -> None:
    """The card is as high as the square, centred, between black bars of equal width."""
    square = np.asarray(fit_square(card(), 340, square_by("pad")))

    assert square.shape == (340, 340, 3)
    columns = np.flatnonzero(square.any(axis=(0, 2)))
    assert (columns[0], columns[-1]) == (48, 291)  # 244 of 340 columns
    assert square[:, 60:280].any(axis=2).all()


def test_crop_keeps_the_centre() -> None:
    """As wide as the card; the title bar is cut off, as CLIP's own transform does it."""
    square = np.asarray(fit_square(card(), 488, square_by("crop")))

    assert square.shape == (488, 488, 3)
    assert (square == 128).all()


def test_squash_keeps_everything_distorted() -> None:
    """No bars, no loss, other proportions."""
    square = np.asarray(fit_square(card(), 340, square_by("squash")))

    assert square.shape == (340, 340, 3)
    assert square.any(axis=2).all()
    assert square[10:32, 170].mean() > 200  # the title bar, 20 / 680 to 64 / 680 of the height


@pytest.mark.parametrize("resizes", [1, 2])
@pytest.mark.parametrize(("fit", "differs"), [("pad", True), ("squash", True), ("crop", False)])
def test_the_title_bar_reaches_the_model(fit: str, resizes: int, *, differs: bool) -> None:
    """Two cards that differ in their title bar only are two inputs, unless cropped."""
    how = Preprocessing(fit, 384, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), resizes=resizes)
    light, dark = (prepare(card(title), how) for title in (255, 40))

    assert (np.abs(light - dark).max() > 0.1) == differs


def test_the_input_is_normalised() -> None:
    """Channels first, (value / 255 - mean) / std, float32, contiguous."""
    how = Preprocessing("squash", 64, 32, (0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    pixels = prepare(Image.new("RGB", (50, 70), (255, 0, 102)), how)

    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert np.allclose(pixels.mean(axis=(1, 2)), [1.0, -1.0, 0.2], atol=1e-6)


@pytest.mark.parametrize("fit", ["pad", "crop", "squash"])
@pytest.mark.parametrize("size", [(488, 680), (680, 488), (33, 300)])
@pytest.mark.parametrize(("square", "side"), [(384, 224), (64, 224), (225, 224), (224, 224)])
def test_two_resizes_are_one_after_the_other(
    fit: str, size: tuple[int, int], square: int, side: int
) -> None:
    """The input is the square of `--size` resized to the model's side, to the last bit."""
    noise = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    how = Preprocessing(fit, square, side, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    whole = fit_square(image, square, how).resize((side, side), Image.Resampling.BICUBIC)

    wanted = np.asarray(whole, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
    assert np.array_equal(prepare(image, how), wanted)


@pytest.mark.parametrize("fit", ["pad", "crop", "squash"])
@pytest.mark.parametrize("size", [(488, 680), (680, 488), (265, 370), (1000, 100), (90, 120)])
def test_resizing_once_gives_what_resizing_twice_does(fit: str, size: tuple[int, int]) -> None:
    """The same place to a pixel, and on average the same value to 3 of 256 levels."""
    image = card().resize(size, Image.Resampling.BICUBIC)
    fields = Preprocessing(fit, 384, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    twice, once = (prepare(image, replace(fields, resizes=resizes)) for resizes in (2, 1))

    assert np.abs(once - twice).mean() < 3 / 256
    for axis in (1, 2):
        seen = [np.flatnonzero(each.max(axis=(0, axis)) > 0.2)[[0, -1]] for each in (once, twice)]
        assert np.abs(seen[0] - seen[1]).max() <= 1


def test_a_smaller_size_than_the_models_loses_detail() -> None:
    """`--size 64` means 64, however large the model's input is."""
    shape = {"side": 224, "mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bicubic"}
    assert Preprocessing.of_model(shape, 64, "pad", 1).resizes == 2
    assert Preprocessing.of_model(shape, 224, "pad", 1).resizes == 1


def test_a_black_picture_is_an_input() -> None:
    """Where everything is black, nothing is left to resize, and that is no error."""
    how = Preprocessing("pad", 64, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (prepare(Image.new("RGB", (50, 70)), how) == -1).all()


def test_the_input_goes_where_the_caller_wants_it() -> None:
    """A row of a batch is filled in place, whatever it held, and no other row is touched."""
    how = Preprocessing("pad", 64, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    batch = np.full((3, 3, 32, 32), np.nan, dtype=np.float32)

    assert prepare(card(), how, batch[1]) is not None

    assert np.array_equal(batch[1], prepare(card(), how))
    assert np.isnan(batch[[0, 2]]).all()


def test_hidden_colours_do_not_show() -> None:
    """Under transparency lies black, whatever RGB the file hides there."""
    image = Image.new("RGBA", (60, 80), (255, 0, 255, 0))
    image.paste((10, 200, 30, 255), (20, 20, 40, 60))

    flat = np.asarray(load_image_rgb(content(image)))

    assert flat[0, 0].tolist() == [0, 0, 0]
    assert flat[40, 30].tolist() == [10, 200, 30]


def test_a_palette_with_transparency() -> None:
    """A transparent palette entry is as invisible as an alpha channel."""
    image = Image.new("P", (60, 80), 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(1, (30, 0, 60, 80))

    flat = np.asarray(load_image_rgb(content(image, transparency=0)))

    assert flat[40, 10].tolist() == [0, 0, 0]
    assert flat[40, 50].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("orientation", "size", "row", "column"),
    [(1, (60, 80), 0, 0), (3, (60, 80), 79, 59), (6, (80, 60), 0, 79), (8, (80, 60), 59, 0)],
)
def test_photos_are_turned_upright(
    orientation: int, size: tuple[int, int], row: int, column: int
) -> None:
    """The orientation that a telephone notes in EXIF is applied: the white corner moves."""
    image = Image.new("RGB", (60, 80))
    image.paste((255, 255, 255), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation

    upright = load_image_rgb(content(image, "JPEG", exif=exif, quality=95))

    assert upright.size == size
    assert np.asarray(upright)[row, column].min() > 200
    assert np.asarray(upright)[size[1] // 2, size[0] // 2].max() < 50


def test_sixteen_bit_grey_is_refused() -> None:
    """Pillow would turn it into a white page."""
    image = Image.fromarray(np.full((80, 60), 20_000, np.uint16))

    with pytest.raises(InvalidImageError, match="16-bit grey is not supported"):
        load_image_rgb(content(image))


def test_cmyk_becomes_rgb() -> None:
    """A print file's colours come out as colours."""
    flat = np.asarray(
        load_image_rgb(content(Image.new("CMYK", (60, 80), (0, 255, 255, 0)), "JPEG"))
    )

    red, green, blue = flat[40, 30].tolist()
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("data", [b"", b"junk", content(card(), "JPEG")[:2000]])
def test_what_is_no_picture_is_one_error(data: bytes) -> None:
    """Whatever Pillow raises, the caller sees `InvalidImageError`."""
    with pytest.raises(InvalidImageError):
        load_image_rgb(data)


def test_a_missing_file_is_the_same_error(tmp_path: Path) -> None:
    """A query with a typing error is told so."""
    with pytest.raises(InvalidImageError, match="No such file"):
        load_image_rgb(tmp_path / "no.jpg")


def test_the_description_survives_json() -> None:
    """What the manifest holds compares equal to what is computed anew."""
    import json

    shape = {
        "side": 224,
        "mean": [0.1, 0.2, 0.3],
        "std": [1.0, 2.0, 3.0],
        "interpolation": "bicubic",
    }
    how = asdict(Preprocessing.of_model(shape, 384, "pad", 1))
    assert json.loads(json.dumps(how)) == how
