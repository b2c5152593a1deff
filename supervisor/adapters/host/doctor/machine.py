"""Checks of the machine: control groups, limits of the kernel, time, disk, memory."""

import os
from collections.abc import Iterator
from pathlib import Path

from supervisor.adapters.host.doctor.host import Host, part
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
from supervisor.kit.texts import rough_size
from supervisor.model.doctor import Group

_CONTROLLERS = ("cpu", "memory", "pids")
_DELEGATE = (
    "sudo mkdir -p /etc/systemd/system/user@.service.d",
    (
        r"printf '[Service]\nDelegate=cpu cpuset io memory pids\n' | "
        "sudo tee /etc/systemd/system/user@.service.d/delegate.conf"
    ),
    "sudo systemctl daemon-reload",
)
_FEW_WATCHES, _FEW_INSTANCES = 8_192, 128
_NAMESPACES = 64
_NEARLY_FULL, _FULL = 0.90, 0.97
_LITTLE_MEMORY = 2 << 30
_SCARCE = 0.05
_TIME = ("--property=NTPSynchronized", "--property=NTP", "--property=CanNTP")


def _control_groups(host: Host) -> Answer:
    return of_finding(host.machine.control_groups(), "control groups are version 2")


def _delegation(host: Host) -> Answer:
    own = f"user.slice/user-{host.user_id}.slice/user@{host.user_id}.service"
    text = host.read(f"/sys/fs/cgroup/{own}/cgroup.controllers")
    if text is None:
        return unknown(f"the control group of the systemd of {host.user} is not there")
    missing = [one for one in _CONTROLLERS if one not in text.split()]
    if not missing:
        return ok(f"{', '.join(_CONTROLLERS)} are delegated to {host.user}")
    there = (host.read("/sys/fs/cgroup/cgroup.controllers") or "").split()
    absent = [one for one in missing if one not in there]
    if absent == ["memory"]:
        return warning(
            "the kernel has switched off memory accounting",
            "add cgroup_enable=memory to the one line of /boot/firmware/cmdline.txt (Raspberry Pi) "
            "or to the kernel's command line, and boot anew",
        )
    if absent:
        return warning(
            f"the kernel has no control group controllers {', '.join(absent)} (version 2)",
            "they may be in use by version 1: boot with systemd.unified_cgroup_hierarchy=1",
        )
    return warning(
        f"control group controllers are not delegated to {host.user}: {', '.join(missing)}",
        "then log in anew, or boot",
        *_DELEGATE,
    )


def _user_namespaces(host: Host) -> Iterator[Answer]:
    allowed = host.number("/proc/sys/kernel/unprivileged_userns_clone")
    most = host.number("/proc/sys/user/max_user_namespaces")
    restricted = host.number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    before = "sudo sysctl --system"
    if allowed == 0:
        yield error(
            "the kernel lets ordinary users make no user namespaces "
            "(kernel.unprivileged_userns_clone=0)",
            "",
            "echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/50-userns.conf",
            before,
        )
    if most is not None and most < _NAMESPACES:
        yield (error if most == 0 else warning)(
            f"there may be {most} user namespaces (user.max_user_namespaces)",
            "",
            "echo user.max_user_namespaces=28633 | sudo tee /etc/sysctl.d/50-userns-most.conf",
            before,
        )
    if restricted:
        profiles = host.files("/etc/apparmor.d", "*podman*")
        if not profiles:
            yield warning(
                "AppArmor keeps user namespaces from programs without a profile, and Podman has "
                "none (kernel.apparmor_restrict_unprivileged_userns=1)",
                "a profile as Ubuntu ships it: profile podman /usr/bin/podman "
                "flags=(unconfined) { userns, } in /etc/apparmor.d/podman",
                "sudo apt install --reinstall apparmor",
            )
    if allowed != 0 and (most is None or most >= _NAMESPACES) and not restricted:
        yield ok("ordinary users may make user namespaces")
    elif restricted and host.files("/etc/apparmor.d", "*podman*"):
        yield ok("AppArmor lets Podman make user namespaces")


def _selinux(host: Host) -> Answer | None:
    enforcing = host.number("/sys/fs/selinux/enforce")
    if enforcing is None:
        return None
    if not enforcing:
        return ok("SELinux only warns")
    return info(
        "SELinux is enforcing",
        "folders that containers mount need :z (shared) or :Z (of one container) behind them",
    )


def _inotify(host: Host) -> Iterator[Answer]:
    for name, least, better in (
        ("max_user_watches", _FEW_WATCHES, 65_536),
        ("max_user_instances", _FEW_INSTANCES, 512),
    ):
        limit = host.number(f"/proc/sys/fs/inotify/{name}")
        if limit is None:
            yield unknown(f"the kernel does not say fs.inotify.{name}")
        elif limit < least:
            yield warning(
                f"fs.inotify.{name} is {limit}",
                "",
                f"echo fs.inotify.{name}={better} | sudo tee /etc/sysctl.d/50-inotify-{name}.conf",
                "sudo sysctl --system",
            )
        else:
            yield ok(f"fs.inotify.{name} is {limit}")


