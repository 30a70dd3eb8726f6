"""Calibrators against expectation 0.6.1 (frozen) and against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from cytocrux.knowledge import calibrators
from cytocrux.world_model.errors import BadInput

P = np.array([1e-6, 1e-3, 0.05, 0.3, 0.9])


def test_equal_to_expectation() -> None:
    theirs = [4754.679577383337, 37.767762353825006, 2.4425431892214253, 0.696845301935949, 0.3229620537324211]
    assert calibrators.power(P, 0.3) == pytest.approx(np.array(theirs))
    theirs = [5239.1361842507085, 20.791133540988064, 1.783322181482338, 0.7791108474285049, 0.518032541215404]
    assert calibrators.mixture(P) == pytest.approx(np.array(theirs))
    theirs = [999.0, 30.622776601683793, 3.4721359549995796, 0.8257418583505538, 0.05409255338945984]
    assert calibrators.shafer(P) == pytest.approx(np.array(theirs))


@pytest.mark.parametrize("f", [calibrators.power, calibrators.mixture, calibrators.shafer])
def test_mean_is_one_under_a_uniform_p_value_and_more_evidence_never_counts_less(f) -> None:  # type: ignore[no-untyped-def]
    # p = exp(-v); for the mixture the tail beyond v = 600 holds 1 / 600
    mass = integrate.quad(lambda v: float(f(np.exp(-v))) * np.exp(-v), 0, 600, limit=2000, points=[0.001, 1, 10, 60])[0]
    assert mass == pytest.approx(1.0, abs=2.1e-3)
    assert np.all(np.diff(f(np.geomspace(1e-300, 1.0, 5000))) < 0)
    assert np.isfinite(f(0.0)) and f(1.0) >= 0


def test_mixture_is_smooth_where_its_quotient_cancels() -> None:
    p = 1 - np.array([0.0, 1e-12, 0.9e-3, 1.1e-3])
    assert calibrators.mixture(p) == pytest.approx(np.full(4, 0.5), abs=3e-4)
    assert np.all(np.diff(calibrators.mixture(p)) >= 0)


def test_combining() -> None:
    assert calibrators.product([2.0, 0.5, 30.0]) == pytest.approx(30.0)
    assert calibrators.product([1e300, 0.0]) == 0.0
    assert calibrators.product([1e300, 1e300]) == pytest.approx(np.exp(690))
    assert calibrators.mean([0.0, 40.0]) == 20.0
    assert calibrators.to_p([0.0, 0.5, 20.0, np.inf]) == pytest.approx(np.array([1, 1, 0.05, 0]))


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(BadInput, match="outside 0"):
        calibrators.mixture([0.5, p])
    with pytest.raises(BadInput, match="kappa"):
        calibrators.power(0.5, kappa=1.0)
