"""What an app needs before it is as it should be: what, for which units, who meets it, why not yet.

To add a kind: its member here; in `core.plan.needs` its row in `lacking_of`, which says what of it
a unit lacks (by a field of `DesiredUnit`, and of `Inventory`, which `controllers.apps.observer`
fills), and its line in `unmet_needs`, which has it met; if podvisor meets it, a step in
`model.plan`, its words in `cli.show.steps`, and what it does in `controllers.apps.executor`, by a
port.
"""

import enum
from collections.abc import Iterable

import msgspec


class NeedKind(enum.StrEnum):
    """What the subject of a need is, and who meets it."""

    IMAGE = "image"
    """A reference; pulled beside the passes."""
    SECRET = "secret"  # noqa: S105  # the word
    """A Podman secret; made by this app's pass, or by that of `app`."""
    CERTIFICATE = "certificate"
    """One of podvisor's; had beside the passes, for this app or for `app`."""
    JOB = "job"
    """A unit that runs to its end before anything else changes."""
    APP = "app"
    """An app that this one comes after."""
    MOVE = "move"
    """A unit that goes from one app to another, or that another still needs."""
    UNIT = "unit"
    """A unit that systemd has to start, or that is tried again after a while, or by a person."""
    FILE = "file"
    """A file that is restored after a while."""
    VOLUMES = "volumes"
    """Volumes of the app that are exported, or put back, before anything else changes."""
    STEP = "step"
    """A unit, or whatever else a step of the pass that is under way is about."""


class Need(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that an app waits for. `str()` of it is what people read."""

    kind: NeedKind
    subject: str
    text: str
    """For people: what it is; nothing in it was written by the app's programs."""
    detail: str = ""
    """For people: why not yet, or what is being done about it."""
    units: tuple[str, ...] = ()
    """Units of the app that do not start before, by runtime name; empty if that is no unit's."""
    app: str = ""
    """The other app that is to meet it."""
    failing: bool = False
    """Whether meeting it failed: it is not merely on its way."""

    def __str__(self) -> str:
        return f"{self.text}: {self.detail}" if self.detail else self.text


def unit_need(unit: str, why: str, *, failing: bool = False) -> Need:
    """Return the need for a unit to run, with why it does not yet."""
    return Need(kind=NeedKind.UNIT, subject=unit, text=unit, detail=why, failing=failing)


def undone(needs: Iterable[Need]) -> str:
    """Say what is not as it should be, though no step does anything about it yet; else empty."""
    return next((one.text for one in needs if one.failing), "")
