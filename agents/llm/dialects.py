"""How to ask for schema-constrained JSON: the same request in the dialects that endpoints understand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Dialect:
    """strict: the endpoint must enforce the schema; limit: its name for the most output tokens."""

    format: Literal["json_schema", "json_object", "text"]
    strict: bool = False
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True


# from the most to the least constrained; the shape stands in the prompt too, and code checks every answer
DIALECTS = (
    Dialect("json_schema", strict=True),
    Dialect("json_schema", limit="max_completion_tokens", temperature=False),
    Dialect("json_object"),
    Dialect("text", temperature=False),
)


def parameters(dialect: Dialect, name: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """Keyword arguments of ``chat.completions.create`` beside model and messages. name, schema: of the answer."""
    found: dict[str, Any] = {dialect.limit: max_tokens}
    if dialect.temperature:
        found["temperature"] = 0
    if dialect.format == "json_object":
        found["response_format"] = {"type": "json_object"}
    elif dialect.format == "json_schema":
        named = {"name": name, "strict": dialect.strict, "schema": schema}
        found["response_format"] = {"type": "json_schema", "json_schema": named}
    return found
