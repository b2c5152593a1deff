"""What comes of apps where Podman's generator reads them."""

import msgspec

from supervisor.model.app import AppOptions, DesiredUnit
from supervisor.model.errors import Finding


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What Podman's generator made of a set of apps."""

    units: dict[str, tuple[DesiredUnit, ...]]
    """App name to its units, plain ones included."""
    options: dict[str, AppOptions] = {}
    """App name to what its units say of it; nothing for one that says nothing."""
    findings: dict[str, tuple[Finding, ...]] = {}
    """App name to what the generator (or the unit file's parser) refused or warned of."""
