"""Whether what was found is of use: keys, chains that fit them, certificates that are valid."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError
from josepy.jwk import JWK

from supervisor.adapters.acme_clients.issuers import (
    UnknownIssuerError,
    issuer_by_certificate,
    issuer_of,
)
from supervisor.adapters.acme_clients.raw import RawAccount, RawCertificate
from supervisor.core.files.domains import is_address, parse_domain
from supervisor.core.files.unitfile import Refused
from supervisor.core.x509.keys import PrivateKey, key_pem, read_key
from supervisor.core.x509.pairs import facts_of, pair_problem
from supervisor.kit.texts import day, one_line
from supervisor.model.acme import Pair
from supervisor.model.certificate import Challenge, KeyType
from supervisor.model.client_folders import FoundAccount, FoundCertificate, Known, Note

_KEY = re.compile(
    r"-----BEGIN ((?:[A-Z]{2,9} )?PRIVATE KEY)-----.{1,40000}?-----END \1-----", re.DOTALL
)
_CURVES = {"secp256r1": KeyType.ECDSA_P256, "secp384r1": KeyType.ECDSA_P384}
_SIZES = {2_048: KeyType.RSA_2048, 4_096: KeyType.RSA_4096}
_ACCOUNT_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
_SMALLEST_RSA, _LARGEST_RSA = 2_048, 8_192
_LONGEST_CHAIN = 10
_LONGEST_NUMBER = 1_500
"""Letters of a modulus in base64: what is larger would take minutes to read."""
_SELF_SIGNED = (
    "have another one: a .certificate file with Issuer=internal has podvisor's own authority sign"
    " it, for those who trust `podvisor certs root`"
)
_EXPIRED = "a .certificate file for its names has another one ordered"
_IN_FORCE = {"", "valid"}


class NoUseError(Exception):
    """Why it is not taken over."""

    def __init__(self, path: str, text: str, hint: str = "", *, is_fault: bool = True) -> None:
        super().__init__(text)
        self.note = Note(path=path, text=text, hint=hint, is_fault=is_fault)


def account(raw: RawAccount, issuers: Sequence[Known]) -> FoundAccount:
    """Return one that can be used. Raises NoUseError."""
    key = _account_key(raw)
    if raw.status not in _IN_FORCE:
        text = f"the account {one_line(raw.url)} is {one_line(raw.status)}"
        raise NoUseError(raw.path, text, is_fault=False)
    return FoundAccount(
        client=raw.client,
        path=raw.path,
        directory=_issuer(raw, issuers).directory,
        url=one_line(raw.url, 200),
        email=one_line(raw.email),
        key=key_pem(key),
        key_type=_type_words(key),
        written_at=raw.written_at,
    )


def certificate(raw: RawCertificate, issuers: Sequence[Known], *, now: float) -> FoundCertificate:
    """Return one that can be served. Raises NoUseError."""
    path, key = _path(raw), _key(raw.key, raw.key_path)
    if path[0].issuer == path[0].subject:
        text = "it is self-signed: no issuer has issued it"
        raise NoUseError(raw.path, text, _SELF_SIGNED, is_fault=False)
    chain = "".join(one.public_bytes(Encoding.PEM).decode() for one in path)
    facts = facts_of(chain)
    if facts.not_after <= now:
        text = f"it expired on {day(facts.not_after)}"
        raise NoUseError(raw.path, text, _EXPIRED, is_fault=False)
    issuer = _issuer_of_certificate(raw, path[0], issuers)
    trust = issuer.trust if issuer else ""
    if problem := pair_problem(key_pem(key), chain, names=(), now=now, trust=trust):
        raise NoUseError(raw.path, problem)
    domains = _domains(raw, facts.names)
    key_type = _key_type(key)
    if key_type is None:
        text = f"its key is {_type_words(key)}, which no KeyType= asks for"
        raise NoUseError(raw.path, text, "podvisor orders one with a key that it has")
    is_wildcard = any(one.startswith("*.") for one in domains)
    challenge = Challenge.DNS if is_wildcard else raw.challenge or Challenge.HTTP
    return FoundCertificate(
        client=raw.client,
        path=raw.path,
        name=one_line(raw.name),
        directory=issuer.directory if issuer else "",
        key_type=key_type,
        domains=domains,
        profile=one_line(raw.profile, 60),
        challenge=challenge,
        reuse_key=raw.reuse_key,
        way=one_line(raw.way, 60),
        pair=Pair(key=key_pem(key), chain=chain, facts=facts),
    )


def _path(raw: RawCertificate) -> list[x509.Certificate]:
    """Return the certificate and what follows, without the root."""
    try:
        path = x509.load_pem_x509_certificates(raw.chain.encode())
        for one in path:
            list(one.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise NoUseError(raw.path, "there is no certificate in PEM in it, or a damaged one") from (
            error
        )
    if len(path) > _LONGEST_CHAIN:
        raise NoUseError(raw.path, f"there are {len(path)} certificates in it, and no chain")
    if len(path) > 1 and path[-1].subject == path[-1].issuer:
        path.pop()
    return path


def _key(text: str, path: str) -> PrivateKey:
    found = _KEY.search(text)
    try:
        return read_key(found[0] if found else text)
    except ValueError as error:
        raise NoUseError(path, str(error)) from error


def _issuer(raw: RawAccount | RawCertificate, issuers: Sequence[Known]) -> Known:
    try:
        return issuer_of(raw.issuer, issuers)
    except UnknownIssuerError as error:
        raise NoUseError(raw.path, str(error), error.hint) from error


def _issuer_of_certificate(
    raw: RawCertificate, leaf: x509.Certificate, issuers: Sequence[Known]
) -> Known | None:
    if raw.issuer.is_any:
        return issuer_by_certificate(leaf, issuers)
    return _issuer(raw, issuers)


def _domains(raw: RawCertificate, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names as a file has them: in the order of the client, else the shortest first."""
    if not names:
        raise NoUseError(raw.path, "it is for no name: there is no subjectAltName in it")
    for one in names:
        try:
            is_same = parse_domain(one) == one
        except Refused as error:
            raise NoUseError(raw.path, f"it is for what is no domain: {error}") from error
        if not is_same:
            raise NoUseError(raw.path, f"it is for {one_line(one)}, which no Domain= asks for")
    first = [one for one in (*raw.domains, raw.name) if one in names]
    rest = sorted(names, key=lambda one: (is_address(one), len(one), one))
    return tuple(dict.fromkeys((*first, *rest)))


