"""Optional packages: imported when a tool runs, with a cure where one is missing."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from ...world_model.errors import DataUnavailable


def need(module: str, extra: str = "molecules") -> ModuleType:
    """The module. Raises DataUnavailable, naming the extra to install, where it is absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataUnavailable(
            f"The package {module.split('.')[0]!r} is not installed", why=str(error),
            cure=f"pip install 'cytocrux[{extra}]'",
        ) from error  # fmt: skip


def versions(*packages: str) -> dict[str, str]:
    """Installed versions, for provenance; "absent" where a package is not installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
