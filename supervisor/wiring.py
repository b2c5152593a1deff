"""Composition root: from settings and the environment to adapters, from these to controllers.

The only module that knows which adapter serves which port.
"""

import os
import pwd
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from supervisor import __version__
from supervisor.adapters.files.folder import OwnedFolder
from supervisor.adapters.files.watch import SourceFolders
from supervisor.adapters.forge.commit_status import CommitStatusSender
from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.host.checks import prerequisites
from supervisor.adapters.host.probe import NetworkProber
from supervisor.adapters.host.watch import HostWatch
from supervisor.adapters.ledger.reader import ReadOnlyLedger
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.adapters.oidc.tokens import TokenVerifier
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.secrets.decryptor import SecretOpener
from supervisor.adapters.secrets.references import SecretReader
from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.api.webhooks import WebhookListener
from supervisor.controllers import ports
from supervisor.controllers.apps.diff import Differ
from supervisor.controllers.apps.executor import Executor
from supervisor.controllers.apps.health import HealthController
from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.apps.observer import Observer
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.apps.reconciler import AppController
from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.loop import Loop
from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.operator.reload import SettingsReloader
from supervisor.controllers.operator.service import ControlService
from supervisor.controllers.operator.status import StatusService
from supervisor.controllers.sources.commit_status import CommitStatusController
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.sources.webhook_tester import WebhookTester
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.overrides import Overrides
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.watches import Watches
from supervisor.core.config.reader import Reading, read_settings
from supervisor.kit.clock import Clock, SystemClock
from supervisor.kit.notify import Notifier
from supervisor.kit.threads import aside
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.check import Check
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.errors import Finding, Stalled
from supervisor.model.plan import Plan
from supervisor.model.secret import SecretList
from supervisor.model.settings import Settings

__all__ = ["prerequisites"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things are, for this user."""

    config: Path
    state: Path
    runtime: Path
    quadlets: Path
    """The user's Quadlet folder, below which podvisor owns `podvisor/`."""
    user_units: Path
    podman_socket: Path

    @classmethod
    def from_environment(cls, config: Path | None = None) -> "Paths":
        """Read $HOME and the XDG variables. Raises Stalled without a runtime folder."""
        home = Path.home()
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if not runtime:
            raise Stalled(
                "cannot start: XDG_RUNTIME_DIR is not set, so there is no user session",
                hint=f"loginctl enable-linger {home.name}, then log in anew (not with su)",
            )
        settings = _user_settings()
        state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
        return cls(
            config=config or settings / "podvisor" / "config.toml",
            state=state / "podvisor",
            runtime=Path(runtime) / "podvisor",
            quadlets=settings / "containers" / "systemd",
            user_units=settings / "systemd" / "user",
            podman_socket=Path(runtime) / "podman" / "podman.sock",
        )

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.runtime / "control.sock"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One adapter for each port."""

    reader: ports.SourceReader
    generator: ports.Generator
    folder: ports.Folder
    systemd: ports.Systemd
    podman: ports.Podman
    secrets: ports.Secrets
    opener: ports.SecretOpener
    tokens: ports.Tokens
    listener: WebhookListener
    git_host: ports.GitHost
    prober: ports.Prober
    folders: ports.FolderWatch
    host: ports.Host
    ledger: ports.Ledger
    clock: Clock
    aside: ports.Aside
    configure: Callable[[Settings], None]
    """Hand other settings to the adapters that hold some."""
    close: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """The controllers, wired."""

    clock: Clock
    ledger: ports.Ledger
    board: StatusBoard
    queue: WorkQueue
    loop: Loop
    service: ControlService
    watches: Watches
    webhooks: Callable[..., Coroutine[Any, Any, None]]
    """Serves the listener for webhooks, until cancelled; `started` at once."""
    ready: list[bool]
    settings: SettingsReloader
    close: Callable[[], None]


def _user_settings() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def load_settings(path: Path) -> Reading:
    """Read the settings file; a file that cannot be read is a finding too."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        finding = Finding(
            message="there are no settings", path=str(path), hint="podvisor init writes them"
        )
        return Reading(settings=None, findings=(finding,))
    except (OSError, UnicodeDecodeError) as error:
        finding = Finding(message=f"cannot read the settings: {error}", path=str(path))
        return Reading(settings=None, findings=(finding,))
    return read_settings(text, path=str(path))


