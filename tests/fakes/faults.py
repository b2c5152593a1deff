"""Ports that fail: a proxy over each, which raises what a test asks for instead of calling it."""

import inspect
from collections.abc import Callable
from typing import Any

from supervisor.model.errors import Failure

Whether = Callable[[str, tuple[Any, ...]], Failure | None]
"""What a call (`systemd.start`) with these arguments fails of now; None if it goes well."""


class Faulty:
    """A port whose asynchronous calls may fail; all else of it is as it was."""

    def __init__(self, name: str, port: Any, whether: Whether) -> None:
        self._name = name
        self._port = port
        self._whether = whether

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if not inspect.iscoroutinefunction(real):
            return real

        async def call(*args: Any, **more: Any) -> Any:
            if failure := self._whether(f"{self._name}.{name}", args):
                raise failure
            return await real(*args, **more)

        return call
