"""The report's words in plain language, shown where they first matter and listed at the end."""

from __future__ import annotations

GLOSSARY: dict[str, str] = {
    "claim": "A sentence about the cell that states a size and a direction before any data, so that an experiment "
    "can contradict it.",
    "denial": "The claim's contrary. Between claim and denial lies a zone where neither is tested.",
    "corroborated": "The evidence for the claim crossed the bar that was fixed beforehand. It survived this test; "
    "it is never final.",
    "falsified": "The evidence against the claim crossed the bar that was fixed beforehand. The claim is given up.",
    "undecided": "The wells set aside for this test were used up and neither side crossed the bar.",
    "testing": "Some wells were measured; more are needed before either side crosses the bar.",
    "registered": "The test was written into the ledger with its prediction; none of its wells is measured yet.",
    "proposed": "Staked as a claim; no test was registered for it.",
    "conflict": "Both sides crossed the bar: an alarm about the data or its variance, not a result.",
    "undermined": "A claim that this one rests on was falsified.",
    "e-value": "A bet on the data at fair odds: it starts at 1 and grows by winning. Were its opponent true, it would "
    "reach 20 at most one time in 20, whenever one stops looking.",
    "false discovery rate": "The share of wrong ones to be expected among the claims that hold, when many are tested "
    "at once (e-BH, valid under any dependence).",
    "severity": "The chance that this test would have falsified the claim, were the sceptic right. A low severity "
    "means that passing the test says little.",
    "sceptic": "The strongest simple explanation: no effect, or just the average. The claim has to beat it.",
    "prediction": "What the model of the cell expected, with its uncertainty, written down before the wells were seen.",
    "top": "The share of measured cell lines predicted to respond to this compound at least as strongly. 5% means: "
    "among the most sensitive 5% of lines.",
    "confidence interval": "A 95% interval that stays valid however often one looks at the growing data.",
    "ledger": "The append-only record of claims, tests, decisions and wells, chained by hashes: a later edit shows.",
    "well": "One measured sample: one dish, one line, one treatment.",
}
