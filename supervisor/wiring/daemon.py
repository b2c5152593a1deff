"""The controllers, wired over the ports."""

from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from supervisor.controllers.apps.conclusion import Concluder
from supervisor.controllers.apps.dependents import AppDependencies
from supervisor.controllers.apps.look_schedule import LookSchedule
from supervisor.controllers.apps.reconciler import AppReconciler
from supervisor.controllers.apps.recorder import Recorder
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.keep import ImageKeeper
from supervisor.controllers.keys import Kind
from supervisor.controllers.lifecycle import Lifecycle
from supervisor.controllers.loop import Loop
from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.certificates import CertificateService
from supervisor.controllers.operator.counters import counters
from supervisor.controllers.operator.event_log import EventLog
from supervisor.controllers.operator.incidents import IncidentLog
from supervisor.controllers.operator.reload import SettingsFile, SettingsReloader
from supervisor.controllers.operator.secrets import SecretService
from supervisor.controllers.operator.service import ControlService, Orders
from supervisor.controllers.operator.status import Glance, StatusService
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.operator.unfitting import outlook
from supervisor.controllers.operator.volumes import VolumeOrders
from supervisor.controllers.ports import Ledger
from supervisor.controllers.resync import Resync
from supervisor.controllers.sources.artifact_news import ArtifactNews
from supervisor.controllers.sources.poller import SourcePoller
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.sources.webhook_tester import WebhookTester
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.disk import DiskWatch
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.controllers.watches import Watches
from supervisor.controllers.webhooks.refusals import Refusals
from supervisor.core.config.reader import Reading
from supervisor.kit.sd_notify import Notifier
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Finding
from supervisor.model.settings import Settings
from supervisor.wiring.certificates import Certificates
from supervisor.wiring.environment import load_settings
from supervisor.wiring.executor import executor
from supervisor.wiring.git import commit_statuses, write_back
from supervisor.wiring.images import image_checker, image_puller
from supervisor.wiring.notify import notifications
from supervisor.wiring.own_status import OwnStatus
from supervisor.wiring.planning import Planning
from supervisor.wiring.ports import Ports
from supervisor.wiring.registry import reconcilers
from supervisor.wiring.seldom import close_look, image_orders
from supervisor.wiring.watching import watches
from supervisor.wiring.webhooks import webhook_receivers


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """The controllers, wired."""

    ledger: Ledger
    board: StatusBoard
    queue: WorkQueue
    loop: Loop
    lifecycle: Lifecycle
    desired_state: DesiredState
    service: ControlService
    incidents: IncidentLog
    first_pass_is_over: Callable[[], None]
    """To be called when it is: what is not seen from then on is not there."""
    watches: Watches
    webhooks: Callable[..., Coroutine[Any, Any, None]]
    """Serves the listener for webhooks, until cancelled; `started` at once."""
    settings: SettingsReloader
    close: Callable[[], None]


