"""Predictors' outputs in one shape; services that stall, refuse, or send half; jobs that could not run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cytocrux.tools.structure import boltz, web
from cytocrux.tools.structure.predicted import Predicted
from cytocrux.tools.structure.read import affinity, read
from cytocrux.world_model.errors import BadInput, DataUnavailable

CIF = """data_x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
_atom_site.auth_asym_id
_atom_site.auth_seq_id
ATOM 1 C CA . GLY A 1 1 0.0 0.0 0.0 1.0 80.0 A 1
ATOM 2 C CA . GLY A 1 2 3.8 0.0 0.0 1.0 60.0 A 2
#
"""
JOB = boltz.Job("demo", {"A": "MKV"}, {"L": "CCO"}, binder="L")


@pytest.mark.kit
@pytest.mark.parametrize(
    ("place", "program", "iptm", "chains"),
    [
        ("boltz-1_6BJ9", "Boltz", 0.958, 4),
        ("alphafold3_6BJ9", "AlphaFold 3", 0.90, 4),
        ("chai1_6BJ9", "Chai-1", 0.963, 4),
        ("openfold3_p38_job_He2COJAL7-results.zip", "OpenFold 3", 0.947, 2),
    ],
)
def test_real_outputs(kit: Path, place: str, program: str, iptm: float, chains: int) -> None:
    best = read(kit / "structure" / "samples" / place)[0]
    assert best.program == program and best.iptm == pytest.approx(iptm, abs=0.01)
    assert len(best.chains) == chains and best.plddt is not None and 80 < best.plddt <= 100
    assert best.doubts() == ()


def test_boltz2_affinity_and_its_unit(tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "x"
    folder.mkdir(parents=True)
    (folder / "x_model_0.cif").write_text(CIF)
    told = {"confidence_score": 0.5, "ptm": 0.6, "iptm": 0.4, "complex_plddt": 0.65, "chains_ptm": {"0": 0.6},
            "pair_chains_iptm": {"0": {"0": 0.6}}}  # fmt: skip
    (folder / "confidence_x_model_0.json").write_text(json.dumps(told))
    (folder / "affinity_x.json").write_text(
        json.dumps({"affinity_pred_value": -0.6498, "affinity_probability_binary": 0.8012})
    )
    best = read(tmp_path)[0]
    assert best.affinity is not None and best.affinity.pic50 == pytest.approx(6.6498)
    assert best.plddt == pytest.approx(65) and len(best.doubts()) == 2


def test_half_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "confidence_x_model_0.json").write_text('{"confidence_score": 0.5, ')
    with pytest.raises(BadInput, match=r"confidence_x_model_0\.json cannot be read"):
        read(tmp_path)
    (tmp_path / "confidence_x_model_0.json").write_text('{"confidence_score": "high"}')
    with pytest.raises(BadInput, match=r"no number 'confidence_score'"):
        read(tmp_path)


def test_a_pickled_score_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "scores.model_idx_0.npz", aggregate_score=np.array([{"x": 1}], dtype=object))
    with pytest.raises(BadInput, match="no score file"):
        read(tmp_path)


def test_an_unknown_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Nothing in"):
        read(tmp_path)
    with pytest.raises(BadInput, match="no number"):
        affinity({"affinity_pred_value": 1.0}, "a.json")


def test_a_bare_model_tells_its_plddt(tmp_path: Path) -> None:
    (tmp_path / "m.cif").write_text(CIF)
    assert read(tmp_path / "m.cif")[0].plddt == pytest.approx(70)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (boltz.Job("a b", {"A": "MK"}, {}), "cannot name"),
        (boltz.Job("x", {"A": "MK1"}, {}), "not a protein"),
        (boltz.Job("x", {"A": "MK"}, {"L": "C1CC"}), "not a molecule"),
        (boltz.Job("x", {"A": "MK"}, {"L": "C" * 129}), "129 atoms"),
        (boltz.Job("x", {"A": "MK"}, {}, binder="Q"), "no ligand"),
    ],
)
def test_jobs_that_could_not_run(job: boltz.Job, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        job.yaml()


def test_the_job_file_is_boltz_own(tmp_path: Path) -> None:
    import yaml

    told = yaml.safe_load(JOB.yaml())
    assert told["version"] == 1 and told["properties"] == [{"affinity": {"binder": "L"}}]
    assert told["sequences"][0]["protein"] == {"id": "A", "sequence": "MKV", "msa": "empty"}


def test_weights_are_checked_before_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CYTOCRUX_BOLTZ", raising=False)
    monkeypatch.setenv("BOLTZ_CACHE", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"boltz2_conf\.ckpt"):
        boltz.predict(JOB, tmp_path / "out")


class Service:
    """Plays a list of answers in turn: (status, headers, body); a body of None cuts the line."""

    def __init__(self, answers: list[tuple[int, dict[str, str], bytes | None]]) -> None:
        self.answers, self.seen = answers, []  # type: ignore[var-annotated]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _play(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                outer.seen.append((self.path, dict(self.headers), self.rfile.read(length)))
                status, headers, body = outer.answers.pop(0)
                if body is None:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _play

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def serve() -> Iterator[object]:
    running: list[Service] = []

    def start(answers: list[tuple[int, dict[str, str], bytes | None]]) -> Service:
        service = Service(answers)
        threading.Thread(target=service.server.serve_forever, daemon=True).start()
        running.append(service)
        return service

    yield start
    for service in running:
        service.server.shutdown()
        service.server.server_close()


GOOD = json.dumps(
    {"structures": [{"structure": CIF, "format": "mmcif"}], "confidence_scores": [0.71],
     "affinities": {"L": {"affinity_pred_value": [1.2127], "affinity_probability_binary": [0.4339]}}}
).encode()  # fmt: skip


def test_nim_answers_after_being_asked_to_wait(serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("NVIDIA_API_KEY", "nv-secret-key")
    service = serve([(429, {"retry-after": "7"}, b""), (503, {}, b"busy"), (200, {}, GOOD)])
    pauses: list[float] = []
    best = web.nim(JOB, tmp_path, base=service.base, sleep=pauses.append)[0]
    assert pauses[0] == 7 and len(pauses) == 2
    assert best.ranking == pytest.approx(0.71) and best.affinity is not None
    assert best.affinity.pic50 == pytest.approx(4.7873)
    path, headers, body = service.seen[-1]
    assert path.endswith("/biology/mit/boltz2/predict") and json.loads(body)["ligands"][0]["predict_affinity"] is True
    assert "nv-secret-key" in str(headers) and "nv-secret-key" not in str(best)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(500, {}, b"")] * 4, "answers 500"),
        ([(200, {}, b'{"structures": [')], "not JSON"),
        ([(200, {}, b'{"status": "ok"}')], "without a structure"),
        ([(200, {}, None)] * 4, "does not answer"),
    ],
)
def test_services_that_fail_say_so_without_the_key(serve, tmp_path, monkeypatch, answers, said) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("NVIDIA_API_KEY", "nv-secret-key")
    with pytest.raises(DataUnavailable, match=said) as caught:
        web.nim(JOB, tmp_path, base=serve(list(answers)).base, sleep=lambda _: None)
    assert "nv-secret-key" not in str(caught.value)


def test_a_refused_job_is_not_tried_again(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    service = serve([(422, {}, b"bad")])
    with pytest.raises(BadInput, match="refuses"):
        web.nim(JOB, tmp_path, base=service.base)
    assert len(service.seen) == 1


def test_alphafold_db_follows_the_address_it_is_given(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    service = serve([])
    entry = [
        {"uniprotAccession": "P04637", "latestVersion": 6, "cifUrl": f"{service.base}/files/AF-P04637-F1-model_v6.cif"}
    ]
    service.answers += [(200, {}, json.dumps(entry).encode()), (200, {}, CIF.encode())]
    found = web.alphafold_db("p04637", tmp_path, base=service.base)
    assert isinstance(found, Predicted) and found.plddt == pytest.approx(70)
    assert [s[0] for s in service.seen] == ["/api/prediction/P04637", "/files/AF-P04637-F1-model_v6.cif"]
    assert any("no hydrogens" in n for n in found.notes)


def test_a_model_that_there_is_not(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match="404"):
        web.alphafold_db("P99999", tmp_path, base=serve([(404, {}, b"")]).base)
    with pytest.raises(BadInput, match="not a UniProt"):
        web.alphafold_db("../etc", tmp_path)
