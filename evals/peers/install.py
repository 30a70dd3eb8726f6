"""Make the peers' environments: ``python -m cytocrux.evals.peers.install FOLDER [NAME…]``, then set CYTOCRUX_PEERS.

One virtual environment a peer, made by uv where it is there and by venv and pip otherwise: their pins do not fit each
other's. ``UV_FIND_LINKS`` and ``PIP_FIND_LINKS`` are heeded (for a torch without CUDA). About 4 GB in all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ...world_model.errors import BadInput, CytocruxError
from .exchange import ORACLE, PEERS, VARIABLE, Peer, python_of


def main(arguments: list[str]) -> int:
    """Install the peers named (default: all) into a folder; 2 for bad input."""
    known = {p.name: p for p in (*PEERS, ORACLE)}
    try:
        if not arguments or arguments[0].startswith("-"):
            raise BadInput(
                "No folder was named", cure=f"python -m cytocrux.evals.peers.install FOLDER [{'|'.join(known)}]"
            )
        folder, names = Path(arguments[0]).resolve(), arguments[1:] or list(known)
        for name in names:
            if name not in known:
                raise BadInput(f"No peer is called {name!r}", cure=f"One of: {', '.join(known)}")
        for name in names:
            install(known[name], folder)
            sys.stdout.write(f"{name}: ready\n")
    except CytocruxError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"export {VARIABLE}={folder}\n")
    return 0


def install(peer: Peer, folder: Path) -> None:
    """Create ``folder/peer`` and install what it needs; nothing is done where it is there already."""
    if python_of(peer, folder) is not None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    target, uv = folder / peer.name, shutil.which("uv")
    environment = {**os.environ, "UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))}
    python = str(target / "bin" / "python")
    if uv is not None:
        steps = [[uv, "venv", "-q", "--python", sys.executable, str(target)],
                 [uv, "pip", "install", "-q", "--python", python, *peer.needs]]  # fmt: skip
    else:
        steps = [[sys.executable, "-m", "venv", str(target)], [python, "-m", "pip", "install", "-q", *peer.needs]]
    for step in steps:
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            shutil.rmtree(target, ignore_errors=True)
            raise CytocruxError(
                f"{peer.name} could not be installed", why=done.stderr[-400:].strip(), cure="Run the command again"
            )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