def assemble(
    settings: Settings,
    ports: Ports,
    *,
    notifier: Notifier,
    config: Path | None = None,
    host_problems: Callable[[], Sequence[Finding]] = tuple,
) -> Daemon:
    """Wire the controllers over the ports; `config` is the settings file that is told of."""
    ledger, clock = ports.ledger, ports.clock
    current = CurrentSettings(settings)
    current.subscribe(ports.configure)
    queue = WorkQueue()
    failures, tally = Counter[str](), Tally()
    ledger.subscribe(tally.event)
    planning = Planning(ports)
    refusals = Refusals(ledger=ledger, settings=current)
    webhooks = WebhookController(
        settings=current,
        listener=ports.listener,
        ledger=ledger,
        queue=queue,
        clock=clock,
        refusals=refusals,
    )
    board = StatusBoard()
    images = image_puller(ports, queue=queue, settings=current, tally=tally)
    desired_state = planning.desired_state(
        current, standing=board.apps, pull_ahead=images.pull_ahead
    )
    checker = image_checker(
        ports,
        desired_state=desired_state,
        queue=queue,
        settings=current,
        listening=webhooks.hears_registries,
    )
    artifacts = ArtifactNews(settings=current, queue=queue, webhooks=webhooks)
    heard = webhook_receivers(
        ports,
        webhooks,
        settings=current,
        told=lambda names: (*checker.schedule.told(names), *artifacts.told(names)),
        signed=images.signed,
    )
    file = SettingsFile(
        load=lambda: load_settings(config) if config else Reading(settings=current.now),
        in_force=current,
        shown=str(config or ""),
    )
    disk = DiskWatch(
        host=ports.host, podman=ports.podman, ledger=ledger, settings=current, queue=queue
    )
    own_status = OwnStatus(
        file=file,
        started_at=clock.now(),
        ledger=ledger,
        disk=disk,
        host_problems=host_problems,
        unknown_images=checker.unknown,
    )
    keeper = ImageKeeper(podman=ports.podman, desired_state=desired_state, ledger=ledger)
    carrying_out = executor(
        ports,
        planning,
        desired_state=desired_state,
        settings=current,
        want_image=images.want,
        want_certificate=lambda name: queue.add(Kind.CERTIFICATE.key(name)),
        doing=lambda step: tally.step(step, board.doing(step)),
    )
    statuses = commit_statuses(ports, board=board, queue=queue, settings=current)
    writeback = write_back(
        ports, desired_state=desired_state, board=board, queue=queue, settings=current
    )

    certificates = Certificates(
        ports, desired_state, queue, settings=current, board=board, overtake=planning.words.overtake
    )

    def network_changed() -> None:
        checker.network_changed()
        certificates.network_changed()

    def on_resync() -> None:
        ports.podman.recheck()
        certificates.name_all()

    incidents = IncidentLog(
        board=board,
        desired_state=desired_state,
        ledger=ledger,
        clock=clock,
        others=lambda: (*disk.findings(), *refusals.problems.values()),
    )
    told = notifications(ports, incidents, queue=queue, settings=current)

    def tell(keys: Collection[str]) -> None:
        checker.follow()
        certificates.follow()
        writeback.arm()
        queue.add(*statuses.due())
        disk.follow()
        told.follow(status_service.status, after=keys)
        if board.has_looked:
            notifier.status(board.summary())

    def first_pass_is_over() -> None:
        board.has_looked = True
        told.follow(status_service.status, after=())

    planner = planning.planner(desired_state, board.apps)
    last_known = planning.last_known(desired_state, board)
    recorder = Recorder(
        desired_state=desired_state, ledger=ledger, suspensions=planning.suspensions, clock=clock
    )
    dependencies = AppDependencies()
    apps = AppReconciler(
        desired_state=desired_state,
        planner=planner,
        executor=carrying_out,
        recorder=recorder,
        concluder=Concluder(
            planner=planner,
            recorder=recorder,
            desired_state=desired_state,
            ledger=ledger,
            board=board,
            last_known=last_known,
            images=images,
            probes=planning.probes,
            clock=clock,
            aside=ports.aside,
            certificates=certificates,
        ),
        dependencies=dependencies,
        systemd=ports.systemd,
        board=board,
    )
    schedule = LookSchedule(
        queue=queue,
        desired_state=desired_state,
        health=planning.health,
        probes=planning.probes,
        clock=clock,
    )
    sources = SourceController(
        reader=ports.reader,
        folders=ports.folders,
        desired_state=desired_state,
        ledger=ledger,
        board=board,
        clock=clock,
    )
    poller = SourcePoller(
        queue=queue,
        sources=sources,
        webhooks=webhooks,
        artifacts=artifacts,
        desired_state=desired_state,
        failures=failures,
    )
    resync = Resync(queue=queue, settings=current, failures=failures, on_resync=on_resync)
    registry = reconcilers(
        poller=poller,
        images=images,
        checker=checker,
        certificates=certificates,
        statuses=statuses,
        writeback=writeback,
        notifications=told,
        webhooks=webhooks,
        apps=apps,
        keeper=keeper,
        sources=sources,
        schedule=schedule,
        disk=disk,
        resync=resync,
        notifier=notifier,
        tally=tally,
        clock=clock,
        queue=queue,
    )
    loop = Loop(
        queue=queue,
        apps=apps,
        reconcilers=registry,
        failures=failures,
        board=board,
        tally=tally,
        clock=clock,
        on_apps_ended=schedule.arm,
        on_rest=tell,
    )
    lifecycle = Lifecycle(
        queue=queue,
        loop=loop,
        settings=current,
        sources=sources,
        suspensions=planning.suspensions,
        clock=clock,
        resync=resync,
        network_changed=network_changed,
    )

    def close() -> None:
        checker.memory.keep()
        ports.close()

    reloader = SettingsReloader(
        file=file,
        take=lifecycle.take_settings,
        outlook=partial(outlook, desired_state),
        secrets=ports.secrets,
        ledger=ledger,
    )
    names = AppNames(desired_state=desired_state, ledger=ledger, board=board)
    status_service = StatusService(
        glance=Glance(
            names=names,
            queue=queue,
            board=board,
            last_known=last_known,
            systemd=ports.systemd,
            webhooks=heard.router,
            disk=disk,
        ),
        queue=queue,
        images=images,
        webhooks=webhooks,
        registry_webhooks=heard.of_registries,
        desired_state=desired_state,
        board=board,
        clock=clock,
        of_daemon=own_status.now,
        certificates=certificates,
        incidents=incidents,
    )
    syncs = SyncService(
        queue=queue,
        dependencies=dependencies,
        images=images,
        desired_state=desired_state,
        names=names,
        ledger=ledger,
        board=board,
        clock=clock,
        certificates=certificates,
    )
    actions = AppActions(
        names=names,
        queue=queue,
        desired_state=desired_state,
        ledger=ledger,
        suspensions=planning.suspensions,
        board=board,
        clock=clock,
    )
    service = ControlService(
        statuses=status_service,
        counters=partial(counters, tally, queue, failures),
        syncs=syncs,
        orders=Orders(
            apps=actions,
            volumes=VolumeOrders(actions=actions, archive=ports.archive),
            images=image_orders(ports, checker, names=names, syncs=syncs),
        ),
        secret_service=SecretService(
            secrets=planning.secrets,
            desired_state=desired_state,
            statuses=status_service,
            queue=queue,
            board=board,
        ),
        certificate_service=CertificateService(
            news=certificates, actions=certificates.actions, queue=queue, ledger=ledger
        ),
        event_log=EventLog(ledger=ledger, names=names),
        notifications=told,
        close_look=partial(close_look, ports, names, planning.words, board=board, tally=tally),
        preview=lambda: planning.preview(current.now, board.apps),
        settings=reloader,
        webhook_tester=WebhookTester(
            listener=ports.listener,
            webhooks=webhooks,
            secrets=heard.secrets,
            queue=queue,
            board=board,
            clock=clock,
            settings=current,
        ),
    )
    return Daemon(
        ledger=ledger,
        board=board,
        queue=queue,
        loop=loop,
        lifecycle=lifecycle,
        desired_state=desired_state,
        service=service,
        incidents=incidents,
        first_pass_is_over=first_pass_is_over,
        watches=watches(
            ports,
            queue=queue,
            desired_state=desired_state,
            board=board,
            event_seen=(checker.schedule.seen_here, planning.health.event_seen),
            host_changed=lifecycle.host_changed,
        ),
        webhooks=partial(ports.listener.run, heard.router),
        settings=reloader,
        close=close,
    )
