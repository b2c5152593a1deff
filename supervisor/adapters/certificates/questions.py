"""What the process of podvisor's own authority is asked, and what it answers."""

import msgspec

from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms

KEY, ROOT = "key.pem", "root.pem"
"""Files of the authority's folder: its key, and its certificate."""


class GivenAuthority(msgspec.Struct, frozen=True, kw_only=True):
    """An authority that the settings name."""

    key: str
    """PEM."""
    path: str
    """PEM: its certificate first, then those up to the root."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Have a certificate made, and an authority before if there is none."""

    folder: str
    """Absolute path of the authority's."""
    host: str
    """The machine's name."""
    terms: CertificateTerms
    key: str
    """PEM of the one to use; empty is a new one."""
    given: GivenAuthority | None = None
    """Who signs, if that is not podvisor's own."""
    is_rehearsal: bool = False
    """Whether it is only asked if that may be: then nothing is made, and no pair comes back."""


class Signed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The pair, or why there is none."""

    pair: Pair | None = None
    problem: str = ""
    """A sentence for people."""
    hint: str = ""
    """What a person is to do; empty where it may help to wait."""
    not_allowed: bool = False
    """Whether nothing helps but to ask for another one."""
