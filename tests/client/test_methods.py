"""Each endpoint of the table has its method, in both clients, with the right types."""

import inspect
import typing
from typing import Any

import msgspec
import pytest

from supervisor.api.endpoints import ENDPOINTS, Answer, Endpoint
from supervisor.client import AsyncClient, AsyncProgress, AsyncStream, Client, Progress, Stream
from supervisor.model.events import Event
from supervisor.model.status import AppStatus
from supervisor.model.wire import NoRequest
from tests.fakes.control_service import Served
from tests.fakes.examples import example

AROUND = {
    Client: {Answer.TOLD: Progress, Answer.STREAM: Stream},
    AsyncClient: {Answer.TOLD: AsyncProgress, Answer.STREAM: AsyncStream},
}
every_endpoint = pytest.mark.parametrize("one", ENDPOINTS, ids=lambda one: one.name)


def wishes(one: Endpoint) -> dict[str, Any]:
    """What it is asked with, as an example."""
    if one.request is NoRequest:
        return {}
    names = [field.name for field in msgspec.structs.fields(one.request)]
    wish = example(one.request)
    said = {name: getattr(wish, name) for name in names}
    return {**said, "follow": False} if "follow" in said else said


@pytest.mark.parametrize("client", AROUND)
@every_endpoint
def test_each_endpoint_has_its_method(one: Endpoint, client: type) -> None:
    method = getattr(client, one.name)
    hints = typing.get_type_hints(method)
    around = AROUND[client].get(one.answer)
    assert hints.pop("return") == (around[one.reply] if around else one.reply)  # type: ignore[index]
    assert inspect.iscoroutinefunction(method) == (around is None and client is AsyncClient)
    fields = [] if one.request is NoRequest else msgspec.structs.fields(one.request)
    needed = {field.name for field in fields if field.required}
    parameters = inspect.signature(method).parameters
    assert set(parameters) - {"self"} == {field.name for field in fields} == set(hints)
    assert {name for name, it in parameters.items() if it.default is it.empty} - {"self"} == needed


@pytest.mark.parametrize("client", AROUND)
def test_there_are_no_others(client: type) -> None:
    public = {name for name in dir(client) if not name.startswith("_")}
    assert public == {one.name for one in ENDPOINTS}


@every_endpoint
def test_an_answer_is_of_its_type(podvisor: Served, one: Endpoint) -> None:
    answer = getattr(Client(socket=podvisor.socket), one.name)(**wishes(one))
    if one.answer is Answer.WHOLE:
        assert answer == example(one.reply)
    elif one.answer is Answer.STREAM:
        assert all(isinstance(entry, one.reply) for entry in answer)
    else:
        assert [type(step) for step in answer] == [Event, AppStatus]
        assert answer.result() == example(one.reply)


@every_endpoint
async def test_so_it_is_of_the_other_client(podvisor: Served, one: Endpoint) -> None:
    answer = getattr(AsyncClient(socket=podvisor.socket), one.name)(**wishes(one))
    if one.answer is Answer.WHOLE:
        assert await answer == example(one.reply)
    elif one.answer is Answer.STREAM:
        assert all([isinstance(entry, one.reply) async for entry in answer])
    else:
        assert [type(step) async for step in answer] == [Event, AppStatus]
        assert await answer.result() == example(one.reply)
