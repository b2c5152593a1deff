"""A certificate with its chain and its key: what stands there, and whether they fit together.

It loads `cryptography`, which the daemon would carry for good: only modules that run in a process
of their own import this one.
"""

import base64
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from supervisor.kit.texts import minute
from supervisor.model.certificate import CertificateFacts

_SKEW_SECONDS = 300.0
"""By how much a certificate may begin later than this machine's clock says it is."""


def facts_of(chain: str) -> CertificateFacts:
    """Return what stands in the first certificate of a PEM. Raises ValueError if there is none."""
    return _facts(_read(chain)[0])


def pair_problem(
    key: str, chain: str, *, names: Collection[str], now: float, trust: str = ""
) -> str:
    """Say why nobody could serve these names with this key and this chain; empty if they can.

    `trust` is a PEM of roots, one of which the chain must lead to; empty is any.
    """
    try:
        path = _read(chain)
    except ValueError as error:
        return f"its chain cannot be read: {_plain(error)}"
    try:
        ours = load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "its key cannot be read: it is no private key in PEM without a password"
    encoding, form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if ours.public_bytes(encoding, form) != path[0].public_key().public_bytes(encoding, form):
        return "its key is not the one of the certificate"
    facts = _facts(path[0])
    if missing := [name for name in names if name not in facts.names]:
        has = ", ".join(facts.names) or "nothing"
        return f"it is not for {', '.join(missing)}, but for {has}"
    return _time_problem(facts, now) or _chain_problem(path, trust, now)


def _plain(error: Exception) -> str:
    """Say it as people do; what a library says of a PEM is in words of its own code."""
    is_unread = any(word in str(error) for word in ("PEM", "asn1"))
    return "there is no certificate in PEM" if is_unread else str(error)


def _read(chain: str) -> list[x509.Certificate]:
    """Raises ValueError."""
    try:
        path = x509.load_pem_x509_certificates(chain.encode())
        for one in path:
            list(one.extensions)
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error
    return path


def _facts(leaf: x509.Certificate) -> CertificateFacts:
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names: tuple[str, ...] = ()
    else:
        domains = alternative.get_values_for_type(x509.DNSName)
        addresses = alternative.get_values_for_type(x509.IPAddress)
        names = tuple(sorted({*(one.lower() for one in domains), *map(str, addresses)}))
    common = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return CertificateFacts(
        serial=f"{leaf.serial_number:X}",
        fingerprint=leaf.fingerprint(SHA256()).hex(),
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        names=names,
        issuer=str(common[0].value) if common else "",
        ari_id=_ari_id(leaf),
    )


def _ari_id(leaf: x509.Certificate) -> str:
    with suppress(x509.ExtensionNotFound):
        of_issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        number = leaf.serial_number
        if of_issuer.key_identifier and number >= 0:
            # As DER has it: a positive number never begins with a set bit.
            serial = number.to_bytes(number.bit_length() // 8 + 1)
            return f"{_base64url(of_issuer.key_identifier)}.{_base64url(serial)}"
    return ""


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _time_problem(facts: CertificateFacts, now: float) -> str:
    if facts.not_before > now + _SKEW_SECONDS:
        return f"it is valid only from {minute(facts.not_before)} on, and here it is {minute(now)}"
    if facts.not_after <= now:
        return f"it was valid until {minute(facts.not_after)}, and here it is {minute(now)}"
    return ""


def _chain_problem(path: Sequence[x509.Certificate], trust: str, now: float) -> str:
    for one, issuer in pairwise(path):
        if not _is_signed_by(one, issuer):
            return (
                f"{_subject(issuer)} stands next in its chain, and has not signed {_subject(one)}"
            )
        if not _is_authority(issuer):
            return f"{_subject(issuer)} in its chain is no authority"
        if problem := _time_problem(_facts(issuer), now):
            return f"{_subject(issuer)} in its chain cannot be used: {problem}"
    if not trust:
        return ""
    try:
        roots = _read(trust)
    except ValueError as error:
        return f"the roots to trust cannot be read: {_plain(error)}"
    for one in path:
        if any(one == root or (_is_authority(root) and _is_signed_by(one, root)) for root in roots):
            return ""
    trusted = ", ".join(_subject(root) for root in roots)
    return f"its chain leads to {_issuer(path[-1])}, not to {trusted}"


def _is_signed_by(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(one: x509.Certificate) -> bool:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _subject(one: x509.Certificate) -> str:
    return one.subject.rfc4514_string() or "a certificate without a name"


def _issuer(one: x509.Certificate) -> str:
    return one.issuer.rfc4514_string() or "somebody without a name"
