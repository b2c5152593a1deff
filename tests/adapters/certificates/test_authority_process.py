"""What podvisor's own authority signs, for whom, and with what it cannot go on."""

import stat
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from supervisor.adapters.certificates import authority_process
from supervisor.adapters.certificates.authority_process import sign
from supervisor.adapters.certificates.questions import KEY, ROOT, Asked, Signed
from supervisor.core.files.internal_names import DOMAINS
from supervisor.core.x509.keys import new_key
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms, KeyType

NAMES = ("web.home.arpa", "*.nas.lan", "192.168.1.7", "fd00::7")


class Authority:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(
        self,
        *names: str,
        key_type: KeyType = KeyType.ECDSA_P256,
        key: str = "",
        host: str = "pi",
    ) -> Signed:
        terms = CertificateTerms(domains=names or NAMES, issuer="internal", key_type=key_type)
        return sign(Asked(folder=str(self.folder), host=host, terms=terms, key=key))

    def pair(self, *names: str, **more) -> Pair:
        signed = self.ask(*names, **more)
        assert signed.pair, signed.problem
        return signed.pair

    @property
    def root(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / ROOT).read_bytes())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "state" / "authority")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def verify(authority: Authority, leaf: x509.Certificate, name: str) -> None:
    """Ask as a client does that trusts the authority. Raises VerificationError."""
    subject = (
        x509.IPAddress(ip_address(name))
        if name.replace(".", "").isdigit() or ":" in name
        else x509.DNSName(name.replace("*", "any"))
    )
    policy = PolicyBuilder().store(Store([authority.root]))
    policy.build_server_verifier(subject).verify(leaf, [])


@pytest.mark.parametrize("key_type", KeyType)
def test_clients_take_what_it_signs_with_every_type_of_key(
    authority: Authority, key_type: KeyType
) -> None:
    pair = authority.pair(key_type=key_type)
    leaf = x509.load_pem_x509_certificate(pair.chain.encode())
    for name in NAMES:
        verify(authority, leaf, name)
    with pytest.raises(VerificationError):
        verify(authority, leaf, "other.home.arpa")
    key = load_pem_private_key(pair.key.encode(), password=None)
    assert leaf.public_key() == key.public_key()
    match key_type:
        case KeyType.ECDSA_P256 | KeyType.ECDSA_P384:
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            assert key.key_size == int(key_type.rpartition("-p")[2])
        case KeyType.RSA_2048 | KeyType.RSA_4096:
            assert isinstance(key, rsa.RSAPrivateKey)
            assert key.key_size == int(key_type.rpartition("-")[2])


def test_what_stands_in_a_certificate(authority: Authority) -> None:
    pair = authority.pair()
    leaf = x509.load_pem_x509_certificate(pair.chain.encode())
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [*usages] == [ExtendedKeyUsageOID.SERVER_AUTH]
    of_root = authority.root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    signer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert signer.key_identifier == of_root.digest
    assert leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert pair.facts.issuer == "podvisor on pi"
    assert pair.facts.not_before < time.time() < pair.facts.not_after
    assert 90 <= pair.facts.lifetime / 86_400 < 91


def test_a_name_that_is_too_long_for_a_subject_is_signed(authority: Authority) -> None:
    name = f"{'a' * 60}.{'b' * 60}.internal"
    leaf = x509.load_pem_x509_certificate(authority.pair(name).chain.encode())
    verify(authority, leaf, name)


def test_it_is_its_users_alone_and_lasts(authority: Authority) -> None:
    authority.pair()
    before = (authority.folder / ROOT).read_bytes()
    assert mode(authority.folder) == 0o700
    assert [mode(authority.folder / one) for one in (KEY, ROOT)] == [0o600, 0o600]
    assert sorted(one.name for one in authority.folder.iterdir()) == [KEY, ROOT]
    assert [one.name for one in authority.folder.parent.iterdir()] == ["authority"]
    (authority.folder / KEY).chmod(0o644)
    authority.pair()
    assert mode(authority.folder / KEY) == 0o600
    assert (authority.folder / ROOT).read_bytes() == before
    years = authority.root.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=3649) < years < timedelta(days=3651)


def test_its_certificate_says_for_whom_it_may_sign(authority: Authority) -> None:
    authority.pair(host="pi.fritz.box")
    held = authority.root.extensions.get_extension_for_class(x509.NameConstraints)
    permitted = held.value.permitted_subtrees or []
    assert held.critical
    assert x509.DNSName("home.arpa") in permitted
    assert x509.DNSName("pi.fritz.box") in permitted
    assert x509.IPAddress(ip_network("192.168.0.0/16")) in permitted
    basic = authority.root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


