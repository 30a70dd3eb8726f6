"""Where the ledger lies: SQLite by default, PostgreSQL by URL. Tables, engine, the one write lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table, Text, create_engine, event, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ..world_model.errors import BadInput, Corrupt, DataUnavailable, NotAllowed
from .migrations.versions import REVISIONS
from .rules import Fact

BUSY_S = 60  # how long a writer waits for the others
NAMES_PER_QUERY = 500
VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"

metadata = MetaData()
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text),
    Column("campaign", Text),
    Column("key", Text),
    Column("payload", Text),
    Column("at", Text),
    Column("prev_hash", Text),
    Column("hash", Text),
)
facts = Table(
    "facts", metadata, Column("name", Text, primary_key=True), Column("seq", BigInteger), Column("value", Text)
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text),
    Column("at", Text),
    Column("signer", Text),
    Column("signature", Text),
)


def database_url(workspace: Path, url: str | None) -> URL:
    """``url``, or the SQLite file of the workspace. Raises BadInput for anything but SQLite and PostgreSQL."""
    if not url:
        return URL.create("sqlite", database=str(workspace / "ledger.db"))
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadInput("DATABASE_URL is not a database address", cure="Use postgresql://user@host/name") from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadInput(
            f"The ledger cannot live in {parsed.get_backend_name()}", cure="Use SQLite (no URL) or postgresql://"
        )
    return parsed


def open_engine(url: URL, *, read_only: bool = False) -> Engine:
    """An engine without implicit transactions: reads autocommit, writes go through ``writing``.

    SQLite: WAL, every commit on disk before it is acknowledged. read_only: no byte of the file is changed.
    """
    if url.get_backend_name() == "postgresql":
        try:
            return create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        except ModuleNotFoundError:
            raise DataUnavailable(
                "No PostgreSQL driver", cure="Install the extra: pip install 'cytocrux[postgres]'"
            ) from None
    if read_only and url.database:
        url = url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _entry: ConnectionPoolEntry) -> None:
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cell_size_check=ON")

    return engine


@contextmanager
def clear_errors(where: str) -> Iterator[None]:
    """Turns a database's own errors into Corrupt, NotAllowed or DataUnavailable."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
        raise translated(error, where) from error


def translated(error: Exception, where: str) -> Corrupt | NotAllowed | DataUnavailable:
    said = str(error.orig if isinstance(error, DBAPIError) and error.orig else error).strip().split("\n")[0]
    if "append-only" in said:
        return NotAllowed("The ledger is append-only", why="an entry was to be changed or removed")
    if "locked" in said or "busy" in said:
        return DataUnavailable(f"{where} is locked", why=f"another process wrote for over {BUSY_S} s")
    absent = ("unable to open", "connection", "readonly", "disk is full", "does not exist", "password", "role")
    if isinstance(error, OperationalError) and any(word in said for word in absent):
        return DataUnavailable(f"{where} cannot be used", why=said, cure="Check the path, the address and its rights")
    return Corrupt(f"{where} is damaged", why=said, cure="Restore it from a backup or an export")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its start; committed at the end, rolled back on error."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
        try:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.cytocrux'))")
            yield connection
        except BaseException:
            with suppress(SQLAlchemyError):  # some errors have rolled back already, or closed the connection
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def known_facts(connection: Connection, names: Sequence[str]) -> dict[str, Fact]:
    """The facts among ``names`` that are established."""
    found: dict[str, Fact] = {}
    for i in range(0, len(names), NAMES_PER_QUERY):
        query = select(facts).where(facts.c.name.in_(names[i : i + NAMES_PER_QUERY]))
        found |= {row.name: Fact(row.seq, row.value) for row in connection.execute(query)}
    return found


def schema_faults(connection: Connection) -> list[str]:
    """What is missing from or foreign to the schema: tables, indexes, the triggers that guard the past."""
    version = _version(connection)
    if version != REVISIONS[-1].revision:
        return [f"the schema's version reads {version!r}, {REVISIONS[-1].revision!r} was expected"]
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {str(row[0]) for row in rows}
        wanted = {VERSION_TABLE, *(s for r in REVISIONS for s in r.statements("sqlite"))}
        return [f"the schema was changed: {s[:60]!r} was not expected" for s in found - wanted] + [
            f"the schema was changed: {s[:60]!r} is gone" for s in wanted - found
        ]
    query = "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT tgisinternal AND "
    query += "tgenabled = 'O' AND c.relnamespace = current_schema()::regnamespace"
    guards = {str(row[0]) for row in connection.exec_driver_sql(query)}
    wanted = {f"{table}_{guard}" for table in REVISIONS[0].GUARDED for guard in ("no_change", "no_truncate")}
    return [f"the guard {name} is gone or switched off" for name in sorted(wanted - guards)]


def _version(connection: Connection) -> str | None:
    found = connection.dialect.has_table(connection, "alembic_version")
    if not found:
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None


def version_table(connection: Connection) -> None:
    """Alembic's table, with the one text that ``schema_faults`` expects."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        connection.execute(text(VERSION_TABLE))


def prepare(engine: Engine, where: str) -> bool:
    """Bring the schema to the newest revision; False, and nothing touched, where it is there already.

    Raises NotAllowed when the ledger was written by a newer version, Corrupt when it cannot be read.
    """
    names = [r.revision for r in REVISIONS]
    with clear_errors(where):
        with engine.connect() as connection:
            version = _version(connection)
        if version == names[-1]:
            return False
        with writing(engine) as connection:
            version = _version(connection)  # another process may have been faster
            if version is not None and version not in names:
                raise NotAllowed(f"{where} has schema {version}", why="this version knows " + ", ".join(names))
            version_table(connection)
            for revision in REVISIONS[names.index(version) + 1 if version else 0 :]:
                for statement in revision.statements(engine.dialect.name):
                    connection.exec_driver_sql(statement)
            connection.execute(text("DELETE FROM alembic_version"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": names[-1]})
    return True
