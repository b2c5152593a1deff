"""The lines of units' containers that Podman keeps, by `podman logs`."""

import subprocess
from collections.abc import Iterator, Sequence

from supervisor.cli.local.journal import Line
from supervisor.core.status.container_lines import read_line

_TIMEOUT_SECONDS = 10.0


def container_lines(units: Sequence[str], *, newest: int = 0, since: float = 0.0) -> Iterator[Line]:
    """Yield lines of the containers of these units that run, each container's oldest first.

    The `newest` so many of each (0 is all) since a moment (0 is ever). None where Podman says
    nothing.
    """
    for unit, container in _containers(units):
        yield from _lines(unit, _lines_command(container, newest=newest, since=since))


def followed(unit: str, *, since: float) -> Iterator[Line]:
    """Yield lines of a unit's container that runs as they come, until it ends."""
    for _, container in _containers([unit]):
        yield from _lines(unit, _lines_command(container, since=since, follow=True))


def _containers_command(unit: str) -> list[str]:
    """Return what prints the ids of a unit's containers, a line each."""
    label = f"label=PODMAN_SYSTEMD_UNIT={unit}"
    return ["podman", "ps", "--quiet", "--no-trunc", f"--filter={label}"]


def _lines_command(
    container: str, *, newest: int = 0, since: float = 0.0, follow: bool = False
) -> list[str]:
    """Return what prints lines of a container, each with its moment, some to standard error.

    The `newest` so many (0 is all) since a moment (0 is ever).
    """
    words = ["podman", "logs", "--timestamps"]
    words += [f"--tail={newest}"] if newest else []
    words += [f"--since={since:.6f}"] if since else []
    words += ["--follow"] if follow else []
    return [*words, container]


def _containers(units: Sequence[str]) -> Iterator[tuple[str, str]]:
    for unit in units:
        try:
            done = subprocess.run(
                _containers_command(unit),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        for container in done.stdout.split() if done.returncode == 0 else ():
            yield unit, container


def _lines(unit: str, command: list[str]) -> Iterator[Line]:
    by = unit.removesuffix(".service")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for written in process.stdout or ():
                if found := read_line(written):
                    yield Line(found[0], unit, by, found[1])
        finally:
            process.terminate()
