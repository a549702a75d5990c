"""The JSON documents of the scripts, checked against their schemas in docs/schemas."""

import json
from typing import Any

from jsonschema import Draft202012Validator
from support import ROOT

SCHEMAS = ROOT / "docs" / "schemas"


def strict(schema: Any) -> Any:
    """Return a schema that allows only what it names: later versions add fields, this one not."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def check(document: Any, name: str) -> None:
    """Validate a document against `docs/schemas/NAME.json`."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(strict(schema)).validate(document)
