"""Structure services over HTTP: NVIDIA's NIM for Boltz-2 and the AlphaFold DB. Nothing is called unless asked for.

A key comes from the environment (NVIDIA_API_KEY) and goes into one header; it is in no message, file or error.
Answers are bounded in size and time; 429, 5xx and timeouts are tried again with growing pauses, or after the pause
that is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tenacity

from ...world_model.errors import BadInput, DataUnavailable
from .boltz import Job
from .predicted import Affinity, Predicted, hashed, mean_plddt

if TYPE_CHECKING:
    import httpx2

NIM, NIM_PATH = "https://health.api.nvidia.com/v1", "/biology/mit/boltz2/predict"
ALPHAFOLD = "https://alphafold.ebi.ac.uk"
TRIES, MOST_WAIT_S, MAX_BYTES, TIMEOUT_S = 4, 60.0, 100_000_000, 600.0


class _Again(Exception):
    """Worth another try; ``pause``: seconds the server asked for."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


def nim(job: Job, folder: Path, *, base: str = NIM, sleep: Callable[[float], None] | None = None) -> list[Predicted]:
    """Predict a complex with the NIM interface of Boltz-2, its structures written into ``folder``.

    Raises DataUnavailable where the service fails, BadInput where it refuses the job.
    """
    job.yaml()  # the same checks as for the command
    key = os.environ.get("NVIDIA_API_KEY", "")
    body = {
        "polymers": [{"id": c, "molecule_type": "protein", "sequence": s} for c, s in job.proteins.items()],
        "ligands": [{"id": c, "smiles": s, "predict_affinity": c == job.binder} for c, s in job.ligands.items()],
        "output_format": "mmcif",
    }
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = _json(_call("POST", base.rstrip("/") + NIM_PATH, headers, body, sleep))
    structures, confidences = answer.get("structures"), answer.get("confidence_scores")
    if not isinstance(structures, list) or not structures:
        raise DataUnavailable(
            "The Boltz service answered without a structure", why=f"keys: {', '.join(sorted(answer))}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    told = _nim_affinity(answer, job.binder)
    found = []
    for i, entry in enumerate(structures):
        file = folder / f"{job.name}_{i}.cif"
        file.write_text(str(entry.get("structure", "")), encoding="utf-8")
        plddt, chains = mean_plddt(file)
        score = confidences[i] if isinstance(confidences, list) and i < len(confidences) else None
        found.append(
            Predicted(program="Boltz-2 (NIM)", structure=file, sha256=hashed(file), ranking=score, plddt=plddt,
            chains=chains, affinity=told)
        )  # fmt: skip
    return found


def _nim_affinity(answer: dict[str, Any], binder: str) -> Affinity | None:
    told = (answer.get("affinities") or {}).get(binder)
    if not told:
        return None
    try:
        return Affinity(
            log10_ic50_uM=float(told["affinity_pred_value"][0]),
            probability=float(told["affinity_probability_binary"][0]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataUnavailable("The Boltz service's affinity cannot be read", why=str(error)) from error


def alphafold_db(
    accession: str, folder: Path, *, base: str = ALPHAFOLD, sleep: Callable[[float], None] | None = None
) -> Predicted:
    """The AlphaFold DB model of a UniProt accession, from the address that the service itself names.

    Raises BadInput for an accession without a model, DataUnavailable where the service fails.
    """
    if not accession.isalnum() or not 6 <= len(accession) <= 10:
        raise BadInput(f"{accession!r} is not a UniProt accession", cure="Six to ten letters and digits, as P04637")
    entries = _json(_call("GET", f"{base.rstrip('/')}/api/prediction/{accession.upper()}", {}, None, sleep))
    entry = entries[0] if isinstance(entries, list) and entries else None
    if not isinstance(entry, dict) or not entry.get("cifUrl"):
        raise BadInput(f"The AlphaFold DB has no model of {accession}", cure="Check the accession")
    text = _call("GET", str(entry["cifUrl"]), {}, None, sleep)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"AF-{accession.upper()}.cif"
    file.write_bytes(text)
    plddt, chains = mean_plddt(file)
    notes = (f"AlphaFold DB version {entry.get('latestVersion')}; no hydrogens: add them before docking",)
    return Predicted(
        program="AlphaFold DB", structure=file, sha256=hashed(file), plddt=plddt, chains=chains, notes=notes
    )


def _call(
    method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None, sleep: Callable[[float], None] | None
) -> bytes:
    import time

    import httpx2

    client = httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False)
    growing = tenacity.wait_random_exponential(multiplier=0.5, max=MOST_WAIT_S)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _Again) else None
        return growing(state) if asked is None else min(asked, MOST_WAIT_S)

    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES), wait=pause, sleep=sleep or time.sleep, reraise=True,
        retry=tenacity.retry_if_exception_type(_Again),
    )  # fmt: skip
    try:
        with client:
            return tries(_once, client, method, url, headers, body)
    except _Again as error:
        host = httpx2.URL(url).host
        raise DataUnavailable(f"The service at {host} does not answer", why=str(error), cure="Try later") from error


def _once(client: httpx2.Client, method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None) -> bytes:
    import httpx2

    try:
        with client.stream(method, url, headers=headers, json=body) as answer:
            if answer.status_code == 429 or answer.status_code >= 500:
                raise _Again(f"it answers {answer.status_code}", _asked(answer))
            if answer.status_code == 404:
                raise BadInput("The service has nothing under that name", why="it answers 404")
            if answer.status_code >= 300:
                raise BadInput("The service refuses the request", why=f"it answers {answer.status_code}")
            parts, size = [], 0
            for part in answer.iter_bytes():
                size += len(part)
                if size > MAX_BYTES:
                    raise BadInput("The service's answer is too large", why=f"more than {MAX_BYTES} bytes")
                parts.append(part)
            return b"".join(parts)
    except httpx2.TransportError as error:
        raise _Again(type(error).__name__) from error


def _asked(answer: httpx2.Response) -> float | None:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isdigit() else None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataUnavailable(
            "The service's answer is not JSON", why="it may be cut short", cure="Try again"
        ) from error
