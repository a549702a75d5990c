"""From a picture file to the pixels that a model sees: the same way for the index and the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from helpers.atomic_io import read_bounded
from helpers.validation import MAX_BYTES, InvalidImageError, check_header, checking, decoding

#: Under transparent pixels: Scryfall's PNGs have transparent corners, and card borders are mostly
#: black. Without a fixed colour the hidden RGB values would show.
BACKGROUND = (0, 0, 0)
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
#: A picture more than twice too large is first reduced by averaging whole blocks of pixels: less
#: than half the time, and on 126 crops of real photos as many cards found.
_GAP = 1.0


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Everything that decides which numbers a picture becomes; part of the fingerprint.

    Args:
        fit: how the picture becomes a square: `pad` with black bars, `crop` its centre, `squash`.
        size: side of that square in pixels; what is smaller than `side` loses detail.
        side: side in pixels of the model's input; the square is resized to it.
        mean, std: per channel, of pixel values 0 to 1.
        interpolation: `bicubic` or `bilinear`, as the model was trained.
        resizes: 1, straight to `side`; 2, to `size` first, as all versions up to 1.1 did, whose
            manifests do not say so.
    """

    fit: str
    size: int
    side: int
    mean: Sequence[float]
    std: Sequence[float]
    interpolation: str = "bicubic"
    resizes: int = 2

    @classmethod
    def of_model(cls, shape: dict[str, Any], size: int, fit: str, resizes: int) -> Self:
        """Combine a model's input (`side`, `mean`, `std`, `interpolation`) with a build's flags."""
        resizes = resizes if size >= shape["side"] else 2
        return cls(**shape, fit=fit, size=size, resizes=resizes)


def load_image_rgb(source: Path | str | bytes) -> Image.Image:
    """Decode a picture (or the content of its file), turn it upright (EXIF), and flatten it to RGB.

    Raises:
        InvalidImageError: it is no picture, too large, or of an unsupported pixel format.
    """
    with decoding(picture_bytes(source, MAX_BYTES)) as image:
        check_header(image)
        return upright_rgb(image)


def picture_bytes(source: Path | str | bytes, most: int) -> bytes:
    """Return a picture file of at most `most` bytes; InvalidImageError if it cannot be read."""
    if isinstance(source, bytes):
        return source
    try:
        return read_bounded(source, most)
    except OSError as error:
        raise InvalidImageError(error.strerror or str(error)) from error
    except ValueError as error:  # a name that no file can have, such as one with a zero byte
        raise InvalidImageError(f"no file can have this name: {error}") from error


def load_checked_rgb(data: bytes, suffix: str) -> Image.Image:
    """Do what `load_image_rgb` and `validation.check_image` do (and raise), in one decoding."""
    with checking(data, suffix) as image:
        return upright_rgb(image)


def upright_rgb(image: Image.Image) -> Image.Image:
    """Decode and turn in place: nearly every picture is upright RGB, and needs no copy."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def fit_square(image: Image.Image, side: int, how: Preprocessing) -> Image.Image:
    """Return `image` as a square of `side` × `side` pixels.

    `pad` loses nothing of the card: CLIP's own transform resizes the short side and crops, which
    drops 28 % of a card's height, its name among it.
    """
    resampling = _RESAMPLING[how.interpolation]
    if how.fit == "crop":
        return ImageOps.fit(image, (side, side), resampling)
    width = height = side
    if how.fit == "pad":
        scale = side / max(image.size)
        width, height = (max(1, round(length * scale)) for length in image.size)
    gap = _GAP if how.resizes == 1 else None
    inner = image.resize((width, height), resampling, reducing_gap=gap)
    square = Image.new("RGB", (side, side), BACKGROUND)
    square.paste(inner, ((side - width) // 2, (side - height) // 2))
    return square


def prepare(
    image: Image.Image, how: Preprocessing, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the model's input for an RGB picture: float32 [3, side, side], normalised per channel.

    `out`, such as one row of a batch, is filled and returned if given.
    """
    if out is None:
        out = np.empty((3, how.side, how.side), dtype=np.float32)
    square = fit_square(image, how.side if how.resizes == 1 else how.size, how)
    if square.width != how.side:
        square = square.resize((how.side, how.side), _RESAMPLING[how.interpolation])
    out[...] = np.asarray(square).transpose(2, 0, 1)
    out /= np.float32(255)
    out -= np.asarray(how.mean, dtype=np.float32)[:, None, None]
    out /= np.asarray(how.std, dtype=np.float32)[:, None, None]
    return out
