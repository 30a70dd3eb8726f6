"""What a campaign was asked to do: everything needed to start it, and to start it again after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Frozen, content_hash
from .budget import Budget

if TYPE_CHECKING:
    from .llm.budget import Limits
    from .llm.client import Options

ROLES = ("planner", "reader", "theorist", "sceptic", "experimentalist", "analyst", "critic")


class LLMSpec(Frozen):
    """An OpenAI-compatible endpoint and every setting of a call to it; the key stays in the environment.

    model: one name, or "default=NAME,sceptic=NAME" for a model a role. brief: short lists and short answers, for a
    model of a few billion parameters or less.
    """

    url: str
    model: str
    timeout_s: float = Field(default=120.0, gt=0)  # for one whole answer
    attempts: int = Field(default=4, ge=1, le=20)  # tries of one request
    wait_s: float = Field(default=30.0, ge=0)  # longest pause between two tries
    max_tokens: int = Field(default=4096, ge=16)  # of one answer
    max_calls: int = Field(default=400, ge=0)  # requests of the whole campaign
    max_total_tokens: int = Field(default=2_000_000, ge=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    stream: bool = False
    brief: bool = False
    tool_calls: int = Field(default=2, ge=0, le=8)  # looks a role may take before it decides
    rounds: int = Field(default=1, ge=0, le=3)  # of the debate between theorist and sceptic, each cycle

    @classmethod
    def of(cls, url: str, model: str, options: str) -> LLMSpec:
        """From the command line; options as in "brief=true,requests_per_minute=20". Raises BadInput."""
        values: dict[str, str] = {}
        for part in filter(None, (p.strip() for p in options.split(","))):
            name, _, value = part.partition("=")
            if name not in cls.model_fields or name in ("url", "model"):
                known = ", ".join(n for n in cls.model_fields if n not in ("url", "model"))
                raise BadInput(f"Unknown setting {name!r} of the language model", cure=f"use {known}")
            values[name] = value
        try:
            found = cls.model_validate({"url": url, "model": model, **values})
            _ = found.models  # a role that there is not is found here
            return found
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(f"The setting {first['loc'][0]} cannot be used", why=first["msg"]) from None

    @property
    def models(self) -> str | dict[str, str]:
        """One name, or role -> name. Raises BadInput for a role that there is not, or where none is the default."""
        if "=" not in self.model:
            return self.model
        found = dict(part.strip().split("=", 1) for part in self.model.split(",") if "=" in part)
        unknown = [role for role in found if role not in (*ROLES, "default")]
        if unknown or not (set(ROLES) <= set(found) or "default" in found):
            what = f"There is no role {unknown[0]!r}" if unknown else "No model is named for the other roles"
            raise BadInput(what, cure=f"write default=NAME,ROLE=NAME; roles: {', '.join(ROLES)}")
        return found

    def bounds(self) -> tuple[Limits, Options]:
        """What the whole campaign and what one request may cost."""
        from .llm.budget import Limits
        from .llm.client import Options

        limits = Limits(calls=self.max_calls, tokens=self.max_total_tokens)
        return limits, Options(
            timeout_s=self.timeout_s,
            attempts=self.attempts,
            wait_s=self.wait_s,
            max_tokens=self.max_tokens,
            stream=self.stream,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
        )


class CampaignSpec(Frozen):
    """A goal in words with its budgets. ``patient`` is the table's text, so that a resumed run needs no file."""

    question: str = Field(min_length=1, max_length=4000)
    data: str | None = None
    patient: str | None = None
    patient_name: str = ""
    budget: Budget = Budget()
    auto_approve: str | None = None
    lab: Literal["replay", "simulated"] | None = None  # None: simulated where the data are, else replay
    llm: LLMSpec | None = None
    released: str = Field(default="", max_length=500)  # "NAME: why", where the hazard policy stops the request
    seed: int = Field(default=0, ge=0)

    @property
    def id(self) -> str:
        told = self.model_dump(mode="json")
        if self.lab is None:
            told.pop("lab")  # a spec from before labs could be named keeps its id
        first = ("wells", "cycles", "hours", "usd")  # and so does one from before a lab's limits could be
        told["budget"] = {k: v for k, v in told["budget"].items() if k in first or v is not None}
        return "K" + content_hash(told)[:10]


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
