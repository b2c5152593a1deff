"""The Systemd port over the wire, against a bus of our own."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint
from dbus_fast import Message, MessageType, Variant
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.adapters.systemd.names import can_be_loaded, unit_path
from supervisor.model.errors import Retry, Stalled
from supervisor.model.health import CheckRun
from tests.fakes.bus import BusError, FakeBus


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[FakeBus]:
    bus = FakeBus(tmp_path / "bus")
    await bus.serve()
    yield bus
    await bus.die()


@pytest.fixture
async def manager(bus: FakeBus, tmp_path: Path) -> AsyncIterator[SystemdManager]:
    manager = SystemdManager(
        address=bus.address, owned_root=tmp_path / "owned", user_units=tmp_path / "units"
    )
    yield manager
    manager.close()
    await settled()


async def test_health_checks_by_container(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {
        f"{'a' * 64}-2867c5b999e45c47.service": ("failed", "failed"),
        f"{'b' * 64}-140de54eccb5f57.service": ("inactive", "dead"),
        f"{'c' * 64}-startup-39028fdc779cace.service": ("active", "running"),
        f"{'d' * 64}-140de54eccb5f57.timer": ("active", "waiting"),
        f"{'x' * 64}-1.service": ("failed", "failed"),
        "web.service": ("failed", "failed"),
    }
    failed, waiting, running = CheckRun.FAILED, CheckRun.WAITING, CheckRun.RUNNING
    assert await manager.health_checks() == {
        "a" * 64: failed,
        "b" * 64: waiting,
        "c" * 64: running,
    }
    assert await manager.health_checks(troubled=True) == {"a" * 64: failed, "c" * 64: running}
    assert len(bus.asked("ListUnitsByPatterns")) == 2


class Seen:
    """Collects what a watch tells."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._more = anyio.Event()

    async def collect(self, stream: AsyncIterator[str]) -> None:
        async for name in stream:
            self.names.append(name)
            self._more.set()

    async def take(self) -> list[str]:
        with anyio.fail_after(60):
            await self._more.wait()
        await settled()
        self._more = anyio.Event()
        taken, self.names = self.names, []
        return taken


async def settled() -> None:
    """Bus and client share the loop: however slow the machine, these turns are theirs."""
    await anyio.sleep(0.03)
    for _ in range(100):
        await checkpoint()


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not true():  # noqa: ASYNC110 - the fake has nothing to wait for
            await anyio.sleep(0.01)


async def test_states_are_asked_for_in_one_call(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("active", "running")}
    found = await manager.units(["a.service", "b.service", "t@.service", "no type", "../x.service"])
    assert (found["a.service"].load, found["a.service"].active) == ("loaded", "active")
    assert found["b.service"].load == "not-found"
    assert found["t@.service"].load == "not-found"
    assert list(found) == ["a.service", "b.service", "t@.service", "no type", "../x.service"]
    assert bus.asked("ListUnitsByNames") == [[["a.service", "b.service"]]]
    assert bus.asked("GetAll") == []


async def test_details_only_of_what_is_named(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("failed", "failed"), "b.service": ("active", "running")}
    bus.properties[unit_path("a.service")] = {
        "Result": Variant("s", "exit-code"),
        "FragmentPath": Variant("s", "/run/generator/a.service"),
        "SourcePath": Variant("s", "/home/pi/a.container"),
        "NeedDaemonReload": Variant("b", value=True),
        "InactiveExitTimestampMonotonic": Variant("t", 5),
        "ActiveEnterTimestamp": Variant("t", 7_000_000),
        "NRestarts": Variant("u", 3),
    }
    found = await manager.units(["a.service", "b.service"], details=["a.service"])
    a = found["a.service"]
    assert (a.result, a.path) == ("exit-code", "/home/pi/a.container")
    assert a.needs_reload
    assert a.ever_started
    assert (a.active_since, a.restarts) == (7.0, 3)
    assert len(bus.asked("GetAll")) == 1


