"""States of units, as systemd says them on the bus. Serves `adapters.systemd.manager`."""

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.adapters.systemd.bus import Refused
from supervisor.adapters.systemd.names import (
    MANAGER,
    MANAGER_PATH,
    PROPERTIES,
    UNIT,
    can_be_loaded,
    typed_interface,
    unit_path,
)
from supervisor.adapters.systemd.values import seconds, unmet_condition
from supervisor.model.errors import Failure, Retry
from supervisor.model.observed import CONFLICT, UnitState

_LOOKED_AT_AT_ONCE = 50
"""Units; as many long answers may be there to be read in one turn of the event loop."""
_STARTS = ("start", "restart")
"""Jobs after which a unit runs."""
SHUTDOWN = "shutdown.target"
"""Whatever runs conflicts with it."""
_NOBODYS = ("/usr/lib/", "/usr/share/", "/lib/")
"""Where the system's own drop-ins are."""
_GENERATED = "/systemd/generator"
_STARTED_BY = ("WantedBy", "RequiredBy", "BoundBy", "UpheldBy")


class UnitReader(msgspec.Struct):
    """Reads over a connection that somebody else keeps."""

    call: Callable[..., Awaitable[list[Any]]]
    owned_root: str
    """Folder below which drop-ins are podvisor's own."""

    async def read(self, names: Collection[str], details: Collection[str]) -> dict[str, UnitState]:
        """States of these units in one call; `details` of them with the further properties."""
        states = await self.states(names)
        wanted = [name for name in details if can_be_loaded(name) and name in states]

        loaded_at = await self._loaded_at() if wanted else 0
        failures: list[Failure] = []

        async def look(name: str) -> None:
            try:
                states[name] = await self._with_details(states[name], loaded_at=loaded_at)
            except Failure as failure:  # raised below, not wrapped in a group
                failures.append(failure)

        for at in range(0, len(wanted), _LOOKED_AT_AT_ONCE):
            async with anyio.create_task_group() as tasks:
                for name in wanted[at : at + _LOOKED_AT_AT_ONCE]:
                    tasks.start_soon(look, name)
        if failures:
            raise failures[0]
        return states

    async def states(self, names: Collection[str]) -> dict[str, UnitState]:
        """How these units are, without further properties."""
        states = {name: UnitState(name=name) for name in names}
        loadable = [name for name in names if can_be_loaded(name)]
        if loadable:
            try:
                (rows,) = await self.call("ListUnitsByNames", "as", [loadable])
            except Refused as error:
                raise Retry(f"cannot read the units' states: {error}") from error
            # A row bears the unit's first name, which is another one where an alias was asked for.
            for name, row in zip(loadable, rows, strict=True):
                _, _, load, active, sub, _, _, _, job, _ = row
                states[name] = UnitState(name=name, load=load, active=active, sub=sub, job=job)
        return states

    async def _loaded_at(self) -> int:
        """When systemd loaded its units last, in µs of the monotonic clock; 0 if never again."""
        try:
            return int(await self._property(MANAGER_PATH, MANAGER, "UnitsLoadTimestampMonotonic"))
        except Refused as error:
            raise Retry(f"cannot read when systemd loaded its units: {error}") from error

    async def _with_details(self, state: UnitState, *, loaded_at: int) -> UnitState:
        interface = typed_interface(state.name)
        try:
            values = await self.properties(state.name, UNIT)
            result, restarts, exit_status = "success", 0, None
            if interface and state.load == "loaded":
                path = unit_path(state.name)
                result = str(await self._property(path, interface, "Result"))
                if state.name.endswith(".service"):
                    restarts = int(await self._property(path, interface, "NRestarts"))
                    if state.active == "inactive":
                        exit_status = await self._exit_status(path, interface)
        except Refused:
            return state  # it was unloaded in the meantime: what is known of it stands
        started_at = int(values.get("InactiveExitTimestampMonotonic", 0))
        unmet, tested_at = unmet_condition(values, result=result)
        if state.active == "inactive" and (other := await self._conflicting(values)):
            unmet, tested_at = f"{CONFLICT}{other}", seconds(values, "InactiveEnterTimestamp")
        return replace(
            state,
            result=result,
            path=str(values.get("SourcePath") or values.get("FragmentPath") or ""),
            needs_reload=bool(values.get("NeedDaemonReload", False)),
            ever_started=bool(started_at),
            active_since=seconds(values, "ActiveEnterTimestamp"),
            restarts=restarts,
            exit_status=exit_status,
            failed_at=seconds(values, "InactiveEnterTimestamp")
            if state.active == "failed"
            else 0.0,
            unmet=unmet if state.active == "inactive" and not state.job else "",
            tested_at=tested_at if unmet else 0.0,
            drop_ins=self._drop_ins(values),
            before_load=started_at < loaded_at,
            wanted_by=tuple(name for key in _STARTED_BY for name in values.get(key, ())),
        )

    def _drop_ins(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return those that somebody laid over the unit by hand."""
        own = os.path.realpath(self.owned_root)
        return tuple(
            path
            for path in values.get("DropInPaths", ())
            if not path.startswith(_NOBODYS)
            and _GENERATED not in path
            and not os.path.realpath(path).startswith(f"{own}/")
        )

    async def _conflicting(self, values: Mapping[str, Any]) -> str:
        """Return a unit that runs, or is about to, and cannot together with this one."""
        names = {*values.get("Conflicts", ()), *values.get("ConflictedBy", ())} - {SHUTDOWN}
        states = await self.states(names) if names else {}
        running = (name for name, one in states.items() if not one.has_ended or one.job in _STARTS)
        return min(running, default="")

    async def _exit_status(self, path: str, interface: str) -> int | None:
        """With which status its main process has ended, None if none has, or by a signal."""
        if await self._property(path, interface, "ExecMainCode") != os.CLD_EXITED:
            return None
        return int(await self._property(path, interface, "ExecMainStatus"))

    async def properties(self, unit: str, interface: str) -> Mapping[str, Any]:
        """All that a unit has by an interface of its. Raises Refused."""
        path = unit_path(unit)
        (values,) = await self.call("GetAll", "s", [interface], path=path, interface=PROPERTIES)
        return {key: variant.value for key, variant in values.items()}

    async def _property(self, path: str, interface: str, name: str) -> Any:
        body = [interface, name]
        (variant,) = await self.call("Get", "ss", body, path=path, interface=PROPERTIES)
        return variant.value
