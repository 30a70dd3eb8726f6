"""Runs in the environment that has torchani: JSON lines in (numbers once, then positions), energies and forces out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """eV and eV/angstrom. Nothing else may be printed on standard output."""
    out = sys.stdout
    sys.stdout = sys.stderr
    import torch  # type: ignore[import-not-found,unused-ignore]
    import torchani  # type: ignore[import-not-found,unused-ignore]

    torch.set_num_threads(1)
    info = Path(os.environ["TORCHANI_DATA_DIR"]) / "Neurochem" / "ani-2x_8x.info"
    model = torchani.neurochem.load_model_from_info_file(str(info)).double()
    numbers = None
    for line in sys.stdin:
        message = json.loads(line)
        if "numbers" in message:
            numbers = torch.tensor([message["numbers"]])
            answer: dict[str, object] = {"ready": True}
        else:
            xyz = torch.tensor([message["xyz"]], dtype=torch.float64, requires_grad=True)
            energy = model((numbers, xyz)).energies.sum() * 27.211386245988
            (gradient,) = torch.autograd.grad(energy, xyz)
            answer = {"energy": float(energy.detach()), "forces": (-gradient[0]).tolist()}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
