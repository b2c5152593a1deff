"""The loop: takes keys from the queue, hands each to its controller, and interprets how it ended.

Keys in: from watches, alarms, the control socket and the controllers themselves.
Keys out: none of its own but `add_in`, with the backoff that a failure asks for.

| key | controller | then |
| --- | --- | --- |
| `source:NAME` | source | `news` if it says something new; itself at the next poll |
| `app:NAME` | app, all that are due in one pass | itself at the nearest deadline of its plan |
| `image:REF` | image | the apps that wait for it |
| `apps` | - | every `app:*` |
| `news` | - | every `app:*` of which something else is asked than before |
| `keep:NAME` | app | the content of what is applied is protected in the store |
| `health` | health | the apps whose health is not what it was; itself at the next look |
| `probes` | probes | the apps of which a verdict changed; itself when the next is due |
| `webhooks` | webhooks | nothing: the listener is where the settings say |
| `status:NAME` | commit status | itself, while a change of mind is held back |
| `resync` | - | folders, apps and what failed, once in a while |
| `watchdog` | - | tells systemd that the queue still moves |
"""

import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable

import anyio
import msgspec

from supervisor.controllers.apps.app_pass import AppPass
from supervisor.controllers.apps.health import LOOK_SECONDS, HealthController
from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.apps.reconciler import AppController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.ports import FolderWatch
from supervisor.controllers.sources.commit_status import CommitStatusController
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.kit import backoff
from supervisor.kit.clock import Clock
from supervisor.kit.texts import format_duration
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Failure, Finding, Retry, Stalled
from supervisor.model.settings import Settings
from supervisor.model.status import SourceStatus

log = logging.getLogger(__name__)


_OVER_NETWORKS = ("source:", "image:", "status:", "webhooks")
"""Keys of which a failure may be mended by a network that comes up."""
_BACKOFFS = {
    "source": backoff.FETCH_SECONDS,
    "image": backoff.PULL_SECONDS,
    "status": backoff.FETCH_SECONDS,
}


