"""The user's systemd manager: states, jobs, unit files. The `Systemd` port.

One connection serves everything; it is made when it is first needed, and again after it was lost.
A systemd that has come to the bus anew (after `daemon-reexec`, or after the bus was restarted)
counts as a lost connection: what was asked of the one before may or may not still stand.
"""

import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from supervisor.adapters.systemd.bus import (
    Connection,
    Refused,
    connect,
    default_address,
    out_of_reach,
)
from supervisor.adapters.systemd.cgroups import Cgroups, manager_folder
from supervisor.adapters.systemd.health import CHECK_PATTERN, check_run
from supervisor.adapters.systemd.jobs import Jobs
from supervisor.adapters.systemd.journal import last_lines
from supervisor.adapters.systemd.names import (
    PEER,
    UNIT,
    owner_rule,
    typed_interface,
)
from supervisor.adapters.systemd.unit_reader import UnitReader
from supervisor.adapters.systemd.watch import UnitWatch
from supervisor.core.health.endings import exit_in_words
from supervisor.kit.clock import Clock, SystemClock
from supervisor.model.ending import Ending
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.health import CheckRun
from supervisor.model.log import LogLine
from supervisor.model.observed import JobFailed, UnitState
from supervisor.model.unit_name import pattern_of

_RELOAD_SECONDS = 300.0
_GRACE_SECONDS = 15.0
_LATELY_SECONDS = 600.0
_DONE = "done"
_NOT_INACTIVE = ["active", "reloading", "refreshing", "failed", "activating", "deactivating"]
_NOT_THERE = frozenset({"NoSuchUnit", "UnitNotFound", "FileNotFound"})


