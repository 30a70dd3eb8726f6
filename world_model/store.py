"""A cell on disk: ``cell.json`` (names, hashes, small numbers) and ``arrays.safetensors`` (the rest); no pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .answer import Trust
from .conditioncell import ConditionCell
from .errors import Corrupt, DataUnavailable
from .neural.engine import NeuralEngine
from .neural.gate import Gate
from .panel import PanelEngine
from .panelcell import PanelCell
from .priors import ContextEncoder, Priors
from .residual import Kept
from .rows import NUMBERS, TEXT, Array, Rows

FORMAT, ARRAYS = "cytocrux-cell-4", "arrays.safetensors"
Arrays = dict[str, Any]
Engine = ConditionCell | NeuralEngine | PanelEngine


@dataclass(frozen=True)
class Identity:
    """Which cell it is: see ``VirtualCell``."""

    version: str
    parent: str | None
    training_hash: str
    manifest: tuple[str, ...]
    seed: int


def save(folder: Path, identity: Identity, rows: Rows, engine: Engine) -> None:
    """Write a cell into ``folder`` (made when absent)."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {}
    note: dict[str, Any] = {
        "format": FORMAT,
        **asdict(identity),
        "rows": _rows_out(rows, arrays),
    }
    if isinstance(engine, PanelEngine):
        note["panel"] = [_panel_out(c, f"panel{i}", arrays) for i, c in enumerate(engine.cells)]
    elif isinstance(engine, NeuralEngine):
        note["conditions"] = _conditions_out(engine.process, arrays)
        note["neural"] = _neural_out(engine, arrays)
    else:
        note["conditions"] = _conditions_out(engine, arrays)
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / ARRAYS)
    note["arrays_sha256"] = _sha256(folder / ARRAYS)
    (folder / "cell.json").write_text(json.dumps(note), encoding="utf-8")


