"""e-power and severity against brute-force simulation through ``assess``."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cytocrux.knowledge.claims import ArmSummary, Batch, Belief, Claim, Prediction
from cytocrux.knowledge.evalues import assess
from cytocrux.knowledge.power import e_power, replicates_for, severity
from cytocrux.world_model.errors import BadInput
from cytocrux.world_model.vocabulary import Arm, Contrast, Perturbation, Readout

CONTROL = Arm(context="K562")
TREATED = Arm(context="K562", perturbations=(Perturbation(kind="activation", name="GATA1"),))
KEYS = (TREATED.key(), CONTROL.key())
CLAIM = Claim(
    sentence="GATA1 raises HBG1", kind="response", relation="ge", delta=1.0, delta0=0.0,
    readout=Readout(modality="transcriptome", variable="HBG1"),
    contrast=Contrast(terms=((1.0, TREATED), (-1.0, CONTROL))),
)  # fmt: skip


def registered(variance: str, theory: float = 1.5, sceptic: float = 0.0, **changes: object) -> Prediction:
    return Prediction.model_validate({
        "claim_id": CLAIM.id, "theory": Belief(mean=theory, sd=0.4), "sceptic": Belief(mean=sceptic, sd=0.3),
        "variance": variance, "noise_sd": 0.7, "max_wells": 40, "model_version": "m", "training_hash": "h",
    } | changes)  # fmt: skip


def draw(test: Prediction, theta: float, n: int, rng: np.random.Generator, index: int = 0) -> Batch:
    arms = []
    for key, mean in zip(KEYS, (theta, 0.0), strict=True):
        x = rng.normal(mean, test.noise_sd, n)
        arms.append(ArmSummary(arm_key=key, n=n, mean=float(x.mean()), ssd=float(np.var(x) * n)))
    return Batch(
        claim_id=CLAIM.id, prediction_id=test.id, design_hash="d", index=index, arms=tuple(arms),
        wells=tuple(f"{index}.{i}" for i in range(2 * n)), data_hash="h",
    )  # fmt: skip


@pytest.mark.parametrize("variance", ["pooled", "known"])
def test_e_power_is_the_mean_growth_that_assess_shows(variance: str) -> None:
    test, rng, grown, settled = registered(variance), np.random.default_rng(0), [], []
    for run in range(800):
        belief = (test.theory, test.sceptic)[run % 2]
        found = assess(CLAIM, test, [draw(test, rng.normal(belief.mean, belief.sd), 5, rng)])
        grown.append(np.log10(max(found.e_for, found.e_against)))
        settled.append(max(found.e_for, found.e_against) >= 20)
    expected = e_power(CLAIM, test, dict.fromkeys(KEYS, 5), draws=2000)
    error = np.hypot(np.std(grown) / np.sqrt(len(grown)), expected.mc_error)
    assert expected.mean_log_e == pytest.approx(np.mean(grown), abs=4 * error)
    assert expected.prob_settled == pytest.approx(np.mean(settled), abs=4 * 0.5 / np.sqrt(800))


@pytest.mark.parametrize("variance", ["pooled", "known"])
def test_severity_is_how_often_assess_would_falsify(variance: str) -> None:
    test, rng = registered(variance, sceptic=0.3), np.random.default_rng(1)
    thetas = rng.normal(0.3, 0.3, 1000)
    hits = [assess(CLAIM, test, [draw(test, t, 6, rng)]).e_against >= 20 for t in thetas[thetas < 1.0][:600]]
    assert severity(CLAIM, test, dict.fromkeys(KEYS, 6)) == pytest.approx(np.mean(hits), abs=4 * 0.5 / np.sqrt(600))


@pytest.mark.parametrize("variance", ["pooled", "known"])
def test_more_wells_teach_more(variance: str) -> None:
    test = registered(variance)
    powers = [e_power(CLAIM, test, dict.fromkeys(KEYS, n)) for n in (2, 4, 8, 16)]
    assert np.all(np.diff([p.mean_log_e for p in powers]) > 0)
    severities = [severity(CLAIM, test, dict.fromkeys(KEYS, n)) for n in (2, 4, 8, 16, 40)]
    assert np.all(np.diff(severities) >= 0) and severities[-1] > 0.9


def test_a_test_that_the_sceptic_passes_too_is_not_severe() -> None:
    n = dict.fromkeys(KEYS, 6)
    assert severity(CLAIM, registered("known", sceptic=0.95), n) < 0.2 < severity(CLAIM, registered("known"), n)


def test_what_is_already_known_moves_the_expectation() -> None:
    test, rng = registered("pooled"), np.random.default_rng(2)
    looks = [draw(test, 0.0, 6, rng, k) for k in range(2)]  # the sceptic is right
    n = dict.fromkeys(KEYS, 6)
    after, before = e_power(CLAIM, test, n, looks), e_power(CLAIM, test, n)
    assert after.prob_settled > 0.95 > before.prob_settled
    nothing = e_power(CLAIM, test, {}, looks)
    assert nothing.mean_log_e == pytest.approx(0.0, abs=1e-6)
    assert e_power(CLAIM, test, n, looks) == after  # fixed seed


def test_a_missing_arm_is_named() -> None:
    with pytest.raises(BadInput, match="control in K562"):
        e_power(CLAIM, registered("pooled"), {KEYS[0]: 4})


def test_replicates_for_is_the_smallest_number_that_is_enough() -> None:
    test = registered("pooled")
    n = replicates_for(CLAIM, test, 2.0)
    assert n is not None and n > 2
    assert e_power(CLAIM, test, dict.fromkeys(KEYS, n)).mean_log_e >= 2.0
    assert e_power(CLAIM, test, dict.fromkeys(KEYS, n - 1)).mean_log_e < 2.0
    assert replicates_for(CLAIM, test, 1000.0) is None


def test_fast_enough_for_hundreds_of_claims_a_cycle() -> None:
    test, n = registered("pooled"), dict.fromkeys(KEYS, 4)
    e_power(CLAIM, test, n)
    start = time.process_time()
    for _ in range(20):
        e_power(CLAIM, test, n)
    assert (time.process_time() - start) / 20 < 0.03  # 3 ms measured; the bar leaves room for a busy machine
