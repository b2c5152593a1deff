"""Whatever happens, and whenever: each problem is told once, its end once if it was told itself."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.notify import outbox as box
from supervisor.core.notify.message import LONGEST_BODY, LONGEST_TITLE, message_of
from supervisor.model.notify import Lasts, News, Outbox
from supervisor.model.notify_settings import NotifyKind, NotifySettings
from supervisor.model.setting_types import Seconds

KEYS = st.sampled_from(["a", "b", "c"])
PROBLEM, DEPLOYED, RECOVERED = NotifyKind.PROBLEM, NotifyKind.DEPLOYED, NotifyKind.RECOVERED


@st.composite
def steps(draw):
    """One thing that happens to a notifier."""
    what = draw(
        st.sampled_from(
            ["open", "close", "happen", "wait", "ring", "ring", "fail", "restart", "back"]
        )
    )
    return what, draw(KEYS), draw(st.integers(0, 7_200))


def settings_of(after, digest, quiet):
    return NotifySettings(
        events=(PROBLEM, RECOVERED, DEPLOYED), after=Seconds(after), digest=digest, quiet=quiet
    )


class World:
    """A notifier, its service, and what is so."""

    def __init__(self, settings):
        self.settings = settings
        self.now = 1_800_000_000.0
        self.outbox = Outbox()
        self.open = {}
        self.number = 0
        self.sent = []
        self.happened = []

    def look(self, *happened, is_whole=True):
        self.outbox = box.noticed(
            self.outbox,
            self.settings,
            lasting=self.open,
            happened=happened,
            apps="abc",
            is_whole=is_whole,
            now=self.now,
        )

    def ring(self, *, fails=False):
        """As the alarm does, when something is due."""
        self.look()
        due = box.due_at(self.outbox, self.settings, self.now)
        if due is None or due > self.now:
            return
        batch = box.batch(self.outbox, self.settings, self.now)
        assert batch, "an alarm for nothing rings again at once, for ever"
        if fails:
            self.outbox = box.failed(self.outbox, "no route to host", "", self.now)
            return
        message = message_of(batch, host="pi")
        assert len(message.title) <= LONGEST_TITLE
        assert len(message.body) <= LONGEST_BODY
        for one in batch:
            if one.lasts is Lasts.OPEN:
                assert (one.key in self.open) != one.is_end, "what is over is not sent"
        self.sent.append(batch)
        self.outbox = box.sent(self.outbox, batch, title=message.title, now=self.now)
        self.look()

    def do(self, what, key, seconds):
        self.number += 1
        if what == "open" and key not in self.open:
            self.open = self.open | {key: news(key, PROBLEM, Lasts.OPEN, self.number)}
            self.look()
        elif what == "close":
            self.open = {one: it for one, it in self.open.items() if one != key}
            self.look()
        elif what == "happen":
            one = news(f"deployed {key}", DEPLOYED, Lasts.ONCE, self.number)
            self.happened.append(one)
            self.look(one)
        elif what == "wait":
            self.now += seconds
        elif what in ("ring", "fail"):
            self.ring(fails=what == "fail")
        elif what == "restart":
            self.outbox = msgspec.json.decode(msgspec.json.encode(self.outbox), type=Outbox)
            self.look(is_whole=False)
        elif what == "back":
            self.now -= seconds * 1_000


def news(key, kind, lasts, number):
    return News(key=key, kind=kind, lasts=lasts, app=key, text=f"{key} number {number}")


@given(
    st.lists(steps(), max_size=40),
    st.sampled_from([0, 30, 600]),
    st.sampled_from(["", "", "1h", "08:00", "Mon 08:00"]),
    st.sampled_from(["", "", "22:00..07:00", "Sat,Sun"]),
)
def test_once_each_in_turn_and_nothing_is_lost(story, after, digest, quiet):
    world = World(settings_of(after, digest, quiet))
    for step in story:
        world.do(*step)
    # In the end it rings whenever it is due.
    for _ in range(50):
        world.look()
        due = box.due_at(world.outbox, world.settings, world.now)
        if due is None:
            break
        assert due < world.now + 10 * 86_400, "it waits, but not for ever"
        world.now = max(due, world.now)
        world.ring()
    assert not world.outbox.waiting
    assert world.outbox.told.keys() == world.open.keys()
    for key in ("a", "b", "c"):
        said = [one.is_end for batch in world.sent for one in batch if one.key == key]
        # Beginning and end in turn, and the last of them is how it is.
        assert said == [bool(at % 2) for at in range(len(said))]
        assert (len(said) % 2 == 1) == (key in world.open)
        # Of what happened to an app, the last is told, once.
        mine = [one.text for one in world.happened if one.app == f"deployed {key}"]
        told = [one.text for batch in world.sent for one in batch if one.key == f"deployed {key}"]
        assert told == [text for text in mine if text in told]
        assert told[-1:] == mine[-1:]


@given(st.lists(st.tuples(KEYS, st.integers(0, 29)), min_size=2, max_size=6))
def test_what_comes_together_is_one_message(opened):
    world = World(settings_of(30, "", ""))
    begin = world.now
    for key, seconds in sorted(opened, key=lambda one: one[1]):
        world.now = begin + seconds
        world.do("open", key, 0)
    while (due := box.due_at(world.outbox, world.settings, world.now)) is not None:
        world.now = due
        world.ring()
    (batch,) = world.sent
    assert {one.key for one in batch} == {key for key, _ in opened}
    assert world.now <= begin + 60


def flap(world, bad, well, times):
    """It is so and is not so in turns, and each alarm rings when it is due."""
    for _ in range(times):
        world.do("restart", "a", 0)
        for what, seconds in (("open", bad), ("close", well)):
            world.do(what, "a", 0)
            until = world.now + seconds
            while (
                due := box.due_at(world.outbox, world.settings, world.now)
            ) is not None and due <= until:
                world.now = max(due, world.now)
                world.ring()
            world.now = until


def of(world):
    return [(one.is_end, bool(one.times)) for batch in world.sent for one in batch]


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 900)), min_size=1, max_size=30))
def test_what_comes_and_goes_is_told_ever_more_rarely(story):
    world = World(settings_of(10, "", ""))
    ends = []
    for bad, well in story:
        before = world.outbox.ended.get("a", ())
        flap(world, bad, well, 1)
        ends += [at for at in world.outbox.ended.get("a", ()) if at not in before]
    for at in range(3, len(ends)):
        if ends[at] - ends[at - 3] < box.HOUR:
            assert ends[at] - ends[at - 1] >= box.CALM
    flap(world, 0, 2 * box.CALM, 1)
    assert not world.outbox.waiting
    assert not world.outbox.told
    said = [is_end for is_end, _ in of(world)]
    assert said == [bool(at % 2) for at in range(len(said))]


def test_what_flaps_all_day_is_told_as_that_once_and_its_end_when_it_is_calm():
    world = World(settings_of(10, "", ""))
    flap(world, 25, 60, 1_000)
    assert of(world) == [(False, False), (True, False)] * 3 + [(False, True)]
    message = message_of(world.sent[-1], host="pi")
    assert message.title == "pi: a comes and goes, 4 times in the last hour"
    flap(world, 25, box.CALM + 60, 1)
    assert of(world)[7:] == [(True, False)]
    flap(world, 25, 4 * box.CALM, 2)
    assert of(world)[8:10] == [(False, False), (True, False)], "a day later it is told as ever"


def test_what_flaps_is_damped_also_for_who_asks_for_no_ends():
    settings = NotifySettings(events=(PROBLEM,), after=Seconds(10))
    world = World(settings)
    flap(world, 25, 60, 1_000)
    assert of(world) == [(False, False)] * 3 + [(False, True)]
    flap(world, 25, 2 * box.HOUR, 2)
    assert of(world)[4:] == [(False, False)]


HOSTILE = st.text(max_size=400) | st.sampled_from(
    ["@everyone", "<!channel>", "<script>alert(1)</script>", "\x1b[2J\x07", "\u202egnp", "# **x**"]
)


@given(
    st.lists(
        st.builds(
            News,
            key=st.uuids().map(str),
            kind=st.sampled_from(list(NotifyKind)),
            lasts=st.sampled_from(list(Lasts)),
            app=HOSTILE,
            text=HOSTILE,
            hint=HOSTILE,
            command=HOSTILE,
            log=st.lists(HOSTILE, max_size=12).map(tuple),
            is_end=st.booleans(),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_a_message_is_bounded_and_harmless_whatever_it_is_of(batch):
    message = message_of(batch, host="pi", left_out=3)
    assert len(message.title) <= LONGEST_TITLE
    assert len(message.body) <= LONGEST_BODY
    assert "\n" not in message.title
    for text in (message.title, message.body):
        assert text.replace("\n", "").isprintable() or "\N{WORD JOINER}" in text
        assert "@everyone" not in text
        assert "<!channel" not in text
    assert "more: podvisor status" in message.body
