"""Orders of people for the volumes of an app: put them back to what they held once.

Serves `controllers.operator.service`.
"""

import msgspec

from supervisor.controllers.apps.volumes import remembered
from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.ports import VolumeArchive
from supervisor.core.plan.volumes import snapshot_meant
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.rollout import Hold
from supervisor.model.status import OrderRequest
from supervisor.model.volumes import RestoreOrder


class VolumeOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Takes orders for apps that are there; raises Stalled for what cannot be ordered."""

    actions: AppActions
    archive: VolumeArchive

    async def restore(self, order: OrderRequest) -> None:
        """Have an app brought back to a release, and its volumes to what they held under it.

        It is held there, unless the release is what its source asks for. Whoever asks sees to a
        pass. Raises Stalled if there is no such release, or what was exported of it is
        not there.
        """
        actions = self.actions
        actions.names.check(order.apps)
        (app,) = order.apps
        await actions.desired_state.deployments()
        known, rollouts = remembered(actions.ledger, app), actions.ledger.rollouts(app)
        snapshot = snapshot_meant(order.revision, known, rollouts, app=app)
        await self.archive.check(app, snapshot)
        newest = actions.desired_state.newest(app)
        target = next((one for one in rollouts if one.release == snapshot.release), None)
        if target is None:
            raise Stalled(
                f"cannot restore {app}: release {snapshot.release} is not remembered any more",
                hint="podman volume import takes the files of the snapshot as they are",
            )
        if newest and target.content == newest.content:
            actions.ledger.drop(Hold, app)
        else:
            await actions.hold(msgspec.structs.replace(order, revision=snapshot.release))
        restore = RestoreOrder(snapshot=snapshot, at=actions.clock.now())
        # What was exported meanwhile is kept.
        known = remembered(actions.ledger, app)
        known = msgspec.structs.replace(known, restore=restore, failure=None)
        actions.ledger.put(known, app)
        what = f"a person has volumes {', '.join(snapshot.volumes)} put back to {snapshot.id}"
        actions.ledger.log(
            EventKind.RESTORING,
            app=app,
            revision=target.revision,
            reason=f"{what}: {order.reason}" if order.reason else what,
        )
        actions.desired_state.invalidate()
