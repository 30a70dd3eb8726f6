"""The checks behind ``cytocrux doctor``. Each returns what it found and the cure; none of them raises."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..world_model.errors import CytocruxError

NEEDED = (
    "numpy", "scipy", "pandas", "anndata", "torch", "sklearn", "pydantic", "langgraph", "langgraph.checkpoint.sqlite",
    "sqlalchemy", "alembic", "openai", "tenacity", "rdkit", "chromadb", "matplotlib", "jinja2", "rich", "yaml",
)  # fmt: skip
# what to install, where it is named otherwise than what is imported
DISTRIBUTION = {
    "sklearn": "scikit-learn",
    "langgraph.checkpoint.sqlite": "langgraph-checkpoint-sqlite",
    "yaml": "pyyaml",
}
LEAST_FREE_GB = 2.0
# what an extra brings, and what works without it
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "molecules": (("vina", "meeko", "posebusters", "prolif", "gemmi", "tblite"), "docking, pose checks and strain"),
    "physics": (("openmm", "pdbfixer"), "MM-GBSA and molecular dynamics"),
}


@dataclass(frozen=True)
class Finding:
    """ok: fine; note: works without it; fail: something that Cytocrux needs is wrong."""

    name: str
    state: Literal["ok", "note", "fail"]
    what: str
    cure: str = ""


def examine(workspace: Path, llm_url: str | None = None) -> list[Finding]:
    """Run every check, in order."""
    checks: list[Callable[[], Finding]] = [
        python, packages, lambda: folder(workspace), lambda: ledger(workspace), *data_checks(),
        lambda: language_model(llm_url), search_index, accelerator, *extras_checks(), strain_by_ani, amber_tools, boltz,
    ]  # fmt: skip
    return [check() for check in checks]


def python() -> Finding:
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", found)


def packages() -> Finding:
    """Present, not necessarily working: importing all of them would take half a minute."""
    missing = [DISTRIBUTION.get(module, module) for module in NEEDED if not _present(module)]
    if missing:
        return Finding("packages", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Finding("packages", "ok", f"all {len(NEEDED)} needed packages are installed")


def folder(workspace: Path) -> Finding:
    """Whether the workspace can be written, and how much room is left."""
    import shutil

    there = workspace.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding("workspace", "fail", f"{workspace} cannot be written", "Name another with --workspace")
    free = shutil.disk_usage(there).free / 1e9
    what = f"{workspace} can be written, {free:,.0f} GB free"
    if free < LEAST_FREE_GB:
        return Finding("workspace", "fail", what, f"Make room: models and data need about {LEAST_FREE_GB:g} GB")
    return Finding("workspace", "ok", what)


def ledger(workspace: Path) -> Finding:
    """The ledger's own check, where there is a ledger."""
    if address := os.environ.get("DATABASE_URL"):
        where = address.rpartition("@")[2].split("?")[0]
        return Finding("ledger", "note", f"DATABASE_URL moves it to {where}", "Check it with: cytocrux claims verify")
    if not (workspace / "ledger.db").is_file():
        return Finding("ledger", "note", "none yet; the first question creates it")
    from ..knowledge.verify import verify_workspace

    check = verify_workspace(workspace)
    if not check.ok:
        return Finding("ledger", "fail", check.reason, "Restore the file from a copy")
    return Finding("ledger", "ok", f"{check.n:,} entries, every hash follows")


def data_checks() -> list[Callable[[], Finding]]:
    """One check a registered data set."""
    from ..world_model.data.registry import entries

    return [lambda name=name: data(name) for name in entries()]  # type: ignore[misc]


def data(name: str) -> Finding:
    from ..world_model.data.registry import entry

    try:
        where = entry(name).available()
    except CytocruxError as error:
        return Finding(f"data {name}", "fail", error.what, error.cure)
    if where == "not here":
        cure = "Set CYTOCRUX_DATA_DIR to a folder that holds it (see: cytocrux data list)"
        return Finding(f"data {name}", "note", "not here", cure)
    if where == "to be fetched":
        return Finding(f"data {name}", "note", "not here yet", f"Fetch it once: cytocrux data fetch {name}")
    return Finding(f"data {name}", "ok", where)


