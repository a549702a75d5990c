"""The sheet: outlines on the photo, whole scans, and in a browser a list that can be corrected."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from finds import answer, found, hit
from PIL import Image, ImageChops

from helpers.query.answer import MATCH, NO_CARD, UNSURE, Answer, Evidence, Found
from helpers.query.output.exports import Layout
from helpers.query.output.sheet import KEPT_SIDE, cut_out, small_copy
from helpers.query.output.sheet_png import CELL, WIDTH, png
from helpers.query.query_stage import write_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CORNERS = ((400.0, 300.0), (800.0, 300.0), (800.0, 860.0), (400.0, 860.0))
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (19, 115, 51)
OTHER = {"set": "lea", "set_name": "Alpha", "collector_number": "1", "scryfall_id": "of Alpha"}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with one blue scan, `scan.png`."""
    Image.new("RGB", (488, 680), BLUE).save(tmp_path / "scan.png")
    return tmp_path


def photo() -> bytes:
    """Return the kept copy of a white photo of 2000 × 1500 pixels with a red card in it."""
    picture = Image.new("RGB", (2000, 1500), (255, 255, 255))
    picture.paste(RED, (400, 300, 800, 860))
    return small_copy(picture)


def answers() -> list[Answer]:
    """Return two pictures with a match, an unsure card and no card, and one that is no picture."""
    link = "https://scryfall.com/card/rtr/31/a?utm_source=api"
    first = {"image_file": "scan.png", "scryfall_uri": link}
    match = Found(
        MATCH,
        [hit('A "quoted", name', also=[OTHER], **first), hit("B")],
        Evidence(143, 0.7, 0.1),
        CORNERS,
        "geometry",
        "tied",
    )
    cards = (match, found(UNSURE, hit("C <b>", **first), hit("D")), found(NO_CARD, hit("E")))
    one = Answer("a/photo.jpg", None, 2000, 1500, cards, photo())
    again = Answer("b/copy.jpg", None, 2000, 1500, cards, photo(), repeated=True)
    return [one, again, Answer("c/notes.txt", "not a picture"), answer("d", found(MATCH, hit("F")))]


def written(target: Path, cache: Path, given: list[Answer]) -> bytes:
    """Write a sheet and return its content."""
    write_sheet(target, given, cache, Layout())
    return target.read_bytes()


