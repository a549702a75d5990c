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
            ",".join(PARTS),
            "LIST",
            "what to measure (%(default)s)",
        ),
        Flag("--repeats", Number(int, 1, 100), 3, "N", "runs of everything (%(default)s)"),
        Flag("--images", Number(int, 2, 100_000), 48, "N", "pictures in the cache (%(default)s)"),
        Flag(
            "--cache", Directory(), None, "DIR", "take pictures from here, instead of drawing them"
        ),
        Flag(
            "--vectors",
            Number(int, 100, 10_000_000),
            10_000,
            "N",
            "rows of the index (%(default)s)",
        ),
        Flag(
            "--cards",
            Number(int, 10, 1_000_000),
            20_000,
            "N",
            "cards of the bulk file (%(default)s)",
        ),
        Flag("--seed", Number(int, 0), 0, "N", "of everything that is random (%(default)s)"),
    ),
)
MODEL_FLAGS = FlagGroup(
    "model",
    (
        Flag(
            "--model",
            None,
            "ViT-B-32-quickgelu",
            "NAME",
            "open_clip name, local-dir:DIR (%(default)s)",
        ),
        Flag(
            "--engines",
            ListOf(OneOf(ENGINES)),
            ",".join(ENGINES),
            "LIST",
            "what to run it with (%(default)s)",
        ),
        Flag("--pretrained", None, None, "TAG", "weights; untrained ones are as fast (random)"),
    ),
)
