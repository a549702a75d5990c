"""How long a question takes: the first one after the prompt, the next ones, the search itself."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devtools.benchmarks.compare import Contender, Series
from devtools.benchmarks.engines import TORCH, EngineFlags
from devtools.benchmarks.index import make_index
from devtools.benchmarks.material import read_faces
from devtools.benchmarks.processes import Run, task_command
from devtools.scryfall.process import ROOT

if TYPE_CHECKING:
    from devtools.benchmarks.material import Material

EXACT = "exact search of one vector"
_K, _EF_SEARCH = 5, 64
_SEARCHES = 200
_BUILT = 8  # images that are really embedded


def contenders(material: Material) -> list[Contender]:
    """Return queries with every engine, and the search of a vector in both ways."""
    questions = material.folder / "questions.txt"
    images = [face.image_file for face in read_faces(material.cache)]
    questions.write_text("".join(f"{material.cache / name}\n" for name in images), encoding="utf-8")
    usable = [engine for engine, problem in material.engines.items() if not problem]
    indexes = {engine: _index(material, engine) for engine in usable}
    queries = [_query(material, each, indexes.get(each), questions) for each in material.engines]
    index = next(iter(indexes.values()), None)
    return [*queries, _search(material, index, exact=False), _search(material, index, exact=True)]


def _query(
    material: Material, engine: EngineFlags, index: Path | None, questions: Path
) -> Contender:
    cold, warm = "{}: first hit after the start", "{}: further pictures through -"
    size = f"{material.args.vectors:,} vectors"
    series = (
        Series(cold.format(engine.name), "s", Run.first_line, _torch(cold, engine), size),
        Series(warm.format(engine.name), "images/s", Run.lines_per_second, _torch(warm, engine)),
    )
    flags = ("--index", str(index), "--k", "1", "--group", "none", "--quiet")
    command = [sys.executable, str(ROOT / "query_index.py"), "-", *flags]
    return Contender(
        "query",
        lambda _: command,
        series,
        material.engines[engine],
        stdin=questions,
        variables=material.variables,
    )


def _torch(name: str, engine: EngineFlags) -> str:
    return "" if engine is TORCH else name.format(TORCH.name)


def _search(material: Material, index: Path | None, *, exact: bool) -> Contender:
    series = Series(
        EXACT if exact else f"HNSW search of one vector (efSearch {_EF_SEARCH})",
        "ms",
        lambda run: float(run.answer()["ms"]),
        "" if exact else EXACT,
        f"best {_K} of {material.args.vectors:,}",
    )
    command = task_command(search, index, exact, material.args.seed)
    return Contender("query", lambda _: command, (series,), "" if index else "no engine")


def _index(material: Material, engine: EngineFlags) -> Path:
    """Return an index of `--vectors` rows that was built with an engine.

    A build of so many images would take long. So a small build is enlarged: its model and its
    manifest are real, its further vectors are synthetic.
    """
    out = material.folder / f"index-{engine.name}"
    flags = (*material.model, *engine.flags, "--limit", _BUILT, "--quiet")
    material.run("build_embeddings.py", "--cache", material.cache, "--out", out, *flags)
    dimension = material.task(dimension_of, out)["dimension"]
    graph = material.folder / f"graph-{dimension}.faiss"
    material.task(enlarge, out, material.vectors(dimension), graph, engine is TORCH)
    return out


# --- in a process of its own -----------------------------------------------------------------


def dimension_of(out: str) -> dict[str, Any]:
    """Return the `dimension` of an index."""
    from helpers.index.manifest import read_manifest

    return {"dimension": read_manifest(Path(out))["index"]["dimension"]}


def enlarge(out: str, vectors: str, graph: str, torch: bool) -> dict[str, Any]:  # noqa: FBT001 - JSON
    """Give the index in `out` these vectors and their graph, which is built if need be.

    With `torch` it loses its encoder: it is then asked through torch.
    """
    import numpy as np

    from helpers.atomic_io import atomic_write_json
    from helpers.index.manifest import describe_outputs, read_manifest
    from helpers.index.publish import ENCODER, INDEX, MANIFEST, METADATA, VECTORS

    folder, count = Path(out), len(np.load(vectors, mmap_mode="r"))
    if not Path(graph).exists():
        make_index(Path(vectors), Path(graph))
    for source, name in ((vectors, VECTORS), (graph, INDEX)):
        (folder / name).unlink()
        os.link(source, folder / name)
    lines = (folder / METADATA).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        record.pop("same_as", None)  # the vector of its row is another one now
    cycled = itertools.islice(itertools.cycle(records), count)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in cycled)
    (folder / METADATA).write_text(text, encoding="utf-8")
    manifest = read_manifest(folder)
    if torch:
        (folder / ENCODER).unlink(missing_ok=True)
        manifest.pop("encoder", None)
    manifest["index"] |= {"vectors": count, "distinct": count}
    atomic_write_json(folder / MANIFEST, {**manifest, "outputs": describe_outputs(folder)})
    return {"vectors": count}


def search(index: str, exact: bool, seed: int) -> dict[str, Any]:  # noqa: FBT001 - from JSON
    """Search for perturbed rows of an index, one at a time; return the median `ms`."""
    import numpy as np

    from helpers.index.card_index import CardIndex
    from helpers.index.exact_search import perturbed
    from helpers.index.publish import VECTORS

    vectors = np.load(Path(index) / VECTORS, mmap_mode="r")
    queries = perturbed(vectors, _SEARCHES, seed)
    opened = CardIndex(Path(index), exact=exact)
    seconds = []
    for place in range(_SEARCHES):
        start = time.perf_counter()
        opened.search(queries[place : place + 1], _K, _EF_SEARCH)
        seconds.append(time.perf_counter() - start)
    return {"ms": 1000 * statistics.median(seconds)}