def make_ports(settings: Settings, paths: Paths, *, scratch: Path | None = None) -> Ports:
    """Make the adapters. Nothing is asked of the outside yet.

    With `scratch`, whatever they have to write goes into that folder: they work on what the daemon
    has written, beside it or without it, and leave that as it is.
    """
    clock = SystemClock()
    state, runtime = (scratch, scratch) if scratch else (paths.state, paths.runtime)
    ledger = SqliteLedger(state / paths.ledger.name, settings=settings.ledger, clock=clock)
    if scratch:
        with ReadOnlyLedger(paths.ledger) as there:
            there.copy_to(ledger)
    systemd = SystemdManager()
    podman = PodmanClient(paths.podman_socket)
    secrets = SecretReader(podman.secret)
    reader = GitSources(
        folder=state / "sources",
        limits=settings.limits,
        read_secret=secrets.read,
        installed=paths.quadlets / "podvisor",
        base=paths.state / "sources" if scratch else None,
    )
    opener = SecretOpener(
        state=paths.state,
        runtime=paths.runtime,
        identity=settings.secrets.identity,
        read=secrets.read,
    )

    def configure(new: Settings) -> None:
        ledger.configure(new.ledger)
        reader.configure(new.limits)
        opener.identity = new.secrets.identity

    def close() -> None:
        systemd.close()
        ledger.close()

    return Ports(
        reader=reader,
        generator=QuadletGenerator(stage=runtime / "stage", quadlets=paths.quadlets),
        folder=OwnedFolder(
            root=paths.quadlets / "podvisor", user_units=paths.user_units, memory=ledger
        ),
        systemd=systemd,
        podman=podman,
        secrets=secrets,
        opener=opener,
        tokens=TokenVerifier(),
        listener=WebhookListener(),
        git_host=CommitStatusSender(),
        prober=NetworkProber(),
        folders=SourceFolders(),
        host=HostWatch(),
        ledger=ledger,
        clock=clock,
        aside=aside,
        configure=configure,
        close=close,
    )


