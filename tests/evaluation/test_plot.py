"""The plot of an evaluation: every panel holds something, and names what was evaluated."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image
from support import run

from helpers.errors import WriteError
from helpers.evaluation.plot import WIDTH, draw_precision, title, write_plot

HEAD: dict[str, Any] = {
    "index": {"vectors": 54963},
    "model": {"model": "ViT-B-32", "pretrained": "openai", "precision": "fp32"},
    "seed": 7,
}


NAMES = ("clean", "blur", "glare", "sleeve", "jpeg", "rotate", "easy", "photo", "hard")
PARTS: dict[str, Any] = {
    "identify": {
        "conditions": [
            {"condition": name, "card_top_1": 1 - n / 10, "card_top_5": 1 - n / 20}
            for n, name in enumerate(NAMES)
        ],
    },
    "photo_totals": {
        "kinds": [
            {"kind": kind, "found": 8, "unsure": 3, "missed": 2, "false_matches": 1}
            for kind in ("several", "single", "all")
        ],
        "precision": [
            {"inliers": 12 * n, "right": 9 - n, "false": 3 - n, "precision": n / 4, "recall": 1 / n}
            for n in (1, 2, 3)
        ],
    },
}
PANELS = {"identify": 1, "photo_totals": 2}


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    """Return the saturated colours of a picture: those of its lines and bars."""
    found = picture.convert("RGB").getcolors(1 << 20) or []
    seen = {colour for count, colour in found if count > 20 and isinstance(colour, tuple)}
    return {colour for colour in seen if max(colour) - min(colour) > 60}


@pytest.mark.parametrize("part", PARTS)
def test_no_panel_is_blank(part: str, tmp_path: Path) -> None:
    """Whatever was measured alone is drawn: lines or bars in every panel."""
    target = tmp_path / "plot.png"
    write_plot(target, {**HEAD, part: PARTS[part]})
    with Image.open(target) as plot:
        assert plot.size == (WIDTH, 380 * PANELS[part] + 50)
        for number in range(PANELS[part]):
            top = 50 + 380 * number
            assert colours(plot.crop((0, top, WIDTH, top + 380))), number


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    """No date and no version is in the file; another document gives another one."""
    for name, document in (
        *(("a.png", HEAD | PARTS), ("b.png", HEAD | PARTS)),
        ("c.png", HEAD | PARTS | {"seed": 8}),
    ):
        write_plot(tmp_path / name, document)
    contents = [(tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png")]
    assert contents[0] == contents[1] != contents[2]


def test_the_title_names_model_rows_and_seed() -> None:
    """A plot that is found later tells what it is of; a model without a tag has none."""
    assert title(HEAD) == "ViT-B-32 openai fp32 · 54,963 rows · seed 7"
    local = HEAD | {"model": {"model": "local-dir:a", "pretrained": None, "precision": "fp32"}}
    assert title(local) == "local-dir:a fp32 · 54,963 rows · seed 7"


def test_precision_is_drawn_over_recall() -> None:
    """A point for each threshold, on one line."""
    axes = Figure().add_subplot()
    draw_precision(axes, PARTS["photo_totals"]["precision"])
    (line,) = axes.get_lines()
    assert line.get_xydata().tolist() == [[1, 0.25], [1 / 2, 0.5], [1 / 3, 0.75]]  # type: ignore[union-attr]


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(WriteError, match=r"plot\.png"):
        write_plot(tmp_path / "missing" / "plot.png", HEAD | PARTS)


def test_without_matplotlib_nothing_is_measured(index: Path, tmp_path: Path) -> None:
    """Exit code 2 and what to install, before any work; without --plot it is not needed."""
    flags = ("--index", index, "--parts", "recall", "--ladder", 16)
    refused = run(
        "scripts/evaluate_index.py", *flags, "--plot", tmp_path / "plot.png", hide="matplotlib"
    )
    assert refused.code == 2
    assert "the package matplotlib is not installed" in refused.err
    assert refused.out == ""
    assert run("scripts/evaluate_index.py", *flags, hide="matplotlib").code == 0
