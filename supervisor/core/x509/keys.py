"""Private keys of certificates: every type that a `.certificate` may ask for.

It loads `cryptography`, as `core.x509.pairs` does.
"""

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from supervisor.model.certificate import KeyType

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_EXPONENT = 65_537


def new_key(kind: KeyType) -> PrivateKey:
    """Make one."""
    match kind:
        case KeyType.ECDSA_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.ECDSA_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyType.RSA_2048:
            return rsa.generate_private_key(_EXPONENT, 2_048)
        case KeyType.RSA_4096:
            return rsa.generate_private_key(_EXPONENT, 4_096)


def read_key(pem: str) -> PrivateKey:
    """Read one. Raises ValueError, with a sentence, if it is none of those."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("it is no private key in PEM without a password") from error
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return key
    raise ValueError("it is a key neither for ECDSA nor for RSA")


def key_pem(key: PrivateKey) -> str:
    """Write one as PEM, in PKCS #8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def general_names(domains: Iterable[str]) -> list[x509.GeneralName]:
    """Write names and addresses of `CertificateTerms.domains` as a subjectAltName has them."""
    return [_general_name(one) for one in domains]


def _general_name(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(domain))
    except ValueError:
        return x509.DNSName(domain)
