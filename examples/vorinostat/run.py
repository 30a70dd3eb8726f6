"""The founding paper's worked case: what does vorinostat do, for whom, and with what? Every answer can be refuted.

    CYTOCRUX_DATA_DIR=/path/to/kit python examples/vorinostat/run.py --workspace vorinostat-workspace

Needs the GDSC tables and the tables of annotated drugs in CYTOCRUX_DATA_DIR. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd

from cytocrux.app.targets import of_compound
from cytocrux.knowledge.claims import Belief, Claim, Prediction
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.mechanisms import Setting, claims_of, stake, states
from cytocrux.world_model.data.dataset import Dataset
from cytocrux.world_model.data.registry import load
from cytocrux.world_model.mechanism.explain import explain
from cytocrux.world_model.mechanism.signalling import embedded, targets_of
from cytocrux.world_model.targets.profiles import residual, response_table
from cytocrux.world_model.vocabulary import Arm, Contrast, Perturbation, Readout, content_hash

DRUG, PARTNER, LINE, HOURS, SEED, COMPONENTS, ENDS = "Vorinostat", "Cisplatin", "A549", 72.0, 0, 10, 10
VIABILITY = Readout(modality="viability", variable="viability", unit="log2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path("vorinostat-workspace"))
    workspace = parser.parse_args().workspace
    what_is_hit()
    gdsc = load("gdsc")
    with Ledger.open(workspace) as ledger:
        cascade(ledger)
        biomarker(ledger, gdsc)
        combination(ledger, gdsc)
        print(f"\n5. In the ledger: {len(states(ledger))} claims")
    print(f"   cytocrux claims list --workspace {workspace}")


def what_is_hit() -> None:
    print("1. What it hits")
    told = of_compound(DRUG)
    first = told["structure"]["mechanism"][0]
    print(f"   structure, itself and copies out: {first['label']} (probability {first['probability']:.2f}),"
          f" {first['because']}")  # fmt: skip
    for place, c in enumerate(told["profile"]["classes"][:3], 1):
        near = ", ".join(f"{d} {r:.2f}" for d, r in c["nearest"].items())
        print(f"   response profile over {told['profile']['contexts']} lines, rank {place}: {c['label']},"
              f" p {c['p']:.4f} ({near})")  # fmt: skip


def cascade(ledger: Ledger) -> None:
    """Textbook expectation, not measured here: no controls, so nothing is offered; it is staked to be refuted."""
    print("\n2. The cascade, as claims")
    network = embedded()
    expected = [("@histone acetylation", 1.0, 0.2), ("CDKN1A", 1.0, 0.2)]  # log2, as a stake; Richon 2000 saw a rise
    found = explain(network, targets_of(DRUG, "compound", network), expected, perturbation=DRUG, context=LINE, draws=0)
    arm = Arm(context=LINE, perturbations=(Perturbation(kind="compound", name=DRUG, dose=1.0),), time_h=24.0)
    # A-485 inhibits the acetyltransferase p300 (Lasko 2017, doi:10.1038/nature24028): it lowers acetylation by itself
    less = (Perturbation(kind="compound", name="A-485", dose=1.0), -1)
    setting = Setting(arm=arm, modality="proteome", interventions={"@histone acetylation": less})
    staked = claims_of(found, setting)
    stake(ledger, staked, campaign="vorinostat")
    print("   expected from textbooks, not measured here: staked to be refuted, not offered as an explanation")
    for claim in staked.claims:
        zone = claim.delta - claim.delta0  # the theory bets as far beyond the claim as the denial lies below it
        register(ledger, claim, Belief(mean=claim.delta + zone, sd=abs(zone)),
                 Belief(mean=claim.delta0, sd=abs(zone)), noise=0.3)  # fmt: skip
    print(f"   not testable by itself: {', '.join(staked.untestable) or 'none'}")


def biomarker(ledger: Ledger, gdsc: Dataset) -> None:
    """Found on one half of the lines, tested on the other; sensitivity beyond what a line shows to all drugs."""
    print("\n3. For whom: a biomarker")
    table, screen = response_table(gdsc, DRUG)
    expression = gdsc.context_features["expression"]
    expression = expression[~expression.index.duplicated()].dropna(axis=1)
    y = residual(table)[DRUG].dropna()
    lines = np.array(sorted(set(y.index) & set(expression.index)))
    order = np.random.default_rng(SEED).permutation(len(lines))
    find, test = lines[order[: len(lines) // 2]], lines[order[len(lines) // 2 :]]
    r = correlations(expression.loc[find], y[find])
    gene = str(r.abs().idxmax())
    shuffled = pd.Series(np.random.default_rng(1).permutation(y[find]), index=find)
    chance = correlations(expression.loc[find], shuffled).abs().max()
    x = expression.loc[test, gene]
    held = float(np.corrcoef(x, y[test])[0, 1])
    low, high = interval(held, len(test))
    print(f"   {screen}, {len(find)} lines: of {expression.shape[1]:,} genes {gene} goes with it most, r {r[gene]:+.2f}"
          f" (best gene with lines permuted: {chance:.2f})")  # fmt: skip
    print(f"   held out, {len(test)} other lines: r {held:+.2f} (95% {low:+.2f} to {high:+.2f})")
    within = beyond_lineage(expression, gene, y, find, test)
    low, high = interval(within, len(test) - COMPONENTS)
    print(f"   held out, without the {COMPONENTS} main components of expression (mostly lineage): r {within:+.2f}"
          f" (95% {low:+.2f} to {high:+.2f})")  # fmt: skip
    mutated(gdsc, y, find, test)
    ranked = x.sort_values(kind="stable").index
    register(ledger, biomarker_claim(gene, list(ranked[-ENDS:]), list(ranked[:ENDS]), -math.copysign(1.0, r[gene])),
             Belief(mean=-1.0, sd=0.7), Belief(mean=0.0, sd=0.7), noise=0.7)  # fmt: skip


def mutated(gdsc: Dataset, y: pd.Series[float], find: np.ndarray, test: np.ndarray) -> None:
    mutation = gdsc.context_features["mutation"]
    mutation = mutation[~mutation.index.duplicated()]
    find, test = (np.array([n for n in half if n in mutation.index]) for half in (find, test))
    common = mutation.loc[find].sum()
    genes = mutation.loc[:, (common >= 10) & (common <= len(find) - 10)]
    r = correlations(genes.loc[find], y[find])
    gene = str(r.abs().idxmax())
    held = float(np.corrcoef(genes.loc[test, gene], y[test])[0, 1])
    low, high = interval(held, len(test))
    print(f"   mutation: {gene}, r {r[gene]:+.2f}; held out r {held:+.2f} (95% {low:+.2f} to {high:+.2f})")


def combination(ledger: Ledger, gdsc: Dataset) -> None:
    print(f"\n4. With what: {PARTNER.lower()}")
    doses = {}
    for drug in (DRUG, PARTNER):
        table, _ = response_table(gdsc, drug)
        doses[drug] = float(np.exp(table.loc[LINE, drug])) / 2
        print(f"   {drug} in {LINE}: IC50 {2 * doses[drug]:.2f} uM; half of it is proposed")
    one, two = (Perturbation(kind="compound", name=d, dose=round(v, 2)) for d, v in doses.items())
    claim = Claim(
        sentence=f"{DRUG} makes {LINE} cells more sensitive to {PARTNER.lower()}: under both, survival is at least "
        "1.4 times lower than the product of the survivals under each",
        kind="synergy", readout=VIABILITY, relation="le", delta=-0.5, delta0=0.0,
        contrast=Contrast(terms=((1.0, arm_of(LINE, one, two)), (-1.0, arm_of(LINE, one)), (-1.0, arm_of(LINE, two)),
                                 (1.0, arm_of(LINE)))),
        mechanism="acetylated chromatin is open, so that more platinum reaches DNA and repair is slower (Kim 2003, "
        "Cancer Res 63:7291, saw it for drugs that act on DNA)",
        refuted_by="survival under both that is no lower than the product of the survivals under each (Bliss)",
        origin="example",
    )  # fmt: skip
    register(ledger, claim, Belief(mean=-0.8, sd=0.5), Belief(mean=0.0, sd=0.3), noise=0.3)


def biomarker_claim(gene: str, high: list[str], low: list[str], sign: float) -> Claim:
    """sign: +1 where a high reading goes with sensitivity. ln IC50, mean of lines at each end of the expression."""
    drug = Perturbation(kind="compound", name=DRUG)
    ends = ((sign, high), (-sign, low))
    terms = tuple((w / ENDS, arm_of(line, drug, hours=None)) for w, lines in ends for line in lines)
    return Claim(
        sentence=f"Cell lines {'high' if sign > 0 else 'low'} in {gene} are more sensitive to {DRUG}: in a new screen "
        f"their mean IC50 is at least 1.6 times below that of lines at the other end ({ENDS} named lines each)",
        kind="biomarker", readout=Readout(modality="viability", variable="LN_IC50", unit="ln uM"), relation="le",
        delta=-0.5, delta0=0.0, contrast=Contrast(terms=terms), mechanism=f"expression of {gene}",
        refuted_by="the same mean IC50 at both ends", origin="example",
    )  # fmt: skip


def register(ledger: Ledger, claim: Claim, theory: Belief, sceptic: Belief, *, noise: float) -> None:
    """Claim and test, before any of its data; beliefs and noise are stated by hand here, and say so."""
    prediction = Prediction(
        claim_id=claim.id, theory=theory, sceptic=sceptic,
        variance="pooled", noise_sd=noise, max_wells=12, model_version="stated-by-hand",
        training_hash=content_hash([DRUG, claim.mechanism]),
    )  # fmt: skip
    held = states(ledger)
    if claim.id not in held:
        ledger.append("claim_proposed", {"claim": claim.model_dump(mode="json")}, campaign="vorinostat")
    if claim.id not in held or held[claim.id].status == "proposed":
        ledger.append("prediction_registered", {"prediction": prediction.model_dump(mode="json")},
                      campaign="vorinostat")  # fmt: skip
    print(f"   {claim.id}  {claim.sentence}\n{'':17}refuted by: {claim.refuted_by}")


def arm_of(line: str, *perturbations: Perturbation, hours: float | None = HOURS) -> Arm:
    return Arm(context=line, perturbations=perturbations, time_h=hours)


def correlations(x: pd.DataFrame, y: pd.Series[float]) -> pd.Series[float]:
    """Pearson of every column with ``y``."""
    a, b = x.to_numpy(float), y.to_numpy(float)
    a, b = a - a.mean(axis=0), b - b.mean()
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum())
    return pd.Series(a.T @ b / np.where(scale > 0, scale, np.inf), index=x.columns)


def beyond_lineage(
    expression: pd.DataFrame, gene: str, y: pd.Series[float], find: np.ndarray, test: np.ndarray
) -> float:
    """Held-out correlation once the main components of the other genes (axes from the first half) are taken out."""
    others = expression.drop(columns=gene)
    centre = others.loc[find].mean()
    axes = np.linalg.svd((others.loc[find] - centre).to_numpy(float), full_matrices=False)[2][:COMPONENTS]
    scores = np.column_stack([np.ones(len(test)), (others.loc[test] - centre).to_numpy(float) @ axes.T])
    left = [v - scores @ np.linalg.lstsq(scores, v, rcond=None)[0]
            for v in (expression.loc[test, gene].to_numpy(float), y[test].to_numpy(float))]  # fmt: skip
    return float(np.corrcoef(*left)[0, 1])


def interval(r: float, n: int) -> tuple[float, float]:
    """95%, by Fisher's z."""
    z, half = math.atanh(r), 1.96 / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)


if __name__ == "__main__":
    main()
