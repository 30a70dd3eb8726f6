"""ANI-2x through torchani, which needs an environment of its own (it pins an old zarr that anndata refuses).

    python3 -m venv .venv-ani && .venv-ani/bin/pip install torch==2.13.0 torchani==2.9.0
    export CYTOCRUX_ANI_PYTHON=$PWD/.venv-ani/bin/python

Its parameters (Neurochem format) lie under ``structure/ani2x`` of CYTOCRUX_DATA_DIR, or where TORCHANI_DATA_DIR says.
One helper process a molecule; positions and forces pass through its pipes as JSON lines.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...world_model.data.fetch import data_dir
from ...world_model.errors import BadInput, DataUnavailable

ELEMENTS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 16: "S", 17: "Cl"}
WORKER = Path(__file__).with_name("ani_worker.py")
INFO = Path("Neurochem") / "ani-2x_8x.info"


def python() -> Path:
    """The interpreter that has torchani. Raises DataUnavailable."""
    given = os.environ.get("CYTOCRUX_ANI_PYTHON", "")
    if not given or not Path(given).is_file():
        raise DataUnavailable(
            "ANI-2x is not set up", why="CYTOCRUX_ANI_PYTHON names no interpreter with torchani",
            cure="See the head of tools/molecules/ani.py for the two commands, or use the default method gfn2",
        )  # fmt: skip
    return Path(given)


def parameters() -> Path:
    """Folder of the parameters. Raises DataUnavailable."""
    root = data_dir()
    places = [os.environ.get("TORCHANI_DATA_DIR", ""), str(root / "structure" / "ani2x") if root else ""]
    for place in places:
        if place and (Path(place) / INFO).is_file():
            return Path(place)
    raise DataUnavailable(
        "The ANI-2x parameters are not here", why=f"no {INFO} under TORCHANI_DATA_DIR",
        cure="Put the folder Neurochem of the ANI model zoo (MIT licence) there",
    )  # fmt: skip


class Ani:
    """Energy (eV) and forces (eV/angstrom) of one molecule, as a context manager around the helper process."""

    def __init__(self, numbers: NDArray[np.intp]) -> None:
        odd = sorted({int(n) for n in numbers} - set(ELEMENTS))
        if odd:
            raise BadInput(
                f"ANI-2x knows no element of atomic number {odd[0]}", why="it was trained on H C N O F S Cl",
                cure="Use the method gfn2",
            )  # fmt: skip
        self.numbers = numbers
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Ani:
        interpreter = python()
        environment = {
            **os.environ,
            "TORCHANI_DATA_DIR": str(parameters()),
            "OMP_NUM_THREADS": "1",
            "TORCHANI_NO_WARN_EXTENSIONS": "1",
        }
        self.process = subprocess.Popen(  # noqa: S603 the interpreter that the user named
            [str(interpreter), "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._ask({"numbers": [int(n) for n in self.numbers]})
        return self

    def __call__(self, xyz: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        answer = self._ask({"xyz": xyz.tolist()})
        return float(answer["energy"]), np.array(answer["forces"], dtype=np.float64)

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            raise DataUnavailable("The ANI-2x helper is not running")
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise DataUnavailable(
                "The ANI-2x helper stopped", why=f"exit {process.wait()}", cure="Run it by hand to see why"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(timeout=30)
