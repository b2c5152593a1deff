"""Gives files to a user of the user's own containers, as root of their user namespace.

Run by `podman unshare`, in a process that ends (`adapters.certificates.files`).
"""

import os
from pathlib import Path

import msgspec

from supervisor.kit.helper import BESIDE, HelperError, ask, serve

_SECONDS = 60.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """What is given to whom."""

    folder: str
    """Absolute path."""
    files: tuple[str, ...]
    """If there are none, it is only seen whether some could be given."""
    owner: tuple[int, int]
    """User and group."""


class Given(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it; all is well if there is no problem."""

    problem: str = ""
    hint: str = ""
    """What a person is to do; empty where it may help to wait."""


async def give_away(gift: Gift) -> Given:
    """Have it done."""
    through = [*BESIDE, "--", "podman", "unshare"]
    try:
        return await ask(__name__, gift, Given, timeout_seconds=_SECONDS, through=through)
    except HelperError as error:
        return Given(problem=f"podman unshare says: {error}")


def give(gift: Gift) -> Given:
    """Do it in this process."""
    for kind, number in zip(("uid", "gid"), gift.owner, strict=True):
        ids = Path(f"/proc/self/{kind}_map").read_text("ascii")
        if not covers(ids, number):
            return Given(
                problem=f"{kind.upper()} {number} is none that your containers have",
                hint=f"Owner= takes those of `podman unshare cat /proc/self/{kind}_map`, up to"
                f" {largest(ids)} here; /etc/sub{kind} may give you more",
            )
    if not gift.files:
        return Given()
    try:
        folder = os.open(gift.folder, _FOLDER)
        for file in gift.files:
            os.chown(file, *gift.owner, dir_fd=folder, follow_symlinks=False)
            found = os.stat(file, dir_fd=folder, follow_symlinks=False)
            if (found.st_uid, found.st_gid) != gift.owner:
                return _not_kept("it keeps no owners")
        os.fsync(folder)
    except OSError as error:
        return _not_kept(error.strerror or str(error))
    return Given()


def _not_kept(why: str) -> Given:
    return Given(problem=why, hint="name another folder by Directory=, on a disk of this machine")


def covers(ids: str, number: int) -> bool:
    """Whether a map of ids (user_namespaces(7)) has this one."""
    return any(first <= number < first + count for first, count in _ranges(ids))


def largest(ids: str) -> int:
    """Return the largest id that a map has."""
    return max((first + count - 1 for first, count in _ranges(ids)), default=0)


def _ranges(ids: str) -> list[tuple[int, int]]:
    lines = (line.split() for line in ids.splitlines())
    return [(int(first), int(count)) for first, _, count in lines]


if __name__ == "__main__":
    serve(give, Gift)
