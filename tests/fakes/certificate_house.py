"""What brings certificates on, on fakes: with a queue, a loop and a ledger that are real.

Apps take up what is installed, as passes of theirs do, and serve it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
from msgspec.structs import replace

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.controllers.apps.app_pass import AppPass
from supervisor.controllers.apps.reconciler import AppReconciler
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.desired.unit_index import UnitIndex
from supervisor.controllers.keys import Kind
from supervisor.controllers.loop import Loop
from supervisor.controllers.reconcilers import Reconciler
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.core.plan.certificates import described, parted
from supervisor.kit import backoff
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.acme import Order, OrderFolders, OrderRefusal, Pair
from supervisor.model.app import Deployment
from supervisor.model.certificate import (
    CertificateRecord,
    CertificateTerms,
    CertificateUse,
    DesiredCertificate,
)
from supervisor.model.events import Event, EventKind
from supervisor.model.observed import UnitInputs
from supervisor.model.settings import LedgerSettings, Settings
from supervisor.wiring.certificates import Certificates
from supervisor.wiring.ports import Ports
from tests.fakes.certificates import (
    FakeAuthority,
    FakeCertificateFiles,
    FakeImported,
    FakeIssuer,
    FakeTlsLook,
)
from tests.fakes.faults import Faulty, Whether
from tests.fakes.machine import Machine, app, container, deploy
from tests.fakes.ports import FakeClock, FakePodman, FakeSecrets, at_once

TODAY = 1_800_000_000.0
SERVER = "https://web.example.org"


def asks(name: str = "web", *, domains: Collection[str] = (), **more: Any) -> DesiredCertificate:
    """A certificate for NAME.example.org, if nothing else is said; the issuer too."""
    terms = CertificateTerms(
        domains=tuple(domains) or (f"{name}.example.org",), issuer=more.pop("issuer", "letsencrypt")
    )
    return DesiredCertificate(name=name, path=f"{name}.certificate", terms=terms, **more)


def deployed(
    name: str, *certificates: DesiredCertificate, uses: Collection[str] = ()
) -> Deployment:
    """An app that asks for certificates, and has a unit that uses them, and these others."""
    used = [*(one.name for one in certificates), *uses]
    unit = container(name, certificate_uses=tuple(CertificateUse(name=one) for one in used))
    made = replace(app(name, unit), certificates=certificates)
    return deploy(made, made)


class RememberingIssuer(FakeIssuer):
    """Goes on with an order until what came of it is kept, as the real one does."""

    def __init__(self, now: Callable[[], float], files: FakeCertificateFiles) -> None:
        super().__init__(now)
        self.files = files
        self.open: dict[str, tuple[object, Pair]] = {}
        """Name to what was asked for last, and what came of it."""

    async def issue(self, order: Order) -> Pair | OrderRefusal:
        asked = (order.terms, order.replaces, order.key)
        before, pair = self.open.get(order.name, (None, None))
        if pair and before == asked and pair not in self.files.pairs.values():
            return pair
        answer = await super().issue(order)
        if isinstance(answer, Pair):
            self.open[order.name] = (asked, answer)
        return answer


class FakeApps:
    """Apps that take up the certificates that are there, and serve them."""

    def __init__(self, house: "House") -> None:
        self.house = house

    def along(self, names: Collection[str]) -> set[str]:
        return set()

    async def reconcile(self, names: Collection[str], *, ended: Callable[[AppPass], None]) -> None:
        house = self.house
        house.named.extend(sorted(names))
        for name in names:
            one = house.state.deployments.get(name)
            if one is None:
                house.ledger.drop_app(name)
            elif name not in house.suspended:
                self._take_up(one)
        ended(AppPass(apps=tuple(names)))

    def _take_up(self, one: Deployment) -> None:
        house, wanted = self.house, one.wanted
        for unit in wanted.units if wanted else ():
            names = [use.name for use in unit.certificate_uses]
            versions = {name: house.record(name).version for name in names}
            if not all(versions.values()):
                continue  # it waits
            known = house.ledger.applied_app(one.name)
            before = known.units.get(unit.name) if known else None
            if before and before.certificates == versions:
                continue
            how = "start" if before is None else "reload"
            had = before.certificates if before else {}
            if before and any(
                version.endswith("+") or parted(version)[1] != parted(had.get(name, ""))[1]
                for name, version in versions.items()
            ):
                how = "restart"
            house.jobs.append((how, unit.name))
            if how in house.effective:
                for name in names:
                    there = house.files.installed[house.files.place(house.asked(name))]
                    house.serves[unit.name] = there.pair.facts.fingerprint
            inputs = UnitInputs(digest=unit.digest, certificates=versions)
            house.ledger.put_unit(one.name, unit.name, inputs)


class FakeDesiredState:
    def __init__(self, *, is_read: bool) -> None:
        self.deployments: Mapping[str, Deployment] = {}
        self._index = UnitIndex()
        self.is_read = is_read
        """Whether all sources were."""

    @property
    def is_whole(self) -> bool:
        return self.is_read and not any(one.failure for one in self.deployments.values())

    def latest(self) -> Mapping[str, Deployment]:
        return self.deployments

    def certificates(self) -> Mapping[str, str]:
        return {name: one.app for name, one in described(self.deployments.values()).items()}

    def newest(self, app: str) -> None:
        """There are no files here."""

    def secrets(self) -> Mapping[str, str]:
        return {}

    def apps_of_certificate(self, name: str) -> Collection[str]:
        return self._index.follow(self.deployments).users(name)


class House:
    """The world around the certificates, which outlives a daemon."""

    ledger: SqliteLedger
    queue: WorkQueue
    settings_now: CurrentSettings
    certificates: Certificates
    state: FakeDesiredState
    board: StatusBoard

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.clock.offset = TODAY
        self.files = FakeCertificateFiles()
        self.imported = FakeImported()
        self.issuer = RememberingIssuer(self.clock.now, self.files)
        self.authority = FakeAuthority(self.clock.now)
        self.tls = FakeTlsLook()
        self.secrets = FakeSecrets()
        self.podman = FakePodman(Machine())
        self.settings = Settings()
        self.whether: Whether | None = None
        self.named: list[str] = []
        """Apps that had a pass."""
        self.jobs: list[tuple[str, str]] = []
        """What was done to units for their certificates."""
        self.serves: dict[str, str] = {}
        """Unit to the fingerprint of what it serves."""
        self.effective = {"start", "reload", "restart"}
        """Jobs by which a unit takes up what is installed."""
        self.suspended: set[str] = set()
        """Apps that are left alone."""
        self.rings = 0

    def listen(self, unit: str = "web.service", url: str = SERVER) -> None:
        """Have a unit serve at an address."""
        self.tls.servers[url] = lambda: self.serves.get(unit, "")

    @asynccontextmanager
    async def running(
        self, *deployments: Deployment, is_read: bool = True
    ) -> AsyncIterator["House"]:
        """A daemon, until it is killed; `is_read` is whether it has read its sources."""
        self.ledger = SqliteLedger(self.path, settings=LedgerSettings(), clock=self.clock)
        self.queue, self.board = WorkQueue(), StatusBoard()
        self._count_rings()
        self.settings_now = CurrentSettings(self.settings)
        self.state = FakeDesiredState(is_read=is_read)
        self.certificates = Certificates(
            ports=cast("Ports", self._ports()),
            desired_state=cast("DesiredState", self.state),
            queue=self.queue,
            settings=self.settings_now,
            board=self.board,
            overtake=self._overtaken,
        )
        loop = Loop(
            queue=self.queue,
            apps=cast("AppReconciler", FakeApps(self)),
            reconcilers=self._reconcilers(),
            failures=Counter(),
            board=self.board,
            tally=Tally(),
            clock=self.clock,
            on_apps_ended=lambda: None,
            on_rest=lambda _: self.certificates.follow(),
        )
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(loop.run)
                if deployments:
                    await self.deploy(*deployments)
                yield self
                tasks.cancel_scope.cancel()
            internal = [one for one in map(str, self.board.problems.values()) if "internal" in one]
            assert not internal, internal[0]
        finally:
            self.ledger.close()
            if self.queue._alarm:
                self.queue._alarm.cancel()

    async def _overtaken(self, secret: str) -> None:
        pass

    def _ports(self) -> SimpleNamespace:
        served = {
            "issuer": self.issuer,
            "authority": self.authority,
            "certificates": self.files,
            "imported": self.imported,
            "tls": self.tls,
            "podman": self.podman,
            "secrets": self.secrets,
        }
        if self.whether:
            served = {name: Faulty(name, port, self.whether) for name, port in served.items()}
        return SimpleNamespace(
            **served,
            ledger=self.ledger,
            clock=self.clock,
            aside=at_once,
            order_folders=OrderFolders(kept="/state/certificates", accounts="/state/accounts"),
        )

    def _reconcilers(self) -> dict[Kind, Reconciler]:
        async def nothing(_: str) -> None:
            pass

        rows: dict[Kind, Reconciler] = {
            kind: Reconciler(reconcile=nothing) for kind in Kind if kind is not Kind.APP
        }
        rows[Kind.CERTIFICATE] = Reconciler(
            reconcile=self.certificates.reconcile, stalled_retry=backoff.PASS_SECONDS[-1]
        )
        return rows

    async def deploy(self, *deployments: Deployment) -> None:
        """Have other apps worked out, and what follows done."""
        gone = set(self.state.deployments)
        self.state.deployments = {one.name: one for one in deployments}
        self.queue.add(Kind.ALL_APPS, *Kind.APP.keys({*gone, *self.state.deployments}))
        await self.rest()

    async def take(self, settings: Settings) -> None:
        """Have other settings in force, and what follows done."""
        self.settings = settings
        self.settings_now.put(settings)
        self.queue.add(Kind.ALL_APPS)
        await self.rest()

    async def rest(self) -> None:
        """Wait until nothing is to be done at this moment."""
        await self.queue.wait_idle()

    def asked(self, name: str) -> DesiredCertificate:
        return described(self.state.deployments.values())[name].certificate

    def record(self, name: str = "web") -> CertificateRecord:
        return self.ledger.get(CertificateRecord, name) or CertificateRecord()

    def events(self, kind: EventKind = EventKind.CERTIFICATE, **fields: object) -> list[Event]:
        return [
            one
            for one in self.ledger.events()
            if one.kind is kind and all(getattr(one, key) == is_ for key, is_ in fields.items())
        ]

    def _count_rings(self) -> None:
        ring = self.queue._ring

        def counted() -> None:
            self.rings += 1
            ring()

        self.queue._ring = counted  # type: ignore[method-assign]
