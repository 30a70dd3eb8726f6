"""Opening the ledger of a workspace that must already have one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..world_model.errors import BadInput

if TYPE_CHECKING:
    from ..knowledge.ledger import Ledger


def opened(workspace: Path) -> Ledger:
    """The ledger for reading. Raises BadInput where the workspace has none (nothing is created)."""
    from ..knowledge.ledger import Ledger

    require(workspace)
    return Ledger.open(workspace)


def require(workspace: Path) -> str | None:
    """DATABASE_URL where it is set, else None. Raises BadInput where neither it nor a file names a ledger."""
    url = os.environ.get("DATABASE_URL")
    if not url and not (workspace / "ledger.db").is_file():
        raise BadInput(
            f"There is no ledger in {workspace}",
            why="nothing was asked here yet, or the folder is another one",
            cure="Ask a question first, or name the folder with --workspace",
        )
    return url or None
