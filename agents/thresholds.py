"""How large a change must be to count: the claim's delta and its denial's delta0, by scale and role.

The values are the questions' own words made numbers, fixed before any data of the campaign:
"shuts down" and "follows" = at least halved (log2 scale), the denial reaching up to 0.45, which is what inert doses
can show on arrays whose layout errs by arm (docs/decisions/0002-rppa-wells.md); "pushes" on natural-log expression =
28 % up; "sensitive" = the best quarter of lines (z <= -0.67); "more than their sum" = any excess past noise.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["primary", "follow", "synergy"]


class Zone(NamedTuple):
    """Sizes (positive) on the claim's side; the caller applies the direction."""

    delta: float
    delta0: float


_ZONES: dict[tuple[str, Role], Zone] = {
    ("log2", "primary"): Zone(1.0, 0.45),
    ("log2", "follow"): Zone(1.0, 0.45),
    ("log2", "synergy"): Zone(0.5, 0.0),
    ("log1p", "primary"): Zone(0.25, 0.05),
    ("log1p", "follow"): Zone(0.15, 0.02),
    ("log1p", "synergy"): Zone(0.2, 0.0),
    ("z", "primary"): Zone(0.67, 0.0),
}


def zone(scale: str, role: Role, noise_sd: float) -> Zone:
    """The indifference zone; on a scale without a convention, 1 and 0.2 sd of one well."""
    return _ZONES.get((scale, role), Zone(noise_sd, 0.2 * noise_sd))
