"""Orders of people for the volumes of an app: put them back to what they held once.

Serves `controllers.operator.service`.
"""

import msgspec

from supervisor.controllers.apps.volumes import remembered
from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.ports import VolumeArchive
from supervisor.core.plan.volumes import left_half, snapshot_meant
from supervisor.kit.texts import short_id, with_why
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.rollout import Hold
from supervisor.model.status import OrderRequest
from supervisor.model.volumes import AppVolumes, RestoreOrder, VolumeSnapshot


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
                f"cannot restore {app}: release {short_id(snapshot.release)} is not remembered"
                " any more",
                hint="podman volume import takes the files of the snapshot as they are",
            )
        hold = None
        if newest is None or target.content != newest.content:
            release = msgspec.structs.replace(order, revision=snapshot.release)
            hold = await actions.hold_meant(release)
        # Nothing is waited for from here on: meanwhile a pass exports, and puts back.
        known = remembered(actions.ledger, app)
        _check_stands(snapshot, known, app=app)
        if hold:
            actions.hold(hold, reason=order.reason)
        else:
            actions.ledger.drop(Hold, app)
        restore = RestoreOrder(snapshot=snapshot, at=actions.clock.now())
        known = msgspec.structs.replace(known, restore=restore, failure=None)
        actions.ledger.put(known, app)
        what = f"a person has volumes {', '.join(snapshot.volumes)} put back to {snapshot.id}"
        why = with_why(what, order.reason)
        actions.ledger.log(EventKind.RESTORING, app=app, revision=target.revision, reason=why)
        actions.desired_state.invalidate()


def _check_stands(snapshot: VolumeSnapshot, known: AppVolumes, *, app: str) -> None:
    """Raise Stalled if a snapshot is gone, or leaves a volume as it is that is half put back."""
    hint = f"podvisor history {app} shows the others"
    if snapshot not in known.snapshots:
        raise Stalled(f"cannot restore {app}: {snapshot.id} was removed for a newer one", hint=hint)
    if left := left_half(known, snapshot):
        volumes = ", ".join(left)
        why = f"volumes {volumes} are half put back, and are not in {snapshot.id}"
        raise Stalled(f"cannot restore {app}: {why}", hint=hint)