class Loop:
    """Moves keys from the queue through their controllers until it is cancelled."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        desired_state: DesiredState,
        sources: SourceController,
        apps: AppController,
        images: ImageController,
        health: HealthController,
        probes: ProbeController,
        webhooks: WebhookController,
        statuses: CommitStatusController,
        folders: FolderWatch,
        board: StatusBoard,
        clock: Clock,
        on_resync: Callable[[], None],
        on_rest: Callable[[], None],
        on_watchdog: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._desired_state = desired_state
        self._sources = sources
        self._apps = apps
        self._images = images
        self._health = health
        self._probes = probes
        self._webhooks = webhooks
        self._statuses = statuses
        self._folders = folders
        self._board = board
        self._clock = clock
        self._on_resync = on_resync
        self._on_rest = on_rest
        self._on_watchdog = on_watchdog
        self._failures: dict[str, int] = {}
        self._complaints: dict[str, str] = {}
        """What was last said of a key that fails."""
        self._restored: set[str] = set()
        self._suspended = clock.suspended()

    async def start(self) -> None:
        """Take up what is stored, and name every key once."""
        await self.restore()
        self._apps.renew_trials()
        await self._watch_folders()
        self._queue.add("watchdog", "webhooks")
        self._name_all()

    async def restore(self) -> None:
        """Take up what is stored of the sources."""
        for name in self._desired_state.settings.sources:
            if await self._sources.restore(name):
                self._restored.add(f"source:{name}")

    async def take_settings(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._desired_state.settings = settings
        self._desired_state.invalidate()
        self._webhooks.take_settings(settings)
        self._queue.add("webhooks")
        for gone in set(self._board.sources) - set(settings.sources):
            self._board.sources.pop(gone)
            self._queue.forget(f"source:{gone}")
            self._failures.pop(f"source:{gone}", None)
        self._statuses.forget()
        self._queue.add(*(key for key in self._failures if key.startswith("status:")))
        await self._watch_folders()
        self._on_resync()
        self._name_all()

    async def run(self) -> None:
        """Reconcile for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                keys = await self._queue.take()
                apps = [key for key in keys if key.startswith("app:")]
                if apps:
                    along = self._apps.along({key.removeprefix("app:") for key in apps})
                    apps.extend(self._queue.take_along(f"app:{name}" for name in along))
                    tasks.start_soon(self._pass, tuple(apps), self._reconcile_apps)
                for key in keys:
                    if not key.startswith("app:"):
                        tasks.start_soon(self._pass, (key,), self._reconcile_one)

    def expedite(self) -> None:
        """Try now what waits after a failure that a network may mend: it is back, they say."""
        hurried = {key for key in self._failures if key.startswith(_OVER_NETWORKS)}
        for key in hurried:
            # It may take a moment until names resolve again: the backoff starts anew.
            self._failures[key] = 0
        self._queue.expedite(hurried.__contains__)

    def resume(self) -> None:
        """Go on after a suspend: what came due meanwhile is due now, and `hurry`."""
        suspended = self._clock.suspended()
        self._queue.advance(suspended - self._suspended)
        self._suspended = suspended
        self._apps.renew_trials()
        self.expedite()

    def _name_all(self) -> None:
        self._queue.add(*(f"source:{name}" for name in self._desired_state.settings.sources))
        self._resync()

    def _resync(self) -> None:
        """Name what a wake-up can be lost for; Git does not wake anybody, it is polled.

        And what failed until a person mends it: nobody tells when that is done.
        """
        sources = self._desired_state.settings.sources.items()
        self._queue.add(*(f"source:{name}" for name, one in sources if one.folder))
        self._queue.add("apps", *self._failures)
        resync = float(self._desired_state.settings.repair.resync)
        if resync:
            self._queue.add_by_rhythm("resync", resync)

    async def _watch_folders(self) -> None:
        await self._folders.watch_folders(
            {
                name: one.folder
                for name, one in self._desired_state.settings.sources.items()
                if one.folder
            }
        )

    async def _pass(
        self, keys: tuple[str, ...], reconcile: Callable[[set[str]], Awaitable[None]]
    ) -> None:
        """One pass; whatever comes of it, the keys are given back to the queue.

        `reconcile` gets them as a set, and takes out what it has given back itself.
        """
        left = set(keys)
        try:
            try:
                await reconcile(left)
            except Exception as error:  # noqa: BLE001  # a defect must not take other passes down
                failure = failure_of(error, doing=f"a pass over {', '.join(sorted(left))}")
                for key in left:
                    self._interpret(key, failure)
        finally:
            self._queue.done(left)
        self._on_rest()

    async def _reconcile_apps(self, left: set[str]) -> None:
        def ended(done: AppPass) -> None:
            keys = {f"app:{name}" for name in done.apps}
            self._apps_ended(done)
            left.difference_update(keys)
            self._queue.done(keys)
            self._on_rest()

        await self._apps.reconcile(sorted(key.removeprefix("app:") for key in left), ended=ended)

    def _apps_ended(self, done: AppPass) -> None:
        now = self._clock.now()
        for name in done.apps:
            key = f"app:{name}"
            failure = done.failures.get(name)
            if failure:
                self._interpret(key, failure)
            else:
                self._went_well(key)
            at = done.look_again.get(name, math.inf)
            if at <= now:
                self._queue.add(key)
            elif name in done.look_again:
                self._queue.add_in(key, at - now)
        self._queue.add(*(f"keep:{source}" for source in done.moved))
        self._queue.add(*(f"app:{name}" for name in done.stirred))
        self._look_again()

    def _look_again(self) -> None:
        """Arm the next look at health and the next probe, where there are any."""
        if seconds := self._health.second_look_in():
            self._queue.add_in("health", seconds)
        elif any(map(self._desired_state.apps_of_unit, self._health.checked_units())):
            self._queue.add_by_rhythm("health", LOOK_SECONDS)
        due = self._probes.due_in()
        if due is not None:
            self._queue.add_in("probes", due)

    def _keys_of(self, units: Iterable[str]) -> set[str]:
        """Name the apps that have one of these units."""
        return {f"app:{app}" for unit in units for app in self._desired_state.apps_of_unit(unit)}

    async def _reconcile_one(self, keys: set[str]) -> None:
        (key,) = keys
        kind, _, name = key.partition(":")
        match kind:
            case "source":
                await self._reconcile_source(key, name)
            case "image":
                await self._images.reconcile(name)
            case "keep":
                await self._apps.protect(name)
            case "apps":
                # One that was refused and is gone now stands on the board alone.
                names = {*await self._apps.names(), *self._board.apps}
                self._queue.add(*(f"app:{one}" for one in sorted(names)))
            case "news":
                self._queue.add(*(f"app:{one}" for one in await self._apps.news()))
            case "health":
                self._queue.add(*self._keys_of(await self._health.look()))
                self._look_again()
            case "probes":
                self._queue.add(*self._keys_of(await self._probes.run()))
                self._look_again()
            case "webhooks":
                await self._webhooks.listen()
            case "status":
                if seconds := await self._statuses.reconcile(name):
                    self._queue.add_in(key, seconds)
            case "resync":
                self._on_resync()
                self._resync()
            case "watchdog":
                again = self._on_watchdog()
                if again:
                    self._queue.add_by_rhythm("watchdog", again, slack=again / 2)
            case _:
                raise AssertionError(key)
        self._went_well(key)

    async def _reconcile_source(self, key: str, name: str) -> None:
        # Armed before reading: the poll goes on whatever comes of this one.
        self._arm_poll(key, name)
        told = self._webhooks.begin(name)
        try:
            changed = await self._sources.reconcile(name)
        except BaseException:
            self._webhooks.failed(name, told)
            raise
        if self._webhooks.read(name, told, changed=changed):
            self._queue.forget(key)
            self._arm_poll(key, name)
        # What could not be read of the store may be there again.
        stuck = {"apps", "news"} & self._failures.keys()
        self._queue.add(*(f"app:{app}" for app in self._desired_state.failed(name)))
        if stuck or key in self._failures:
            self._queue.add("apps", *stuck)
        elif changed:
            self._queue.add("news")

    def _arm_poll(self, key: str, name: str) -> None:
        if poll := self._webhooks.poll_seconds(name):
            self._queue.add_by_rhythm(key, poll)

    def _went_well(self, key: str) -> None:
        if self._failures.pop(key, None) is not None:
            log.info("%s: well again", _title(key))
        self._complaints.pop(key, None)
        self._board.problems.pop(key, None)

    def _interpret(self, key: str, failure: Failure) -> None:
        """The one place that knows what each failure means for the queue."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        kind = key.partition(":")[0]
        hint = failure.hint
        if kind not in {"source", "image"}:
            message = f"{_title(key)}: {failure}"
            self._board.problems[key] = Finding(message=message, hint=hint)
        match failure:
            case Retry():
                table = _BACKOFFS.get(kind, backoff.PASS_SECONDS)
                self._queue.add_in(key, backoff.delay(table, failures))
            case Stalled() if kind in {"image", "status"}:
                # The person who is needed is elsewhere, and does not tell when it is done.
                self._queue.add_in(key, backoff.PULL_SECONDS[-1])
            case _:
                pass
        self._complain(key, failure, hint)

    def _complain(self, key: str, failure: Failure, hint: str) -> None:
        """Tell the journal what failed, why, and what comes of it; not the same at every retry."""
        why = str(failure)
        if self._complaints.get(key) == why:
            return
        self._complaints[key] = why
        due = self._queue.due_in(key)
        next_try = f"tried again in {format_duration(round(due))}" if due else ""
        if due and isinstance(failure, Retry):
            next_try += ", then less often"
        what_now = "; ".join(filter(None, (hint, next_try)))
        log.warning("%s: %s%s", _title(key), why, f" ({what_now})" if what_now else "")

    def first_pass(self, key: str) -> bool:
        """Tell which keys make up the first pass: a source that was known before is not waited for.

        So the daemon is ready although Git is down.
        """
        return (
            key in {"apps", "news"}
            or key.startswith("app:")
            or (key.startswith("source:") and key not in self._restored)
        )

    def waiting_images(self, apps: Collection[str]) -> tuple[str, ...]:
        """Keys of the images that these apps (all, if empty) wait for."""
        return self._images.keys(apps)

    def unfinished(self, apps: Collection[str]) -> frozenset[str]:
        """Keys of which passes bring these apps (all, if empty) on."""
        return self._apps.unfinished(apps)

    def with_next_poll(self, status: SourceStatus, due_in: float | None) -> SourceStatus:
        """Complete a source's status by the time of its next poll."""
        at = self._clock.now() + due_in if due_in is not None else 0.0
        return msgspec.structs.replace(status, next_poll_at=at)


def _title(key: str) -> str:
    """What people call it: `source home`, `app web`."""
    return key.replace(":", " ", 1)
