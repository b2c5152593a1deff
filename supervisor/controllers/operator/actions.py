"""Orders of people for apps: leave them alone, go back, go on; and what was tried of them.

Serves `controllers.operator.service`. Each order is written down, said in the event
log, and ends with a pass over the apps.
"""

from collections.abc import Collection

import msgspec

from supervisor.controllers.apps.volumes import remembered
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.desired.scales import template_to_scale
from supervisor.core.health.gate import is_on
from supervisor.core.health.release import in_words
from supervisor.core.plan.rollout import older_release
from supervisor.kit.clock import Clock
from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.kit.texts import count, format_duration, with_why
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.need import Need, NeedKind
from supervisor.model.rollout import Hold, Outcome, Scale, Suspension
from supervisor.model.status import History, OrderRequest, ScaleRequest


class AppActions(msgspec.Struct, frozen=True, kw_only=True):
    """Takes orders for apps that are there; raises Stalled for what cannot be ordered."""

    names: AppNames
    queue: WorkQueue
    desired_state: DesiredState
    ledger: Ledger
    suspensions: Suspensions
    board: StatusBoard
    clock: Clock

    async def suspend(self, order: OrderRequest) -> None:
        """Leave these apps (all, if none is named) alone."""
        self.names.check(order.apps)
        now = self.clock.now()
        until = now + order.seconds if order.seconds else 0.0
        length = f"for {format_duration(order.seconds)}" if order.seconds else "until resumed"
        for app in order.apps or ("",):
            self.suspensions.suspend(
                Suspension(app=app, at=now, until=until, reason=order.reason, by=ORDERED_BY.get())
            )
            why = with_why(length, order.reason)
            self.ledger.log(EventKind.SUSPENDED, app=app, reason=why)
        self.desired_state.images_changed()
        await self._look_at(order.apps)

    async def resume(self, order: OrderRequest) -> Collection[str]:
        """Have these apps go on, whether suspended, held or in quarantine.

        Without a name, what was ordered of all and of each ends; what failed is not tried again.
        Returns which apps there are to see to: whoever asks sees to a pass.
        """
        self.names.check(order.apps)
        if order.apps and self.suspensions.is_for_all():
            raise Stalled(
                f"cannot resume {order.apps[0]} alone: all apps are suspended",
                hint="podvisor resume, without a name; or suspend the others by their names first",
            )
        if not order.apps and self.suspensions.lift(""):
            self.ledger.log(EventKind.RESUMED, reason="no longer suspended")
        for app in order.apps or sorted({*self.board.apps, *self.ledger.applied()}):
            if words := self._go_on(app, again=bool(order.apps)):
                why = ", ".join(words)
                self.ledger.log(EventKind.RESUMED, app=app, reason=why)
        self.desired_state.invalidate()
        return order.apps or await self.desired_state.deployments()

    def _go_on(self, app: str, *, again: bool) -> list[str]:
        """End what was ordered of an app; with `again`, its quarantine too. Says what ended."""
        words = []
        if self.suspensions.lift(app):
            words.append("no longer suspended")
        if hold := self.ledger.drop(Hold, app):
            words.append(f"no longer held at {hold.held_at}")
        volumes = remembered(self.ledger, app)
        if volumes.restore and not volumes.half:
            self.ledger.put(msgspec.structs.replace(volumes, restore=None, failure=None), app)
            words.append("its volumes are not put back")
        if again:
            words.extend(self._lift_quarantine(app, held=hold.release if hold else ""))
        return words

    async def retry(self, order: OrderRequest) -> None:
        """Have what failed of an app, and is still asked for, tried again.

        Whoever asks sees to a pass. Raises Stalled if there is nothing of that kind.
        """
        self.names.check(order.apps)
        (app,) = order.apps
        await self.desired_state.deployments()
        hold = self.ledger.get(Hold, app)
        words = self._lift_quarantine(app, held=hold.release if hold else "", images=True)
        words += [f"{one.text} is pulled again" for one in self._unpulled(app)]
        if not words:
            raise Stalled(
                f"cannot retry {app}: nothing failed of what is asked of it now",
                hint=f"podvisor history {app} shows what was tried; podvisor sync {app} tries now"
                " what waits for its next try",
            )
        why = with_why(", ".join(words), order.reason)
        self.ledger.log(EventKind.RESUMED, app=app, reason=why)
        self.desired_state.invalidate()

    def _unpulled(self, app: str) -> list[Need]:
        """Return the images that it waits for, and that could not be had."""
        waiting = self.board.apps[app].waiting if app in self.board.apps else ()
        return [one for one in waiting if one.kind is NeedKind.IMAGE and one.failing]

    def _lift_quarantine(self, app: str, *, held: str = "", images: bool = False) -> list[str]:
        """Let what failed be tried again, if it is asked for: its revision; also its newest images.

        `held` is a release that was ordered. Says of each what it is.
        """
        newest, now = self.desired_state.newest(app), self.desired_state.latest().get(app)
        updates = now.updates if now and images else ()
        failed = {(one.question, one.version.runs) for one in updates if one.failed}
        words = []
        for one in self.ledger.rollouts(app):
            is_asked = one.release == held or (
                newest is not None
                and (
                    one.content == newest.content
                    or any((pin.question, pin.runs) in failed for pin in one.blamed)
                )
            )
            if one.outcome is Outcome.FAILED and is_asked:
                # It stays known: it must not come again under the name of a newer commit.
                by = ORDERED_BY.get()
                cut = msgspec.structs.replace(one, outcome=Outcome.TRIAL, reason="", by=by)
                self.ledger.put_rollout(cut)
                words.append(f"{in_words(one, newest)} may be tried again")
        return list(dict.fromkeys(words))

    async def roll_back(self, order: OrderRequest) -> None:
        """Bring the app of an order to an older release, and hold it there; see `hold_meant`."""
        self.hold(await self.hold_meant(order), reason=order.reason)
        await self._look_at(order.apps)

    async def hold_meant(self, order: OrderRequest) -> Hold:
        """Return how the app of an order is to be held at an older release.

        If none is named, that is the last good one before; of one that is held, before that at
        which it is. Raises Stalled if there is none such.
        """
        self.names.check(order.apps)
        (app,) = order.apps
        deployment = (await self.desired_state.deployments()).get(app)
        applied = self.ledger.applied_app(app)
        newest = self.desired_state.newest(app)
        hold = deployment.held if deployment else None
        rollouts = self.ledger.rollouts(app)
        passed = {*hold.passed, hold.release} if hold else set()
        now_at = {newest.content} if newest else set()
        if applied and not any(is_on(one) and one.content in now_at for one in rollouts):
            now_at.add(applied.content)  # of a release on trial, it is the way back
        here = {one.release for one in rollouts if one.content in now_at}
        target = older_release(rollouts, order.revision, passed=passed | here)
        name = in_words(target, newest)
        if deployment is None or newest is None:
            if deployment and (deployment.findings or deployment.failure):
                why = "what its source holds of it now cannot be read"
                hint = f"podvisor status {app} says why; until that is mended it stays as it is"
                raise Stalled(f"cannot roll back {app}: {why}", hint=hint)
            raise Stalled(f"cannot roll back {app}: its source does not hold it any more")
        images = name if target.base == newest.base else ""
        if target.content == newest.content:
            raise Stalled(
                f"cannot roll back {app} to {name}: it is what the source asks for",
                hint=f"podvisor resume {app} brings it there",
            )
        if not await self.desired_state.history.is_stored(target):
            raise Stalled(
                f"cannot roll back {app} to {name}: its files are not stored any more",
                hint="push them once more: git revert, or git checkout the old ones and commit",
            )
        after = {one.release for one in rollouts[rollouts.index(target) + 1 :]}
        return Hold(
            app=app,
            release=target.release,
            revision=target.revision,
            images=images,
            instead_of=newest.revision,
            base=newest.base,
            passed=tuple(sorted(after if target.release in passed else after | passed)),
            at=self.clock.now(),
            by=ORDERED_BY.get(),
        )

    def hold(self, hold: Hold, *, reason: str) -> None:
        """Have an app held; whoever asks sees to a pass."""
        self.ledger.put(hold, hold.app)
        what = f"a person rolled it back{f' to {hold.images}' if hold.images else ''}"
        words = with_why(what, reason)
        self.ledger.log(EventKind.HELD, app=hold.app, revision=hold.revision, reason=words)
        self.desired_state.invalidate()

    def _stands(self, deployment: Deployment | None) -> DesiredApp | None:
        """Return the state of an app that is here; what is wanted, only if it was tried."""
        if deployment is None or deployment.wanted is None:
            return deployment.last_good if deployment else None
        wanted, last_good = deployment.wanted, deployment.last_good
        tried = self.ledger.rollouts(deployment.name)
        is_tried = any(is_on(one) and one.content == wanted.content for one in tried)
        return wanted if is_tried or last_good is None else last_good

    async def scale(self, order: ScaleRequest) -> None:
        """Have so many replicas of a unit; a release whose file says another number ends that.

        Whoever asks sees to a pass. Raises Stalled if it has no replicas, or cannot have so many.
        """
        self.names.check([order.app])
        deployment = (await self.desired_state.deployments()).get(order.app)
        unit = template_to_scale(order.app, self._stands(deployment), order.unit)
        said = unit.replicas or 0
        scale = Scale(
            app=order.app,
            unit=unit.name,
            replicas=said if order.replicas is None else order.replicas,
            instead_of=said,
            at=self.clock.now(),
            reason=order.reason,
            by=ORDERED_BY.get(),
        )
        if scale.replicas > 1 and unit.only_one:
            hint = "let it name the instance: %i"
            raise Stalled(
                f"cannot scale {unit.name} to {scale.replicas}: {unit.only_one}", hint=hint
            )
        number = count(scale.replicas, "replica")
        if scale.replicas != said:
            self.ledger.put(scale, scale.key)
            why = with_why(f"a person asks for {number}; its file says {said}", order.reason)
            self.ledger.log(EventKind.SCALED, app=order.app, unit=unit.name, reason=why)
        elif before := self.ledger.drop(Scale, scale.key):
            text = f"as its file says again: {number}, not {before.replicas}"
            why = with_why(text, order.reason)
            self.ledger.log(EventKind.RESUMED, app=order.app, unit=unit.name, reason=why)
        self.desired_state.invalidate()

    def history(self, app: str) -> History:
        """Releases of an app that were tried here, the newest first."""
        self.names.check([app])
        applied = self.ledger.applied_app(app)
        return History(
            app=app,
            running=applied.release if applied else "",
            held=self.ledger.get(Hold, app),
            rollouts=tuple(reversed(self.ledger.rollouts(app))),
            volumes=remembered(self.ledger, app).snapshots[::-1],
        )

    async def _look_at(self, apps: Collection[str]) -> None:
        names = apps or await self.desired_state.deployments()
        await self.queue.wait_for_pass(Kind.APP.keys(names))
