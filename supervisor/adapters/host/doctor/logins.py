"""Checks of the files by which the user tells Podman what to do: settings, logins."""

import json
import shlex
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

from supervisor.adapters.host.doctor.host import Host, part
from supervisor.core.status.examination import Answer, Check, error, ok, warning
from supervisor.model.doctor import Group

_PATTERNS = ("*.conf", "*.conf.d/*.conf")
_JSON = ("policy.json", "auth.json")
_VOLATILE = ("tmpfs", "ramfs")


def _settings_files(host: Host) -> Iterator[Answer]:
    folder = host.config / "containers"
    paths = [path for pattern in _PATTERNS for path in host.files(folder, pattern)]
    wrong = 0
    for path in [*paths, *(folder / name for name in _JSON)]:
        if not host.at(path).exists():
            continue
        text = host.read(path)
        trouble = "it cannot be read" if text is None else _trouble(path, text)
        if trouble:
            wrong += 1
            yield error(f"{host.shown(path)}: {trouble}", "mend or remove it")
    if not wrong:
        yield ok(f"Podman can read its settings in {host.shown(folder)}")


def _trouble(path: Path, text: str) -> str:
    try:
        if path.suffix == ".json":
            json.loads(text)
        else:
            tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        return str(problem)
    return ""


def _logins_kept(host: Host) -> Answer:
    """Whether `podman login` wrote where nothing outlives a boot."""
    named = host.environment.get("REGISTRY_AUTH_FILE")
    passing = Path(named) if named else host.runtime / "containers/auth.json"
    lasting = host.config / "containers/auth.json"
    mount = host.mount_of(passing)
    is_volatile = passing.is_relative_to("/run") or (mount and mount.kind in _VOLATILE)
    lost = sorted(_logins(host, passing) - _logins(host, lasting)) if is_volatile else []
    if not lost:
        return ok("logins to registries outlive a boot")
    seen = f"the login to {', '.join(lost)} is in {passing}, which a boot empties"
    if host.at(lasting).exists():
        each = (f"podman login --authfile {_quoted(lasting)} {shlex.quote(one)}" for one in lost)
        return warning(seen, "", *each)
    return warning(
        seen,
        "",
        f"mkdir -p {_quoted(lasting.parent)}",
        f"mv -n {_quoted(passing)} {_quoted(lasting)}",
        fixable=True,
    )


def _logins(host: Host, path: Path) -> set[str]:
    try:
        found = json.loads(host.read(path) or "{}")
    except (ValueError, RecursionError):
        return set()
    logins = part(found, "auths")
    return set(map(str, logins)) if isinstance(logins, dict) else set()


def _logins_private(host: Host) -> Iterator[Answer]:
    for path in (host.config / "containers/auth.json", host.home / ".docker/config.json"):
        try:
            mode = host.at(path).stat().st_mode
        except OSError:
            continue
        if stat.S_IMODE(mode) & 0o077:
            yield warning(
                f"others may read {host.shown(path)}",
                "",
                f"chmod 600 {_quoted(path)}",
                fixable=True,
            )
        else:
            yield ok(f"nobody else may read {host.shown(path)}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


CHECKS = (
    Check(
        "podman-settings",
        Group.PODMAN,
        "Podman refuses to start, or runs without them",
        _settings_files,
    ),
    Check(
        "logins-kept",
        Group.PODMAN,
        "after a boot no private image can be pulled any more",
        _logins_kept,
    ),
    Check("logins-private", Group.PODMAN, "there are passwords in it", _logins_private),
)
