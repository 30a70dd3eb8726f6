"""Read-only tools that a role may call while it thinks: each call in the ledger, with hashes of what went in and out.

None of them starts, approves, submits, changes a budget or reads a path; an argument is a name or some words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from ...prompts.render import clean
from ...world_model.errors import CytocruxError
from ...world_model.vocabulary import Frozen, content_hash
from ..minds.resolve import Names

if TYPE_CHECKING:
    from ..session import Session
    from .shapes import Role

ToolName = Literal["claims", "notes", "compound", "coverage", "cell", "trial"]
TOOLS: tuple[ToolName, ...] = get_args(ToolName)
MOST = 6  # lines of one answer
MOST_PASSAGES = 400
Arm = tuple[str, float | None, float | None]  # perturbation (pair: sorted, joined by +), dose in uM, time in h


class Observation(Frozen):
    """What a tool answered. lines: for a prompt and for code; result_hash: of them, and their artefact."""

    tool: ToolName
    argument: str
    lines: tuple[str, ...]
    result_hash: str

    def words(self) -> str:
        """One line of data for a prompt."""
        return f"{self.tool}({self.argument}): {'; '.join(self.lines) or 'nothing'}"


class Passage(Frozen):
    """A note of the ledger."""

    entry: int
    citation: str
    text: str


class Toolbox:
    """The tools bound to one campaign."""

    def __init__(self, session: Session) -> None:
        self.s = session
        self._tools: dict[ToolName, Callable[[str], list[str]]] = {
            "claims": self.claims, "notes": self.notes, "compound": self.compound, "coverage": self.coverage,
            "cell": self.cell, "trial": self.trial,
        }  # fmt: skip

    def describe(self) -> list[str]:
        """A line a tool, from its docstring."""
        return [f"{name}: {(tool.__doc__ or '').splitlines()[0]}" for name, tool in self._tools.items()]

    def call(
        self, tool: ToolName, argument: str, *, role: Role, mind: str, turn: str, prompt_hash: str = ""
    ) -> Observation:
        """One call, recorded. An error is an answer too: the role reads it and goes on."""
        argument = clean(argument)[:80]
        try:
            lines = [clean(line)[:400] for line in self._tools[tool](argument)][:MOST]
        except CytocruxError as error:
            lines = [f"error: {clean(str(error))[:200]}"]
        digest = self.s.artefacts.put_json(lines)
        asked = content_hash([tool, argument])
        payload = {
            "role": role, "mind": mind, "tool": tool, "argument": argument, "turn": turn, "args_hash": asked,
            "result_hash": digest, "prompt_hash": prompt_hash,
        }  # fmt: skip
        self.s.record("tool_called", payload, f"tool:{turn}:{role}:{content_hash(payload)[:16]}")
        return Observation(tool=tool, argument=argument, lines=tuple(lines), result_hash=digest)

    def claims(self, name: str) -> list[str]:
        """claims on a perturbation that the ledger holds, with their computed status"""
        wanted = self._name(name) if name else ""
        states = self.s.states().values()
        about = [
            c for c in states if not wanted or any(wanted == p.name for p in c.claim.contrast.arms[0].perturbations)
        ]
        return [f"{c.claim.sentence} [{c.status}]" for c in about[-MOST:]]

    def notes(self, words: str) -> list[str]:
        """passages of the researcher's own papers that share most words with the argument"""
        return [f"[entry {p.entry}] {p.citation}: {p.text}" for p in self.passages(words)]

    def compound(self, name: str) -> list[str]:
        """mechanism class and known targets of a compound"""
        from ...world_model.compounds import facts_for

        known = facts_for(self._name(name))
        targets = ", ".join(known.targets) or "none known"
        return [f"class {known.mechanism_class}", f"targets {targets}"]

    def coverage(self, name: str) -> list[str]:
        """doses and times of a perturbation that the lab could still run here, with their fresh wells"""
        wanted = self._name(name)
        arms = sorted((a for a in self.fresh if wanted in a[0].split("+")), key=_order)
        return [f"{where(a)}: {self.fresh[a]} wells" for a in arms] or ["no fresh wells of it here"]

    def cell(self, name: str) -> list[str]:
        """what the virtual cell predicts for a perturbation at its highest dose and latest time, with its sd"""
        from ..goal import Hypothesis

        wanted = self._name(name)
        arm = self.strongest((wanted,))
        if arm is None:
            return ["no fresh wells of it here"]
        asked = [
            Hypothesis(perturbations=(wanted,), dose=arm[1], time_h=arm[2], readout=g.readout.variable,
                       direction=g.direction, kind="efficacy" if self.s.goal.intent == "panel" else "response")
            for g in self.s.goal.readouts
        ]  # fmt: skip
        stakes = self.s.staker().stake(asked)
        return [
            f"{s.claim.readout.variable}: {s.prediction.theory.mean:+.2f} (sd {s.prediction.theory.sd:.2f})"
            + (f", abstains: {s.abstained}" if s.abstained else "")
            for s in stakes
        ]

    def trial(self, _: str = "") -> list[str]:
        """how the theory stands against its sceptic on earlier experiments"""
        found = self.s.trial()
        if found.advantage is None:
            return ["no experiment yet"]
        return [f"{found.experiments} experiments, leader {found.leader}, mean score {found.advantage:+.2f}"]

    def passages(self, words: str, most: int = 4) -> list[Passage]:
        """The notes that share most words with ``words``, longer ones counting more; best first."""
        wanted = _words(words)
        ranked = []
        for n, event in enumerate(self.s.ledger.events(kind="note")):
            if n >= MOST_PASSAGES:
                break
            text = str(event.payload["text"])
            score = sum(len(w) for w in wanted & _words(text))
            if score:
                note = Passage(entry=event.seq, citation=str(event.payload.get("citation", "")), text=text[:1400])
                ranked.append((-score, event.seq, note))
        return [note for _, _, note in sorted(ranked, key=lambda r: r[:2])[:most]]

    def strongest(self, perturbations: tuple[str, ...]) -> Arm | None:
        """The fresh arm where an effect should be largest: the highest dose, then the latest time; None without one."""
        return self._look()[2].get("+".join(sorted(perturbations)))

    @property
    def fresh(self) -> dict[Arm, int]:
        """Arm -> wells in the goal's context that this ledger has not revealed."""
        return self._look()[1]

    _seen: tuple[int, dict[Arm, int], dict[str, Arm]] | None = None

    def _look(self) -> tuple[int, dict[Arm, int], dict[str, Arm]]:
        """(head, fresh wells of each arm, strongest arm of each perturbation); counted again when the ledger grew."""
        head = self.s.ledger.head()[0]
        if self._seen is None or self._seen[0] != head:
            fresh = self._count()
            ranked = sorted(fresh, key=lambda a: (a[1] or 0.0, a[2] or 0.0))
            self._seen = (head, fresh, {a[0]: a for a in ranked})
        return self._seen

    def _count(self) -> dict[Arm, int]:
        seen = {w for e in self.s.ledger.events(kind="wells_revealed") for w in e.payload["wells"]}
        found: dict[Arm, int] = {}
        for well, arm in self._arms:
            if well not in seen:
                found[arm] = found.get(arm, 0) + 1
        return found

    @cached_property
    def _arms(self) -> list[tuple[str, Arm]]:
        """(well, arm) of every treated well that the lab holds here."""
        study = self.s.study
        obs = study.dataset.wells.obs.iloc[study.lab]
        rows = zip(
            obs.index, obs["perturbation"].astype(str), obs["dose"], obs["time_h"], obs["control"], strict=True
        )  # fmt: skip
        return [
            (str(well), ("+".join(sorted(name.split("+"))), _value(dose), _value(time)))
            for well, name, dose, time, control in rows
            if not control
        ]

    def _name(self, text: str) -> str:
        return self._names.find(text)

    @cached_property
    def _names(self) -> Names:
        return Names((part for p in self.s.dataset.perturbations for part in p.split("+")), "perturbation")


def where(arm: Arm) -> str:
    """ "3.16 uM, 24 h"; the perturbation's name where it has neither dose nor time."""
    parts = [*([] if arm[1] is None else [f"{arm[1]:g} uM"]), *([] if arm[2] is None else [f"{arm[2]:g} h"])]
    return ", ".join(parts) or arm[0]


def _order(arm: Arm) -> tuple[str, float, float]:
    return arm[0], -(arm[1] or 0.0), -(arm[2] or 0.0)


def _value(x: float) -> float | None:
    return None if math.isnan(x) else float(x)


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"\w+", text.casefold()) if len(w) > 3 or any(c.isdigit() for c in w)}
