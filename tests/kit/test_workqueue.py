"""The queue's promises, in virtual time."""

import asyncio
import itertools
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from supervisor.kit import alarm
from supervisor.kit.alarm import next_multiple
from supervisor.kit.workqueue import WorkQueue
from tests.examples import scaled
from tests.fakes.virtual_time import VIRTUAL_TIME, VirtualLoop


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


pytestmark = pytest.mark.anyio


async def test_a_key_waits_only_once():
    queue = WorkQueue()
    queue.add("a", "b")
    queue.add("a")
    assert await queue.take() == ("a", "b")


async def test_a_key_named_while_it_runs_runs_once_more_after():
    queue = WorkQueue()
    queue.add("a")
    keys = await queue.take()
    for _ in range(10):
        queue.add("a")
    queue.add("b")
    assert await queue.take() == ("b",), "not at the same time as its own pass"
    queue.done(keys)
    assert await queue.take() == ("a",)
    queue.done(["a", "b"])
    await queue.wait_idle()


async def test_keys_may_be_taken_along_unless_they_run():
    queue = WorkQueue()
    queue.add("a")
    first = await queue.take()
    queue.add("b")
    queue.add_in("c", 10)
    second = await queue.take()
    assert queue.take_along(["a", "c"]) == ("c",)
    assert queue.due_in("c") is None
    queue.done([*second, "c"])
    assert not queue.is_busy(lambda key: key in {"b", "c"})
    queue.done(first)
    assert await queue.take() == ("a",), "once more after"


async def test_who_does_not_mind_bursts_need_not_wait_for_a_storm_to_end():
    queue = WorkQueue()
    queue.add_debounced("a")
    keys = await queue.take()
    queue.add_debounced("a")
    queue.done(keys)
    await queue.wait_idle(bursts=False)
    assert queue.is_busy()
    await queue.wait_idle(lambda key: key == "b")


async def test_the_nearest_time_counts():
    queue = WorkQueue()
    queue.add_in("a", 50)
    queue.add_in("a", 10)
    queue.add_in("a", 70)
    queue.add_in("b", 30)
    loop = asyncio.get_running_loop()
    assert (await queue.take(), round(loop.time())) == (("a",), 10)
    assert (await queue.take(), round(loop.time())) == (("b",), 30)
    assert queue.due_in("a") is None


async def test_naming_a_key_now_takes_its_alarm_away():
    queue = WorkQueue()
    queue.add_in("a", 10)
    queue.add("a")
    queue.done(await queue.take())
    queue.add_in("b", 60)
    assert await queue.take() == ("b",)


async def test_hurry_makes_ready_what_is_of_concern_and_due_later():
    queue = WorkQueue()
    queue.add_in("a", 50)
    queue.add_in("b", 60)
    queue.expedite(lambda key: key == "a")
    loop = asyncio.get_running_loop()
    assert (await queue.take(), loop.time()) == (("a",), 0)
    assert queue.due_in("a") is None
    assert (await queue.take(), round(loop.time())) == (("b",), 66)


async def test_time_in_which_the_clock_stood_still_counts():
    queue = WorkQueue()
    queue.add_in("a", 50)
    queue.add_in("b", 3_000, slack=0)
    queue.advance(1_000)
    loop = asyncio.get_running_loop()
    assert (await queue.take(), round(loop.time())) == (("a",), 0)
    assert (await queue.take(), round(loop.time())) == (("b",), 2_000)


async def test_rest_waits_for_what_runs_but_not_for_what_is_due_later():
    queue = WorkQueue()
    queue.add_in("late", 1_000)
    queue.add("a")
    keys = await queue.take()
    waiter = asyncio.ensure_future(queue.wait_idle())
    await asyncio.sleep(1)
    assert not waiter.done()
    queue.done(keys)
    await asyncio.wait_for(waiter, 1)
    await queue.wait_idle(lambda key: key == "b")


