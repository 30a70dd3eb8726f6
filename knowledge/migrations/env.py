"""Alembic's entry: runs the revisions on DATABASE_URL, or on ``-x workspace=DIR`` (default ./cytocrux-workspace).

alembic -c knowledge/migrations/alembic.ini -x workspace=DIR upgrade head
"""

from __future__ import annotations

import os
from pathlib import Path

from alembic import context

from cytocrux.knowledge.storage import database_url, open_engine, version_table, writing

options = context.get_x_argument(as_dictionary=True)
folder = Path(options.get("workspace", "cytocrux-workspace"))
engine = open_engine(database_url(folder, os.environ.get("DATABASE_URL")))
with writing(engine) as connection:
    version_table(connection)
    context.configure(connection=connection)
    context.run_migrations()
engine.dispose()
