"""``cytocrux eval local-model``: whole campaigns with a real small model on this machine; ``make test-llm`` sets it up.

A model of 135 million parameters shows whether everything holds together with a mind that writes what it likes, not
how well a language model thinks: what matters is that campaigns end, and that verdicts do not depend on the mind.
"""

from __future__ import annotations

import os
import subprocess  # the model's own server, started from two paths of the environment
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..agents import scientist
from ..agents.budget import Budget
from ..agents.spec import CampaignSpec, LLMSpec
from ..knowledge.ledger import Ledger
from ..world_model.errors import BadInput, DataUnavailable
from . import minds_checks as checks
from .results import Result

SERVER = Path(__file__).with_name("local_server.py")
# name, data set, question, budget, looks a role may take, rounds of debate
QUESTIONS = (
    ("founding", "simulated", "Propose a panel of mechanistically distinct compounds predicted to work for SIM-004",
     Budget(wells=16, cycles=1), 1, 1),
    ("rppa", "rppa", "Which RAF or MEK inhibitor shuts down ERK signalling in COLO 858, and does S6 follow?",
     Budget(wells=24, cycles=1), 0, 1),
)  # fmt: skip
HITS_ROUNDS, HITS_BATCH = 3, 128


def run(*, fast: bool, data_dir: Path | None) -> list[Result]:
    """Figures of each campaign. ``fast``: the first alone. Raises BadInput where no model is set up."""
    wanted = [q for q in QUESTIONS if q[1] == "simulated" or data_dir is not None][: 1 if fast else None]
    results: list[Result] = []
    with local_model() as url, tempfile.TemporaryDirectory() as folder:
        for name, data, question, budget, looks, rounds in wanted:
            spec = CampaignSpec(question=question, data=data, budget=budget, auto_approve="replay",
                                llm=local_spec(url, tool_calls=looks, rounds=rounds))  # fmt: skip
            results += _campaign(Path(folder) / name, name, spec)
        if data_dir is not None and not fast:
            results += _hits(url, data_dir)
    return results


def local_spec(url: str, **more: int) -> LLMSpec:
    """The settings that a model of a few hundred million parameters needs: short lists, short answers, one try."""
    values = {"url": url, "model": "local", "timeout_s": 300, "attempts": 1, "max_tokens": 600, "max_calls": 60}
    return LLMSpec.model_validate(values | {"brief": True} | more)


