"""The benchmark of minds sees what it should: duplicates, overruns, differing verdicts, names nobody knows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from cytocrux.agents.minds.protocol import Briefing
from cytocrux.evals import minds_checks, minds_faults, minds_local
from cytocrux.evals.mind_models import block, faithful
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput, DataUnavailable
from cytocrux.world_model.vocabulary import Readout

SCREEN = Briefing(
    dataset="screen",
    contexts=("LINE-1",),
    perturbations=("Alpha", "Beta"),
    kinds=("compound",),
    readouts=(Readout(modality="viability", variable="LN_IC50", unit="ln uM"),),
)


def test_a_broken_server_leaves_nothing_undecided_and_no_budget_overrun() -> None:
    told = minds_faults.fault_server(SCREEN, "Propose a panel of compounds for LINE-1", calls=60)
    assert told.calls >= 60 and told.decisions > 0
    assert (told.undecided, told.overruns) == (0, 0)
    assert told.fallbacks > told.decisions / 2, "a server that is nearly always broken"
    assert len(told.counted) >= 12


def test_an_effect_that_happened_twice_is_counted(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        for _ in range(2):
            ledger.append("campaign_finished", {"reason": "done"}, campaign="K1")
        ledger.append("campaign_finished", {"reason": "done"}, campaign="K2")
        assert minds_checks.duplicate_effects(ledger) == 1
        assert minds_checks.wells_over(ledger, 8) == 0
        assert minds_checks.verdicts(ledger, ledger) == (0, 0)
        wells = anndata.AnnData(
            np.zeros((1, 1)), obs=pd.DataFrame({"perturbation": ["a"], "context": ["c"]}, index=["w"])
        )
        assert minds_checks.unresolved(ledger, wells) == (0, 0)


def test_the_faithful_model_proposes_names_of_the_prompt() -> None:
    tag = "0" * 32
    lists = {"perturbations": "Alpha: kinase inhibitor\nBeta", "readouts": "LN_IC50: down, primary"}
    text = "\n".join(f"<<<{label} {tag}\n{names}\n{label} {tag}>>>" for label, names in lists.items())
    request = {"messages": [{"role": "user", "content": text}]}
    assert block(request, "perturbations") == ["Alpha: kinase inhibitor", "Beta"]
    assert block(request, "missing") == []
    content = json.loads(json.loads(faithful(request).body)["choices"][0]["message"]["content"])
    assert [h["perturbations"] for h in content["hypotheses"]] == [["Alpha"], ["Beta"]]


def test_without_a_local_model_the_cure_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYTOCRUX_LOCAL_MODEL", raising=False)
    with pytest.raises(BadInput, match="make test-llm"), minds_local.local_model():
        pass
    (tmp_path / "model.gguf").write_bytes(b"no model")
    monkeypatch.setenv("CYTOCRUX_LOCAL_MODEL", str(tmp_path / "model.gguf"))
    monkeypatch.setenv("CYTOCRUX_LOCAL_PYTHON", sys.executable)
    with pytest.raises(DataUnavailable, match="did not start"), minds_local.local_model():
        pass