async def test_passed_waits_for_a_whole_pass_that_begins_after_the_call():
    queue = WorkQueue()
    queue.add("a")
    running = await queue.take()
    waiter = asyncio.ensure_future(queue.wait_for_pass(["a"]))
    await asyncio.sleep(1)
    queue.done(running)
    await asyncio.sleep(1)
    assert not waiter.done(), "that pass began before"
    keys = await queue.take()
    queue.add("a")
    queue.done(keys)
    await asyncio.wait_for(waiter, 1)
    assert await queue.take() == ("a",), "what is named meanwhile is not waited for"


async def test_passed_joins_a_pass_that_began_after_the_mark():
    queue = WorkQueue()
    mark = queue.generation()
    queue.add("a")
    running = await queue.take()
    waiter = asyncio.ensure_future(queue.wait_for_pass(["a"], since=mark))
    await asyncio.sleep(1)
    queue.done(running)
    await asyncio.wait_for(waiter, 1)
    await queue.wait_idle()


async def test_a_taker_that_is_cancelled_takes_nothing():
    queue = WorkQueue()
    taker = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    taker.cancel()
    queue.add("a")
    await asyncio.sleep(0)
    assert await queue.take() == ("a",)


async def test_what_may_come_now_goes_with_whatever_comes():
    queue = WorkQueue()
    queue.add_in("patient", 100, slack=50)
    queue.add_in("a", 110, slack=0)
    assert set(await queue.take()) == {"a", "patient"}
    assert asyncio.get_running_loop().time() == pytest.approx(110)


async def test_what_follows_a_rhythm_falls_together_whenever_it_ran_last():
    queue = WorkQueue()
    await asyncio.sleep(10)
    queue.add_by_rhythm("a", 300, slack=0)
    await asyncio.sleep(100)
    queue.add_by_rhythm("b", 300, slack=0)
    assert set(await queue.take()) == {"a", "b"}
    assert asyncio.get_running_loop().time() == pytest.approx(300)


async def test_what_is_seen_first_after_a_rest_is_ready_at_once():
    queue = WorkQueue()
    for _ in range(3):
        queue.add_debounced("a")
        before = asyncio.get_running_loop().time()
        queue.done(await queue.take())
        assert asyncio.get_running_loop().time() == before
        await asyncio.sleep(5)


async def test_what_is_seen_soon_after_waits_until_it_is_quiet():
    queue = WorkQueue()
    queue.add_debounced("a")
    queue.done(await queue.take())
    for _ in range(10):
        await asyncio.sleep(0.1)
        queue.add_debounced("a")
    assert queue.is_busy()
    assert await queue.take() == ("a",)
    assert asyncio.get_running_loop().time() == pytest.approx(1.25)


async def test_whoever_names_a_key_does_not_wait_for_a_burst_to_end():
    queue = WorkQueue()
    queue.add_debounced("a")
    queue.done(await queue.take())
    queue.add_debounced("a")
    asked = asyncio.ensure_future(queue.wait_for_pass(["a"]))
    await asyncio.sleep(0)
    queue.done(await queue.take())
    await asked
    assert asyncio.get_running_loop().time() == 0
    await queue.wait_idle()


def on_a_virtual_clock(work):
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@given(
    pauses=st.lists(st.sampled_from([0.01, 0.05, 0.24, 0.26, 0.3, 0.59, 0.61, 1.0]), min_size=1),
    takes=st.sampled_from([0.0, 0.1, 0.7, 3.0]),
)
@settings(max_examples=scaled(40))
@example(pauses=[0.01], takes=0.0)
@example(pauses=[0.26], takes=0.0)
@example(pauses=[0.61], takes=0.0)
def test_a_storm_of_ten_seconds_is_few_passes_and_the_last_word_is_heard(pauses, takes):
    async def storm():
        queue, loop, began = WorkQueue(), asyncio.get_running_loop(), []

        async def run():
            while True:
                keys = await queue.take()
                began.append(loop.time())
                await asyncio.sleep(takes)
                queue.done(keys)

        runner = asyncio.ensure_future(run())
        for pause in itertools.cycle(pauses):
            if loop.time() + pause > 10:
                break
            await asyncio.sleep(pause)
            queue.add_debounced("a")
        last = loop.time()
        await queue.wait_idle()
        runner.cancel()
        assert len(began) <= 20
        assert last <= began[-1] <= last + 2.01 + takes
        for first, second in itertools.pairwise(began):
            assert second - first > 0.55

    on_a_virtual_clock(storm())


