"""What a failing program said, fit to be shown and kept: without its secrets, and with more help.

Programs print their passwords when they fail. Their words reach status, events, history and the
ledger only by way of here; a secret's value is asked for when there are words. What a pass replaces
is kept in memory, since a program that was started with it may print it yet.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

import msgspec

from supervisor.controllers.ports import Host, Podman, Systemd
from supervisor.core.health.wanted_units import needs_failed
from supervisor.core.status.drop_in_trouble import shaped_by
from supervisor.core.status.masking import masked
from supervisor.core.status.port_trouble import refused_port, refused_port_mend, taken_port
from supervisor.core.status.storage_trouble import damaged_storage_mend
from supervisor.core.status.unkept_log import unkept_log
from supervisor.model.app import Deployment
from supervisor.model.ending import Ending
from supervisor.model.errors import Failure
from supervisor.model.observed import JobFailed
from supervisor.model.unit_name import template_of

WITHHELD = "… its words are withheld: its secrets cannot be read now"
GAP = "its last lines may be missing: journald passed over some (podvisor doctor)"
_MOST_PORTS = 1_000
_OVERTAKEN = 3
"""So many old values of one secret are kept in mind."""


class LastWords(msgspec.Struct, kw_only=True):
    """One for the daemon."""

    systemd: Systemd
    podman: Podman
    host: Host
    _secrets: dict[str, set[str]] = {}
    """Unit to the names of the secrets that its app uses, or has used: what runs may be old."""
    _overtaken: dict[str, list[bytes]] = {}
    """Values that the passes of this daemon replaced or removed: what runs may have them."""
    _apps: dict[str, str] = {}
    """Unit to its app."""
    _needs: dict[str, tuple[str, ...]] = {}
    """Unit to those that it needs."""
    _lines: dict[str, dict[int, str]] = {}
    """Unit to its ports of the host, each with the file and line that asks for it."""
    _unkept: dict[str, str] = {}
    """Unit whose words the journal does not have to what there is to be said of that."""

    def __repr__(self) -> str:
        return "LastWords()"  # old values are clear texts

    def learn(self, app: Deployment, units: Iterable[str], secrets: Collection[str]) -> None:
        """Learn what is to be known of an app: its `units` may have printed these secrets."""
        for name in units:
            self._secrets.setdefault(name, set()).update(secrets)
            self._apps[name] = app.name
        self._needs.update({unit.name: unit.requires for unit in app.units})
        self._unkept.update(
            {unit.name: unkept_log(unit.log_driver, unit.log_file) for unit in app.units}
        )
        for one in reversed(app.apps):
            for unit in one.units:
                lines = {
                    number: f"{one.source_path(port.path)}:{port.line}"
                    for port in unit.publishes
                    for number in range(port.first, min(port.last, port.first + _MOST_PORTS) + 1)
                }
                if lines or unit.name in self._lines:
                    self._lines[unit.name] = lines

    async def overtake(self, name: str) -> None:
        """Keep in mind what a secret holds, which is about to be replaced or removed."""
        with suppress(Failure):  # one that cannot be read must not keep a good one from coming
            value = await self.podman.secret(name)
            olds = self._overtaken.setdefault(name, [])
            if value and value not in olds:
                olds.append(value)
                del olds[:-_OVERTAKEN]

    async def told(self, words: str, unit: str) -> str:
        """Return what a unit said without what its secrets hold; `WITHHELD` if that is not known.

        A unit that nobody told of may have had any of them. What is about a port, or about damaged
        storage, gets more words: who has it, or how it is had.
        """
        hidden = await self.masked(words, unit)
        more = "" if hidden == WITHHELD else await self._more(hidden, unit)
        return "; ".join(filter(None, (hidden, more)))

    async def of_ending(self, ending: Ending, unit: str, *, drop_ins: Sequence[str] = ()) -> Ending:
        """Return how a unit ended, with words that may be shown, as of `told`.

        `drop_ins` are those of this host's own that it ran with.
        """
        words = await self.masked("\n".join(ending.lines), unit)
        if words == WITHHELD:
            return Ending(how=ending.how, more=WITHHELD)
        if words:
            more = await self._more(words, unit)
        else:
            more = self._unkept.get(unit) or self._unkept.get(template_of(unit), "")
        parts = (more, GAP if ending.has_gap else "", shaped_by(drop_ins))
        more = "; ".join(filter(None, parts))
        lines = tuple(words.splitlines())
        return msgspec.structs.replace(ending, lines=lines, more=more)

    async def masked(self, words: str, unit: str) -> str:
        """Return words of a unit without what its secrets hold; `WITHHELD` as of `told`."""
        names = self._secrets.get(unit)
        if names is None:
            names = set().union(*self._secrets.values())
        if words and names:
            try:
                held = [await self.podman.secret(name) for name in sorted(names)]
            except Failure:
                return WITHHELD
            held.extend(old for name in names for old in self._overtaken.get(name, ()))
            words = masked(words, [value for value in held if value])
        return words

    async def _more(self, words: str, unit: str) -> str:
        """Say how what was in its way is mended; of a port, who has it and who asks for it."""
        more = refused_port_mend(words) or damaged_storage_mend(words)
        port = refused_port(words)
        if taken := taken_port(words):
            port = taken.port
            holder = await self.host.port_holder(taken.port, taken.protocol)
            more = f"port {taken.port} is taken by {holder or 'somebody who is gone now'}"
        lines = self._lines.get(unit) or self._lines.get(template_of(unit), {})
        line = lines.get(port, "")
        return "; ".join(filter(None, (more, line and f"asked for in {line}")))

    async def of_job(self, failed: JobFailed | None, unit: str) -> JobFailed | None:
        """Return how a job of the unit ended, with words that may be shown.

        If it was not begun since something that it needs failed, those are that one's.
        """
        if failed is None:
            return None
        need = ""
        with suppress(Failure):  # what cannot be asked for now must not take the step's place
            need = await self._failed_need(unit) if failed.result == "dependency" else ""
            words = str(await self.systemd.last_words(need)) if need else failed.detail
            failed = msgspec.structs.replace(failed, detail=words)
        if need:
            owner = self._apps.get(need, "")
            result = needs_failed(need, owner="" if owner == self._apps.get(unit) else owner)
            failed = msgspec.structs.replace(failed, result=result)
        return msgspec.structs.replace(failed, detail=await self.told(failed.detail, need or unit))

    async def _failed_need(self, unit: str) -> str:
        """Name what the unit needs, be it by way of others, that failed; empty if none is seen."""
        chain = dict.fromkeys(self._needs_of(unit))
        names = list(chain)
        while names:
            states = await self.systemd.units(names)
            if found := next((name for name in names if states[name].active == "failed"), ""):
                return found
            new = {need for name in names for need in self._needs_of(name)} - chain.keys()
            names = sorted(new)
            chain.update(dict.fromkeys(names))
        return ""

    def _needs_of(self, unit: str) -> tuple[str, ...]:
        return self._needs.get(unit) or self._needs.get(template_of(unit), ())
