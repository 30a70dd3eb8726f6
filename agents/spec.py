"""What a campaign was asked to do: everything needed to start it, and to start it again after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Frozen, content_hash
from .budget import Budget

if TYPE_CHECKING:
    from .llm.budget import Limits
    from .llm.client import Options


class LLMSpec(Frozen):
    """An OpenAI-compatible endpoint. The key stays in the environment (OPENAI_API_KEY), never here."""

    url: str
    model: str
    timeout_s: float = Field(default=120.0, gt=0)  # for one whole answer
    attempts: int = Field(default=4, ge=1, le=20)  # tries of one request
    wait_s: float = Field(default=30.0, ge=0)  # longest pause between two tries
    max_tokens: int = Field(default=4096, ge=16)  # of one answer
    max_calls: int = Field(default=200, ge=0)  # requests of the whole campaign
    max_total_tokens: int = Field(default=2_000_000, ge=0)

    def bounds(self) -> tuple[Limits, Options]:
        """What the whole campaign and what one request may cost."""
        from .llm.budget import Limits
        from .llm.client import Options

        limits = Limits(calls=self.max_calls, tokens=self.max_total_tokens)
        return limits, Options(
            timeout_s=self.timeout_s, attempts=self.attempts, wait_s=self.wait_s, max_tokens=self.max_tokens
        )


class CampaignSpec(Frozen):
    """A goal in words with its budgets. ``patient`` is the table's text, so that a resumed run needs no file."""

    question: str = Field(min_length=1, max_length=4000)
    data: str | None = None
    patient: str | None = None
    patient_name: str = ""
    budget: Budget = Budget()
    auto_approve: str | None = None
    llm: LLMSpec | None = None
    released: str = Field(default="", max_length=500)  # "NAME: why", where the hazard policy stops the request
    seed: int = Field(default=0, ge=0)

    @property
    def id(self) -> str:
        return "K" + content_hash(self.model_dump(mode="json"))[:10]


def read_spec(path: Path) -> CampaignSpec:
    """A campaign file (YAML). Raises BadInput that names the field and what it should be."""
    import yaml

    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"No campaign file {path}", cure="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} is not YAML", why=str(error).splitlines()[0], cure="see examples/campaign.yaml"
        ) from None
    if not isinstance(raw, dict):
        raise BadInput(f"{path} holds no fields", cure="see examples/campaign.yaml")
    if isinstance(raw.get("budget"), str):
        raw["budget"] = Budget.parse(raw["budget"]).model_dump()
    elif isinstance(raw.get("budget"), dict):
        raw["budget"] = Budget.of(raw["budget"]).model_dump()
    if raw.get("patient"):
        table = (path.parent / str(raw["patient"])).resolve()
        raw["patient_name"], raw["patient"] = table.name, patient_text(table)
    try:
        return CampaignSpec(**raw)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("file",), "msg": str(error)}
        field = ".".join(str(p) for p in first["loc"])
        raise BadInput(
            f"The campaign's {field} cannot be used", why=str(first["msg"]), cure="see examples/campaign.yaml"
        ) from None


def patient_text(path: Path) -> str:
    """The patient table as text; BadInput where there is none or it is no table."""
    from .patient_table import table_text

    return table_text(path)
