"""The schema by Alembic is the schema by ``Ledger.open``, and a foreign version is refused."""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import cytocrux.knowledge.migrations as migrations
from cytocrux.knowledge.ledger import Ledger
from cytocrux.knowledge.migrations.versions import REVISIONS
from cytocrux.world_model.errors import NotAllowed


def alembic(workspace: Path) -> Config:
    here = Path(str(migrations.__file__)).parent
    return Config(str(here / "alembic.ini"), cmd_opts=argparse.Namespace(x=[f"workspace={workspace}"]))


def schema(workspace: Path) -> set[str]:
    with closing(sqlite3.connect(workspace / "ledger.db")) as connection:
        rows = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return {f"{kind} {name}" for kind, name in rows} | set(
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
        )


def test_alembic_and_open_give_one_schema(tmp_path: Path) -> None:
    by_alembic, by_open = tmp_path / "a", tmp_path / "b"
    by_alembic.mkdir()
    command.upgrade(alembic(by_alembic), "head")
    Ledger.open(by_open).close()
    assert schema(by_alembic) == schema(by_open)
    with Ledger.open(by_alembic) as ledger:
        ledger.append("note", {"text": "x"})
        assert ledger.verify().ok


def test_alembic_finds_an_opened_ledger_up_to_date(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.append("note", {"text": "x"})
        digest = ledger.content_digest()
    before = (tmp_path / "ledger.db").read_bytes()
    command.upgrade(alembic(tmp_path), "head")
    assert (tmp_path / "ledger.db").read_bytes() == before
    with Ledger.open(tmp_path) as ledger:
        assert ledger.content_digest() == digest and ledger.verify().ok


def test_alembic_on_postgres(postgres_schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_schema)
    command.upgrade(alembic(tmp_path), "head")
    with Ledger.open(tmp_path) as ledger:
        ledger.append("note", {"text": "x"})
        assert ledger.verify().ok


def test_the_revisions_form_a_line() -> None:
    assert [r.down_revision for r in REVISIONS] == [None, *(r.revision for r in REVISIONS[:-1])]
    with pytest.raises(NotImplementedError, match="append-only"):
        REVISIONS[0].downgrade()


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(NotAllowed, match="has schema 9999"):
        Ledger.open(tmp_path)
