"""Where each well of an experiment goes: plates of 96, 384 or 1536, in blocks, inside the rim, at random by seed.

Wells whose means are subtracted from one another stand on one plate where they fit, so that the plate's shift cancels.
Within a plate the k-th replicates of all arms fill one strip of columns in random order, then the next replicates the
next strip (a randomised complete block design; Bailey 2008, Design of Comparative Experiments, ch. 4): a gradient over
the plate then falls on all arms alike. The outer wells, which dry and warm first, stay empty while there is room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from ...knowledge.claims import ArmRequest
from ...world_model.errors import BadInput
from ...world_model.vocabulary import Arm

FORMATS = {96: (8, 12), 384: (16, 24), 1536: (32, 48)}


@dataclass(frozen=True)
class Place:
    """One well. plate counts from 1; row and column from 0."""

    plate: int
    row: int
    column: int
    arm: Arm
    outer: bool

    @property
    def name(self) -> str:
        """As "P1-C05"; rows past Z are AA, AB, …"""
        high, low = divmod(self.row, 26)
        letters = (chr(64 + high) if high else "") + chr(65 + low)
        return f"P{self.plate}-{letters}{self.column + 1:02d}"


@dataclass(frozen=True)
class Layout:
    """Every well of an experiment, plate by plate in order of position."""

    wells: int  # the plates' format
    places: tuple[Place, ...]
    seed: int

    @property
    def plates(self) -> int:
        return max((p.plate for p in self.places), default=0)

    @cached_property
    def outer(self) -> int:
        """How many wells stand on the rim."""
        return sum(p.outer for p in self.places)


def capacity(wells: int, spare_rim: bool = True) -> int:
    """Usable wells of one plate. Raises BadInput for a format nobody sells."""
    if wells not in FORMATS:
        raise BadInput(f"There is no plate of {wells} wells here", cure="96, 384 or 1536")
    rows, columns = FORMATS[wells]
    return (rows - 2) * (columns - 2) if spare_rim else rows * columns


def smallest_format(n: int) -> int:
    """The smallest plate whose inner wells hold n wells; the largest where none does."""
    return next((f for f in FORMATS if capacity(f) >= n), max(FORMATS))


def lay_out(
    requests: Sequence[ArmRequest], *, wells: int | None = None, seed: int = 0, spare_rim: bool = True
) -> Layout:
    """A place for every well asked for; the format is the smallest that holds all on one plate, unless given.

    Raises BadInput for an arm of more wells than a plate holds.
    """
    total = sum(r.n for r in requests)
    wells = wells or smallest_format(total)
    room = capacity(wells, spare_rim)
    rng = np.random.default_rng(seed)
    places: list[Place] = []
    for number, contents in enumerate(_plates(requests, room), start=1):
        spots = _spots(wells, spare_rim)
        order = _in_blocks(contents, rng)
        for (row, column), arm in zip(_spread(spots, len(order)), order, strict=True):
            rows, columns = FORMATS[wells]
            places.append(Place(number, row, column, arm, row in (0, rows - 1) or column in (0, columns - 1)))
    return Layout(wells, tuple(places), seed)


def _plates(requests: Sequence[ArmRequest], room: int) -> list[dict[Arm, int]]:
    """What stands on each plate: groups that are compared together stay together, first fit, controls shared out."""
    controls = {(r.arm.context, r.arm.time_h): r for r in requests if r.arm.is_control}
    plates: list[dict[Arm, int]] = []
    held: list[dict[tuple[str, float | None], int]] = []  # plate -> control -> treated wells that need it
    for where, group in sorted(_groups(requests), key=lambda g: (str(g[0]), -sum(r.n for r in g[1]))):
        size = sum(r.n for r in group)
        control = controls.get(where)
        least = min(2, control.n) if control else 0
        if size + least > room:
            raise BadInput(
                f"{group[0].arm.label()} and what it is compared with take {size + least} wells, a plate holds {room}",
                cure="ask for fewer replicates, or take larger plates",
            )
        for plate, there in zip(plates, held, strict=True):
            waiting = sum(min(2, controls[w].n) for w in there if w in controls)
            extra = 0 if where in there else least
            if sum(plate.values()) + waiting + size + extra <= room:
                break
        else:
            plate, there = {}, {}
            plates.append(plate)
            held.append(there)
        plate.update({r.arm: r.n for r in group})
        there[where] = there.get(where, 0) + size
    for where, request in controls.items():  # two wells first, wherever somebody compares with them
        needed = [p for p, t in zip(plates, held, strict=True) if where in t]
        for i, plate in enumerate(needed):
            plate[request.arm] = max(0, min(2, request.n - 2 * i))
    for where, request in controls.items():
        both = list(zip(plates, held, strict=False))  # plates opened for controls alone hold nobody who needs them
        _share_out(request, [(p, t.get(where, 0)) for p, t in both], plates, room)
    return plates


def _share_out(
    request: ArmRequest, where: Sequence[tuple[dict[Arm, int], int]], plates: list[dict[Arm, int]], room: int
) -> None:
    """The other control wells, in proportion to the treated wells that stand on each plate."""
    needing = [(plate, need) for plate, need in where if need]
    left = request.n - sum(plate.get(request.arm, 0) for plate in plates)
    for i, (plate, need) in enumerate(needing):
        rest = sum(n for _, n in needing[i:])
        n = min(ceil(left * need / rest), left, room - sum(plate.values()))
        if n > 0:
            plate[request.arm] = plate.get(request.arm, 0) + n
            left -= n
    while left > 0:  # nobody needs them, or the plates are full
        free = [p for p in plates if sum(p.values()) < room]
        plate = free[0] if free else {}
        if not free:
            plates.append(plate)
        n = min(left, room - sum(plate.values()))
        plate[request.arm] = plate.get(request.arm, 0) + n
        left -= n


def _groups(requests: Sequence[ArmRequest]) -> Iterable[tuple[tuple[str, float | None], list[ArmRequest]]]:
    """Treated arms that one contrast may join: a combination with the single arms of its parts."""
    treated = [r for r in requests if not r.arm.is_control]
    parent = list(range(len(treated)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    by_parts = {(r.arm.context, r.arm.time_h, r.arm.perturbations): i for i, r in enumerate(treated)}
    for i, r in enumerate(treated):
        for part in r.arm.perturbations if len(r.arm.perturbations) > 1 else ():
            j = by_parts.get((r.arm.context, r.arm.time_h, (part,)))
            if j is not None:
                parent[root(j)] = root(i)
    found: dict[int, list[ArmRequest]] = {}
    for i, r in enumerate(treated):
        found.setdefault(root(i), []).append(r)
    return [((g[0].arm.context, g[0].arm.time_h), g) for g in found.values()]


def _spots(wells: int, spare_rim: bool) -> list[tuple[int, int]]:
    """Usable positions, column by column."""
    rows, columns = FORMATS[wells]
    rim = 1 if spare_rim else 0
    return [(r, c) for c in range(rim, columns - rim) for r in range(rim, rows - rim)]


def _spread(spots: list[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    """n of the spots, evenly over the plate, in their order."""
    return [spots[int(i)] for i in np.floor(np.arange(n) * len(spots) / max(n, 1))]


def _in_blocks(contents: dict[Arm, int], rng: np.random.Generator) -> list[Arm]:
    """Arms in order of position: strip by strip, each strip in random order. An arm of n wells stands in n strips of
    the most there are, evenly apart; one of more wells than strips (the controls) several times in each."""
    strips = max((n for arm, n in contents.items() if not arm.is_control), default=1)
    tagged: list[tuple[int, float, Arm]] = []
    for arm, n in contents.items():
        start = rng.random()
        tagged += [(int((k + start) * strips / n) % strips, float(rng.random()), arm) for k in range(n)]
    return [arm for _, _, arm in sorted(tagged, key=lambda t: (t[0], t[1]))]
