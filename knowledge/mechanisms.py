"""An explanation staked in the ledger: every edge a claim, every knock-out a claim that leans on its path.

edge u -> v        "perturbing u changes the nearest readout below it, through v, the way the edge says"
knock-out of u     "without u, the perturbation changes the readout by less than half" (double arm against u alone)
explanation        "the perturbation changes the readout"; premises: the edges of its path

    staked = claims_of(explanation, setting)
    stake(ledger, staked, campaign="K1")
    refuted_edges(states(ledger))            # {("MAPK1", "RPS6KA1", 1)}: keys for explain(..., forbidden=...)

Statuses come from the ledger alone. What can be refuted is what a lab can do: an edge whose source cannot be perturbed
on its own (no intervention given for it) is no claim, and is marked as untestable. An edge into a node that is not
measured is tested by the nearest readout below: should it fail, the claims of the edges on that stretch, each with a
perturbation of its own source, tell which one is at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..world_model.mechanism.explanation import ExplainedEdge, ExplainedNode, Explanation
from ..world_model.network import key_of
from ..world_model.vocabulary import Arm, Contrast, Modality, Perturbation, Readout
from .claims import Claim
from .events import Draft, Event
from .ledger import Ledger
from .status import KINDS, ClaimState, replay

EDGE, KNOCKOUT, PATH = "edge: ", "knock-out: ", "path: "
SHARE = 0.5  # of the measured change that an edge's source must bring about by itself
KEPT, DENIED = 0.5, 0.9  # of the change: at most this is left once the intermediate is gone; this much is the denial
EdgeKey = tuple[str, str, int]


@dataclass(frozen=True)
class Setting:
    """Where the claims can be tested. arm: what was explained; modality, unit: of its readouts.

    interventions: node -> what perturbs it alone, and the sign of that (default: a knock-down of its gene, for nodes
    that are genes).
    """

    arm: Arm
    modality: Modality = "phosphoproteome"
    unit: str = "log2FC"
    interventions: Mapping[str, tuple[Perturbation, int]] = field(default_factory=dict)

    def acting_on(self, node: str) -> tuple[Perturbation, int] | None:
        """None where nothing perturbs this node alone (no gene of its own, or the compound itself)."""
        if node in self.interventions:
            return self.interventions[node]
        if node.startswith("@") or ":" in node:
            return None
        return Perturbation(kind="knockdown", name=node), -1


@dataclass(frozen=True)
class Staked:
    """An explanation with its claims in the order they must be proposed. edges: edge key -> claim id."""

    explanation: Explanation
    claims: tuple[Claim, ...]
    edges: Mapping[EdgeKey, str]
    untestable: tuple[str, ...]


def claims_of(explanation: Explanation, setting: Setting) -> Staked:
    """Claims of the best cascade: first edges, then knock-outs and the explained changes that lean on them."""
    nodes = {n.name: n for n in explanation.nodes}
    best = [e for e in explanation.edges if e.best]
    cause = {e.target: e for e in best}
    claims: dict[str, Claim] = {}
    edges: dict[EdgeKey, str] = {}
    untestable = []
    for edge in best:
        claim = _edge_claim(edge, nodes, best, setting)
        if claim is None:
            untestable.append(edge.word)
        else:
            claims.setdefault(claim.id, claim)
            edges[edge.key] = claim.id
    for node in explanation.nodes:
        path = _path(node.name, cause)
        premises = tuple(dict.fromkeys(edges[e.key] for e in path if e.key in edges))
        if node.agrees and path and premises:
            claims.update(_leaning(explanation, node, path, premises, setting))
    shown = [e.model_copy(update={"claim": edges.get(e.key, "")}) for e in explanation.edges]
    return Staked(explanation.model_copy(update={"edges": tuple(shown)}), tuple(claims.values()), edges,
                  tuple(untestable))  # fmt: skip


def stake(ledger: Ledger, staked: Staked, *, campaign: str | None = None) -> list[Event]:
    """Propose every claim that the ledger does not hold yet (an edge that two explanations share is one claim)."""
    held = replay(ledger.events(KINDS))
    return ledger.append_many(
        Draft("claim_proposed", {"claim": c.model_dump(mode="json")}, campaign)
        for c in staked.claims if c.id not in held
    )  # fmt: skip


def states(ledger: Ledger) -> dict[str, ClaimState]:
    """Every claim with its status, computed from the ledger."""
    return dict(replay(ledger.events(KINDS)))


def refuted_edges(known: Mapping[str, ClaimState], context: str | None = None) -> set[EdgeKey]:
    """Edges whose claim is falsified (in ``context``, where one is named): the next explanation does without them."""
    return {
        key_of(s.claim.mechanism.removeprefix(EDGE)) for s in known.values()
        if s.claim.kind == "mechanism" and s.claim.mechanism.startswith(EDGE) and s.status == "falsified"
        and (context is None or any(a.context == context for a in s.claim.contrast.arms))
    }  # fmt: skip


def with_statuses(staked: Staked, known: Mapping[str, ClaimState]) -> Explanation:
    """The explanation with the present status of each edge's claim, for the picture."""
    edges = [e.model_copy(update={"status": known[e.claim].status}) if e.claim in known else e
             for e in staked.explanation.edges]  # fmt: skip
    return staked.explanation.model_copy(update={"edges": tuple(edges)})


