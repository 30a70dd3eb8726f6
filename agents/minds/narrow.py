"""The schema of a reply, narrowed to what can be resolved: an endpoint that keeps to schemas can say nothing else.

The narrow schema is what the endpoint is told. What comes back is checked against the reply's own, wider shape, and
every name is resolved again: an endpoint that ignores schemas loses a name, not the whole answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

MOST_NAMES = 240  # of one enum; endpoints refuse longer ones
MOST_CHARS = 12_000
BRIEF_ITEMS = 3
BRIEF_PARTS = 1  # of a list of objects within an object: the steps of a mechanism
BRIEF_TEXT = 120

Choices = Mapping[str, Sequence[str]]  # "Shape.field" -> the names it may hold


def narrowed(
    shape: type[BaseModel], choices: Choices, *, brief: bool = False, singles: Collection[str] = ()
) -> dict[str, Any]:
    """The JSON schema of ``shape`` with these choices as enums. brief: short lists and short texts besides.

    singles: "Shape.field" of lists that may hold one item only, as perturbations where no pair was measured.
    A field without choices (an empty list) becomes an empty list where it is one, and stays open where it is text.
    """
    schema: dict[str, Any] = shape.model_json_schema()
    for name, thing in {shape.__name__: schema, **schema.get("$defs", {})}.items():
        for field, spec in thing.get("properties", {}).items():
            _narrow(spec, choices.get(f"{name}.{field}"), brief)
            if f"{name}.{field}" in singles:
                spec["maxItems"] = 1
            if brief and thing is not schema and "$ref" in spec.get("items", {}):
                spec["maxItems"] = min(spec.get("maxItems", BRIEF_PARTS), BRIEF_PARTS)
    return schema


def _narrow(spec: dict[str, Any], names: Sequence[str] | None, brief: bool) -> None:
    if names is not None and not names and spec.get("type") == "array":
        spec["maxItems"] = 0
        return
    if names and len(names) <= MOST_NAMES and sum(map(len, names)) <= MOST_CHARS:
        text = spec["items"] if spec.get("type") == "array" else spec
        if text.get("type") == "string":
            text.pop("maxLength", None)
            text["enum"] = list(dict.fromkeys(names))
    if brief and spec.get("type") == "array" and spec.get("maxItems", BRIEF_ITEMS + 1) > BRIEF_ITEMS:
        spec["maxItems"] = BRIEF_ITEMS
    if brief and spec.get("maxLength", 0) > BRIEF_TEXT:
        spec["maxLength"] = BRIEF_TEXT
