"""``cytocrux structure``: predicted structures: read them, run a predictor, fetch a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Progress, emit, say, table
from ..options import DEFAULT_WORKSPACE, Json, Workspace

if TYPE_CHECKING:
    from ...tools.structure.predicted import Predicted

app = typer.Typer(help="Predicted structures: Boltz, AlphaFold 3, Chai-1, OpenFold, AlphaFold DB.")


@app.command()
def parse(
    path: Annotated[Path, typer.Argument(metavar="FOLDER|FILE", help="A predictor's output, as it was written.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Read a predictor's output: every sample, its confidences, and what to distrust."""
    from ...tools.structure.read import read

    _show(read(path), as_json)


@app.command()
def predict(
    protein: Annotated[list[str], typer.Option(metavar="CHAIN=SEQUENCE", help="May be given again.")],
    ligand: Annotated[list[str] | None, typer.Option(metavar="CHAIN=SMILES", help="May be given again.")] = None,
    binder: Annotated[str, typer.Option(metavar="CHAIN", help="Ligand whose affinity is asked for.")] = "",
    name: Annotated[str, typer.Option(help="Name of the job.")] = "job",
    nim: Annotated[
        str | None, typer.Option(metavar="URL", help="Use a Boltz-2 NIM service there; key from NVIDIA_API_KEY.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="cpu or gpu, for the local command.")] = "cpu",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where results go.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Predict a complex with Boltz-2, by its own command or a NIM service.

    Nothing leaves this machine without --nim.
    """
    from ...tools.structure import boltz, web

    job = boltz.Job(name, _pairs(protein, "--protein"), _pairs(ligand or [], "--ligand"), binder)
    job.yaml()
    folder = out or workspace / "structures" / name
    with Progress(quiet=as_json) as progress:
        progress(f"predicting {name}")
        found = web.nim(job, folder, base=nim) if nim else boltz.predict(job, folder, accelerator=accelerator)
    _show(found, as_json)


@app.command()
def fetch(
    accession: Annotated[str, typer.Argument(metavar="UNIPROT", help="As P04637.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the file goes.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Fetch a model from the AlphaFold DB (asks its public service)."""
    from ...tools.structure.web import alphafold_db

    with Progress(quiet=as_json) as progress:
        progress(f"asking the AlphaFold DB for {accession}")
        found = alphafold_db(accession, out or workspace / "structures")
    _show([found], as_json)


def _pairs(given: list[str], option: str) -> dict[str, str]:
    from ...world_model.errors import BadInput

    found: dict[str, str] = {}
    for text in given:
        chain, equals, value = text.partition("=")
        if not equals or not chain or not value:
            raise BadInput(f"{option} {text} cannot be read", cure=f"{option} A=…")
        if chain in found:
            raise BadInput(f"Chain {chain} is given twice", cure="One letter a chain")
        found[chain] = value
    return found


def _show(found: list[Predicted], as_json: bool) -> None:
    if as_json:
        emit({"predictions": [{**p.model_dump(mode="json"), "doubts": list(p.doubts())} for p in found]})
        return
    rows = [
        (p.program, p.ranking, p.ptm, p.iptm, p.plddt, ", ".join(p.chains), "; ".join(p.doubts()) or "none",
         str(p.structure or "-"))
        for p in found
    ]  # fmt: skip
    table(
        ("Program", "Ranking", "pTM", "ipTM", "pLDDT", "Chains", "Doubts", "Structure"),
        rows,
        wide=("Doubts", "Structure"),
    )
    for p in found:
        if p.affinity is not None:
            say(f"Affinity: pIC50 {p.affinity.pic50:.2f}, binder with probability {p.affinity.probability:.2f}")
            say(f"  {p.affinity.note}")
        for note in p.notes:
            say(note)