def _time_synchronised(host: Host) -> Answer:
    said = host.asked("timedatectl", "show", *_TIME)
    values = dict(line.partition("=")[::2] for line in said.out.splitlines())
    if "NTPSynchronized" not in values:
        return unknown(f"timedatectl does not say whether the time is right: {said.last_words}")
    if values["NTPSynchronized"] == "yes":
        return ok("the time is synchronised")
    if values.get("NTP") == "yes":
        return warning(
            "the time is not synchronised yet",
            "timedatectl timesync-status says with whom it tries",
        )
    if values.get("CanNTP") == "no":
        return warning(
            "the time is not synchronised, and no program is there for it",
            "",
            "sudo apt install systemd-timesyncd",
        )
    return warning("the time is not synchronised", "", "sudo timedatectl set-ntp true")


def _disk(host: Host) -> Iterator[Answer]:
    """Look at the file systems that images, state and settings are on, each once."""
    graph_root = part(host.podman_info(), "store", "graphRoot")
    seen = set()
    for place in (str(graph_root or host.data), str(host.home), "/var/tmp"):  # noqa: S108
        there = _nearest(host, place)
        try:
            device, figures = there.stat().st_dev, host.disk(there)
        except OSError as problem:
            yield unknown(f"{place}: {problem.strerror}")
            continue
        if device in seen:
            continue
        seen.add(device)
        yield from _fullness(host.shown(place), figures)


def _nearest(host: Host, place: str) -> Path:
    path = host.at(place)
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _fullness(place: str, figures: os.statvfs_result) -> Iterator[Answer]:
    usable = figures.f_blocks - figures.f_bfree + figures.f_bavail
    taken = 1 - figures.f_bavail / usable if usable else 0.0
    free = figures.f_bavail * figures.f_frsize
    clean = "podman system df says what takes it; podman image prune removes what nobody uses"
    text = f"{taken:.0%} of the disk of {place} is taken, {rough_size(free)} are free"
    if taken >= _NEARLY_FULL:
        yield (error if taken >= _FULL else warning)(text, clean)
    else:
        yield ok(text)
    if figures.f_files:
        used = 1 - figures.f_favail / figures.f_files
        if used >= _NEARLY_FULL:
            yield (error if used >= _FULL else warning)(
                f"{used:.0%} of the inodes of {place} are taken", clean
            )


def _memory(host: Host) -> Iterator[Answer]:
    lines = (host.read("/proc/meminfo") or "").splitlines()
    sizes = {}
    for line in lines:
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[1].isdecimal():
            sizes[words[0]] = int(words[1]) * 1024
    total, available = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    if not total:
        yield unknown("the kernel does not say how much memory there is")
        return
    text = f"{rough_size(available)} of {rough_size(total)} of memory can be had"
    if available < _SCARCE * total:
        yield warning(text, "systemd-cgtop --order=memory shows who has it")
    else:
        yield ok(text)
    swap, free = sizes.get("SwapTotal", 0), sizes.get("SwapFree", 0)
    swaps = host.read("/proc/swaps") or ""
    kind = "zram" if "/dev/zram" in swaps else "swap"
    if swap and free < _SCARCE * swap:
        yield warning(f"{kind} is full: {rough_size(free)} of {rough_size(swap)} are free")
    elif swap:
        yield ok(f"{rough_size(swap)} of {kind}")
    elif total < _LITTLE_MEMORY:
        yield info(
            f"there is no swap, and {rough_size(total)} of memory",
            "zram swaps into compressed memory: nothing is written to a card",
            "sudo apt install systemd-zram-generator",
        )


def _network_online(host: Host) -> Answer:
    return of_finding(host.machine.network_online(), "no container waits for a network in vain")


CHECKS = (
    Check(
        "control-groups",
        Group.MACHINE,
        "Podman and systemd count and limit by them",
        _control_groups,
    ),
    Check(
        "delegation",
        Group.MACHINE,
        "without these a limit of a container (Memory=, PidsLimit=) is refused or has no effect, "
        "and nobody knows what it uses",
        _delegation,
    ),
    Check("user-namespaces", Group.MACHINE, "a rootless container lives in one", _user_namespaces),
    Check(
        "selinux",
        Group.MACHINE,
        "what a container may not read, its log calls permission denied",
        _selinux,
    ),
    Check(
        "inotify",
        Group.MACHINE,
        "podvisor is told of changed files by it, and so are many programs in containers",
        _inotify,
    ),
    Check(
        "time",
        Group.MACHINE,
        "certificates, signatures, logins and windows for updates go by the clock",
        _time_synchronised,
    ),
    Check("disk", Group.MACHINE, "on a full one no image is pulled and nothing is written", _disk),
    Check("memory", Group.MACHINE, "when it runs out the kernel kills what uses most", _memory),
    Check(
        "network-online",
        Group.MACHINE,
        "Podman makes each container's unit wait for it",
        _network_online,
    ),
)
