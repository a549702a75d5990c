"""The files of one build appear together, whatever happens on the way."""

import json
import multiprocessing
import shutil
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from builds import Deck, build, flip, manifest, names
from support import run

from helpers.errors import DataError, WriteError
from helpers.index import publish
from helpers.index.card_index import CardIndex

Capture = pytest.CaptureFixture[str]


def a_build(folder: Path, text: str) -> Path:
    """Fill a directory with the files of a build that all say `text`."""
    for name in publish.NAMES:
        (folder / name).write_text(text)
    return folder


def new_staging(out: Path) -> Path:
    """Make an empty directory for the files of a build, as a killed run leaves it."""
    folder = out / ".build-0123456789ab"
    folder.mkdir()
    return folder


def seen(out: Path) -> list[str]:
    """Return what a reader finds in each of the files."""
    found = []
    for name in publish.NAMES:
        with publish.open_published(out, name) as file:
            found.append(file.read().decode())
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output directory with an old build and the checkpoint of the new one."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "checkpoint.npz").write_text("finished")
    return a_build(folder, "old")


def crash_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Make the given rename (0 is the journal's) of a publication fail."""
    import helpers.atomic_io

    real, steps = helpers.atomic_io.replace_durably, iter(range(100))

    def replace(source: Path, target: Path) -> None:
        if next(steps) == step:
            raise WriteError("the power is gone")
        real(source, target)

    patch.setattr("helpers.atomic_io.replace_durably", replace)
    patch.setattr("helpers.index.publish.replace_durably", replace)


@pytest.mark.parametrize("step", range(1 + len(publish.NAMES)))
def test_a_crash_at_any_step_leaves_one_build(
    out: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Readers see all old or all new files; the next run finishes or clears away."""
    staging = a_build(new_staging(out), "new")
    with monkeypatch.context() as patch:
        crash_at(patch, step)
        with pytest.raises(WriteError):
            publish.publish(out, staging)
    wanted = "old" if step == 0 else "new"
    assert seen(out) == [wanted] * len(publish.NAMES)

    publish.recover(out)

    assert seen(out) == [wanted] * len(publish.NAMES)
    assert [(out / name).read_text() for name in publish.NAMES] == [wanted] * len(publish.NAMES)
    assert (out / "checkpoint.npz").exists() == (step == 0)
    assert {path.name for path in out.iterdir()} - {"checkpoint.npz"} == set(publish.NAMES)


def test_a_crash_before_the_journal_is_cleared_away(out: Path) -> None:
    """Files that were never published vanish with the next run."""
    a_build(new_staging(out), "new")

    publish.recover(out)

    assert seen(out) == ["old"] * len(publish.NAMES)
    assert len(list(out.iterdir())) == len(publish.NAMES) + 1


@pytest.mark.parametrize(
    "journal",
    [
        {"staging": "../precious", "obsolete": []},
        {"staging": "", "obsolete": []},
        {"staging": ".build-x/../../precious", "obsolete": []},
        {"staging": ".build-0123456789ab", "obsolete": ["../precious/mtg_meta.jsonl"]},
        {"staging": ".build-0123456789ab", "obsolete": ["mtg_meta.jsonl"]},
        {"staging": 5, "obsolete": None},
        [],
    ],
)
def test_a_journal_cannot_point_outside(out: Path, journal: Any) -> None:
    """A damaged or foreign `publish.json` removes and replaces nothing."""
    precious = out.parent / "precious"
    precious.mkdir()
    a_build(precious, "precious")
    (out / publish.JOURNAL).write_text(json.dumps(journal))

    publish.recover(out)

    assert seen(precious) == ["precious"] * len(publish.NAMES)
    assert seen(out) == ["old"] * len(publish.NAMES)


def test_an_old_encoder_goes_with_its_build(out: Path) -> None:
    """A build without an encoder does not leave that of the build before."""
    staging = a_build(new_staging(out), "new")
    (staging / publish.ENCODER).unlink()

    publish.publish(out, staging)

    assert {path.name for path in out.iterdir()} == set(publish.NAMES) - {publish.ENCODER}


@pytest.fixture
def two_builds(tmp_path: Path, model: str, capsys: Capture) -> tuple[Path, Path]:
    """Two builds of different cards; the rows of each name only its own."""
    deck = Deck.of(tmp_path / "deck", 30)
    build(deck, tmp_path / "one", model, capsys)
    deck.put([(number, 1) for number in range(100, 145)])
    build(deck, tmp_path / "two", model, capsys)
    return tmp_path / "one", tmp_path / "two"


def read_on(out: Path, stop: Event, answers: Any) -> None:
    """Open the index again and again; say what was found, or what went wrong."""
    found: list[str] = []
    CardIndex(out, exact=True)
    CardIndex(out)
    answers.put("ready")  # everything is imported
    while not (stop.is_set() and found):
        try:
            index = CardIndex(out, exact=len(found) % 2 == 0)
        except DataError as error:
            found.append(str(error))
            break
        cards = [int(index.card(row)["collector_number"]) for row in range(index.vectors)]
        whole = cards in (list(range(30)), list(range(100, 145)))
        found.append("whole" if whole and index.dimension == 32 else f"mixed: {cards}")
    answers.put(found)


def test_readers_during_thirty_publications(two_builds: tuple[Path, Path], tmp_path: Path) -> None:
    """Two processes that open the index all the time see one build or the other, whole."""
    out = shutil.copytree(two_builds[0], tmp_path / "out")
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    readers = [context.Process(target=read_on, args=(out, stop, answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    assert [answers.get(timeout=60) for _ in readers] == ["ready", "ready"]
    for turn in range(30):
        staging = new_staging(out)
        shutil.copytree(two_builds[turn % 2], staging, dirs_exist_ok=True)
        document = manifest(staging)
        document["build_id"] = str(turn)  # none comes twice, by which a reader tells a new one
        del document["sha256"]
        (staging / publish.MANIFEST).write_text(json.dumps(document))
        publish.publish(out, staging)
    stop.set()
    found = [answers.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join(60)

    assert set().union(*found) == {"whole"}


def test_a_reader_in_the_middle_of_a_publication(
    two_builds: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two files moved and two not, a reader gets the new build."""
    out = shutil.copytree(two_builds[0], tmp_path / "out")
    staging = new_staging(out)
    shutil.copytree(two_builds[1], staging, dirs_exist_ok=True)
    with monkeypatch.context() as patch:
        crash_at(patch, 3)
        with pytest.raises(WriteError):
            publish.publish(out, staging)

    assert CardIndex(out).manifest["build_id"] == manifest(two_builds[1])["build_id"]
    assert CardIndex(out).vectors == 45


def test_files_of_two_builds_are_refused(two_builds: tuple[Path, Path]) -> None:
    """Somebody copied only one of the files: the reader names the one that does not belong."""
    shutil.copy(two_builds[1] / publish.METADATA, two_builds[0])

    with pytest.raises(DataError) as caught:
        CardIndex(two_builds[0])
    assert "mtg_meta.jsonl has" in caught.value.details


def test_verify_passes_a_good_index(two_builds: tuple[Path, Path]) -> None:
    """`verify_index.py`: exit 0, and what was checked."""
    result = run("scripts/verify_index.py", "--index", two_builds[0], "--json")

    assert result.code == 0, result.err
    assert result.json()["rows"] == 30
    assert result.json()["problems"] == []
    assert len(result.json()["checks"]) == 5


@pytest.mark.parametrize("name", [publish.VECTORS, publish.INDEX, publish.METADATA])
def test_verify_finds_a_flipped_byte(two_builds: tuple[Path, Path], name: str) -> None:
    """One byte anywhere: exit 5, and the file is named."""
    flip(two_builds[0] / name, (two_builds[0] / name).stat().st_size // 2)

    result = run("scripts/verify_index.py", "--index", two_builds[0])

    assert result.code == 5
    assert f"{name} is damaged or of another build" in result.out
    assert "python build_embeddings.py" in result.err


def test_verify_finds_rows_that_do_not_belong_together(two_builds: tuple[Path, Path]) -> None:
    """Vectors in another order than the graph's, with digests that fit: still found."""
    import numpy as np

    from helpers.index.manifest import describe_outputs, write_manifest

    folder = two_builds[0]
    np.save(folder / publish.VECTORS, np.load(folder / publish.VECTORS)[::-1])
    write_manifest(folder, {**manifest(folder), "outputs": describe_outputs(folder)})

    result = run("scripts/verify_index.py", "--index", folder)

    assert result.code == 5
    assert "row 0 has another vector in mtg_embeddings.npy" in result.out


def test_verify_names_all_that_does_not_fit(two_builds: tuple[Path, Path]) -> None:
    """A line too few, vectors too long, a graph of another build, with digests that fit."""
    import numpy as np

    from helpers.index.manifest import describe_outputs, write_manifest

    folder, other = two_builds
    lines = (folder / publish.METADATA).read_bytes().splitlines(keepends=True)
    (folder / publish.METADATA).write_bytes(b"".join(lines[:-1]))
    np.save(folder / publish.VECTORS, 2 * np.load(folder / publish.VECTORS))
    shutil.copy(other / publish.INDEX, folder)
    write_manifest(folder, {**manifest(folder), "outputs": describe_outputs(folder)})

    result = run("scripts/verify_index.py", "--index", folder, "--json")

    assert result.code == 5
    problems = result.json()["problems"]
    assert "metadata: one whole line per row: 29 lines, 30 rows" in problems
    assert "vectors: form, finite, unit length: row 0 is not of unit length" in problems
    assert any(problem.startswith("graph: every vector under its row") for problem in problems)


def test_verify_without_an_index(tmp_path: Path) -> None:
    """An empty directory is no index: exit 5, and how to build one."""
    result = run("scripts/verify_index.py", "--index", tmp_path)

    assert result.code == 5
    assert "there is no build_manifest.json" in result.err
    assert names(tmp_path) == set()
