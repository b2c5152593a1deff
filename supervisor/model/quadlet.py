"""Kinds of units, and the one table of Quadlet's: a new kind is a member and a row here.

One whose objects are owned is also listed and removed by `adapters.podman.client`.
"""

import enum
from typing import NamedTuple


class UnitKind(enum.StrEnum):
    """What a unit comes from: a kind of Quadlet file, or a plain unit file."""

    CONTAINER = "container"
    POD = "pod"
    VOLUME = "volume"
    NETWORK = "network"
    IMAGE = "image"
    ARTIFACT = "artifact"
    BUILD = "build"
    KUBE = "kube"
    PLAIN = "plain"


class Quadlet(NamedTuple):
    """What Quadlet, and then Podman, makes of one kind of file."""

    kind: UnitKind
    service: str
    """What its service's name has behind the file's own."""
    command: str
    """Podman's, that makes it."""
    makes: str
    """Podman's word for it."""
    command_key: str = "ExecStart"
    """Key of [Service] that has the command."""
    since: str = ""
    """First Podman whose generator knows it, if not every one does."""
    named: bool = False
    """Whether a key of its section names it: PodName= and so on."""
    runs: bool = False
    """Whether it runs by itself; all others are there for these."""
    owned: bool = False
    """Whether what it makes belongs to somebody: it is there beside its unit, under its name."""

    @property
    def section(self) -> str:
        """Of the file, that is Quadlet's; in the generated unit it begins with X-."""
        return self.kind.capitalize()


_ROWS = (
    Quadlet(UnitKind.VOLUME, "-volume", "volume create", "volume", named=True, owned=True),
    Quadlet(UnitKind.NETWORK, "-network", "network create", "network", named=True, owned=True),
    Quadlet(UnitKind.IMAGE, "-image", "image pull", "image", since="4.8"),
    Quadlet(UnitKind.ARTIFACT, "-artifact", "artifact pull", "artifact", since="5.7"),
    Quadlet(UnitKind.BUILD, "-build", "build", "image", since="5.2", owned=True),
    Quadlet(
        UnitKind.POD,
        "-pod",
        "pod create",
        "pod",
        "ExecStartPre",
        "5.0",
        named=True,
        runs=True,
        owned=True,
    ),
    Quadlet(UnitKind.CONTAINER, "", "run", "container", named=True, runs=True),
    Quadlet(UnitKind.KUBE, "", "kube play", "pod", runs=True),
)

QUADLETS = {f".{row.kind}": row for row in _ROWS}
"""By suffix, in the order in which a reader would need them: the referred to come first."""

GENERATED = {f"X-{row.section}": row for row in _ROWS}
"""By the section of a generated unit that holds the file's own."""

RUNNING = frozenset(row.kind for row in _ROWS if row.runs)
"""Kinds of Quadlet files that run by themselves."""

LEADING = RUNNING | {UnitKind.PLAIN}
"""Kinds that run by themselves."""

OWNED = frozenset(row.kind for row in _ROWS if row.owned)
"""Kinds that make what belongs to somebody."""
