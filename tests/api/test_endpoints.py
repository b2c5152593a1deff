import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import openapi_spec_validator
import pytest

from supervisor.api import control
from supervisor.api.endpoints import ENDPOINTS, Answer, Endpoint
from supervisor.api.openapi import _EXAMPLES, document
from supervisor.model.events import Event
from supervisor.model.status import AppStatus
from supervisor.model.wire import NoRequest, Problem
from tests.fakes.examples import example


@pytest.mark.parametrize(
    ("answer", "served"),
    [
        (Answer.WHOLE, control._ANSWERS),
        (Answer.TOLD, control._TELLERS),
        (Answer.STREAM, control._STREAMS),
    ],
)
def test_all_of_the_table_is_served_and_nothing_else(answer: Answer, served: Any) -> None:
    assert set(served) == {one.path for one in ENDPOINTS if one.answer is answer}


def test_no_question_is_an_order() -> None:
    assert [one.path for one in ENDPOINTS if one.is_order and one.method == "GET"] == []


class TestDocument:
    DOCUMENT = json.loads(json.dumps(document("1.2.3")))

    def test_says_every_endpoint(self) -> None:
        told = {(method, path) for path, one in self.DOCUMENT["paths"].items() for method in one}
        assert told == {(one.method.lower(), one.path) for one in ENDPOINTS}

    def test_refers_to_nothing_that_it_does_not_hold(self) -> None:
        held = {
            f"#/components/{kind}/{name}"
            for kind in ("schemas", "responses")
            for name in self.DOCUMENT["components"][kind]
        }
        assert set(references(self.DOCUMENT)) - held == set()

    def test_says_what_stands_in_a_query(self) -> None:
        said = self.DOCUMENT["paths"]["/v1/events"]["get"]["parameters"]
        limits = [one["schema"]["minimum"] for one in said if one["name"] == "limit"]
        assert limits == [0]

    def test_it_is_openapi(self) -> None:
        openapi_spec_validator.validate(self.DOCUMENT)

    def test_each_example_can_be_asked_with(self) -> None:
        kinds = {one.name: one.request for one in ENDPOINTS}
        for name, wish in _EXAMPLES.items():
            msgspec.convert(wish, kinds[name])
        needs_one = {name for name, kind in kinds.items() if kind is not NoRequest}
        assert set(_EXAMPLES) == needs_one

    @pytest.mark.parametrize("one", ENDPOINTS, ids=lambda one: one.name)
    def test_what_is_answered_is_as_it_says(self, one: Endpoint) -> None:
        operation = self.DOCUMENT["paths"][one.path][one.method.lower()]
        (content,) = operation["responses"]["200"]["content"].values()
        says = {**content["schema"], "components": self.DOCUMENT["components"]}
        answers: list[Any] = [example(one.reply)]
        if one.answer is Answer.TOLD:
            problem = Problem(title="Not Found", status=404, detail="no app named wbe")
            answers = [{"reply": answers[0]}, {"problem": problem}]
            answers += [{"event": example(Event)}, {"waiting": example(AppStatus)}]
        for answer in answers:
            jsonschema.Draft202012Validator(says).validate(json.loads(msgspec.json.encode(answer)))

    def test_each_error_is_told_as_problem_details(self) -> None:
        responses = self.DOCUMENT["components"]["responses"]
        for status, response in responses.items():
            (kind,) = response["content"]
            assert kind == "application/problem+json"
            example = response["content"][kind]["example"]
            assert msgspec.convert(example, Problem).status == int(status)

    def test_fields_are_explained(self) -> None:
        fields = self.DOCUMENT["components"]["schemas"]["SyncRequest"]["properties"]
        assert fields["prune_all"]["description"].startswith("Allow a pass")
        (limit,) = (
            one
            for one in self.DOCUMENT["paths"]["/v1/events"]["get"]["parameters"]
            if one["name"] == "limit"
        )
        assert limit["description"].startswith("So many at most")

    def test_every_operation_has_a_name_of_its_own(self) -> None:
        names = [
            one["operationId"] for path in self.DOCUMENT["paths"].values() for one in path.values()
        ]
        assert len(set(names)) == len(ENDPOINTS)


def references(value: Any) -> Iterator[str]:
    """Yield every `$ref` in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)
