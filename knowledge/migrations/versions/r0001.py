"""Events in a hash chain, the facts they establish, signed checkpoints; all append-only."""

from __future__ import annotations

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

TABLES = """
CREATE TABLE events (
  seq {integer} NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  campaign TEXT,
  key TEXT UNIQUE,
  payload TEXT NOT NULL,
  at TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX events_kind ON events (kind, seq);
CREATE INDEX events_campaign ON events (campaign, seq);
CREATE TABLE facts (
  name TEXT NOT NULL PRIMARY KEY,
  seq {integer} NOT NULL,
  value TEXT NOT NULL
);
CREATE INDEX facts_seq ON facts (seq);
CREATE TABLE checkpoints (
  seq {integer} NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL,
  at TEXT NOT NULL,
  signer TEXT NOT NULL,
  signature TEXT NOT NULL
)
"""

SQLITE_GUARD = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
--
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""

# REPLACE would delete a row without asking the delete trigger, so an insert must be new and next in line
SQLITE_NEXT = """
CREATE TRIGGER events_next BEFORE INSERT ON events
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events) OR EXISTS (SELECT 1 FROM events WHERE key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
--
CREATE TRIGGER facts_once BEFORE INSERT ON facts WHEN EXISTS (SELECT 1 FROM facts WHERE name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
--
CREATE TRIGGER checkpoints_once BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""

POSTGRES_REFUSE = """
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""

POSTGRES_GUARD = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()
--
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
"""

GUARDED = ("events", "facts", "checkpoints")


def statements(dialect: str) -> list[str]:
    """SQL of this revision, in order. dialect: 'sqlite' or 'postgresql'."""
    lite = dialect == "sqlite"
    out = TABLES.format(integer="INTEGER" if lite else "BIGINT").split(";")
    if not lite:
        out.append(POSTGRES_REFUSE)
    for table in GUARDED:
        out += (SQLITE_GUARD if lite else POSTGRES_GUARD).format(table=table).split("--")
    if lite:
        out += SQLITE_NEXT.split("--")
    return [text.strip() for text in out]


def upgrade() -> None:
    from alembic import op

    for statement in statements(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("an append-only ledger has no way back; restore the file from a backup")
