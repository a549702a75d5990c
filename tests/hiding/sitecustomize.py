"""Python runs this at its start: packages named in `$MTG_HIDE` then seem not to be installed."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

_HIDDEN = frozenset(os.environ["MTG_HIDE"].split(","))


class HidingFinder(PathFinder):
    """The usual finder, blind to some packages."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """Return None for a hidden package, and what is there for any other."""
        if fullname.split(".", 1)[0] in _HIDDEN:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = HidingFinder
