"""Claims as linked data: one nanopublication each (assertion, provenance, publication info), in PROV-O terms.

Nanopublication schema: http://www.nanopub.org/nschema; PROV-O: https://www.w3.org/TR/prov-o/. Terms under ``cx:`` are
this package's own. Numbers are in the claim's units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from .claims import Evidence
from .events import Event
from .status import ClaimState

CONTEXT: dict[str, Any] = {
    "np": "http://www.nanopub.org/nschema#",
    "prov": "http://www.w3.org/ns/prov#",
    "dct": "http://purl.org/dc/terms/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "cx": "urn:cytocrux:terms:",
    "prov:generatedAtTime": {"@type": "xsd:dateTime"},
    "dct:created": {"@type": "xsd:dateTime"},
    "cx:formal": {"@type": "@json"},
    "cx:chain": {"@type": "@json"},
}

Node = dict[str, Any]


def as_jsonld(states: Mapping[str, ClaimState], events: Iterable[Event], *, whole: bool) -> Node:
    """All claims of ``states``, each a nanopublication; with ``whole``, the chain of entries too (for import)."""
    entries = list(events)
    at = {e.seq: e.at for e in entries}
    graphs = [graph for state in states.values() for graph in nanopublication(state, at)]
    first, last = (entries[0], entries[-1]) if entries else (None, None)
    ledger: Node = {"@id": f"urn:cytocrux:ledger:{first.hash if first else 'empty'}", "@type": "prov:Bundle"}
    if last:
        ledger |= {"cx:entries": last.seq, "cx:head": last.hash, "prov:generatedAtTime": last.at}
    if whole:
        ledger["cx:chain"] = [asdict(e) for e in entries]
    return {"@context": CONTEXT, "@graph": [ledger, *graphs]}


def nanopublication(state: ClaimState, at: Mapping[int, str]) -> list[Node]:
    """The four graphs of one claim. at: time (ISO) of each entry."""
    claim = state.claim
    me = f"urn:cytocrux:np:{claim.id}"
    head, assertion, provenance, pubinfo = (f"{me}#{part}" for part in ("Head", "assertion", "provenance", "pubinfo"))
    parts = {"np:hasAssertion": assertion, "np:hasProvenance": provenance, "np:hasPublicationInfo": pubinfo}
    publication = {"@id": me, "@type": "np:Nanopublication", **{k: {"@id": v} for k, v in parts.items()}}
    made: Node = {
        "@id": assertion,
        "prov:wasGeneratedBy": {"@id": f"urn:cytocrux:campaign:{state.campaign or '-'}"},
        "prov:wasAttributedTo": {"@id": f"urn:cytocrux:origin:{claim.origin}"},
        "prov:generatedAtTime": at.get(state.seq),
    }
    if claim.revises:
        made["prov:wasRevisionOf"] = {"@id": f"urn:cytocrux:np:{claim.revises}#assertion"}
    if claim.premises:
        made["prov:wasDerivedFrom"] = [{"@id": f"urn:cytocrux:np:{p}#assertion"} for p in claim.premises]
    info = {
        "@id": me,
        "dct:created": at.get(state.seq),
        "cx:status": state.status,
        "cx:because": state.history[-1].cause,
        "cx:alarms": state.alarms,
        "cx:ledgerEntry": state.seq,
    }
    return [
        {"@id": head, "@graph": [publication]},
        {"@id": assertion, "@graph": [_asserted(state)]},
        {"@id": provenance, "@graph": [made, *_tested(state, assertion, at)]},
        {"@id": pubinfo, "@graph": [info]},
    ]


def _asserted(state: ClaimState) -> Node:
    claim = state.claim
    formal = claim.model_dump(mode="json", include={"kind", "readout", "contrast", "relation", "delta", "delta0"})
    said = {"@id": f"urn:cytocrux:claim:{claim.id}", "@type": "cx:Claim", "rdfs:label": claim.sentence}
    return said | {"cx:formal": formal, "cx:mechanism": claim.mechanism, "cx:refutedBy": claim.refuted_by}


def _tested(state: ClaimState, assertion: str, at: Mapping[int, str]) -> list[Node]:
    """The registered tests and each look at the data, as activities and entities."""
    nodes: list[Node] = []
    for test_id, test in state.predictions.items():
        beliefs = {"cx:theory": test.theory.model_dump(), "cx:sceptic": test.sceptic.model_dump()}
        about = {"cx:alpha": test.alpha, "cx:analysisVersion": test.analysis_version, "cx:model": test.model_version}
        plan = {"@id": f"urn:cytocrux:test:{test_id}", "@type": ["prov:Plan", "cx:RegisteredTest"]}
        nodes.append(plan | about | {k: {"@type": "@json", "@value": v} for k, v in beliefs.items()})
    for seq, batch, evidence in state.looks:
        nodes.append(
            {
                "@id": f"urn:cytocrux:evidence:{state.claim.id}:{batch.index}",
                "@type": ["prov:Entity", "cx:Evidence"],
                "cx:about": {"@id": assertion},
                "prov:wasDerivedFrom": {"@id": f"urn:sha256:{batch.data_hash}"},
                "prov:wasGeneratedBy": {
                    "@id": f"urn:cytocrux:analysis:{seq}",
                    "@type": "prov:Activity",
                    "prov:qualifiedAssociation": {"prov:hadPlan": {"@id": f"urn:cytocrux:test:{batch.prediction_id}"}},
                },
                "prov:generatedAtTime": at.get(seq),
                "cx:design": batch.design_hash,
                "cx:wells": list(batch.wells),
                **figures(evidence),
            }
        )
    for gone in state.retracted:
        invalid = {"@id": f"urn:cytocrux:evidence:{state.claim.id}:{gone.batch.index}", "@type": "prov:Entity"}
        why = {"@type": "prov:Invalidation", "cx:reason": gone.reason, "cx:by": gone.by, "cx:ledgerEntry": gone.seq}
        nodes.append(invalid | {"prov:qualifiedInvalidation": why})
    return nodes


def figures(evidence: Evidence) -> Node:
    """Estimate, errors, e- and p-values under ``cx:``; absent where not defined."""
    values = evidence.model_dump(mode="json", exclude={"batch"})
    return {f"cx:{name}": value for name, value in values.items() if value is not None}
