"""A long event log is read a page at a time: others have their turn, and nothing is left out."""

import asyncio

import pytest

from supervisor.controllers.operator import event_log
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.event_log import EventLog
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.status import AppState, AppStatus, UnitStatus

pytestmark = pytest.mark.anyio
MANY = 950


@pytest.fixture
async def log(world, monkeypatch):
    monkeypatch.setattr(event_log, "_PAGE", 10)
    ledger = world.ports().ledger
    with ledger.together():
        for number in range(MANY):
            ledger.append(
                Event(
                    kind=EventKind.STEP,
                    time=1.0 + number,
                    app="even" if number % 2 == 0 else "odd",
                    ok=number % 7 != 0,
                )
            )
    return EventLog(ledger=ledger, names=None)


async def test_names_of_nothing_are_refused(world) -> None:
    ports = world.ports()
    ports.ledger.append(Event(kind=EventKind.STEP, step="start", app="gone", unit="gone.service"))
    board = StatusBoard()
    unit = UnitStatus(name="web.service", active="active", sub="running")
    app = AppStatus(name="web", source="home", state=AppState.READY, units=(unit,))
    board.apps["web"] = app
    names = AppNames(desired_state=None, ledger=ports.ledger, board=board)
    log = EventLog(ledger=ports.ledger, names=names)
    for known in ("web.service", "gone.service"):
        log.events(EventQuery(unit=known))
    log.events(EventQuery(code="step-pull-failed"))
    with pytest.raises(Stalled, match=r"no unit named “wbe\.service”") as caught:
        log.events(EventQuery(unit="wbe.service"))
    assert caught.value.hint == "did you mean “web.service”?"
    for code in ("nosuch", "step"):
        with pytest.raises(Stalled, match="no event has the code"):
            log.events(EventQuery(code=code))


async def read(log, **wishes):
    # Not `events`, which looks whether there is such an app.
    return [one async for one in log._events(EventQuery(**wishes))]


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"limit": 35},
        {"limit": MANY + 5},
        {"after_id": 100},
        {"after_id": 100, "limit": 25},
        {"before_id": 500, "limit": 25},
        {"app": "odd"},
        {"app": "odd", "limit": 45, "failed": True},
        {"since": 200.0, "until": 400.0},
        {"since": 200.0, "until": 400.0, "limit": 30},
    ],
)
async def test_it_gives_what_one_page_would(log, wishes):
    assert await read(log, **wishes) == log.ledger.events(EventQuery(**wishes))


@pytest.mark.parametrize("wishes", [{}, {"limit": 25}, {"app": "odd"}])
async def test_after_an_entry_that_is_not_there_yet_it_begins_anew(log, wishes):
    """Of a log that was lost, or is restored, somebody may remember more than it holds."""
    assert await read(log, after_id=MANY, **wishes) == []
    anew = await read(log, after_id=MANY + 1, **wishes)
    assert anew == log.ledger.events(EventQuery(after_id=0, **wishes))
    assert anew[0].id <= MANY


@pytest.mark.parametrize("wishes", [{}, {"limit": 1}])
async def test_who_follows_after_such_a_one_hears_what_comes(log, wishes):
    entries = log._events(EventQuery(after_id=MANY + 500, follow=True, **wishes))
    async with asyncio.timeout(20):
        while (await anext(entries)).id < MANY:
            pass
        new = log.ledger.append(Event(kind=EventKind.STEP, time=9_999.0))
        assert (await anext(entries)).id == new.id == MANY + 1
    await entries.aclose()


async def test_who_follows_a_log_that_is_empty(world):
    log = EventLog(ledger=world.ports().ledger, names=None)
    entries = log._events(EventQuery(after_id=500, follow=True))
    async with asyncio.timeout(20):
        waiting = asyncio.ensure_future(anext(entries))
        await asyncio.sleep(0)
        new = log.ledger.append(Event(kind=EventKind.STEP, time=1.0))
        assert (await waiting).id == new.id
    await entries.aclose()


async def test_others_have_their_turn_meanwhile(log):
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert len(await read(log)) == MANY
    task.cancel()
    assert turns >= MANY // 10


async def test_what_comes_while_it_is_read_is_told_once(log):
    read_so_far = []
    entries = log._events(EventQuery(follow=True))
    async for one in entries:
        read_so_far.append(one.id)
        if len(read_so_far) == MANY // 2:
            last = log.ledger.append(Event(kind=EventKind.STEP, time=9_999.0))
        if len(read_so_far) > MANY // 2 and one.id == last.id:
            break
    await entries.aclose()
    assert read_so_far == sorted(set(read_so_far))
    assert len(read_so_far) == MANY + 1
