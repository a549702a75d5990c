"""Weights from a model hub: whole and as announced, or a reason; what has arrived is kept."""

import hashlib
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import ROOT, FakeClock, environment

from devtools.model_hub import LoopbackHub
from helpers.errors import BusyError, WriteError
from helpers.network import model_hub
from helpers.network.model_hub import HubFile
from helpers.network.policy import Policy
from helpers.network.responses import FetchError
from helpers.report import Reporter
from helpers.session import DownloadSession

REPOSITORY = "timm/vit_base_patch32_clip_224.openai"  # of the default model
SAFE, PICKLED = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"
BODY = random.Random(1).randbytes(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
WANTED = HubFile(REPOSITORY, (SAFE, PICKLED))
FILE = "/files/"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A hub that has the default's weights, or what is taken for them."""
    with LoopbackHub({f"{REPOSITORY}/{SAFE}": BODY}) as hub:
        yield hub


@pytest.fixture
def cache(tmp_path: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's cache, empty; the client asks our hub."""
    ask(hub.url, monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return tmp_path / "hub"


def ask(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client of this process ask another hub."""
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


def fetch(wanted: HubFile = WANTED) -> None:
    """Fetch the weights without waiting."""
    session = DownloadSession(Policy("test", "http://127.0.0.1:9"), FakeClock())
    model_hub.fetch(wanted, session, Reporter(quiet=True))


def part_of(cache: Path) -> Path:
    """Return where an unfinished download lies."""
    folder = cache / f"models--{REPOSITORY.replace('/', '--')}" / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{DIGEST}.incomplete"


def served(hub: LoopbackHub) -> list[int]:
    """Return how many bytes of the file each request for it got."""
    return [entry["bytes"] for entry in hub.log() if entry["path"].startswith(FILE)]


def test_the_client_finds_what_was_fetched(hub: LoopbackHub, cache: Path) -> None:
    """The file is where `huggingface_hub` itself looks, whole, and was sent once."""
    assert model_hub.cached(WANTED) is None
    fetch()
    found = model_hub.cached(WANTED)
    assert found is not None
    assert found.read_bytes() == BODY
    assert not model_hub.is_damaged(found)
    assert served(hub) == [len(BODY)]
    assert not list(cache.rglob("*.incomplete"))


def test_a_hub_without_the_safer_format(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second name counts where the first is not there."""
    with LoopbackHub({f"{REPOSITORY}/{PICKLED}": BODY}) as other:
        ask(other.url, monkeypatch)
        fetch()
    found = model_hub.cached(WANTED)
    assert found is not None
    assert (found.name, found.read_bytes()) == (PICKLED, BODY)


@pytest.mark.parametrize(
    "fault",
    ["close_early", "reset_in_body", "chunked_cut", "close_early_no_length"],
)
def test_a_break_costs_the_rest_only(hub: LoopbackHub, cache: Path, fault: str) -> None:
    """What has arrived before a break is not asked for again."""
    hub.faults({"match": FILE, "fault": fault, "times": 1})
    fetch()
    assert next(cache.rglob("snapshots/*/*")).read_bytes() == BODY
    first, second = served(hub)
    assert second <= len(BODY) - first // 2, "the other half"


@pytest.mark.parametrize("fault", ["length_too_short", "length_too_long", "html", "empty"])
@pytest.mark.parametrize("times", [1, 6])
def test_another_content_is_not_believed(
    hub: LoopbackHub, cache: Path, fault: str, times: int
) -> None:
    """A body of another length or kind is asked for again, and never gets the file's name."""
    hub.faults({"match": FILE, "fault": fault, "times": times})
    if times == 1:
        fetch()
        assert next(cache.rglob("snapshots/*/*")).read_bytes() == BODY
    else:
        with pytest.raises(FetchError, match="bytes"):
            fetch()
        assert model_hub.cached(WANTED) is None


@pytest.mark.parametrize("kept", [1, len(BODY) // 2, len(BODY) - 1, len(BODY)])
def test_an_earlier_run_is_gone_on_from(hub: LoopbackHub, cache: Path, kept: int) -> None:
    """Only what is missing of the file of a stopped run is asked for."""
    part_of(cache).write_bytes(BODY[:kept])
    fetch()
    assert sum(served(hub)) == len(BODY) - kept
    assert next(cache.rglob("snapshots/*/*")).read_bytes() == BODY


@pytest.mark.parametrize("kept", [1, len(BODY), len(BODY) + 1])
def test_a_damaged_rest_of_an_earlier_run(hub: LoopbackHub, cache: Path, kept: int) -> None:
    """What is no part of the file spoils nothing: all of it is asked for again."""
    part_of(cache).write_bytes(b"?" * kept)
    fetch()
    assert next(cache.rglob("snapshots/*/*")).read_bytes() == BODY
    assert served(hub)[-1] == len(BODY)


def test_a_wrong_digest_is_refused(hub: LoopbackHub, cache: Path) -> None:
    """Bytes of the right number that are others than announced never get the file's name."""
    where, other = BODY[50:58], b"12345678"
    bad = BODY.replace(where, other)
    with LoopbackHub({"a/b/c": bad}) as mirror:
        target = f"{mirror.url}/files/{hashlib.sha256(bad).hexdigest()}"
        hub.faults({"match": FILE, "fault": "redirect", "params": {"location": target}})
        with pytest.raises(FetchError, match="its SHA-256 is"):
            fetch()
        assert served_by(mirror) == [len(BODY)]
    assert model_hub.cached(WANTED) is None
    assert [path.stat().st_size for path in cache.rglob("*.incomplete")] == [0]


def served_by(hub: LoopbackHub) -> list[int]:
    """Return how many bytes each request got."""
    return [entry["bytes"] for entry in hub.log()]


def questions(hub: LoopbackHub) -> int:
    """Return how often the hub was asked for a file; its client also asks for things of its own."""
    return sum("/resolve/" in entry["path"] for entry in hub.log())


@pytest.mark.parametrize(
    ("status", "reason", "asked"),
    [
        (401, "without a token, or has no such repository", 1),
        (403, "refuses it to this token or address", 1),
        (404, "has no such file", 2),  # by both names
        (429, "wants fewer requests", 6),
        (500, "HTTP 500", 6),
        (503, "HTTP 503", 6),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_the_hub_refuses(hub: LoopbackHub, status: int, reason: str, asked: int) -> None:
    """Each refusal has a meaning; only what may pass is asked for again."""
    hub.faults({"match": "resolve", "fault": "status", "params": {"code": status}})
    with pytest.raises(FetchError, match=reason):
        fetch()
    assert questions(hub) == asked


@pytest.mark.usefixtures("cache")
def test_an_overloaded_hub_is_asked_later(hub: LoopbackHub) -> None:
    """A 429 with `Retry-After` costs the wait and nothing else."""
    params = {"code": 429, "retry_after": "7"}
    hub.faults({"match": "resolve", "fault": "status", "times": 2, "params": params})
    fetch()
    assert model_hub.cached(WANTED) is not None


@pytest.mark.parametrize("fault", ["html", "empty", "hang", "reset_before_headers"])
@pytest.mark.usefixtures("cache")
def test_nobody_there(hub: LoopbackHub, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-in page or silence instead of a hub ends it once, and soon."""
    monkeypatch.setattr(model_hub, "ANSWER_SECONDS", 0.3)
    hub.faults({"match": "resolve", "fault": fault})
    with pytest.raises(FetchError):
        fetch()
    assert questions(hub) <= 1  # on a busy machine it may still be on its way


@pytest.mark.usefixtures("hub")
def test_two_runs_do_not_write_one_file(cache: Path) -> None:
    """While one run fetches the weights another is told so."""
    from filelock import FileLock

    lock = cache / ".locks" / f"models--{REPOSITORY.replace('/', '--')}" / f"{DIGEST}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(BusyError):
        fetch()


@pytest.mark.usefixtures("cache")
def test_a_full_disk_is_found_before(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the weights not a byte of them is asked for."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(WriteError) as caught:
        fetch()
    assert caught.value.details == "3.0 MB are needed, 1.0 MB are free"
    assert "HF_HOME" in caught.value.suggestion
    assert served(hub) == []


# The scripts' way there, in processes of their own: `fetch_weights` of the real default.

SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from helpers import cli
from helpers.model import options

def work(args, report):
    from helpers.model.weights import check_choice, fetch_weights
    check_choice(options.ModelOptions.from_args(args))
    fetch_weights(options.ModelOptions.from_args(args), report)
    return 0

raise SystemExit(cli.run(cli.parser("", options.FLAGS), work))
"""


Process = subprocess.Popen[str]


def start(home: Path, url: str, *, most: int = resource.RLIM_INFINITY, **env: str) -> Process:
    """Start what a script does before it loads the default model."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    variables = {"HF_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**{**variables, **env}),
        preexec_fn=limit,  # noqa: PLW1509 - the child only calls setrlimit before exec
    )


def end(process: Process) -> tuple[int, str]:
    """Return the exit code and what was said."""
    err = process.communicate(timeout=60)[1]
    assert "Traceback" not in err
    return process.returncode, err


def test_from_an_empty_cache_to_offline(hub: LoopbackHub, tmp_path: Path) -> None:
    """The size is said and the end is seen; later nobody is asked, network or none."""
    code, err = end(start(tmp_path, hub.url))
    assert code == 0, err
    assert f"Weights: 3.0 MB, once, from {hub.url}/{REPOSITORY} to {tmp_path}" in err
    assert "Weights: 3.00M of 3.00M (100.0%), " in err
    asked = questions(hub)
    for url, offline in ((hub.url, "0"), ("http://127.0.0.1:9", "0"), (hub.url, "1")):
        assert end(start(tmp_path, url, HF_HUB_OFFLINE=offline)) == (0, "")
    assert questions(hub) == asked


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(hub: LoopbackHub, tmp_path: Path, signum: signal.Signals) -> None:
    """However it is stopped, the same command asks for the other half only."""
    hub.faults({"match": FILE, "fault": "stall", "params": {"seconds": 60}})
    process = start(tmp_path, hub.url)
    half = len(BODY) // 2
    while not any(path.stat().st_size >= half - 100_000 for path in tmp_path.rglob("*.incomplete")):
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signum)
    code, _ = end(process)
    assert code == (-9 if signum == signal.SIGKILL else 128 + signum)
    hub.faults()
    code, err = end(start(tmp_path, hub.url))
    assert code == 0
    assert "are here already" in err
    assert served(hub)[-1] <= len(BODY) - half + 100_000


def test_a_disk_that_fills_up(hub: LoopbackHub, tmp_path: Path) -> None:
    """Exit 6 with the way out, and what has arrived is kept."""
    code, err = end(start(tmp_path, hub.url, most=2_000_000))
    assert code == 6
    assert "raise the file-size limit" in err
    assert end(start(tmp_path, hub.url))[0] == 0
    assert served(hub)[-1] == len(BODY) - 2_000_000


def test_through_a_proxy(hub: LoopbackHub, tmp_path: Path) -> None:
    """The usual variables are obeyed; one that does not answer is named, without its password."""
    nowhere = "http://localhost:9"
    dead = "http://me:secret@127.0.0.1:9"
    code, err = end(start(tmp_path, nowhere, HTTP_PROXY=dead, http_proxy=dead))
    assert code == 4
    assert "(through the proxy http://127.0.0.1:9)" in err
    assert "secret" not in err
    assert end(start(tmp_path, nowhere, HTTP_PROXY=hub.url, http_proxy=hub.url))[0] == 0
    assert any(e["path"].startswith(f"{nowhere}/{REPOSITORY}") for e in hub.log())


def test_a_cache_that_cannot_be_written(hub: LoopbackHub, tmp_path: Path) -> None:
    """A file where the cache should be is exit 6, with its name."""
    (tmp_path / "hub").write_text("")
    code, err = end(start(tmp_path, hub.url))
    assert code == 6
    assert str(tmp_path / "hub") in err


def test_damaged_weights_are_named(hub: LoopbackHub, tmp_path: Path) -> None:
    """A cached file whose content has changed is exit 5, and what to type."""
    assert end(start(tmp_path, hub.url))[0] == 0
    blob = next(tmp_path.rglob("blobs/*"))
    with blob.open("r+b") as file:
        file.write(b"?")
    code, err = end(start(tmp_path, hub.url))
    assert code == 5
    assert f"rm {blob}" in err
    blob.unlink()
    assert end(start(tmp_path, hub.url))[0] == 0