@contextmanager
def local_model() -> Iterator[str]:
    """The base URL of the server that CYTOCRUX_LOCAL_PYTHON and CYTOCRUX_LOCAL_MODEL (.gguf) name, while it runs."""
    python, model = os.environ.get("CYTOCRUX_LOCAL_PYTHON", ""), os.environ.get("CYTOCRUX_LOCAL_MODEL", "")
    if not Path(python).is_file() or not Path(model).is_file():
        raise BadInput("No local model is set up", cure="run it with: make test-llm")
    command = [python, "-P", str(SERVER), model]
    with subprocess.Popen(  # noqa: S603  # see above
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            address = server.stdout.readline().strip() if server.stdout else ""
            if not address.startswith("http"):
                raise DataUnavailable("The local model's server did not start", cure=f"try it by hand: {command}")
            yield f"{address}/v1"
        finally:
            server.terminate()


def _campaign(workspace: Path, name: str, spec: CampaignSpec) -> Iterator[Result]:
    """One question by the local model and by the built-in mind."""
    started = time.perf_counter()
    outcome = scientist.start(spec, workspace=workspace / "llm")
    seconds = time.perf_counter() - started
    scientist.start(spec.model_copy(update={"llm": None}), workspace=workspace / "builtin")
    with Ledger.open(workspace / "llm") as one, Ledger.open(workspace / "builtin") as two:
        told = [e.payload for e in one.events(kind="mind_decision")]
        looked = sum(e.payload["mind"] != "builtin" for e in one.events(kind="tool_called"))
        _, unsupported, sentences = checks.sentences(one, outcome.answer)
        shared, differ = checks.verdicts(one, two)
        tested, changed = checks.without_words(one)
        whole = one.verify().ok
    invalid = [t for t in told if t["reason"].startswith(("invalid", "cut", "empty"))]
    refused, cut = sum(len(t["refused"]) for t in told), sum(t["cut"] for t in told)
    tokens = sum(t["tokens_in"] + t["tokens_out"] for t in told)
    done = outcome.state == "done" and whole
    yield Result(name=f"{name}_complete", value=float(done), n=1, unit="campaigns", bar="1", passed=done,
                 note=f"{seconds:.0f} s; " + " ".join(outcome.answer.get("summary", [])[:1]))  # fmt: skip
    yield Result(name=f"{name}_invalid_outputs", value=len(invalid), n=len(told), unit="decisions", bar="counted",
                 note="; ".join(t["reason"][:120] for t in invalid))  # fmt: skip
    note = f"{refused} names refused, {cut} sentences cut, {looked} tools called, {tokens} tokens"
    yield Result(name=f"{name}_fallbacks", value=sum(t["fallback"] for t in told), n=len(told), unit="decisions",
                 bar="counted", note=note)  # fmt: skip
    yield Result(name=f"{name}_verdicts_that_differ", value=differ, n=shared, unit="claims", bar="0",
                 passed=differ == 0, note="claims that both minds' campaigns tested on the same wells")  # fmt: skip
    yield Result(name=f"{name}_verdicts_that_need_words", value=changed, n=tested, unit="claims", bar="0",
                 passed=changed == 0 < tested, note="tested again without a word of the model in them")  # fmt: skip
    yield Result(name=f"{name}_unsupported_sentences", value=unsupported, n=sentences, unit="sentences", bar="0",
                 passed=unsupported == 0 < sentences)  # fmt: skip


def _hits(url: str, data_dir: Path) -> Iterator[Result]:
    """A hit campaign whose question the local model widens; the screen's own measurements say what a hit is."""
    from ..agents.hits.campaign import HitCampaign
    from ..agents.hits.curves import play
    from ..agents.hits.files import Measured
    from ..agents.llm.client import open_client
    from ..agents.minds.asking import Asker, DecisionRecord
    from ..agents.minds.hit_words import widened
    from ..world_model.data.screens import load_screen

    screen = load_screen("IFNG", data_dir)
    records: list[DecisionRecord] = []
    spec = local_spec(url)
    limits, options = spec.bounds()
    asker = Asker(open_client(url, "local", limits=limits, options=options), "builtin", records.append, brief=True)
    question = widened(screen.question, asker)
    rows = np.arange(len(screen.names))
    oracle = Measured(rows, np.nan_to_num(screen.score), screen.hit.astype(float))
    found = {}
    for mind, asked in (("local", question), ("builtin", screen.question)):
        campaign = HitCampaign.begin(screen.names, asked, data_dir)
        found[mind] = play(campaign, oracle, HITS_ROUNDS, HITS_BATCH)
    labels = [{int(r): float(h) for rows, _, hit in f.rounds for r, h in zip(rows, hit, strict=True)}
              for f in found.values()]  # fmt: skip
    both = labels[0].keys() & labels[1].keys()
    differ = sum(labels[0][r] != labels[1][r] for r in both)
    measured = sum(len(rows) for rows, _, _ in found["local"].rounds)
    added = question.removeprefix(screen.question).strip(" ()")
    whole = measured == HITS_ROUNDS * HITS_BATCH
    note = f"interferon gamma screen, {measured} genes measured; the model added: {added or 'nothing'}"
    yield Result(name="hits_complete", value=float(whole), n=1, unit="campaigns", bar="1", passed=whole, note=note)
    yield Result(name="hits_fallbacks", value=sum(r.fallback for r in records), n=len(records), unit="decisions",
                 bar="counted", note="; ".join(r.reason[:120] for r in records if r.fallback))  # fmt: skip
    yield Result(name="hits_verdicts_that_differ", value=differ, n=len(both), unit="genes", bar="0",
                 passed=differ == 0 < len(both), note="genes that both minds' campaigns measured")  # fmt: skip
    own: dict[str, float | None] = {"built-in mind": float(found["builtin"].share[-1])}
    share, n = float(found["local"].share[-1]), int(screen.hit.sum())
    yield Result(name="hits_share_found", value=share, n=n, unit="of hits", baselines=own, bar="reported")
