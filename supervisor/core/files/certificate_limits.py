"""What issuers are known to refuse, before they are asked: profiles, names, addresses.

Of an issuer that the settings describe nothing is known here.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from supervisor.core.files.domains import WILDCARD, is_address
from supervisor.core.files.internal_names import DOMAINS, outside
from supervisor.kit.texts import count, meant
from supervisor.model.certificate import INTERNAL, CertificateTerms
from supervisor.model.certificate_settings import LETS_ENCRYPT, STAGING

_NOT_PUBLIC = (
    ".alt .arpa .corp .example .home .internal .invalid .lan .local .localdomain .localhost .onion"
    " .test"
)
"""Ends of names that are nobody's in the public DNS."""


class _Profile(NamedTuple):
    names: int
    addresses: bool = False


_PROFILES = {
    "classic": _Profile(100),
    "tlsserver": _Profile(25),
    "shortlived": _Profile(25, addresses=True),
}
"""Of Let's Encrypt; the first is what it takes for none."""


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer would refuse."""

    message: str
    hint: str
    domain: str = ""
    """That it is about; empty if it is about all of them."""
    fatal: bool = True


def beyond_limits(terms: CertificateTerms, *, has_authority: bool) -> Iterator[Beyond]:
    """Say what the issuer of these terms does not issue.

    `has_authority`: the settings name an authority for `internal`, whose limits are its own.
    """
    if terms.issuer == INTERNAL and not has_authority:
        for domain in outside(terms.domains, domains=DOMAINS):
            message = f"podvisor's own authority may not sign for {domain}"
            hint = "unless that is this machine's own name; for others, take a public issuer"
            yield Beyond(message=message, hint=hint, domain=domain, fatal=False)
    if terms.issuer not in (LETS_ENCRYPT, STAGING):
        return
    name = terms.profile or next(iter(_PROFILES))
    profile = _PROFILES.get(name)
    if profile is None:
        hint = meant(name, _PROFILES)
        yield Beyond(message=f"{terms.issuer} has no profile {name}", hint=hint)
        return
    domains = terms.domains
    if len(domains) > profile.names:
        message = f"{count(len(domains), 'name')} are too many for the profile {name}"
        hint = f"it takes {profile.names}: make two files of it"
        if name != "classic" and len(domains) <= _PROFILES["classic"].names:
            hint += ", or write Profile=classic"
        yield Beyond(message=message, hint=hint)
    for domain in domains:
        if is_address(domain):
            if not profile.addresses:
                message = f"{terms.issuer} has no addresses in the profile {name}"
                hint = "write Profile=shortlived: six days, renewed by themselves"
                yield Beyond(message=message, hint=hint, domain=domain)
            continue
        base = domain.removeprefix(WILDCARD)
        if f".{base.rpartition('.')[2]}" in _NOT_PUBLIC.split() or "." not in base:
            message = f"{terms.issuer} issues nothing for {domain}: it is no name of the public DNS"
            hint = "Issuer=internal is for names of your own network"
            yield Beyond(message=message, hint=hint, domain=domain, fatal=False)
        wildcard = f"{WILDCARD}{domain.partition('.')[2]}"
        if domain == base and wildcard in domains:
            message = f"{domain} is within {wildcard}: {terms.issuer} refuses both in one"
            yield Beyond(message=message, hint="leave it out", domain=domain)
