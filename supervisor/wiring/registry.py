"""Who reconciles each kind of key: the registry of the loop."""

import asyncio
from functools import partial

from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.look_schedule import LookSchedule
from supervisor.controllers.apps.reconciler import AppReconciler
from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.images.keep import ImageKeeper
from supervisor.controllers.keys import Kind
from supervisor.controllers.reconcilers import Reconciler, Registry
from supervisor.controllers.resync import Resync
from supervisor.controllers.sources.commit_status import CommitStatusController
from supervisor.controllers.sources.poller import SourcePoller
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.disk import DiskWatch
from supervisor.controllers.state.tally import Tally
from supervisor.kit import backoff
from supervisor.kit.clock import Clock
from supervisor.kit.resident import ResidentSet
from supervisor.kit.sd_notify import Notifier
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.incident import IncidentCode
from supervisor.wiring.certificates import Certificates
from supervisor.wiring.git import WriteBack
from supervisor.wiring.notify import Notifications


def reconcilers(
    *,
    poller: SourcePoller,
    images: ImageController,
    checker: ImageChecker,
    certificates: Certificates,
    statuses: CommitStatusController,
    writeback: WriteBack,
    notifications: Notifications,
    webhooks: WebhookController,
    apps: AppReconciler,
    keeper: ImageKeeper,
    sources: SourceController,
    schedule: LookSchedule,
    disk: DiskWatch,
    resync: Resync,
    notifier: Notifier,
    tally: Tally,
    clock: Clock,
    queue: WorkQueue,
) -> Registry:
    """Name them."""
    pauses = backoff.FETCH_SECONDS
    resident = ResidentSet()

    async def watchdog(_: str) -> list[str]:
        notifier.watchdog()
        tally.sample(clock.now())
        if again := notifier.watchdog_seconds / 2:
            queue.add_by_rhythm(Kind.WATCHDOG, again, slack=again / 2)
        return [Kind.MEMORY]

    async def memory(_: str) -> None:
        # A poll comes with a sign of life, and needs much of what is taken out.
        await queue.wait_idle(lambda key: key != Kind.MEMORY)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, resident.trim)  # when the end of this pass was heard of

    outward = partial(Reconciler, backoff=pauses, stalled_retry=pauses[-1], over_network=True)
    return {
        Kind.SOURCE: Reconciler(
            reconcile=poller.reconcile,
            backoff=backoff.FETCH_SECONDS,
            over_network=True,
            shows_failures=True,
        ),
        Kind.IMAGE: Reconciler(
            reconcile=images.reconcile,
            backoff=backoff.PULL_SECONDS,
            stalled_retry=backoff.PULL_SECONDS[-1],
            over_network=True,
            shows_failures=True,
        ),
        Kind.IMAGE_CHECK: Reconciler(
            reconcile=checker.reconcile,
            backoff=backoff.CHECK_SECONDS,
            over_network=True,
            shows_failures=True,
        ),
        Kind.CERTIFICATE: Reconciler(
            reconcile=certificates.reconcile,
            stalled_retry=backoff.PASS_SECONDS[-1],
            incident=IncidentCode.CERTIFICATE_FAILING,
        ),
        Kind.COMMIT_STATUS: outward(
            reconcile=statuses.reconcile, incident=IncidentCode.COMMIT_STATUS_UNSENT
        ),
        **writeback.reconcilers(outward),
        Kind.NOTIFY: outward(reconcile=notifications.reconcile, shows_failures=True),
        Kind.WEBHOOKS: Reconciler(
            reconcile=webhooks.reconcile, over_network=True, incident=IncidentCode.WEBHOOKS_FAILING
        ),
        Kind.ALL_APPS: Reconciler(reconcile=apps.name_all),
        Kind.CHANGED_APPS: Reconciler(reconcile=apps.name_changed),
        Kind.KEPT_IMAGES: Reconciler(reconcile=keeper.reconcile),
        Kind.GC_ROOTS: Reconciler(reconcile=sources.protect),
        Kind.HEALTH: Reconciler(reconcile=schedule.look),
        Kind.PROBES: Reconciler(reconcile=schedule.probe),
        Kind.DISK: Reconciler(reconcile=disk.reconcile),
        Kind.RESYNC: Reconciler(reconcile=resync.reconcile),
        Kind.WATCHDOG: Reconciler(reconcile=watchdog),
        Kind.MEMORY: Reconciler(reconcile=memory),
    }
