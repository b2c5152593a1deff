"""What finds out which versions of images there are, and takes orders for them, wired."""

from collections.abc import Callable

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.asking import Asking
from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.images.hosts import Hosts
from supervisor.controllers.images.memory import Memory
from supervisor.controllers.images.schedule import Ahead, CheckSchedule
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.image_forecast import ImageForecast
from supervisor.controllers.operator.image_listing import ImageListing
from supervisor.controllers.operator.image_versions import ImageVersions
from supervisor.controllers.operator.images import ImageService
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.kit.workqueue import WorkQueue
from supervisor.wiring.ports import Ports


def image_checker(
    ports: Ports,
    *,
    desired_state: DesiredState,
    queue: WorkQueue,
    settings: CurrentSettings,
    listening: Callable[[], bool],
    pull_ahead: Ahead,
) -> ImageChecker:
    """Wire what asks; `listening` and `pull_ahead` as of `CheckSchedule`."""
    memory = Memory(ledger=ports.ledger, clock=ports.clock)
    return ImageChecker(
        schedule=CheckSchedule(
            desired_state=desired_state,
            memory=memory,
            queue=queue,
            settings=settings,
            listening=listening,
            pull_ahead=pull_ahead,
        ),
        asking=Asking(
            registry=ports.registry, podman=ports.podman, hosts=Hosts(), aside=ports.aside
        ),
        memory=memory,
        desired_state=desired_state,
    )


def image_service(
    ports: Ports, checker: ImageChecker, *, names: AppNames, syncs: SyncService
) -> ImageService:
    """Wire what people ask about images, and order of them."""
    desired_state, ledger, clock = checker.desired_state, ports.ledger, ports.clock
    return ImageService(
        listing=ImageListing(
            names=names,
            desired_state=desired_state,
            ledger=ledger,
            knowledge=checker.memory.of,
            next_check_in=checker.schedule.next_check_in,
            clock=clock,
        ),
        versions=ImageVersions(
            ledger=ledger, registry=ports.registry, podman=ports.podman, clock=clock
        ),
        schedule=checker.schedule,
        forecast=ImageForecast(asking=checker.asking, desired_state=desired_state, clock=clock),
        syncs=syncs,
        desired_state=desired_state,
        ledger=ledger,
        clock=clock,
    )