async def test_drop_ins_that_somebody_laid_over_a_unit(
    bus: FakeBus, manager: SystemdManager, tmp_path: Path
) -> None:
    own = tmp_path / "owned/web/a.service.d/10.conf"
    link = tmp_path / "units/a.service.d/podvisor-web-10.12345678.conf"
    for folder in (own.parent, link.parent):
        folder.mkdir(parents=True)
    own.touch()
    link.symlink_to(own)
    theirs = [str(link.with_name("override.conf")), "/etc/systemd/user/service.d/10-all.conf"]
    system = "/usr/lib/systemd/user/service.d/10-distribution.conf"
    generated = "/run/user/1000/systemd/generator/a.service.d/10.conf"
    bus.units = {"a.service": ("failed", "failed")}
    bus.properties[unit_path("a.service")] = {
        "DropInPaths": Variant("as", [system, generated, str(link), *theirs])
    }
    found = await manager.units(["a.service"], details=["a.service"])
    assert found["a.service"].drop_ins == tuple(theirs)


@pytest.mark.parametrize(("code", "status"), [(0, None), (1, 0), (2, None)])
async def test_with_which_status_a_unit_has_ended(
    bus: FakeBus, manager: SystemdManager, code: int, status: int | None
) -> None:
    """By ExecMainCode=: none has run, it has exited, it was killed."""
    bus.units = {"a.service": ("inactive", "dead")}
    bus.properties[unit_path("a.service")] = {
        "ExecMainCode": Variant("i", code),
        "ExecMainStatus": Variant("i", 0),
    }
    found = await manager.units(["a.service"], details=["a.service"])
    assert found["a.service"].exit_status == status


async def test_nothing_is_asked_for_nothing(bus: FakeBus, manager: SystemdManager) -> None:
    assert await manager.units([]) == {}
    assert bus.calls == []


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
async def test_a_job_that_ends_well(bus: FakeBus, manager: SystemdManager, verb: str) -> None:
    bus.units = {"a.service": ("inactive", "dead")}
    assert await getattr(manager, verb)("a.service", timeout_seconds=30) is None
    assert bus.calls == [(f"{verb.capitalize()}Unit", ["a.service", "replace"])]
    await settled()
    assert not any("JobRemoved" in rule for rule in bus.rules), "only while there is one"


async def test_a_reload_of_a_unit_is_a_job_too(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("active", "running")}
    assert await manager.reload_unit("a.service", timeout_seconds=30) is None
    assert bus.calls == [("ReloadUnit", ["a.service", "replace"])]
    bus.results["a.service"] = ""
    with pytest.raises(Retry, match=r"cannot reload a\.service yet"):
        await manager.reload_unit("a.service", timeout_seconds=0.05)


async def test_the_end_may_be_told_before_the_job(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("inactive", "dead")}
    bus.early_signals = True
    assert await manager.start("a.service", timeout_seconds=30) is None


async def test_a_job_that_fails_says_why(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"podvisor-test-no-such.service": ("inactive", "dead")}
    bus.results["podvisor-test-no-such.service"] = "failed"
    bus.properties[unit_path("podvisor-test-no-such.service")] = {
        "Result": Variant("s", "exit-code"),
        "ExecMainCode": Variant("i", 1),
        "ExecMainStatus": Variant("i", 7),
    }
    failed = await manager.start("podvisor-test-no-such.service", timeout_seconds=30)
    assert failed is not None
    assert (failed.result, failed.detail) == ("failed", "exit status 7")


