"""Whose a certificate or an account is, among the issuers of the settings."""

from collections.abc import Sequence
from itertools import takewhile
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from supervisor.adapters.acme_clients.caddy import folder_of
from supervisor.adapters.acme_clients.raw import IssuerSigns
from supervisor.kit.texts import one_line
from supervisor.model.certificate_settings import DIRECTORIES, LETS_ENCRYPT, STAGING
from supervisor.model.client_folders import Known


class UnknownIssuerError(Exception):
    """The settings have none of this directory."""

    def __init__(self, what: str, directory: str) -> None:
        super().__init__(f"it is of an issuer that the settings do not have: {what}")
        self.hint = (
            "write it down in the settings, [certificates.issuers.NAME] with"
            f' directory = "{directory}", and import this again'
        )


def issuer_of(signs: IssuerSigns, issuers: Sequence[Known]) -> Known:
    """Return the one that is meant. Raises UnknownIssuerError."""
    if directory := signs.directory:
        for one in issuers:
            if one.directory.rstrip("/") == directory.rstrip("/"):
                return one
        shown = one_line(directory)
        raise UnknownIssuerError(shown, shown)
    if signs.folder:
        for one in issuers:
            if folder_of(one.directory) == signs.folder:
                return one
        raise UnknownIssuerError(one_line(signs.folder), f"https://{_host(signs.url) or '…'}/…")
    host = _host(signs.url)
    near = [one for one in issuers if host and _host(one.directory) == host]
    if not near:
        raise UnknownIssuerError(one_line(host) or "nobody knows which", f"https://{host or '…'}/…")
    # One server may have several directories: the one that has most in common with what is there.
    return max(near, key=lambda one: _shared(one.directory, signs.url))


def _shared(one: str, other: str) -> int:
    """Return how many parts of two URLs are the same, from the left."""
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def issuer_by_certificate(certificate: x509.Certificate, issuers: Sequence[Known]) -> Known | None:
    """Return who has issued it, by what it says; None if that tells of none of them."""
    organizations = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if not any("Let's Encrypt" in str(one.value) for one in organizations):
        return None
    is_staging = "STAGING" in certificate.issuer.rfc4514_string()
    directory = DIRECTORIES[STAGING if is_staging else LETS_ENCRYPT]
    return next((one for one in issuers if one.directory == directory), None)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
