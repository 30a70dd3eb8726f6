"""A PostgreSQL server of one's own, on a loopback port, for tests and benchmarks; gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..world_model.errors import DataUnavailable

DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """Folder with initdb and pg_ctl, or None where no server is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(DEBIAN.glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "pg_ctl").exists() and (f / "initdb").exists()), None)


@contextmanager
def private_postgres(*, fsync: bool = True) -> Iterator[str]:
    """URL of a fresh server, stopped and removed at the end. Raises DataUnavailable where none can be started.

    fsync=False is faster and loses data on a power cut: for tests of logic only.
    """
    folder = binaries()
    if folder is None:
        raise DataUnavailable("No PostgreSQL server here", cure="Install postgresql, or do without")
    as_user = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="cytocrux-pg-"))
    password = secrets.token_hex(16)
    port = _free_port()
    (home / "pw").write_text(password, encoding="ascii")
    if as_user:
        for path in (home, home / "pw"):
            shutil.chown(path, "postgres", "postgres")
    settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync={'on' if fsync else 'off'}"
    data, log = home / "data", home / "log"
    init = [str(folder / "initdb"), "-D", str(data), "-U", "cytocrux", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]
    control = [*as_user, str(folder / "pg_ctl"), "-D", str(data)]
    try:
        _run([*as_user, *init, f"--pwfile={home / 'pw'}"], home)
        _run([*control, "-w", "-l", str(log), "-o", settings, "start"], home)
        try:
            yield f"postgresql://cytocrux:{password}@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged() -> list[str]:
    """The server refuses to run as root; then it runs as user postgres."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise DataUnavailable("PostgreSQL does not run as root", cure="Run as another user, or install setpriv")
    return [setpriv, "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str], where: Path) -> None:
    done = subprocess.run(  # noqa: S603 - fixed programs, no shell
        command, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().split("\n")[-1]
        raise DataUnavailable(f"{Path(command[-2]).name} of the private PostgreSQL failed", why=said)
