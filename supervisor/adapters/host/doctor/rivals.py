"""Checks of who else changes containers here, and of what health checks ask of the machine."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from supervisor.adapters.host.doctor.host import NO_PODMAN, PODMAN_PS, Host, objects, part
from supervisor.core.status.examination import (
    Answer,
    Check,
    info,
    ok,
    unknown,
    warning,
)
from supervisor.kit.texts import count
from supervisor.model.doctor import Group

_UPDATERS = re.compile(
    r"(?:^|/)(watchtower|ouroboros|drydock|wud|whats-up-docker|tugtainer|shepherd|dockcheck)\b"
)
_UPDATES = re.compile(r"\bpodman\s+(?:pull|auto-update|image\s+pull)\b|\bdocker\s+pull\b")
_TIMER = "podman-auto-update.timer"
_CRON_FOLDERS = ("cron.d", "cron.daily", "cron.hourly", "cron.weekly")
_NANOSECONDS = 1_000_000_000
_MANY_RUNS = 12.0
"""A minute; at 100 ms each that is 2 % of a core."""
_MANY_IMAGES = 200


def _updaters(host: Host) -> Iterator[Answer]:
    found = [*_timer(host), *_containers(host), *_cron(host), *_units(host)]
    yield from found
    if not found:
        said = host.asked(*PODMAN_PS)
        yield unknown(NO_PODMAN) if said.code else ok("nobody else updates containers of this user")


def _timer(host: Host) -> Iterator[Answer]:
    said = host.asked("systemctl", "--user", "is-active", _TIMER)
    if said.out.strip() == "active":
        yield warning(
            f"{_TIMER} is active, and updates what follows an image, too",
            "what podvisor deployed follows images by AutoUpdate= and ImagePolicy= anyway",
            f"systemctl --user disable --now {_TIMER}",
        )


def _containers(host: Host) -> Iterator[Answer]:
    for one in host.containers():
        image = str(one.get("Image", "")).partition("@")[0]
        if _UPDATERS.search(image.rsplit(":", 1)[0]):
            names = one.get("Names") or ["?"]
            name = names[0] if isinstance(names, list) else str(names)
            yield warning(
                f"the container {name} ({image}) replaces containers behind systemd's back",
                "remove it, and let podvisor follow the images (ImagePolicy=)",
                f"podman stop {shlex.quote(name)}",
            )


def _cron(host: Host) -> Iterator[Answer]:
    said = host.asked("crontab", "-l")
    files: list[Path | str] = ["/etc/crontab"]
    files += (path for one in _CRON_FOLDERS for path in host.files(f"/etc/{one}", "*"))
    texts = [("crontab -l", said.out), *((str(path), host.read(path) or "") for path in files)]
    for place, text in texts:
        for line in text.splitlines():
            if not line.lstrip().startswith("#") and _UPDATES.search(line):
                yield warning(f"{place} pulls images: {line.strip()[:100]}", "remove the line")
                break


def _units(host: Host) -> Iterator[Answer]:
    for path in host.files(host.config / "systemd/user", "*.service"):
        if host.at(path).is_symlink():
            continue
        text = host.read(path) or ""
        if _UPDATES.search(text):
            yield warning(
                f"{host.shown(path)} pulls images",
                "if a timer starts it: let podvisor follow the images (ImagePolicy=)",
            )


def _health_checks(host: Host) -> Answer:
    said = host.asked(*PODMAN_PS)
    if said.code:
        return unknown(NO_PODMAN)
    intervals = _intervals(host)
    if not intervals:
        return ok("no running container has a health check of Podman's")
    runs = sum(60.0 / seconds for seconds in intervals)
    text = f"{count(len(intervals), 'health check')}, {runs:.0f} runs a minute"
    if runs < _MANY_RUNS:
        return ok(text)
    return warning(
        text,
        "that measures what each costs; what is well is asked less often with "
        'idle_interval = "5m" below [health] in the settings',
        "podvisor doctor --measure",
    )


def _intervals(host: Host) -> list[float]:
    """Return the seconds between two checks, of each running container that has one."""
    ids = [str(one.get("Id", "")) for one in host.containers() if one.get("State") == "running"]
    if not ids:
        return []
    said = host.asked("podman", "inspect", "--type=container", *ids)
    checks = [part(one, "Config", "Healthcheck") for one in objects(said.out) or ()]
    return [
        one["Interval"] / _NANOSECONDS
        for one in checks
        if part(one, "Interval") and (part(one, "Test") or ["NONE"])[0] != "NONE"
    ]


def _images_kept(host: Host) -> Answer | None:
    """Whether images that nobody uses take a lot: only Podman can tell."""
    number = part(host.podman_info(), "store", "imageStore", "number")
    if not isinstance(number, int):
        return None
    if number >= _MANY_IMAGES:
        return info(
            f"there are {number} images",
            "that removes those that nobody uses",
            "podman image prune",
        )
    return ok(count(number, "image"))


CHECKS = (
    Check(
        "second-updater",
        Group.APPS,
        "two that update the same containers undo each other's work, and only podvisor's is judged "
        "by a gate",
        _updaters,
    ),
    Check(
        "health-checks",
        Group.APPS,
        "each run starts three programs: 50 to 150 ms of CPU, and the machine never sleeps",
        _health_checks,
    ),
    Check("images", Group.APPS, "they take space", _images_kept),
)
