"""Checks of the user who runs the containers: ids, session, home."""

import stat
from collections.abc import Iterator

from supervisor.adapters.host.doctor.host import Host
from supervisor.core.status.examination import (
    Answer,
    Check,
    error,
    of_finding,
    ok,
    unknown,
    warning,
)
from supervisor.model.doctor import Group

_WANTED_IDS = 65_536
_FULL = 0.8
_NETWORK_KINDS = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p")


def _rootless(host: Host) -> Answer:
    return of_finding(host.machine.rootless(), f"{host.user} is an ordinary user")


def _lingering(host: Host) -> Answer:
    found = host.machine.lingering()
    if found is None:
        return ok(f"{host.user} lingers: what runs goes on after logout, and starts at boot")
    refused = f"if that is refused: sudo loginctl enable-linger {host.user}"
    return warning(found.message, refused, "loginctl enable-linger", fixable=True)


def _subordinate_ids(host: Host) -> Answer:
    return of_finding(host.machine.subordinate_ids(), f"{host.user} has subordinate ids")


def _subordinate_ids_size(host: Host) -> Iterator[Answer]:
    for kind in ("subuid", "subgid"):
        mine = [one for one in _ranges(host, kind) if one[0] in _names(host)]
        size = sum(one[2] for one in mine)
        if mine and size < _WANTED_IDS:
            yield warning(
                f"{host.user} has {size} subordinate ids in /etc/{kind}, images expect 65536",
                f"sudoedit /etc/{kind}: its third number is how many; then podman system migrate",
            )
        elif mine:
            yield ok(f"{size} subordinate ids in /etc/{kind}")


def _subordinate_ids_overlap(host: Host) -> Iterator[Answer]:
    for kind in ("subuid", "subgid"):
        ranges = _ranges(host, kind)
        shared = [
            (one, other)
            for one in ranges
            for other in ranges
            if one[0] in _names(host)
            and other[0] not in _names(host)
            and one[1] < other[1] + other[2]
            and other[1] < one[1] + one[2]
        ]
        for _, other in shared:
            yield warning(
                f"subordinate ids of {host.user} in /etc/{kind} are those of {other[0]}, too",
                f"sudoedit /etc/{kind}: give one of both others; then podman system migrate, and "
                "podman unshare chown what its containers own",
            )
        if ranges and not shared:
            yield ok(f"nobody else has the subordinate ids in /etc/{kind}")


def _names(host: Host) -> tuple[str, str]:
    return host.user, str(host.user_id)


def _ranges(host: Host, kind: str) -> list[tuple[str, int, int]]:
    """Return who has how many ids from which one on."""
    found = []
    for line in (host.read(f"/etc/{kind}") or "").splitlines():
        words = [word.strip() for word in line.split(":")]
        if len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():  # noqa: PLR2004
            found.append((words[0], int(words[1]), int(words[2])))
    return found


def _session_variables(host: Host) -> Answer:
    where = f"/run/user/{host.user_id}"
    said = host.environment.get("XDG_RUNTIME_DIR", "")
    bus = host.environment.get("DBUS_SESSION_BUS_ADDRESS", "")
    if said and said.rstrip("/") != where and said.startswith("/run/user/"):
        return error(
            f"XDG_RUNTIME_DIR is that of another user: {said}",
            "su keeps the session of who calls it; this gives one of its own: "
            f"machinectl shell {host.user}@",
            f"export XDG_RUNTIME_DIR={where}",
        )
    if bus.startswith("unix:path=/run/user/") and not bus.startswith(f"unix:path={where}/"):
        return error(
            f"DBUS_SESSION_BUS_ADDRESS is that of another user: {bus}",
            "su keeps the session of who calls it",
            f"export DBUS_SESSION_BUS_ADDRESS=unix:path={where}/bus",
        )
    if not said:
        return warning(
            "XDG_RUNTIME_DIR is not set in this shell, so systemctl --user and podman fail here",
            f"su and sudo -u give no session; log in, or: machinectl shell {host.user}@",
            f"export XDG_RUNTIME_DIR={where}",
        )
    return ok("this shell has a session")


def _user_manager(host: Host) -> Answer:
    found = host.machine.user_manager()
    return of_finding(found, f"systemd and the session bus of {host.user} run")


def _home_permissions(host: Host) -> Iterator[Answer]:
    try:
        mode = host.at(host.home).stat()
    except OSError as problem:
        yield error(f"the home folder {host.home} cannot be read: {problem.strerror}")
        return
    if mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode.st_mode & stat.S_ISVTX:
        yield warning(
            f"others may write into {host.home}", "", f"chmod go-w {host.home}", fixable=True
        )
    else:
        yield ok(f"nobody else may write into {host.home}")


def _home_place(host: Host) -> Answer | None:
    found = host.mount_of(host.home)
    if found is None:
        return unknown(f"no mount table says what {host.home} is on")
    if found.kind in _NETWORK_KINDS:
        return warning(
            f"the home folder is on {found.kind} ({found.device})",
            "keep images elsewhere: graphroot in ~/.config/containers/storage.conf names a folder "
            "on a disk of this machine",
        )
    return ok(f"the home folder is on {found.kind}")


def _kernel_keys(host: Host) -> Answer | None:
    """Each container takes a keyring of the user's, unless Podman is told not to."""
    for line in (host.read("/proc/key-users") or "").splitlines():
        owner, _, rest = line.partition(":")
        words = rest.split()
        if owner.strip() != str(host.user_id) or len(words) < 3:  # noqa: PLR2004
            continue
        used, _, most = words[2].partition("/")
        if not (used.isdecimal() and most.isdecimal()):
            continue
        if int(used) >= _FULL * int(most):
            return warning(
                f"{used} of {most} kernel keys of {host.user} are taken",
                "or write keyring = false below [containers] of containers.conf",
                "echo kernel.keys.maxkeys=2000 | sudo tee /etc/sysctl.d/50-keys.conf",
                "sudo sysctl --system",
            )
        return ok(f"{used} of {most} kernel keys are taken")
    return None


CHECKS = (
    Check(
        "rootless",
        Group.ACCOUNT,
        "podvisor looks after the containers of one ordinary user",
        _rootless,
    ),
    Check(
        "lingering",
        Group.ACCOUNT,
        "without it systemd ends all services of a user with the last login, and starts none at "
        "boot",
        _lingering,
    ),
    Check(
        "subordinate-ids",
        Group.ACCOUNT,
        "a rootless container has users of its own, which the kernel takes from these ids",
        _subordinate_ids,
    ),
    Check(
        "subordinate-ids-size",
        Group.ACCOUNT,
        "an image with a file of a user beyond them cannot be unpacked",
        _subordinate_ids_size,
    ),
    Check(
        "subordinate-ids-overlap",
        Group.ACCOUNT,
        "containers of both users can read and change each other's files",
        _subordinate_ids_overlap,
    ),
    Check(
        "session-variables",
        Group.ACCOUNT,
        "programs find the user's systemd, bus and Podman by them",
        _session_variables,
    ),
    Check(
        "user-manager", Group.ACCOUNT, "systemd runs the containers, for this user", _user_manager
    ),
    Check(
        "home-permissions",
        Group.ACCOUNT,
        "whoever may write there may have containers run as this user",
        _home_permissions,
    ),
    Check(
        "home-place",
        Group.ACCOUNT,
        "files of a container's own users cannot be kept on a network's file system",
        _home_place,
    ),
    Check(
        "kernel-keys",
        Group.ACCOUNT,
        "each container takes one; without one left it does not start: “disk quota exceeded”",
        _kernel_keys,
    ),
)
