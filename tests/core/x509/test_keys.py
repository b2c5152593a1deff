"""Keys of every type, there and back."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from supervisor.core.x509.keys import general_names, key_pem, new_key, read_key
from supervisor.model.certificate import KeyType

SIZES = {
    KeyType.ECDSA_P256: 256,
    KeyType.ECDSA_P384: 384,
    KeyType.RSA_2048: 2_048,
    KeyType.RSA_4096: 4_096,
}


@pytest.mark.parametrize("kind", KeyType)
def test_a_key_is_of_its_type_and_comes_back(kind: KeyType) -> None:
    key = new_key(kind)
    assert key.key_size == SIZES[kind]
    assert isinstance(key, rsa.RSAPrivateKey if "rsa" in kind else ec.EllipticCurvePrivateKey)
    assert key_pem(read_key(key_pem(key))) == key_pem(key)
    assert key_pem(key).startswith("-----BEGIN PRIVATE KEY-----")


def test_what_is_no_key_is_said() -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="neither for ECDSA nor for RSA"):
        read_key(pem)
    for text in ("", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ValueError, match="no private key"):
            read_key(text)


def test_names_and_addresses_are_told_apart() -> None:
    names = general_names(["*.example.org", "192.0.2.1", "2001:db8::1"])
    assert [str(one.value) for one in names] == ["*.example.org", "192.0.2.1", "2001:db8::1"]
    assert [type(one).__name__ for one in names] == ["DNSName", "IPAddress", "IPAddress"]
