"""What each source holds, divided into apps. Serves `controllers.desired.desired_state`.

A division is kept until the source, its settings, this host's names or what is installed from where
it cannot be read change; a source that cannot be divided is one that holds nothing that is known,
and says why.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from supervisor.controllers.isolate import failure_of
from supervisor.controllers.ports import Aside, SourceReader
from supervisor.core.desired.discovery import Composition, compose, texts_needed, with_contents
from supervisor.core.desired.unread import presumed
from supervisor.model.errors import Failure
from supervisor.model.observed import Manifest
from supervisor.model.settings import Settings
from supervisor.model.source import Snapshot

_FILES_A_UNIT = 10
"""To divide so many files among apps takes as long as to look into one unit."""


class _Known(NamedTuple):
    """A division, and what it was made of."""

    composition: Composition
    snapshot: Snapshot
    """With what is presumed to be in it."""
    asked: object
    """All else that the division depends on."""
    read: frozenset[str]
    """Blob ids of the contents that were needed."""


class Compositions(msgspec.Struct, kw_only=True):
    """Remembers the division of each source."""

    reader: SourceReader
    aside: Aside
    specifiers: Callable[[], Mapping[str, str]]
    """Gives the values for overlays, as of now."""
    _known: dict[str, _Known] = {}

    async def of(
        self,
        snapshots: Mapping[str, Snapshot],
        settings: Settings,
        manifests: Mapping[str, Manifest],
    ) -> tuple[dict[str, Composition], dict[str, Failure]]:
        """Divide the sources of the settings that are known; also, what kept one from that.

        `manifests` says what is installed.
        """
        composed: dict[str, Composition] = {}
        failed: dict[str, Failure] = {}
        for name in settings.sources:
            if (snapshot := snapshots.get(name)) is None:
                continue
            try:
                composed[name] = await self._compose(snapshot, settings, manifests)
            except Exception as error:  # noqa: BLE001  # the other sources go on
                failed[name] = failure_of(error, doing=f"dividing source {name} into apps")
        self._known = {name: one for name, one in self._known.items() if name in composed}
        return composed, failed

    async def _compose(
        self, snapshot: Snapshot, settings: Settings, manifests: Mapping[str, Manifest]
    ) -> Composition:
        name = snapshot.source
        source, limits = settings.sources[name], settings.limits
        specifiers = dict(self.specifiers()) if source.overlay else {}
        installed = [one for one in manifests.values() if one.source == name]
        more = presumed(snapshot, installed)
        asked = (more, source, limits, specifiers)
        known = self._known.get(name)
        if known and known.asked == asked and _is_same(known.snapshot, snapshot):
            return known.composition
        snapshot = replace(snapshot, files=tuple(sorted((*snapshot.files, *more))))
        wanted = texts_needed(snapshot, source)
        old = wanted & {file.oid for file in more}
        if old and not await self.reader.holds(name, old):
            wanted -= old  # those apps are refused at any rate
        composition = None
        if known and (known.asked, known.read) == (asked, wanted):
            composition = with_contents(
                known.composition, known.snapshot, snapshot, read=wanted, limit=limits.app_size
            )
        if composition is None:
            needed = tuple(sorted(wanted))
            contents = await self.reader.read(name, needed) if needed else {}
            composition = await self.aside(
                lambda: compose(snapshot, source, limits, specifiers=specifiers, contents=contents),
                items=len(snapshot.files) // _FILES_A_UNIT,
            )
        self._known[name] = _Known(composition, snapshot, asked, wanted)
        return composition


def _is_same(one: Snapshot, other: Snapshot) -> bool:
    return (one.revision, one.findings) == (other.revision, other.findings)
