"""Assess: recovered values, blocks, refusals, validity under optional stopping at the boundary."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from cytocrux.knowledge import mixtures
from cytocrux.knowledge.claims import ArmSummary, Batch, Belief, Claim, Prediction
from cytocrux.knowledge.evalues import assess, bets, e_threshold
from cytocrux.knowledge.pooling import pool
from cytocrux.world_model.errors import BadInput, NotAllowed
from cytocrux.world_model.vocabulary import Arm, Contrast, Perturbation, Population, Readout

CONTROL = Arm(context="COLO858", time_h=24)
TREATED = Arm(context="COLO858", time_h=24, perturbations=(Perturbation(kind="compound", name="Trametinib", dose=1),))
OTHER = Arm(context="COLO858", time_h=24, perturbations=(Perturbation(kind="compound", name="Vemurafenib", dose=1),))
WELLS = itertools.count()


def claim_of(relation: str = "ge", delta: float = 1.0, delta0: float = 0.0, **changes: object) -> Claim:
    fields: dict[str, object] = {
        "sentence": "Trametinib moves pERK", "kind": "response", "relation": relation, "delta": delta,
        "delta0": delta0, "readout": Readout(modality="phosphoproteome", variable="pERK"),
        "contrast": Contrast(terms=((1.0, TREATED), (-1.0, CONTROL))),
    }  # fmt: skip
    return Claim.model_validate(fields | changes)


def test_of(claim: Claim, variance: str = "pooled", **changes: object) -> Prediction:
    fields: dict[str, object] = {
        "claim_id": claim.id, "theory": Belief(mean=1.5 * claim.sign, sd=0.5), "sceptic": Belief(mean=0.0, sd=0.3),
        "variance": variance, "noise_sd": 1.0, "max_wells": 60, "model_version": "m1", "training_hash": "h",
    }  # fmt: skip
    return Prediction.model_validate(fields | changes)


test_of.__test__ = False  # type: ignore[attr-defined]


def batch(claim: Claim, test: Prediction, index: int, arms: dict[Arm, Sequence[float]]) -> Batch:
    def summary(arm: Arm, x: Sequence[float]) -> ArmSummary:
        return ArmSummary(arm_key=arm.key(), n=len(x), mean=float(np.mean(x)), ssd=float(np.var(x) * len(x)))

    return Batch(
        claim_id=claim.id, prediction_id=test.id, design_hash="d", index=index, data_hash="h",
        arms=tuple(summary(arm, x) for arm, x in arms.items()),
        wells=tuple(f"w{next(WELLS)}" for x in arms.values() for _ in x),
    )  # fmt: skip


def series(claim: Claim, test: Prediction, x: np.ndarray, shifts: Sequence[float] = (0.0,) * 99) -> list[Batch]:
    """x: (batches, 2, n) readings of the treated and the control arm; shifts: added to both arms of a batch."""
    return [batch(claim, test, k, {TREATED: a + shifts[k], CONTROL: b + shifts[k]}) for k, (a, b) in enumerate(x)]


CLAIM = claim_of()
TEST = test_of(CLAIM)


def readings(theta: float, k: int, n: int = 3, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(k, 2, n))
    x[:, 0] += theta
    return x


def test_one_batch_is_welchs_t() -> None:
    a, b = readings(0.7, 1)[0]
    b = np.append(b, [0.4, -1.9, 2.2])
    found = assess(CLAIM, TEST, [batch(CLAIM, TEST, 0, {TREATED: a, CONTROL: b})])
    oracle = stats.ttest_ind(a, b, alternative="greater", equal_var=False)
    assert (found.estimate, found.df) == (pytest.approx(a.mean() - b.mean()), pytest.approx(oracle.df))
    assert found.p_for == pytest.approx(oracle.pvalue)  # delta0 = 0
    assert found.p_against == pytest.approx(stats.ttest_ind(a - 1.0, b, alternative="less", equal_var=False).pvalue)
    assert found.se == pytest.approx(found.estimate / oracle.statistic)


def test_the_smaller_of_students_and_welchs_e_value_counts() -> None:
    for spread in (0.3, 1.0, 3.0):
        a, b = readings(0.7, 1)[0] * [[spread], [1.0]]
        b = np.append(b, [0.4, -1.9, 2.2])
        found = assess(CLAIM, TEST, [batch(CLAIM, TEST, 0, {TREATED: a, CONTROL: b})])
        logs = []
        for equal in (True, False):
            oracle = stats.ttest_ind(a, b, equal_var=equal)
            rho = oracle.statistic / np.sqrt(oracle.df + oracle.statistic**2)
            logs.append(float(mixtures.log_e_t(rho, oracle.df, np.sqrt(2.0), mixtures.stakes(1.5, 0.5))))
        assert np.log(found.e_for) == pytest.approx(min(logs))
        assert abs(logs[0] - logs[1]) > 0.01


def test_one_well_per_arm_and_batch_is_the_paired_t_test() -> None:
    x = readings(0.5, 8, n=1, seed=1)
    found = assess(CLAIM, TEST, series(CLAIM, TEST, x, shifts=np.arange(8.0) * 5))
    oracle = stats.ttest_rel(x[:, 0, 0], x[:, 1, 0], alternative="greater")
    assert found.df == 7
    assert found.p_for == pytest.approx(oracle.pvalue)
    assert found.se == pytest.approx(found.estimate / oracle.statistic)


def test_a_shift_common_to_a_batch_changes_nothing() -> None:
    x = readings(0.5, 5)
    plain, shifted = (
        assess(CLAIM, TEST, series(CLAIM, TEST, x, shifts)) for shifts in ([0.0] * 5, [0, 40, -7, 3, 11.0])
    )
    for name in ("estimate", "se", "df", "e_for", "e_against", "p_for", "ci_low"):
        assert getattr(plain, name) == pytest.approx(getattr(shifted, name), rel=1e-9), name


def test_blocked_estimate_of_an_unbalanced_design_is_least_squares() -> None:
    rng = np.random.default_rng(3)
    sizes = [(3, 2), (1, 4), (5, 1)]
    blocks = [(rng.normal(1, 1, a) + k, rng.normal(0, 1, b) + k) for k, (a, b) in enumerate(sizes)]
    found = pool(CLAIM.contrast, [batch(CLAIM, TEST, k, {TREATED: a, CONTROL: b}) for k, (a, b) in enumerate(blocks)])
    y = np.concatenate([v for pair in blocks for v in pair])
    columns = [[1.0 * arm] + [float(k == j) for j in range(3)] for k, s in enumerate(sizes)
               for arm, n in zip((1, 0), s, strict=True) for _ in range(n)]  # fmt: skip
    design = np.array(columns)
    coefficients, residual, *_ = np.linalg.lstsq(design, y)
    assert found.estimate == pytest.approx(coefficients[0])
    assert found.equal.ssd == pytest.approx(float(residual[0]))
    assert found.equal.df == len(y) - 4
    assert 1 / found.m == pytest.approx(np.linalg.inv(design.T @ design)[0, 0])


def test_a_batch_that_lacks_an_arm_joins_the_block_before_it() -> None:
    first = batch(CLAIM, TEST, 0, {TREATED: [1.0, 2.0]})
    with pytest.raises(BadInput, match="control at 24 h in COLO858"):
        assess(CLAIM, TEST, [first])
    second = batch(CLAIM, TEST, 1, {CONTROL: [0.0, 0.5]})
    together = batch(CLAIM, TEST, 0, {TREATED: [1.0, 2.0], CONTROL: [0.0, 0.5]})
    assert assess(CLAIM, TEST, [first, second]).e_for == pytest.approx(assess(CLAIM, TEST, [together]).e_for)


def test_one_arm_against_a_population_pools_all_its_batches() -> None:
    contrast = Contrast(terms=((1.0, TREATED),), populations=(Population(mean=0, sd=1, n=50),))
    claim = claim_of("le", -1.0, -0.3, contrast=contrast)
    test = test_of(claim, "known", theory=Belief(mean=-1.5, sd=0.5), noise_sd=0.5)
    found = assess(claim, test, [batch(claim, test, k, {TREATED: [x]}) for k, x in enumerate([-1.2, -1.8])])
    assert (found.estimate, found.df, found.se) == (pytest.approx(-1.5), None, pytest.approx(0.5 / np.sqrt(2)))
    assert found.p_for == pytest.approx(stats.norm.cdf((-1.5 + 0.3) / found.se))


def test_a_claim_and_its_mirror_image_say_the_same() -> None:
    x = readings(0.8, 4, seed=5)
    mirror = claim_of("le", -1.0, 0.0)
    for variance in ("pooled", "known"):
        test, reflected = test_of(CLAIM, variance), test_of(mirror, variance)
        one = assess(CLAIM, test, series(CLAIM, test, x))
        two = assess(mirror, reflected, series(mirror, reflected, -x))
        assert one.estimate == pytest.approx(-two.estimate)
        assert (one.e_for, one.e_against) == (pytest.approx(two.e_for), pytest.approx(two.e_against))
        assert one.ci_low == pytest.approx(-two.ci_high)


def test_units_do_not_matter() -> None:
    x = readings(0.8, 4, seed=6)
    thousand = claim_of(delta=1000.0)
    test = test_of(thousand, theory=Belief(mean=1500, sd=500), sceptic=Belief(mean=0, sd=300), noise_sd=1000)
    one, two = assess(CLAIM, TEST, series(CLAIM, TEST, x)), assess(thousand, test, series(thousand, test, 1000 * x))
    assert (one.e_for, one.e_against) == (pytest.approx(two.e_for), pytest.approx(two.e_against))


def test_the_right_side_wins() -> None:
    """Swapping delta and delta0, or the two beliefs' sides, breaks this."""
    for theta, winner, loser in ((1.6, "e_for", "e_against"), (-0.3, "e_against", "e_for")):
        for variance in ("pooled", "known"):
            test = test_of(CLAIM, variance)
            found = assess(CLAIM, test, series(CLAIM, test, readings(theta, 10, seed=7)))
            assert getattr(found, winner) > e_threshold(0.05) > 1 > getattr(found, loser)


