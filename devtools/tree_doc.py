"""Writes the tree into docs/developing.md, a line per file: `python -m devtools.tree_doc`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from helpers.atomic_io import atomic_write

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "developing.md"
#: What stands between these two lines of the document is written by this module.
BEGIN = "<!-- the tree: written by `python -m devtools.tree_doc`; a test compares -->"
END = "<!-- end of the tree -->"
FOLDERS = ("scripts", "helpers", "devtools")
_INDENT = "  "


def first_line(path: Path) -> str:
    """Return the first line of a Python file's docstring.

    Raises:
        ValueError: the file has none.
    """
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path} has no docstring")
    return docstring.partition("\n")[0]


def tree(root: Path) -> str:
    """Return the tree of the project in `root`: names on the left, what they hold beside them."""
    rows = [(path.name, first_line(path)) for path in sorted(root.glob("*.py"))]
    for name in FOLDERS:
        rows += _folder(root / name, depth=0)
    width = max(len(name) for name, _ in rows)
    lines = (f"{name:{width}}  {about}".rstrip() for name, about in rows)
    return "\n".join(["```text", *lines, "```"])


def _folder(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    """Yield a folder, its files and then its folders, those without Python files left out."""
    if not any(folder.rglob("*.py")):
        return
    package = folder / "__init__.py"
    about = first_line(package) if package.is_file() else ""
    yield f"{_INDENT * depth}{folder.name}/", about
    for path in sorted(folder.glob("*.py")):
        if path != package:
            yield f"{_INDENT * (depth + 1)}{path.name}", first_line(path)
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from _folder(inner, depth + 1)


def filled(document: str, root: Path) -> str:
    """Return the document with the tree of `root` between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{TARGET.name} lacks the mark {END if begin else BEGIN}")
    return f"{before}{BEGIN}\n\n{tree(root)}\n\n{END}{after}"


def main() -> int:
    """Write the tree into the document."""
    atomic_write(TARGET, filled(TARGET.read_text(encoding="utf-8"), ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
