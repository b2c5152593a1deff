"""What issuers say (RFC 8555, section 7.1), as far as it is read, and what may go wrong with it."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

Reply = TypeVar("Reply")
_PREFIX = "urn:ietf:params:acme:error:"
_LONGEST_WORD = 40


def read(body: bytes, reply: type[Reply]) -> Reply:
    """Read what an issuer says; what is null there is not said. Raises ValueError, RecursionError.

    Issuers write null for lists and texts that they have nothing for.
    """
    return msgspec.convert(_said(msgspec.json.decode(body)), reply)


def _said(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _said(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_said(one) for one in value if one is not None]
    return value


class Identifier(msgspec.Struct, frozen=True):
    """A name, or an address."""

    type: str = ""
    value: str = ""


class Problem(msgspec.Struct, frozen=True):
    """Why something was refused (section 6.7)."""

    type: str = ""
    detail: str = ""
    identifier: Identifier | None = None
    subproblems: tuple["Problem", ...] = ()
    instance: str = ""

    @property
    def word(self) -> str:
        """The type, without what all of them begin with; empty if it is none of ACME's."""
        found = self.type.removeprefix(_PREFIX)
        known = self.type.startswith(_PREFIX) and found.isalnum() and len(found) <= _LONGEST_WORD
        return found if known else ""


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """What the directory says of the issuer."""

    terms_of_service: str = ""
    caa_identities: tuple[str, ...] = ()
    external_account_required: bool = False
    profiles: dict[str, Any] = {}


class Directory(msgspec.Struct, frozen=True, rename="camel"):
    """Where what is asked."""

    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str = ""
    renewal_info: str = ""
    meta: Meta = Meta()


class Account(msgspec.Struct, frozen=True):
    """An account."""

    status: str = ""
    orders: str = ""
    contact: Any = None
    """URLs, where it says them."""


class OrderList(msgspec.Struct, frozen=True):
    """Orders of an account."""

    orders: tuple[str, ...] = ()


class OrderState(msgspec.Struct, frozen=True):
    """An order."""

    status: str
    identifiers: tuple[Identifier, ...] = ()
    authorizations: tuple[str, ...] = ()
    finalize: str = ""
    certificate: str | None = None
    profile: str | None = None
    error: Problem | None = None
    expires: str = ""

    @property
    def expires_at(self) -> float:
        """Seconds since 1970; 0 where that is not known."""
        try:
            moment = datetime.fromisoformat(self.expires)
        except ValueError:
            return 0.0
        return moment.timestamp() if moment.tzinfo else 0.0


class ChallengeState(msgspec.Struct, frozen=True):
    """One way to prove a name."""

    type: str
    url: str = ""
    status: str = "pending"
    token: str = ""
    error: Problem | None = None
    issuer_domain_names: tuple[str, ...] = msgspec.field(default=(), name="issuer-domain-names")
    """dns-persist-01: what the issuer is called in the record."""


class Authorization(msgspec.Struct, frozen=True):
    """Whether a name is proven."""

    identifier: Identifier
    status: str
    challenges: tuple[ChallengeState, ...] = ()
    wildcard: bool = False

    @property
    def domain(self) -> str:
        """The name as it was asked for."""
        return f"{'*.' if self.wildcard else ''}{self.identifier.value}"


class IssuerError(Exception):
    """The issuer refused a request; `refusals` has the words for it."""

    def __init__(self, problem: Problem, status: int, retry_after: float | None) -> None:
        super().__init__(problem.type or f"HTTP {status}")
        self.problem = problem
        self.status = status
        self.retry_after = retry_after
