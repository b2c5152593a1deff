"""Sign as podvisor's own authority: a helper, which `authority` asks.

The authority is one certificate, which everybody who is to trust what it signs has; it may sign
only for names that nobody has in the public DNS (`core.files.internal_names`). It signs itself what
servers show, so there is nothing between the two.
"""

import ipaddress
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from supervisor.adapters.certificates.given_authority import read_given, refuse_unpermitted
from supervisor.adapters.certificates.questions import KEY, ROOT, Asked, Signed
from supervisor.core.files.domains import is_address, parse_domain
from supervisor.core.files.internal_names import DOMAINS, NETWORKS, outside
from supervisor.core.files.unitfile import Refused
from supervisor.core.x509.keys import PrivateKey, general_names, key_pem, new_key, read_key
from supervisor.core.x509.pairs import facts_of, pair_problem
from supervisor.kit.files import told, write_whole
from supervisor.kit.folders import remove_tree
from supervisor.kit.helper import serve
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms, KeyType
from supervisor.model.errors import Failure, NotAllowed, Stalled

_ROOT_DAYS = 3650
_DAYS = 90
_BEFORE = timedelta(hours=1)
"""How long before now a certificate begins: clocks of clients may be slow."""
_LONGEST_NAME = 64
"""Of a common name (RFC 5280, appendix A.1)."""
_OF_OTHERS = 0o077


class _Authority(NamedTuple):
    key: PrivateKey
    root: x509.Certificate
    """Of what signs; it is none where the settings name an authority that another one signed."""
    above: tuple[x509.Certificate, ...] = ()
    """Those up to the root, if it is none."""

    @property
    def trust(self) -> str:
        """PEM of whom clients trust."""
        return _pem((self.root, *self.above)[-1])

    @property
    def between(self) -> str:
        """PEM of what clients have to be shown beside what is signed."""
        path = (self.root, *self.above)
        return "".join(_pem(one) for one in path if one.subject != one.issuer)


def _pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def sign(asked: Asked) -> Signed:
    """Make a certificate."""
    try:
        if asked.is_rehearsal:
            _may_sign(asked)
            return Signed()
        return Signed(pair=_sign(asked))
    except Failure as error:
        return Signed(
            problem=str(error), hint=error.hint, not_allowed=isinstance(error, NotAllowed)
        )


def _sign(asked: Asked) -> Pair:
    """Raises Retry or Stalled."""
    folder = Path(asked.folder)
    authority = _may_sign(asked)
    if authority is None:
        _make(folder, asked.host)
        authority = _read(folder)
        _refuse_others(asked.terms, *_permitted(authority.root))
    try:
        key = read_key(asked.key) if asked.key else new_key(asked.terms.key_type)
    except ValueError as error:
        raise Stalled(
            f"the key that is to be used again cannot be read: {error}", hint="say ReuseKey=no"
        ) from error
    chain = _pem(_leaf(authority, asked.terms, key)) + authority.between
    pair = Pair(key=key_pem(key), chain=chain, facts=facts_of(chain))
    names, trust = asked.terms.domains, authority.trust
    problem = pair_problem(pair.key, pair.chain, names=names, now=time.time(), trust=trust)
    if problem and asked.given:
        message = f"what the authority of the settings signs is of no use: {problem}"
        raise Stalled(message, hint="see `internal_key` in [certificates] of the settings")
    if problem:
        raise _damaged(folder, f"what it signs is of no use: {problem}")
    return pair


def _may_sign(asked: Asked) -> _Authority | None:
    """Return the authority, if there is one yet. Raises Stalled if it may not sign that."""
    if asked.given:
        given, path = read_given(asked.given)
        refuse_unpermitted(path, asked.terms)
        return _Authority(given, path[0], path[1:])
    folder = Path(asked.folder)
    if not folder.exists():
        _refuse_others(asked.terms, [*DOMAINS, *_own_name(asked.host)], NETWORKS)
        return None
    authority = _read(folder)
    _refuse_others(asked.terms, *_permitted(authority.root))
    return authority


def _refuse_others(terms: CertificateTerms, domains: list[str], networks: Sequence[str]) -> None:
    """Raises Stalled."""
    if others := outside(terms.domains, domains=domains, networks=networks):
        raise NotAllowed(
            f"podvisor's own authority may not sign for {', '.join(others)}",
            hint=f"it signs for private IP addresses and for names below {', '.join(domains)}; "
            "for others, name a public issuer by Issuer=",
        )


