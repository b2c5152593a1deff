"""What certbot, lego and Caddy left is read as they wrote it."""

import shutil
from pathlib import Path

import pytest

from supervisor.adapters.acme_clients.reading import read
from supervisor.core.x509.keys import key_pem, read_key
from supervisor.model.certificate import Challenge, KeyType
from supervisor.model.client_folders import Client, Known, ReadFolder, Reading
from tests.fakes.client_folders import (
    ACCOUNT,
    DIRECTORY,
    EMAIL,
    Caddy,
    Certbot,
    CertificateAuthority,
    Lego,
    new_key,
    rsa_key,
    write,
)

CA = CertificateAuthority()
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
ISSUERS = (
    Known(name="letsencrypt", directory=LETS_ENCRYPT),
    Known(name="letsencrypt-staging", directory=STAGING),
    Known(name="own", directory=DIRECTORY),
)
WEB = CA.issue("www.example.org", "example.org")


def found_in(path: Path, *names: str, account: str = "", trust: str = "") -> Reading:
    issuers = (*ISSUERS[:2], Known(name="own", directory=DIRECTORY, trust=trust))
    return read(ReadFolder(path=str(path), issuers=issuers, names=names, account=account))


def test_certbots_account_and_certificate_are_found(tmp_path: Path) -> None:
    certbot = Certbot(tmp_path / "le")
    certbot.account()
    certbot.certificate(WEB, "www.example.org")
    found = found_in(certbot.root)
    assert found.notes == ()
    assert found.clients == (Client.CERTBOT,)
    (account,) = found.accounts
    assert read_key(account.key).private_numbers() == rsa_key().private_numbers()
    assert (account.url, account.directory) == (ACCOUNT, DIRECTORY)
    assert (account.key_type, account.used) == ("rsa-2048", 1)
    (one,) = found.certificates
    assert one.domains == ("www.example.org", "example.org")
    assert (one.directory, one.key_type) == (DIRECTORY, KeyType.ECDSA_P256)
    assert (one.challenge, one.way) == (Challenge.HTTP, "standalone")
    assert one.pair.chain == WEB.chain
    assert one.pair.key == WEB.key_pem()
    assert one.pair.facts.serial == WEB.serial
    assert one.pair.facts.ari_id


def test_the_newest_of_certbots_versions_is_the_one(tmp_path: Path) -> None:
    certbot = Certbot(tmp_path / "le")
    certbot.certificate(CA.issue("example.org", age=80), "example.org")
    newer = CA.issue("example.org")
    certbot.certificate(newer, "example.org", number=10)
    for _ in range(2):
        (one,) = found_in(certbot.root).certificates
        assert one.pair.facts.serial == newer.serial
        shutil.rmtree(certbot.root / "live", ignore_errors=True)  # as in a copy of some of it


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("authenticator = dns-rfc2136",), {"challenge": "dns-01", "way": "dns-rfc2136"}),
        (("authenticator = manual", "pref_challs = dns-01,"), {"challenge": "dns-01"}),
        (("authenticator = webroot", "[[webroot_map]]", "example.org = /x"), {"way": "webroot"}),
        (("authenticator = nginx", "reuse_key = True"), {"reuse_key": True}),
        (("preferred_profile = shortlived",), {"profile": "shortlived"}),
        (("preferred_profile = None", "[[webroot_map]]", "server = x"), {"profile": ""}),
    ],
)
def test_what_certbot_did_is_told(
    tmp_path: Path, lines: tuple[str, ...], expected: dict[str, object]
) -> None:
    certbot = Certbot(tmp_path / "le")
    certbot.certificate(CA.issue("example.org"), "example.org", *lines)
    (one,) = found_in(certbot.root).certificates
    assert {key: getattr(one, key) for key in expected} == expected
    assert one.directory == DIRECTORY


def test_another_server_in_certbots_folder_is_another_issuer(tmp_path: Path) -> None:
    certbot = Certbot(tmp_path / "le")
    certbot.account(new_key(), name="a" * 32, server=LETS_ENCRYPT)
    certbot.account(new_key(), name="b" * 32, server=STAGING)
    certbot.account(new_key(), name="c" * 32, server="https://other.example.org/acme/directory")
    certbot.certificate(WEB, "www.example.org", server=LETS_ENCRYPT)
    found = found_in(certbot.root)
    assert [one.directory for one in found.accounts] == [STAGING, LETS_ENCRYPT]
    assert [one.directory for one in found.certificates] == [LETS_ENCRYPT]
    (note,) = found.notes
    assert "the settings do not have: https://other.example.org/acme/directory" in note.text
    assert 'directory = "https://other.example.org/acme/directory"' in note.hint


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("bundle", [True, False])
def test_legos_account_and_certificate_are_found(
    tmp_path: Path, version: int, *, bundle: bool
) -> None:
    lego = Lego(tmp_path / ".lego", version=version)
    key = new_key()
    lego.account(key)
    lego.certificate(WEB, "www.example.org", bundle=bundle)
    found = found_in(lego.root)
    assert found.clients == (Client.LEGO,)
    (account,) = found.accounts
    assert account.key == key_pem(key)
    assert (account.url, account.email, account.directory) == (ACCOUNT, EMAIL, DIRECTORY)
    (one,) = found.certificates
    assert (one.name, one.directory) == ("www.example.org", DIRECTORY)
    assert one.domains == ("www.example.org", "example.org")
    assert one.pair.chain == WEB.chain
    assert one.pair.key == WEB.key_pem(), "PKCS #8, whatever it was in"


