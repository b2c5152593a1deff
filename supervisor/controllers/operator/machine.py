"""What podvisor and its apps take of the machine, read when somebody asks.

Part of `controllers.operator.service`.
"""

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.counters import own_process
from supervisor.controllers.ports import Host, Ledger, Podman, Systemd
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.kit.clock import Clock
from supervisor.model.app import DesiredUnit
from supervisor.model.errors import Failure
from supervisor.model.machine import CheckUse, DiskUse, Machine, UnitUse
from supervisor.model.published_port import PublishedPort
from supervisor.model.status import UnitStatus


class MachineLook(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    names: AppNames
    board: StatusBoard
    systemd: Systemd
    podman: Podman
    host: Host
    ledger: Ledger
    tally: Tally
    clock: Clock

    async def look(self, app: str) -> Machine:
        """Read it, of one app's units or of all. Raises Stalled for an unknown app."""
        if app:
            self.names.check([app])
        running = {
            unit.name: (one.name, unit)
            for one in self.board.apps.values()
            if app in ("", one.name)
            for unit in one.units
            if unit.up
        }
        memory = await self.systemd.memory(tuple(running))
        known = self._desired()
        return Machine(
            process=own_process(),
            samples=(*self.tally.samples, self.tally.sample_now(self.clock.now())),
            units=tuple(
                UnitUse(
                    unit=name,
                    app=owner,
                    memory=memory.get(name, 0),
                    ports=tuple(map(port_in_words, known[name].publishes if name in known else ())),
                )
                for name, (owner, _) in sorted(running.items())
            ),
            checks=tuple(
                check
                for name, (owner, unit) in sorted(running.items())
                if name in known
                for check in _checks(owner, unit, known[name])
            ),
            disks=await self._disks(),
        )

    def _desired(self) -> dict[str, DesiredUnit]:
        return {
            name: unit
            for one in self.names.desired_state.latest().values()
            for app in reversed(one.apps)
            for name, unit in app.runtime_units.items()
        }

    async def _disks(self) -> tuple[DiskUse, ...]:
        folders = [self.ledger.folder]
        with suppress(Failure):  # where Podman does not say
            if room := await self.podman.room():
                folders.insert(0, room.layers)
        free = await self.host.free(folders)
        return tuple(DiskUse(folder=folder, free=size) for folder, size in free.items())


def _checks(app: str, status: UnitStatus, unit: DesiredUnit) -> Iterator[CheckUse]:
    if interval := status.health_interval or unit.health_interval:
        yield CheckUse(unit=status.name, app=app, interval=interval)
    if unit.probe:
        interval = unit.probe.interval
        yield CheckUse(unit=status.name, app=app, is_probe=True, interval=interval)


def port_in_words(port: PublishedPort) -> str:
    """Say where a unit is reached: `8080/tcp`, `127.0.0.1:53/udp`."""
    numbers = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{numbers}/{port.protocol}" if address else f"{numbers}/{port.protocol}"
