"""What has certificates issued and installed, wired; loaded where an app asks for one."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate import CertificateRecord
from supervisor.model.certificate_status import CertificateStatus
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.certificates.actions import CertificateActions
    from supervisor.controllers.certificates.controller import CertificateController
    from supervisor.controllers.certificates.standing import CertificateStanding


class Certificates(msgspec.Struct):
    """Stands for the controller until an app asks for what it does, or did before."""

    ports: Ports
    desired_state: DesiredState
    queue: WorkQueue
    settings: CurrentSettings
    board: StatusBoard
    overtake: Callable[[str], Awaitable[None]]
    """Is told of a Podman secret before it is replaced or removed."""
    _controller: "CertificateController | None" = None
    _actions: "CertificateActions | None" = None
    _standing: "CertificateStanding | None" = None

    def __post_init__(self) -> None:
        if self.ports.ledger.all(CertificateRecord):
            self.controller()

    def controller(self) -> "CertificateController":
        """Return the one that brings them on."""
        if self._controller is None:
            self._load()
        assert self._controller  # noqa: S101  # just made
        return self._controller

    def actions(self) -> "CertificateActions":
        """Return who takes people's orders."""
        if self._actions is None:
            self._load()
        assert self._actions  # noqa: S101  # just made
        return self._actions

    def follow(self) -> None:
        """Name the certificates of which something changed; cheap if nothing did."""
        if self._controller is None and self.desired_state.certificates():
            self._load()
        if self._controller:
            self._controller.asked.follow()

    def name_all(self) -> None:
        """Have every one looked at: the backstop."""
        if self._controller:
            self._controller.asked.name_all()

    def network_changed(self) -> None:
        """Try now what a network that comes up may mend."""
        if self._controller:
            self._controller.network_changed()

    async def reconcile(self, name: str) -> list[str]:
        """Bring one on."""
        return await self.controller().reconcile(name)

    def certificate_detail(self, name: str) -> str:
        """Say what is being done about one that is not there; as of `CertificateNews`."""
        return self._standing.certificate_detail(name) if self._standing else ""

    def is_failing(self, name: str) -> bool:
        """Whether it could not be had."""
        return self._standing is not None and self._standing.is_failing(name)

    def statuses(self) -> tuple[CertificateStatus, ...]:
        """How all of them stand."""
        return self._standing.all() if self._standing else ()

    def _load(self) -> None:
        from supervisor.controllers.certificates.actions import CertificateActions  # noqa: PLC0415
        from supervisor.controllers.certificates.asked import AskedCertificates  # noqa: PLC0415
        from supervisor.controllers.certificates.controller import (  # noqa: PLC0415
            CertificateController,
        )
        from supervisor.controllers.certificates.doing import Doing  # noqa: PLC0415
        from supervisor.controllers.certificates.importing import Importing  # noqa: PLC0415
        from supervisor.controllers.certificates.installing import Installing  # noqa: PLC0415
        from supervisor.controllers.certificates.issuing import Issuing  # noqa: PLC0415
        from supervisor.controllers.certificates.memory import CertificateMemory  # noqa: PLC0415
        from supervisor.controllers.certificates.orders import Orders  # noqa: PLC0415
        from supervisor.controllers.certificates.rehearsing import Rehearsals  # noqa: PLC0415
        from supervisor.controllers.certificates.secrets import (  # noqa: PLC0415
            CertificateSecrets,
        )
        from supervisor.controllers.certificates.serving import Serving  # noqa: PLC0415
        from supervisor.controllers.certificates.spares import Spares  # noqa: PLC0415
        from supervisor.controllers.certificates.standing import (  # noqa: PLC0415
            CertificateStanding,
        )

        ports, settings = self.ports, self.settings
        memory = CertificateMemory(ledger=ports.ledger, clock=ports.clock)
        asked = AskedCertificates(
            desired_state=self.desired_state,
            ledger=ports.ledger,
            queue=self.queue,
            settings=settings,
            suspensions=Suspensions(ledger=ports.ledger, clock=ports.clock),
            board=self.board,
        )
        orders = Orders(
            settings=settings,
            secrets=ports.secrets,
            aside=ports.aside,
            folders=ports.order_folders,
        )
        importing = Importing(
            waiting=ports.imported,
            files=ports.certificates,
            asked=asked,
            memory=memory,
            settings=settings,
        )
        issuing = Issuing(
            issuer=ports.issuer,
            authority=ports.authority,
            files=ports.certificates,
            orders=orders,
            memory=memory,
            tell=asked.tell,
        )
        secrets = CertificateSecrets(
            podman=ports.podman, asked=asked, memory=memory, overtake=self.overtake
        )
        self._controller = CertificateController(
            asked=asked,
            issuing=issuing,
            installing=Installing(
                files=ports.certificates,
                secrets=secrets,
                asked=asked,
                memory=memory,
            ),
            importing=importing,
            spares=Spares(files=ports.certificates, asked=asked, memory=memory),
            issuer=ports.issuer,
            files=ports.certificates,
            serving=Serving(tls=ports.tls, memory=memory),
            memory=memory,
            doing=Doing(clock=ports.clock),
            queue=self.queue,
        )
        self._standing = CertificateStanding(
            asked=asked, memory=memory, controller=self._controller, files=ports.certificates
        )
        self._actions = CertificateActions(
            asked=asked,
            memory=memory,
            orders=orders,
            issuer=ports.issuer,
            files=ports.certificates,
            importing=importing,
            queue=self.queue,
            rehearsals=Rehearsals(
                asked=asked,
                issuing=issuing,
                orders=orders,
                memory=memory,
                tls=ports.tls,
                secrets=secrets,
            ),
        )
