"""Schema of the ledger, revision by revision: plain SQL for SQLite and PostgreSQL.

A new database runs all of them, an old one those it lacks (``storage.prepare``); Alembic runs the same
statements (``alembic -c knowledge/migrations/alembic.ini upgrade head``).
"""
