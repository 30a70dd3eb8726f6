"""Contraindications: a table of facts, each with its source. Research use only, not medical advice.

A rule names compounds, or the mechanism classes and tags of world_model/facts/compounds.csv, ignoring case.
Kept to well-established rules; a number in the table decides, no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..world_model.errors import UnknownName
from .goal import Exclusion

CARDIOTOXIC = ("anthracycline", "anthracenedione")
MYELOSUPPRESSIVE = (
    "antimetabolite", "alkylator", "platinum compound", "topoisomerase I inhibitor", "topoisomerase II inhibitor"
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """``field`` ``test`` ``bound`` excludes the names (effect "caution": only a note).

    Units are the field's default (agents/patient_fields.py).
    """

    field: str
    test: Literal["<", ">=", ">", "yes"]
    bound: float
    what: tuple[str, ...]
    because: str
    source: str
    effect: Literal["exclude", "caution"] = "exclude"

    def fires(self, value: float) -> bool:
        """True where a reading (a flag reads 1 or 0) triggers the rule."""
        if self.test == "<":
            return value < self.bound
        if self.test == ">=":
            return value >= self.bound
        if self.test == ">":
            return value > self.bound
        return value == 1.0


RULES: tuple[Rule, ...] = (
    Rule("lvef", "<", 50, CARDIOTOXIC, "left ventricular ejection fraction below 50 %",
         "ESC 2022 cardio-oncology guideline, baseline risk table: LVEF < 50 % is very high risk"),
    Rule("nyha", ">=", 3, CARDIOTOXIC, "heart failure NYHA III-IV",
         "FDA label doxorubicin, section 4: severe myocardial insufficiency"),
    Rule("bilirubin", ">", 5, ("anthracycline",), "bilirubin above 5 mg/dL",
         "FDA label doxorubicin, section 4: severe hepatic impairment"),
    Rule("bilirubin", ">", 1.2, ("docetaxel",), "bilirubin above the upper limit of normal (1.2 mg/dL)",
         "FDA label docetaxel, boxed warning: do not give with bilirubin > ULN"),
    Rule("neuropathy", ">=", 2, ("tubulin inhibitor", "vinca", "taxane", "epothilone", "bortezomib"),
         "peripheral neuropathy of grade 2 or more",
         "FDA labels vincristine, paclitaxel, ixabepilone, bortezomib: neurotoxicity, reduce or withhold from grade 2"),
    Rule("charcot_marie_tooth", "yes", 1, ("vinca",), "demyelinating Charcot-Marie-Tooth disease",
         "FDA label vincristine, contraindications"),
    Rule("platelets", "<", 50, (*MYELOSUPPRESSIVE, "navitoclax"), "platelets below 50 x 10^9/L",
         "CTCAE v5: grade 3 thrombocytopenia; navitoclax: Wilson 2010, Lancet Oncol 11:1149 (dose-limiting)"),
    Rule("neutrophils", "<", 1.0, MYELOSUPPRESSIVE, "neutrophils below 1.0 x 10^9/L",
         "CTCAE v5: grade 3 neutropenia"),
    Rule("neutrophils", "<", 1.5, ("taxane",), "neutrophils below 1.5 x 10^9/L",
         "FDA labels paclitaxel and docetaxel, section 4"),
    Rule("creatinine_clearance", "<", 60, ("cisplatin",), "creatinine clearance below 60 mL/min",
         "Galsky 2011, Lancet Oncol 12:211: unfit for cisplatin"),
    Rule("creatinine_clearance", "<", 45, ("pemetrexed",), "creatinine clearance below 45 mL/min",
         "FDA label pemetrexed, section 2: no recommended dose"),
    Rule("creatinine_clearance", "<", 30, ("methotrexate", "fludarabine", "capecitabine"),
         "creatinine clearance below 30 mL/min",
         "EU product information of methotrexate, fludarabine and capecitabine: contraindicated"),
    Rule("g6pd_deficiency", "yes", 1, ("rasburicase", "dapsone", "primaquine"), "G6PD deficiency",
         "FDA label rasburicase, boxed warning: haemolysis"),
    Rule("dpd_deficiency", "yes", 1, ("5-fluorouracil", "capecitabine", "tegafur"), "DPD deficiency",
         "EMA 2020, EMA/229267/2020: contraindicated in complete deficiency"),
    Rule("tpmt_deficiency", "yes", 1, ("mercaptopurine", "thioguanine", "azathioprine"), "TPMT or NUDT15 deficiency",
         "CPIC 2018 guideline, doi 10.1002/cpt.1304"),
    Rule("qtc", ">=", 450, ("vandetanib", "nilotinib"), "QTc of 450 ms or more",
         "FDA labels vandetanib (> 450 ms) and nilotinib, boxed warnings: QT prolongation"),
    Rule("qtc", ">=", 500, ("arsenic trioxide",), "QTc of 500 ms or more",
         "FDA label arsenic trioxide: boxed warning, QT prolongation"),
    Rule("pulmonary_fibrosis", "yes", 1, ("bleomycin",), "pulmonary fibrosis or interstitial lung disease",
         "FDA label bleomycin, boxed warning: pulmonary fibrosis"),
    Rule("pancreatitis", "yes", 1, ("asparaginase", "pegaspargase"), "history of pancreatitis",
         "FDA label pegaspargase, section 4"),
    Rule("pregnant", "yes", 1, ("thalidomide", "lenalidomide", "pomalidomide", "methotrexate", "tretinoin",
                                "bexarotene", "vismodegib", "sonidegib"), "pregnancy",
         "FDA labels, boxed warnings: embryo-fetal toxicity"),
    Rule("hepatitis_b", "yes", 1, ("anti-CD20 antibodies",), "hepatitis B surface antigen positive",
         "FDA label rituximab, boxed warning: reactivation; antiviral prophylaxis first", "caution"),
    Rule("atrial_fibrillation", "yes", 1, ("BTK inhibitors",), "atrial fibrillation",
         "FDA label ibrutinib, section 5: cardiac arrhythmias", "caution"),
)  # fmt: skip

# Doxorubicin-equivalent cumulative dose: Feijen 2019, doi 10.1001/jamaoncol.2018.6634
EQUIVALENT = {
    "prior_doxorubicin": 1.0,
    "prior_daunorubicin": 0.6,
    "prior_epirubicin": 0.8,
    "prior_mitoxantrone": 10.5,
}
DOXORUBICIN_LIMIT = 450.0  # mg/m2: 5-8 % cardiomyopathy (FDA label doxorubicin, section 5.1)
DOXORUBICIN_LIMIT_IRRADIATED = 400.0  # with mediastinal radiotherapy (product information doxorubicin)


_CHINESE = {
    "蒽环类": "anthracycline", "长春碱类": "vinca", "长春花碱类": "vinca", "紫杉类": "taxane", "紫杉烷类": "taxane",
    "铂类": "platinum", "硼替佐米": "bortezomib", "多柔比星": "doxorubicin", "阿霉素": "doxorubicin",
    "甲氨蝶呤": "methotrexate", "长春新碱": "vincristine", "紫杉醇": "paclitaxel",
    "博来霉素": "bleomycin", "顺铂": "cisplatin",
    "依托泊苷": "etoposide", "阿糖胞苷": "cytarabine", "吉西他滨": "gemcitabine",
}  # fmt: skip


def ruled_out(written: str) -> tuple[str, bool]:
    """(the compound, class or tag that a cell rules out, whether the facts know it); aliases become the name."""
    from ..world_model.compounds import facts, find

    word = _CHINESE.get(written.removesuffix("药物").removesuffix("药"), written)
    groups = {g.lower() for f in facts().values() for g in (f.mechanism_class, *f.tags)}
    plain = " ".join(word.lower().split()).removesuffix(" drugs").removesuffix(" alkaloids")
    for spelling in (plain, plain.removesuffix("s")):
        if spelling in groups:
            return spelling, True
    try:
        return find(word).name, True
    except UnknownName:
        return written, False


def contraindications(values: Mapping[str, float]) -> tuple[tuple[Exclusion, ...], tuple[str, ...]]:
    """Exclusions and cautions for readings by field key (default units; flags read 1 or 0)."""
    exclusions: list[Exclusion] = []
    cautions: list[str] = []
    for rule in RULES:
        if rule.field in values and rule.fires(values[rule.field]):
            because = f"{rule.because} ({rule.source})"
            if rule.effect == "caution":
                cautions.append(f"Caution with {', '.join(rule.what)}: {because}")
            else:
                exclusions.extend(Exclusion(what=what, because=because) for what in rule.what)
    exclusions.extend(_anthracycline_limit(values))
    return tuple(exclusions), tuple(cautions)


def _anthracycline_limit(values: Mapping[str, float]) -> list[Exclusion]:
    doses = {key: values[key] * factor for key, factor in EQUIVALENT.items() if key in values}
    if not doses:
        return []
    label = DOXORUBICIN_LIMIT_IRRADIATED if values.get("heart_radiotherapy") else DOXORUBICIN_LIMIT
    limit = min(values.get("anthracycline_limit", label), label)
    total = sum(doses.values())
    if total < limit:
        return []
    because = (
        f"cumulative anthracycline dose {total:g} mg/m2 (doxorubicin equivalents) has reached the limit of {limit:g} "
        "(FDA label doxorubicin, section 5.1; Feijen 2019, doi 10.1001/jamaoncol.2018.6634)"
    )
    return [Exclusion(what=what, because=because) for what in CARDIOTOXIC]


def creatinine_clearance(age: float, weight_kg: float, creatinine_mg_dl: float, female: bool) -> float:
    """mL/min = (140 - age) x weight / (72 x creatinine), x 0.85 for women (Cockcroft & Gault 1976, Nephron 16:31)."""
    return (140 - age) * weight_kg / (72 * creatinine_mg_dl) * (0.85 if female else 1.0)
