"""The registered data sets: RPPA lysates, Perturb-seq pseudobulks, scores, the registry, the simulated screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytocrux.world_model.data import effects, entries, load, noise_sd, readings, readout, scores
from cytocrux.world_model.data.gdsc import replicate_noise
from cytocrux.world_model.data.perturbseq import pseudobulk
from cytocrux.world_model.data.registry import entry
from cytocrux.world_model.data.rppa import MARKERS, ODYSSEY_GAIN, REFERENCE, from_table
from cytocrux.world_model.data.simulated import load_simulated, truth
from cytocrux.world_model.errors import Corrupt, DataUnavailable, UnknownName
from cytocrux.world_model.vocabulary import Readout


def spots(effect: float = -2.0) -> pd.DataFrame:
    """One line, one time: 8 control positions and one dose, 8 prints, 2 scanners; pERK falls by ``effect``.

    Every lysate has its own loading, the Odyssey spans 1 / ODYSSEY_GAIN of the InnoScan.
    """
    rng = np.random.default_rng(0)
    rows = []
    for drug, dose, position in [(None, 0.0, j) for j in range(8)] + [("Vemurafenib", 1.0, 0)]:
        for pair in range(4):
            loading = rng.normal(0, 1)
            for print_ in (2 * pair + 1, 2 * pair + 2):
                for scanner, gain in (("InnoScan/Mapix", 1.0), ("Odyssey/Microvigene", 1 / ODYSSEY_GAIN)):
                    row: dict[str, object] = {
                        "Small Molecule Name": drug, "Cell Line Name": "COLO 858", "Drug Concentration": dose,
                        "Time Point": 24, "Replicate": print_, "Scanner/Software": scanner,
                    }  # fmt: skip
                    for raw, name in MARKERS.items():
                        log = loading + (effect if drug and name == "pERK(T202/Y204)" else 0.0)
                        row[raw] = 2 ** (gain * log - 3)
                    rows.append({**row, "order": position})
    return pd.DataFrame(rows).sort_values(["Scanner/Software", "Replicate", "order"], kind="stable")


def test_rppa_prints_and_scans_become_one_lysate_without_its_loading() -> None:
    data = from_table(spots(), source="toy")
    assert len(data.wells) == 4 * (8 + 1)
    table = effects(data)
    column = data.readouts.index("pERK(T202/Y204)")
    assert table.n_wells[0, column] == 4
    assert table.delta[0, column] == pytest.approx(-2.0, abs=1e-9)
    np.testing.assert_allclose(np.delete(table.delta[0], column), 0.0, atol=1e-9)


def test_rppa_reference_markers_are_not_on_the_chain_that_is_asked_about() -> None:
    assert not set(REFERENCE) & {"pERK(T202/Y204)", "pMEK(S217/221)", "pRSK(S380)", "pRSK(T573)", "pS6(S235/236)"}
    assert set(REFERENCE) <= set(MARKERS.values())


@pytest.mark.kit
def test_rppa_of_the_kit(kit: Path) -> None:
    data = load("rppa")
    assert data.wells.shape == (6880, 21)
    table = effects(data)
    q = table.conditions
    inert = (q["dose"] == 0.0032) & q["perturbation"].isin(["PLX-4720", "Vemurafenib", "Selumetinib"])
    z = (table.delta / table.se)[inert.to_numpy()]
    assert 0.85 < np.nanstd(z) < 1.15
    top = table.delta[(q["dose"] == 3.16).to_numpy(), data.readouts.index("pERK(T202/Y204)")]
    assert np.mean(top < -0.5) > 0.95


@pytest.mark.kit
def test_norman_of_the_kit(kit: Path) -> None:
    data = load("norman")
    assert data.wells.shape == (392, 500) and len(data.contexts) == 4
    table = effects(data)
    score = scores(data)["erythroid"]
    values = readings(table.delta, table.readouts, score)
    in_k562 = (table.conditions["context"] == "K562").to_numpy()
    best = table.conditions["perturbation"][in_k562].to_numpy()[np.argsort(-values[in_k562])[:8]]
    assert "CBL+CNN1" in best and "KLF1" in best
    assert np.isfinite(noise_sd(data)).all()


def test_pseudobulk_is_the_mean_of_its_cells() -> None:
    labels = pd.DataFrame(
        {"context": "K", "perturbation": ["A"] * 5 + ["control"] * 5 + ["B"], "kind": "activation", "batch": "1"}
    )
    X = np.arange(22.0).reshape(11, 2)
    obs, means, small = pseudobulk(X, labels)
    assert obs["perturbation"].tolist() == ["A", "control"] and small == 1
    np.testing.assert_array_equal(means, [X[:5].mean(0), X[5:10].mean(0)])


def test_score_readings_use_the_members_that_were_measured() -> None:
    score = Readout(modality="score", variable="s", members=(("a", 1.0), ("b", -1.0)))
    X = np.array([[1.0, 3.0, 9.0], [1.0, np.nan, 9.0], [np.nan, np.nan, 9.0]])
    np.testing.assert_array_equal(readings(X, ("a", "b", "c"), score), [-1.0, 1.0, np.nan])
    np.testing.assert_array_equal(readings(X, ("a", "b", "c"), Readout(modality="score", variable="c")), [9.0] * 3)
    with pytest.raises(UnknownName, match="Unknown readout 'd'"):
        readings(X, ("a", "b", "c"), Readout(modality="score", variable="d"))


def test_readout_by_name_and_its_near_names() -> None:
    data = load_simulated()
    assert readout(data, "LN_IC50") == Readout(modality="viability", variable="LN_IC50", unit="ln uM")
    with pytest.raises(UnknownName, match="LN_IC50"):
        readout(data, "LN_IC5O")


def test_every_entry_says_licence_citation_and_source() -> None:
    assert set(entries()) >= {"gdsc", "rppa", "norman", "simulated"}
    for name, e in entries().items():
        assert e.name == name and e.title and e.licence and e.citation and e.source


def test_unknown_and_absent_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="gdsc"):
        load("gdcs")
    monkeypatch.setenv("CYTOCRUX_DATA_DIR", str(tmp_path))
    with pytest.raises(DataUnavailable, match="--data simulated"):
        load("rppa")
    assert entry("rppa").available() == "not here" and entry("simulated").available() == "built in"
    (tmp_path / "rppa").mkdir()
    (tmp_path / "rppa" / "hms_lincs_20218_wells.tsv.gz").write_bytes(b"")
    with pytest.raises(Corrupt, match="hms_lincs_20218"):
        load("rppa")


def test_the_simulated_screen_is_the_same_every_time_and_another_under_another_seed() -> None:
    one, two, other = load_simulated(0), load_simulated(0), load_simulated(1)
    np.testing.assert_array_equal(one.wells.X, two.wells.X)
    pd.testing.assert_frame_equal(one.wells.obs, two.wells.obs)
    assert one.wells.shape != other.wells.shape or not np.array_equal(one.wells.X, other.wells.X)
    assert len(one.contexts) >= 120 and len(one.perturbations) >= 40


def test_the_simulated_screen_reads_its_truth_with_the_stated_noise() -> None:
    data = load_simulated()
    answer = truth(data).ln_ic50
    obs = data.wells.obs
    first = (obs["batch"] == "S1").to_numpy()
    lines, drugs = (
        answer.index.get_indexer(obs["context"][first]),
        answer.columns.get_indexer(obs["perturbation"][first]),
    )
    error = data.wells.X[first, 0] - answer.to_numpy()[lines, drugs]
    assert error.mean() == pytest.approx(0, abs=0.03) and error.std() == pytest.approx(0.5, abs=0.02)
    assert 0.7 < replicate_noise(data).correlation < 0.9


def test_a_model_could_learn_the_simulated_screen_from_expression() -> None:
    data = load_simulated()
    hidden = truth(data)
    genes = data.context_features["expression"]
    pathway = hidden.dependence.columns[0]
    members = [g for g in genes if g.startswith("".join(c for c in pathway.upper() if c.isalnum())[:5] + "G")]
    assert np.corrcoef(genes[members].mean(axis=1), hidden.dependence[pathway])[0, 1] > 0.8


def test_truth_is_known_of_simulated_data_only() -> None:
    with pytest.raises(ValueError, match="nobody knows"):
        truth(from_table(spots(), source="toy"))