def test_a_wildcard_is_proven_by_dns(tmp_path: Path) -> None:
    lego = Lego(tmp_path / ".lego")
    lego.certificate(CA.issue("*.example.org", "example.org"), "_.example.org")
    (one,) = found_in(lego.root).certificates
    assert one.domains == ("*.example.org", "example.org")
    assert one.challenge is Challenge.DNS


def test_caddys_account_and_certificate_are_found(tmp_path: Path) -> None:
    caddy = Caddy(tmp_path / "caddy")
    key = new_key()
    caddy.account(key)
    caddy.certificate(WEB, "www.example.org", "www.example.org", "example.org")
    caddy.certificate(CA.issue("nas.local"), "nas.local", issuer="local")
    found = found_in(caddy.root)
    assert found.clients == (Client.CADDY,)
    (account,) = found.accounts
    assert account.key == key_pem(key)
    assert (account.url, account.email, account.directory) == (ACCOUNT, EMAIL, DIRECTORY)
    (one,) = found.certificates
    assert one.directory == DIRECTORY
    (note,) = found.notes
    assert not note.is_fault
    assert "Issuer=internal" in note.hint


@pytest.mark.parametrize("name", ["key.pem", "privkey.pem", "www.example.org.key"])
def test_a_key_and_its_chain_are_found_in_a_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path / "www" / name, WEB.key_pem(traditional=True))
    write(tmp_path / "www/fullchain.pem", f"subject=CN = x\n{WEB.chain}{CA.root}")
    for path in (tmp_path / "www", tmp_path / "www/fullchain.pem"):
        found = found_in(path)
        (one,) = found.certificates
        assert found.clients == (Client.FILES,)
        assert one.pair.chain == WEB.chain, "without its root"
        assert (one.directory, found.accounts) == ("", ())


def test_key_and_chain_may_be_one_file_or_three(tmp_path: Path) -> None:
    haproxy = write(tmp_path / "haproxy/www.pem", WEB.chain + WEB.key_pem())
    write(tmp_path / "three/privkey.pem", WEB.key_pem())
    write(tmp_path / "three/cert.pem", WEB.leaf)
    write(tmp_path / "three/chain.pem", WEB.middle)
    for path in (haproxy, tmp_path / "three"):
        (one,) = found_in(path).certificates
        assert one.pair.chain == WEB.chain


@pytest.mark.parametrize(
    ("organization", "directory"),
    [
        ("Let's Encrypt", LETS_ENCRYPT),
        ("(STAGING) Let's Encrypt", STAGING),
        ("Somebody", ""),
    ],
)
def test_who_issued_a_plain_pair_is_told_by_its_certificate(
    tmp_path: Path, organization: str, directory: str
) -> None:
    made = CertificateAuthority(organization).issue("example.org")
    write(tmp_path / "tls.key", made.key_pem())
    write(tmp_path / "tls.crt", made.chain)
    (one,) = found_in(tmp_path).certificates
    assert one.directory == directory


def test_what_is_of_one_certificate_is_named_by_itself(tmp_path: Path) -> None:
    mail = CA.issue("mail.example.org")
    certbot, lego = Certbot(tmp_path / "le"), Lego(tmp_path / ".lego")
    caddy = Caddy(tmp_path / "caddy")
    certbot.account()
    certbot.account(new_key(), name="b" * 32)
    for client in (certbot, lego, caddy):
        client.certificate(WEB, "www.example.org")
        client.certificate(mail, "mail.example.org")
    for path in (
        certbot.root / "live/mail.example.org",
        certbot.root / "archive/mail.example.org",
        lego.root / "certificates/mail.example.org.crt",
        caddy.root / f"certificates/{caddy.issuer}/mail.example.org",
    ):
        found = found_in(path)
        assert [one.name for one in found.certificates] == ["mail.example.org"], path
        assert found.notes == ()
        if certbot.root in path.parents:
            assert [one.key_type for one in found.accounts] == ["rsa-2048"]
    for path in (certbot.root / "live", lego.root / "certificates", caddy.root / "certificates"):
        assert len(found_in(path).certificates) == 2, path


def test_only_what_is_asked_for_is_taken(tmp_path: Path) -> None:
    certbot = Certbot(tmp_path / "le")
    certbot.account()
    certbot.account(new_key(), name="b" * 32, url=f"{ACCOUNT}00")
    certbot.certificate(WEB, "www.example.org")
    certbot.certificate(CA.issue("mail.example.org"), "mail.example.org")
    certbot.certificate(CA.issue("old.example.org", age=100), "old.example.org")
    for name in ("www.example.org", "example.org"):
        found = found_in(certbot.root, name)
        assert [one.name for one in found.certificates] == ["www.example.org"]
        assert found.notes == ()
    for part in ("my-account/100", "bbbb"):
        (account,) = found_in(certbot.root, account=part).accounts
        assert account.url.endswith("/100")
