"""What wakes the daemon, wired."""

from collections.abc import Callable, Sequence

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.watches import Sightings, Watches
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.podman import PodmanEvent
from supervisor.wiring.ports import Ports


def watches(
    ports: Ports,
    *,
    queue: WorkQueue,
    desired_state: DesiredState,
    board: StatusBoard,
    event_seen: Sequence[Callable[[PodmanEvent], None]],
    host_changed: Callable[[str], None],
) -> Watches:
    """Wire the watches; `event_seen` and `host_changed` hear what is not a key's."""
    return Watches(
        seen=Sightings(
            queue=queue,
            desired_state=desired_state,
            ledger=ports.ledger,
            board=board,
            event_seen=event_seen,
            host_changed=host_changed,
        ),
        systemd=ports.systemd,
        folder=ports.folder,
        certificates=ports.certificates,
        podman=ports.podman,
        folders=ports.folders,
        host=ports.host,
    )
