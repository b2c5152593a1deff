"""Bring certificates to what apps ask for. Keys `certificate:NAME`.

A pass reads what is (the record, the files, who has taken up what), has `core.certificates` say
what is next, and does that one thing. It is level-triggered: cut short at any moment, the next pass
goes on. Before it: `controllers.certificates.asked` names keys. After it: the apps that use a
certificate are named, whose passes have their units reload or restart.

An order that fails is no failure of the pass: it is in the record, with when it is tried again.
"""

from contextlib import suppress

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.doing import Doing
from supervisor.controllers.certificates.importing import Importing
from supervisor.controllers.certificates.installing import Installing, fits, without_ready
from supervisor.controllers.certificates.issuing import Issuing
from supervisor.controllers.certificates.memory import NOTHING, CertificateMemory
from supervisor.controllers.certificates.serving import Serving
from supervisor.controllers.certificates.spares import Spares
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import CertificateFiles, Issuer
from supervisor.core.certificates import backoff, records, renewal, warning
from supervisor.core.certificates.next_step import next_step, next_step_by
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.steps import (
    AskRenewalInfo,
    ForgetFailure,
    InstallAgain,
    LookServed,
    MakeSecrets,
    NextStep,
    Nothing,
    OrderOne,
    PutBackFormer,
    RestartUsers,
    Serve,
    StandIn,
    TakeImported,
    TakeSpare,
    TryAgain,
)
from supervisor.core.plan.certificates import Described
from supervisor.kit import alarm
from supervisor.kit.texts import day, local_time
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.acme import OrderRefusal
from supervisor.model.certificate import (
    CertificateRecord,
    DesiredCertificate,
    Issued,
    Stage,
)
from supervisor.model.errors import Failure
from supervisor.model.events import EventKind

_QUESTIONS_AT_ONCE = 3
"""Of when to renew."""
_PATIENT_FROM_SECONDS = 3_600.0
_MOST_SLACK_SECONDS = 1_800.0
"""What is due in hours or weeks goes along with what wakes podvisor anyway."""

_START_AGAIN_SECONDS = 2.0
"""Between looks at a server that is just being started."""


