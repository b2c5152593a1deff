"""What an issuer has, as its directory says, and whether that is what is asked for."""

from supervisor.adapters.acme.network import Network
from supervisor.adapters.acme.refusals import names, refused, wrong_clock
from supervisor.adapters.acme.replies import Directory
from supervisor.kit.texts import one_line
from supervisor.model.acme import FailureKind, Order

_DAY = 86_400.0
_MANY_PROFILES = 10


def opened(network: Network, order: Order) -> Directory:
    """Read the directory of an issuer that can be asked for that. Raises Refused or IssuerError."""
    directory = network.open()
    if abs(network.ahead) > _DAY:
        # What it issued now could not be used here.
        raise wrong_clock(network.issuer.name, network.ahead)
    wanted, there = order.terms.profile, directory.meta.profiles
    if wanted and wanted not in there:
        has = ", ".join(one_line(one, 40) for one in [*there][:_MANY_PROFILES])
        raise refused(
            FailureKind.REFUSED,
            f"cannot order a certificate for {names(order.terms.domains)} by"
            f" {network.issuer.name}: the issuer has no profile “{one_line(wanted)}”",
            f"set Profile= to one of these: {has}" if has else "leave Profile= out: it has none",
        )
    return directory
