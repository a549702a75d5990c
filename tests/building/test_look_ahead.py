"""What a build needs is known before anything is downloaded, and every suggestion is complete."""

import random
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from builds import call, manifest
from support import Result, Scryfall, run

import build_embeddings
import build_mtg_faiss
import query_index
from devtools.model_hub import LoopbackHub
from helpers.building.options import BuildOptions
from helpers.cli_validation import validate_args
from helpers.index.manifest import rebuild_command

Capture = pytest.CaptureFixture[str]
NOWHERE = "http://127.0.0.1:9"


def one_step(tmp_path: Path, capture: Capture, api: str, *more: object) -> Result:
    """Run both steps in one command."""
    flags = ["--scryfall-api", api, "--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    return call(build_mtg_faiss.main, [*flags, *more], capture)


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--model", "ViT-B-32"], 2, "--model ViT-B-32-quickgelu"),
        (["--model", "ViT-B-99"], 2, "open_clip knows no model"),
        (["--pretrained", "openia"], 2, "has no weights 'openia'"),
        (["--model", "local-dir:/nowhere"], 5, "it needs open_clip_config.json"),
        (["--model", "onnx:/nowhere"], 5, "/nowhere"),
    ],
)
def test_a_model_that_cannot_be_ends_it_before_the_download(
    scryfall: Scryfall, tmp_path: Path, capsys: Capture, flags: list[str], code: int, said: str
) -> None:
    """Nobody is asked for cards, and nothing is written."""
    result = one_step(tmp_path, capsys, scryfall.url, *flags)
    assert result.code == code
    assert said in result.err
    assert scryfall.log() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_a_damaged_weights_file_ends_it_before_the_download(
    scryfall: Scryfall, tmp_path: Path, capsys: Capture, model: str
) -> None:
    """A file of one's own is loaded once before hours of downloads."""
    own = Path(shutil.copytree(model.removeprefix("local-dir:"), tmp_path / "model"))
    weights = own / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    result = one_step(tmp_path, capsys, scryfall.url, "--model", f"local-dir:{own}")
    assert result.code == 5
    assert "the weights do not load" in result.err
    assert scryfall.log() == []


def test_what_a_first_run_needs_is_said_before_it_starts(tmp_path: Path) -> None:
    """Weights and images, with their sizes, before the first of them comes."""
    weights = random.Random(1).randbytes(1_230_000)
    name = "timm/vit_base_patch32_clip_224.openai/open_clip_model.safetensors"
    flags = ("--scryfall-api", NOWHERE, "--max-retries", 0, "--cache", tmp_path / "cache")
    with LoopbackHub({name: weights}) as hub:
        results = [
            run("build_mtg_faiss.py", *flags, "--out", tmp_path / "out", HF_ENDPOINT=hub.url,
                HF_HUB_OFFLINE="0", HF_HOME=str(tmp_path / "home"),
                MTG_ENCODER_CACHE=str(tmp_path / "encoders"))
            for _ in range(2)
        ]  # fmt: skip
    assert [result.code for result in results] == [4, 4]
    first, second = (result.err.splitlines() for result in results)
    assert first[0] == "Needed: 1.2 MB of weights, once, and about 6.1 GB of images"
    assert first[1].startswith("Weights: 1.2 MB, once, from ")
    assert second[0] == "Needed: about 6.1 GB of images"


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--kind", "all_cards", "--image-version", "png", "--set", "rtr,rix", "--limit", "7"],
        ["--model", "ViT-L-14", "--pretrained", "laion2b_s32b_b82k", "--size", "100"],
        ["--model", "local-dir:a model", "--fit", "crop", "--no-whiten", "--cache", "my cache"],
    ],
)
def test_the_command_to_build_again_is_complete(flags: list[str]) -> None:
    """What a manifest's suggestion says, typed elsewhere, gives the same parameters."""
    wanted = parameters(flags)
    command = shlex.split(rebuild_command({"parameters": wanted}, Path("my out")))
    assert command[:2] == ["python", "build_embeddings.py"]
    assert command[-2 - (not wanted["whiten"]) :][:2] == ["--out", "my out"]
    assert parameters(command[2:]) == wanted


def parameters(words: list[str]) -> dict[str, Any]:
    """Return what a manifest would say of these flags."""
    args = build_embeddings.PARSER.read(words)
    validate_args(args)
    return BuildOptions.from_args(args).to_json()


def test_a_manifest_holds_no_path_that_depends_on_where_the_build_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is found by who asks the index from another directory."""
    (tmp_path / "cards.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    found = parameters(["--cache", "images", "--bulk-file", "cards.jsonl"])
    assert found["cache"] == str(tmp_path / "images")
    assert found["bulk_file"] == str(tmp_path / "cards.jsonl")


def test_a_damaged_index_says_how_to_build_it(
    index: Path, filled_cache: Path, capsys: Capture
) -> None:
    """The suggestion names cache and model, which only the manifest knows."""
    flags = manifest(index)["parameters"]
    (index / "mtg_cards.faiss").write_bytes(b"")
    result = call(query_index.main, [next(filled_cache.glob("*.jpg")), "--index", index], capsys)
    assert result.code == 5
    command = next(line for line in result.err.splitlines() if "build it: " in line)
    args = build_embeddings.PARSER.read(shlex.split(command.partition("build it: ")[2])[2:])
    assert (args.cache, args.model, args.out) == (flags["cache"], flags["model"], str(index))


def test_a_week_without_news_is_one_line_of_the_log(built_index: Path) -> None:
    """Both steps, in a log: the time, since when, and nothing else; under `--quiet` nothing."""
    built = manifest(built_index)["parameters"]
    flags = ("--cache", built["cache"], "--out", built_index, "--model", built["model"])
    result = run("build_mtg_faiss.py", *flags, "--scryfall-api", NOWHERE)
    assert (result.code, result.out) == (0, "")
    assert re.fullmatch(r"20[-\d]+T[:\d]+\+00:00 nothing new since 20.*, 24 cards\n", result.err)
    assert run("build_mtg_faiss.py", *flags, "--scryfall-api", NOWHERE, "--quiet").err == ""


def test_a_moved_cache_is_named(
    filled_cache: Path, built_index: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A sheet without one scan says where they were looked for."""
    picture = next(filled_cache.glob("*.jpg"))
    flags = [picture, "--whole", "--index", built_index, "--sheet", tmp_path / "sheet.html"]
    assert "WARNING" not in call(query_index.main, flags, capsys).err
    moved = call(query_index.main, [*flags, "--cache", tmp_path / "gone"], capsys)
    assert moved.code == 0
    assert f"the sheet shows no scans: they are not in {tmp_path / 'gone'}" in moved.err