class Queue(RuleBasedStateMachine):
    """A loop that takes keys, and everybody who names them: no promise is broken in any order."""

    keys = st.sampled_from("abcd")

    def __init__(self):
        super().__init__()
        self.loop = VirtualLoop()
        self.running = set()
        self.owed = {}
        """Key to the latest time at which its next pass begins."""
        self.later = {}
        """Key to the stretch in which it comes, if no pass begins before."""
        self.loop.run_until_complete(self.begin())

    async def begin(self):
        self.queue = WorkQueue()
        self.runner = asyncio.ensure_future(self.take_all())

    async def take_all(self):
        while True:
            for key in await self.queue.take():
                assert key not in self.running, "never twice at once"
                owed = self.owed.pop(key, None)
                later = self.later.pop(key, (math.inf, math.inf))
                assert owed is not None or later[0] <= self.loop.time() + 0.01, "nobody named it"
                self.running.add(key)

    def comes(self, key, earliest, latest):
        if latest < self.later.get(key, (math.inf, math.inf))[1]:
            self.later[key] = earliest, latest

    def do(self, act=lambda: None, *, seconds=0.0):
        async def work():
            act()
            await asyncio.sleep(seconds)

        self.loop.run_until_complete(work())
        if self.runner.done():
            self.runner.result()

    @rule(key=keys)
    def add(self, key):
        def act():
            self.owed[key] = self.loop.time()
            self.queue.add(key)

        self.do(act)

    @rule(key=keys, times=st.integers(1, 50))
    def notice(self, key, times):
        def act():
            self.owed.setdefault(key, self.loop.time() + 2)
            for _ in range(times):
                self.queue.add_debounced(key)

        self.do(act)

    @rule(key=keys, seconds=st.floats(0, 500), slack=st.sampled_from([0.0, 20.0, None]))
    def add_in(self, key, seconds, slack):
        def act():
            at = self.loop.time() + seconds
            more = alarm.slack(seconds) if slack is None else slack
            self.comes(key, at, at + more)
            self.queue.add_in(key, seconds, slack=slack)

        self.do(act)

    @rule(key=keys, period=st.sampled_from([60.0, 300.0]))
    def add_by_rhythm(self, key, period):
        def act():
            at = next_multiple(period, now=self.loop.time())
            self.comes(key, at, at + alarm.slack(period))
            self.queue.add_by_rhythm(key, period)

        self.do(act)

    @rule(key=keys)
    def hurry(self, key):
        def act():
            if key in self.later:
                self.owed[key] = self.loop.time()
            self.queue.expedite(lambda one: one == key)

        self.do(act)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data):
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(key)
        # What was owed while it ran could not be had.
        if key in self.owed:
            self.owed[key] = max(self.owed[key], self.loop.time())
        if key in self.later:
            earliest, latest = self.later[key]
            self.later[key] = earliest, max(latest, self.loop.time())
        self.do(lambda: self.queue.done([key]))

    @rule(seconds=st.floats(0, 400))
    def pass_time(self, seconds):
        self.do(seconds=seconds)

    @invariant()
    def nobody_is_forgotten(self):
        latest = {key: stretch[1] for key, stretch in self.later.items()} | self.owed
        for key, at in latest.items():
            assert key in self.running or self.loop.time() <= at + 0.01, f"{key} is late"

    @invariant()
    def nothing_piles_up(self):
        held = (value for value in vars(self.queue).values() if isinstance(value, dict | set))
        assert all(len(one) <= 4 for one in held)

    def teardown(self):
        self.runner.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


Queue.TestCase.settings = settings(max_examples=scaled(60), stateful_step_count=40)
TestQueue = Queue.TestCase
