"""Checks of Podman: its version, what it keeps where, how it makes networks."""

from collections.abc import Iterator
from typing import NamedTuple

from supervisor.adapters.host.checks import OLDEST_PODMAN
from supervisor.adapters.host.doctor.host import NO_PODMAN, PODMAN_INFO, Host, part
from supervisor.adapters.host.doctor.quadlets import quadlets
from supervisor.core.status.examination import (
    Answer,
    Check,
    error,
    info,
    of_finding,
    ok,
    unknown,
    warning,
)
from supervisor.model.doctor import Group

_NETWORK_KINDS = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p")
_NATIVE_OVERLAY = (5, 13)
"""The kernel from which on ordinary users mount overlays themselves."""
_FEW_LOCKS = 64


class Fault(NamedTuple):
    """A known fault, or a trap, of some versions of Podman."""

    since: tuple[int, ...]
    before: tuple[int, ...]
    text: str
    advice: str
    key: str = ""
    """Of a Quadlet file: it is told only where one has it."""


_FAULTS = (
    Fault(
        (5, 0),
        (5, 8),
        "may lose health checks where many start at once (systemd's rate limits)",
        "Podman 5.8 does not",
        "HealthCmd",
    ),
    Fault(
        (5, 8),
        (5, 8, 2),
        "may take double quotes in HealthCmd= apart",
        "Podman 5.8.2 does not",
        "HealthCmd",
    ),
    Fault(
        (6,),
        (99,),
        "takes all that podvisor deployed for one application of the name podvisor",
        "podman quadlet rm --recursive podvisor removes it all; podvisor brings it back",
    ),
)


def _installed(host: Host) -> Answer:
    return of_finding(host.machine.podman(), "Podman and its Quadlet generator are installed")


def _podman_version(host: Host) -> Answer | None:
    if host.machine.podman() is not None:
        return None
    version, found = host.machine.podman_version()
    return of_finding(found, f"Podman {version}")


def _faults(host: Host) -> Iterator[Answer]:
    text = str(part(host.podman_info(), "version", "Version") or "")
    version = _numbers(text)
    if version < OLDEST_PODMAN:
        return
    keys = {entry.key for one in quadlets(host) for entry in one.text.entries}
    told = [
        one
        for one in _FAULTS
        if one.since <= version < one.before and (not one.key or one.key in keys)
    ]
    for one in told:
        yield info(f"Podman {text} {one.text}", one.advice)
    if not told:
        yield ok(f"no fault of Podman {text} is known that concerns these apps")


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("-")[0].split(".")
    return tuple(int(one) for one in parts if one.isdecimal())


def _answers(host: Host) -> Answer | None:
    if host.machine.podman() is not None:
        return None
    if host.podman_info():
        return ok("Podman answers")
    said = host.asked(*PODMAN_INFO)
    return error(f"Podman does not work: {said.last_words}", "", "podman info")


def _api_socket(host: Host) -> Answer | None:
    if host.machine.podman() is not None:
        return None
    if host.machine.podman_socket() is None:
        return ok("Podman's API can be asked")
    return error(
        "Podman's API cannot be reached: its socket is not there",
        "",
        "systemctl --user enable --now podman.socket",
        fixable=True,
    )


def _storage_driver(host: Host) -> Answer:
    driver = part(host.podman_info(), "store", "graphDriverName")
    options = part(host.podman_info(), "store", "graphOptions") or {}
    if not driver:
        return unknown(NO_PODMAN)
    if driver == "vfs":
        return warning(
            "images are kept by the storage driver vfs: each layer is a whole copy",
            'driver = "overlay" in ~/.config/containers/storage.conf, then: podman system reset, '
            "which removes all containers, images and volumes of this user, so save them first",
        )
    if driver != "overlay":
        return info(f"images are kept by the storage driver {driver}", "overlay is what most use")
    kernel = _numbers(str(part(host.podman_info(), "host", "kernel") or "").replace("+", "-"))
    if "overlay.mount_program" in options and kernel >= _NATIVE_OVERLAY:
        return warning(
            "images are mounted by fuse-overlayfs, which this kernel makes unnecessary",
            "remove mount_program from storage.conf; containers that are there keep it until they "
            "are made anew",
        )
    return ok("images are kept by overlay, mounted by the kernel")


