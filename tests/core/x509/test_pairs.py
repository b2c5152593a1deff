"""What stands in certificates, and which pairs nobody could serve."""

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from supervisor.core.x509.pairs import facts_of, pair_problem

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NAMES = ("b.example.org", "*.a.example.org", "192.0.2.7", "2001:db8::1")


class Signer:
    """A key with its name, which signs certificates."""

    def __init__(self, name: str) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def pem(self) -> str:
        form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        return self.key.private_bytes(*form).decode()

    def sign(
        self,
        subject: "Signer",
        *,
        names: tuple[str, ...] = (),
        serial: int = 0x00F1,
        authority: bool = False,
        start: datetime = NOW,
        days: float = 90,
    ) -> str:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject.name)
            .issuer_name(self.name)
            .public_key(subject.key.public_key())
            .serial_number(serial)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if names:
            kinds: list[x509.GeneralName] = [
                x509.IPAddress(ip_address(one))
                if ":" in one or one.replace(".", "").isdigit()
                else x509.DNSName(one)
                for one in names
            ]
            made = made.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
        return made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


ROOT, MIDDLE, LEAF, OTHER = map(Signer, ("root", "middle", "leaf", "other"))
ROOT_PEM = ROOT.sign(ROOT, authority=True, days=3650)
OTHER_PEM = OTHER.sign(OTHER, authority=True)
MIDDLE_PEM = ROOT.sign(MIDDLE, authority=True, days=1000)
LEAF_PEM = MIDDLE.sign(LEAF, names=NAMES)
CHAIN = LEAF_PEM + MIDDLE_PEM


def problem(
    *,
    key: str = LEAF.pem,
    chain: str = CHAIN,
    names: tuple[str, ...] = NAMES,
    days: float = 1,
    trust: str = ROOT_PEM,
) -> str:
    now = (NOW + timedelta(days=days)).timestamp()
    return pair_problem(key, chain, names=names, now=now, trust=trust)


def test_facts_are_those_of_the_first_one() -> None:
    facts = facts_of(CHAIN)
    identifier = x509.SubjectKeyIdentifier.from_public_key(MIDDLE.key.public_key()).digest
    encoded = base64.urlsafe_b64encode(identifier).decode().rstrip("=")
    assert facts.serial == "F1"
    assert facts.names == ("*.a.example.org", "192.0.2.7", "2001:db8::1", "b.example.org")
    assert facts.issuer == "middle"
    assert facts.ari_id == f"{encoded}.APE", "a zero goes before a set bit"
    assert facts.lifetime == 90 * 86400
    assert len(facts.fingerprint) == 64


@pytest.mark.parametrize(
    ("serial", "last"), [(0x7F, "fw"), (0x80, "AIA"), (0x87654321, "AIdlQyE"), (1, "AQ")]
)
def test_the_identifier_has_the_serial_as_der_has_it(serial: int, last: str) -> None:
    assert facts_of(ROOT.sign(LEAF, serial=serial)).ari_id.partition(".")[2] == last


@pytest.mark.parametrize("chain", ["", "no", CHAIN[:300], LEAF.pem])
def test_what_is_no_certificate_has_no_facts(chain: str) -> None:
    with pytest.raises(ValueError):
        facts_of(chain)


@pytest.mark.parametrize("trust", ["", ROOT_PEM, OTHER_PEM + ROOT_PEM, MIDDLE_PEM])
def test_a_good_pair_has_no_problem(trust: str) -> None:
    assert problem(trust=trust) == ""


def test_fewer_names_than_it_has_are_no_problem() -> None:
    assert problem(names=NAMES[:1]) == ""


def test_a_chain_with_its_root_is_no_problem() -> None:
    assert problem(chain=CHAIN + ROOT_PEM) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": OTHER.pem}, "its key is not the one of the certificate"),
        ({"key": "nonsense"}, "its key cannot be read: it is no private key in PEM"),
        ({"chain": "nonsense"}, "its chain cannot be read: there is no certificate in PEM"),
        ({"chain": ""}, "its chain cannot be read: there is no certificate in PEM"),
        ({"names": ("c.example.org",)}, "it is not for c.example.org, but for *.a.example.org"),
        ({"chain": MIDDLE.sign(LEAF)}, "it is not for b.example.org"),
        ({"days": -1}, "it is valid only from 2026-12-01 00:00 UTC on, and here it is 2026-11-30"),
        ({"days": 90}, "it was valid until 2027-03-01 00:00 UTC"),
        ({"chain": LEAF_PEM + OTHER_PEM}, "CN=other stands next in its chain"),
        ({"chain": MIDDLE_PEM + LEAF_PEM}, "its key is not the one"),
        (
            {"chain": LEAF_PEM + ROOT.sign(MIDDLE, names=NAMES)},
            "CN=middle in its chain is no authority",
        ),
        (
            {"chain": LEAF_PEM + ROOT.sign(MIDDLE, authority=True, days=0.5)},
            "CN=middle in its chain cannot be used: it was valid until",
        ),
        ({"chain": LEAF_PEM}, "its chain leads to CN=middle, not to CN=root"),
        ({"trust": OTHER_PEM}, "its chain leads to CN=root, not to CN=other"),
        ({"trust": "nonsense"}, "the roots to trust cannot be read: there is no certificate"),
    ],
)
def test_what_nobody_could_serve_is_said(changed: dict, said: str) -> None:
    assert problem(**changed).startswith(said)


def test_a_clock_that_is_a_little_slow_is_no_problem() -> None:
    assert problem(days=-60 / 86400) == ""
