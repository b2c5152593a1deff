"""Nothing is written on the thread of the event loop: a disk takes its time."""

import sys
import threading

from supervisor.model.observed import Manifest

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.symlink", "os.mkdir"}
_noted: list[tuple[str, int]] | None = None


def note(event: str, _arguments: object) -> None:
    if _noted is not None and event in CHANGES:
        _noted.append((event, threading.get_ident()))


sys.addaudithook(note)  # one cannot be taken off again


async def test_two_thousand_files_are_written_and_removed_in_threads(home, make):
    global _noted  # noqa: PLW0603
    contents = {f"conf/{n % 7}/{n}": f"{n}" for n in range(2_000)}
    contents |= {"web.service.d/10.conf": "[Service]\n"}
    files = [(make.tree_file(path, text), text.encode()) for path, text in contents.items()]
    manifest = Manifest(
        name="web",
        source="s",
        revision="r",
        root="",
        files=tuple(sorted(file for file, _ in files)),
        units=(),
        sealed=False,
    )
    _noted = noted = []
    try:
        await home.folder.write_manifest(manifest)
        await home.folder.write_files("web", files)
        assert len(await home.files("web")) == len(files)
        await home.folder.remove_files("web", list(contents))
    finally:
        _noted = None
    assert {event for event, _ in noted} >= {"os.rename", "os.remove", "os.rmdir", "os.symlink"}
    assert len(noted) > 2 * len(files)
    assert threading.get_ident() not in {thread for _, thread in noted}
