"""The whole daemon on fakes, in virtual time."""

import logging
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.kit.sd_notify import Notifier
from supervisor.model.acme import OrderFolders
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LedgerSettings, RolloutSettings, Settings, SourceSettings
from supervisor.wiring.daemon import assemble
from supervisor.wiring.ports import Ports
from tests.fakes.certificates import (
    FakeAuthority,
    FakeCertificateFiles,
    FakeImported,
    FakeIssuer,
    FakeTlsLook,
)
from tests.fakes.faults import Faulty
from tests.fakes.machine import Machine
from tests.fakes.messenger import FakeMessenger
from tests.fakes.ports import (
    FakeArchive,
    FakeClock,
    FakeDecryptor,
    FakeFolder,
    FakeFolders,
    FakeGenerator,
    FakeGitHost,
    FakeHost,
    FakeListener,
    FakePodman,
    FakeProber,
    FakeReader,
    FakeSecrets,
    FakeSystemd,
    FakeTokens,
    at_once,
)
from tests.fakes.pull_requests import FakePullRequests
from tests.fakes.registry import FakeRegistry
from tests.fakes.virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class Defects(logging.Handler):
    """Exceptions that the daemon logs: there are none, whatever happens to it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.met = []

    def emit(self, record) -> None:
        self.met.append(self.format(record))

    @contextmanager
    def heard(self):
        """Listen; raises if anything is there in the end."""
        logger = logging.getLogger("supervisor")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)
        assert not self.met, self.met[0]


FAULTY = (
    "reader",
    "writer",
    "generator",
    "folder",
    "systemd",
    "podman",
    "archive",
    "secrets",
    "decryptor",
    "git_host",
    "issuer",
    "authority",
    "certificates",
    "tls",
)
"""Ports of which a call may fail, as their contracts say."""


class World:
    """Fakes, and the daemon on them."""

    def __init__(self, path) -> None:
        self.machine = Machine()
        self.clock = FakeClock()
        self.reader = FakeReader()
        self.generator = FakeGenerator(self.machine)
        self.folder = FakeFolder(self.machine)
        self.systemd = FakeSystemd(self.machine)
        self.systemd.now = self.machine.clock = self.clock.now
        self.podman = FakePodman(self.machine)
        self.archive = FakeArchive(self.machine)
        self.secrets = FakeSecrets()
        self.decryptor = FakeDecryptor()
        self.tokens = FakeTokens()
        self.listener = FakeListener()
        self.git_host = FakeGitHost()
        self.pull_requests = FakePullRequests()
        self.messenger = FakeMessenger()
        self.prober = FakeProber()
        self.folders = FakeFolders()
        self.host = FakeHost()
        self.registry = FakeRegistry()
        self.issuer = FakeIssuer(self.clock.now)
        self.authority = FakeAuthority(self.clock.now)
        self.certificates = FakeCertificateFiles()
        self.imported = FakeImported()
        self.tls = FakeTlsLook()
        self.defects = Defects()
        self.whether = None
        """What calls of ports fail of, as of `tests.fakes.faults`."""
        self.path = path
        self.ledger = None
        self.settings = Settings(
            sources={"home": SourceSettings(git=GitUrl("https://git.example/home"))},
            rollout=RolloutSettings(settle=0),
        )
        self.reader.put("home", {})

    def ports(self):
        self.close()
        self.ledger = SqliteLedger(self.path, settings=LedgerSettings(), clock=self.clock)
        ports = self._ports()
        if self.whether is None:
            return ports
        proxies = {name: Faulty(name, getattr(ports, name), self.whether) for name in FAULTY}
        return msgspec.structs.replace(ports, **proxies)

    def _ports(self):
        return Ports(
            reader=self.reader,
            writer=self.reader,
            generator=self.generator,
            folder=self.folder,
            systemd=self.systemd,
            podman=self.podman,
            registry=self.registry,
            archive=self.archive,
            secrets=self.secrets,
            decryptor=self.decryptor,
            tokens=self.tokens,
            listener=self.listener,
            git_host=self.git_host,
            pull_requests=self.pull_requests,
            messenger=self.messenger,
            prober=self.prober,
            issuer=self.issuer,
            authority=self.authority,
            certificates=self.certificates,
            imported=self.imported,
            order_folders=OrderFolders(kept="/state/certificates", accounts="/state/accounts"),
            tls=self.tls,
            folders=self.folders,
            host=self.host,
            ledger=self.ledger,
            clock=self.clock,
            aside=at_once,
            configure=lambda settings: None,
            close=self.ledger.close,
        )

    @asynccontextmanager
    async def running(self, *, first_pass=True, config=None):
        """The daemon, from its start to its end; fails if it logs an exception at any time.

        It is there when its first pass is through, unless that is not to be waited for.
        """
        ports = self.ports()
        daemon = assemble(self.settings, ports, notifier=Notifier(), config=config)
        with self.defects.heard():
            async with anyio.create_task_group() as tasks:
                await tasks.start(daemon.watches.run)
                await tasks.start(daemon.webhooks)
                await daemon.lifecycle.start()
                tasks.start_soon(daemon.loop.run)
                if first_pass:
                    await daemon.queue.wait_idle()
                    daemon.first_pass_is_over()
                yield daemon
                tasks.cancel_scope.cancel()
        daemon.close()

    def close(self):
        """Let go of the ledger's file, which reading opens again."""
        if self.ledger:
            self.ledger.close()

    async def push(self, daemon, files):
        """Change the source, and let its next poll find it."""
        self.reader.put("home", files)
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle()

    def events(self, *kinds):
        return [event for event in self.ledger.events() if not kinds or event.kind in kinds]


@pytest.fixture
def in_world(anyio_backend):
    """Run a coroutine function of a world of its own, for each example of a property."""

    def run(case):
        with tempfile.TemporaryDirectory() as folder:
            made = World(Path(folder) / "ledger.db")
            _, options = anyio_backend
            try:
                anyio.run(case, made, backend_options=options)
            finally:
                made.close()

    return run


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "ledger.db")
    yield made
    made.close()
