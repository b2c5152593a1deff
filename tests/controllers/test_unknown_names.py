"""What is asked of an app or a unit before the first pass is through: it may come yet."""

import anyio
import pytest

from supervisor.model.errors import Stalled
from supervisor.model.events import EventQuery
from supervisor.model.image_status import UpdateRequest
from supervisor.model.log import LogQuery
from supervisor.model.status import OrderRequest, SyncRequest

pytestmark = pytest.mark.anyio


async def ignore(_):
    pass


QUESTIONS = {
    "status": lambda service: service.look("wbe"),
    "why": lambda service: service.why("wbe"),
    "logs": lambda service: service.logs(LogQuery(unit="wbe.service")),
    "history": lambda service: service.history("wbe"),
    "images": lambda service: service.images("wbe"),
    "machine": lambda service: service.machine("wbe"),
    "events of an app": lambda service: anext(service.event_log.events(EventQuery(app="wbe"))),
    "events of a unit": lambda service: anext(
        service.event_log.events(EventQuery(unit="wbe.service"))
    ),
    "sync": lambda service: service.sync(SyncRequest(apps=("wbe",)), ignore),
    "suspend": lambda service: service.suspend(OrderRequest(apps=("wbe",))),
    "update": lambda service: service.update(UpdateRequest(name="wbe"), ignore),
}


async def refusal(question, service):
    with pytest.raises(Stalled) as raised:
        await question(service)
    return raised.value


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_what_may_come_yet_is_not_said_to_be_unknown(world, question):
    world.reader.put("home", {"web/web.container": ""})
    async with world.running(first_pass=False) as daemon:
        early = await refusal(question, daemon.service)
        assert str(early).endswith(" yet: podvisor has just started")
        # A sync has read the source before it answers.
        assert early.hint in {
            "podvisor status says when all sources were read",
            "did you mean “web”?",
        }

        await daemon.queue.wait_idle()
        await anyio.sleep(1)
        daemon.first_pass_is_over()
        late = await refusal(question, daemon.service)
        assert str(early).startswith(str(late))
