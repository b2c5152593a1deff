"""A certificate of another client's, taken over, which waits for a file that asks for it."""

import msgspec

from supervisor.model.certificate import CertificateFacts, KeyType


class Imported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A certificate that another client had issued, and that waits with its key."""

    facts: CertificateFacts
    directory: str = ""
    """URL of its issuer's, as the settings have it; empty, and it does for any issuer."""
    key_type: KeyType
    profile: str = ""
    """That it is known to be issued for."""
    digest: str
    """Of what is kept, as of `Issued`."""
    source: str
    """Path that it was read from."""
    at: float
    """When it was imported."""
    replaces_valid: bool = False
    """Whether it takes the place of one that is valid and was there before."""

    @property
    def version(self) -> str:
        """What tells it from any other one, as of `Issued`."""
        return self.facts.fingerprint[:16]