def assemble(
    settings: Settings, given: Ports, *, notifier: Notifier, config: Path | None = None
) -> Daemon:
    """Wire the controllers over the ports; `config` is the settings file that is told of."""
    queue = WorkQueue()
    board = StatusBoard(version=__version__, config=str(config or ""), started_at=given.clock.now())
    board.ledger_problem = given.ledger.problem
    overrides = Overrides(ledger=given.ledger, clock=given.clock)
    images = ImageController(
        podman=given.podman, ledger=given.ledger, clock=given.clock, name_key=queue.add
    )
    words = LastWords(systemd=given.systemd, podman=given.podman, host=given.host)
    secrets = SecretController(
        opener=given.opener,
        podman=given.podman,
        reader=given.reader,
        ledger=given.ledger,
        words=words,
    )
    executor = Executor(
        reader=given.reader,
        folder=given.folder,
        systemd=given.systemd,
        podman=given.podman,
        words=words,
        ledger=given.ledger,
        clock=given.clock,
        want_image=images.want,
        secrets=secrets,
        doing=board.doing,
    )
    probes = ProbeController(prober=given.prober, clock=given.clock)
    health = HealthController(
        systemd=given.systemd, podman=given.podman, words=words, clock=given.clock
    )
    executor.settings = images.settings = settings.repair
    webhooks = WebhookController(
        settings=settings,
        listener=given.listener,
        secrets=given.secrets,
        tokens=given.tokens,
        ledger=given.ledger,
        queue=queue,
        clock=given.clock,
    )
    board.webhook_of, board.webhooks = webhooks.status_of, webhooks.status
    desired_state = _desired_state(settings, given)
    board.source_findings = lambda: desired_state.source_findings
    statuses = CommitStatusController(
        git_host=given.git_host,
        secrets=given.secrets,
        desired_state=desired_state,
        ledger=given.ledger,
        board=board,
        clock=given.clock,
        is_busy=queue.is_busy,
    )

    def app_controller(of: DesiredState) -> AppController:
        return AppController(
            desired_state=of,
            observer=Observer(
                systemd=given.systemd,
                podman=given.podman,
                folder=given.folder,
                words=words,
                ledger=given.ledger,
                overrides=overrides,
                health=health,
                probes=probes,
                secrets=secrets,
            ),
            executor=executor,
            systemd=given.systemd,
            folder=given.folder,
            reader=given.reader,
            ledger=given.ledger,
            overrides=overrides,
            board=board,
            clock=given.clock,
            images=images,
            health=health,
            probes=probes,
            aside=given.aside,
        )

    def tell() -> None:
        queue.add(*statuses.due())
        if ready:
            notifier.status(board.summary())

    def watchdog() -> float:
        notifier.watchdog()
        return notifier.watchdog_seconds / 2

    ready: list[bool] = []
    loop = Loop(
        queue=queue,
        desired_state=desired_state,
        sources=SourceController(
            reader=given.reader,
            desired_state=desired_state,
            ledger=given.ledger,
            board=board,
            clock=given.clock,
        ),
        apps=app_controller(desired_state),
        images=images,
        health=health,
        probes=probes,
        webhooks=webhooks,
        statuses=statuses,
        folders=given.folders,
        board=board,
        clock=given.clock,
        on_resync=given.podman.recheck,
        on_rest=tell,
        on_watchdog=watchdog,
    )

    async def take_settings(new: Settings) -> None:
        given.configure(new)
        executor.settings = images.settings = new.repair
        await loop.take_settings(new)

    reloader = SettingsReloader(
        load=lambda: load_settings(config) if config else Reading(settings=desired_state.settings),
        take=take_settings,
        in_force=lambda: desired_state.settings,
        leaving=desired_state.leaving,
        shown=str(config or ""),
        ledger=given.ledger,
        clock=given.clock,
    )
    board.settings_findings = reloader.findings
    return Daemon(
        clock=given.clock,
        ledger=given.ledger,
        board=board,
        queue=queue,
        loop=loop,
        service=ControlService(
            statuses=StatusService(
                queue=queue,
                loop=loop,
                desired_state=desired_state,
                systemd=given.systemd,
                board=board,
                clock=given.clock,
            ),
            queue=queue,
            loop=loop,
            desired_state=desired_state,
            reader=given.reader,
            ledger=given.ledger,
            overrides=AppActions(
                queue=queue,
                desired_state=desired_state,
                ledger=given.ledger,
                overrides=overrides,
                board=board,
                clock=given.clock,
            ),
            board=board,
            clock=given.clock,
            planning=app_controller,
            secrets=secrets,
            new_desired_state=lambda: _desired_state(desired_state.settings, given),
            differ=lambda of: Differ(desired_state=of, reader=given.reader, folder=given.folder),
            settings=reloader,
            webhook_tester=WebhookTester(
                listener=given.listener,
                authenticator=webhooks.authenticator,
                queue=queue,
                board=board,
                clock=given.clock,
            ),
        ),
        watches=Watches(
            queue=queue,
            desired_state=desired_state,
            systemd=given.systemd,
            folder=given.folder,
            podman=given.podman,
            folders=given.folders,
            host=given.host,
            on_resume=loop.resume,
            on_network=loop.expedite,
            ledger=given.ledger,
            board=board,
            clock=given.clock,
        ),
        webhooks=partial(given.listener.run, webhooks.authenticator),
        ready=ready,
        settings=reloader,
        close=given.close,
    )


def _desired_state(settings: Settings, given: Ports) -> DesiredState:
    return DesiredState(
        reader=given.reader,
        generator=given.generator,
        folder=given.folder,
        ledger=given.ledger,
        overrides=Overrides(ledger=given.ledger, clock=given.clock),
        settings=settings,
        aside=given.aside,
        specifiers=_specifiers,
    )


def _specifiers() -> dict[str, str]:
    """What an overlay's specifiers stand for; a host can be renamed while podvisor runs."""
    host = os.uname().nodename
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = ""  # no folder has this name: the overlay says so
    return {"H": host, "l": host.partition(".")[0], "u": user}


async def offline_plan(
    config: Path | None, apps: Collection[str], *, prune_all: bool = False
) -> Plan:
    """Work out, without a daemon, what one would do now. Raises Stalled on refused settings."""
    return await _offline(config, lambda daemon: daemon.service.plan(apps, prune_all=prune_all))


