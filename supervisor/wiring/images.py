"""What finds out which versions of images there are, and what pulls them, wired."""

from collections.abc import Callable

from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.verifier import ImageVerifier
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.asking import Asking
from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.images.hosts import Hosts
from supervisor.controllers.images.memory import Memory
from supervisor.controllers.images.schedule import CheckSchedule
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.tally import Tally
from supervisor.kit.workqueue import WorkQueue
from supervisor.wiring.ports import Ports


def image_checker(
    ports: Ports,
    *,
    desired_state: DesiredState,
    queue: WorkQueue,
    settings: CurrentSettings,
    listening: Callable[[], bool],
) -> ImageChecker:
    """Wire what asks; `listening` as of `CheckSchedule`."""
    memory = Memory(ledger=ports.ledger, clock=ports.clock)
    return ImageChecker(
        schedule=CheckSchedule(
            desired_state=desired_state,
            memory=memory,
            queue=queue,
            settings=settings,
            listening=listening,
        ),
        asking=Asking(
            registry=ports.registry, podman=ports.podman, hosts=Hosts(), aside=ports.aside
        ),
        memory=memory,
        desired_state=desired_state,
    )


def image_puller(
    ports: Ports, *, queue: WorkQueue, settings: CurrentSettings, tally: Tally
) -> ImageController:
    """Wire what pulls, and has who signed it verified."""
    return ImageController(
        podman=ports.podman,
        ledger=ports.ledger,
        queue=queue,
        settings=settings,
        verifier=ImageVerifier(podman=ports.podman, ledger=ports.ledger),
        tally=tally,
    )
