"""``cytocrux eval peers``: published predictors on the cell's own splits, each in its own environment.

Not part of ``eval predict`` because their fits take an hour on a core the first time (kept by hash afterwards).
"""

from __future__ import annotations

from pathlib import Path

from ..world_model.errors import DataUnavailable
from ..world_model.rows import Array
from .gene_bench import CELL, QUESTIONS, SEEDS, GeneData, better_than, cell_says, figures, load_genes, run_splits
from .gene_splits import GeneSplit, gene_split
from .peers.exchange import ORACLE, PEERS, VARIABLE, Outcome, Peer, fit, home, python_of
from .peers.oracle import worst_difference
from .results import Result
from .scores import figure

HOW = f"not measured: python -m cytocrux.evals.peers.install FOLDER, then set {VARIABLE}=FOLDER"


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All gene figures with the peers beside, five seeds (fast: one), and what a fit of each costs.

    Without ``CYTOCRUX_PEERS`` each peer is said not to be measured, and how to install it.
    """
    folder = home()
    ready = [p for p in PEERS if folder is not None and python_of(p, folder) is not None]
    absent = [Result(name=f"peer_{p.name}", value=None, note=HOW) for p in PEERS if p not in ready]
    if folder is None or not ready:
        return absent
    data = load_genes(data_dir)
    if not data.go.is_file():
        raise DataUnavailable(
            "The peers need gene ontology", why=f"{data.go} is not there", cure="Put the gene sets (GMT) there"
        )
    outcomes: dict[str, list[Outcome]] = {p.name: [] for p in ready}

    def more(split: GeneSplit) -> dict[str, Array]:
        for peer in ready:
            found = fit(peer, folder, data.cells, split.train, split.asked, data.go, split.seed)
            outcomes[peer.name].append(found)
        return {name: found[-1].delta for name, found in outcomes.items()}

    runs, _ = run_splits(data, range(1 if fast else SEEDS), more)
    names = [p.name for p in ready]
    found = [r for q in QUESTIONS if runs[q] for r in figures(runs, q, better_than(names, q))]
    costs = [cost for p in ready for cost in _costs(p, outcomes[p.name], data)]
    return [*found, *costs, *absent, *_oracle(data, folder)]


def _oracle(data: GeneData, folder: Path) -> list[Result]:
    """How far our scores of one prediction are from cell-eval's."""
    python = python_of(ORACLE, folder)
    if python is None:
        return [Result(name="cell_eval_max_diff", value=None, note=HOW)]
    split = gene_split(data.names, 0)
    told, _ = cell_says(data, split)
    worst = worst_difference(python, data.cells, split.asked, told[CELL])
    note = "Pearson delta, MSE and discrimination of the cell's predictions, ours against cell-eval 0.8.2"
    return [figure("cell_eval_max_diff", [worst], unit="", bar="< 1e-6", passed=worst < 1e-6, note=note)]


def _costs(peer: Peer, outcomes: list[Outcome], data: GeneData) -> list[Result]:
    """Wall seconds of a fit and perturbations answered a second, on one core, as the machine was then."""
    unknown = sorted({n for o in outcomes for n in o.unknown})
    note = f"{peer.paper}; {outcomes[0].epochs} epochs at most"
    if unknown:
        note += f"; cannot say: {', '.join(unknown)} (scored as the training mean)"
    curve = next((o.curve for o in outcomes if o.curve), ())
    if len(curve) > 1:
        note += f"; its own validation of the first fit: {', '.join(f'{c:.4g}' for c in curve[-4:])}"
    rate = [(len(o.delta) - len(o.unknown)) / o.predict_s for o in outcomes]
    return [
        figure(f"peer_{peer.name}_fit_s", [o.fit_s for o in outcomes], unit="s", note=note),
        figure(f"peer_{peer.name}_screen_per_s", rate, unit="perturbations/s",
               note=f"{len(data.here.readouts)} readouts, one context, no doses, one core"),
    ]  # fmt: skip
