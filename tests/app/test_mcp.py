"""Another agent's view: a real MCP client talks to `cytocrux mcp` over stdio, and can read but not write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from cytocrux.app.mcp_tools import ReadOnly
from cytocrux.knowledge import notes
from cytocrux.knowledge.ledger import Ledger
from cytocrux.world_model.errors import BadInput, UnknownName


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    paper = tmp_path / "paper.txt"
    paper.write_text("Venetoclax binds BCL2 in the groove.")
    with Ledger.open(tmp_path / "w") as ledger:
        notes.add(ledger, paper)
    return tmp_path / "w"


def test_a_client_lists_and_calls_the_tools_over_stdio(workspace: Path) -> None:
    args = ["-P", "-c", "from cytocrux.app.cli import main; main()", "mcp", "--workspace", str(workspace)]
    command = StdioServerParameters(command=sys.executable, args=args)
    told: dict[str, Any] = {}

    async def talk() -> None:
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            told["tools"] = (await session.list_tools()).tools
            told["found"] = await session.call_tool("search", {"words": "groove of BCL2", "kind": "note"})
            told["wrong"] = await session.call_tool("compound", {"name": "Unobtainium"})

    anyio.run(talk)
    assert {t.name for t in told["tools"]} == {t.__name__ for t in ReadOnly(workspace).tools()}
    assert all(t.annotations.read_only_hint for t in told["tools"])
    hit = json.loads(told["found"].content[0].text)["hits"][0]
    assert hit["citation"] == "paper.txt, lines 1-1"
    assert told["wrong"].is_error and "Unknown compound" in told["wrong"].content[0].text


def test_no_tool_writes_to_the_ledger_or_takes_a_path(workspace: Path) -> None:
    tools = ReadOnly(workspace)
    with Ledger.open(workspace) as ledger:
        before = ledger.head()
    assert tools.campaigns()["campaigns"] == []
    assert tools.claims()["claims"] == []
    assert tools.verify_ledger() == {"ok": True, "entries": before[0], "head": before[1]}
    assert "gdsc" in {d["name"] for d in tools.data_sets()["data_sets"]}
    assert tools.compound("trametinib")["mechanism_class"] == "MEK inhibitor"
    assert tools.hazards("sarin")["stopped_by"][0]["category"] == "chemical weapon"
    with Ledger.open(workspace) as ledger:
        assert ledger.head() == before
    names = {name for tool in tools.tools() for name in tool.__annotations__}
    assert not names & {"path", "file", "workspace", "approve", "budget"}


def test_what_is_not_there_is_said(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        ReadOnly(workspace).answer("K1")
    with pytest.raises(UnknownName):
        ReadOnly(workspace).claim("C1")
    with pytest.raises(BadInput, match="no ledger"):
        ReadOnly(tmp_path / "nowhere").claims()
    assert not (tmp_path / "nowhere").exists()
