"""Webhooks of registries that are about sources: those that are artifacts are read then."""

from collections.abc import Iterable

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.looks import LooksAgain
from supervisor.core.images.concerns import is_about
from supervisor.kit.workqueue import WorkQueue


class ArtifactNews(msgspec.Struct, kw_only=True):
    """Names the sources that a webhook is about; nothing else that it says counts."""

    settings: CurrentSettings
    queue: WorkQueue
    webhooks: WebhookController
    _looks: LooksAgain = msgspec.field(default_factory=LooksAgain)

    def told(self, names: Iterable[str]) -> tuple[str, ...]:
        """Have the sources read that are about these images, `HOST/NAME[:TAG]`; returns their keys.

        None for images that are no source; a storm is one read.
        """
        sources = [(name, one.oci) for name, one in self.settings.now.sources.items() if one.oci]
        told = tuple(names)
        named = [name for name, oci in sources if any(is_about(one, oci) for one in told)]
        self._looks.told(named)
        for one in named:
            self.webhooks.told(one)
        keys = tuple(Kind.SOURCE.keys(named))
        self.queue.add_debounced(*keys)
        return keys

    def read(self, name: str, *, changed: bool) -> None:
        """Say that a source was read: it is again shortly, if nothing came of a webhook yet."""
        if changed:
            self._looks.end(name)
        elif seconds := self._looks.next_in(name):
            self.webhooks.told(name)
            self.queue.add_in(Kind.SOURCE.key(name), seconds)
