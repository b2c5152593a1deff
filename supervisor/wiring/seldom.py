"""What people seldom ask for: wired, and loaded, when they do."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.images.checker import ImageChecker
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.tally import Tally
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.operator.close_look import CloseLook
    from supervisor.controllers.operator.images import ImageService


def image_orders(
    ports: Ports, checker: ImageChecker, *, names: AppNames, syncs: SyncService
) -> "Callable[[], ImageService]":
    """Return what makes, once, who takes orders for images."""

    @cache
    def made() -> "ImageService":
        from supervisor.wiring.image_orders import image_service  # noqa: PLC0415

        return image_service(ports, checker, names=names, syncs=syncs)

    return made


def close_look(
    ports: Ports, names: AppNames, words: LastWords, *, board: StatusBoard, tally: Tally
) -> "CloseLook":
    """Make, for one question, who looks closely at something."""
    from supervisor.controllers.operator.close_look import CloseLook  # noqa: PLC0415
    from supervisor.controllers.operator.comparison import Comparer  # noqa: PLC0415
    from supervisor.controllers.operator.logs import LogLook  # noqa: PLC0415
    from supervisor.controllers.operator.machine import MachineLook  # noqa: PLC0415

    return CloseLook(
        comparer=Comparer(names=names, ledger=ports.ledger, reader=ports.reader),
        logs=LogLook(board=board, systemd=ports.systemd, podman=ports.podman, words=words),
        machine=MachineLook(
            names=names,
            board=board,
            systemd=ports.systemd,
            podman=ports.podman,
            host=ports.host,
            ledger=ports.ledger,
            tally=tally,
            clock=ports.clock,
        ),
    )
