"""A model hub of our own on 127.0.0.1, as the client `huggingface_hub` knows it.

    python -m devtools.model_hub FOLDER     # serves FOLDER/<owner>/<name>/<file>

It prints its base URL, which `HF_ENDPOINT` takes; SIGINT ends it. A file is asked for at
`/<owner>/<name>/resolve/main/<file>` and lies on another host, which is this one under another
name, at `/files/<its SHA-256>`. Requests for whole addresses are answered, too, as by a proxy.
"""

import hashlib
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from devtools.scryfall.content import file_answer
from devtools.scryfall.faults import Response, error_answer
from devtools.scryfall.server import Server, conditional

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/main/(.+)")


class Hub:
    """What a hub answers: `files` by `<owner>/<name>/<file>`."""

    def __init__(self, files: Mapping[str, bytes], base: str) -> None:
        self._base = base
        self._contents = {hashlib.sha256(body).hexdigest(): body for body in files.values()}
        self._digests = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer a request for a path or a whole address."""
        path = urlsplit(target).path
        body = self._contents.get(path.removeprefix("/files/"))
        if body is not None:
            return conditional(file_answer(body, "application/octet-stream", {}), headers)
        asked = _RESOLVE.fullmatch(path)
        if asked is None:
            return error_answer(404, "not_found", "There is nothing here.")
        digest = self._digests.get(f"{asked[1]}/{asked[2]}")
        if digest is not None:
            return self._found(digest)
        if any(name.startswith(f"{asked[1]}/") for name in self._digests):
            return _refusal(404, "EntryNotFound", "Entry not found")
        return _refusal(401, "RepoNotFound", "Repository not found")

    def _found(self, digest: str) -> Response:
        about = {
            "Location": f"{self._base.replace('127.0.0.1', 'localhost')}/files/{digest}",
            "X-Repo-Commit": _COMMIT,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(self._contents[digest])),
        }
        return Response(302, b"", about)


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(status, b"", {"X-Error-Code": code, "X-Error-Message": message})


class LoopbackHub(Server):
    """A hub at work while the `with` block lasts; `url` is for `HF_ENDPOINT`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__()
        self.answer = Hub(files, self.url).answer


def main(folder: Path) -> None:
    """Serve the files of a folder until Ctrl-C."""
    paths = [path for path in folder.glob("*/*/*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    with LoopbackHub(files) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
