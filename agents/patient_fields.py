"""The fields that the patient reader understands: names in English and Chinese, units, plausible ranges.

A field that is not here is kept, shown and reported as unused. Default units: mg/m2, mg/dL, 10^9/L, mL/min, %.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "flag", "text", "names"]  # names: compounds or classes, may stand in several rows

_CELLS = {"109/l": 1.0, "x109/l": 1.0, "109/liter": 1.0, "g/l": 1.0, "giga/l": 1.0, "k/ul": 1.0, "103/ul": 1.0,
          "x103/ul": 1.0, "/ul": 1e-3, "cells/ul": 1e-3, "/mm3": 1e-3}  # fmt: skip
_DOSE = {"mg/m2": 1.0}


@dataclass(frozen=True)
class FieldSpec:
    """One known field. units: spelling (see ``plain_unit``) -> factor to the first one, the default unit."""

    key: str
    names: tuple[str, ...]
    kind: Kind = "number"
    units: dict[str, float] = field(default_factory=dict)
    low: float = 0.0
    high: float = float("inf")

    @property
    def unit(self) -> str:
        """The default unit, as people write it ("" where the field has none)."""
        return _PRETTY.get(next(iter(self.units), ""), next(iter(self.units), ""))


_PRETTY = {"109/l": "10^9/L", "mg/dl": "mg/dL", "ml/min": "mL/min", "u/l": "U/L", "g/dl": "g/dL"}
_GRADE = {"": 1.0, "grade": 1.0, "级": 1.0}
_MG_DL_CREATININE = {"mg/dl": 1.0, "umol/l": 1 / 88.42}  # 1 mg/dL creatinine = 88.42 umol/L
_MG_DL_BILIRUBIN = {"mg/dl": 1.0, "umol/l": 1 / 17.10}  # 1 mg/dL bilirubin = 17.10 umol/L

FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec("age", ("age", "年龄"), units={"years": 1.0, "year": 1.0, "yr": 1.0, "y": 1.0, "岁": 1.0}, high=120),
    FieldSpec("sex", ("sex", "gender", "性别"), "text"),
    FieldSpec("weight", ("weight", "body weight", "体重"), units={"kg": 1.0, "公斤": 1.0}, low=2, high=400),
    FieldSpec("diagnosis", ("diagnosis", "disease", "histology", "诊断", "病理诊断", "疾病"), "text"),
    FieldSpec("tissue", ("tissue", "组织"), "text"),
    FieldSpec("stage", ("stage", "ann arbor stage", "分期", "临床分期"), "text"),
    FieldSpec("surrogate", ("surrogate line", "surrogate", "替代细胞系", "替代细胞株"), "text"),
    FieldSpec("ecog", ("ecog", "ecog performance status", "ecog评分", "体能状态"), units=_GRADE, high=5),
    FieldSpec("ldh", ("ldh", "lactate dehydrogenase", "乳酸脱氢酶"), units={"u/l": 1.0, "iu/l": 1.0}, high=50000),
    FieldSpec("lvef", ("lvef", "left ventricular ejection fraction", "ejection fraction", "左室射血分数",
                       "左心室射血分数"), units={"%": 1.0}, low=5, high=90),
    FieldSpec("nyha", ("nyha", "nyha class", "heart failure class", "纽约心功能分级"),
              units={"": 1.0, "class": 1.0}, high=4),
    FieldSpec("qtc", ("qtc", "qtc interval", "qtc间期"), units={"ms": 1.0}, low=250, high=800),
    FieldSpec("atrial_fibrillation", ("atrial fibrillation", "房颤", "心房颤动"), "flag"),
    FieldSpec("heart_radiotherapy", ("prior mediastinal radiotherapy", "mediastinal radiotherapy",
                                     "chest radiotherapy", "纵隔放疗史", "胸部放疗史"), "flag"),
    FieldSpec("prior_doxorubicin", ("prior cumulative doxorubicin dose", "cumulative doxorubicin dose",
                                    "cumulative doxorubicin", "prior doxorubicin", "阿霉素累积剂量",
                                    "多柔比星累积剂量", "既往多柔比星累积剂量"), units=_DOSE, high=2000),
    FieldSpec("prior_epirubicin", ("prior cumulative epirubicin dose", "cumulative epirubicin dose",
                                   "表柔比星累积剂量"), units=_DOSE, high=3000),
    FieldSpec("prior_daunorubicin", ("prior cumulative daunorubicin dose", "cumulative daunorubicin dose",
                                     "柔红霉素累积剂量"), units=_DOSE, high=3000),
    FieldSpec("prior_mitoxantrone", ("prior cumulative mitoxantrone dose", "cumulative mitoxantrone dose",
                                     "米托蒽醌累积剂量"), units=_DOSE, high=500),
    FieldSpec("anthracycline_limit", ("anthracycline limit", "lifetime anthracycline limit", "蒽环类药物上限",
                                      "蒽环类累积剂量上限"), units=_DOSE, high=1000),
    FieldSpec("creatinine", ("creatinine", "serum creatinine", "肌酐", "血肌酐"), units=_MG_DL_CREATININE, high=30),
    FieldSpec("creatinine_clearance", ("creatinine clearance", "crcl", "肌酐清除率"),
              units={"ml/min": 1.0, "ml/min/1.73m2": 1.0}, high=300),
    FieldSpec("egfr", ("egfr", "gfr", "肾小球滤过率"), units={"ml/min/1.73m2": 1.0, "ml/min": 1.0}, high=300),
    FieldSpec("bilirubin", ("bilirubin", "total bilirubin", "胆红素", "总胆红素"), units=_MG_DL_BILIRUBIN, high=60),
    FieldSpec("platelets", ("platelets", "platelet count", "血小板", "血小板计数"), units=_CELLS, high=5000),
    FieldSpec("neutrophils", ("neutrophils", "neutrophil count", "anc", "absolute neutrophil count", "中性粒细胞",
                              "中性粒细胞计数"), units=_CELLS, high=500),
    FieldSpec("haemoglobin", ("haemoglobin", "hemoglobin", "血红蛋白"),
              units={"g/dl": 1.0, "g/l": 0.1}, low=1, high=25),
    FieldSpec("neuropathy", ("neuropathy grade", "peripheral neuropathy grade", "peripheral neuropathy",
                             "周围神经病变分级", "神经病变分级"), units=_GRADE, high=5),
    FieldSpec("charcot_marie_tooth", ("charcot marie tooth", "腓骨肌萎缩症"), "flag"),
    FieldSpec("g6pd_deficiency", ("g6pd deficiency", "g6pd缺乏", "蚕豆病"), "flag"),
    FieldSpec("dpd_deficiency", ("dpd deficiency", "dpyd deficiency", "dpd缺乏"), "flag"),
    FieldSpec("tpmt_deficiency", ("tpmt deficiency", "nudt15 deficiency", "tpmt缺乏", "nudt15缺乏"), "flag"),
    FieldSpec("hepatitis_b", ("hepatitis b", "hbsag", "hepatitis b surface antigen", "乙肝", "乙肝表面抗原",
                              "乙型肝炎"), "flag"),
    FieldSpec("pregnant", ("pregnant", "pregnancy", "妊娠", "怀孕"), "flag"),
    FieldSpec("pulmonary_fibrosis", ("pulmonary fibrosis", "interstitial lung disease",
                                     "肺纤维化", "间质性肺病"), "flag"),
    FieldSpec("pancreatitis", ("history of pancreatitis", "prior pancreatitis", "pancreatitis", "胰腺炎病史"), "flag"),
    FieldSpec("allergy", ("allergy", "drug allergy", "过敏", "药物过敏"), "names"),
    FieldSpec("contraindication", ("contraindication", "contraindicated", "禁忌", "禁忌症"), "names"),
)  # fmt: skip


def plain_field(name: str) -> str:
    """A field name for comparison: no bracketed part, no case, no punctuation ("LVEF (%)" -> "lvef")."""
    text = unicodedata.normalize("NFKC", name).lower()
    text = re.sub(r"\([^)]*\)", "", text)
    return "".join(c for c in text if c.isalnum())


def plain_unit(unit: str) -> str:
    """A unit for comparison: "×10⁹/L", "10^9/L" and "10*9/L" read the same; so do "µmol/L" and "umol/L"."""
    text = unicodedata.normalize("NFKC", unit).lower().replace("μ", "u").replace("×", "x")
    return re.sub(r"[\s^*]", "", text)


def find_field(name: str) -> FieldSpec | None:
    """The known field behind a name as written in a table, or None."""
    return _BY_NAME.get(plain_field(name))


_BY_NAME = {plain_field(name): spec for spec in FIELDS for name in spec.names}
