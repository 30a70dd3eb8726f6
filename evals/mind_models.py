"""Scripted language models whose every word is known: a faithful one, and one that only fails."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from ..agents.llm.scripted import Request, Step, no_choices, say, status, stream

WANTED = 6  # hypotheses a decision


def faithful(request: Request) -> Step:
    """A model that keeps every rule: it reads the lists of the prompt and proposes the first few names."""
    return say(json.dumps(_reply(request)))


def inventive(request: Request) -> Step:
    """A model that mixes its rules with inventions: compounds, genes and numbers that nobody knows."""
    reply = _reply(request)
    if asked_for(request) == "hypothesise":
        honest = reply["hypotheses"]
        made_up = [h | {"perturbations": [f"Inventinib-{n}"]} for n, h in enumerate(honest[:3])]
        edge = {"source": "INV1", "relation": "inhibits", "target": "MADEUP2"}
        told = "The IC50 is 2 nM, which is proven. It acts on the pathway that these cells depend on."
        reply["hypotheses"] = [*made_up, *(h | {"reason": told, "mechanism": [edge]} for h in honest)]
    return say(json.dumps(reply))


def block(request: Request, label: str) -> list[str]:
    """The lines of one fenced block of a prompt; empty where the prompt has none of that label."""
    text = "\n".join(str(m["content"]) for m in request["messages"])
    found = re.search(rf"<<<{label} ([0-9a-f]{{32}})\n(.*?)\n{label} \1>>>", text, re.S)
    return [line for line in found.group(2).splitlines() if line.strip()] if found else []


# how each prompt begins
OPENINGS = {
    "understand": "You read a researcher's question",
    "hypothesise": "You propose testable hypotheses",
    "read": "You read passages of the researcher's own papers",
    "doubt": "You are the sceptic of a laboratory system: for each",
    "revise": "You are the theorist of a laboratory system. The sceptic",
    "design": "You are the experimentalist",
    "analyse": "You are the analyst",
    "criticise": "You are the critic of a report",
}


def asked_for(request: Request) -> str:
    """Which prompt this is: the name of its template."""
    system = str(request["messages"][0]["content"])
    if "may look something up before you decide" in system:
        return "look"
    return next((name for name, opening in OPENINGS.items() if opening in system), "")


def planning(request: Request) -> bool:
    """Is this the prompt of ``understand``?"""
    return asked_for(request) == "understand"


def _reply(request: Request) -> dict[str, Any]:
    """An answer that keeps every rule of its prompt."""
    kind = asked_for(request)
    if kind in _ROLES:
        return _ROLES[kind](request)
    if planning(request):
        return {
            "intent": "panel", "context": "", "readouts": [], "candidates": [], "exclusions": [], "disease": "",
            "unplaced": [],
        }  # fmt: skip
    readout = block(request, "readouts")[0].rsplit(":", 1)[0]
    names = [line.split(":")[0] for line in block(request, "perturbations") if "measured together" not in line]
    return {
        "hypotheses": [
            {
                "perturbations": [name], "dose": "", "time": "", "readout": readout, "direction": "down",
                "kind": "efficacy", "mechanism": [], "reason": "It acts on the pathway that these cells depend on.",
            }
            for name in names[:WANTED]
        ]
    }  # fmt: skip


def _look(request: Request) -> dict[str, Any]:
    """Looks up the first name once, then has enough."""
    if block(request, "observed"):
        return {"tool": "none", "argument": ""}
    return {"tool": "coverage", "argument": block(request, "names")[0]}


def _read(request: Request) -> dict[str, Any]:
    """Cites the first passage with its own first words, for the first name in it."""
    entry, _, text = block(request, "passages")[0].partition("] ")
    said = text.split(": ", 1)[1]
    about = next((n for n in block(request, "names") if n in said), block(request, "names")[0])
    quote = said.split(".")[0][:200]
    return {"citations": [{"entry": entry.strip("["), "about": about, "bearing": "mentions", "quote": quote}]}


def _doubt(request: Request) -> dict[str, Any]:
    why = "Dying cells may move the readout without it."
    return {
        "doubts": [{"about": p.split()[0], "rival": "toxicity", "reason": why} for p in block(request, "proposals")]
    }


def _revise(request: Request) -> dict[str, Any]:
    """Takes back the last of its proposals."""
    labels = [p.split()[0] for p in block(request, "proposals")]
    moves = ["keep"] * (len(labels) - 1) + ["withdraw"]
    return {"answers": [{"about": n, "move": m, "reason": ""} for n, m in zip(labels, moves, strict=True)]}


_ROLES: dict[str, Callable[[Request], dict[str, Any]]] = {
    "look": _look,
    "read": _read,
    "doubt": _doubt,
    "revise": _revise,
    "design": lambda _: {"concerns": [{"concern": "few controls", "reason": "The contrast leans on its controls."}]},
    "analyse": lambda r: {"explanations": [
        {"about": c.split()[0], "explanation": "another target", "reason": "It may act elsewhere as well."}
        for c in block(r, "claims")[:2]]},
    "criticise": lambda r: {"problems": [
        {"about": s.split()[0], "problem": "missing limit", "reason": "One line stands for many."}
        for s in block(r, "sentences")[:1]]},
}  # fmt: skip


def faults(seed: int, timeout_s: float, counted: dict[str, int]) -> Callable[[Request], Step]:
    """A server that is nearly always broken, each time in another way; ``counted`` tells how often in which.

    One answer in twelve is good, so that runs meet faults after progress as well.
    """
    rng = random.Random(seed)  # noqa: S311  # which fault comes next, no secret

    def good(request: Request) -> str:
        return json.dumps(_reply(request))

    kinds: dict[str, Callable[[Request], Step]] = {
        "good": lambda r: say(good(r)),
        "429": lambda _: status(429, retry_after=0.0),
        "429, wait an hour": lambda _: status(429, retry_after=3600.0),
        "500": lambda _: status(500),
        "503": lambda _: status(503),
        "400": lambda _: status(400),
        "timeout": lambda r: Step(say(good(r)).body, delay_s=3 * timeout_s),
        "cut line": lambda r: Step(say(good(r)).body, cut_at=40),
        "cut stream": lambda r: stream([good(r)[:30]], finish=None),
        "no JSON": lambda _: say("I would rather talk about the weather."),
        "half JSON": lambda r: say(good(r)[:-9], finish="length"),
        "wrong schema": lambda _: say('{"verdict": "proven", "hypotheses": 7}'),
        "endless output": lambda _: say("a" * 200_000, finish="length", tokens=(100, 60_000)),
        "no choices": lambda _: no_choices(),
        "empty answer": lambda _: say(""),
        "no JSON at all from the server": lambda _: Step(b"<html>gateway</html>", content_type="text/html"),
    }

    def step(request: Request) -> Step:
        kind = rng.choice(list(kinds))
        counted[kind] = counted.get(kind, 0) + 1
        return kinds[kind](request)

    return step
