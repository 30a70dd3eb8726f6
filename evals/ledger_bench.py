"""What the ledger bears: events a second, memory, killed writers, flipped bytes.

python -m cytocrux.evals.ledger_bench [--fast]
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..knowledge.events import Draft
from ..knowledge.ledger import Ledger
from ..knowledge.verify import verify_workspace
from .ledger_kill import kill_writers
from .ledger_story import story
from .private_postgres import binaries, private_postgres
from .results import Result

BATCH = 100  # events a transaction

# a process of its own, so that the peak memory (Linux: VmHWM; getrusage would count the parent's) is of verify alone
PROBE = """
import json, sys, time
from pathlib import Path
from cytocrux.knowledge.verify import verify_workspace
start = time.perf_counter()
found = verify_workspace(Path(sys.argv[1]))
seconds = time.perf_counter() - start
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
json.dump({"ok": found.ok, "n": found.n, "seconds": seconds, "mib": peak, "reason": found.reason}, sys.stdout)
"""


class Probe(NamedTuple):
    """One verification: entries, seconds, peak resident memory of the process (MiB)."""

    n: int
    seconds: float
    mib: float


def run(*, fast: bool = False, data_dir: Path | None = None) -> list[Result]:
    """All figures; fast: smaller ledgers and fewer kills, for a look and for tests. Needs no data."""
    del data_dir
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        return [
            *appends(home, 2_000 if fast else 20_000),
            *verification(home, 5_000 if fast else 10_000, 20_000 if fast else 1_000_000),
            *kills(home, 5 if fast else 200),
            flips(home, 30 if fast else 1_000),
        ]


def appends(home: Path, n: int) -> list[Result]:
    """Events a second, with every rule in play, ``BATCH`` a transaction and one by one."""
    drafts = _drafts(n)
    with Ledger.open(home / "batched") as ledger:
        batched = _rate(ledger, drafts, BATCH)
    with Ledger.open(home / "single") as ledger:
        single = _rate(ledger, drafts[: n // 10], 1)
    postgres: dict[str, float | None] = {"postgresql": None, "postgresql_one_by_one": None}
    if binaries() is not None:
        with private_postgres() as url, Ledger.open(home / "pg", url) as ledger:
            postgres["postgresql"] = _rate(ledger, drafts, BATCH)
            postgres["postgresql_one_by_one"] = _rate(ledger, _drafts(n // 10, "single"), 1)
    return [
        Result(
            name="ledger_appends_per_s",
            value=batched,
            n=n,
            unit="events/s",
            baselines={"sqlite_one_by_one": single, **postgres},
            bar=f">= 2000 (SQLite, {BATCH} a transaction)",
            passed=batched >= 2000,
            note="campaign events with all rules checked; every transaction on disk when acknowledged",
        )
    ]


def verification(home: Path, small: int, large: int) -> list[Result]:
    """Speed of verify, and its peak memory on a small and a large ledger."""
    probes = []
    for size in (small, large):
        _fill(home / f"v{size}", size)
        probes.append(_probe(home / f"v{size}"))
    few, many = probes
    growth = many.mib - few.mib
    return [
        Result(
            name="verify_events_per_s",
            value=many.n / many.seconds,
            n=many.n,
            unit="events/s",
            baselines={f"at_{few.n}": few.n / few.seconds},
            bar="reported",
            note="chain, rules, facts, checkpoints, pages and seal",
        ),
        Result(
            name="verify_memory",
            value=many.mib,
            n=many.n,
            unit="MiB",
            baselines={f"at_{few.n}": few.mib},
            bar="flat: within 16 MiB of the small ledger's",
            passed=growth <= 16,
        ),
    ]


def kills(home: Path, n: int) -> list[Result]:
    """Four writers, one killed at random n times: acknowledged events lost, moved or doubled."""
    out = []
    (home / "kills").mkdir()
    found = {"sqlite": kill_writers(home / "kills", kills=n)}
    if binaries() is not None:
        (home / "kills-pg").mkdir()
        with private_postgres() as url:
            found["postgresql"] = kill_writers(home / "kills-pg", url, kills=n)
    for name, after in found.items():
        bad = after.lost + after.moved + after.doubled
        out.append(
            Result(
                name=f"killed_writers_{name}",
                value=float(bad),
                n=after.kills,
                unit="acknowledged events lost or doubled",
                baselines={"acknowledged": after.acknowledged, "stored": after.stored},
                bar="0, chain valid",
                passed=bad == 0 and after.verification.ok,
                note=after.verification.reason,
            )
        )
    return out


def flips(home: Path, n: int) -> Result:
    """One bit flipped anywhere in ledger.db, n times: how often verify sees nothing."""
    place = home / "flips"
    with Ledger.open(place) as ledger:
        ledger.append_many(story(6, 3))
    path = place / "ledger.db"
    raw = path.read_bytes()
    rng = random.Random(0)  # noqa: S311 - which bit
    unseen = named = 0
    for _ in range(n):
        bent = bytearray(raw)
        bent[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(bent)
        found = verify_workspace(place)
        unseen += found.ok
        named += found.first_bad is not None
    path.write_bytes(raw)
    return Result(
        name="flipped_bytes_unseen",
        value=float(unseen),
        n=n,
        unit="flips",
        baselines={"entry_named": named},
        bar="0",
        passed=unseen == 0 and verify_workspace(place).ok,
        note="where no entry is named the flip hit free space, an index or the file's header; no entry was changed",
    )


def _drafts(n: int, name: str = "bench") -> list[Draft]:
    out: list[Draft] = []
    while len(out) < n:
        out += story(4, 4, campaign=f"{name}{len(out)}", seed=len(out))
    return out[:n]


def _rate(ledger: Ledger, drafts: Sequence[Draft], batch: int) -> float:
    start = time.perf_counter()
    for i in range(0, len(drafts), batch):
        ledger.append_many(drafts[i : i + batch])
    return len(drafts) / (time.perf_counter() - start)


def _fill(workspace: Path, n: int) -> None:
    """A tenth campaign events, the rest decisions and notes, as a long run leaves them."""
    drafts = _drafts(min(n // 10, 20_000))
    with Ledger.open(workspace) as ledger:
        for i in range(0, len(drafts), BATCH):
            ledger.append_many(drafts[i : i + BATCH])
        said = {"decision": "hypothesise", "mind": "builtin", "fallback": False, "reason": "largest expected log e"}
        for i in range(len(drafts), n, 1000):
            todo = range(i, min(i + 1000, n))
            ledger.append_many(Draft("mind_decision", {**said, "turn": k}, "bench", f"turn {k}") for k in todo)


def _probe(workspace: Path) -> Probe:
    command = [sys.executable, "-c", PROBE, str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - own code, no shell
    found = json.loads(done.stdout)
    if not found["ok"]:
        raise RuntimeError(found["reason"])
    return Probe(found["n"], found["seconds"], found["mib"])


if __name__ == "__main__":
    for result in run(fast="--fast" in sys.argv):
        print(result.model_dump_json())
