"""Real measurements behind one shape: wells, conditions, arms, and the registry that finds them.

>>> from cytocrux.world_model.data import load, effects
>>> wells = load("simulated")
>>> len(effects(wells)) > 0
True
"""

from .arms import arm_rows, arms_of, control_of
from .conditions import ConditionTable, effects, noise_sd
from .dataset import Dataset
from .registry import entries, entry, load
from .report import DataReport
from .scores import readings, readout, scores

__all__ = [
    "ConditionTable",
    "DataReport",
    "Dataset",
    "arm_rows",
    "arms_of",
    "control_of",
    "effects",
    "entries",
    "entry",
    "load",
    "noise_sd",
    "readings",
    "readout",
    "scores",
]
