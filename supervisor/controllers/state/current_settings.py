"""The settings in force, as one value that others are told of when it changes."""

from collections.abc import Callable

from supervisor.model.settings import Settings


class CurrentSettings:
    """One for the daemon; who needs settings reads `now` each time."""

    def __init__(self, settings: Settings) -> None:
        self.now = settings
        self._listeners: list[Callable[[Settings], None]] = []

    def subscribe(self, listener: Callable[[Settings], None]) -> None:
        """Have a listener called with every other settings, in the order of subscription."""
        self._listeners.append(listener)

    def put(self, settings: Settings) -> None:
        """Go on with other settings."""
        self.now = settings
        for listener in self._listeners:
            listener(settings)