def load(folder: Path, *, device: str = "cpu") -> tuple[Identity, Rows, Engine]:
    """Read a cell. Raises DataUnavailable where there is none, Corrupt where the files do not match their hash."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not (folder / "cell.json").is_file():
        raise DataUnavailable(f"There is no cell in {folder}", cure="Fit one and save it there")
    try:
        note = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
        if note["format"] != FORMAT:
            raise Corrupt(f"{folder} holds {note['format']!r}", why=f"this version reads {FORMAT!r}")
        if _sha256(folder / ARRAYS) != note["arrays_sha256"]:
            raise Corrupt(f"The arrays of the cell in {folder} do not match their hash", cure="Fit the cell again")
        arrays: Arrays = load_file(folder / ARRAYS)
        rows = _rows_in(note["rows"], arrays)
        engine: Engine
        if "conditions" in note:
            engine = _conditions_in(note["conditions"], arrays, rows, note["seed"], device)
            engine = _neural_in(note["neural"], arrays, engine) if "neural" in note else engine
        else:
            engine = PanelEngine(tuple(_panel_in(c, f"panel{i}", arrays) for i, c in enumerate(note["panel"])))
    except (KeyError, ValueError, OSError, SafetensorError) as error:
        raise Corrupt(f"The cell in {folder} cannot be read", why=str(error), cure="Fit the cell again") from error
    identity = Identity(note["version"], note["parent"], note["training_hash"], tuple(note["manifest"]), note["seed"])
    return identity, rows, engine


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows_out(rows: Rows, arrays: Arrays) -> dict[str, Any]:
    arrays |= {"delta": rows.delta, "se": rows.se, "n_wells": rows.n_wells}
    arrays |= {name: rows.conditions[name].to_numpy(np.float64) for name in NUMBERS}
    texts = {name: rows.conditions[name].tolist() for name in TEXT}
    return {"texts": texts, "readouts": list(rows.readouts), "wells": [list(w) for w in rows.wells]}


def _rows_in(note: dict[str, Any], arrays: Arrays) -> Rows:
    columns = {**note["texts"], **{name: arrays[name] for name in NUMBERS}}
    conditions = pd.DataFrame(
        {name: pd.Series(v, dtype=object if name in TEXT else None) for name, v in columns.items()}
    )
    wells = tuple(tuple(w) for w in note["wells"])
    return Rows(conditions, arrays["delta"], arrays["se"], arrays["n_wells"], tuple(note["readouts"]), wells)


def _frame_out(table: pd.DataFrame, key: str, arrays: Arrays, dtype: type = np.float64) -> dict[str, Any]:
    arrays[key] = table.to_numpy(dtype)
    return {"index": list(map(str, table.index)), "columns": list(map(str, table.columns))}


def _frame_in(note: dict[str, Any], values: Array) -> pd.DataFrame:
    return pd.DataFrame(values, index=note["index"], columns=note["columns"])


def _conditions_out(engine: ConditionCell, arrays: Arrays) -> dict[str, Any]:
    encoders = {}
    for name, e in engine.priors.encoders.items():
        key = f"encoder/{name}/"
        arrays |= {key + "mean": e.mean, key + "loadings": e.loadings, key + "scores": e.scores}
        encoders[name] = {"variables": list(e.variables), "noise": e.noise, "names": list(e.names)}
    described = {}
    for context, scores in engine.priors.described.items():
        described[context] = sorted(scores)
        arrays |= {f"described/{context}/{name}": values for name, values in scores.items()}
    for base, residual in engine.residuals.items():
        kept = residual.kept
        numbers = {"index": kept.index, "unit": kept.unit, "noise": kept.noise}
        if kept.inducing is not None:
            numbers["inducing"] = kept.inducing
        arrays |= {f"residual/{base}/{k}": v for k, v in numbers.items()}
        arrays |= {f"parameter/{base}/{k}": v.cpu().numpy() for k, v in engine.parameters[base].items()}
    arrays |= {f"widen/{novelty}/{base}": t.widen for (novelty, base), t in engine.trust.items()}
    return {
        "contexts": list(engine.priors.contexts),
        "perturbations": list(engine.priors.perturbations),
        "encoders": encoders,
        "described": described,
        "tables": {n: _frame_out(t, f"table/{n}", arrays) for n, t in engine.priors.tables.items()},
        "parameters": {base: sorted(engine.parameters[base]) for base in engine.residuals},
        "trust": [[*key, t.shrink, t.error, t.share, t.usual] for key, t in engine.trust.items()],
    }


def _conditions_in(note: dict[str, Any], arrays: Arrays, rows: Rows, seed: int, device: str) -> ConditionCell:
    import torch

    encoders = {}
    for name, e in note["encoders"].items():
        mean, loadings, scores = (arrays[f"encoder/{name}/{part}"] for part in ("mean", "loadings", "scores"))
        encoders[name] = ContextEncoder(tuple(e["variables"]), mean, loadings, e["noise"], tuple(e["names"]), scores)
    described = {c: {n: arrays[f"described/{c}/{n}"] for n in names} for c, names in note["described"].items()}
    tables = {n: _frame_in(t, arrays[f"table/{n}"]) for n, t in note["tables"].items()}
    priors = Priors(tuple(note["contexts"]), tuple(note["perturbations"]), encoders, described, tables)
    parameters = {
        base: {k: torch.as_tensor(arrays[f"parameter/{base}/{k}"], device=device) for k in names}
        for base, names in note["parameters"].items()
    }
    kept = {b: _kept_in(arrays, f"residual/{b}/") for b in parameters}
    trust = {(n, b): Trust(shrink, arrays[f"widen/{n}/{b}"], *numbers) for n, b, shrink, *numbers in note["trust"]}
    return ConditionCell.restore(rows, priors, parameters, kept, trust, seed=seed, device=device)


def _neural_out(engine: NeuralEngine, arrays: Arrays) -> dict[str, Any]:
    nets = {}
    for name, net in engine.nets.items():
        arrays |= {f"neural/{name}/{k}": w.cpu().numpy() for k, w in net.weights.items()}
        arrays[f"neural/{name}/unit"] = net.unit
        nets[name] = {"weights": sorted(net.weights), "a_known": net.a_known, "b_known": net.b_known}
    return {"gates": {name: list(astuple(gate)) for name, gate in engine.gates.items()}, "nets": nets}


def _neural_in(note: dict[str, Any], arrays: Arrays, process: ConditionCell) -> NeuralEngine:
    import torch

    from .neural.nets import Ensemble

    nets = {}
    for name, told in note["nets"].items():
        weights = {k: torch.as_tensor(arrays[f"neural/{name}/{k}"], device=process.device) for k in told["weights"]}
        nets[name] = Ensemble(weights, arrays[f"neural/{name}/unit"], told["a_known"], told["b_known"])
    return NeuralEngine(process, {name: Gate(*numbers) for name, numbers in note["gates"].items()}, nets)


def _kept_in(arrays: Arrays, key: str) -> Kept:
    return Kept(arrays[key + "index"], arrays[key + "unit"], arrays[key + "noise"], arrays.get(key + "inducing"))


def _panel_out(cell: PanelCell, key: str, arrays: Arrays) -> dict[str, Any]:
    arrays |= {
        f"{key}/z": cell.z,
        f"{key}/centre": cell.centre,
        f"{key}/spread": cell.spread,
        f"{key}/noise": cell.noise,
    }
    return {
        "lines": list(cell.lines),
        "tasks": [list(t) for t in cell.tasks],
        "tables": {n: _frame_out(t, f"feature/{n}", arrays, np.float32) for n, t in cell.tables.items()},
        "classes": cell.classes,
        "compounds": {n: _frame_out(t, f"compound/{n}", arrays) for n, t in cell.compounds.items()},
        "more": {line: [[t, *z] for t, z in known.items()] for line, known in cell.more.items()},
    }


def _panel_in(note: dict[str, Any], key: str, arrays: Arrays) -> PanelCell:
    z, centre, spread, noise = (arrays[f"{key}/{part}"] for part in ("z", "centre", "spread", "noise"))
    tables = {n: _frame_in(t, arrays[f"feature/{n}"]) for n, t in note["tables"].items()}
    more = {line: {int(t): tuple(z) for t, *z in known} for line, known in note["more"].items()}
    compounds = {n: _frame_in(t, arrays[f"compound/{n}"]) for n, t in note.get("compounds", {}).items()}
    tasks = tuple((name, batch) for name, batch in note["tasks"])
    lines = tuple(note["lines"])
    return PanelCell(lines, tasks, z, centre, spread, noise, tables, note["classes"], more, compounds)
