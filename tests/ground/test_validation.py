"""Which bytes may enter the cache, and for which reason others may not."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFile

from helpers.images.preprocess import load_image_rgb
from helpers.validation import InvalidImageError, validate_image


def picture(mode: str = "RGB", size: tuple[int, int] = (146, 204)) -> Image.Image:
    """Return a picture with some structure."""
    image = Image.new("RGB", size, (40, 80, 120))
    draw = ImageDraw.Draw(image)
    for step in range(0, size[0], 7):
        draw.line((step, 0, size[0] - step, size[1]), fill=(step % 256, 200, 90), width=2)
    return image.convert(mode)


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


JPEG, PNG, WEBP = encoded("JPEG"), encoded("PNG"), encoded("WEBP")


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (JPEG, ".jpg"),
        (JPEG, ".jpeg"),
        (PNG, ".png"),
        (WEBP, ".webp"),
        (encoded("JPEG", picture("L")), ".jpg"),
        (encoded("JPEG", picture("CMYK")), ".jpg"),
        (encoded("JPEG", progressive=True), ".jpg"),
        (encoded("PNG", picture("RGBA")), ".png"),
        (encoded("PNG", picture("P")), ".png"),
    ],
)
def test_whole_images_are_valid(data: bytes, suffix: str) -> None:
    """Every format and colour model that Scryfall serves or might serve."""
    assert validate_image(data, suffix) == (True, None)


@pytest.mark.parametrize(("data", "suffix"), [(JPEG, ".jpg"), (PNG, ".png"), (WEBP, ".webp")])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncation_is_found(data: bytes, suffix: str, share: float) -> None:
    """Wherever a file is cut, it is refused."""
    valid, reason = validate_image(data[: max(1, int(len(data) * share))], suffix)
    assert not valid
    assert reason


@pytest.mark.parametrize(("data", "suffix"), [(JPEG, ".jpg"), (PNG, ".png"), (WEBP, ".webp")])
def test_a_wrong_end_is_found(data: bytes, suffix: str) -> None:
    """A tail of zeros as a full disk leaves it, appended bytes, a cut in the header."""
    half = len(data) // 2
    assert not validate_image(data[:half] + bytes(len(data) - half), suffix).valid
    assert not validate_image(data + b"<html>", suffix).valid
    if suffix == ".jpg":
        assert not validate_image(data[:20] + b"\xff\xd9", suffix).valid


@pytest.mark.parametrize(
    ("data", "suffix", "reason"),
    [
        (b"", ".jpg", "empty file"),
        (b"  <!DOCTYPE html><p>no", ".jpg", "HTML"),
        (b"GIF89a" + bytes(50), ".jpg", "not a picture in a format that is read (JPEG, PNG, WEBP)"),
        (encoded("BMP"), ".jpg", "not a picture in a format that is read (JPEG, PNG, WEBP)"),
        (PNG, ".jpg", "PNG content under the name of a JPEG"),
        (encoded("JPEG", picture(size=(1, 1))), ".jpg", "too small"),
        (encoded("PNG", Image.new("1", (5000, 4001))), ".png", "more than 20,000,000 pixels"),
        (encoded("PNG", Image.new("I;16", (64, 64))), ".png", "pixel format 16-bit grey"),
        (encoded("WEBP", save_all=True, append_images=[picture("L")]), ".webp", "animated"),
    ],
)
def test_reasons(data: bytes, suffix: str, reason: str) -> None:
    """Each kind of refusal says what it is."""
    valid, found = validate_image(data, suffix)
    assert not valid
    assert found is not None
    assert reason in found


def test_files_are_judged_by_their_own_suffix(tmp_path: Path) -> None:
    """A path needs no second argument; a missing file has its reason, too."""
    path = tmp_path / "card.jpg"
    path.write_bytes(JPEG)
    assert validate_image(path).valid
    path.write_bytes(PNG)
    assert not validate_image(path).valid
    assert validate_image(tmp_path / "none.jpg") == (
        False,
        "cannot be read: No such file or directory",
    )


def test_a_library_that_allows_truncated_images_changes_nothing() -> None:
    """Pillow's global flag would let half a JPEG pass for a whole one."""
    whole = encoded("JPEG", picture(size=(600, 800)))
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with pytest.raises(InvalidImageError, match="truncated"):
            load_image_rgb(whole[: len(whole) // 2])
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"a text", "not a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(64), "HEIC"),
    ],
)
def test_pictures_that_pillow_does_not_know(data: bytes, reason: str) -> None:
    """A query with something else gets a reason that says what to do."""
    with pytest.raises(InvalidImageError, match=reason):
        load_image_rgb(data)
