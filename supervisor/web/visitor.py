"""Who is asking, and what that person may do: for views and templates, set around each request."""

import secrets
from contextvars import ContextVar

import msgspec

from supervisor.web.token import form_proof

_UNNAMED = "token"


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks; by default, somebody who need not say it, and may only look."""

    name: str = ""
    is_known: bool = False
    is_program: bool = False
    """Came with the token itself, not with a session or by a proxy."""
    by_proxy: bool = False
    cookie: str = ""
    """What forms are bound to."""
    may_order: bool = False
    can_log_in: bool = False
    """There is a token to log in with."""

    @property
    def proof(self) -> str:
        """What this visitor's forms hold."""
        return form_proof(self.cookie)

    @property
    def shown(self) -> str:
        """The name, or what stands for it."""
        return self.name or _UNNAMED

    @property
    def signature(self) -> str:
        """How the event log names the visitor."""
        return f"{self.shown} ({'API' if self.is_program else 'page'})"


ANYBODY = Visitor()
VISITOR: ContextVar[Visitor] = ContextVar("VISITOR", default=ANYBODY)


def once() -> str:
    """Return a name for an order that a form gives: the second click of a double one has it too."""
    return secrets.token_urlsafe(16)