class CertificateController(msgspec.Struct, kw_only=True):
    """One for the daemon."""

    asked: AskedCertificates
    issuing: Issuing
    installing: Installing
    importing: Importing
    spares: Spares
    issuer: Issuer
    files: CertificateFiles
    serving: Serving
    memory: CertificateMemory
    doing: Doing
    queue: WorkQueue
    _asking: anyio.Semaphore = msgspec.field(
        default_factory=lambda: anyio.Semaphore(_QUESTIONS_AT_ONCE)
    )

    def network_changed(self) -> None:
        """Try now what a network that comes up may mend."""
        now = self.memory.clock.now()
        for name in self.asked.by_name:
            before = self.memory.of(name)
            if self.memory.change(name, lambda known: records.network_came(known, now)) != before:
                self.queue.add(Kind.CERTIFICATE.key(name))

    async def reconcile(self, name: str) -> list[str]:
        """Do what is next; returns the keys that come of it. Raises Retry or Stalled."""
        one = self.asked.by_name.get(name)
        if one is None:
            await self._let_go(name)
            return []
        self._warn(name)
        try:
            keys = await self._bring_on(name, one)
        except Failure as failure:
            if self.installing.failed(name, failure):
                self.queue.add(*Kind.APP.keys(self.asked.concerned(name)))
            raise
        self.installing.went_well(name)
        self.queue.add(*keys)
        await self.installing.clear_former_places(name)
        return []

    async def _bring_on(self, name: str, one: Described) -> list[str]:
        certificate, record = one.certificate, self.memory.of(name)
        if record.app != one.app:
            record = self.memory.change(name, lambda known: replace(known, app=one.app))
        if tuple(one.url for one in record.servers) != certificate.check:
            check = certificate.check
            record = self.memory.change(name, lambda known: records.to_be_seen_at(known, check))
        if record.ready is not None and not fits(record.ready, certificate):
            record = self.memory.change(name, without_ready)
        if record.ready is not None:
            with self.doing.during(name, "it is being installed"):
                installed = await self.installing.ready(certificate, record.ready)
            return self._with_apps(name) if installed else [Kind.CERTIFICATE.key(name)]
        seen = await self._see(certificate, record)
        if record.folder_lost and seen.installed and record.installed_in == seen.folder:
            await self.installing.note_folder(certificate)
            return self._with_apps(name)
        step = self._next(certificate, record, seen)
        if isinstance(step, LookServed):
            looked = await self.serving.look(certificate, record)
            if looked.is_starting:
                self.doing.waits_for[name] = looked.unserved
                self._look_at(name, self.memory.clock.now() + _START_AGAIN_SECONDS)
                return []
            seen = replace(seen, unserved=looked.unserved, is_answered=looked.is_answered)
            record = self.memory.of(name)
            step = self._next(certificate, record, seen)
            if isinstance(step, Nothing) and looked.is_time_over:
                self.asked.tell(name, "it is not served", ok=False, detail=looked.unserved)
        return await self._carry_out(certificate, record, seen, step)

    def _next(
        self, certificate: DesiredCertificate, record: CertificateRecord, seen: Seen
    ) -> NextStep:
        return next_step_by(
            self.issuing.orders.settings.now.certificates,
            certificate,
            record,
            seen,
            self.memory.clock.now(),
            others=self.memory.others(certificate.name),
        )

    async def _see(self, certificate: DesiredCertificate, record: CertificateRecord) -> Seen:
        """Look at its files and its users. Raises Retry or Stalled."""
        name, current = certificate.name, record.current
        waiting = await self.importing.waiting.all()
        spare = await self.spares.find(certificate, record)
        seen = Seen(folder=self.files.place(certificate), imported=waiting, spare=spare)
        if current is None:
            return seen
        former = record.previous if record.stage is not Stage.SERVED else None
        uptake = self.asked.await_users(name, record)
        return replace(
            seen,
            kept=await self.files.is_kept(name, current),
            installed=await self.files.is_installed(certificate, current),
            secrets=await self.installing.secrets.lacking(certificate, current),
            previous_kept=former is None or await self.files.is_kept(name, former),
            users=self.asked.units(name),
            waiting=uptake.waiting,
            failing=uptake.failing,
            held=uptake.held,
        )

    async def _carry_out(
        self,
        certificate: DesiredCertificate,
        record: CertificateRecord,
        seen: Seen,
        step: NextStep,
    ) -> list[str]:
        name, current = certificate.name, record.current
        if not isinstance(step, Nothing):
            self.doing.waits_for.pop(name, None)
        match step:
            case Nothing():
                return self._rest(name, step)
            case OrderOne():
                return await self._order(certificate, step, seen)
            case TakeImported():
                with self.doing.during(name, f"it is taken over: {step.reason}"):
                    await self.importing.take(certificate, step, seen.imported)
            case TakeSpare():
                await self.spares.take(certificate, step)
            case StandIn():
                with self.doing.during(name, "a stand-in is being made"):
                    await self.issuing.stand_in(certificate)
                self.asked.tell(name, "a self-signed stand-in was made", detail=step.reason)
            case InstallAgain() if current:
                if await self.installing.again(certificate, current):
                    self.asked.tell(name, "installed again", detail=step.reason)
                    return self._with_apps(name)
            case MakeSecrets() if current:
                await self.installing.secrets_again(certificate, current)
                self.asked.tell(name, "its Podman secrets were made", detail=step.reason)
                return self._with_apps(name)
            case PutBackFormer() if record.previous:
                if await self.installing.back(certificate, record.previous, step):
                    reason = "nobody served the new one: the former one was put back"
                    self.asked.tell(name, reason, ok=False, detail=step.reason)
                    return self._with_apps(name)
            case TryAgain():
                now = self.memory.clock.now()
                self.memory.change(name, lambda known: records.tried_again(known, now))
                self.asked.tell(
                    name, "the one that was put back is tried again", detail=step.reason
                )
            case RestartUsers():
                now = self.memory.clock.now()
                self.memory.change(name, lambda known: records.restarted(known, now))
                reason = "it is not served: those who use it are restarted"
                self.asked.tell(name, reason, ok=False, detail=step.reason)
                return self._with_apps(name)
            case Serve():
                self.serving.is_settled(record)
                self.memory.change(name, records.served)
                if certificate.check and not seen.unserved:
                    self.asked.tell(name, step.reason)
            case AskRenewalInfo() if current:
                await self._ask(certificate, current)
            case ForgetFailure():
                self.memory.change(
                    name, lambda known: records.without_failure(known, certificate.terms)
                )
        return [Kind.CERTIFICATE.key(name)]

    def _rest(self, name: str, step: Nothing) -> list[str]:
        """Wait until something changes, or it is due."""
        self.doing.waits_for[name] = step.reason
        if step.limited_until:
            self.memory.change(name, lambda known: records.limited(known, step.limited_until))
        self._look_at(name, step.until)
        return []

    def _look_at(self, name: str, moment: float) -> None:
        """Have it looked at then; not at all by itself, for 0."""
        if not moment:
            return
        seconds = moment - self.memory.clock.now()
        slack = alarm.slack(seconds)
        if seconds >= _PATIENT_FROM_SECONDS:
            slack = min(seconds / 8, _MOST_SLACK_SECONDS)
        self.queue.add_in(Kind.CERTIFICATE.key(name), seconds, slack=slack)

    # Having one

    async def _order(
        self, certificate: DesiredCertificate, step: OrderOne, seen: Seen
    ) -> list[str]:
        name = certificate.name
        asked = f"asked of {certificate.terms.issuer}: {step.reason}"

        def is_wanted() -> bool:
            self.doing.goes_on(name, f"it is {asked}")
            one = self.asked.by_name.get(name)
            if one is None or one.certificate != certificate:
                return False
            # Others may have used up the issuer's limits meanwhile.
            again = self._next(certificate, self.memory.of(name), seen)
            return isinstance(again, OrderOne) and replace(again, reason=step.reason) == step

        with self.doing.during(name, f"it waits for its turn to be {asked}"):
            failed = self.memory.of(name).failure is not None
            made = await self.issuing.order(certificate, step, is_wanted=is_wanted)
        if made is None:
            return [Kind.CERTIFICATE.key(name)]
        if isinstance(made, OrderRefusal):
            return self._failed(name, made)
        if failed:
            self.asked.tell(name, "it was to be had again", kind=EventKind.RECOVERED)
        until = day(made.facts.not_after)
        self.asked.tell(name, f"issued by {made.terms.issuer}, until {until}", detail=step.reason)
        return [Kind.CERTIFICATE.key(name)]

    def _failed(self, name: str, refusal: OrderRefusal) -> list[str]:
        """Write down that it was not to be had, and why; told of once."""
        one = self.asked.by_name.get(name)
        if one is None:
            return []
        settings = self.issuing.orders.settings.now.certificates
        before = self.memory.of(name)
        after = self.memory.change(
            name,
            lambda record: records.failed(
                record,
                refusal,
                terms=one.certificate.terms,
                way=backoff.way_of(one.certificate.challenge, settings),
                now=self.memory.clock.now(),
            ),
        )
        news = before.failure is None or before.failure.message != refusal.message
        if news and after.failure:
            again = after.failure.retry_at
            when = f"tried again at {local_time(again)}" if again else ""
            detail = "; ".join(filter(None, (refusal.hint, when)))
            self.asked.tell(name, refusal.message, ok=False, detail=detail)
        waiting = Kind.APP.keys(self.asked.concerned(name)) if news else []
        return [Kind.CERTIFICATE.key(name), *waiting]

    # When it is renewed

    async def _ask(self, certificate: DesiredCertificate, current: Issued) -> None:
        """Ask the issuer when to renew it; one that cannot be asked now is asked later."""
        now = self.memory.clock.now
        info, answered = None, False
        with suppress(Failure):
            issuer = await self.issuing.orders.plain_issuer(current.terms.issuer)
            if issuer:
                async with self._asking:
                    info = await self.issuer.renewal_info(issuer, current.facts)
                answered = True

        def noted(record: CertificateRecord) -> CertificateRecord:
            if record.current != current:
                return record
            chosen = (
                renewal.answered(current, info, record.renewal, now())
                if answered
                else renewal.unanswered(current, record.renewal, now())
            )
            return replace(record, renewal=chosen)

        self.memory.change(certificate.name, noted)

    def _warn(self, name: str) -> None:
        """Tell, once a day at most, that the end comes near and no other one was to be had."""
        now, record = self.memory.clock.now(), self.memory.of(name)
        if why := warning.due(name, record, now):
            self.memory.change(name, lambda known: records.warned(known, now))
            self.asked.tell(name, why, ok=False, detail=warning.hint_of(record))

    # When nobody asks for it

    async def _let_go(self, name: str) -> None:
        """Take away what is installed, once nobody uses it.

        What is kept stays until it expires: if it is asked for again, nothing is ordered.
        """
        record = self.memory.of(name)
        self.doing.waits_for.pop(name, None)
        self.issuing.forget(name)
        if record == NOTHING:
            self.memory.forget(name)
        if record == NOTHING or not self.asked.is_whole:
            return
        seen, now = Seen(users=self.asked.still_using(name)), self.memory.clock.now()
        step = next_step(None, record, seen, now)
        if isinstance(step, Nothing):
            self._look_at(name, step.until)
            return
        if await self.installing.remove(name):
            self.asked.tell(name, "removed", detail=step.reason)
        stays = self.memory.of(name).current
        if stays and not stays.standin and stays.facts.not_after > now:
            self._look_at(name, stays.facts.not_after)
        else:
            await self.installing.forget(name)
            self.queue.add(Kind.CERTIFICATE.key(name))

    def _with_apps(self, name: str) -> list[str]:
        return [Kind.CERTIFICATE.key(name), *Kind.APP.keys(self.asked.concerned(name))]