def language_model(url: str | None) -> Finding:
    """Reachability only: one GET of the endpoint's list of models."""
    if not url:
        return Finding(
            "language model", "note", "none configured; the built-in mind is used", "Add one: --llm URL --model NAME"
        )
    import urllib.error
    import urllib.request

    if not url.startswith(("http://", "https://")):
        return Finding(
            "language model", "fail", f"{url} is no http(s) address", "Write it like http://127.0.0.1:8000/v1"
        )
    request = urllib.request.Request(url.rstrip("/") + "/models")  # noqa: S310 - the scheme is checked above
    if key := os.environ.get("OPENAI_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return Finding("language model", "ok", f"{url} answers (HTTP {answer.status})")
    except urllib.error.HTTPError as error:
        cure = "Set OPENAI_API_KEY" if error.code in (401, 403) else "Check the address; it usually ends in /v1"
        return Finding("language model", "fail", f"{url} answers HTTP {error.code}", cure)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Finding("language model", "fail", f"{url} does not answer: {reason}", "Start it, or leave --llm out")


def search_index() -> Finding:
    if not _present("chromadb"):
        return Finding("search index", "fail", "chromadb is missing", "pip install chromadb")
    where = os.environ.get("CHROMA_URL")
    return Finding("search index", "ok", f"Chroma at {where}" if where else "Chroma, in the workspace")


def accelerator() -> Finding:
    """From the driver's own files, without importing torch (which takes seconds)."""
    if any(Path("/proc/driver/nvidia/gpus").glob("*")) or Path("/dev/nvidia0").exists():
        return Finding("accelerator", "ok", "an NVIDIA GPU is here")
    return Finding("accelerator", "note", "no GPU; not needed")


def extras_checks() -> list[Callable[[], Finding]]:
    """One check an optional extra."""
    return [lambda name=name: extra(name) for name in EXTRAS]  # type: ignore[misc]


def extra(name: str) -> Finding:
    """Whether an optional extra is installed; never a failure."""
    modules, purpose = EXTRAS[name]
    missing = [module for module in modules if not _present(module)]
    if missing:
        what = f"extra not installed, for {purpose}; missing: {', '.join(missing)}"
        return Finding(name, "note", what, f"pip install 'cytocrux[{name}]'")
    return Finding(name, "ok", f"extra installed ({purpose})")


def strain_by_ani() -> Finding:
    """ANI-2x needs an interpreter of its own and its parameters; strain by GFN2 needs neither."""
    from ..tools.molecules import ani

    try:
        interpreter, _ = ani.python(), ani.parameters()
    except CytocruxError as error:
        return Finding("ANI-2x", "note", f"{error.why}; strain is computed with gfn2", error.cure)
    return Finding("ANI-2x", "ok", f"interpreter {interpreter}, parameters found")


def amber_tools() -> Finding:
    """AmberTools, for one-frame MM-GBSA and dynamics only."""
    from ..tools.molecules import mmgbsa

    try:
        folder = mmgbsa.amber()
    except CytocruxError as error:
        return Finding("AmberTools", "note", f"{error.why}; needed for dock --mmgbsa and --steered only", error.cure)
    return Finding("AmberTools", "ok", f"in {folder}")


def boltz() -> Finding:
    """The command and its weights, checked before any run."""
    from ..tools.structure.boltz import missing

    if lacking := missing():
        what = "not set up; lacks " + ", ".join(part.split(":")[0] for part in lacking)
        return Finding("Boltz-2", "note", what, f"Lacking is {'; '.join(lacking)}")
    return Finding("Boltz-2", "ok", "command and weights are here")


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