def test_clients_refuse_what_is_signed_for_others_with_its_key(authority: Authority) -> None:
    authority.pair()
    whole = authority_process._read(authority.folder)
    terms = CertificateTerms(domains=("www.example.org",))
    leaf = authority_process._leaf(whole, terms, new_key(KeyType.ECDSA_P256))
    with pytest.raises(VerificationError):
        verify(authority, leaf, "www.example.org")


@pytest.mark.parametrize(
    "name", ["www.example.org", "arpa", "evilhome.arpa", "8.8.8.8", "2001:db8::1", "*.org"]
)
def test_it_does_not_sign_for_names_of_others(authority: Authority, name: str) -> None:
    for is_there in (False, True):
        signed = authority.ask("web.lan", name)
        assert signed.pair is None
        assert signed.problem == f"podvisor's own authority may not sign for {name}"
        assert "home.arpa" in signed.hint
        assert authority.folder.exists() == is_there
        authority.pair("web.lan")


@pytest.mark.parametrize("host", ["pi", "web.example.org"])
def test_it_signs_for_its_own_host(authority: Authority, host: str) -> None:
    pair = authority.pair(host, f"*.{host}", host=host)
    leaf = x509.load_pem_x509_certificate(pair.chain.encode())
    for name in (host, f"*.{host}"):
        verify(authority, leaf, name)


@pytest.mark.parametrize(
    "host", ["", "my_host", "-", "localhost", "h" * 300, "ho st", "192.168.0.1"]
)
def test_a_host_name_that_cannot_be_a_domain_does_no_harm(authority: Authority, host: str) -> None:
    assert authority.pair("web.lan", host=host)
    held = authority.root.extensions.get_extension_for_class(x509.NameConstraints).value
    names = [one.value for one in held.permitted_subtrees or [] if isinstance(one, x509.DNSName)]
    assert {*names} == {*DOMAINS}


def test_a_host_that_is_renamed_keeps_its_authority(authority: Authority) -> None:
    authority.pair()
    signed = authority.ask("new", host="new")
    assert signed.problem == "podvisor's own authority may not sign for new"
    assert "pi" in signed.hint.split("; ")[0]
    assert authority.pair("pi", host="new")


def test_a_key_is_used_again(authority: Authority) -> None:
    first = authority.pair(key_type=KeyType.ECDSA_P384)
    assert authority.pair(key=first.key).key == first.key
    signed = authority.ask(key="nonsense")
    assert "cannot be read" in signed.problem
    assert signed.hint == "say ReuseKey=no"


def lose_key(folder: Path) -> None:
    (folder / KEY).unlink()


def lose_root(folder: Path) -> None:
    (folder / ROOT).unlink()


def spoil_key(folder: Path) -> None:
    (folder / KEY).write_text("nonsense")


def spoil_root(folder: Path) -> None:
    (folder / ROOT).write_text("nonsense")


def have_anothers_key(folder: Path) -> None:
    other = Authority(folder.parent / "other")
    other.pair()
    (folder / KEY).write_bytes((other.folder / KEY).read_bytes())


def have_a_leaf_for_a_root(folder: Path) -> None:
    (folder / ROOT).write_text(Authority(folder).pair().chain)


def become_a_file(folder: Path) -> None:
    folder.rename(folder.with_name("lost"))
    folder.write_text("own")


@pytest.mark.parametrize("name", [KEY, ROOT])
@pytest.mark.parametrize("text", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN X-----\n!\n"])
def test_what_cannot_be_read_of_it_is_said_in_plain_words(
    authority: Authority, name: str, text: bytes
) -> None:
    authority.pair()
    (authority.folder / name).write_bytes(text)
    why = authority.ask().problem.partition("cannot be used: ")[2]
    what = {
        KEY: "private key in PEM",
        ROOT: "certificate of an authority that podvisor made",
    }
    assert why == f"{name} is no {what[name]}"


@pytest.mark.parametrize(
    "spoil",
    [
        lose_key,
        lose_root,
        spoil_key,
        spoil_root,
        have_anothers_key,
        have_a_leaf_for_a_root,
        become_a_file,
    ],
)
def test_what_is_damaged_is_not_replaced_unasked(authority: Authority, spoil) -> None:
    authority.pair()
    spoil(authority.folder)
    signed = authority.ask()
    assert signed.pair is None
    assert signed.problem.startswith(f"podvisor's own authority in {authority.folder} cannot be")
    assert "put it back from a backup, or remove the folder" in signed.hint


def test_what_was_cut_short_is_begun_anew(authority: Authority) -> None:
    scratch = authority.folder.with_name(".authority.new")
    scratch.mkdir(parents=True)
    (scratch / KEY).write_text("half")
    authority.pair()
    assert not scratch.exists()


def test_it_has_names_in_the_form_that_certificates_have() -> None:
    assert all(one == one.lower() and not one.startswith(".") for one in DOMAINS)
