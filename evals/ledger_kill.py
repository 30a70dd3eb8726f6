"""Writers that are killed: does the ledger lose, double or bend anything it has acknowledged?"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..knowledge.events import Draft
from ..knowledge.ledger import Ledger
from ..knowledge.verify import Verification
from .ledger_story import story

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was left after the kills. lost, moved, doubled must be 0 and verification ok."""

    kills: int
    acknowledged: int  # events whose append had returned, over all writers
    stored: int
    lost: int  # acknowledged but absent
    moved: int  # acknowledged under another number or hash than the one stored
    doubled: int  # stored twice under one key, or acknowledged twice with different numbers
    verification: Verification


def writer_drafts(name: str, done: int) -> Iterator[Draft]:
    """The endless work of one writer from its event ``done`` on: campaign after campaign, every rule in play."""
    length = len(list(story(1, 2)))
    for turn in count(done // length):
        skip = done - turn * length
        yield from islice(story(1, 2, campaign=f"{name}.{turn}", seed=turn), max(0, skip), None)


def write(workspace: str, url: str | None, name: str, acks: str) -> None:
    """Go on where the acknowledged work ends; one line 'key seq hash' for each acknowledged event, for ever."""
    done = _read_acks(Path(acks))
    rng = random.Random(f"{name} {len(done)}")  # noqa: S311 - sizes of batches
    # two steps back: what was acknowledged must come back the same
    work = writer_drafts(name, max(0, len({a[0] for a in done}) - 2))
    handle = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    ledger = Ledger.open(Path(workspace), url)
    while True:
        stored = ledger.append_many(islice(work, rng.choice((1, 1, 2, 5))))
        os.write(handle, "".join(f"{e.key} {e.seq} {e.hash}\n" for e in stored).encode())


def kill_writers(
    workspace: Path, url: str | None = None, *, writers: int = 4, kills: int = 200, seed: int = 0
) -> Aftermath:
    """``writers`` processes append; one at random is killed (SIGKILL) and started again, ``kills`` times."""
    rng = random.Random(seed)  # noqa: S311 - whom to kill
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cytocrux.evals.ledger_kill", "cytocrux.knowledge.evalues", "psycopg"])
    names = [f"w{i}" for i in range(writers)]
    ack_files = {name: workspace / f"{name}.acks" for name in names}
    Ledger.open(workspace, url).close()

    def start(name: str) -> ForkServerProcess:
        process = context.Process(target=write, args=(str(workspace), url, name, str(ack_files[name])), daemon=True)
        process.start()
        return process

    running = {name: start(name) for name in names}
    _wait_for(lambda: all(f.exists() and f.stat().st_size for f in ack_files.values()))
    begun = dict.fromkeys(names, 0)
    for _ in range(kills):
        name = rng.choice(names)
        file = ack_files[name]
        _wait_for(partial(_grown, file, begun[name]))  # it has done something since its start
        time.sleep(rng.uniform(0.0, 0.03))
        running[name].kill()
        running[name].join()
        begun[name] = file.stat().st_size
        running[name] = start(name)
    time.sleep(0.5)
    for process in running.values():
        process.kill()
        process.join()
    return _aftermath(workspace, url, kills, [a for f in ack_files.values() for a in _read_acks(f)])


def _wait_for(ready: Callable[[], bool], limit_s: float = 60.0) -> None:
    start = time.monotonic()
    while not ready():
        if time.monotonic() - start > limit_s:
            raise TimeoutError("a writer did not begin")
        time.sleep(0.02)


def _grown(file: Path, size: int) -> bool:
    return file.stat().st_size > size


def _read_acks(path: Path) -> list[tuple[str, int, str]]:
    """Acknowledged (key, seq, hash). A line cut short by the kill was not acknowledged."""
    if not path.exists():
        return []
    lines = path.read_bytes().decode().split("\n")[:-1]
    return [(key, int(seq), hash_) for key, seq, hash_ in (line.rsplit(" ", 2) for line in lines)]


def _aftermath(workspace: Path, url: str | None, kills: int, acks: list[tuple[str, int, str]]) -> Aftermath:
    with Ledger.open(workspace, url) as ledger:
        stored: dict[str, tuple[int, str]] = {}
        total = 0
        for event in ledger.events():
            total += 1
            stored[str(event.key)] = (event.seq, event.hash)
        verification = ledger.verify()
    promised = {key: (seq, hash_) for key, seq, hash_ in acks}
    doubled = total - len(stored) + len({(k, s) for k, s, _ in acks}) - len(promised)
    lost = sum(key not in stored for key in promised)
    moved = sum(key in stored and stored[key] != where for key, where in promised.items())
    return Aftermath(kills, len(promised), total, lost, moved, doubled, verification)
