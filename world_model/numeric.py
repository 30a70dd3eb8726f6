"""The type of an array of numbers whatever its width: float64 or float32, bool, indices."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Numbers = NDArray[Any]