def test_boundaries_are_the_denials_for_and_the_claims_against() -> None:
    pro, contra = bets(CLAIM, TEST)
    assert (pro.sign, pro.boundary, contra.sign, contra.boundary) == (1, 0.0, -1, 1.0)
    pro, contra = bets(claim_of("le", -1.0, -0.2), TEST)
    assert (pro.sign, pro.boundary, contra.sign, contra.boundary) == (-1, -0.2, 1, -1.0)


def test_refusals() -> None:
    one = series(CLAIM, TEST, readings(0, 1))[0]
    again = one.model_copy(update={"index": 1})
    with pytest.raises(NotAllowed, match=one.wells[0]):
        assess(CLAIM, TEST, [one, again])
    twice = one.model_copy(update={"wells": (*one.wells, one.wells[2])})
    with pytest.raises(NotAllowed, match=one.wells[2]):
        assess(CLAIM, TEST, [twice])
    stranger = claim_of(delta=2.0)
    with pytest.raises(NotAllowed, match=f"belongs to claim {CLAIM.id}, not {stranger.id}"):
        assess(stranger, TEST, [one])
    with pytest.raises(NotAllowed, match="registered"):
        assess(CLAIM, test_of(CLAIM, alpha=0.01), [one])
    with pytest.raises(BadInput, match="No batch"):
        assess(CLAIM, TEST, [])
    doubled = one.model_copy(update={"arms": one.arms + one.arms[:1]})
    with pytest.raises(BadInput, match="an arm twice"):
        assess(CLAIM, TEST, [doubled])
    nothing = claim_of(contrast=Contrast(terms=((1.0, TREATED), (-1.0, TREATED))))
    with pytest.raises(BadInput, match="itself"):
        pool(nothing.contrast, [one])


