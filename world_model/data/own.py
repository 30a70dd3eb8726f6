"""The user's own files under a name: ``<workspace>/data.json`` says where each lies and what it held when added.

The file itself stays where it is; its sha256 is checked at every load, so that a name means one content.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import BadInput, Corrupt
from .dataset import DatasetInfo
from .fetch import sha256_of, verify
from .recipe import Recipe

FILE = "data.json"
NAME = re.compile(r"^[A-Za-z0-9][\w.-]{0,79}$")


@dataclass(frozen=True)
class OwnFile:
    """One registered file; licence and citation as its owner gave them ("" = not given). rename, constants: what its
    columns do not say (see ``recipe``)."""

    name: str
    path: str
    sha256: str
    bytes: int
    licence: str = ""
    citation: str = ""
    rename: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)

    def recipe(self) -> Recipe:
        return Recipe(rename=self.rename, constants=self.constants)

    def about(self) -> DatasetInfo:
        """Only description, licence and citation are taken from it."""
        what = f"the user's file {Path(self.path).name}"
        return DatasetInfo(
            self.name, what, self.licence or "the user's own", self.citation or "none given", "as given", True
        )


def default_workspace() -> Path:
    """Where commands keep their things when nobody says another place."""
    return Path(os.environ.get("CYTOCRUX_WORKSPACE") or "cytocrux-workspace")


def own_files(workspace: Path | None = None) -> dict[str, OwnFile]:
    """Registered files by name. Raises Corrupt where the list cannot be read."""
    path = (workspace or default_workspace()) / FILE
    if not path.is_file():
        return {}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {item["name"]: OwnFile(**item) for item in listed}
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{path} cannot be read", why=str(error), cure="Delete it and add the files again") from error


def add_file(
    path: Path, name: str, *, workspace: Path, taken: frozenset[str], licence: str = "", citation: str = "",
    recipe: Recipe | None = None, replace: bool = False,
) -> OwnFile:  # fmt: skip
    """Register ``path`` under ``name``. The caller has loaded it once, so it is known to be usable.

    Raises BadInput for a name that cannot be one, is ``taken`` by a public data set, or stands for another file.
    """
    if not NAME.match(name):
        raise BadInput(f"{name!r} cannot be a name", cure="Use letters, digits, dot, dash and underscore")
    if name in taken:
        raise BadInput(f"{name!r} is the name of a public data set", cure="Choose another name")
    known = own_files(workspace)
    recipe = recipe or Recipe()
    entry = OwnFile(
        name, str(path.resolve()), sha256_of(path), path.stat().st_size, licence, citation, dict(recipe.rename),
        dict(recipe.constants),
    )  # fmt: skip
    if name in known and known[name].sha256 != entry.sha256 and not replace:
        raise BadInput(
            f"{name!r} stands for another file already", why=f"it was added from {known[name].path}",
            cure="Choose another name, or add --replace",
        )  # fmt: skip
    workspace.mkdir(parents=True, exist_ok=True)
    listed = [asdict(e) for e in (known | {name: entry}).values()]
    scratch = workspace / (FILE + ".new")
    scratch.write_text(json.dumps({"files": listed}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(workspace / FILE)
    return entry


def checked(entry: OwnFile) -> Path:
    """The file, as it was when added. Raises BadInput where it is gone, Corrupt where it has changed."""
    path = Path(entry.path)
    if not path.is_file():
        raise BadInput(
            f"The file of {entry.name!r} is gone", why=f"it was at {path}", cure="Put it back, or add it anew"
        )
    return verify(path, entry.sha256)
