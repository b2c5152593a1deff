"""Issuers here are on loopback: nobody's certificate authorities are needed to trust them."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def trusts_nobody() -> Iterator[None]:
    """Each order would read those of the machine, which is a third of its time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", "/dev/null")
        patched.setenv("SSL_CERT_DIR", "/dev/null")
        yield
