"""tls-alpn-01 (RFC 8737, RFC 8738): a server whose certificates prove names, and serve nothing."""

import hashlib
import ipaddress
import os
import socketserver
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from supervisor.adapters.acme.proofs import Server
from supervisor.core.x509.keys import PrivateKey, general_names, key_pem, new_key
from supervisor.model.certificate import KeyType

_PROTOCOL = "acme-tls/1"
_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING = 0x04
_CONNECTION_SECONDS = 10.0
_DAY = timedelta(days=1)


class _Handler(socketserver.BaseRequestHandler):
    """Shakes hands, and hangs up."""

    server: "TlsServer"

    def handle(self) -> None:
        self.request.settimeout(_CONNECTION_SECONDS)
        with self.server.context.wrap_socket(self.request, server_side=True) as secured:
            secured.unwrap()


class TlsServer(Server):
    """Proves names, by what belongs to each."""

    handler = _Handler

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        key = new_key(KeyType.ECDSA_P256)
        contexts = {
            _sni(name): _context(_certificate(name, text, key), key) for name, text in texts.items()
        }

        def chosen(secured: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            found = contexts.get((name or "").lower())
            if found is None:
                return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
            secured.context = found
            return None

        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols([_PROTOCOL])
        self.context.sni_callback = chosen


def _sni(name: str) -> str:
    """Return what an issuer asks for: an address has no other name (RFC 8738, section 6)."""
    try:
        return ipaddress.ip_address(name).reverse_pointer
    except ValueError:
        return name.lower()


def _certificate(name: str, text: str, key: PrivateKey) -> bytes:
    digest = hashlib.sha256(text.encode()).digest()
    proof = x509.UnrecognizedExtension(_IDENTIFIER, bytes((_OCTET_STRING, len(digest))) + digest)
    nobody = x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectAlternativeName(general_names([name])), critical=True)
        .add_extension(proof, critical=True)
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def _context(certificate: bytes, key: PrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols([_PROTOCOL])
    # It reads them from a file only; this one is in memory, and nobody else's.
    descriptor = os.memfd_create("proof")
    try:
        os.write(descriptor, key_pem(key).encode() + certificate)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