async def test_a_job_that_does_not_end_is_left_to_systemd(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = {"a.service": ("inactive", "dead")}
    bus.results["a.service"] = ""
    with pytest.raises(
        Retry, match=r"cannot start a\.service yet: its job has not ended after 0.05"
    ):
        await manager.start("a.service", timeout_seconds=0.05)


async def test_jobs_do_not_mistake_each_other(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("inactive", "dead"), "b.service": ("inactive", "dead")}
    bus.results["b.service"] = "timeout"
    ends: dict[str, str] = {}

    async def start(name: str) -> None:
        failed = await manager.start(name, timeout_seconds=30)
        ends[name] = failed.result if failed else "done"

    async with anyio.create_task_group() as tasks:
        for name in bus.units:
            tasks.start_soon(start, name)
    assert ends == {"a.service": "done", "b.service": "timeout"}


async def test_a_unit_that_is_not_there(bus: FakeBus, manager: SystemdManager) -> None:
    failed = await manager.start("a.service", timeout_seconds=30)
    assert failed is not None
    assert (failed.result, failed.detail) == ("refused", "Unit a.service not found.")
    assert await manager.stop("a.service", timeout_seconds=30) is None
    bus.errors["ResetFailedUnit"] = BusError("NoSuchUnit", "not loaded")
    await manager.reset_failed("a.service")


async def test_a_command_runs_as_a_transient_unit(bus: FakeBus, manager: SystemdManager) -> None:
    assert (
        await manager.run_once(
            "podvisor-a.service", command=["/bin/x", "a b"], folder="/srv", timeout_seconds=30
        )
        is None
    )
    ((name, mode, properties, _),) = bus.asked("StartTransientUnit")
    values = {key: variant.value for key, variant in properties}
    assert (name, mode) == ("podvisor-a.service", "replace")
    assert values["ExecStart"] == [("/bin/x", ["/bin/x", "a b"], False)]
    assert values["WorkingDirectory"] == "/srv"
    assert values["TimeoutStartUSec"] == 30_000_000
    assert values["Type"] == "oneshot"


async def test_reloads_that_wait_are_one(bus: FakeBus, manager: SystemdManager) -> None:
    bus.reload_gate = gate = asyncio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager.reload)
        await settled()
        for _ in range(5):
            tasks.start_soon(manager.reload)
        await settled()
        gate.set()
    assert len(bus.asked("Reload")) == 2, "the first, and one for those that came while it ran"