def _storage_place(host: Host) -> Answer:
    place = str(part(host.podman_info(), "store", "graphRoot") or host.data / "containers/storage")
    found = host.mount_of(place)
    if found is None:
        return unknown(f"no mount table says what {place} is on")
    if found.kind in _NETWORK_KINDS:
        return error(
            f"images are kept on {found.kind} ({found.device})",
            "graphroot in ~/.config/containers/storage.conf names a folder on a disk of this "
            "machine",
        )
    if found.kind == "tmpfs":
        return warning(f"images are kept in memory: {host.shown(place)} is on tmpfs")
    return ok(f"images are kept in {host.shown(place)}, on {found.kind}")


def _network(host: Host) -> Iterator[Answer]:
    about = part(host.podman_info(), "host")
    if not isinstance(about, dict):
        yield unknown(NO_PODMAN)
        return
    backend, tool = about.get("networkBackend"), about.get("rootlessNetworkCmd")
    if backend == "cni":
        yield warning(
            "networks are made by CNI, which Podman 6 does not know any more",
            'network_backend = "netavark" below [network] of containers.conf, then '
            "podman network create what was there",
            "sudo apt install netavark aardvark-dns",
        )
    elif not part(about, "networkBackendInfo", "path"):
        yield error("netavark is not installed", "", "sudo apt install netavark aardvark-dns")
    elif not part(about, "networkBackendInfo", "dns", "path"):
        yield error("aardvark-dns is not installed", "", "sudo apt install aardvark-dns")
    else:
        yield ok(f"networks are made by {backend}")
    if tool == "slirp4netns":
        yield warning(
            "containers reach the network by slirp4netns, which Podman 6 does not know any more",
            "and remove default_rootless_network_cmd from containers.conf",
            "sudo apt install passt",
        )
    elif tool == "pasta" and not part(about, "pasta", "executable"):
        yield error("pasta is not installed", "", "sudo apt install passt")
    elif tool:
        yield ok(f"containers reach the network by {tool}")


def _event_log(host: Host) -> Answer:
    logger = part(host.podman_info(), "host", "eventLogger")
    if not logger:
        return unknown(NO_PODMAN)
    if logger == "none":
        return warning(
            "Podman is told to log no events",
            'events_logger = "file" below [engine] of containers.conf',
        )
    return ok(f"Podman logs its events to {logger}")


def _database(host: Host) -> Answer | None:
    kind = part(host.podman_info(), "host", "databaseBackend")
    if kind == "boltdb":
        return warning(
            "Podman keeps its records in BoltDB, which Podman 6 does not know any more",
            "Podman 5.8 moves them to SQLite at a boot; do that before an upgrade to 6",
        )
    return ok(f"Podman keeps its records in {kind}") if kind else None


def _locks(host: Host) -> Answer | None:
    free = part(host.podman_info(), "host", "freeLocks")
    if not isinstance(free, int):
        return None
    if free < _FEW_LOCKS:
        return warning(
            f"Podman has {free} locks left for containers, pods and volumes",
            "num_locks = 4096 below [engine] of containers.conf, then podman system renumber with "
            "nothing running; podman volume ls shows what is left over",
        )
    return ok(f"Podman has {free} locks left")


CHECKS = (
    Check("podman-installed", Group.PODMAN, "it runs the containers", _installed),
    Check(
        "podman-version", Group.PODMAN, "older ones lack what podvisor asks for", _podman_version
    ),
    Check("podman-answers", Group.PODMAN, "nothing can be deployed", _answers),
    Check("podman-socket", Group.PODMAN, "podvisor asks Podman through it", _api_socket),
    Check("podman-faults", Group.PODMAN, "this version is known for it", _faults),
    Check("storage-driver", Group.PODMAN, "it costs space and time", _storage_driver),
    Check(
        "storage-place",
        Group.PODMAN,
        "a network's file system cannot hold files of a container's users, memory not for long",
        _storage_place,
    ),
    Check(
        "network", Group.PODMAN, "containers reach others, and each other's names, by it", _network
    ),
    Check(
        "event-log", Group.PODMAN, "podvisor looks everywhere whenever anything changes", _event_log
    ),
    Check("database", Group.PODMAN, "an upgrade of Podman may not find your containers", _database),
    Check("locks", Group.PODMAN, "each container, pod and volume takes one", _locks),
)
