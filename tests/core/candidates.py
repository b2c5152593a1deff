"""Candidates made of folders and of texts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from supervisor.model.app import Candidate
from supervisor.model.source import FileKind, TreeFile


def from_texts(
    name: str, texts: Mapping[str, str], *, links: Mapping[str, str] = {}, root: str | None = None
) -> tuple[Candidate, dict[str, bytes]]:
    """Make an app of files and links; returns it with the contents of its blobs."""
    contents: dict[str, bytes] = {}
    files = []
    for kind, group in ((FileKind.FILE, texts), (FileKind.SYMLINK, links)):
        for path, text in group.items():
            data = text.encode()
            oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324  # it is Git's
            contents[oid] = data
            files.append(TreeFile(path, oid, kind, len(data)))
    candidate = Candidate(
        name=name,
        source="home",
        revision="r1",
        root=f"apps/{name}" if root is None else root,
        files=tuple(sorted(files)),
    )
    return candidate, contents


def from_folder(folder: Path) -> tuple[Candidate, dict[str, bytes]]:
    """Make an app of a folder."""
    texts, links = {}, {}
    for path in sorted(folder.rglob("*")):
        relative = str(path.relative_to(folder))
        if path.is_symlink():
            links[relative] = str(path.readlink())
        elif path.is_file():
            texts[relative] = path.read_text()
    return from_texts(folder.name, texts, links=links)
