"""Cytocrux: an AI scientist that treats its virtual cell as a falsifiable theory.

theory(t+1) = update(theory(t), lab(design(argmax_claim E[log e(claim)] * value / cost)))

    import cytocrux
    from pathlib import Path

    outcome = cytocrux.ask("Which CRISPRa targets push K562 towards erythroid genes?", workspace=Path("work"),
                           data="norman", auto_approve="replay")
    outcome.answer["summary"]

Names are imported when they are first used, so that ``import cytocrux`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agents.budget import Budget
    from .agents.scientist import Outcome, ask, campaign_status, decide, resume, start
    from .agents.spec import CampaignSpec
    from .app.report import build as build_report
    from .knowledge.claims import Claim, Prediction
    from .knowledge.ledger import Ledger
    from .knowledge.status import replay
    from .world_model.cell import VirtualCell
    from .world_model.data.registry import load
    from .world_model.errors import BadInput, CytocruxError
    from .world_model.vocabulary import Arm, Context, Contrast, Perturbation, Readout

__version__ = "0.1.0"

_HOME = {
    "ask": ".agents.scientist",
    "start": ".agents.scientist",
    "resume": ".agents.scientist",
    "decide": ".agents.scientist",
    "campaign_status": ".agents.scientist",
    "Outcome": ".agents.scientist",
    "Budget": ".agents.budget",
    "CampaignSpec": ".agents.spec",
    "build_report": ".app.report",
    "Ledger": ".knowledge.ledger",
    "replay": ".knowledge.status",
    "Claim": ".knowledge.claims",
    "Prediction": ".knowledge.claims",
    "VirtualCell": ".world_model.cell",
    "load": ".world_model.data.registry",
    "Arm": ".world_model.vocabulary",
    "Context": ".world_model.vocabulary",
    "Contrast": ".world_model.vocabulary",
    "Perturbation": ".world_model.vocabulary",
    "Readout": ".world_model.vocabulary",
    "BadInput": ".world_model.errors",
    "CytocruxError": ".world_model.errors",
}

__all__ = [
    "Arm",
    "BadInput",
    "Budget",
    "CampaignSpec",
    "Claim",
    "Context",
    "Contrast",
    "CytocruxError",
    "Ledger",
    "Outcome",
    "Perturbation",
    "Prediction",
    "Readout",
    "VirtualCell",
    "__version__",
    "ask",
    "build_report",
    "campaign_status",
    "decide",
    "load",
    "replay",
    "resume",
    "start",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    names = {"build_report": "build"}
    value = getattr(importlib.import_module(_HOME[name], __name__), names.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
