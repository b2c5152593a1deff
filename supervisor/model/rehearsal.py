"""A rehearsal: what would come of an order, tried where it costs nothing; nothing of it is kept."""

import enum

import msgspec

from supervisor.model.acme import AcmeIssuer, Order
from supervisor.model.wire import Name


class CheckState(enum.StrEnum):
    """What came of a check."""

    OK = "ok"
    UNSURE = "unsure"
    """It may be right all the same: it cannot be seen from here, or matters little."""
    UNTRIED = "untried"
    WRONG = "wrong"


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the things that have to be so."""

    what: str
    """A word: `file`, `app`, `issuer`, `dns`, `caa`, `zone`, `record`, `port`, `answer`, `order`,
    `authority`, `folder`, `secrets`, `users`, `served`."""
    about: str = ""
    """A name that is to be proven, an issuer, a folder, a unit or a server."""
    state: CheckState = CheckState.OK
    message: str
    hint: str = ""


class PersistRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The TXT record by which `dns-persist-01` lets an issuer certify a name; people write it."""

    name: str
    value: str
    problem: str = ""
    """Why what stands there does not do; empty if it does."""


class RehearsalRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/certificates/test`."""

    name: Name
    issuer: str = ""
    """At which it is tried, instead of the one that belongs to the certificate's own."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the process that tries it is asked."""

    order: Order
    """As it would be made; its issuer is asked for nothing that costs."""
    staging: AcmeIssuer | None = None
    """Where the order is tried; nowhere if there is none."""


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it answers."""

    checks: tuple[Check, ...]
    records: tuple[PersistRecord, ...] = ()
    is_issued: bool = False
    """Whether the order that was tried came to a certificate."""


class RehearsalReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered to who asked."""

    name: str
    issuer: str
    """That the certificate is of."""
    tried_at: str = ""
    """The issuer at which an order was tried; empty if it was at none."""
    checks: tuple[Check, ...]
    records: tuple[PersistRecord, ...] = ()

    @property
    def is_well(self) -> bool:
        return not any(one.state is CheckState.WRONG for one in self.checks)
