"""What checks images, on fakes: with a queue, a loop and a ledger that are real."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.controllers.apps.app_pass import AppPass
from supervisor.controllers.apps.reconciler import AppReconciler
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.asking import Asking
from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.images.hosts import Hosts
from supervisor.controllers.images.memory import Memory
from supervisor.controllers.images.schedule import CheckSchedule
from supervisor.controllers.keys import Kind
from supervisor.controllers.loop import Loop
from supervisor.controllers.reconcilers import Reconciler
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.kit import backoff
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.app import Deployment
from supervisor.model.events import Event, EventKind
from supervisor.model.image import (
    ImageKnowledge,
    ImagePolicy,
    ImageQuestion,
    ImageRule,
    PolicyKind,
    UpdateMode,
)
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import ImageSettings, LedgerSettings, Settings
from tests.fakes.machine import Machine, app, container, deploy
from tests.fakes.ports import FakeClock, FakePodman, at_once
from tests.fakes.registry import FakeRegistry

HIGHEST = ImagePolicy(kind=PolicyKind.NEWEST)


def asks(image: str, **more: Any) -> ImageQuestion:
    return ImageQuestion(image=image, **more)


def deployed(
    name: str, *questions: ImageQuestion, update: UpdateMode | None = None, **more: Any
) -> Deployment:
    """An app with a unit for each question."""
    units = [
        container(
            f"{name}{number}",
            images=(one.image,),
            image_rule=ImageRule(question=one, path=f"{name}{number}.container", update=update),
        )
        for number, one in enumerate(questions)
    ]
    return deploy(app(name, *units), **more)


class FakeApps:
    """Apps that are named, and nothing comes of it."""

    def __init__(self, world: "Checks") -> None:
        self.world = world

    def along(self, names: Collection[str]) -> set[str]:
        return set()

    async def reconcile(self, names: Collection[str], *, ended: Callable[[AppPass], None]) -> None:
        self.world.named.extend(Kind.APP.keys(sorted(names)))
        ended(AppPass(apps=tuple(names)))


class FakeDesiredState:
    def __init__(self) -> None:
        self.deployments: Mapping[str, Deployment] = {}
        self.invalidated = 0

    def latest(self) -> Mapping[str, Deployment]:
        return self.deployments

    def images_changed(self) -> None:
        self.invalidated += 1


class Checks:
    """The world around the checks, which outlives a daemon."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.registry = FakeRegistry()
        self.machine = Machine()
        self.podman = FakePodman(self.machine)
        self.settings = Settings()
        self.listening = False
        self.is_killed = False
        """Whether daemons do not end in order."""
        self.named: list[str] = []
        """Keys of other kinds, as they had a pass."""
        self.rings = 0
        self.writes = 0

    def interval(self, seconds: float) -> None:
        self.settings = Settings(images=ImageSettings(interval=Seconds(seconds)))

    @asynccontextmanager
    async def running(self, *deployments: Deployment) -> AsyncIterator["Running"]:
        """A daemon, until it ends in order."""
        one = Running(self)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.loop.run)
                if deployments:
                    await one.deploy(*deployments)
                yield one
                tasks.cancel_scope.cancel()
            if not self.is_killed:
                one.memory.keep()
        finally:
            one.ledger.close()
            if one.queue._alarm:
                one.queue._alarm.cancel()


class Running:
    def __init__(self, world: Checks) -> None:
        self.world = world
        self.queue = WorkQueue()
        self._count_rings()
        self.ledger = SqliteLedger(world.path, settings=LedgerSettings(), clock=world.clock)
        self._count_writes()
        self.settings = CurrentSettings(world.settings)
        self.state = FakeDesiredState()
        state = cast("DesiredState", self.state)
        self.memory = Memory(ledger=self.ledger, clock=world.clock)
        self.schedule = CheckSchedule(
            desired_state=state,
            memory=self.memory,
            queue=self.queue,
            settings=self.settings,
            listening=lambda: world.listening,
        )
        self.hosts = Hosts()
        self.checker = ImageChecker(
            schedule=self.schedule,
            asking=Asking(
                registry=world.registry,
                podman=world.podman,
                hosts=self.hosts,
                aside=at_once,
            ),
            memory=self.memory,
            desired_state=state,
        )

        def noting(kind: Kind) -> Reconciler:
            async def note(name: str) -> None:
                world.named.append(kind.key(name) if name else kind)

            return Reconciler(reconcile=note)

        reconcilers: dict[Kind, Reconciler] = {
            kind: noting(kind) for kind in Kind if kind is not Kind.APP
        }
        reconcilers[Kind.IMAGE_CHECK] = Reconciler(
            reconcile=self.checker.reconcile, backoff=backoff.CHECK_SECONDS, shows_failures=True
        )
        self.loop = Loop(
            queue=self.queue,
            apps=cast("AppReconciler", FakeApps(world)),
            reconcilers=reconcilers,
            failures=Counter(),
            board=StatusBoard(),
            tally=Tally(),
            clock=world.clock,
            on_apps_ended=lambda: None,
            on_rest=lambda _: self.checker.follow(),
        )

    async def deploy(self, *deployments: Deployment) -> None:
        """Have other deployments worked out, and what follows done."""
        self.state.deployments = {one.name: one for one in deployments}
        self.queue.add(Kind.ALL_APPS)
        await self.rest()

    async def take(self, settings: Settings) -> None:
        self.world.settings = settings
        self.settings.put(settings)
        self.queue.add(Kind.ALL_APPS)
        await self.rest()

    async def rest(self) -> None:
        await self.queue.wait_idle()

    def known(self, question: ImageQuestion) -> ImageKnowledge:
        """What the ledger has of it."""
        found = self.ledger.get(ImageKnowledge, question.key)
        assert found
        return found

    def now_known(self, question: ImageQuestion) -> ImageKnowledge:
        """What the daemon has in memory."""
        found = self.memory.of(question.key)
        assert found
        return found

    def events(self, *kinds: EventKind) -> list[Event]:
        return [one for one in self.ledger.events() if one.kind in kinds]

    def _count_rings(self) -> None:
        ring = self.queue._ring

        def counted() -> None:
            self.world.rings += 1
            ring()

        self.queue._ring = counted  # type: ignore[method-assign]

    def _count_writes(self) -> None:
        put = self.ledger.put

        def counted(*args: Any) -> None:
            self.world.writes += 1
            put(*args)

        self.ledger.put = counted  # type: ignore[method-assign,assignment]
