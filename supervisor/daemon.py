"""The daemon: the root task group, signals and readiness.

Tasks, all below the one root group, and what goes in and out of each:

| task | in | out |
| --- | --- | --- |
| loop | keys from the queue | passes; keys that are due later |
| watches (five) | D-Bus signals, inotify, netlink | keys; what waits is hurried |
| control | requests on the control socket | keys, status, plans |
| questions | the same, but no orders, on a socket for the page | status |
| page orders | the same, on a socket that the page has where it may order | keys, status, plans |
| webhooks | requests from the network, if the settings say so | keys |
| signals | SIGTERM, SIGINT, SIGHUP | the end; settings read anew |
| readiness | the end of the first pass | READY=1, once |
"""

import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio

from supervisor import __version__
from supervisor.adapters.host.checks import Machine
from supervisor.adapters.host.journal_writer import JournalWriter
from supervisor.api import control, last_status
from supervisor.controllers.isolate import leaves
from supervisor.controllers.keys import Kind
from supervisor.controllers.state.last_run import tell_start
from supervisor.kit.sd_notify import Notifier
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.events import EventKind
from supervisor.wiring.daemon import Daemon, assemble
from supervisor.wiring.environment import Paths, load_settings
from supervisor.wiring.ports import Ports, make_ports

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_SETTINGS = 78
"""The settings, or the ledger of a podvisor too new, are refused (EX_CONFIG of sysexits.h).

Only a person can mend that: systemd does not start it again.
"""

_EXTEND_EVERY_SECONDS = 60.0
_AT_REST_SECONDS = 5.0

log = logging.getLogger(__name__)


async def run(config: Path, *, wrap: Callable[[Ports], Ports] = lambda ports: ports) -> int:
    """Run until SIGTERM; returns the exit code. `wrap` may put something around the ports."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    notifier = Notifier.take()
    paths = Paths.from_environment(config)
    reading = load_settings(paths.config)
    for finding in reading.findings:
        log.error("%s", finding)
    if reading.settings is None:
        return EXIT_SETTINGS
    machine = Machine()
    problems = machine.prerequisites()
    for finding in problems:
        log.error("%s", finding)
    if any(finding.fatal for finding in problems):
        return EXIT_ERROR
    failures: list[Failure] = []
    code = EXIT_ERROR
    try:
        with _only_one(paths.runtime / "lock"):
            code = EXIT_SETTINGS  # what the ledger says at once, only a person can mend
            ports = wrap(make_ports(reading.settings, paths))
            code = EXIT_ERROR
            daemon = assemble(
                reading.settings,
                ports,
                notifier=notifier,
                config=paths.config,
                host_problems=machine.prerequisites,
            )
            await _serve(daemon, paths, notifier)
    except* Failure as group:
        failures.extend(one for one in leaves(group) if isinstance(one, Failure))
    for failure in failures:
        log.error("%s", Finding.of(failure))
    return code if failures else EXIT_OK


async def _serve(daemon: Daemon, paths: Paths, notifier: Notifier) -> None:
    """Everything between the first and the last line of the log."""
    reason, is_asked_to = "asked to", True
    questions = partial(control.serve, door=control.Door.QUESTIONS)
    orders = partial(control.serve, door=control.Door.PAGE_ORDERS)
    if journal := JournalWriter.of_service():
        daemon.ledger.subscribe(journal.write)
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    tell_start(daemon.ledger, version=__version__, booted_at=booted_at)
    try:
        async with anyio.create_task_group() as root:
            root.start_soon(_signals, daemon, notifier, root.cancel_scope)
            await root.start(daemon.watches.run)
            await root.start(control.serve, paths.socket, daemon.service)
            await root.start(questions, paths.questions, daemon.service)
            await root.start(orders, paths.page_orders, daemon.service)
            await root.start(daemon.webhooks)
            await daemon.lifecycle.start()
            root.start_soon(daemon.loop.run)
            root.start_soon(_tell_ready, daemon, paths, notifier)
    except Exception as error:
        reason, is_asked_to = f"cannot go on: {error!r}", False
        raise
    finally:
        notifier.stopping()
        daemon.ledger.log(EventKind.STOPPED, ok=is_asked_to, reason=reason)
        if journal:
            journal.close()
        _leave_status(daemon, paths)
        daemon.close()


def _leave_status(daemon: Daemon, paths: Paths) -> None:
    """Have the page know how everything stood, for as long as there is no daemon."""
    try:
        last_status.leave(paths.questions, daemon.service.status())
    except Exception as error:  # noqa: BLE001  # of use only to who looks meanwhile
        log.warning("cannot leave for the page how everything stands: %r", error)


async def _tell_ready(daemon: Daemon, paths: Paths, notifier: Notifier) -> None:
    """READY=1 once the first pass is through; systemd's patience is extended while it lasts."""
    while True:
        with anyio.move_on_after(_EXTEND_EVERY_SECONDS):
            await daemon.queue.wait_idle(daemon.lifecycle.is_first_pass, bursts=False)
            break
        notifier.extend_timeout(2 * _EXTEND_EVERY_SECONDS)
    for finding in (await daemon.settings.catch_up()).findings:
        log.error("%s", finding)
    daemon.first_pass_is_over()
    last_status.take_away(paths.questions)
    notifier.ready(daemon.board.summary())
    # systemd listens for it from here on; by then it is at rest.
    daemon.queue.add_in(Kind.WATCHDOG, _AT_REST_SECONDS)
    log.info("ready: %s", daemon.board.summary())


async def _signals(daemon: Daemon, notifier: Notifier, root: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number is not signal.SIGHUP:
                root.cancel()
                return
            notifier.reloading()
            for finding in (await daemon.settings.reload()).findings:
                log.error("%s", finding)
            notifier.ready(daemon.board.summary())


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock that keeps a second daemon of the same user out."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:  # which would stay: 128 kB, on Python 3.14
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Stalled(
                "cannot start: podvisor is running already", hint="systemctl --user status podvisor"
            ) from None
        file.truncate(0)
        file.write(b"%d" % os.getpid())
        yield
