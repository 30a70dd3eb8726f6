"""What a patient's table makes of a goal: features, a name of its own, the line that stands in, what is ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..world_model.errors import UnknownName
from ..world_model.vocabulary import Context, content_hash
from .goal import Goal

if TYPE_CHECKING:
    from ..world_model.data.dataset import Dataset
    from .patient import Patient


def with_patient(goal: Goal, patient: Patient | None, dataset: Dataset) -> Goal:
    """The goal with what the patient's table says: features, stand-in line, exclusions, fields without a use."""
    if patient is None:
        return goal
    update: dict[str, Any] = {
        "context": _named(patient),
        "exclusions": (*goal.exclusions, *patient.exclusions),
    }
    assumptions = [*goal.assumptions, *patient.notes]
    if patient.surrogate:
        line = _stand_in(patient.surrogate, dataset, assumptions)
        update["surrogate"] = line
        update["context"] = _filled(update["context"], line, dataset)
        assumptions.append(
            f"{line} stands in for the patient in the lab. Where the table is silent on a gene, the line's untreated "
            "profile is used; its drug responses are hidden until the lab reveals them."
        )
    else:
        assumptions.append("The table names no surrogate_line: predictions cannot be tested here.")
    update["assumptions"] = tuple(assumptions)
    return goal.model_copy(update=update)


def _named(patient: Patient) -> Context:
    """The patient's context under a name of its own: another table is another patient, in the same ledger too."""
    told = content_hash([patient.context.model_dump(mode="json"), patient.surrogate])
    return patient.context.model_copy(update={"name": f"{patient.context.name}-{told[:4]}"})


def _stand_in(name: str, dataset: Dataset, assumptions: list[str]) -> str:
    """The line of the data set by that name; in a simulated screen, where no real line is, its first."""
    try:
        return _line(name, dataset.contexts)
    except UnknownName:
        if dataset.name != "simulated":
            raise
        assumptions.append(f"{name} is a real line and this screen is simulated: {dataset.contexts[0]} plays its part.")
        return dataset.contexts[0]


def _line(name: str, contexts: Sequence[str]) -> str:
    from ..world_model.data.gdsc import bare

    squeezed = {bare(k): k for k in contexts}
    if bare(name) not in squeezed:
        raise UnknownName(name, kind="surrogate line", known=contexts)
    return squeezed[bare(name)]


def _filled(context: Context, line: str, dataset: Dataset) -> Context:
    """The patient's own values over the untreated profile of the line that stands in."""
    expression, mutations = dict(context.expression), dict(context.mutations)
    table = dataset.context_features.get("expression")
    if table is not None and line in table.index:
        expression = {str(g): float(v) for g, v in table.loc[line].items()} | expression
    return context.model_copy(update={"expression": expression, "mutations": mutations})
