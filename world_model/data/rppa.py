"""HMS LINCS 20218: phospho- and total proteins of BRAF-mutant melanoma lines under RAF and MEK inhibitors.

One well here is one lysate. The table's eight "replicates" are four lysates printed twice, and most slides
were scanned twice; both are readings of the same lysate and are averaged. What a lysate has more or less of in
all markers alike is its loading and is taken off (decision 0002 gives the figures).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from .dataset import CONTROL, Dataset, DatasetInfo, build_wells
from .report import DataReport, Note

if TYPE_CHECKING:
    import pandas as pd

FILE = "hms_lincs_20218_wells.tsv.gz"
ODYSSEY_GAIN = 2.1  # log2 span of the InnoScan over that of the Odyssey on the same slides
MARKERS = {
    "pMEK(S217/221)": "pMEK(S217/221)",
    "pERK(T202/Y204)": "pERK(T202/Y204)",
    "p-p90RSK(S380)": "pRSK(S380)",
    "p-p90RSK(T573)": "pRSK(T573)",
    "p-AKT(T308)": "pAKT(T308)",
    "p-AKT(S473)": "pAKT(S473)",
    "p-mTOR(S2448)": "pmTOR(S2448)",
    "p-p70S6K(T421/S424)": "pS6K(T421/S424)",
    "p-p70S6K(T389)": "pS6K(T389)",
    "p-S6(S235/236)": "pS6(S235/236)",
    "p-AMPK(T172)": "pAMPK(T172)",
    "p-JNK(T183/Y185)": "pJNK(T183/Y185)",
    "Total c-Jun": "cJun",
    "p-cJun(S63)": "pcJun(S63)",
    "p-P38(T180/Y182)": "pP38(T180/Y182)",
    "p-HSP27(S82)": "pHSP27(S82)",
    "p-NFKB(S536)": "pNFKB(S536)",
    "Bim": "Bim",
    "cPARP": "cPARP",
    "p-Histone H3(S10)": "pH3(S10)",
    "p27 Kip1": "p27",
}
# off the RAF-MEK-ERK-RSK-S6 chain: their median over a lysate is its loading
REFERENCE = ("pAMPK(T172)", "pJNK(T183/Y185)", "pP38(T180/Y182)", "pNFKB(S536)", "cPARP", "pmTOR(S2448)",
             "pHSP27(S82)", "pAKT(T308)", "pAKT(S473)")  # fmt: skip
ARM_SD = 0.17  # log2; sd between arms of equal truth (layout), seen on inert doses
TOTAL = ("cJun", "Bim", "cPARP", "p27")
COLUMNS = {
    "Small Molecule Name": "perturbation",
    "Cell Line Name": "context",
    "Drug Concentration": "dose",
    "Time Point": "time_h",
    "Replicate": "print",
    "Scanner/Software": "scanner",
}
LYSATE = ["context", "perturbation", "dose", "time_h", "position", "pair"]


def load_rppa(folder: Path) -> Dataset:
    """From ``folder``/hms_lincs_20218_wells.tsv.gz. Raises BadInput where columns are missing."""
    import pandas as pd

    path = folder / FILE
    raw = pd.read_csv(path, sep="\t")
    missing = [c for c in (*COLUMNS, *MARKERS) if c not in raw]
    if missing:
        raise BadInput(f"{path.name} lacks the column {missing[0]!r}", cure="Fetch the data set anew")
    return from_table(raw, source=str(path))


def from_table(raw: pd.DataFrame, *, source: str) -> Dataset:
    """raw: one row per printed spot and scan, columns as released (ratio scale, NaN = removed as an outlier)."""
    import pandas as pd

    spots = raw[list(COLUMNS)].rename(columns=COLUMNS)
    spots["perturbation"] = spots["perturbation"].fillna(CONTROL)
    # the eight control positions of a plate stand in the table in a fixed order
    spots["position"] = spots.groupby(list(spots.columns)).cumcount() + 1
    spots["pair"] = (spots["print"] + 1) // 2
    ratios = raw[list(MARKERS)].rename(columns=MARKERS)
    logs = _centre_on_control(pd.DataFrame(np.log2(ratios.where(ratios > 0))), spots)
    logs[spots["scanner"].str.startswith("Odyssey")] *= ODYSSEY_GAIN
    by_scan = pd.concat([spots, logs], axis=1).groupby([*LYSATE, "scanner"], sort=True)[list(logs.columns)].mean()
    lysates = by_scan.groupby(level=LYSATE, sort=True).mean()
    lysates = lysates.sub(lysates[list(REFERENCE)].median(axis=1).fillna(0.0), axis=0)
    table = lysates.reset_index()
    control = (table["perturbation"] == CONTROL).to_numpy()
    replicate = table["pair"] + 4 * (table["position"] - 1)
    obs = pd.DataFrame(
        {
            "perturbation": table["perturbation"], "kind": np.where(control, CONTROL, "compound"),
            "dose": np.where(control, np.nan, table["dose"]), "dose_unit": np.where(control, "", "uM"),
            "time_h": table["time_h"].astype(float), "context": table["context"], "control": control,
            "batch": "array", "replicate": replicate.astype(str),
        }
    )  # fmt: skip
    dose = table["dose"].map("{:g}uM".format).where(~control, "0")
    obs.index = pd.Index(
        table["context"] + "/" + table["perturbation"] + "/" + dose + "/"
        + table["time_h"].map("{:g}h".format) + "/" + obs["replicate"]
    )  # fmt: skip
    X = table[list(logs.columns)].to_numpy(float)
    var = pd.DataFrame(
        {
            "modality": ["proteome" if n in TOTAL else "phosphoproteome" for n in logs.columns],
            "unit": "log2FC",
            "arm_sd": ARM_SD,
        },
        index=pd.Index(logs.columns),
    )
    info = DatasetInfo(
        dataset="rppa", description="RPPA of BRAF-mutant melanoma lines under RAF and MEK inhibitors, 1 to 48 h",
        licence="HMS LINCS data release policy (citation asked)",
        citation="Fallahi-Sichani 2015, doi:10.15252/msb.20145877; HMS LINCS dataset 20218",
        scale="log2", has_controls=True,
    )  # fmt: skip
    unmeasured = int(np.isnan(X).sum())
    notes = (
        Note("used", len(raw), "spots", "each print and scan of a slide"),
        Note("changed", len(table), "wells made of them", "two prints and up to two scans of one lysate averaged"),
        Note("changed", len(table), "wells' loading", "minus the median of nine markers off the RAF-S6 chain"),
        Note("dropped", unmeasured, "readings", "removed by the releasing laboratory: outlier or unreliable antibody"),
    )
    return Dataset("rppa", build_wells(obs, X, var, info), DataReport(source, notes))


def _centre_on_control(logs: pd.DataFrame, spots: pd.DataFrame) -> pd.DataFrame:
    """Log2 minus the median of the control spots of the same line, time and scan."""
    import pandas as pd

    keys = ["context", "time_h", "scanner"]
    control = (spots["perturbation"] == CONTROL).to_numpy()
    median = logs[control].groupby([spots.loc[control, k] for k in keys]).median()
    centre = median.reindex(pd.MultiIndex.from_frame(spots[keys]))
    return logs - centre.to_numpy(float)
