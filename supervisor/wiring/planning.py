"""What plans are made with, wired over the ports: for the daemon's passes, and for previews."""

import os
import pwd
from collections.abc import Mapping
from typing import TYPE_CHECKING

from supervisor.controllers.apps.diff import Differ
from supervisor.controllers.apps.health import HealthController
from supervisor.controllers.apps.last_known import LastKnown
from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.apps.observer import Observer
from supervisor.controllers.apps.planner import AppPlanner
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.apps.unit_states import UnitStates
from supervisor.controllers.desired.app_renderer import AppRenderer
from supervisor.controllers.desired.compositions import Compositions
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.desired.image_pins import Ahead, ImagePins
from supervisor.controllers.desired.revisions import RevisionHistory
from supervisor.controllers.desired.scales import Scales
from supervisor.controllers.operator.preview import Preview
from supervisor.controllers.ports import Aside, Folder, Generator, Ledger, SourceReader
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.kit.clock import Clock
from supervisor.model.settings import Settings
from supervisor.model.status import AppStatus
from supervisor.wiring.environment import host_folders
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.certificates.forecast import CertificateForecast


class Planning:
    """Makes planners; all of them know what is remembered of secrets, health and probes."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._began = ports.clock.now()
        self.suspensions = Suspensions(ledger=ports.ledger, clock=ports.clock)
        self.words = LastWords(systemd=ports.systemd, podman=ports.podman, host=ports.host)
        self.secrets = SecretController(
            decryptor=ports.decryptor,
            podman=ports.podman,
            reader=ports.reader,
            ledger=ports.ledger,
            words=self.words,
        )
        self.probes = ProbeController(prober=ports.prober, clock=ports.clock)
        self.health = HealthController(
            systemd=ports.systemd,
            podman=ports.podman,
            words=self.words,
            clock=ports.clock,
            began=self._began,
        )

    def desired_state(
        self,
        settings: CurrentSettings,
        *,
        standing: Mapping[str, AppStatus],
        pull_ahead: Ahead = lambda _: None,
    ) -> DesiredState:
        """Return the desired state, of which nothing is worked out yet.

        `standing` is how apps were after their last pass; `pull_ahead` as of `ImagePins`.
        """
        return desired_state(
            reader=self._ports.reader,
            generator=self._ports.generator,
            folder=self._ports.folder,
            ledger=self._ports.ledger,
            settings=settings,
            aside=self._ports.aside,
            clock=self._ports.clock,
            standing=standing,
            pull_ahead=pull_ahead,
        )

    def planner(self, desired_state: DesiredState, standing: Mapping[str, AppStatus]) -> AppPlanner:
        """Return a planner for that state; `standing` as of `desired_state`."""
        observer = Observer(
            began=self._began,
            units=UnitStates(
                systemd=self._ports.systemd, words=self.words, clock=self._ports.clock
            ),
            podman=self._ports.podman,
            folder=self._ports.folder,
            ledger=self._ports.ledger,
            suspensions=self.suspensions,
            health=self.health,
            probes=self.probes,
            secrets=self.secrets,
        )
        return AppPlanner(
            desired_state=desired_state,
            observer=observer,
            standing=standing,
            clock=self._ports.clock,
            aside=self._ports.aside,
        )

    def last_known(self, desired_state: DesiredState, board: StatusBoard) -> LastKnown:
        """Return what says of apps that nobody looked at yet how they stood last."""
        return LastKnown(
            ledger=self._ports.ledger,
            desired_state=desired_state,
            suspensions=self.suspensions,
            board=board,
        )

    def preview(self, settings: Settings, standing: Mapping[str, AppStatus]) -> Preview:
        """Return what answers one question; `standing` as of `desired_state`."""
        current = CurrentSettings(settings)
        desired_state = self.desired_state(current, standing=standing)
        reader, folder = self._ports.reader, self._ports.folder

        def certificates() -> "CertificateForecast":
            from supervisor.controllers.certificates.forecast import (  # noqa: PLC0415
                CertificateForecast,
            )

            return CertificateForecast(
                ledger=self._ports.ledger,
                clock=self._ports.clock,
                files=self._ports.certificates,
                imported=self._ports.imported,
                podman=self._ports.podman,
                settings=current,
            )

        return Preview(
            desired_state=desired_state,
            planner=self.planner(desired_state, standing),
            differ=Differ(desired_state=desired_state, reader=reader, folder=folder),
            reader=reader,
            certificates=certificates,
        )


def desired_state(
    *,
    reader: SourceReader,
    generator: Generator,
    folder: Folder,
    ledger: Ledger,
    settings: CurrentSettings,
    aside: Aside,
    clock: Clock,
    standing: Mapping[str, AppStatus],
    pull_ahead: Ahead = lambda _: None,
) -> DesiredState:
    """Wire the desired state, of which nothing is worked out yet."""
    renderer = AppRenderer(
        reader=reader, generator=generator, settings=settings, folders=host_folders()
    )
    history = RevisionHistory(reader=reader, ledger=ledger, renderer=renderer)
    return DesiredState(
        current_settings=settings,
        divisions=Compositions(reader=reader, aside=aside, specifiers=_specifiers),
        history=history,
        renderer=renderer,
        images=ImagePins(
            renderer=renderer,
            history=history,
            ledger=ledger,
            suspensions=Suspensions(ledger=ledger, clock=clock),
            clock=clock,
            standing=standing,
            pull_ahead=pull_ahead,
        ),
        scales=Scales(ledger=ledger),
        folder=folder,
    )


def _specifiers() -> dict[str, str]:
    """Return what an overlay's specifiers stand for; a host can be renamed while podvisor runs."""
    host = os.uname().nodename
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = ""  # no folder has this name: the overlay says so
    return {"H": host, "l": host.partition(".")[0], "u": user}
