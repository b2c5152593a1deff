"""An authority that the settings name: what it can sign. Part of `authority_process`."""

import ipaddress
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from supervisor.adapters.certificates.questions import GivenAuthority
from supervisor.core.files.internal_names import outside
from supervisor.core.x509.keys import PrivateKey, key_pem, read_key
from supervisor.core.x509.pairs import pair_problem
from supervisor.kit.texts import one_line
from supervisor.model.certificate import CertificateTerms
from supervisor.model.errors import NotAllowed, Stalled

_WHOSE = "the authority of the settings"
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def read_given(given: GivenAuthority) -> tuple[PrivateKey, tuple[x509.Certificate, ...]]:
    """Return its key, and its certificate with those up to the root. Raises Stalled."""
    try:
        key = read_key(given.key)
    except ValueError as error:
        raise _unusable(f"as its key, {error}", "have `internal_key` lead to its key") from error
    try:
        path = tuple(x509.load_pem_x509_certificates(given.path.encode()))
        for one in path:
            list(one.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        hint = "name its PEM file by `internal_certificate`, or put it beside the key"
        raise _unusable("there is no certificate of it in PEM", hint) from error
    chain = "".join(one.public_bytes(Encoding.PEM).decode() for one in path)
    if problem := pair_problem(key_pem(key), chain, names=(), now=time.time()):
        raise _unusable(problem, "name key and certificate of one authority")
    for one in path:
        if problem := _no_authority(one):
            name = one_line(one.subject.rfc4514_string(), 100) or "without a name"
            hint = "name the certificate of an authority: one that may sign others (CA:TRUE)"
            raise _unusable(f"the certificate {name} is of no authority: {problem}", hint)
    return key, path


def refuse_unpermitted(path: Iterable[x509.Certificate], terms: CertificateTerms) -> None:
    """Raises NotAllowed if one of these may not sign for a name (RFC 5280, section 4.2.1.10)."""
    for one in path:
        limits = _of(one, x509.NameConstraints)
        if limits is None:
            continue
        permitted, excluded = limits.permitted_subtrees or (), limits.excluded_subtrees or ()
        refused = [
            *_not_within(terms.domains, permitted),
            *(name for name in terms.domains if _is_within(name, excluded)),
        ]
        if refused:
            among = ", ".join(_shown(permitted)) or "any"
            beside = f", but not {', '.join(_shown(excluded))}" if excluded else ""
            raise NotAllowed(
                f"{_WHOSE} may not sign for {', '.join(dict.fromkeys(refused))}",
                hint=f"its certificate permits {among}{beside}; for others, name another Issuer=",
            )


def _unusable(why: str, hint: str) -> Stalled:
    return Stalled(f"{_WHOSE} cannot be used: {why}", hint=hint)


def _no_authority(one: x509.Certificate) -> str:
    basic, usage = _of(one, x509.BasicConstraints), _of(one, x509.KeyUsage)
    if basic is None or not basic.ca:
        return "it says CA:FALSE"
    return "" if usage is None or usage.key_cert_sign else "its key is not for signing certificates"


def _of(one: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _not_within(names: Sequence[str], permitted: Iterable[x509.GeneralName]) -> Iterator[str]:
    """Yield the names that are not permitted; what is not spoken of, of one kind, is."""
    domains, networks = _parted(permitted)
    for name in names:
        spoken_of = networks if _is_address(name) else domains
        if spoken_of and not _inside(name, domains, networks):
            yield name


def _is_within(name: str, subtrees: Iterable[x509.GeneralName]) -> bool:
    return _inside(name, *_parted(subtrees))


def _inside(name: str, domains: Sequence[str], networks: Sequence[str]) -> bool:
    if not _is_address(name) and "" in domains:
        return True
    return not outside((name,), domains=domains, networks=networks)


def _parted(subtrees: Iterable[x509.GeneralName]) -> tuple[list[str], list[str]]:
    some = tuple(subtrees)
    domains = [one.value.lower().lstrip(".") for one in some if isinstance(one, x509.DNSName)]
    return domains, [str(one.value) for one in some if isinstance(one, x509.IPAddress)]


def _shown(subtrees: Iterable[x509.GeneralName]) -> list[str]:
    domains, networks = _parted(subtrees)
    return [one_line(one, 100) for one in (*domains, *networks)]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
