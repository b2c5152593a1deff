"""How instances stand that come and go by themselves: one for each connection to a socket.

Nobody knows their names ahead, and each that fails stays with systemd: they are one thing, told of
under the name of their template. Part of `core.status.app_status`.
"""

from collections.abc import Iterator

from supervisor.model.app import DesiredApp
from supervisor.model.observed import Observed
from supervisor.model.status import UnitStatus


def failed_instances(app: DesiredApp | None, observed: Observed) -> Iterator[UnitStatus]:
    """Yield, for each template of the app of which some failed, how the newest of them did."""
    for unit in app.units if app else ():
        if (failed := observed.failed_instances.get(unit.name)) is None:
            continue
        state, ending = observed.unit(failed.newest), observed.ending(failed.newest)
        yield UnitStatus(
            name=unit.name,
            active="failed",
            sub="failed",
            instance=failed.newest,
            failed_instances=failed.count,
            result=state.result,
            ended=ending.how,
            log=ending.lines,
            more=ending.more,
            log_driver=unit.log_driver,
            log_file=unit.log_file,
            failed_at=state.failed_at,
            images=unit.images,
        )
