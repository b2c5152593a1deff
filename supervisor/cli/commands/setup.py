"""`podvisor setup`: from an installed podvisor to a running service, saying every command."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from supervisor import __version__
from supervisor.adapters.host.checks import Machine
from supervisor.cli import codes
from supervisor.cli.commands.init import write_settings
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.local.page_token import read_token
from supervisor.cli.local.page_units import SERVICE, SOCKET, page_units
from supervisor.cli.local.replicas import apps_with_replicas
from supervisor.cli.local.unit_file import service_text
from supervisor.cli.show import screen
from supervisor.cli.show.screen import say
from supervisor.core.config.reader import Reading, read_settings
from supervisor.model.web_settings import WebSettings

_SERVICE = "podvisor.service"
_SOCKET_PATIENCE_SECONDS = 60.0  # the first start compiles first: seconds of a small board
_SESSION_PATIENCE_SECONDS = 10.0
_STATUS_PATIENCE_SECONDS = 10.0


@click.command(
    short_help="Make podvisor a service of this user.",
    epilog=codes.epilog(
        c0="the service runs",
        c1="something is missing that needs you (or root)",
        examples=("podvisor setup --dry-run",),
    ),
)
@click.option("--undo", is_flag=True, help="Stop and disable podvisor; what it deployed goes on.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def command(config: str, undo: bool, dry_run: bool) -> int:
    """Look for what podvisor needs, mend what can be mended as this user, start the service.

    Says every command before it is run; what needs root is only said. It can be repeated.
    """
    machine = Machine()
    os.environ.setdefault("XDG_RUNTIME_DIR", str(machine.runtime))
    hands = _Hands(dry_run=dry_run)
    if undo:
        return _undo(hands)
    return _set_up(machine, hands, config)


class _Hands:
    """Does things, and says so first; with `dry_run` says so only."""

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run

    def run(self, *words: str) -> bool:
        """Run a command; whether it went well. What it writes is shown."""
        say(("  $ ", "dim"), shlex.join(words))
        if self.dry_run:
            return True
        try:
            return subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode == 0
        except OSError as error:
            say(("    ✗ ", "bad"), f"{words[0]}: {error.strerror}")
            return False

    def write(self, path: Path, text: str) -> None:
        """Replace a file."""
        say(("  write ", "dim"), places.shown(str(path)))
        if self.dry_run:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            new.write_text(text)
            new.replace(path)
        except OSError as error:
            message = f"cannot write {places.shown(str(path))}: {error.strerror}"
            raise Refused(message) from error


def _set_up(machine: Machine, hands: _Hands, config: str) -> int:
    say(("What podvisor needs", "strong"))
    blocked = _look(machine)
    reading = _read_settings(config)
    say()
    if blocked:
        message = "cannot set up: what is marked ✗ needs you, or root"
        raise Refused(message, hint="then run podvisor setup again")
    if reading and reading.settings is None:
        raise Refused(
            "cannot set up: the settings are refused", hint=f"mend {places.shown(config)} first"
        )
    web = reading.settings.web if reading and reading.settings else WebSettings()
    if web.token.kind == "file":
        read_token(web.token)
    say(("What is done" if not hands.dry_run else "What would be done", "strong"))
    _linger(machine, hands)
    if reading is None:
        say(("  write ", "dim"), places.shown(config))
        if not hands.dry_run:
            write_settings(Path(config))
    renewed = _write_unit(machine, hands, config)
    page_changed = _write_page_units(machine, hands, web)
    if not hands.run("systemctl", "--user", "daemon-reload"):
        raise Refused("cannot reach the systemd of this user")
    if not hands.run("systemctl", "--user", "enable", "--now", "podman.socket"):
        raise Refused("cannot start Podman's socket", hint="systemctl --user status podman.socket")
    running = _running()
    if web.listen:
        _start_page(hands, web, anew=page_changed)
    # --no-block, for the service is ready only after its first pass, with all its pulls.
    enabled = hands.run("systemctl", "--user", "enable", "--now", "--no-block", _SERVICE)
    restarts = enabled and (renewed or (running is not None and _is_older(running)))
    if restarts:
        enabled = hands.run("systemctl", "--user", "try-restart", "--no-block", _SERVICE)
    if not enabled:
        raise Refused("cannot start podvisor", hint=f"systemctl --user status {_SERVICE}")
    # Not by systemd: it makes a reload wait for the end of the start, with all its pulls.
    if running and not restarts and not hands.run(*_own_command(), "reload"):
        raise Refused("cannot have podvisor read its settings anew", hint="podvisor status")
    if hands.dry_run:
        return codes.OK
    before = running if restarts else None
    if not _wait(lambda: _answers(instead_of=before), _SOCKET_PATIENCE_SECONDS):
        raise Refused(
            "it was started, but does not answer",
            hint=f"journalctl --user -u {_SERVICE} -n 20 says why",
        )
    say()
    say(("✓ ", "good"), "podvisor runs. ", ("podvisor status", "strong"), " shows how all stands.")
    if reading is None or not (reading.settings and reading.settings.sources):
        say(
            ("! ", "warn"),
            f"It has nothing to deploy yet: name a source in {places.shown(config)},",
        )
        say("  then ", ("podvisor reload", "strong"))
    return codes.OK


def _look(machine: Machine) -> bool:
    """Show what is there and what is not; whether something is missing that stops us."""
    version, podman = "", machine.podman()
    if podman is None:
        version, podman = machine.podman_version()
    needed = {
        "an ordinary user": machine.rootless(),
        "control groups version 2": machine.control_groups(),
        f"Podman {version} with its Quadlet generator": podman,
        f"subordinate ids of {machine.user}": machine.subordinate_ids(),
        "a network that is known to be up": machine.network_online(),
    }
    if machine.lingering() is None or machine.user_manager() is None:
        needed[f"the systemd of {machine.user}"] = machine.user_manager()
    for title, found in needed.items():
        if found is None:
            say(("  ✓ ", "good"), title)
        else:
            screen.finding(found)
    return any(found is not None and found.fatal for found in needed.values())


def _linger(machine: Machine, hands: _Hands) -> None:
    if machine.lingering() is None:
        return
    if not hands.run("loginctl", "enable-linger"):
        raise Refused(
            f"cannot enable lingering for {machine.user}",
            hint=f"sudo loginctl enable-linger {machine.user}, then podvisor setup again",
        )
    if not hands.dry_run and not _wait(
        lambda: machine.user_manager() is None, _SESSION_PATIENCE_SECONDS
    ):
        found = machine.user_manager()
        raise Refused(found.message if found else "the session came late", hint="try once more")


def _read_settings(config: str) -> Reading | None:
    """Show whether the settings can be used; None if there are none yet."""
    try:
        reading = read_settings(Path(config).read_text(), path=places.shown(config))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"cannot read {places.shown(config)}: {error}") from error
    if reading.settings:
        say(("  ✓ ", "good"), f"the settings in {places.shown(config)}")
    for found in reading.findings:
        screen.finding({"message": str(found), "fatal": found.fatal})
    return reading


def _write_unit(machine: Machine, hands: _Hands, config: str) -> bool:
    """Write the service; whether there was another one before, which may be running."""
    words = [*_own_command()]
    if config != os.path.abspath(places.config_file()):  # noqa: PTH100 - of two texts
        words += ["--config", config]
    text = service_text(words, systemd_version=machine.systemd_version())
    path = Path(places.unit_file())
    before = path.read_bytes() if path.exists() else None
    if before == text.encode():
        return False
    hands.write(path, text)
    return before is not None


def _write_page_units(machine: Machine, hands: _Hands, web: WebSettings) -> bool:
    """Write the units of the page, or remove them; whether they are others than before."""
    if not web.listen:
        _remove_page(hands)
        return False
    folder = Path(places.unit_file()).parent
    python = [sys.executable, "-m", "supervisor"]
    wanted = page_units(web, python=python, alone=machine.can_isolate())
    changed = False
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            hands.write(path, text)
            changed = True
    return changed


def _start_page(hands: _Hands, web: WebSettings, *, anew: bool) -> None:
    if anew:
        hands.run("systemctl", "--user", "stop", SOCKET, SERVICE)
    elif web.token:  # it may be another one: the next who looks has it read anew
        hands.run("systemctl", "--user", "stop", SERVICE)
    if not hands.run("systemctl", "--user", "enable", "--now", SOCKET):
        raise Refused("cannot listen for the page", hint=f"systemctl --user status {SOCKET}")


def _remove_page(hands: _Hands) -> None:
    """Take the units of the page away, if they are there."""
    paths = [Path(places.unit_file()).with_name(name) for name in (SOCKET, SERVICE)]
    if any(path.exists() for path in paths):
        hands.run("systemctl", "--user", "disable", "--now", SOCKET)
        hands.run("systemctl", "--user", "stop", SERVICE)
    for path in paths:
        if path.exists():
            say(("  remove ", "dim"), places.shown(str(path)))
            if not hands.dry_run:
                path.unlink(missing_ok=True)


def _running() -> dict[str, Any] | None:
    """Return the status of the daemon that runs; None if none does."""
    try:
        reply = ask("/v1/status", timeout_seconds=_STATUS_PATIENCE_SECONDS)
        told = json.loads(reply)
    except (NotRunning, Refused, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _answers(*, instead_of: dict[str, Any] | None) -> bool:
    """Whether a daemon answers, another one than that one."""
    now = _running()
    return now is not None and (
        instead_of is None or now.get("started_at") != instead_of.get("started_at")
    )


def _is_older(running: dict[str, Any]) -> bool:
    """Whether the daemon is of another version, or was started before this one was installed."""
    installed_at = Path(__file__).stat().st_mtime
    return running.get("version") != __version__ or running.get("started_at", 0.0) < installed_at


def _own_command() -> list[str]:
    """Return how this podvisor is called from anywhere: as it is installed, or as a module."""
    beside = Path(sys.executable).with_name("podvisor")
    found = shutil.which("podvisor")
    if found and Path(found).resolve() == beside.resolve():
        return [found]  # a link in the PATH outlives the environment that it leads to
    if beside.exists():
        return [str(beside)]
    return [sys.executable, "-m", "supervisor"]


def _undo(hands: _Hands) -> int:
    path = Path(places.unit_file())
    say(("What is done" if not hands.dry_run else "What would be done", "strong"))
    if not path.exists():
        say("  Nothing: there is no ", places.shown(str(path)), ".")
        return codes.OK
    if not hands.run("systemctl", "--user", "disable", "--now", _SERVICE):
        raise Refused("cannot stop podvisor", hint=f"systemctl --user status {_SERVICE}")
    say(("  remove ", "dim"), places.shown(str(path)))
    if not hands.dry_run:
        path.unlink(missing_ok=True)
    _remove_page(hands)
    hands.run("systemctl", "--user", "daemon-reload")
    say()
    say("What it deployed keeps running, and starts at boot. It is in")
    say(f"  {places.shown(places.quadlet_folder())}")
    if apps := apps_with_replicas(places.quadlet_folder()):
        say(("! ", "warn"), f"but for replicas ({', '.join(apps)}): podvisor starts these,")
        say("  so without it none of them runs after a boot, nor comes back when it ends.")
    say("To remove an app: systemctl --user stop its units, remove its folder there, and")
    say("systemctl --user daemon-reload. Settings, ledger, lingering and podman.socket stay.")
    return codes.OK


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
