"""Shared fixtures. No test may reach the network: only loopback connections are let through."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails loudly."""
    real_connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0] if isinstance(address, tuple) else address
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise RuntimeError(f"a test tried to reach {address!r}; tests run without a network")
        real_connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def kit() -> Path:
    """Folder of the real data kit; the test is skipped where it is absent."""
    folder = os.environ.get("CYTOCRUX_DATA_DIR", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CYTOCRUX_DATA_DIR does not point at the data kit")
    return Path(folder)
