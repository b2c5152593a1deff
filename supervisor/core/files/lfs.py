"""Files that Git LFS keeps elsewhere: what a source holds, and podvisor installs, is a pointer."""

from collections.abc import Iterator

from supervisor.core.files.app_files import AppFiles
from supervisor.model.errors import Finding
from supervisor.model.source import FileKind, TreeFile

_BEGINS = b"version https://git-lfs.github.com/spec/v1\n"
_SMALLEST, _LARGEST = 120, 200


def may_be_pointer(file: TreeFile) -> bool:
    """Whether a file has the size of a pointer, so that it is worth a look."""
    return file.kind is not FileKind.SYMLINK and _SMALLEST <= file.size <= _LARGEST


def pointers(files: AppFiles) -> Iterator[Finding]:
    """Warn of each."""
    for file in files.app.files:
        content = files.content(file.path) if may_be_pointer(file) else None
        if content is not None and content.startswith(_BEGINS):
            message = "is a pointer of Git LFS: its content is not fetched"
            hint = "copy what is needed into the source"
            yield files.finding(message, path=file.path, hint=hint, fatal=False)
