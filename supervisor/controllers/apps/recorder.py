"""Record what a pass has reached: applied revisions, trials and how they ended, what is gone.

Called by `controllers.apps.reconciler` at the end of a pass; the gate is asked here once more, with
what is observed after the steps.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.left_behind import note_left, note_taken
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.desired.scales import overtaken
from supervisor.core.desired.unit_moves import owners_of
from supervisor.core.health import gate
from supervisor.core.health.crash_backoff import reloads_of
from supervisor.core.health.endings import result_in_words
from supervisor.core.health.release import in_words, release_in_words
from supervisor.core.images.words import short_name
from supervisor.core.plan.rollout import has_way_back
from supervisor.kit.clock import Clock
from supervisor.kit.texts import short_id
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.events import EventKind
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.need import undone
from supervisor.model.observed import (
    AppliedApp,
    JobFailed,
    JobRun,
    LoggedFailure,
    Observed,
    RepairState,
)
from supervisor.model.plan import Verdict
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Gate, GateState, Hold, Rollout, Scale
from supervisor.model.status import AppStatus
from supervisor.model.volumes import AppVolumes


class Recorder(msgspec.Struct, kw_only=True):
    """Writes into the ledger, and tells `desired_state` what stands."""

    desired_state: DesiredState
    ledger: Ledger
    suspensions: Suspensions
    clock: Clock
    broken: dict[str, JobFailed] = {}
    """Why units that are down did not start when that was tried last."""

    def note_broken(
        self, broken: Mapping[str, JobFailed], observed: Observed, units: Iterable[str]
    ) -> None:
        """Remember jobs that failed in this pass; forget those of these units that are up."""
        self.broken.update(broken)
        for name in units:
            if not observed.unit(name).has_ended and name not in broken:
                self.broken.pop(name, None)

    def with_gate(
        self, deployment: Deployment, verdict: Verdict, observed: Observed, now: float
    ) -> Verdict:
        """Ask the gate once more, with what is observed after the steps."""
        wanted = deployment.wanted
        if wanted is None or not verdict.complete:
            return verdict
        trial = gate.trial_of(wanted, observed)
        if trial is None:
            return verdict
        settings = self.desired_state.settings.rollout
        strict = has_way_back(deployment, observed, settings)
        rolling = verdict.rolling
        word = gate.judge(
            wanted,
            observed,
            trial,
            now,
            settings,
            strict=strict,
            undone=undone(verdict.waiting) or (f"not done yet: {rolling[0]}" if rolling else ""),
            untried=rolling,
        )
        return msgspec.structs.replace(verdict, gate=word)

    def record(
        self,
        deployment: Deployment,
        verdict: Verdict,
        before: AppliedApp | None,
        observed: Observed,
    ) -> None:
        """Write what was reached; `before` is what was applied when the pass began."""
        name, wanted = deployment.name, deployment.wanted
        self._end_hold(deployment)
        if wanted is None and verdict.complete and not deployment.findings:
            note_left(self.ledger, name, observed)
            self._remove(name, before, why=deployment.left_out)
            return
        note_taken(self.ledger, name, observed)
        passed = verdict.gate is None or verdict.gate.state is GateState.PASSED
        is_new = wanted and (before is None or before.content != wanted.content)
        if wanted and is_new and verdict.complete and passed:
            tried = gate.rollout_of(wanted, observed)
            self._apply(wanted, before, word=verdict.gate, tried=tried)
            # What is held or refused may ask again what its orders are for.
            if not (deployment.held or deployment.refusal):
                self._end_orders(wanted)
        if verdict.adopt:
            self.ledger.put_units(name, verdict.adopt)

    def _apply(
        self,
        app: DesiredApp,
        before: AppliedApp | None,
        *,
        word: Gate | None,
        tried: Rollout | None,
    ) -> None:
        """Record that a revision has passed its gate: it is the way back from now on."""
        was, last = "new", None
        if before and before.revision:
            tried_before = self.ledger.rollouts(app.name)
            last = next((one for one in tried_before if one.release == before.release), None)
            was = f"was at {in_words(last, app) if last else short_id(before.revision)}"
            if before.source != app.source:
                was = f"comes from source {app.source} now, {was} from {before.source}"
        started = self.ledger.applied_app(app.name)
        units = set(app.runtime_units)
        # What another app is about to take is known by what it was started with here.
        if left := started.units.keys() - units if started else ():
            owners = owners_of(self.desired_state.latest())
            units.update(unit for unit in left if owners.get(unit, app.name) != app.name)
        self.ledger.put_applied(
            AppliedApp(
                name=app.name,
                source=app.source,
                revision=app.revision,
                subject=app.subject,
                author=app.author,
                content=app.content,
                release=tried.release if tried else "",
                applied_at=self.clock.now(),
                units={u: i for u, i in started.units.items() if u in units} if started else {},
            )
        )
        self.ledger.log(
            EventKind.APPLIED,
            app=app.name,
            source=app.source,
            revision=app.revision,
            reason="; ".join(filter(None, (was, word.reason if word else ""))),
            detail=release_in_words(tried) if tried else "",
            author="" if last and last.revision == app.revision else app.author,
            by=tried.by if tried else "",
        )
        if tried:
            word = word or Gate(state=GateState.PASSED)
            self.ledger.put_rollout(gate.ended(tried, word, self.clock.now()))
        self.forget_old_trials(app.name)
        self._end_scales(app)
        self.desired_state.applied(app.name)

    def _remove(self, name: str, before: AppliedApp | None, *, why: str) -> None:
        """Forget an app that is gone."""
        self.forget_failures(before.units if before else ())
        for unit in before.units if before else ():
            self.ledger.drop(LoggedFailure, unit)
        self.ledger.drop_app(name)
        ended = self._drop_all_orders(name)
        self.ledger.drop(JobRun, name)
        volumes = self.ledger.get(AppVolumes, name)
        if volumes and (volumes.restore or volumes.failure):
            # What is half put back is so when the app comes again: it is put back first then.
            order = volumes.restore if volumes.half else None
            volumes = msgspec.structs.replace(volumes, restore=order, failure=None)
            self.ledger.put(volumes, name)
        reason = f"left out ({why})" if why else "no longer in the source"
        reason += f"; with it end orders: {', '.join(ended)}" if ended else ""
        self.ledger.log(EventKind.REMOVED, app=name, reason=reason)
        self.desired_state.removed(name)

    def _drop_all_orders(self, app: str) -> list[str]:
        """Forget what people ordered of an app; returns each in words."""
        hold = self.ledger.drop(Hold, app)
        ended = [f"held at {hold.held_at}"] if hold else []
        ended += [_pinned(one) for one in self._drop_orders(app) if one.pinned]
        for scale in self._scales_of(app):
            self.ledger.drop(Scale, scale.key)
            ended.append(f"{scale.unit} scaled to {scale.replicas}")
        return ended

    def _scales_of(self, app: str) -> list[Scale]:
        return [one for one in self.ledger.all(Scale).values() if one.app == app]

    def _drop_orders(self, app: str, *, but: Collection[str] = ()) -> list[ImageOrder]:
        """Forget what was ordered of an app's images, but for these questions; returns it."""
        orders = self.ledger.all(ImageOrder).values()
        dropped = [one for one in orders if one.app == app and one.question not in but]
        for order in dropped:
            self.ledger.drop(ImageOrder, order.key)
        return dropped

    def _end_orders(self, app: DesiredApp) -> None:
        """End what was ordered for questions that neither this release nor the newest asks."""
        own = (unit.image_rule for unit in app.units if unit.image_rule)
        rules = (*own, *self.desired_state.images.rules.get(app.name, ()))
        for order in self._drop_orders(app.name, but={rule.question.key for rule in rules}):
            if order.pinned:
                image = order.question.partition(" ")[0]
                reason = f"no longer {_pinned(order)}: its unit follows other versions, or none"
                self.ledger.log(EventKind.RESUMED, app=app.name, subject=image, reason=reason)

    def _end_scales(self, app: DesiredApp) -> None:
        """End what was ordered of replicas, where the files say another number since."""
        for one in overtaken(app, self._scales_of(app.name)):
            self.ledger.drop(Scale, one.key)
            reason = f"no longer scaled to {one.replicas}: its file says another number"
            self.ledger.log(EventKind.RESUMED, app=app.name, unit=one.unit, reason=reason)

    def _end_hold(self, deployment: Deployment) -> None:
        """End a hold that something newer has overtaken."""
        hold = self.ledger.get(Hold, deployment.name)
        newest = self.desired_state.newest(deployment.name)
        # A person may have ordered it since this pass began.
        if hold and newest and deployment.held is None and newest.base != hold.base:
            self.ledger.drop(Hold, deployment.name)
            now = deployment.wanted_revision
            is_back = now == hold.revision
            why = "its source asks for that again" if is_back else "there is a newer revision"
            reason = f"no longer held at {hold.held_at}: {why}"
            self.ledger.log(EventKind.RESUMED, app=hold.app, revision=now, reason=reason)

    def forget_old_trials(self, app: str) -> None:
        """Remember no more releases than are wanted, whatever came of them."""
        rollouts = self.ledger.rollouts(app)
        newest = {one.newest.runs for one in self.ledger.all(ImageKnowledge).values() if one.newest}
        volumes = self.ledger.get(AppVolumes, app)
        needed = (
            *(volumes.snapshots if volumes else ()),
            self.ledger.applied_app(app),
            self.ledger.get(Hold, app),
            *(one for one in rollouts if any(pin.runs in newest for pin in one.blamed)),
        )
        gone = gate.forgotten(
            rollouts,
            keep=self.desired_state.settings.rollout.history,
            needed={one.release for one in needed if one},
        )
        self.ledger.drop_rollouts(app, gone)

    def note_failed(self, app: AppStatus) -> None:
        """Log of units that are not to run all the time that they failed, once each failure."""
        for unit in app.units:
            failure = LoggedFailure(at=unit.failed_at)
            logged = self.ledger.get(LoggedFailure, unit.name)
            if unit.wanted or not unit.failed_at or logged == failure:
                continue
            self.ledger.put(failure, unit.name)
            self.ledger.log(
                EventKind.FAILED,
                ok=False,
                app=app.name,
                unit=unit.name,
                revision=app.revision,
                reason=f"failed ({result_in_words(unit.result, unit.ended)})",
                detail="\n".join(unit.log),
            )

    def free_dependents(self, deployment: Deployment) -> set[str]:
        """Take the backoff off what went down with a revision that is taken back; name its apps."""
        units = deployment.runtime_names
        networks = {one.object_name for one in deployment.units if one.kind is UnitKind.NETWORK}
        apps = {deployment.name: deployment} | {
            app: one
            for app, one in self.desired_state.latest().items()
            if any(
                not (units.isdisjoint(unit.requires) and networks.isdisjoint(unit.networks))
                for unit in one.units
            )
        }
        for one in apps.values():
            self.forget_failures(one.runtime_names)
        return set(apps)

    def end_suspension(self, deployment: Deployment) -> None:
        """Say of an app's suspension, or that of all, that its time is over."""
        for order in self.suspensions.over(deployment.name):
            over = "the time of its suspension is over"
            self.ledger.log(EventKind.RESUMED, app=order.app, reason=over)

    def forget_failures(self, units: Collection[str]) -> None:
        """A unit of the same name that comes one day is not to blame for them."""
        names = (name for unit in units for name in (unit, reloads_of(unit)))
        self.ledger.put_repairs(RepairState(unit=name) for name in names)
        for unit in units:
            self.broken.pop(unit, None)


def _pinned(order: ImageOrder) -> str:
    return f"pinned at {short_name(order.question.partition(' ')[0])} {order.pinned}"
