"""Certificates with those between them and a root, as issuers send them: untrusted."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from supervisor.core.x509.keys import read_key

_LONGEST_CHAIN = 10
_MARK = b"-----BEGIN CERTIFICATE-----"


def read_chain(content: bytes) -> str | None:
    """Return the chain as it is kept, without its root; None if it is none, or not whole."""
    try:
        path = x509.load_pem_x509_certificates(content)
    except ValueError:
        return None
    if len(path) != content.count(_MARK):
        return None
    path = _in_order(path[:_LONGEST_CHAIN])
    if len(path) > 1 and path[-1].subject == path[-1].issuer:
        path.pop()
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in path)


def _in_order(sent: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Have each be followed by who signed it, if all of them stand in one line, from the first."""
    rest = list(dict.fromkeys(sent))
    path = [rest.pop(0)]
    while rest:
        above = next((one for one in rest if one.subject == path[-1].issuer), None)
        if above is None:
            return [*sent]
        rest.remove(above)
        path.append(above)
    return path


def leads_to(chain: str, root: str) -> bool:
    """Whether it is the one that is preferred, by the common name of its root."""
    last = x509.load_pem_x509_certificates(chain.encode())[-1]
    return any(one.value == root for one in last.issuer.get_attributes_for_oid(NameOID.COMMON_NAME))


def has_key(chain: str, key: str) -> bool:
    """Whether the certificate is of this key; so is one with a key of an unknown kind."""
    try:
        found = x509.load_pem_x509_certificates(chain.encode())[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        return True
    return found == read_key(key).public_key()
