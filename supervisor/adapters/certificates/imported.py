"""Certificates of other clients, which wait for a file. The `ImportedCertificates` port.

`VERSION/` holds a pair as those that are kept do, `VERSION.json` says what it is: it is written
last, and removed first. The command line puts them there, whether a daemon runs or not.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from supervisor.kit.threads import in_thread
from supervisor.model.acme import Pair
from supervisor.model.imported import Imported

T = TypeVar("T")
_ABOUT = ".json"
_LARGEST = 1 << 20


def holder_of(kept_in: Path, version: str) -> str:
    """Return the name of the certificate as which a version is kept; empty if it is not."""
    with suppress(OSError):
        for folder in sorted(kept_in.iterdir()):
            if (folder / version).is_dir():
                return folder.name
    return ""


class ImportedStore:
    """Those in a folder of podvisor's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def all(self) -> tuple[Imported, ...]:
        """Return those that wait."""
        return await self._aside("read", self._read)

    async def pair(self, one: Imported) -> Pair | None:
        """Return one with its key; None if it is not there, or not as it was."""
        from supervisor.adapters.certificates import kept  # noqa: PLC0415

        held = await in_thread(lambda: kept.kept(self._folder, one.version, one.digest))
        return held and Pair(key=held.key, chain=held.chain, facts=one.facts)

    async def put(self, one: Imported, pair: Pair) -> None:
        """Have one wait; its `digest` is of no account."""
        from supervisor.adapters.certificates import kept, texts  # noqa: PLC0415
        from supervisor.kit.files import write_whole  # noqa: PLC0415

        held = texts.kept(pair)
        about = msgspec.json.encode(msgspec.structs.replace(one, digest=held.digest))

        def put() -> None:
            kept.keep(self._folder, one.version, held)
            write_whole(self._about(one.version), about)

        await self._aside("keep", put)

    async def drop(self, one: Imported) -> None:
        """It waits no more."""
        from supervisor.kit.folders import remove_tree  # noqa: PLC0415

        def drop() -> None:
            self._about(one.version).unlink(missing_ok=True)
            remove_tree(self._folder / one.version)
            with suppress(OSError):  # others wait
                self._folder.rmdir()

        await self._aside("remove", drop)

    def _read(self) -> tuple[Imported, ...]:
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted(self._folder.iterdir()):
                if path.suffix != _ABOUT:
                    continue
                # What is damaged is nobody's certificate: another one is ordered, or imported.
                with suppress(OSError, ValueError), path.open("rb") as file:
                    found.append(msgspec.json.decode(file.read(_LARGEST), type=Imported))
        return tuple(found)

    def _about(self, version: str) -> Path:
        return self._folder / f"{version}{_ABOUT}"

    async def _aside(self, doing: str, work: Callable[[], T]) -> T:
        from supervisor.kit.files import told  # noqa: PLC0415

        def told_work() -> T:
            with told(f"{doing} imported certificates in {self._folder}"):
                return work()

        return await in_thread(told_work)