def box_of(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """Return where the pixels of nearly this colour are."""
    alike = ImageChops.difference(picture, Image.new("RGB", picture.size, colour)).convert("L")
    return alike.point(lambda value: 255 if value < 6 else 0).getbbox()


def test_the_kept_copy_is_small() -> None:
    """Its longer side is at most 1,400 pixels, whatever a phone delivers."""
    with Image.open(io.BytesIO(small_copy(Image.new("RGB", (4000, 3000))))) as copy:
        assert copy.size == (KEPT_SIDE, 1050)
        assert copy.format == "JPEG"


def test_outlines_are_drawn_where_the_card_is(cache: Path, tmp_path: Path) -> None:
    """Round the card, in the photo of the drawn sheet; the scan beside it is drawn, too."""
    target = tmp_path / "sheet.png"
    written(target, cache, answers()[:1])
    with Image.open(target) as sheet:
        sheet.load()
        assert sheet.width == WIDTH
        shown = sheet.convert("RGB").crop((16, 96, 16 + 560, 96 + 420))
        scan = box_of(sheet.convert("RGB"), BLUE)
    scale = 560 / 2000
    wanted = [round(place * scale) for place in (400, 300, 800, 860)]
    outline = box_of(shown.crop((0, 100, 560, 420)), GREEN)  # below the number
    assert outline is not None
    assert outline[0] == pytest.approx(wanted[0], abs=4)
    assert outline[2] == pytest.approx(wanted[2], abs=4)
    assert 100 + outline[3] == pytest.approx(wanted[3], abs=4)
    assert scan is not None
    assert scan[2] - scan[0] > CELL[0]  # in two cells: of the match, and of the unsure card


def test_the_drawn_sheet_has_a_row_per_picture(tmp_path: Path) -> None:
    """Rows without a photo or a scan have a grey box; hits beyond a line go to the next one."""
    hits = [hit(f"card {number}") for number in range(20)]
    given = [answer("nothing"), answer("much", found(UNSURE, *hits))]
    heights = []
    for count in (0, 1, 2):
        with Image.open(io.BytesIO(b"".join(png(given[:count], tmp_path)))) as sheet:
            sheet.load()
            heights.append(sheet.height)
    assert heights[0] < heights[1] < heights[2]
    assert heights[2] - heights[1] > 4 * CELL[1]


@pytest.mark.parametrize("kind", ["png", "html"])
def test_a_strip_of_a_picture_ends_no_sheet(kind: str, tmp_path: Path) -> None:
    """A photo that is shown one pixel high."""
    strip = small_copy(Image.new("RGB", (3200, 1)))
    given = Answer("strip.jpg", None, 100_000, 32, (found(UNSURE, hit("A")),), strip)
    assert written(tmp_path / f"sheet.{kind}", tmp_path, [given])


def test_a_card_is_cut_out_upright() -> None:
    """Also one that lies on its side."""
    picture = Image.new("RGB", (300, 300), (255, 255, 255))
    picture.paste(RED, (50, 100, 150, 172))
    picture.paste(BLUE, (150, 100, 151, 172))
    lying = ((150.0, 100.0), (150.0, 172.0), (50.0, 172.0), (50.0, 100.0))
    card = Found(MATCH, [], Evidence(9, 0.5, 0.1), lying)
    cut = cut_out(picture, card, Answer("x", None, 300, 300, (card,)))
    assert cut is not None
    assert cut.width < cut.height


def test_the_page_links_to_scryfall_and_needs_nothing_else(cache: Path, tmp_path: Path) -> None:
    """Links open in a tab of their own; names are text, not markup; no other address."""
    page = written(tmp_path / "sheet.html", cache, answers()).decode()
    link = '<a href="https://scryfall.com/card/rtr/31/a" target="_blank" rel="noopener">'
    assert page.count(link) == 4
    assert page.count("http") == page.count("https://scryfall.com/card/rtr/31/a")
    assert "C <b>" not in page
    assert "notes.txt: not a picture" in page
    assert "copy.jpg: the same picture as one above" in page


def test_scans_on_the_page_are_whole(cache: Path, tmp_path: Path) -> None:
    """Shrunk with their proportions, and nothing drawn on them."""
    page = written(tmp_path / "sheet.html", cache, answers()[:1]).decode()
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]*)" alt="([^"]*)"', page)
    scans = [data for data, text in pictures if text.startswith("A &quot;")]
    with Image.open(io.BytesIO(base64.b64decode(scans[0]))) as scan:
        assert scan.size == (244, 340)
        assert box_of(scan.convert("RGB"), BLUE) == (0, 0, 244, 340)


def in_chromium(page: bytes, script: str, folder: Path) -> dict[str, Any]:
    """Open a page in Chromium, run a script in it, and return what that puts into `result`."""
    catching = """
    {
    const result = {};
    let saved = null;  // reading a blob takes real time, which Chromium does not wait for
    window.Blob = class extends Blob {
      constructor(parts, options) { super(parts, options); saved = parts.join(""); }
    };
    const names = [];
    HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
    const find = (number) => document.querySelector(`article[data-find="${number}"]`);
    const choose = (number, value) => {
      const select = find(number).querySelector("select");
      select.value = value;
      select.dispatchEvent(new Event("change"));
    };
    const press = async () => {
      saved = null;
      document.getElementById("save").click();
      return saved;
    };
    (async () => {
      try { %s } catch (error) { result.error = String(error); }
      const out = document.createElement("pre");
      out.id = "result";
      out.textContent = JSON.stringify(result);
      document.body.append(out);
    })();
    }
    """
    driven = folder / "driven.html"
    driven.write_bytes(page + f"<script>{catching % script}</script>".encode())
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"),
            *("--disable-background-networking", f"--user-data-dir={folder / 'profile'}"),
            *("--virtual-time-budget=5000", "--dump-dom", driven.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    result: dict[str, Any] = json.loads(html.unescape(found[1]))
    assert "error" not in result, result["error"]
    return result


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_list_is_corrected_in_a_browser(cache: Path, tmp_path: Path) -> None:
    """Untouched, the page saves what --csv writes; then what a person chose, and shows that."""
    given = answers()
    page = written(tmp_path / "sheet.html", cache, given)
    listing = Layout().text([row for each in given for row in Layout().rows(each)])

    result = in_chromium(
        page,
        """
        result.untouched = await press();
        result.before = document.getElementById("summary").textContent;
        choose(0, "1");
        find(1).querySelectorAll("button[data-choice]")[1].click();
        choose(2, "none");
        result.badge = getComputedStyle(find(0).querySelector(".badge")).display + ": "
          + find(0).querySelector(".badge").textContent;
        result.after = document.getElementById("summary").textContent;
        result.corrected = await press();
        for (const number of [0, 1, 2]) choose(number, "");
        result.undone = await press();
        result.names = names;
        """,
        tmp_path,
    )

    assert result["untouched"] == listing
    assert result["before"] == "2 in the list, 1 unsure, 0 corrected"
    assert result["after"] == "2 in the list, 0 unsure, 3 corrected"
    assert result["badge"].startswith('block: corrected: A "quoted", name – LEA 1 en')
    assert result["corrected"].splitlines()[1:] == [
        '1,"A ""quoted"", name",lea,,English,,1,of Alpha,corrected,sure,a/photo.jpg,1',
        "1,D,rtr,,English,,31,id of D,corrected,sure,a/photo.jpg,2",
    ]
    assert result["undone"] == listing
    assert result["names"] == ["cards.csv"] * 3
