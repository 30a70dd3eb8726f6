"""What ``doctor`` says of optional parts: never a failure, always a cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytocrux.app import health


def test_an_extra_that_is_missing_is_a_note_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.EXTRAS, "molecules", (("json", "no_such_docking_program"), "docking"))
    found = health.extra("molecules")
    assert found.state == "note" and "no_such_docking_program" in found.what and "json" not in found.what
    assert found.cure == "pip install 'cytocrux[molecules]'"
    monkeypatch.setitem(health.EXTRAS, "molecules", (("json",), "docking"))
    assert health.extra("molecules").state == "ok"


def test_every_extra_is_one_of_the_distribution() -> None:
    from importlib.metadata import metadata

    assert set(health.EXTRAS) <= set(metadata("cytocrux").get_all("Provides-Extra") or ())


def test_ani_and_boltz_say_what_they_lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CYTOCRUX_ANI_PYTHON", "TORCHANI_DATA_DIR", "CYTOCRUX_BOLTZ", "BOLTZ_CACHE", "CYTOCRUX_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    ani, boltz = health.strain_by_ani(), health.boltz()
    assert ani.state == boltz.state == "note"
    assert "CYTOCRUX_ANI_PYTHON" in ani.what and ani.cure
    assert "CYTOCRUX_BOLTZ" in boltz.cure and "BOLTZ_CACHE" in boltz.cure
    command = tmp_path / "boltz"
    command.touch()
    monkeypatch.setenv("CYTOCRUX_BOLTZ", str(command))
    monkeypatch.setenv("BOLTZ_CACHE", str(tmp_path))
    assert "weights" in health.boltz().what and "boltz2_conf.ckpt" in health.boltz().cure
    for weight in ("boltz2_conf.ckpt", "boltz2_aff.ckpt", "mols"):
        (tmp_path / weight).touch()
    assert health.boltz().state == "ok"