def _key_type(key: PrivateKey) -> KeyType | None:
    if isinstance(key, rsa.RSAPrivateKey):
        return _SIZES.get(key.key_size)
    return _CURVES.get(key.curve.name)


def _type_words(key: PrivateKey) -> str:
    known = _key_type(key)
    if known:
        return known
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else key.curve.name


def _account_key(raw: RawAccount) -> PrivateKey:
    key = _of_jwk(raw) if raw.key.lstrip().startswith("{") else _key(raw.key, raw.path)
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    size = key.key_size
    if is_rsa and not _SMALLEST_RSA <= size <= _LARGEST_RSA:
        raise NoUseError(raw.path, f"an account's key of {size} bits is one that no issuer takes")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _ACCOUNT_CURVES:
        raise NoUseError(raw.path, f"a key on the curve {key.curve.name} is none for an account")
    return key


def _of_jwk(raw: RawAccount) -> PrivateKey:
    """Read a key in JSON (RFC 7517)."""
    try:
        found = msgspec.json.decode(raw.key, type=dict[str, str])
        if any(len(one) > _LONGEST_NUMBER for one in found.values()):
            raise NoUseError(raw.path, "its numbers are larger than those of any key")
        read: Any = JWK.from_json(found)
        return read_key(key_pem(read.key))
    except (
        *(ValueError, TypeError, KeyError, AttributeError, RecursionError),
        *(JoseError, UnsupportedAlgorithm),
    ) as error:
        kind = "it holds no private key in JSON (JWK) of a kind that podvisor can use"
        raise NoUseError(raw.path, kind) from error