def _own_name(host: str) -> list[str]:
    try:
        name = parse_domain(host)
    except Refused:
        return []
    return [] if is_address(name) else [name]


def _permitted(root: x509.Certificate) -> tuple[list[str], list[str]]:
    names = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    return (
        [one.value for one in names or () if isinstance(one, x509.DNSName)],
        [str(one.value) for one in names or () if isinstance(one, x509.IPAddress)],
    )


def _read(folder: Path) -> _Authority:
    """Raises Retry or Stalled."""
    with told(f"read podvisor's own authority in {folder}"):
        try:
            path = folder / KEY
            if path.stat().st_mode & _OF_OTHERS:
                path.chmod(0o600)
            key = _key_in(path)
            root = _root_in(folder / ROOT)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _damaged(folder, f"{error.filename} is missing") from error
        except _UnreadableError as error:
            raise _damaged(folder, str(error)) from error
    pem = root.public_bytes(Encoding.PEM).decode()
    if problem := pair_problem(key_pem(key), pem, names=(), now=time.time()):
        raise _damaged(folder, problem)
    return _Authority(key, root)


class _UnreadableError(Exception):
    """Says which file is not what it is to be."""


def _key_in(path: Path) -> PrivateKey:
    try:
        return read_key(path.read_text())
    except ValueError as error:  # also what is no text
        raise _UnreadableError(f"{path.name} is no private key in PEM") from error


def _root_in(path: Path) -> x509.Certificate:
    try:
        root = x509.load_pem_x509_certificate(path.read_bytes())
        _permitted(root)
    except (ValueError, x509.ExtensionNotFound) as error:
        what = "no certificate of an authority that podvisor made"
        raise _UnreadableError(f"{path.name} is {what}") from error
    return root


def _damaged(folder: Path, why: str) -> Stalled:
    return Stalled(
        f"podvisor's own authority in {folder} cannot be used: {why}",
        hint="put it back from a backup, or remove the folder: another one is made, which "
        "everybody has to trust anew",
    )


def _make(folder: Path, host: str) -> None:
    """Make an authority, whole or not at all. Raises Retry or Stalled."""
    key = new_key(KeyType.ECDSA_P256)
    new = folder.with_name(f".{folder.name}.new")
    with told(f"make podvisor's own authority in {folder}"), _removed(new):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.mkdir(mode=0o700)
        write_whole(new / KEY, key_pem(key).encode())
        write_whole(new / ROOT, _root(key, host).public_bytes(Encoding.PEM))
        _sync(new)
        new.rename(folder)
        _sync(folder.parent)


@contextmanager
def _removed(scratch: Path) -> Iterator[None]:
    remove_tree(scratch)
    try:
        yield
    finally:
        remove_tree(scratch)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _root(key: PrivateKey, host: str) -> x509.Certificate:
    domains = [*DOMAINS, *_own_name(host)]
    subject = _named(f"podvisor on {host}"[:_LONGEST_NAME])
    permitted = [
        *map(x509.DNSName, domains),
        *(x509.IPAddress(ipaddress.ip_network(one)) for one in NETWORKS),
    ]
    made = _begun(subject, subject, key, days=_ROOT_DAYS)
    of_itself = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(of_itself, critical=False)
        .sign(key, SHA256())
    )


def _leaf(authority: _Authority, terms: CertificateTerms, key: PrivateKey) -> x509.Certificate:
    end = authority.root.not_valid_after_utc
    first = terms.domains[0]
    subject = _named(first) if len(first) <= _LONGEST_NAME else x509.Name([])
    made = _begun(subject, authority.root.subject, key, days=_DAYS, end=end)
    usage = _usage(encrypts_keys=isinstance(key, rsa.RSAPrivateKey))
    names = x509.SubjectAlternativeName(general_names(terms.domains))
    return (
        made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=not list(subject))
        .add_extension(_signed_by(authority), critical=False)
        .sign(authority.key, SHA256())
    )


def _signed_by(authority: _Authority) -> x509.AuthorityKeyIdentifier:
    """Name the signer's key as the signer does."""
    of_signer = authority.root.extensions
    try:
        own = of_signer.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    days: int,
    end: datetime | None = None,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    last = now + timedelta(days=days)
    of_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(min(last, end) if end else last)
        .add_extension(of_key, critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool = False, encrypts_keys: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=encrypts_keys,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


if __name__ == "__main__":
    serve(sign, Asked)
