"""What carries out plans, wired."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from supervisor.controllers.apps.executor import Executor
from supervisor.controllers.apps.unit_jobs import UnitJobs
from supervisor.controllers.apps.volumes import VolumeController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.images.keep import most_kept
from supervisor.model.plan import PullImage, Step
from supervisor.wiring.planning import Planning
from supervisor.wiring.ports import Ports


def executor(
    ports: Ports,
    planning: Planning,
    *,
    desired_state: DesiredState,
    settings: CurrentSettings,
    want_image: Callable[[PullImage], None],
    want_certificate: Callable[[str], None],
    doing: Callable[[Step], AbstractContextManager[None]],
) -> Executor:
    """Wire the executor; `want_image`, `want_certificate` and `doing` as it has them."""
    jobs = UnitJobs(
        systemd=ports.systemd,
        words=planning.words,
        ledger=ports.ledger,
        settings=settings,
        owned_root=ports.folder.root,
    )

    def keep(app: str) -> int:
        return most_kept(desired_state.latest().get(app), settings.now.images)

    return Executor(
        reader=ports.reader,
        folder=ports.folder,
        podman=ports.podman,
        ledger=ports.ledger,
        jobs=jobs,
        want_image=want_image,
        want_certificate=want_certificate,
        secrets=planning.secrets,
        volumes=VolumeController(
            archive=ports.archive,
            podman=ports.podman,
            jobs=jobs,
            ledger=ports.ledger,
            settings=settings,
            clock=ports.clock,
            keep=keep,
        ),
        doing=doing,
    )
