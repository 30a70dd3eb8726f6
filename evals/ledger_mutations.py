"""Break each guard of the ledger on purpose, in a copy: a test must fail for every one.

python -m cytocrux.evals.ledger_mutations [WORD…]     (only mutations whose name has a WORD)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """Replace ``old`` by ``new`` once in ``file``; ``test`` must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


def mutations() -> tuple[Mutation, ...]:
    """All there are."""
    listed = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return tuple(Mutation(**m) for m in listed["mutation"])


def survivors(chosen: Iterable[Mutation]) -> list[str]:
    """Names of the mutations that no test notices. Raises ValueError where a mutation no longer fits the code."""
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        unwanted = shutil.ignore_patterns(".git", ".venv", "*cache*", "__pycache__", "cytocrux-workspace")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=unwanted)
        for mutation in chosen:
            file = copy / mutation.file
            original = file.read_text(encoding="utf-8")
            if original.count(mutation.old) != 1:
                raise ValueError(f"{mutation.name}: {mutation.old!r} occurs {original.count(mutation.old)} times")
            file.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
            noticed = _fails(copy, mutation.test)
            print(f"{'noticed ' if noticed else 'ALIVE   '} {mutation.name}", flush=True)
            if not noticed:
                alive.append(mutation.name)
            file.write_text(original, encoding="utf-8")
    return alive


def _fails(copy: Path, test: str) -> bool:
    """Do the tests of the copy fail (not merely fail to start)?"""
    environment = {**os.environ, "PYTHONPATH": str(copy / ".dev"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-k", "not postgres", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in (0, 1):
        raise ValueError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 1


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(bool(survivors(m for m in mutations() if not words or any(w in m.name for w in words))))