async def _offline(config: Path | None, ask: Callable[[Daemon], Awaitable[T]]) -> T:
    """Ask a house of its own, which looks at everything and changes nothing of the daemon's."""
    import tempfile  # noqa: PLC0415

    paths = Paths.from_environment(config)
    reading = load_settings(paths.config)
    if reading.settings is None:
        raise Stalled("; ".join(str(finding) for finding in reading.findings))
    with tempfile.TemporaryDirectory(prefix="podvisor-") as scratch:
        given = make_ports(reading.settings, paths, scratch=Path(scratch))
        try:
            daemon = assemble(reading.settings, given, notifier=Notifier())
            return await ask(daemon)
        finally:
            given.close()


async def offline_diff(config: Path | None, apps: Collection[str], *, units: bool) -> Diff:
    """Show, without a daemon, what would change. Raises Stalled on refused settings."""
    request = DiffRequest(apps=tuple(apps), units=units)
    return await _offline(config, lambda daemon: daemon.service.diff(request))


async def offline_secrets(config: Path | None) -> SecretList:
    """Work out, without a daemon, how all secrets stand. Raises Stalled on refused settings."""

    async def ask(daemon: Daemon) -> SecretList:
        await daemon.loop.restore()
        return await daemon.service.secrets()

    return await _offline(config, ask)


async def webhook_secret(settings: Settings, source: str, paths: Paths) -> bytes:
    """Return what a source's webhooks are signed with. Raises Retry or Stalled."""
    reader = SecretReader(PodmanClient(paths.podman_socket).secret)
    return await reader.read(settings.sources[source].webhook_secret)


async def check(
    path: Path,
    *,
    config: Path,
    apps: Sequence[str] = (),
    ignore: Sequence[str] = (),
    overlay: str = "",
) -> Check:
    """Judge a folder, or a Git working copy as a clone of it would be; nothing is kept.

    What is not given is as the settings say, if they have a source that this is, or is a copy of.
    """
    import tempfile  # noqa: PLC0415

    from supervisor.adapters.git.working_copy import BRANCH, WorkingCopy  # noqa: PLC0415
    from supervisor.controllers.desired import checker  # noqa: PLC0415
    from supervisor.core.config.checking import settings_for_check, sources_of  # noqa: PLC0415

    folder = str(path.resolve())  # noqa: ASYNC240  # nothing else runs
    reading = load_settings(config)
    known = reading.settings or Settings()
    copy = await WorkingCopy.at(folder)
    origins = await copy.origins() if copy and copy.is_whole() else ()
    folders = {
        name: str(Path(one.folder).expanduser().resolve())  # noqa: ASYNC240
        for name, one in known.sources.items()
        if one.folder
    }
    sources = sources_of(folder, origins, known.sources, folders)
    with tempfile.TemporaryDirectory(prefix="podvisor-check-") as made:
        scratch = Path(made)
        place = {"folder": folder}
        if copy and not any(one.folder for one in sources.values()):
            await copy.commit_to(scratch / "copy.git")
            place = {"git": f"file://{scratch}/copy.git", "ref": BRANCH}
        settings = Settings(
            limits=known.limits,
            sources={
                name: settings_for_check(one, **place, apps=apps, ignore=ignore, overlay=overlay)
                for name, one in sources.items()
            },
        )
        reader = GitSources(folder=scratch / "sources", limits=settings.limits)
        clock = SystemClock()
        ledger = SqliteLedger(scratch / "ledger.db", settings=settings.ledger, clock=clock)
        generator = QuadletGenerator(
            stage=scratch / "stage", quadlets=_user_settings() / "containers" / "systemd"
        )
        desired_state = DesiredState(
            reader=reader,
            generator=generator,
            folder=OwnedFolder(root=scratch / "podvisor", user_units=scratch / "units"),
            ledger=ledger,
            overrides=Overrides(ledger=ledger, clock=clock),
            settings=settings,
            aside=aside,
            specifiers=_specifiers,
        )
        try:
            found = await checker.check(
                reader=reader,
                desired_state=desired_state,
                passed_over=lambda app: generator.passed_over(Path(folder), app),
            )
        finally:
            ledger.close()
    matched = tuple(name for name in sources if name in known.sources)
    unheeded: tuple[Finding, ...] = ()
    if reading.settings is None and config.exists():  # noqa: ASYNC240
        message = "these settings are refused, and count for nothing here"
        unheeded = (
            Finding(message=message, path=str(config), fatal=False),
            *(msgspec.structs.replace(one, fatal=False) for one in reading.findings),
        )
    return msgspec.structs.replace(found, sources=matched, findings=(*unheeded, *found.findings))
