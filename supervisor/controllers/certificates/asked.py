"""Which certificates are asked for, and which of them something became of: their keys.

Looked at whenever the loop rests: what an app asks for is another thing since, or those who use a
certificate have taken it up. What a wake-up can be lost for is named by `controllers.resync`.
"""

from collections.abc import Collection, Mapping

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.certificates.served import unseen
from supervisor.core.certificates.uptake import Uptake, down_among, held_by_needs, why_failing
from supervisor.core.health.crash_backoff import reloads_of
from supervisor.core.plan.certificates import (
    Described,
    described,
    only_ways_back,
    users_of,
    uses,
    yet_to_take_up,
)
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.app import Deployment
from supervisor.model.certificate import CertificateRecord, Stage
from supervisor.model.events import Event, EventKind
from supervisor.model.settings import Settings
from supervisor.model.status import AppStatus


class AskedCertificates(msgspec.Struct, kw_only=True):
    """Knows what is asked for, and who uses it."""

    desired_state: DesiredState
    ledger: Ledger
    queue: WorkQueue
    settings: CurrentSettings
    suspensions: Suspensions
    board: StatusBoard
    by_name: Mapping[str, Described] = {}
    _unknown: Mapping[str, Deployment] | None = None
    """What stands for all apps before they were worked out."""
    _followed: Mapping[str, Deployment] | None = None
    _is_stale: bool = False
    """Whether the settings changed by which they are had."""
    _awaited: dict[str, Uptake] = {}
    """Certificates that their users have yet to take up, each with how far they were."""

    def __post_init__(self) -> None:
        self.settings.subscribe(self._take)
        latest = self.desired_state.latest()
        self._unknown = None if latest else latest

    def _take(self, _: Settings) -> None:
        self._is_stale = True

    @property
    def is_whole(self) -> bool:
        """Whether all that is asked for is known: a source may not have been read yet."""
        return self.desired_state.is_whole and self.desired_state.latest() is self._followed

    def follow(self) -> None:
        """Name the certificates of which something changed; cheap if nothing did."""
        deployments = self.desired_state.latest()
        if deployments is self._unknown:
            return
        if deployments is not self._followed or self._is_stale:
            self._compare(deployments)
        for name, before in tuple(self._awaited.items()):
            record = self.ledger.get(CertificateRecord, name)
            if record is None or self.uptake(name, record) != before:
                del self._awaited[name]
                self.queue.add(Kind.CERTIFICATE.key(name))

    def _compare(self, deployments: Mapping[str, Deployment]) -> None:
        old, everything = self.by_name, self._is_stale
        self._followed, self._is_stale = deployments, False
        self.by_name = described(deployments.values())
        named = {name for name, one in self.by_name.items() if everything or old.get(name) != one}
        # What nobody asks for any more, or reads where it was, goes when nobody uses it any more.
        known = self.ledger.all(CertificateRecord)
        named |= {name for name, one in known.items() if self._has_left(name, one)}
        self.queue.add(*Kind.CERTIFICATE.keys(sorted(named)))

    def _has_left(self, name: str, record: CertificateRecord) -> bool:
        if name not in self.by_name or record.left:
            return True
        return not self.by_name[name].certificate.podman_secrets.keys() >= {*record.secrets}

    def name_all(self) -> None:
        """Have every one looked at: the backstop."""
        names = {*self.by_name, *self.ledger.all(CertificateRecord)}
        self.queue.add(*Kind.CERTIFICATE.keys(sorted(names)))

    def for_good(self) -> Collection[str]:
        """Return the names of those that are not only there for the way back of an app."""
        return self.by_name.keys() - only_ways_back(self.desired_state.latest().values())

    def newest(self, app: str) -> dict[str, Described]:
        """Return what the newest files of an app ask for, be they refused, as far as it is clear.

        By name.
        """
        candidate = self.desired_state.newest(app)
        asked = self.desired_state.renderer.certificates(candidate) if candidate else ()
        return {one.name: Described(app, one) for one in asked}

    def await_users(self, name: str, record: CertificateRecord) -> Uptake:
        """How its users take up what is installed; it is named once that is another thing."""
        self._awaited.pop(name, None)
        uptake = self.uptake(name, record)
        is_standin = record.current is not None and record.current.standin
        if uptake.waiting and (not self._is_settled(name, record) or is_standin):
            self._awaited[name] = uptake
        return uptake

    def uptake(self, name: str, record: CertificateRecord) -> Uptake:
        """How far its users are with what is installed."""
        late = self._late(name, record.version)
        if self._is_settled(name, record):
            return Uptake(waiting=late)
        users, apps = self.units(name), self.users(name)
        busy = set(Kind.APP.keys(apps))
        if self.queue.is_busy(busy.__contains__, bursts=False):
            return Uptake(waiting=late or users, held="it is being taken up", is_busy=True)
        statuses = [self.board.apps[app] for app in apps if app in self.board.apps]
        if record.stage is Stage.SERVED:
            return Uptake(waiting=late)
        repairs = self.ledger.repairs()
        reloads = {unit: one for unit in late if (one := repairs.get(reloads_of(unit)))}
        return Uptake(
            waiting=late,
            failing=why_failing(record, users, late=late, statuses=statuses, reloads=reloads),
            held=self._held(apps, late, statuses),
        )

    def _is_settled(self, name: str, record: CertificateRecord) -> bool:
        """Whether nobody is to look at who serves it."""
        one = self.by_name.get(name)
        check = one.certificate.check if one else ()
        return record.stage is Stage.SERVED and not unseen(check, record)

    def _held(self, apps: Collection[str], late: Collection[str], found: list[AppStatus]) -> str:
        if not late:
            return ""
        suspended = [f"{app} is suspended" for app in apps if self.suspensions.of(app)]
        return next(iter((*suspended, *held_by_needs(found, late))), "")

    def down(self, name: str) -> tuple[str, ...]:
        """Units that use it, and that did not run when their app was looked at last."""
        statuses = [self.board.apps[app] for app in self.users(name) if app in self.board.apps]
        return down_among(self.units(name), statuses)

    def _late(self, name: str, version: str) -> tuple[str, ...]:
        apps = self.users(name)
        applied = {app: one for app in apps if (one := self.ledger.applied_app(app))}
        deployments = self._deployments(apps)
        late = yet_to_take_up(name, version, deployments, applied)
        started = {unit for one in applied.values() for unit in one.units}
        coming = (
            unit
            for one in deployments
            if (app := one.wanted or one.last_good)
            for unit, desired in app.runtime_units.items()
            if uses(desired, name) and desired.wanted_by and not desired.oneshot
        )
        unstarted = (unit for unit in coming if unit not in started)
        return (*(unit for units in late.values() for unit in units), *unstarted)

    def users(self, name: str) -> Collection[str]:
        """Names of the apps that use a certificate."""
        return self.desired_state.apps_of_certificate(name)

    def units(self, name: str) -> tuple[str, ...]:
        """Units that use it, of all apps."""
        users = users_of(name, self._deployments(self.users(name)))
        return tuple(unit for units in users.values() for unit in units)

    def concerned(self, name: str) -> list[str]:
        """Names of the apps that ask for it, or use it."""
        asks = {self.by_name[name].app} if name in self.by_name else set()
        return sorted(asks.union(self.users(name)))

    def tell(
        self,
        name: str,
        reason: str,
        *,
        ok: bool = True,
        detail: str = "",
        kind: EventKind = EventKind.CERTIFICATE,
    ) -> None:
        """Write it down for each app that it concerns: who looks at the events of one sees it, too.

        Where it concerns none any more, for the one that asked for it last.
        """
        record = self.ledger.get(CertificateRecord, name)
        apps = self.concerned(name) or [record.app if record else ""]
        events = (
            Event(kind=kind, ok=ok, app=app, subject=name, reason=reason, detail=detail)
            for app in apps
        )
        self.ledger.append(*events)

    def still_using(self, name: str) -> tuple[str, ...]:
        """Units that use it, or did when they were started."""
        started = (
            unit
            for app in self.ledger.applied().values()
            for unit, inputs in app.units.items()
            if name in inputs.certificates
        )
        record = self.ledger.get(CertificateRecord, name)
        naming = self.naming(name, record.secrets if record else ())
        return tuple(dict.fromkeys((*self.units(name), *started, *naming)))

    def naming(self, name: str, secrets: Collection[str]) -> tuple[str, ...]:
        """Units of all apps that name one of these Podman secrets of a certificate.

        Where no `.secret` file has its name, and no other certificate.
        """
        left = set(secrets).difference(self.desired_state.secrets()) if secrets else set()
        if left:
            others = (one.certificate for other, one in self.by_name.items() if other != name)
            left.difference_update(*(one.podman_secrets for one in others if one.secrets))
        every = self.desired_state.latest().values() if left else ()
        return tuple(
            name
            for one in every
            for unit in one.units
            if not left.isdisjoint(unit.secrets)
            for name in unit.runtime_names
        )

    def is_changing(self, name: str) -> bool:
        """Whether an app that it concerns is on its way to something else than what it was."""
        apps = self._deployments(self.concerned(name))
        return any(one.failure or one.wanted != one.last_good for one in apps)

    def _deployments(self, apps: Collection[str]) -> list[Deployment]:
        latest = self.desired_state.latest()
        return [latest[app] for app in apps if app in latest]