def test_order_of_arrival_does_not_matter_only_the_index() -> None:
    looks = series(CLAIM, TEST, readings(0.4, 4, seed=9))
    assert assess(CLAIM, TEST, looks[::-1]) == assess(CLAIM, TEST, looks)
    assert assess(CLAIM, TEST, looks[::-1]).batch == looks[-1]


def test_extremes_stay_finite() -> None:
    constant = [batch(CLAIM, TEST, k, {TREATED: [9.0] * 3, CONTROL: [0.0] * 3}) for k in range(40)]
    found = assess(CLAIM, TEST, constant)
    assert 20 < found.e_for <= 1e300 and found.p_for == 0.0
    known = test_of(CLAIM, "known", noise_sd=1e-3)
    found = assess(CLAIM, known, series(CLAIM, known, readings(1e5, 2)))
    assert found.e_for == pytest.approx(np.exp(690)) and found.e_against < 1e-6
    lonely = assess(CLAIM, TEST, [batch(CLAIM, TEST, 0, {TREATED: [2.0], CONTROL: [0.0]})])
    assert (lonely.df, lonely.p_for, lonely.ci_low, lonely.ci_high) == (0, 1.0, None, None)
    assert lonely.e_for < 2


def test_satterthwaite_over_blocks_by_hand() -> None:
    """Two equal blocks of 2 + 4: arm variances 8 and 1 are weighted 2 : 1, as they enter the variance."""
    wide, narrow = np.array([-2.0, 2.0]), np.array([-1.0, -0.5, 0.5, 1.0]) * np.sqrt(3 / 2.5)
    looks = [batch(CLAIM, TEST, k, {TREATED: wide + 1, CONTROL: narrow}) for k in range(2)]
    found = pool(CLAIM.contrast, looks)
    within = (2 / 3 * 8) ** 2 / 2 + (1 / 3 * 1) ** 2 / 6
    df = (2 / 3 * 8 + 1 / 3 * 1) ** 2 / within
    assert found.welch.df == pytest.approx(df + 1)
    assert found.welch.ssd == pytest.approx((2 / 3 * 8 + 1 / 3 * 1) * df)  # equal blocks: no spread between
    assert (found.equal.df, found.equal.ssd) == (9, pytest.approx(2 * 8 + 2 * 3))


def test_a_single_control_well_is_taken_to_be_as_noisy_as_the_rest() -> None:
    found = pool(CLAIM.contrast, [batch(CLAIM, TEST, 0, {TREATED: [0.0, 1.0, 2.0], CONTROL: [0.5]})])
    assert (found.welch.ssd, found.welch.df) == (pytest.approx(2.0), pytest.approx(2.0))  # 3.2 capped
    assert found.equal.df == 2


@pytest.mark.parametrize("variance", ["pooled", "known"])
def test_false_verdicts_at_the_boundary_stay_below_alpha_whenever_one_stops(variance: str) -> None:
    """200 runs of 12 looks at each boundary through ``assess`` itself; the bar is alpha + 3 standard errors."""
    test = test_of(CLAIM, variance)
    for theta, field in ((CLAIM.delta0, "e_for"), (CLAIM.delta, "e_against")):
        hits = 0
        for run in range(200):
            looks = series(CLAIM, test, readings(theta, 12, seed=1000 + run), shifts=np.arange(12.0))
            hits += any(getattr(assess(CLAIM, test, looks[: k + 1]), field) >= 20 for k in range(0, 12, 3))
        assert hits / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
