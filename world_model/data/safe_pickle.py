"""Read a foreign pickle that may hold plain containers and tensors, and nothing else.

A pickle is a program. This reader resolves four names only: OrderedDict, the function that rebuilds a
tensor, and the two that read a tensor's storage, which goes through ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import BadInput


def load_plain(source: Path | BinaryIO, name: str = "") -> Any:
    """The object in ``source``. Raises BadInput where it holds anything but plain containers and tensors."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return load_plain(stream, source.name)
    try:
        return _PlainUnpickler(source).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise BadInput(f"{name or 'The pickle'} cannot be read", why=str(error), cure="Fetch it anew") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_storage
        raise BadInput(
            f"A pickle asks for {module}.{name}",
            why="only plain containers and tensors are admitted, because anything else could run code",
            cure="Do not use this file",
        )

    def persistent_load(self, pid: Any) -> Any:
        raise BadInput("A pickle refers to objects outside itself", cure="Do not use this file")


def _load_storage(content: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(content), weights_only=True)


def _rebuild_tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """A tensor over ``storage``; gradients and hooks of the original are left out."""
    import torch

    if not isinstance(storage, (torch.storage.TypedStorage, torch.UntypedStorage)):
        raise BadInput("A pickle rebuilds a tensor from something that is not a storage", cure="Do not use this file")
    return torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
