"""What to measure: the flags of the benchmark."""

from helpers.cli_validation import Flag, FlagGroup, ListOf, Number, OneOf

PARTS = ("decode", "bulk", "index", "photo", "model", "pipeline", "list", "whiten", "query")
ENGINES = ("torch-fp32", "onnx-fp32", "onnx-int8")

_PARTS, _ENGINES = ListOf(OneOf(PARTS)), ListOf(OneOf(ENGINES))
_VECTORS, _CARDS = Number(int, 100, 10_000_000), Number(int, 10, 1_000_000)

_NAME = "open_clip name, whose weights are random here, or local-dir:DIR"

FLAGS = FlagGroup(
    "benchmark",
    (
        Flag("--parts", _PARTS, ",".join(PARTS), "LIST", "what to measure"),
        Flag("--repeats", Number(int, 1, 100), None, "N", "runs of everything (3, 1 with a model)"),
        Flag("--images", Number(int, 2, 100_000), 64, "N", "pictures in the cache"),
        Flag("--photos", Number(int, 1, 10_000), 5, "N", "photos of the list"),
        Flag("--vectors", _VECTORS, 4_000, "N", "rows of the index"),
        Flag("--cards", _CARDS, 20_000, "N", "cards of the bulk file"),
        Flag("--seed", Number(int, 0), 0, "N", "of everything that is random"),
        Flag("--model", None, "ViT-B-32-quickgelu", "NAME", _NAME),
        Flag("--engines", _ENGINES, ",".join(ENGINES), "LIST", "what runs it"),
    ),
)
