"""From a picture file to the pixels that a model sees: the same way for the index and the query."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from helpers.validation import InvalidImageError, check_header, decoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Under transparent pixels: Scryfall's PNGs have transparent corners, and card borders are mostly
#: black. Without a fixed colour the hidden RGB values would show.
BACKGROUND = (0, 0, 0)
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Everything that decides which numbers a picture becomes; part of the fingerprint.

    Args:
        fit: how the picture becomes a square: `pad` with black bars, `crop` its centre, `squash`.
        size: side of that square in pixels.
        side: side in pixels of the model's input; the square is resized to it.
        mean: per channel, of pixel values 0 to 1.
        std: per channel.
        interpolation: `bicubic` or `bilinear`, as the model was trained.
    """

    fit: str
    size: int
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"

    def to_json(self) -> dict[str, Any]:
        """Return the fields for the manifest, equal to what is read back from it."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def of_model(cls, shape: dict[str, Any], size: int, fit: str) -> Preprocessing:
        """Combine a model's input (`side`, `mean`, `std`, `interpolation`) with a build's flags."""
        fields = {key: shape[key] for key in ("side", "mean", "std", "interpolation")}
        return cls.from_json({**fields, "size": size, "fit": fit})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Preprocessing:
        """Return what `to_json` was called on."""
        return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})


def load_image_rgb(source: Path | str | bytes) -> Image.Image:
    """Decode a picture, turn it upright (EXIF), and flatten it to RGB.

    Args:
        source: a file in any format that Pillow reads, or its content.

    Raises:
        InvalidImageError: it is no picture, too large, or of an unsupported pixel format.
    """
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise InvalidImageError(error.strerror or str(error)) from error
    with decoding(data) as image:
        check_header(image)
        upright = ImageOps.exif_transpose(image)
        return _flatten(upright)


def _flatten(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, layer).convert("RGB")
    return image.convert("RGB")


def fit_square(image: Image.Image, size: int, fit: str, interpolation: str) -> Image.Image:
    """Return `image` as a square of `size` × `size` pixels.

    `pad` loses nothing of the card: CLIP's own transform resizes the short side and crops, which
    drops 28 % of a card's height, its name among it.
    """
    resampling = _RESAMPLING[interpolation]
    if fit == "squash":
        return image.resize((size, size), resampling)
    if fit == "crop":
        return ImageOps.fit(image, (size, size), resampling)
    inner = ImageOps.contain(image, (size, size), resampling)
    square = Image.new("RGB", (size, size), BACKGROUND)
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def prepare(image: Image.Image, how: Preprocessing) -> NDArray[np.float32]:
    """Return the model's input for an RGB picture.

    Returns:
        float32 [3, side, side], normalised per channel.
    """
    square = fit_square(image, how.size, how.fit, how.interpolation)
    if how.side != how.size:
        square = square.resize((how.side, how.side), _RESAMPLING[how.interpolation])
    pixels = np.asarray(square, dtype=np.float32)
    pixels /= np.float32(255)
    pixels -= np.asarray(how.mean, dtype=np.float32)
    pixels /= np.asarray(how.std, dtype=np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
