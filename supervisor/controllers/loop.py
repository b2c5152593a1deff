"""The loop: takes keys from the queue, hands each to its reconciler, and interprets how it ended.

Keys in: from watches, alarms, the control socket and the reconcilers themselves.
Keys out: those that a reconciler names, and of its own `add_in`, with the backoff of a failure.

Apps are different: all that are due share one pass, and each comes to its own end.
"""

import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.apps.app_pass import AppPass
from supervisor.controllers.apps.reconciler import AppReconciler
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.keys import Kind, parse, title
from supervisor.controllers.reconcilers import Reconciler, Registry
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.kit import backoff
from supervisor.kit.clock import Clock, follow_time_zone
from supervisor.kit.texts import format_duration
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Failure, Finding, OutOfReach, Retry, Stalled
from supervisor.model.incident import IncidentCode

log = logging.getLogger(__name__)

_APPS = f"{Kind.APP}:"


class Loop(msgspec.Struct, kw_only=True):
    """Moves keys from the queue through their reconcilers until it is cancelled."""

    queue: WorkQueue
    apps: AppReconciler
    reconcilers: Registry
    failures: Counter[str]
    """Key to how often in a row it failed; one that went well last is not there."""
    board: StatusBoard
    tally: Tally
    clock: Clock
    on_apps_ended: Callable[[], None]
    on_rest: Callable[[Collection[str]], None]
    """Gets the keys that a pass has ended for."""
    _complaints: dict[str, str] = {}
    """What was last said of a key that fails."""

    def __post_init__(self) -> None:
        if missing := set(Kind) - {Kind.APP, *self.reconcilers}:
            raise AssertionError(f"nobody reconciles {', '.join(sorted(missing))}")

    async def run(self) -> None:
        """Reconcile for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                keys = await self.queue.take()
                follow_time_zone()  # quiet hours and windows go by it
                apps = [key for key in keys if key.startswith(_APPS)]
                if apps:
                    along = self.apps.along({key.removeprefix(_APPS) for key in apps})
                    apps.extend(self.queue.take_along(Kind.APP.keys(along)))
                    tasks.start_soon(self._pass, tuple(apps), self._reconcile_apps)
                for key in keys:
                    if not key.startswith(_APPS):
                        tasks.start_soon(self._pass, (key,), self._reconcile_one)

    def expedite(self) -> None:
        """Try now what waits after a failure that a network may mend: it is back, they say."""
        expedited = {key for key in self.failures if self._of(key).over_network}
        # It may take a moment until names resolve again.
        for key in expedited:
            self.failures[key] = 0
        self.queue.expedite(expedited.__contains__)

    def forget_failure(self, key: str) -> bool:
        """Begin anew with a key that went well, or is about nothing now; tells if it had failed."""
        self._complaints.pop(key, None)
        self.board.problems.pop(key, None)
        return self.failures.pop(key, None) is not None

    def _of(self, key: str) -> Reconciler:
        return self.reconcilers.get(parse(key)[0], _OF_APPS)

    async def _pass(
        self, keys: tuple[str, ...], reconcile: Callable[[set[str]], Awaitable[None]]
    ) -> None:
        """One pass; whatever comes of it, the keys are given back to the queue.

        `reconcile` gets them as a set, and takes out what it has given back itself.
        """
        left, began = set(keys), anyio.current_time()
        try:
            try:
                await reconcile(left)
            except Exception as error:  # noqa: BLE001  # a defect must not take other passes down
                failure = failure_of(error, doing=f"a pass over {', '.join(sorted(left))}")
                for key in left:
                    self._interpret(key, failure)
        finally:
            self.queue.done(left)
        self.tally.ended(parse(keys[0])[0], seconds=anyio.current_time() - began)
        if left:
            self.on_rest(left)

    async def _reconcile_one(self, keys: set[str]) -> None:
        (key,) = keys
        self.queue.add(*(await self._of(key).reconcile(parse(key)[1]) or ()))
        self._went_well(key)

    async def _reconcile_apps(self, left: set[str]) -> None:
        def ended(done: AppPass) -> None:
            if not done.apps:
                return
            keys = set(Kind.APP.keys(done.apps))
            self._apps_ended(done)
            left.difference_update(keys)
            self.queue.done(keys)
            self.on_rest(keys)

        await self.apps.reconcile(sorted(key.removeprefix(_APPS) for key in left), ended=ended)

    def _apps_ended(self, done: AppPass) -> None:
        now = self.clock.now()
        for name in done.apps:
            key = Kind.APP.key(name)
            failure = done.failures.get(name)
            if failure:
                self._interpret(key, failure)
            else:
                self._went_well(key)
            at = done.requeue_at.get(name, math.inf)
            if at <= now:
                self.queue.add(key)
            elif name in done.requeue_at:
                self.queue.add_in(key, at - now)
        self.queue.add(*Kind.GC_ROOTS.keys(done.sources_changed))
        if done.releases_changed:
            self.queue.add_in(Kind.KEPT_IMAGES, backoff.UNHURRIED_SECONDS)
        self.queue.add(*Kind.APP.keys(done.requeue_now))
        self.on_apps_ended()

    def _went_well(self, key: str) -> None:
        if self.forget_failure(key):
            log.info("%s: well again", title(key))

    def _interpret(self, key: str, failure: Failure) -> None:
        """The one place that knows what each failure means for the queue."""
        self.failures[key] += 1
        self.tally.failed(parse(key)[0], failure)
        reconciler = self._of(key)
        if not reconciler.shows_failures:
            self._show(key, failure, reconciler.incident)
        match failure:
            case Retry():
                delay = backoff.delay(reconciler.backoff, self.failures[key])
                self.queue.add_in(key, max(delay, failure.after_seconds))
            case Stalled() if reconciler.stalled_retry:
                self.queue.add_in(key, reconciler.stalled_retry)
            case _:
                pass
        self._complain(key, failure)

    def _show(self, key: str, failure: Failure, code: IncidentCode) -> None:
        """Put on the board what is wrong: with this key, or with what all keys need."""
        if isinstance(failure, OutOfReach) and failure.what:
            # At first it may just be restarting, or end, and this daemon with it.
            if self.failures[key] > 1:
                own = IncidentCode.SUPERVISOR_FAILING
                said = replace(Finding.of(failure), code=own, subject=failure.what)
                self.board.problems[key] = said
            return
        kind, name = parse(key)
        said = Finding.of(failure, about=title(key))
        self.board.problems[key] = replace(said, code=code, subject=name or str(kind))

    def _complain(self, key: str, failure: Failure) -> None:
        """Tell the journal what failed, why, and what comes of it; not the same at every retry."""
        why = str(failure)
        if self._complaints.get(key) == why:
            return
        self._complaints[key] = why
        due = self.queue.due_in(key)
        next_try = f"tried again in {format_duration(round(due))}" if due else ""
        if due and isinstance(failure, Retry):
            next_try += ", then less often"
        what_now = "; ".join(filter(None, (failure.hint, next_try)))
        log.warning("%s: %s%s", title(key), why, f" ({what_now})" if what_now else "")


async def _never(name: str) -> None:
    """Stand for the reconciler of apps, which has them by many."""
    raise AssertionError(name)


_OF_APPS = Reconciler(reconcile=_never)
