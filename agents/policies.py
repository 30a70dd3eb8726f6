"""Stated approval policies: the only thing beside a person that may approve an experiment."""

from __future__ import annotations

from typing import Literal

from ..knowledge.claims import Approval, Design
from ..tools.lab.protocol import Capabilities
from ..world_model.errors import BadInput

POLICIES = {
    "replay": "approves designs on the replay or simulated lab that fit the wells left in the budget; nothing else",
}


def check_policy(name: str) -> str:
    """The policy's name, or BadInput that lists the known ones."""
    if name not in POLICIES:
        known = "; ".join(f"{k}: {v}" for k, v in POLICIES.items())
        raise BadInput(f"Unknown approval policy {name!r}", cure=f"use one of: {known}")
    return name


def check_lab(name: str) -> Literal["replay", "simulated"]:
    """The lab's name, or BadInput that lists the known ones."""
    if name == "replay":
        return "replay"
    if name == "simulated":
        return "simulated"
    raise BadInput(f"Unknown lab {name!r}", cure="use replay or simulated")


def approve(policy: str, design: Design, lab: Capabilities, wells_left: int) -> Approval | None:
    """The policy's consent to this design, or None when a person has to decide."""
    if policy == "replay" and lab.name in ("replay", "simulated") and design.wells <= wells_left:
        return Approval(
            design_hash=design.content_hash(),
            by="policy:replay",
            reason=f"{design.wells} wells on the {lab.name} lab, {wells_left} left in the budget",
        )
    return None
