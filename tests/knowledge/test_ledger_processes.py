"""Many writers, killed writers, any order: the ledger says one thing."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sql_event

from cytocrux.evals.ledger_kill import Aftermath, kill_writers
from cytocrux.evals.ledger_story import story
from cytocrux.knowledge.claims import Claim, Design, Evidence, Prediction
from cytocrux.knowledge.evalues import assess
from cytocrux.knowledge.events import Draft, Event
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.status import ClaimState, replay
from cytocrux.world_model.errors import CytocruxError, NotAllowed

OpenLedger = Callable[[], Ledger]
STORIES = [list(story(2, 2, campaign=name, seed=i)) for i, name in enumerate(("a", "b"))]

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # a seed has no smaller form


def sound(found: Aftermath) -> None:
    assert found.verification.ok, found.verification
    assert (found.lost, found.moved, found.doubled) == (0, 0, 0)
    assert found.stored >= found.acknowledged > 4 * found.kills


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    sound(kill_writers(tmp_path, kills=8))


def test_killed_writers_lose_nothing_on_postgres(tmp_path: Path, postgres_schema: str) -> None:
    sound(kill_writers(tmp_path, postgres_schema, kills=4))


def test_threads_with_the_same_work_store_it_once(open_ledger: OpenLedger) -> None:
    drafts = STORIES[0]
    ledgers = [open_ledger() for _ in range(3)]

    def work(ledger: Ledger) -> list[str]:
        return [ledger.append(d.kind, d.payload, campaign=d.campaign, key=d.key).hash for d in drafts]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(work, ledgers))
    assert results[0] == results[1] == results[2] == [e.hash for e in ledgers[0].events()]
    assert ledgers[0].verify().ok


def summary(states: dict[str, ClaimState]) -> dict[str, object]:
    """What a claim's state says, without the numbers of its entries."""
    return {
        claim_id: (s.status, [c.status for c in s.history], [path[1:] for path in s.e_path], s.alarms)
        for claim_id, s in sorted(states.items())
    }


def in_order() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder)) as ledger:
        ledger.append_many([*STORIES[0], *STORIES[1]])
        return summary(replay(ledger.events()))


EXPECTED = in_order()


@contextmanager
def crash_at(ledger: Ledger, statement: int) -> Iterator[None]:
    """The connection breaks before the given SQL statement from now on."""
    left = [statement]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    sql_event.listen(ledger._engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        sql_event.remove(ledger._engine, "before_cursor_execute", count)


@settings(max_examples=12, deadline=None, phases=NO_SHRINKING)
@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_any_interleaving_with_crashes_yields_one_status(seed: int, sizes: Sequence[int]) -> None:
    """Two campaigns at once, in batches of any size, with crashes after which the same keys are sent again."""
    order = random.Random(seed)
    queues = [list(s) for s in STORIES]
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder)) as ledger:
        turn = 0
        while any(queues):
            queue = order.choice([q for q in queues if q])
            size = sizes[turn % len(sizes)]
            turn += 1
            if order.random() < 0.3:
                before = ledger.head()
                try:
                    with crash_at(ledger, order.randint(1, 6)):
                        ledger.append_many(queue[:size])
                except KeyboardInterrupt:
                    assert ledger.head() == before
                    continue
            else:
                ledger.append_many(queue[:size])
            del queue[: order.randint(0, size)]  # fewer than were sent: the rest is sent again under its keys
        assert summary(replay(ledger.events())) == EXPECTED
        assert ledger.head()[0] == sum(map(len, STORIES))
        assert ledger.verify().ok


def oracle(events: Sequence[Event]) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    """Status and e-values of each claim worked out plainly from its evidence, in ledger order."""
    claims = {c.id: c for c in (Claim(**e.payload["claim"]) for e in events if e.kind == "claim_proposed")}
    tests = [Prediction(**e.payload["prediction"]) for e in events if e.kind == "prediction_registered"]
    runs = {e.payload["design_hash"] for e in events if e.kind == "run_submitted"}
    designs = [Design(**e.payload["design"]) for e in events if e.kind == "experiment_proposed"]
    out = {}
    for claim_id, claim in claims.items():
        test = next((p for p in tests if p.claim_id == claim_id), None)
        looks = [Evidence(**e.payload["evidence"]).batch for e in events if e.kind == "evidence_added"]
        looks = [b for b in looks if b.claim_id == claim_id]
        found = [assess(claim, test, looks[: k + 1]) for k in range(len(looks))] if test else []
        pro, contra = any(f.e_for >= 20 for f in found), any(f.e_against >= 20 for f in found)
        begun = any(d.content_hash() in runs and test and test.id in d.predictions for d in designs)
        settled = {(1, 1): "conflict", (1, 0): "corroborated", (0, 1): "falsified"}.get((pro, contra))
        status = settled or ("testing" if begun else "registered" if test else "proposed")
        out[claim_id] = (status, [(f.e_for, f.e_against) for f in found])
    return out


@settings(max_examples=6, deadline=None, phases=NO_SHRINKING)
@given(seed=st.integers(0, 2**32))
def test_any_order_of_arrival_yields_what_the_entries_say(seed: int) -> None:
    """Events arrive shuffled; a refused one comes again later, some never get in. Replay says what is there."""
    order = random.Random(seed)
    waiting: list[Draft] = [d for s in STORIES for d in s]
    order.shuffle(waiting)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder)) as ledger:
        progress = True
        while waiting and progress:
            left = []
            for draft in waiting:
                try:
                    ledger.append(draft.kind, draft.payload, campaign=draft.campaign, key=draft.key)
                except NotAllowed:
                    left.append(draft)
            progress, waiting = len(left) < len(waiting), left
        # only evidence can be too late for ever: its test was registered after its wells were revealed
        assert {d.kind for d in waiting} <= {"evidence_added"}
        assert ledger.verify().ok
        events = list(ledger.events())
        states = replay(events)
        assert {c: (s.status, [path[1:] for path in s.e_path]) for c, s in states.items()} == oracle(events)


def test_a_failed_commit_is_an_error_and_stores_nothing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append("note", {"text": "x"})
        with pytest.raises(CytocruxError), crash_with(ledger, "INSERT"):
            ledger.append("note", {"text": "y"})
        assert ledger.head()[0] == 1 and ledger.verify().ok


@contextmanager
def crash_with(ledger: Ledger, word: str) -> Iterator[None]:
    """The disk fills up when a statement with this word is run."""
    import sqlite3

    def fail(_c: object, _k: object, statement: str, *_: object) -> None:
        if word in statement:
            raise sqlite3.OperationalError("database or disk is full")

    sql_event.listen(ledger._engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        sql_event.remove(ledger._engine, "before_cursor_execute", fail)
