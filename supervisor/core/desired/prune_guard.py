"""Nothing prunes everything: apps that left their source, and stay all the same.

Of a source that is emptied, unread or gone from the settings, only a person lets them go.
"""

from collections.abc import Collection, Mapping
from typing import Self

import msgspec

from supervisor.core.desired.unread import emptied_apps
from supervisor.model.app import DesiredApp
from supervisor.model.observed import Manifest
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that apps may go, all of a source's too."""

    revisions: dict[str, str]
    """Source to its revision; nothing for one that is not read."""
    apps: frozenset[str]
    """Those apps alone; any, if empty."""

    @classmethod
    def given_now(cls, apps: Collection[str], snapshots: Mapping[str, Snapshot]) -> Self:
        """Return one for what the sources say at this moment."""
        revisions = {name: one.revision for name, one in snapshots.items()}
        return cls(revisions=revisions, apps=frozenset(apps))


class PruneGuard(msgspec.Struct, frozen=True, kw_only=True):
    """Knows what may go."""

    sources: Mapping[str, SourceSettings]
    snapshots: Mapping[str, Snapshot]
    permits: Collection[Permit]

    def lets_go(self, app: str, source: str) -> bool:
        """Whether a person said that an app may go, and its source is as it was then."""
        snapshot = self.snapshots.get(source)
        revision = snapshot.revision if snapshot else None
        return any(
            one.revisions.get(source) == revision and (not one.apps or app in one.apps)
            for one in self.permits
        )

    def kept(
        self,
        manifests: Mapping[str, Manifest],
        held: Collection[str],
        composed: Collection[str],
        wanted: Collection[DesiredApp],
    ) -> dict[str, str]:
        """Return installed apps that left their source but stay, with the reason.

        `held` are those that did not leave, `composed` the sources that could be read. An app of
        which another `wanted` one of its source has a unit is not lost: it goes by another name.
        """
        kept: dict[str, str] = {}
        by_source: dict[str, list[str]] = {}
        for name, manifest in manifests.items():
            by_source.setdefault(manifest.source, []).append(name)
        for source, names in by_source.items():
            gone = [name for name in names if name not in held]
            if not gone:
                continue
            going = {name: manifests[name] for name in gone if not self.lets_go(name, source)}
            taken = {unit for app in wanted if app.source == source for unit in app.by_name}
            if source not in self.sources:
                reason = f"source {source} is no longer in the settings"
            elif source not in composed:
                reason = f"source {source} could not be read yet"
            elif len(gone) == len(names):
                reason = f"source {source} no longer holds any of its {len(names)} apps"
                going = {name: one for name, one in going.items() if taken.isdisjoint(one.units)}
            else:
                if self.sources[source].folder:  # what Git holds no file of, is gone
                    kept.update(emptied_apps(going, self.snapshots[source], taken))
                continue
            kept.update(dict.fromkeys(going, reason))
        return kept
