"""What answers people about images, and takes their orders; loaded with the first of these."""

from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.image_forecast import ImageForecast
from supervisor.controllers.operator.image_listing import ImageListing
from supervisor.controllers.operator.image_versions import ImageVersions
from supervisor.controllers.operator.images import ImageService
from supervisor.controllers.operator.sync import SyncService
from supervisor.wiring.ports import Ports


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
            pull_error=syncs.images.error,
            clock=clock,
        ),
        versions=ImageVersions(ledger=ledger, asking=checker.asking, clock=clock),
        schedule=checker.schedule,
        forecast=ImageForecast(asking=checker.asking, desired_state=desired_state, clock=clock),
        syncs=syncs,
        desired_state=desired_state,
        podman=ports.podman,
        ledger=ledger,
        clock=clock,
    )
