"""Since when something is wrong: for as long as it goes on, and never since before its told end."""

from contextlib import nullcontext
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from supervisor.controllers.operator.incidents import IncidentLog
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.notify import outbox as box
from supervisor.core.notify.news import of_incidents
from supervisor.model.events import Event, EventKind
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import Outbox
from supervisor.model.notify_settings import NotifyKind, NotifySettings
from supervisor.model.setting_types import Seconds
from supervisor.model.status import AppState, AppStatus, Status, UnitStatus

ORDER_SECONDS = 600
CODES = {
    "down": IncidentCode.UNIT_DOWN,
    "sick": IncidentCode.UNIT_UNHEALTHY,
    "paused": IncidentCode.UNIT_PAUSED,
}
STEPS = st.one_of(
    st.sampled_from(["down", "sick", "paused", "well", "well", "order", "order all"]),
    st.integers(1, 2_000),
)


def unit(how):
    runs = UnitStatus(name="web.service", active="active", sub="running", up=True, wanted=True)
    match how:
        case "down":
            return {"active": "failed", "up": False}, runs
        case "sick":
            return {"health": "unhealthy"}, runs
        case "paused":
            return {"paused": True, "up": False}, runs
    return {}, runs


class FakeLedger:
    """What an incident log asks of a ledger."""

    def __init__(self):
        self.incidents = {}
        self.outbox = Outbox()
        self.logged = []

    def all(self, kind):
        return dict(self.incidents) if kind is Incident else {"phone": self.outbox}

    def put(self, one, key):
        self.incidents[key] = one

    def drop(self, _, key):
        del self.incidents[key]

    def together(self):
        return nullcontext()

    def events(self, query):
        return [one for one in self.logged if query.fits(one)]

    def problem(self):
        return ""

    def losses(self):
        return ()


class World:
    """An app of one unit, who notices what is wrong with it, and a notifier."""

    def __init__(self, after):
        self.now, self.how = 1_800_000_000.0, "well"
        self.settings = NotifySettings(
            events=(NotifyKind.PROBLEM, NotifyKind.RECOVERED), after=Seconds(after)
        )
        self.ledger, self.board = FakeLedger(), StatusBoard(has_looked=True)
        self.log = IncidentLog(
            board=self.board,
            desired_state=SimpleNamespace(source_findings={}),
            ledger=self.ledger,
            clock=SimpleNamespace(now=lambda: self.now),
        )
        self.ordered_at, self.told_over, self.sent = 0.0, {}, []

    def status(self):
        fields, runs = unit(self.how)
        seen = UnitStatus(**{name: getattr(runs, name) for name in runs.__struct_fields__} | fields)
        state = AppState.FAILING if fields else AppState.READY
        app = AppStatus(name="web", source="home", state=state, units=(seen,))
        self.board.apps["web"] = app
        return self.log.within(Status(running=True, version="1", apps=(app,)))

    def look(self):
        before = dict(self.ledger.incidents)
        self.status()
        self.log.follow(self.status, after=["resync"])
        for key, one in self.ledger.incidents.items():
            if key in before:
                assert one.opened_at == before[key].opened_at, "it goes on"
            elif one.opened_at != self.now:
                assert one.code is not IncidentCode.UNIT_PAUSED
                assert self.now - self.ordered_at < ORDER_SECONDS, "only an order interrupts"
                assert self.ordered_at > one.opened_at, "what goes on already"
            assert one.opened_at >= self.told_over.get(key, 0.0), "what was over is not since then"
        self.ring()

    def ring(self):
        self.ledger.outbox = box.noticed(
            self.ledger.outbox,
            self.settings,
            lasting=of_incidents(self.ledger.incidents),
            apps=["web"],
            is_whole=True,
            now=self.now,
        )
        due = box.due_at(self.ledger.outbox, self.settings, self.now)
        if due is None or due > self.now:
            return
        batch = box.batch(self.ledger.outbox, self.settings, self.now)
        self.ledger.outbox = box.sent(self.ledger.outbox, batch, title="t", now=self.now)
        for one in batch:
            if one.is_end:
                self.told_over[one.key] = self.now
            else:
                assert one.since >= self.told_over.get(one.key, 0.0)

    def do(self, step):
        if isinstance(step, int):
            self.now += step
        elif step.startswith("order"):
            app = "" if step == "order all" else "web"
            kind = EventKind.ORDERED
            self.ledger.logged.append(Event(kind=kind, code=kind, app=app, time=self.now))
            self.ordered_at = self.now
        else:
            self.how = step
        self.look()


@given(st.lists(STEPS, max_size=40), st.sampled_from([0, 30, 600]))
def test_what_was_told_to_be_over_is_new_when_it_comes_again(story, after):
    world = World(after)
    for step in story:
        world.do(step)


def test_what_an_order_brought_is_over_like_anything_else():
    world = World(30)
    for step in ("order", "down", 5, "well", 5):
        world.do(step)
    world.do("down")
    (one,) = world.ledger.incidents.values()
    assert one.opened_at == world.now


def test_what_an_order_interrupts_goes_on_unless_its_end_was_told():
    for seconds, goes_on in ((5, True), (599, False), (700, False)):
        world = World(30)
        for step in ("down", 100, "order", "well", seconds):
            world.do(step)
        began = world.now - 100 - seconds
        world.do("down")
        (one,) = world.ledger.incidents.values()
        assert one.opened_at == (began if goes_on else world.now)
