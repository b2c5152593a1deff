"""How secrets stand, and giving one another value. Part of `controllers.operator.service`."""

import msgspec

from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.status import StatusService
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Stalled
from supervisor.model.secret import SecretList
from supervisor.model.status import SyncReply


class SecretService(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the passes of the apps that describe and use them."""

    secrets: SecretController
    desired_state: DesiredState
    statuses: StatusService
    queue: WorkQueue
    board: StatusBoard

    async def list(self) -> SecretList:
        """How all secrets stand. Raises Retry if Podman cannot be asked."""
        everything = await self.desired_state.deployments()
        return SecretList(secrets=await self.secrets.look(tuple(everything.values())))

    async def rotate(self, name: str) -> SyncReply:
        """Give a generated secret another value, and restart what uses it; tells how that is.

        Raises Stalled for any other secret.
        """
        everything = await self.desired_state.deployments()
        app = self.secrets.rotate(name, everything.values())
        users = [
            user
            for user, one in self.desired_state.latest().items()
            if any(name in unit.secrets for unit in one.units)
        ]
        try:
            await self.queue.wait_for_pass([Kind.APP.key(app)])
            await self.queue.wait_for_pass(Kind.APP.key(one) for one in users if one != app)
        finally:
            made = name not in self.secrets.rotating
            self.secrets.rotating.discard(name)
        if not made:
            problem = self.board.problems.get(Kind.APP.key(app))
            hint = f"podvisor status {app} says why: {problem.message}" if problem else ""
            raise Stalled(f"cannot rotate {name}: app {app} cannot be changed now", hint=hint)
        apps = self.statuses.status().apps
        return SyncReply(apps=tuple(one for one in apps if one.name in {app, *users}))
