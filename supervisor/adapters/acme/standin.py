"""Make a self-signed certificate, until another is there: a helper, which `issuer` asks."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from supervisor.core.x509.keys import general_names, key_pem, new_key
from supervisor.core.x509.pairs import facts_of
from supervisor.kit.helper import serve
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms

_VALID = timedelta(days=90)
_SKEW = timedelta(hours=1)


def standin(terms: CertificateTerms) -> Pair:
    """Make one for these names."""
    key = new_key(terms.key_type)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "podvisor stand-in")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(general_names(terms.domains)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    chain = certificate.public_bytes(Encoding.PEM).decode()
    return Pair(key=key_pem(key), chain=chain, facts=facts_of(chain))


if __name__ == "__main__":
    serve(standin, CertificateTerms)
