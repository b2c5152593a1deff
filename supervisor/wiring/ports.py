"""One adapter for each port."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from supervisor.adapters.certificates.files import CertificateStore
from supervisor.adapters.files.folder import OwnedFolder
from supervisor.adapters.files.watch import SourceFolders
from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.host.probe import NetworkProber
from supervisor.adapters.host.watch import HostWatch
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.quadlet.runner import Runner
from supervisor.adapters.registry.client import RegistryClient, pull_logins
from supervisor.adapters.secrets.references import SecretReader
from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.api.webhooks import WebhookListener
from supervisor.controllers.ports import (
    Aside,
    Authority,
    CertificateFiles,
    Decryptor,
    Folder,
    FolderWatch,
    Generator,
    GitHost,
    Host,
    ImportedCertificates,
    Issuer,
    Ledger,
    Messenger,
    Podman,
    Prober,
    PullRequests,
    Registry,
    Secrets,
    SourceReader,
    SourceWriter,
    Systemd,
    TlsLook,
    Tokens,
    VolumeArchive,
)
from supervisor.kit.clock import Clock, SystemClock
from supervisor.kit.deferred import deferred
from supervisor.kit.threads import aside
from supervisor.model.acme import OrderFolders
from supervisor.model.settings import Settings
from supervisor.wiring import seldom_ports as seldom
from supervisor.wiring.environment import Paths


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter for each port."""

    reader: SourceReader
    writer: SourceWriter
    generator: Generator
    folder: Folder
    systemd: Systemd
    podman: Podman
    registry: Registry
    archive: VolumeArchive
    secrets: Secrets
    decryptor: Decryptor
    tokens: Tokens
    listener: WebhookListener
    git_host: GitHost
    pull_requests: PullRequests
    messenger: Messenger
    prober: Prober
    issuer: Issuer
    authority: Authority
    certificates: CertificateFiles
    imported: ImportedCertificates
    order_folders: OrderFolders
    tls: TlsLook
    folders: FolderWatch
    host: Host
    ledger: Ledger
    clock: Clock
    aside: Aside
    configure: Callable[[Settings], None]
    """Hand other settings to the adapters that hold some."""
    close: Callable[[], None]


def make_ports(settings: Settings, paths: Paths, *, scratch: Path | None = None) -> Ports:
    """Make the adapters. Nothing is asked of the outside yet.

    With `scratch`, whatever they have to write goes into that folder: they work on what the daemon
    has written, beside it or without it, and leave that as it is.
    """
    clock = SystemClock()
    state, runtime = (scratch, scratch) if scratch else (paths.state, paths.runtime)
    ledger = SqliteLedger(state / paths.ledger.name, settings=settings.ledger, clock=clock)
    if scratch:
        ledger.take(paths.ledger)
    accounts, kept = state / paths.accounts.name, state / paths.kept_certificates.name
    systemd = SystemdManager()
    podman = PodmanClient(paths.podman_socket, logins=pull_logins)
    registry = RegistryClient(rules=podman.registry_rules)
    secrets = SecretReader(podman.secret)
    reader = GitSources(
        folder=state / "sources",
        limits=settings.limits,
        read_secret=secrets.read,
        installed=paths.quadlets / "podvisor",
        base=paths.state / "sources" if scratch else None,
        artifacts=registry,
    )
    current = settings

    def now() -> Settings:
        return current

    def configure(new: Settings) -> None:
        nonlocal current
        current = new
        ledger.configure(new.ledger)
        reader.configure(new.limits)

    def close() -> None:
        systemd.close()
        ledger.close()

    return Ports(
        reader=reader,
        writer=reader,
        generator=QuadletGenerator(
            Runner(stage=runtime / "stage", quadlets=paths.quadlets),
            certificates=paths.certificates,
        ),
        folder=OwnedFolder(
            root=paths.quadlets / "podvisor", user_units=paths.user_units, memory=ledger
        ),
        systemd=systemd,
        podman=podman,
        registry=registry,
        archive=deferred(partial(seldom.archive, state / "volumes")),
        secrets=secrets,
        decryptor=deferred(partial(seldom.decryptor, paths, now, secrets.read)),
        tokens=deferred(seldom.tokens),
        listener=WebhookListener(),
        git_host=deferred(seldom.git_host),
        pull_requests=deferred(seldom.pull_requests),
        messenger=deferred(seldom.messenger),
        prober=NetworkProber(),
        issuer=deferred(partial(seldom.issuer, accounts)),
        authority=deferred(partial(seldom.authority, paths.state / "authority", now, secrets.read)),
        certificates=CertificateStore(kept_in=kept, installed_in=paths.certificates),
        imported=deferred(partial(seldom.imported, paths.imported)),
        order_folders=OrderFolders(kept=str(kept), accounts=str(accounts)),
        tls=deferred(seldom.tls_look),
        folders=SourceFolders(),
        host=HostWatch(),
        ledger=ledger,
        clock=clock,
        aside=aside,
        configure=configure,
        close=close,
    )
