"""What a campaign may spend. Checked in code before every spending; no mind can raise it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..world_model.errors import BadInput
from ..world_model.vocabulary import Frozen

PLATE = 96  # wells of a plate where a budget of plates names no size


class Budget(Frozen):
    """wells: revealed or run in all; cycles: rounds of the loop; hours: wall time; usd: LLM money.

    Of the lab, each None where it limits nothing: plates of plate_size wells, lab_usd (money), days. The prices and
    the days of an experiment are the lab's where they are not named here (see allowance.py).
    """

    wells: int = Field(default=192, ge=1)
    cycles: int = Field(default=6, ge=1, le=1000)
    hours: float = Field(default=8.0, gt=0)
    usd: float | None = Field(default=None, ge=0)  # None = no money limit; the calls and tokens stay limited
    plates: int | None = Field(default=None, ge=1)
    plate_size: Literal[96, 384, 1536] | None = None
    lab_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    days: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    usd_per_well: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    usd_per_plate: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    days_per_cycle: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @property
    def plate(self) -> int | None:
        """Wells of a plate; None = the smallest that holds the experiment."""
        return self.plate_size or (PLATE if self.plates is not None else None)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """From "wells=96,hours=8,usd=5"; unknown keys and unparsable numbers raise BadInput."""
        values: dict[str, float] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, number = part.partition("=")
            if name not in cls.model_fields:
                raise BadInput(
                    f"Unknown budget {name!r}", cure=f"use {', '.join(cls.model_fields)}, as in wells=96,hours=8"
                )
            try:
                values[name] = float(number)
            except ValueError:
                raise BadInput(f"The budget {part!r} has no number", cure="write it as wells=96") from None
        return cls.of(values)

    @classmethod
    def of(cls, values: dict[str, float]) -> Budget:
        """From a mapping; values out of range raise BadInput that names the field."""
        from pydantic import ValidationError

        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(f"The budget's {first['loc'][0]} cannot be used", why=first["msg"]) from None