class SystemdManager:
    """Talks to `systemd --user`."""

    def __init__(
        self,
        *,
        address: str | None = None,
        owned_root: Path | None = None,
        user_units: Path | None = None,
        cgroup: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Keep the places; nothing is opened yet.

        `owned_root` is the folder below which unit files are podvisor's own, `user_units` the one
        that holds the links to them, `cgroup` that of `systemd --user`; all default to where they
        are for this user.
        """
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self._address = default_address() if address is None else address
        self._owned_root = owned_root or settings / "containers" / "systemd" / "podvisor"
        self._user_units = user_units or settings / "systemd" / "user"
        self._clock = clock or SystemClock()
        self._connecting = anyio.Lock()
        self._connection: Connection | None = None
        self._once_connected = False
        self._reader = UnitReader(self._call, owned_root=str(self._owned_root))
        self._units = UnitWatch(connect=self._connected, states=self._reader.states)
        self._cgroups = Cgroups(cgroup or manager_folder())
        self._jobs = Jobs()
        self._reloading = anyio.Lock()
        self._reloads_asked = 0
        self._reloads_done = 0

    def close(self) -> None:
        """Close the connection; it is opened again if anything is asked."""
        if self._connection:
            self._connection.close()
            self._connection = None

    async def units(
        self, names: Collection[str], *, details: Collection[str] = ()
    ) -> dict[str, UnitState]:
        """States of these units in one call; `details` of them with the further properties."""
        states = await self._reader.read(names, details)
        self._units.note_read(states.values())
        running = [one.name for one in states.values() if one.is_up]
        kernel = await self._cgroups.read([name for name in running if name.endswith(".service")])
        for name in kernel.paused | kernel.ending:
            states[name] = msgspec.structs.replace(
                states[name],
                paused=name in kernel.paused,
                frozen=name in kernel.frozen,
                ending=name in kernel.ending,
            )
        return states

    async def instances(self, templates: Collection[str]) -> dict[str, str]:
        """Instances of these templates that are anything but inactive, in one call."""
        patterns = [pattern_of(one) for one in templates]
        try:
            (rows,) = await self._call("ListUnitsByPatterns", "asas", [_NOT_INACTIVE, patterns])
        except Refused as error:
            raise Retry(f"cannot read which instances there are: {error}") from error
        return {row[0]: row[3] for row in rows}

    async def health_checks(self, *, troubled: bool = False) -> dict[str, CheckRun]:
        """Ask how the containers' health checks ended last, by container id, in one call.

        With `troubled`, only those that failed or run just now: the call then costs the same
        however many containers there are. From Podman 6 on no check is left as failed.
        """
        states = ["failed", "active", "activating"] if troubled else []
        try:
            (rows,) = await self._call("ListUnitsByPatterns", "asas", [states, [CHECK_PATTERN]])
        except Refused as error:
            raise Retry(f"cannot read the state of health checks: {error}") from error
        return dict(filter(None, (check_run(row[0], row[3]) for row in rows)))

    async def memory(self, units: Collection[str]) -> dict[str, int]:
        """Bytes that services take, of those that run and of which the kernel tells."""
        return self._cgroups.memory([name for name in units if name.endswith(".service")])

    async def log(self, unit: str, *, limit: int) -> Sequence[LogLine]:
        """Newest lines of a unit in the journal, the oldest first. Raises Retry without one."""
        from supervisor.adapters.systemd.unit_log import unit_log  # noqa: PLC0415  # seldom asked

        return await unit_log(unit, limit=limit)

    async def last_words(self, unit: str, *, runs: bool = False) -> Ending:
        """Return how the unit ended lately, and what it said last; empty if nobody knows.

        It may run again, if it `runs`.
        """
        since = self._clock.now() - _LATELY_SECONDS
        if runs:
            return await last_lines(unit, since=since, patient=False, ended=True)
        return await self._ending(unit, since=since, patient=False)

    async def start(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a start job and wait for its end; None if it went well."""
        return await self._job("StartUnit", unit, timeout_seconds)

    async def stop(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a stop job and wait for its end; a unit that is not loaded is stopped."""
        return await self._job("StopUnit", unit, timeout_seconds)

    async def restart(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a restart job and wait for its end."""
        return await self._job("RestartUnit", unit, timeout_seconds)

    async def reload_unit(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a reload job (ExecReload=) for a running unit and wait for its end."""
        return await self._job("ReloadUnit", unit, timeout_seconds)

    async def run_once(
        self, name: str, *, command: Sequence[str], folder: str, timeout_seconds: float
    ) -> JobFailed | None:
        """Run a command as a transient oneshot unit and wait for its end."""
        from dbus_fast import Variant  # noqa: PLC0415

        properties = [
            ["Description", Variant("s", " ".join(command[:3]))],
            ["Type", Variant("s", "oneshot")],
            ["ExecStart", Variant("a(sasb)", [[command[0], list(command), False]])],
            ["TimeoutStartUSec", Variant("t", int(timeout_seconds * 1_000_000))],
            ["CollectMode", Variant("s", "inactive-or-failed")],
        ]
        if folder:
            properties.append(["WorkingDirectory", Variant("s", folder)])
        return await self._job(
            "StartTransientUnit",
            name,
            timeout_seconds + _GRACE_SECONDS,
            signature="ssa(sv)a(sa(sv))",
            body=[name, "replace", properties, []],
        )

    async def reload(self) -> None:
        """daemon-reload. Of several that wait, one does it for all."""
        self._reloads_asked += 1
        mine = self._reloads_asked
        async with self._reloading:
            if self._reloads_done >= mine:
                return  # one that began after this was asked has ended
            covers = self._reloads_asked
            try:
                await self._call("Reload", timeout_seconds=_RELOAD_SECONDS)
            except Refused as error:
                raise Retry(f"cannot reload systemd: {error}") from error
            self._reloads_done = covers

    async def reset_failed(self, unit: str) -> None:
        """Forget a unit's failure and its start-limit counter; no error if it is not loaded."""
        try:
            await self._call("ResetFailedUnit", "s", [unit])
        except Refused as error:
            if error.name not in _NOT_THERE:
                raise Retry(f"cannot reset {unit}: {error}") from error

    async def enable(self, path: str, *, install: bool) -> None:
        """Link a unit file, and enable it if it has an `[Install]`.

        Raises Stalled if something that is not podvisor's is in the way.
        """
        member = "EnableUnitFiles" if install else "LinkUnitFiles"
        name = Path(path).name
        try:
            await self._call(member, "asbb", [[path], False, self._is_own_link(name)])
        except Refused as error:
            if error.name in _NOT_THERE:
                raise Retry(f"cannot enable {name}: {error}") from error
            raise Stalled(
                f"cannot enable {name}: {error}",
                hint=f"it is not podvisor's: move it away from {self._user_units}",
            ) from error

    async def disable(self, unit: str) -> None:
        """Remove all links of a unit file."""
        try:
            await self._call("DisableUnitFiles", "asb", [[unit], False])
        except Refused as error:
            if error.name not in _NOT_THERE:
                raise Retry(f"cannot disable {unit}: {error}") from error

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Names of watched units whose state changed; the empty name is everything (bus lost)."""
        async with self._units.watch() as changes, self._cgroups.watch(self._units.tell):
            yield changes

    async def watch_units(self, names: Collection[str]) -> None:
        """Set the units that `watch` tells of."""
        self._units.set_names(names)

    def _is_own_link(self, name: str) -> bool:
        """Whether what stands in the user's unit folder is a link to a file of ours."""
        try:
            target = str((self._user_units / name).readlink())
        except OSError:
            return False
        roots = {str(self._owned_root), os.path.realpath(self._owned_root)}
        return any(target.startswith(f"{root}/") for root in roots)

    async def _job(
        self,
        member: str,
        unit: str,
        timeout_seconds: float,
        *,
        signature: str = "ss",
        body: Sequence[Any] = (),
    ) -> JobFailed | None:
        """Ask for a job and wait until systemd has removed it.

        Raises Retry if it has not ended in time; systemd goes on with it.
        """
        began = self._clock.now()
        verb = {"StopUnit": "stop", "ReloadUnit": "reload"}.get(member, "start")
        connection = await self._connected()

        async def ask() -> str:
            (path,) = await connection.call(member, signature, body or [unit, "replace"])
            return str(path)

        try:
            result = await self._jobs.run(ask, connection, timeout_seconds=timeout_seconds)
        except Refused as error:
            if member == "StopUnit" and error.name in _NOT_THERE:
                return None
            return JobFailed(unit=unit, result="refused", detail=str(error))
        if result == _DONE:
            return None
        if result:
            # The journal's clock and this one are the same; a second earlier costs nothing.
            # What was not begun says nothing: whoever looks for what it needs must not be late.
            patient = result != "dependency"
            ending = await self._ending(unit, since=began - 1, patient=patient)
            return JobFailed(unit=unit, result=result, detail=str(ending))
        if connection.lost:
            raise out_of_reach(
                f"cannot {verb} {unit}: the connection to the user bus was lost meanwhile"
            )
        raise Retry(
            f"cannot {verb} {unit} yet: its job has not ended after {timeout_seconds:g} s;"
            " systemd goes on with it"
        )

    async def _ending(self, unit: str, *, since: float, patient: bool) -> Ending:
        """Read it from the journal, or, if that cannot be read, what systemd knows by itself."""
        ending = await last_lines(unit, since=since, patient=patient)
        if str(ending) and not ending.has_gap:
            return ending
        try:
            service = await self._reader.properties(unit, typed_interface(unit) or UNIT)
        except (Refused, Failure):
            return ending
        result = str(service.get("Result", ""))
        code, status = service.get("ExecMainCode", 0), service.get("ExecMainStatus", 0)
        how = ending.how or exit_in_words(result, code, status)
        return msgspec.structs.replace(ending, how=how) if str(ending) else Ending(how=how)

    async def _call(
        self, member: str, signature: str = "", body: Sequence[Any] = (), **options: Any
    ) -> list[Any]:
        connection = await self._connected()
        return await connection.call(member, signature, body, **options)

    async def _connected(self) -> Connection:
        """Return the connection, a new one if there is none or it is lost."""
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                try:
                    self._connection = await self._open()
                except Stalled as error:
                    if self._once_connected:  # it was there: it is being restarted
                        raise out_of_reach(str(error)) from error
                    raise
                self._once_connected = True
            return self._connection

    async def _open(self) -> Connection:
        connection = await connect(self._address, self._on_signal)
        connection.post_rule("AddMatch", owner_rule())
        try:
            # A bus that has just been started is there before systemd is on it.
            await connection.call("Ping", interface=PEER)
        except BaseException as error:
            connection.close()
            if isinstance(error, Refused):
                raise out_of_reach(f"cannot reach systemd: {error}") from error
            raise

        def on_lost() -> None:
            self._jobs.on_lost(connection)
            self._units.on_lost()

        connection.when_lost(on_lost)
        return connection

    def _on_signal(self, member: str, path: str, body: list[Any]) -> None:
        if member == "PropertiesChanged":
            self._units.on_properties(path, body)
        elif member == "UnitNew":
            self._units.on_new(body[0])
        elif member == "JobRemoved":
            _, job, _, result = body
            self._jobs.on_removed(job, result)
        elif member == "NameOwnerChanged" and body[2] and self._connection:
            self._connection.close()
