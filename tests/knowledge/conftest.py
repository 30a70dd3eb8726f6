"""A ledger on each database there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cytocrux.evals.private_postgres import binaries, private_postgres
from cytocrux.knowledge.ledger import Ledger

OpenLedger = Callable[[], Ledger]


@pytest.fixture(autouse=True)
def no_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A private server; the tests that need it are skipped where none is installed."""
    pytest.importorskip("psycopg")
    if binaries() is None:
        pytest.skip("no PostgreSQL server on this machine")
    with private_postgres(fsync=False) as url:
        yield url


numbers = itertools.count()


@pytest.fixture
def postgres_schema(postgres_url: str) -> str:
    """URL of an empty schema of its own."""
    import psycopg

    name = f"t{next(numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgres_url}?options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """Opens the same ledger each time it is called."""
    url = request.getfixturevalue("postgres_schema") if request.param == "postgresql" else None
    opened: list[Ledger] = []

    def opener() -> Ledger:
        opened.append(Ledger.open(tmp_path, url))
        return opened[-1]

    yield opener
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    return open_ledger()
