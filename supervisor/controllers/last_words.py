"""What a failing program said, fit to be shown and kept: without its secrets, and with more help.

Programs print their passwords when they fail. Their words reach status, events, history and the
ledger only by way of here; a secret's value is asked for when there are words, and not kept.
"""

from collections.abc import Iterable

import msgspec

from supervisor.controllers.ports import Host, Podman
from supervisor.core.masking import masked
from supervisor.core.port_trouble import refused_port_mend, taken_port
from supervisor.model.errors import Failure
from supervisor.model.observed import JobFailed

WITHHELD = "… its words are withheld: its secrets cannot be read now"


class LastWords:
    """One for the daemon."""

    def __init__(self, *, podman: Podman, host: Host) -> None:
        self._podman = podman
        self._host = host
        self._secrets: dict[str, set[str]] = {}
        """Unit to the names of the secrets that its app uses, or has used: what runs may be old."""

    def note(self, units: Iterable[str], secrets: Iterable[str]) -> None:
        """Learn which secrets these units, all of one app, may have printed."""
        names = set(secrets)
        for unit in units:
            self._secrets.setdefault(unit, set()).update(names)

    async def told(self, words: str, unit: str) -> str:
        """Return what a unit said without what its secrets hold; `WITHHELD` if that is not known.

        A unit that nobody told of may have had any of them. What is about a port gets more words:
        who has it, or how it is had.
        """
        names = self._secrets.get(unit)
        if names is None:
            names = set().union(*self._secrets.values())
        if words and names:
            try:
                held = [await self._podman.secret(name) for name in sorted(names)]
            except Failure:
                return WITHHELD
            words = masked(words, [value for value in held if value])
        more = refused_port_mend(words)
        if taken := taken_port(words):
            holder = await self._host.port_holder(taken.port, taken.protocol)
            more = f"port {taken.port} is taken by {holder or 'somebody who is gone now'}"
        return f"{words}; {more}" if more else words

    async def of_job(self, failed: JobFailed | None, unit: str) -> JobFailed | None:
        """Return how a job of the unit ended, with words that may be shown."""
        if failed is None:
            return None
        return msgspec.structs.replace(failed, detail=await self.told(failed.detail, unit))
