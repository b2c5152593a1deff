"""Git objects made by hand: trees, and packs for `git unpack-objects`.

The folder reader hashes and packs what it has read itself, so that the bytes go into the store
exactly as they were read, in one process for any number of files.
"""

import hashlib
import zlib
from collections.abc import Iterable

import msgspec

from supervisor.kit.stamps import object_id
from supervisor.model.source import FileKind, TreeFile

_TYPES = {"tree": 2, "blob": 3}
_MODES = {FileKind.FILE: b"100644", FileKind.EXECUTABLE: b"100755", FileKind.SYMLINK: b"120000"}
_TREE_MODE = b"40000"


class Pack(msgspec.Struct):
    """A growing pack; `finish` returns the whole of it."""

    _body: bytearray = msgspec.field(default_factory=bytearray)
    _count: int = 0

    def __len__(self) -> int:
        """Return its size in bytes so far, compressed."""
        return len(self._body)

    def add(self, kind: str, content: bytes) -> None:
        """Add one object (`blob` or `tree`)."""
        size = len(content)
        byte = _TYPES[kind] << 4 | size & 0x0F
        size >>= 4
        while size:
            self._body.append(byte | 0x80)
            byte = size & 0x7F
            size >>= 7
        self._body.append(byte)
        self._body += zlib.compress(content, 1)
        self._count += 1

    def finish(self) -> bytes:
        """Return the pack with its head and its checksum; empty if nothing was added."""
        if not self._count:
            return b""
        pack = b"PACK\0\0\0\2" + self._count.to_bytes(4, "big") + self._body
        return pack + hashlib.sha1(pack, usedforsecurity=False).digest()


def trees(files: Iterable[TreeFile]) -> tuple[str, list[bytes]]:
    """Return the id of the root tree that holds `files`, and all trees that it takes."""
    root: _Folder = _Folder()
    for file in files:
        *parents, name = file.path.split("/")
        folder = root
        for parent in parents:
            folder = folder.folders.setdefault(parent, _Folder())
        folder.files[name] = file
    made: list[bytes] = []
    return root.write(made), made


class _Folder(msgspec.Struct):
    files: dict[str, TreeFile] = {}
    folders: dict[str, "_Folder"] = {}

    def write(self, made: list[bytes]) -> str:
        # Git sorts a folder as if its name ended in a slash.
        lines = [
            (name.encode(), _MODES[file.kind], name.encode(), file.oid)
            for name, file in self.files.items()
        ]
        lines += [
            (name.encode() + b"/", _TREE_MODE, name.encode(), folder.write(made))
            for name, folder in self.folders.items()
        ]
        content = b"".join(
            mode + b" " + name + b"\0" + bytes.fromhex(oid) for _, mode, name, oid in sorted(lines)
        )
        made.append(content)
        return object_id("tree", content)
