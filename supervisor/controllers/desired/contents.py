"""What apps' files hold: read from the store, but for what podvisor itself laid over them."""

from collections.abc import Collection

from supervisor.controllers.ports import SourceReader
from supervisor.model.source import TreeFile, laid, stored


async def contents_of(
    reader: SourceReader, source: str, files: Collection[TreeFile]
) -> dict[str, bytes]:
    """Return the contents of files of a source's apps, by blob id. Raises what reading raises."""
    oids = tuple(stored(files))
    return (await reader.read(source, oids) if oids else {}) | laid(files)
