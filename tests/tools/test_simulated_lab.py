"""The simulated lab: approval, idempotence, reveals, noise as stated, and a whole question on it."""

import ast
from pathlib import Path

import numpy as np
import pytest

import cytocrux
from cytocrux.knowledge.claims import Approval, ArmRequest, Belief, Claim, Design, Prediction
from cytocrux.knowledge.ledger import Ledger
from cytocrux.tools.lab.simulated import SimulatedLab
from cytocrux.world_model.data import load
from cytocrux.world_model.data.kinetic import load_kinetic, truth
from cytocrux.world_model.errors import NotAllowed
from cytocrux.world_model.vocabulary import Arm, Contrast, Perturbation, Readout


def arm(name: str = "CPD-01", dose: float | None = 1.7, time_h: float = 5, context: str = "LINE-A") -> Arm:
    parts = tuple(Perturbation(kind="compound", name=n, dose=dose) for n in name.split("+") if n)
    return Arm(context=context, perturbations=parts, time_h=time_h)


def design(*requests: tuple[Arm, int], seed: int = 0) -> Design:
    arms = tuple(ArmRequest(arm=a, n=n) for a, n in requests)
    return Design(campaign="K1", cycle=0, dataset="kinetic", arms=arms, predictions=(PREDICTION.id,), cost=1, seed=seed)


CLAIM = Claim(
    sentence="a test", kind="response", readout=Readout(modality="transcriptome", variable="N01"),
    contrast=Contrast(terms=((1.0, arm()), (-1.0, arm("")))), relation="le", delta=-1.0, delta0=-0.5,
)  # fmt: skip
PREDICTION = Prediction(
    claim_id=CLAIM.id, theory=Belief(mean=-1, sd=1), sceptic=Belief(mean=0, sd=1), variance="pooled", noise_sd=0.3,
    max_wells=24, model_version="M", training_hash="h",
)  # fmt: skip


@pytest.fixture()
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path) as opened:
        opened.append("claim_proposed", {"claim": CLAIM.model_dump(mode="json")}, campaign="K1")
        opened.append("prediction_registered", {"prediction": PREDICTION.model_dump(mode="json")}, campaign="K1")
        yield opened


@pytest.fixture()
def lab(ledger: Ledger) -> SimulatedLab:
    return SimulatedLab(load("kinetic"), ledger, "K1")


def approval(d: Design) -> Approval:
    return Approval(design_hash=d.content_hash(), by="policy:replay")


def run(lab: SimulatedLab, ledger: Ledger, d: Design, key: str = "k") -> str:
    if not any(e.payload["design"] == d.model_dump(mode="json") for e in ledger.events(kind="experiment_proposed")):
        decided = {"design_hash": d.content_hash(), "decision": "approve", "by": "policy:replay", "reason": ""}
        ledger.append("experiment_proposed", {"design": d.model_dump(mode="json")}, campaign="K1")
        ledger.append("experiment_decided", decided, campaign="K1")
    return lab.submit(d, key, approval(d))


def test_needs_the_approval_of_this_very_design(lab: SimulatedLab) -> None:
    one, other = design((arm(), 3), (arm(""), 3)), design((arm(), 4), (arm(""), 3))
    with pytest.raises(NotAllowed, match="another design"):
        lab.submit(one, "k", approval(other))
    assert lab.runs() == []


def test_one_key_is_one_run_and_reads_the_same_again(lab: SimulatedLab, ledger: Ledger) -> None:
    d = design((arm(), 3), (arm(""), 3))
    first = run(lab, ledger, d)
    assert run(lab, ledger, d) == first and lab.runs() == [first]
    assert lab.collect(first) == SimulatedLab(load("kinetic"), ledger, "K1").collect(first)
    one, two = lab.collect(first), lab.collect(run(lab, ledger, d, "k2"))
    assert not {w.id for w in one.wells} & {w.id for w in two.wells} and one.data_hash != two.data_hash


def test_readings_are_truth_plus_the_stated_noise(lab: SimulatedLab, ledger: Ledger) -> None:
    cell = truth(load("kinetic"))
    both = arm("CPD-01+CPD-02", 3.3, 7.5)
    d = design((both, 60), (arm("", None, 7.5), 60))
    wells = lab.collect(run(lab, ledger, d)).wells
    nodes, there = cell.nodes, cell.respond([both])[0]
    for i, node in enumerate(nodes):
        one, two = ([w.values[node] for w in wells if w.arm_key == a.key() and w.values] for a in (both, d.arms[1].arm))
        se = np.sqrt(np.var(one) / len(one) + np.var(two) / len(two))
        assert abs(np.mean(one) - np.mean(two) - there[i]) < 4.5 * se
        assert 0.12 < np.std(one) < 0.5
    assert 0 < sum(not w.values for w in wells) < 12  # dropouts


def test_what_it_cannot_run(lab: SimulatedLab) -> None:
    for bad in (arm("NOPE"), arm(dose=1e6), arm(dose=None), arm(time_h=1000), arm(context="LINE-Z")):
        assert lab.available(bad) == 0
        d = design((bad, 2), (arm(""), 2))
        assert len(lab.validate(d)) >= 1
        with pytest.raises(NotAllowed):
            lab.submit(d, "k", approval(d))
    assert lab.available(arm(dose=0.123, time_h=17)) > 1000
    assert lab.runs() == []


def test_what_was_revealed_can_be_learned_from(lab: SimulatedLab, ledger: Ledger) -> None:
    assert lab.revealed() is None
    d = design((arm("CPD-01+CPD-02", 2), 3), (arm(), 3), (arm("", None), 3))
    only = run(lab, ledger, d)
    found = lab.revealed()
    assert found is not None and len(found.wells) == 9 and set(found.perturbations) == {"CPD-01", "CPD-01+CPD-02"}
    assert lab.revealed(without_run=only) is None


def test_the_data_set_is_seeded_and_complete() -> None:
    one = load_kinetic(3)
    assert np.array_equal(one.wells.X, load_kinetic(3).wells.X)
    assert not np.array_equal(one.wells.X[:9], load_kinetic(4).wells.X[:9])
    assert len(one.contexts) == 4 and len(one.perturbations) == 12
    with pytest.raises(ValueError, match="nobody knows"):
        truth(load("simulated"))


def test_no_agent_reads_the_truth() -> None:
    root = Path(cytocrux.__file__).parent
    for path in [*(root / "agents").rglob("*.py"), *(root / "app").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and "kinetic" in (node.module or ""):
                assert {a.name for a in node.names} <= {"literature"}, path
