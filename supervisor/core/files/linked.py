"""Files that shape units under the name of a link only: `web.container.d` → `common`.

systemd and Quadlet follow links, those to folders as well.
"""

from collections.abc import Iterator, Mapping

from supervisor.core.files.names import shapes_units
from supervisor.kit.links import resolve
from supervisor.model.app import Candidate
from supervisor.model.source import FileKind, TreeFile


def links_of(app: Candidate, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the app's links, each with where it says it leads; `contents` are by blob id."""
    return {
        file.path: contents.get(file.oid, b"").decode(errors="replace")
        for file in app.files
        if file.kind is FileKind.SYMLINK
    }


def shaping_by_link(app: Candidate, links: Mapping[str, str]) -> Iterator[tuple[str, TreeFile]]:
    """Yield the paths of unit files and drop-ins that links make, each with the file behind it."""
    if not links:
        return
    files = {file.path: file for file in app.files}
    for link in links:
        real = resolve(link, links)
        if not real:
            continue
        if real in files:
            some = {link: files[real]} if files[real].kind is not FileKind.SYMLINK else {}
        else:
            some = {
                link + path[len(real) :]: file
                for path, file in files.items()
                if path.startswith(f"{real}/") and file.kind is not FileKind.SYMLINK
            }
        yield from ((path, file) for path, file in some.items() if shapes_units(path))
