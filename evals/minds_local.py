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

from ..agents import scientist
from ..agents.budget import Budget
from ..agents.spec import CampaignSpec, LLMSpec
from ..knowledge.ledger import Ledger
from ..world_model.errors import BadInput, DataUnavailable
from . import minds_checks as checks
from .results import Result

SERVER = Path(__file__).with_name("local_server.py")
# name, data set, question, budget
QUESTIONS = (
    ("founding", "simulated", "Propose a panel of mechanistically distinct compounds predicted to work for SIM-004",
     Budget(wells=16, cycles=2)),
    ("hits", "simulated", "Which compounds is SIM-011 most sensitive to? Find hits of any class",
     Budget(wells=16, cycles=2)),
    ("rppa", "rppa", "Which RAF or MEK inhibitor shuts down ERK signalling in COLO 858, and does S6 follow?",
     Budget(wells=24, cycles=2)),
)  # fmt: skip


def run(*, fast: bool, data_dir: Path | None) -> list[Result]:
    """Figures of each campaign. ``fast``: the first alone. Raises BadInput where no model is set up."""
    wanted = [q for q in QUESTIONS if q[1] == "simulated" or data_dir is not None][: 1 if fast else None]
    results: list[Result] = []
    with local_model() as url, tempfile.TemporaryDirectory() as folder:
        for name, data, question, budget in wanted:
            results += _campaign(Path(folder) / name, url, name, CampaignSpec(
                question=question, data=data, budget=budget, auto_approve="replay"))  # fmt: skip
    return results


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


def _campaign(workspace: Path, url: str, name: str, spec: CampaignSpec) -> Iterator[Result]:
    """One question by the local model and by the built-in mind."""
    llm = LLMSpec(
        url=url, model="local", timeout_s=300, attempts=1, max_tokens=600, max_calls=60, brief=True, tool_calls=1
    )
    started = time.perf_counter()
    outcome = scientist.start(spec.model_copy(update={"llm": llm}), workspace=workspace / "llm")
    seconds = time.perf_counter() - started
    scientist.start(spec, workspace=workspace / "builtin")
    with Ledger.open(workspace / "llm") as one, Ledger.open(workspace / "builtin") as two:
        told = [e.payload for e in one.events(kind="mind_decision")]
        _, unsupported, sentences = checks.sentences(one, outcome.answer)
        shared, differ = checks.verdicts(one, two)
        whole = one.verify().ok
    invalid = [t for t in told if t["reason"].startswith(("invalid", "cut", "empty"))]
    refused, cut = sum(len(t["refused"]) for t in told), sum(t["cut"] for t in told)
    tokens = sum(t["tokens_in"] + t["tokens_out"] for t in told)
    done = outcome.state == "done" and whole
    yield Result(name=f"{name}_complete", value=float(done), n=1, unit="campaigns", bar="1", passed=done,
                 note=f"{seconds:.0f} s; " + " ".join(outcome.answer.get("summary", [])[:1]))  # fmt: skip
    yield Result(name=f"{name}_invalid_outputs", value=len(invalid), n=len(told), unit="decisions", bar="counted",
                 note="; ".join(t["reason"][:120] for t in invalid))  # fmt: skip
    yield Result(name=f"{name}_fallbacks", value=sum(t["fallback"] for t in told), n=len(told), unit="decisions",
                 bar="counted", note=f"{refused} names refused, {cut} sentences cut, {tokens} tokens")  # fmt: skip
    yield Result(name=f"{name}_verdicts_that_differ", value=differ, n=shared, unit="claims", bar="0",
                 passed=differ == 0)  # fmt: skip
    yield Result(name=f"{name}_unsupported_sentences", value=unsupported, n=sentences, unit="sentences", bar="0",
                 passed=unsupported == 0 < sentences)  # fmt: skip
