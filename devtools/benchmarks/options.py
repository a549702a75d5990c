"""What to measure: the flags of the benchmark."""

from __future__ import annotations

from helpers.cli_validation import Directory, Flag, FlagGroup, ListOf, Number, OneOf

PARTS = ("startup", "decode", "model", "pipeline", "download", "bulk", "index", "query")
ENGINES = ("torch-fp32", "onnx-fp32", "onnx-int8")

FLAGS = FlagGroup(
    "benchmark",
    (
        Flag(
            "--parts",
            ListOf(OneOf(PARTS)),
            default=",".join(PARTS),
            metavar="LIST",
            help="what to measure (%(default)s)",
        ),
        Flag(
            "--repeats",
            Number(int, 1, 100),
            default=3,
            metavar="N",
            help="runs of everything (%(default)s)",
        ),
        Flag(
            "--images",
            Number(int, 2, 100_000),
            default=48,
            metavar="N",
            help="pictures in the cache (%(default)s)",
        ),
        Flag(
            "--cache",
            Directory(),
            metavar="DIR",
            help="take pictures from here, instead of drawing them",
        ),
        Flag(
            "--vectors",
            Number(int, 100, 10_000_000),
            default=10_000,
            metavar="N",
            help="rows of the index (%(default)s)",
        ),
        Flag(
            "--cards",
            Number(int, 10, 1_000_000),
            default=20_000,
            metavar="N",
            help="cards of the bulk file (%(default)s)",
        ),
        Flag(
            "--seed",
            Number(int, 0),
            default=0,
            metavar="N",
            help="of everything that is random (%(default)s)",
        ),
    ),
)
MODEL_FLAGS = FlagGroup(
    "model",
    (
        Flag(
            "--model",
            default="ViT-B-32-quickgelu",
            help="open_clip name, local-dir:DIR (%(default)s)",
        ),
        Flag(
            "--engines",
            ListOf(OneOf(ENGINES)),
            default=",".join(ENGINES),
            metavar="LIST",
            help="what to run it with (%(default)s)",
        ),
        Flag(
            "--pretrained",
            metavar="TAG",
            help="weights; untrained ones are as fast (random)",
        ),
    ),
)
