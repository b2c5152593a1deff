"""Webhooks of registries that are about sources: those that are artifacts are read then."""

from collections.abc import Iterable

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.images.concerns import is_about
from supervisor.kit.workqueue import WorkQueue

_LOOKS_AGAIN_SECONDS = (1.0, 10.0)
"""Where nothing new is found: a registry may tell of a manifest before its tag stands for it."""


class ArtifactNews(msgspec.Struct, kw_only=True):
    """Names the sources that a webhook is about; nothing else that it says counts."""

    settings: CurrentSettings
    queue: WorkQueue
    _looks: dict[str, int] = {}
    """Of sources that were named, and said nothing new yet: how often they were read since."""

    def told(self, names: Iterable[str]) -> tuple[str, ...]:
        """Have the sources read that are about these images, `HOST/NAME[:TAG]`; returns their keys.

        None for images that are no source; a storm is one read.
        """
        sources = [(name, one.oci) for name, one in self.settings.now.sources.items() if one.oci]
        told = tuple(names)
        named = [name for name, oci in sources if any(is_about(one, oci) for one in told)]
        self._looks.update(dict.fromkeys(named, 0))
        keys = tuple(Kind.SOURCE.keys(named))
        self.queue.add_debounced(*keys)
        return keys

    def read(self, name: str, *, changed: bool) -> None:
        """Say that a source was read: it is again shortly, if nothing came of a webhook yet."""
        looks = self._looks.pop(name, len(_LOOKS_AGAIN_SECONDS))
        if not changed and looks < len(_LOOKS_AGAIN_SECONDS):
            self._looks[name] = looks + 1
            self.queue.add_in(Kind.SOURCE.key(name), _LOOKS_AGAIN_SECONDS[looks])
