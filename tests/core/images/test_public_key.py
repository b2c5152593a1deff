"""Which files hold a public key that images can be signed with."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.names import LARGEST_KEY
from supervisor.core.images.public_key import (
    fingerprint,
    pem,
    public_keys,
    read_public_key,
)

ECDSA = b"""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEs9MQ1o2WUp6tAXvnxSnW96zXV9oX
3c7MDPUX4SO3MQGahIM+azOFk0PGCY15tO7yXGUW6ekcyswInxWfJxe9wg==
-----END PUBLIC KEY-----
"""
ED25519 = b"""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


def test_a_key_as_skopeo_writes_it():
    """The fingerprint is what `openssl pkey -pubin -outform DER | sha256sum` prints."""
    der = read_public_key(ECDSA)
    assert pem(der).encode() == ECDSA
    assert fingerprint(der) == "6bc0d3e5ffdec851f791af699931e71343b09de718006e99c6d05bf955aaa45e"
    assert pem(read_public_key(ED25519)).encode() == ED25519
    assert read_public_key(b"A key of ours:\r\n" + ECDSA.replace(b"\n", b"\r\n")) == der


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no PEM"),
        (b"\xff\x00" * 100, "it is no PEM"),
        (b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", "it holds no public key"),
        (ECDSA.replace(b"MFkw", b"MFow"), "it holds no public key"),
        (ECDSA[:-30], "it holds no public key"),
        (ECDSA.replace(b"PUBLIC KEY", b"CERTIFICATE"), "it holds no public key"),
        (ECDSA + ED25519, "it holds more than one key"),
        (
            ECDSA.replace(b"PUBLIC KEY", b"ENCRYPTED SIGSTORE PRIVATE KEY") + ECDSA,
            "it holds a private key",
        ),
        (ECDSA + b" " * LARGEST_KEY, "it is larger than 16 KiB"),
    ],
)
def test_what_is_none(content, why):
    with pytest.raises(ValueError, match=why):
        read_public_key(content)


@given(st.binary(max_size=200))
def test_what_somebody_writes_is_refused_and_no_more(content):
    for text in (content, b"-----BEGIN PUBLIC KEY-----" + content, ECDSA[:60] + content):
        with suppress(ValueError):
            assert read_public_key(text) in public_keys(text)