def undermined(staked: Staked, known: Mapping[str, ClaimState]) -> bool:
    """Whether an edge it rests on has fallen."""
    return any(known[c].status in ("falsified", "undermined") for c in staked.edges.values() if c in known)


def next_explanation(
    ledger: Ledger, staked: Staked, search: Callable[[set[EdgeKey]], Explanation], setting: Setting,
    *, campaign: str | None = None,
) -> Staked | None:  # fmt: skip
    """Where an edge of ``staked`` has fallen: the next explanation, found by ``search(refuted edges)``, and staked.

    None while it stands, or where nothing is left that beats chance."""
    known = states(ledger)
    if not undermined(staked, known):
        return None
    found = search(refuted_edges(known, setting.arm.context))
    if not found.offered:
        return None
    successor = claims_of(found, setting)
    stake(ledger, successor, campaign=campaign)
    return successor


def _edge_claim(
    edge: ExplainedEdge, nodes: Mapping[str, ExplainedNode], best: Iterable[ExplainedEdge], setting: Setting
) -> Claim | None:
    """Perturb the source, read the first measured node at or below the target."""
    if nodes[edge.source].role == "perturbation":
        return None  # that the compound acts on its target is the explanation's premise, not an edge of the network
    acting = setting.acting_on(edge.source)
    reading = _first_measured(edge.target, nodes, list(best))
    if acting is None or reading is None:
        return None
    perturbation, sign = acting
    node, along = reading
    readout = max(node.readouts, key=lambda r: abs(r.delta))
    expected = sign * edge.sign * along * abs(readout.delta) * readout.sign
    arm = Arm(context=setting.arm.context, perturbations=(perturbation,), time_h=setting.arm.time_h)
    return _claim(
        f"{edge.word} ({edge.kind}): {perturbation.kind} of {perturbation.label()} "
        f"{'raises' if expected > 0 else 'lowers'} {readout.readout} in {arm.context}",
        readout.readout, ((1.0, arm), (-1.0, _control(setting.arm))), SHARE * expected, 0.1 * expected,
        EDGE + edge.word, f"{readout.readout} does not move when {edge.source} is perturbed", setting,
    )  # fmt: skip


def _leaning(
    explanation: Explanation, node: ExplainedNode, path: list[ExplainedEdge], premises: tuple[str, ...],
    setting: Setting,
) -> dict[str, Claim]:  # fmt: skip
    """The explained change of one node, and what is left of it without each intermediate of its path."""
    readout = max(node.readouts, key=lambda r: abs(r.delta))
    change = readout.delta * readout.sign
    words = " ".join(f"{'+>' if e.sign > 0 else '-|'} {e.target}" for e in path)
    whole = _claim(
        f"{explanation.perturbation} {'raises' if change > 0 else 'lowers'} {readout.readout} in {explanation.context} "
        f"through {path[0].source} {words}",
        readout.readout, ((1.0, setting.arm), (-1.0, _control(setting.arm))), SHARE * change, 0.1 * change,
        PATH + "; ".join(e.word for e in path), f"{readout.readout} does not change", setting, premises,
    )  # fmt: skip
    found = {whole.id: whole}
    for edge in path[1:]:
        acting = setting.acting_on(edge.source)
        if acting is None:
            continue
        alone = Arm(context=setting.arm.context, perturbations=(acting[0],), time_h=setting.arm.time_h)
        both = alone.model_copy(update={"perturbations": (*setting.arm.perturbations, acting[0])})
        claim = _claim(
            f"without {edge.source}, {explanation.perturbation} changes {readout.readout} in {explanation.context} by "
            f"less than {KEPT:.0%} of what it does alone ({change:+.2f} log2)",
            readout.readout, ((1.0, Arm.model_validate(both.model_dump())), (-1.0, alone)), KEPT * change,
            DENIED * change, KNOCKOUT + edge.source, f"{readout.readout} still changes as much", setting, premises,
        )  # fmt: skip
        found[claim.id] = claim
    return found


def _claim(
    sentence: str, variable: str, terms: tuple[tuple[float, Arm], ...], delta: float, delta0: float, mechanism: str,
    refuted_by: str, setting: Setting, premises: tuple[str, ...] = (),
) -> Claim:  # fmt: skip
    return Claim(
        sentence=sentence[:1000], kind="mechanism",
        readout=Readout(modality=setting.modality, variable=variable, unit=setting.unit),
        contrast=Contrast(terms=terms), relation="ge" if delta > delta0 else "le", delta=delta, delta0=delta0,
        premises=premises, mechanism=mechanism[:2000], refuted_by=refuted_by[:1000],
    )  # fmt: skip


def _control(arm: Arm) -> Arm:
    return Arm(context=arm.context, time_h=arm.time_h)


def _path(node: str, cause: Mapping[str, ExplainedEdge]) -> list[ExplainedEdge]:
    """Edges from the perturbation to ``node``."""
    path: list[ExplainedEdge] = []
    while node in cause:
        path.append(cause[node])
        node = cause[node].source
    return path[::-1]


def _first_measured(
    start: str, nodes: Mapping[str, ExplainedNode], edges: list[ExplainedEdge]
) -> tuple[ExplainedNode, int] | None:
    """The nearest node at or below ``start`` whose measured change is explained, and the sign of the way there."""
    level = [(start, 1)]
    while level:
        for name, sign in level:
            if nodes[name].agrees:
                return nodes[name], sign
        level = [(e.target, sign * e.sign) for name, sign in level for e in edges if e.source == name]
    return None
