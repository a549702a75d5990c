"""Models and weights: which are refused, and why the right ones are right."""

import json
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import VECTORS, Deck, build, names
from support import command, environment

from helpers.images.preprocess import Preprocessing, load_image_rgb, prepare
from helpers.model.options import ModelOptions

Capture = pytest.CaptureFixture[str]

#: The cheapest architecture that open_clip has built in.
SMALL = "ViT-S-32-alt"


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    """A deck of 3 cards."""
    return Deck.of(tmp_path / "deck", 3)


@pytest.fixture
def own_model(model: str, tmp_path: Path) -> Path:
    """A model directory of the test's own."""
    return Path(shutil.copytree(model.removeprefix("local-dir:"), tmp_path / "model"))


def choose(deck: Deck, model: str, capture: Capture, *more: str) -> tuple[int, str]:
    """Build with some model; return the exit code and what was said."""
    result = build(deck, deck.folder / "out", model, capture, *more)
    assert result.code == 0 or names(deck.folder / "out") == set(), "nothing is left behind"
    return result.code, result.err


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("ViT-B-99", [], "open_clip knows no model 'ViT-B-99'"),
        ("ViT-B-32-quickgelu", ["--pretrained", ""], "has no weights ''"),
        ("ViT-B-32-quickgelu", ["--pretrained", "openia"], "has no weights 'openia'"),
        ("ViT-B-32", ["--pretrained", "openai"], "--model ViT-B-32-quickgelu"),
        ("ViT-B-32-quickgelu", ["--pretrained", "laion2b_s34b_b79k"], "has no weights"),
        ("local-dir:/x", ["--pretrained", "openai"], "makes no sense with --model"),
        ("ViT-B-32-quickgelu", ["--device", "mps"], "--device mps"),
    ],
)
def test_choices_that_cannot_be(
    deck: Deck, capsys: Capture, model: str, more: list[str], message: str
) -> None:
    """A wrong name, tag or pair of both is exit 2, and the message names the way out."""
    pretrained = ["--pretrained", "random"] if "--device" in more else []
    code, err = choose(deck, model, capsys, *more, *pretrained)

    assert code == 2
    assert message in err


def test_an_unknown_model_is_named_without_torch(deck: Deck) -> None:
    """A typing error costs no start of torch, and similar names are offered."""
    words = command("build_embeddings.py", *deck.flags(deck.folder / "out", "ViT-B-32-quikgelu"))
    done = subprocess.run(
        [words[0], "-X", "importtime", *words[1:]],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )

    assert done.returncode == 2
    assert "did you mean ViT-B-32-quickgelu?" in done.stderr
    assert "| torch" not in done.stderr


@pytest.mark.parametrize(("offline", "reason"), [("0", "refused"), ("1", "forbids to ask")])
def test_weights_that_cannot_be_had(deck: Deck, tmp_path: Path, offline: str, reason: str) -> None:
    """Never random weights instead: exit 4, and two ways to go on offline."""
    out = deck.folder / "out"
    done = subprocess.run(
        command("build_embeddings.py", *deck.flags(out, "ViT-B-32-quickgelu")),
        capture_output=True,
        text=True,
        env=environment(
            HF_HUB_OFFLINE=offline, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9"
        ),
        check=False,
    )
    err = done.stderr

    assert done.returncode == 4, err
    assert "ERROR: source unavailable: the weights ViT-B-32-quickgelu/openai" in err
    assert reason in err
    assert "--pretrained FILE" in err
    assert "--model local-dir:DIR" in err


@pytest.mark.usefixtures("no_export")
def test_a_directory_without_weights(deck: Deck, own_model: Path, capsys: Capture) -> None:
    """open_clip would go on with random weights; here both missing files are named."""
    for path in own_model.iterdir():
        path.unlink()

    code, err = choose(deck, f"local-dir:{own_model}", capsys)

    assert code == 5
    assert "it needs open_clip_config.json, and open_clip_model.safetensors or" in err


def test_weights_that_are_not_finite(deck: Deck, own_model: Path, capsys: Capture) -> None:
    """One NaN among the weights is found before it is in every vector, by the export's process."""
    from safetensors.torch import load_file, save_file

    weights = load_file(own_model / "open_clip_model.safetensors")
    weights["visual.ln_post.weight"][5] = float("nan")
    save_file(weights, own_model / "open_clip_model.safetensors")

    code, err = choose(deck, f"local-dir:{own_model}", capsys)

    assert code == 5
    assert "not finite: ln_post.weight" in err


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_weights_file(deck: Deck, own_model: Path, capsys: Capture, keep: int) -> None:
    """Half a download is exit 5 with its name, not a traceback."""
    weights = own_model / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])

    code, err = choose(deck, f"local-dir:{own_model}", capsys)

    assert code == 5
    assert "the weights do not load" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("no_export")
def test_weights_of_another_model(deck: Deck, own_model: Path, capsys: Capture) -> None:
    """Tensors that do not fit the configuration are refused."""
    config = own_model / "open_clip_config.json"
    document = json.loads(config.read_text())
    document["model_cfg"]["vision_cfg"]["width"] = 128
    config.write_text(json.dumps(document))

    code, err = choose(deck, f"local-dir:{own_model}", capsys)

    assert code == 5
    assert "the weights do not load" in err


class Hostile:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.victim, "executed")


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("as_file", [True, False])
def test_a_hostile_pickle_is_not_executed(
    deck: Deck,
    own_model: Path,
    tmp_path: Path,
    capsys: Capture,
    as_file: bool,  # noqa: FBT001
) -> None:
    """A weights file that wants to run code is refused with exit 5, and nothing runs."""
    (own_model / "open_clip_model.safetensors").unlink()
    weights = own_model / "open_clip_pytorch_model.bin"
    weights.write_bytes(pickle.dumps(Hostile(tmp_path / "victim"), protocol=2))
    choice = [SMALL, "--pretrained", str(weights)] if as_file else [f"local-dir:{own_model}"]

    code, err = choose(deck, choice[0], capsys, *choice[1:])

    assert code == 5
    assert "want to run code" in err
    assert not (tmp_path / "victim").exists()


@pytest.mark.usefixtures("no_export")
def test_vectors_equal_open_clips_own(deck: Deck, tmp_path: Path, capsys: Capture) -> None:
    """A weights file saved from an untrained model gives what `encode_image` gives, to 1e-5."""
    import open_clip
    import torch

    capsys.readouterr()
    code, err = choose(deck, SMALL, capsys, "--pretrained", "random")
    assert code == 0
    assert "the weights are random" in err
    torch.manual_seed(3)
    clip = open_clip.create_model(SMALL, pretrained=None).eval()
    torch.save(clip.state_dict(), tmp_path / "weights.pt")

    assert choose(deck, SMALL, capsys, "--pretrained", str(tmp_path / "weights.pt"))[0] == 0

    options = ModelOptions(SMALL, "", "cpu", "fp32", 384, "pad")
    from helpers.model.torch_embedder import _input

    shape = _input(clip.visual.preprocess_cfg)
    how = Preprocessing.of_model(shape, options.size, options.fit, options.resizes)
    pixels = np.stack([prepare(load_image_rgb(deck.image(place)), how) for place in range(3)])
    with torch.inference_mode():
        expected = clip.encode_image(torch.from_numpy(pixels), normalize=True).numpy()
    found = np.load(deck.folder / "out" / VECTORS)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found[0] - expected[1]).max() > 1e-3, "three different cards"