async def test_enabling_forces_only_our_own_links(
    bus: FakeBus, manager: SystemdManager, tmp_path: Path
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    (units / "ours.timer").symlink_to(tmp_path / "owned" / "old" / "ours.timer")
    (units / "theirs.timer").symlink_to("/elsewhere/theirs.timer")
    for name in ("new.timer", "ours.timer", "theirs.timer"):
        await manager.enable(f"/owned/app/{name}", install=name != "new.timer")
    assert bus.asked("LinkUnitFiles") == [[["/owned/app/new.timer"], False, False]]
    assert bus.asked("EnableUnitFiles") == [
        [["/owned/app/ours.timer"], False, True],
        [["/owned/app/theirs.timer"], False, False],
    ]
    bus.errors["EnableUnitFiles"] = BusError("UnitExists", "File exists")
    with pytest.raises(Stalled, match=r"cannot enable theirs\.timer: File exists") as caught:
        await manager.enable("/owned/app/theirs.timer", install=True)
    assert "move it away" in caught.value.hint


async def test_disabling_what_is_not_there_is_well(bus: FakeBus, manager: SystemdManager) -> None:
    await manager.disable("a.timer")
    bus.errors["DisableUnitFiles"] = BusError("NoSuchUnit", "gone")
    await manager.disable("a.timer")
    bus.errors["DisableUnitFiles"] = BusError("Other", "no room")
    with pytest.raises(Retry, match=r"cannot disable a\.timer: no room"):
        await manager.disable("a.timer")


async def test_without_a_bus_a_person_is_told(tmp_path: Path) -> None:
    for address in ("", f"unix:path={tmp_path}/none"):
        manager = SystemdManager(address=address)
        with pytest.raises(Stalled, match="cannot reach the user bus") as caught:
            await manager.units(["a.service"])
        assert "loginctl enable-linger" in caught.value.hint
        with pytest.raises(Stalled):
            async with manager.watch():
                pass


async def test_a_lost_bus_is_tried_again(bus: FakeBus, manager: SystemdManager) -> None:
    await manager.units(["a.service"])
    await bus.die()
    with pytest.raises(Retry, match="cannot reach the user bus"):
        await manager.units(["a.service"])
    await bus.serve()
    assert await manager.units(["a.service"])


async def test_a_bus_that_is_lost_under_a_job(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("inactive", "dead")}
    bus.results["a.service"] = ""

    async def start() -> None:
        with pytest.raises(Retry, match="lost meanwhile"):
            await manager.start("a.service", timeout_seconds=30)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            while not bus.asked("StartUnit"):  # noqa: ASYNC110  # the bus is a fake
                await anyio.sleep(0.01)
            await settled()
            await bus.die()


async def test_a_socket_that_breaks_under_a_message_is_told_once(
    bus: FakeBus, manager: SystemdManager, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.units(["a.service"])
    bus.hang_up()
    with pytest.raises(Retry, match="cannot reach systemd"):
        await manager.units(["a.service"])
    gc.collect()
    assert caplog.records == []  # asyncio complains of errors that nobody has looked at
    assert await manager.units(["a.service"])
    gc.collect()  # what the connection that is gone still held
    assert caplog.records == []


async def test_the_watch_tells_of_changes_of_named_units_only(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = dict.fromkeys(("a.service", "b.service", "c.service"), ("active", "running"))
    await manager.units(bus.units)
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(["a.service", "b.service", "t@.service"])
        await settled()
        assert bus.refs == {"a.service", "b.service"}
        bus.change("c.service", "failed", "failed")
        bus.touch("a.service")
        bus.change("a.service", "active", "running")
        bus.change("b.service", "failed", "failed")
        assert await seen.take() == ["b.service"]
        bus.change("b.service", "failed", "failed")
        bus.change("a.service", "active", "exited")
        assert await seen.take() == ["a.service"]
        asked = len(bus.calls)
        await manager.watch_units(["t@.service", "b.service", "a.service"])
        await settled()
        assert len(bus.calls) == asked, "the same set again costs nothing"
        await manager.units(["c.service"])
        bus.units["c.service"] = ("active", "running")
        await manager.watch_units(["b.service", "c.service"])
        assert await seen.take() == ["c.service"], "it was started since it was read"
        assert bus.refs == {"b.service", "c.service"}
        bus.change("a.service", "active", "running")
        bus.change("c.service", "failed", "failed")
        assert await seen.take() == ["c.service"]
        tasks.cancel_scope.cancel()
    await settled()
    assert bus.rules == []
    assert bus.refs == set()
    assert bus.asked("Subscribe") == []


async def test_others_who_subscribe_to_everything_are_not_noticed(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.subscribed = True
    bus.units = {"a.service": ("active", "running"), "b.service": ("active", "running")}
    async with manager.watch():
        await manager.watch_units(["a.service"])
        await settled()
        got: list[Message] = []
        manager._connection._bus.add_message_handler(got.append)
        bus.change("b.service", "failed", "failed")
        bus.end_job(7, "b.service", "done")
        bus.change("a.service", "failed", "failed")
        await settled()
        signals = [one.member for one in got if one.message_type is MessageType.SIGNAL]
        assert signals == ["PropertiesChanged"]


async def test_what_changes_between_a_pass_and_the_watch_is_told(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = {"a.service": ("active", "running"), "b.service": ("inactive", "dead")}
    await manager.units(["a.service", "b.service"])
    bus.units["a.service"] = ("failed", "failed")
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(["a.service", "b.service"])
        assert await seen.take() == ["a.service"]
        tasks.cancel_scope.cancel()


async def test_a_unit_that_was_read_differently_is_told(
    bus: FakeBus, manager: SystemdManager
) -> None:
    """Which of the readings the pass went by is not known."""
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        for state in (("active", "running"), ("failed", "failed"), ("active", "running")):
            bus.units["a.service"] = state
            await manager.units(["a.service"])
        await manager.watch_units(["a.service"])
        assert await seen.take() == ["a.service"]
        tasks.cancel_scope.cancel()


async def test_what_changes_during_a_reload_is_told(bus: FakeBus, manager: SystemdManager) -> None:
    bus.units = {"a.service": ("active", "running"), "b.service": ("active", "running")}
    await manager.units(bus.units)
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(bus.units)
        await settled()
        asked = len(bus.asked("ListUnitsByNames"))
        bus.reload({"b.service": ("inactive", "dead")})
        assert await seen.take() == ["b.service"]
        assert len(bus.asked("ListUnitsByNames")) == asked + 1, "one question for all of them"
        tasks.cancel_scope.cancel()


async def test_a_signal_that_overtakes_an_answer_is_not_undone_by_it(
    bus: FakeBus, manager: SystemdManager
) -> None:
    """Both are in the socket when it is read: the signal is taken in before the answer is."""
    bus.units = {"a.service": ("active", "running")}
    await manager.units(bus.units)
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(bus.units)
        await settled()
        bus.after_states = lambda: bus.change("a.service", "failed", "failed")
        bus.reload()
        assert await seen.take() == ["a.service"]
        bus.change("a.service", "active", "running")
        assert await seen.take() == ["a.service"], "what the answer said is not how it was"
        tasks.cancel_scope.cancel()


async def test_what_cannot_be_read_at_once_is_read_later(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = {"a.service": ("active", "running")}
    await manager.units(bus.units)
    bus.units["a.service"] = ("failed", "failed")
    bus.errors["ListUnitsByNames"] = BusError("Other", "not now")
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(["a.service"])
        await settled()
        del bus.errors["ListUnitsByNames"]
        assert await seen.take() == ["a.service"]
        tasks.cancel_scope.cancel()


async def test_after_the_bus_was_lost_everything_is_read_anew(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = {"a.service": ("active", "running")}
    await manager.units(bus.units)
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(["a.service"])
        await bus.die()
        await manager.watch_units(["a.service", "b.service"])
        bus.away = True
        await bus.serve()
        await settled()
        bus.come()
        assert await seen.take() == [""]
        assert bus.refs == {"a.service", "b.service"}
        bus.change("a.service", "failed", "failed")
        assert await seen.take() == ["a.service"]
        tasks.cancel_scope.cancel()


async def test_a_systemd_that_comes_to_the_bus_late_is_no_loss(
    bus: FakeBus, manager: SystemdManager
) -> None:
    """So it is when podvisor is the first to connect to a bus that is just being started."""
    bus.units = {"a.service": ("active", "running")}
    bus.before_ping = bus.come
    assert (await manager.units(["a.service"]))["a.service"].active == "active"
    connection = manager._connection
    await settled()
    assert connection is manager._connection
    assert not connection.lost


async def test_after_systemd_was_executed_anew_everything_is_read_anew(
    bus: FakeBus, manager: SystemdManager
) -> None:
    bus.units = {"a.service": ("active", "running")}
    await manager.units(bus.units)
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.watch_units(["a.service"])
        await settled()
        bus.leave()
        await settled()
        with pytest.raises(Retry, match="cannot reach systemd"):
            await manager.start("a.service", timeout_seconds=5)
        bus.change("a.service", "failed", "failed")
        bus.come()
        assert await seen.take() == [""]
        bus.change("a.service", "active", "running")
        assert await seen.take() == ["a.service"]
        tasks.cancel_scope.cancel()


@pytest.mark.once
async def test_five_hundred_units_do_not_choke_the_bus(
    bus: FakeBus, manager: SystemdManager
) -> None:
    names = [f"u{number}.service" for number in range(500)]
    bus.units = dict.fromkeys(names, ("active", "running"))
    seen = Seen()
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, stream)
        await manager.units(names, details=names)
        await manager.watch_units(names)
        await until(lambda: bus.refs == set(names))
        for name in names:
            bus.change(name, "failed", "failed")
        await until(lambda: seen.names == names)
        await manager.watch_units(names[:1])
        await until(lambda: bus.refs == set(names[:1]))
        tasks.cancel_scope.cancel()


def test_names_on_the_bus() -> None:
    base = "/org/freedesktop/systemd1/unit/"
    assert unit_path("web.service") == f"{base}web_2eservice"
    assert unit_path("7-x@a\\x2d.service") == f"{base}_37_2dx_40a_5cx2d_2eservice"


@given(st.text("abzAZ019.-@\\_:", min_size=1))
def test_names_on_the_bus_can_be_told_apart(name: str) -> None:
    path = unit_path(name).rpartition("/")[2]
    assert path.isascii()
    back, rest = "", path
    while rest:
        if rest[0] == "_":
            back, rest = back + chr(int(rest[1:3], 16)), rest[3:]
        else:
            back, rest = back + rest[0], rest[1:]
    assert back == name


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("a.service", True),
        ("a@b.timer", True),
        ("a@.service", False),
        ("a", False),
        ("a b.service", False),
        ("a'b.service", False),
        ("x" * 260 + ".service", False),
    ],
)
def test_names_that_can_be_loaded(name: str, *, can: bool) -> None:
    assert can_be_loaded(name) is can
