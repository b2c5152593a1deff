"""Run the daemon, and write down each pass of an app as it begins.

    python count_passes.py CONFIG FILE

Run inside the host, with podvisor's own Python. FILE gets a line for each pass: the app's name.
"""

import sys
from pathlib import Path

import anyio
from msgspec.structs import replace

from supervisor import daemon


class Counted:
    """The owned folder, which each pass looks at once for each of its apps."""

    def __init__(self, folder: object, out) -> None:
        self._folder = folder
        self._out = out

    def __getattr__(self, name: str) -> object:
        return getattr(self._folder, name)

    async def observe(self, app, **more):
        print(app, file=self._out, flush=True)
        return await self._folder.observe(app, **more)


async def main() -> None:
    config, out = Path(sys.argv[1]), Path(sys.argv[2]).open("w")  # noqa: ASYNC230, SIM115
    await daemon.run(config, wrap=lambda ports: replace(ports, folder=Counted(ports.folder, out)))


anyio.run(main, backend_options={"use_uvloop": True})
