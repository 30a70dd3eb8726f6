"""A fitted cell for a command: loaded from a folder, or fitted on a data set; with what is known of its training."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..world_model.errors import BadInput, DataUnavailable

if TYPE_CHECKING:
    import pandas as pd

    from ..world_model.cell import VirtualCell
    from ..world_model.data.conditions import ConditionTable
    from ..world_model.data.dataset import Dataset
    from ..world_model.network import SignedNetwork

ABOUT = "training.json"


@dataclass(frozen=True)
class Fitted:
    """cell; dataset: None where the cell came from a folder; about: the manifest of its training."""

    cell: VirtualCell
    dataset: Dataset | None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_controls(self) -> bool:
        """Whether the cell predicts changes against a control (else the readings themselves)."""
        return bool(self.about.get("data", {}).get("has_controls", True))

    def known(self) -> set[str]:
        """Perturbations of which the cell's priors know something, measured or not."""
        from ..world_model.conditioncell import ConditionCell

        engine = self.cell.engine
        if not isinstance(engine, ConditionCell):
            return set()
        return {str(name) for table in engine.priors.tables.values() for name in table.index}

    def units(self) -> list[str]:
        """The unit of each readout, "" where nobody said it."""
        said = self.about.get("units", {})
        return [str(said.get(name, "")) for name in self.cell.readouts]


def obtain(
    data: str | None, model: Path | None, *, workspace: Path, device: str, seed: int, say: Callable[[str], None],
    know: Sequence[str] = (),
) -> Fitted:  # fmt: skip
    """The cell that --data or --model asks for; with both, the model's cell beside the data's wells.

    Raises BadInput where neither is given, or the device is not there.
    """
    check_device(device)
    if model is not None:
        say(f"reading the cell in {model}")
        known = read(model, device=device)
        return Fitted(known.cell, dataset_of(data, workspace, say) if data else None, known.about)
    if data is None:
        raise BadInput("There is no cell to ask", cure="Give --data NAME|FILE to fit one, or --model DIR to load one")
    dataset = dataset_of(data, workspace, say)
    return train(dataset, data=data, seed=seed, device=device, say=say, know=know)


def check_device(name: str) -> None:
    """Raises BadInput for a device that torch does not know or that this machine lacks."""
    if name == "cpu":
        return
    import torch

    try:
        kind = torch.device(name).type
    except RuntimeError as error:
        raise BadInput(f"{name!r} is no device", why=str(error).split("\n")[0], cure="Use cpu or cuda") from error
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise BadInput(f"There is no {name} on this machine", cure="Leave --device out, the cpu serves as well")


def dataset_of(data: str, workspace: Path, say: Callable[[str], None]) -> Dataset:
    """A data set of the registry, of the workspace, or the user's own file."""
    from ..world_model.data.registry import load

    say(f"reading {data}")
    return load(data, workspace=workspace)


def train(
    dataset: Dataset,
    *,
    data: str,
    seed: int,
    device: str,
    say: Callable[[str], None],
    hold_out: Sequence[str] = (),
    know: Sequence[str] = (),
) -> Fitted:
    """Fit a cell on the data set's conditions, but those of ``hold_out`` (see ``splits.matching``)."""
    from ..world_model.data.conditions import effects
    from ..world_model.data.splits import matching
    from .features import perturbation_features

    features = perturbation_features(know, dataset)
    say(f"matching {dataset.wells.n_obs:,} wells with their controls")
    table = effects(dataset)
    if hold_out:
        out = matching(table.conditions, hold_out)
        if out.all():
            raise BadInput("Everything would be held out", cure="Hold out less")
        table = table.subset(~out)
    say(f"fitting the cell on {len(table):,} conditions x {len(table.readouts):,} readouts")
    start = time.perf_counter()
    cell = fit(table, dataset, seed=seed, device=device, features=features)
    about = _about(cell, dataset, data, time.perf_counter() - start)
    return Fitted(cell, dataset, {**about, "held_out": list(hold_out), "known": sorted(features)})


def fit(
    table: ConditionTable, dataset: Dataset, *, seed: int, device: str = "cpu",
    features: Mapping[str, pd.DataFrame | SignedNetwork] | None = None,
) -> VirtualCell:  # fmt: skip
    """One cell on ``table``, with the data set's context features and the known classes of its compounds."""
    from ..world_model.cell import VirtualCell

    return VirtualCell.fit(
        table, context_features=dataset.context_features, compound_classes=classes(table),
        perturbation_features=features or None, seed=seed, device=device,
    )  # fmt: skip


def classes(table: ConditionTable) -> dict[str, str]:
    """Mechanism class of every single perturbation, "unknown" where nobody wrote it down."""
    from ..world_model.compounds import facts_for

    singles = {part for name in table.conditions["perturbation"].astype(str) for part in name.split("+")}
    return {name: facts_for(name).mechanism_class for name in sorted(singles)}


def write(fitted: Fitted, folder: Path) -> None:
    """The cell and the manifest of its training. Raises BadInput where the folder cannot be written."""
    try:
        fitted.cell.save(folder)
        text = json.dumps(dict(fitted.about), indent=2, ensure_ascii=False) + "\n"
        (folder / ABOUT).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written", why=str(error), cure="Choose another folder") from error


def read(folder: Path, *, device: str = "cpu") -> Fitted:
    """What ``write`` wrote; a cell saved by other means has no manifest."""
    from ..world_model.cell import VirtualCell

    if not folder.is_dir():
        raise DataUnavailable(
            f"There is no folder {folder}", cure="Train a cell: cytocrux model train --data … --out DIR"
        )
    cell = VirtualCell.load(folder, device=device)
    manifest = folder / ABOUT
    about = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    if about and about.get("version") != cell.version:
        raise BadInput(
            f"{manifest} speaks of the cell {about.get('version')}, the folder holds {cell.version}",
            why="the files come from two trainings", cure="Train the cell again, or delete that file",
        )  # fmt: skip
    return Fitted(cell, None, about)


def _about(cell: VirtualCell, dataset: Dataset, data: str, seconds: float) -> dict[str, Any]:
    from importlib.metadata import version

    from ..world_model.data.fetch import sha256_of

    path = Path(data).expanduser()
    info, var = dataset.info, dataset.wells.var
    return {
        "version": cell.version,
        "training_hash": cell.training_hash,
        "rows": len(cell.rows),
        "wells": len(cell.wells),
        "data": {
            "name": dataset.name, "source": dataset.report.source, "licence": info.licence, "citation": info.citation,
            "scale": info.scale, "has_controls": info.has_controls,
            "sha256": sha256_of(path) if path.is_file() else None, "report": dataset.report.as_json()["notes"],
        },
        "seed": cell.seed,
        "seconds": round(seconds, 2),
        "units": {str(name): str(unit) for name, unit in zip(var.index, var["unit"], strict=True)},
        "made_with": {p: version(p) for p in ("cytocrux", "torch", "numpy", "scipy")},
    }  # fmt: skip
