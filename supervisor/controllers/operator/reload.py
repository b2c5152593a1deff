"""Read the settings anew, at `podvisor reload` or SIGHUP; refused ones leave all as it is."""

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

import anyio
import msgspec

from supervisor.controllers.ports import Events, Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.config.problem import Problem
from supervisor.core.config.reader import Reading, placed, secret_refs
from supervisor.core.config.toml_lines import Path
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.events import EventKind
from supervisor.model.incident import IncidentCode
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings
from supervisor.model.status import Reloaded

_OLD_ONES_STAY = Finding(
    message="the settings on disk are refused: those from before stay in force",
    hint="mend them, and have them taken up; the daemon would not start with them",
    command="podvisor reload",
)


_PATIENCE_SECONDS = 1.0
"""How long a reload waits for news of secrets: meanwhile the daemon hears no signal."""


def of_settings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return these with the code of what is wrong with the settings: one for all of a kind."""
    codes = {True: IncidentCode.SETTINGS_REFUSED, False: IncidentCode.SETTINGS_DOUBTFUL}
    return tuple(msgspec.structs.replace(one, code=codes[one.fatal]) for one in findings)


async def missing_secrets(
    reading: Reading,
    references: Mapping[Path, SecretRef],
    secrets: Secrets,
    *,
    patience_seconds: float = math.inf,
) -> tuple[Finding, ...]:
    """Say which of the secrets that settings refer to are not there, or cannot be used."""
    keys: dict[SecretRef, list[Path]] = defaultdict(list)
    for key, reference in references.items():
        keys[reference].append(key)
    problems: list[Problem] = []
    with anyio.move_on_after(patience_seconds):
        for reference, mine in keys.items():
            try:
                await secrets.read(reference)
            except Stalled as failure:
                why = str(failure), failure.hint
                problems.extend(Problem(key, *why, fatal=False) for key in mine)
            except Failure:
                pass  # it cannot be asked for at present
    return placed(problems, reading.text, reading.path)


class SettingsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The settings on disk, beside those in force."""

    load: Callable[[], Reading]
    in_force: CurrentSettings
    shown: str
    """What the file is called."""

    def is_in_force(self) -> bool:
        """Whether what is on disk is what the daemon goes by."""
        return self.load().settings == self.in_force.now

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the settings on disk, and whether they are those in force."""
        return of_settings(self._findings())

    def _findings(self) -> tuple[Finding, ...]:
        reading = self.load()
        if reading.settings is None:
            return (*reading.findings, _OLD_ONES_STAY)
        if reading.settings != self.in_force.now:
            message = "the settings were changed since the daemon read them"
            hint, command = "have the daemon take them up", "podvisor reload"
            changed = Finding(
                message=message, path=self.shown, hint=hint, command=command, fatal=False
            )
            return (*reading.findings, changed)
        return reading.findings


class SettingsReloader(msgspec.Struct, frozen=True, kw_only=True):
    """Takes up changed settings."""

    file: SettingsFile
    take: Callable[[Settings], Awaitable[None]]
    """Goes on with these settings."""
    outlook: Callable[[Settings], Awaitable[tuple[Finding, ...]]]
    """Says which apps these settings leave out, and what in them fits nothing."""
    secrets: Secrets
    ledger: Events
    _reloading: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    """Of two reloads, the later one takes what is on disk later."""

    async def reload(self) -> Reloaded:
        """Take up what is on disk, if it is not refused; passes that are under way go on.

        Apps that will be removed for it, what fits nothing, and secrets that are seen at once not
        to be there, are named in the answer and in the event log.
        """
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> Reloaded:
        reading = self.file.load()
        findings = reading.findings
        if reading.settings is not None:
            missing = await missing_secrets(
                reading,
                secret_refs(reading.settings),
                self.secrets,
                patience_seconds=_PATIENCE_SECONDS,
            )
            findings = (*findings, *missing)
            with suppress(Failure):  # the passes say what cannot be read
                findings = (*findings, *await self.outlook(reading.settings))
        self.ledger.log(
            EventKind.SETTINGS,
            ok=reading.settings is not None,
            reason="read anew" if reading.settings else "refused, the old ones stay",
            detail="; ".join(str(finding) for finding in findings),
        )
        if reading.settings is not None:
            await self.take(reading.settings)
        return Reloaded(ok=reading.settings is not None, findings=findings)

    async def catch_up(self) -> Reloaded:
        """Take up what is on disk if it is not what is in force.

        For the end of the start: systemd takes a reload that is asked of a service that is starting
        for a part of the start, and never calls for it.
        """
        if self.file.is_in_force():
            return Reloaded(ok=True)
        return await self.reload()
