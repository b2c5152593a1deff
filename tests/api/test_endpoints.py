import json
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.api import control
from supervisor.api.endpoints import ENDPOINTS, Answer
from supervisor.api.openapi import document


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
        held = {f"#/components/schemas/{name}" for name in self.DOCUMENT["components"]["schemas"]}
        assert set(references(self.DOCUMENT)) - held == set()

    def test_says_what_stands_in_a_query(self) -> None:
        said = self.DOCUMENT["paths"]["/v1/events"]["get"]["parameters"]
        limits = [one["schema"]["minimum"] for one in said if one["name"] == "limit"]
        assert limits == [0]

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
