"""Podman's files for signatures, as they are and as they should be: `podvisor trust`."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.podman.signature_policy import demanded, policy_files
from supervisor.cli.daemon.client import Refused
from supervisor.core.images.trust import NO_POLICY, OWN_FILE, attaching, trusting
from supervisor.kit.files import write_whole
from supervisor.model.image_status import AskedSignature

_FOLDER = "containers/registries.d"
_LARGEST = 1 << 20


class Change(NamedTuple):
    """A file that is to say something else."""

    path: Path
    new: str
    old: str = ""
    old_path: Path | None = None
    """Whose place it takes; itself, or what counts for all users of the machine."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of a unified diff."""
        before = str(self.old_path or "/dev/null")
        old, new = self.old.splitlines(), self.new.splitlines()
        yield from difflib.unified_diff(old, new, before, str(self.path), lineterm="")

    def write(self) -> None:
        """Write it, whole or not at all; a link stays one. Raises Refused."""
        try:
            write_whole(self.path.resolve(), self.new.encode())
        except OSError as error:
            raise Refused(f"cannot write {self.path}: {error.strerror or error}") from error

    def take_back(self) -> None:
        """Have it as it was before it was written, if that can be."""
        with suppress(OSError):
            if self.old_path == self.path:
                write_whole(self.path.resolve(), self.old.encode())
            else:
                self.path.resolve().unlink()


def changes(images: Iterable[AskedSignature], home: Path) -> list[Change]:
    """Return what has to be written for Podman to verify these images. Raises Refused."""
    images = tuple(images)
    # The policy last: with it alone, Podman would refuse what it does not find the signatures of.
    found = [*_attachments(images, home), _policy(images, home)]
    return [one for one in found if one and (one.new != one.old or one.old_path != one.path)]


def write_all(shown: Sequence[Change], *, images: Iterable[AskedSignature], home: Path) -> None:
    """Write what `changes` returned, all of it or nothing.

    Raises Refused, also where that would be something else by now.
    """
    if changes(images, home) != list(shown):
        raise Refused(
            "cannot write this: Podman's files have changed since it was shown",
            hint="podvisor trust shows what they are to say now",
        )
    with ExitStack() as on_failure:
        for one in shown:
            if not one.path.parent.exists():
                on_failure.callback(_remove_folder, one.path.parent)
            one.write()
            on_failure.callback(one.take_back)
        on_failure.pop_all()


def _remove_folder(path: Path) -> None:
    """Remove one that was made: an empty one of the user's own counts, too."""
    with suppress(OSError):
        path.rmdir()


def unmet(images: Iterable[AskedSignature], home: Path) -> list[AskedSignature]:
    """Return those of which Podman does not ask for the signature."""
    files = policy_files(home)
    return [one for one in images if one.key.fingerprint not in demanded(one.image, files).keys]


def _policy(images: Iterable[AskedSignature], home: Path) -> Change | None:
    files = policy_files(home)
    there = next((one for one in files if one.exists()), None)
    old = _read(there) if there else ""
    new = old or NO_POLICY
    lacking = unmet(images, home)
    keys = {one.repository: one for one in lacking}
    for one in lacking:
        other = keys[one.repository]
        if other.key.fingerprint != one.key.fingerprint:
            raise Refused(
                f"{one.repository} is to be signed with {one.app}/{one.key}, and with"
                f" {other.app}/{other.key}",
                hint="podvisor trust APP is for one of them; both keys at once are for you to write"
                " (man containers-policy.json)",
            )
        try:
            new = trusting(new, one.repository, one.key.der)
        except ValueError as error:
            raise Refused(f"cannot change {there}: {error}", hint="mend it first") from None
    if not lacking:
        return None
    return Change(path=files[0], new=new, old=old, old_path=there)


def _attachments(images: Iterable[AskedSignature], home: Path) -> Iterator[Change]:
    """Yield what is to be said of where signatures lie.

    The user's own folder counts instead of the machine's: what stands there is taken along.
    """
    own = home / ".config" / _FOLDER
    folder = own if own.is_dir() else Path("/etc", _FOLDER)
    old = {path.name: _read(path) for path in sorted(folder.glob("*.yaml"))}
    new = dict(old)
    for name in dict.fromkeys(name for one in images for name in one.fetched_as):
        try:
            text = attaching(new, name)
        except ValueError as error:
            hint = f"write use-sigstore-attachments: true for {name} there"
            raise Refused(f"cannot change {folder}: {error}", hint=hint) from None
        if text is not None:
            new[OWN_FILE] = text
    for name, text in new.items() if new != old else ():
        is_there = name in old
        yield Change(
            path=own / name,
            new=text,
            old=old.get(name, ""),
            old_path=folder / name if is_there else None,
        )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise Refused(f"cannot change {path}: it is larger than 1 MiB")
        return content.decode()
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise Refused(f"cannot change {path}: it is no UTF-8") from None
