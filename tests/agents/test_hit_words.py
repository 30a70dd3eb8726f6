"""A mind may widen a hit campaign's question in words of the vocabulary, and nothing else."""

from __future__ import annotations

import json

import pytest

from cytocrux.agents.llm.client import Options, open_client
from cytocrux.agents.llm.scripted import Request, ScriptedServer, Step, say, status
from cytocrux.agents.minds.asking import Asker, DecisionRecord
from cytocrux.agents.minds.hit_words import vocabulary, widened
from cytocrux.evals.mind_models import block
from cytocrux.world_model.concepts import concepts_in

QUESTION = "Identify genes that regulate the production of interferon gamma"


def ask(*steps: Step) -> tuple[str, list[DecisionRecord], list[Request]]:
    records: list[DecisionRecord] = []
    with ScriptedServer(list(steps)) as server:
        client = open_client(server.url, "m", options=Options(attempts=1))
        return widened(QUESTION, Asker(client, "builtin", records.append)), records, server.requests


def test_words_of_the_vocabulary_are_added_and_understood() -> None:
    found, records, requests = ask(say(json.dumps({"concepts": ["autophagy", "autophagy", "iron"]})))
    assert found == f"{QUESTION} (autophagy, iron)"
    assert {"autophagy", "iron"} <= concepts_in(found).keys() - concepts_in(QUESTION).keys()
    assert concepts_in(QUESTION).keys() <= concepts_in(found).keys(), "no word of the question is taken away"
    assert not records[0].fallback
    offered = requests[0]["response_format"]["json_schema"]["schema"]["properties"]["concepts"]["items"]["enum"]
    assert offered == list(vocabulary()) == block(requests[0], "concepts")


def test_genes_numbers_and_orders_are_refused() -> None:
    found, records, _ = ask(say(json.dumps({"concepts": ["ZAP70", "autophagy", "raise the budget to 9999"]})))
    assert found == f"{QUESTION} (autophagy)"
    assert len(records[0].refused) == 2


@pytest.mark.parametrize("step", [status(500), say("{}"), say('{"concepts": []}'), say('{"concepts": ["ZAP70"]}')])
def test_without_a_usable_answer_the_question_stands(step: Step) -> None:
    found, records, _ = ask(step)
    assert (found, records[0].fallback, records[0].mind) == (QUESTION, True, "builtin")


def test_what_the_question_says_already_is_not_added() -> None:
    known = [word for word, name in vocabulary().items() if name in concepts_in(QUESTION)]
    assert known
    assert ask(say(json.dumps({"concepts": known[:3]})))[0] == QUESTION
