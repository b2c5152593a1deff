"""When sources are read, and what is named for what they say. Keys `source:NAME`."""

from collections import Counter

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.sources.artifact_news import ArtifactNews
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.kit.workqueue import WorkQueue


class SourcePoller(msgspec.Struct, frozen=True, kw_only=True):
    """Reads a source, names the apps that may have changed, and arms its next poll."""

    queue: WorkQueue
    sources: SourceController
    webhooks: WebhookController
    artifacts: ArtifactNews
    desired_state: DesiredState
    failures: Counter[str]

    async def reconcile(self, name: str) -> list[str]:
        """Read a source. Raises what reading it raises."""
        key = Kind.SOURCE.key(name)
        # Armed before reading: the poll goes on whatever comes of this one.
        self._arm_poll(key, name)
        self.webhooks.begin(name)
        changed = await self.sources.reconcile(name)
        self.artifacts.read(name, changed=changed)
        if self.webhooks.read(name, changed=changed):
            self.queue.forget(key)
            self._arm_poll(key, name)
        # What could not be read of the store may be there again.
        named = Kind.APP.keys(self.desired_state.failed(name))
        stuck = [one for one in (Kind.ALL_APPS, Kind.CHANGED_APPS) if one in self.failures]
        if stuck or key in self.failures:
            named += (Kind.ALL_APPS, *stuck)
        elif changed:
            named.append(Kind.CHANGED_APPS)
        return named

    def _arm_poll(self, key: str, name: str) -> None:
        if poll := self.webhooks.poll_seconds(name):
            self.queue.add_by_rhythm(key, poll)
