"""`certs import`, with a daemon that answers what it is told to, and without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.acme.accounts import account_key
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme_clients import reading
from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.certificate_files import HostFolders, read_certificate_files
from supervisor.model.certificate import KeyType
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings
from supervisor.model.certificate_status import CertificateList, CertificateState, CertificateStatus
from supervisor.wiring import importing
from tests.core.candidates import from_texts
from tests.fakes.answers import answer_here
from tests.fakes.client_folders import (
    DIRECTORY,
    Certbot,
    CertificateAuthority,
    Lego,
    Made,
    new_key,
    rsa_key,
    write,
)

Podvisor = Callable[..., Any]
CA = CertificateAuthority()
WEB = CA.issue("www.example.org", "example.org")
SELF_SIGNED = CA.self_signed("plain.example.org")
EXPIRED = CA.issue("plain.example.org", days=5.0)
SETTINGS = f"""
[sources.home]
folder = "~/apps"

[certificates.issuers.own]
directory = "{DIRECTORY}"
"""
STATUS = CertificateStatus(
    name="web",
    app="site",
    state=CertificateState.VALID,
    domains=("example.org", "www.example.org"),
    issuer="own",
    key_type=KeyType.ECDSA_P256,
    expires=9e9,
    renew_at=8e9,
    serial="3F2A91",
)


@pytest.fixture
def certbot(home: Path) -> Certbot:
    write(home / "config/podvisor/config.toml", SETTINGS)
    made = Certbot(home / "le")
    made.account()
    made.certificate(WEB, "www.example.org", "authenticator = dns-rfc2136")
    return made


@pytest.fixture(autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are read here, but where a test has it done as people have it, in a process."""
    if "in_a_process" not in request.fixturenames:
        answer_here(monkeypatch, importing, reading.read)


@pytest.fixture
def in_a_process() -> None:
    """The reader as it is."""


def listed(*certificates: CertificateStatus) -> Any:
    return json.loads(msgspec.json.encode(CertificateList(running=True, certificates=certificates)))


def waiting(home: Path) -> list[Path]:
    return sorted((home / "state/podvisor/imported-certificates").glob("*.json"))


@pytest.mark.usefixtures("in_a_process")
def test_without_a_daemon_all_is_taken_and_what_to_write_is_printed(
    podvisor: Podvisor, home: Path, certbot: Certbot
) -> None:
    said = podvisor("certs", "import", str(certbot.root))
    assert said.code == 0, said.err
    account, certificate = said.out.splitlines()[:2]
    assert account.split()[:2] == ["✓", "account"]
    assert account.endswith("certbot, rsa-2048    at own            taken over")
    assert "www.example.org example.org" in certificate
    assert certificate.endswith("taken over; no file asks for it yet")
    assert "# www.example.org.certificate" in said.out
    assert "The daemon is not running" in said.out
    assert "certbot.timer" in said.out
    key, was_there = account_key(account_path(home / "state/podvisor/acme-accounts", DIRECTORY))
    assert was_there
    assert key.key.private_numbers() == rsa_key().private_numbers()
    (about,) = waiting(home)
    assert about.with_suffix("").joinpath("key.pem").read_text() == WEB.key_pem()
    before = about.stat().st_mtime_ns

    again = podvisor("certs", "import", str(certbot.root))
    assert again.code == 0
    assert [line.split()[0] for line in again.out.splitlines()[:2]] == ["=", "="]
    assert "taken over before" in again.out
    assert about.stat().st_mtime_ns == before


def test_what_is_printed_asks_for_just_that(
    podvisor: Podvisor, home: Path, certbot: Certbot
) -> None:
    said = podvisor("certs", "import", str(certbot.root), "--dry-run", "--json")
    report = json.loads(said.out)
    assert waiting(home) == []
    assert not (home / "state/podvisor/acme-accounts").exists()
    (one,) = report["certificates"]
    assert (one["outcome"], one["file"]) == ("taken", "www.example.org.certificate")
    assert (report["is_dry_run"], report["running"]) == (True, False)
    settings = CertificateSettings(issuers={"own": IssuerSettings(directory=DIRECTORY)})
    files = AppFiles(*from_texts("web", {one["file"]: one["text"]}))
    folders = HostFolders(home="/home/pi", apps="/apps", certificates="/certificates")
    (asked,), findings = read_certificate_files(files, settings, folders)
    assert findings == ()
    assert asked.terms.domains == ("www.example.org", "example.org")
    assert (asked.terms.issuer, asked.terms.key_type) == ("own", KeyType.ECDSA_P256)
    assert asked.challenge == "dns-01"
    assert "# certbot proved it by dns-rfc2136" in one["text"]


def test_a_daemon_is_asked_to_take_what_is_asked_for(
    podvisor: Podvisor, daemon: Any, home: Path, certbot: Certbot
) -> None:
    missing = msgspec.structs.replace(STATUS, state=CertificateState.MISSING, expires=0.0)
    daemon.answer("/v1/certificates", listed(missing))
    taken = msgspec.structs.replace(STATUS, serial=WEB.serial)
    event = {"at": 1.0, "kind": "certificate", "app": "site", "subject": "web", "reason": "taken"}
    daemon.answer("/v1/certificates/import", {"event": event}, {"reply": listed(taken)})
    said = podvisor("certs", "import", str(certbot.root))
    assert said.code == 0, said.err
    assert "taken over, as web" in said.out
    assert ".certificate" not in said.out
    said = podvisor("certs", "import", str(certbot.root), "--json")
    assert json.loads(said.out)["certificates"][0]["used_as"] == "web"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "podvisor has a valid one as web, until 2255-"),
        ({"issuer": "letsencrypt"}, "web asks for the same names, but with Issuer=letsencrypt"),
        ({"key_type": "rsa-4096"}, "web asks for the same names, but with KeyType=rsa-4096"),
        ({"state": "missing", "expires": 0.0}, "to be taken over; web asks for it"),
        ({"is_asked_for": False}, "no file asks for it yet"),
        ({"serial": WEB.serial}, "taken over before, as web"),
    ],
)
def test_how_it_fits_what_is_asked_for_is_said(
    podvisor: Podvisor, daemon: Any, certbot: Certbot, change: dict[str, Any], said: str
) -> None:
    daemon.answer("/v1/certificates", listed(msgspec.structs.replace(STATUS, **change)))
    out = podvisor("certs", "import", str(certbot.root), "--dry-run").out
    assert said in out


def test_what_is_there_stays_unless_it_is_to_be_replaced(
    podvisor: Podvisor, daemon: Any, home: Path, certbot: Certbot
) -> None:
    daemon.answer("/v1/certificates", listed(STATUS))
    daemon.answer("/v1/certificates/import", {"reply": listed(STATUS)})
    accounts = home / "state/podvisor/acme-accounts"
    place = account_path(accounts, DIRECTORY)
    accounts.mkdir(parents=True)
    account_key(place)
    before = place.read_text()
    out = podvisor("certs", "import", str(certbot.root)).out
    assert "podvisor has another account there" in out
    assert "--replace has this one in its place" in out
    assert place.read_text() == before
    assert waiting(home) == []

    assert podvisor("certs", "import", str(certbot.root), "--replace").code == 0
    assert place.read_text() != before
    assert place.with_name(f"{place.name}.before.1").read_text() == before
    (about,) = waiting(home)
    assert json.loads(about.read_text())["replaces_valid"] is True


def test_what_was_taken_over_and_is_replaced_since_can_be_had_back(
    podvisor: Podvisor, daemon: Any, home: Path, certbot: Certbot
) -> None:
    daemon.answer("/v1/certificates", listed())
    daemon.answer("/v1/certificates/import", {"reply": listed()})
    podvisor("certs", "import", str(certbot.root))
    (about,) = waiting(home)
    kept = home / "state/podvisor/certificates/web"
    kept.mkdir(parents=True)
    about.with_suffix("").rename(kept / about.stem)
    about.unlink()
    daemon.answer("/v1/certificates", listed(STATUS))
    daemon.answer("/v1/certificates/import", {"reply": listed(STATUS)})
    said = podvisor("certs", "import", str(certbot.root))
    assert "taken over before; web has another one since" in said.out
    assert "--replace has this one in its place again" in said.out
    assert waiting(home) == []

    for _ in range(2):  # what waits from before was not for this one's place
        said = podvisor("certs", "import", str(certbot.root), "--replace")
        assert "✓  certificate" in said.out
        assert "taken over; web asks for it" in said.out
        (about,) = waiting(home)
        found = json.loads(about.read_text())
        assert found["replaces_valid"] is True
        about.write_text(json.dumps(found | {"at": 1.0}))

    in_use = msgspec.structs.replace(STATUS, serial=WEB.serial)
    daemon.answer("/v1/certificates", listed(in_use))
    about.unlink()
    said = podvisor("certs", "import", str(certbot.root), "--replace")
    assert "=  certificate" in said.out
    assert waiting(home) == []


def test_what_podvisors_own_authority_signs_is_never_taken_and_said(
    podvisor: Podvisor, daemon: Any, home: Path
) -> None:
    write(home / "leaf/leaf.crt", WEB.chain)
    write(home / "leaf/leaf.key", WEB.key_pem())
    status = msgspec.structs.replace(STATUS, issuer="internal", name="leaf")
    daemon.answer("/v1/certificates", listed(status))
    said = podvisor("certs", "import", str(home / "leaf"), "--dry-run").out
    assert "leaf asks for the same names, but with Issuer=internal" in said
    assert "Issuer=internal takes none over: podvisor's own authority signs" in said
    assert "podvisor certs root" in said


@pytest.mark.parametrize(
    ("made", "hint"),
    [(SELF_SIGNED, "Issuer=internal"), (EXPIRED, "another one ordered")],
)
def test_where_all_is_of_no_use_that_is_an_error_with_what_to_do(
    podvisor: Podvisor, home: Path, made: Made, hint: str
) -> None:
    write(home / "plain/fullchain.pem", made.chain)
    write(home / "plain/privkey.pem", made.key_pem())
    done = podvisor("certs", "import", str(home / "plain"))
    assert done.code == 1
    assert "Nothing in ~/plain can be taken over." in done.out
    assert hint in done.out


@pytest.mark.parametrize(
    ("key", "chain", "asked"),
    [
        ("leaf.key", "leaf.crt", "leaf.key"),
        ("leaf.key", "leaf.crt", "leaf.crt"),
        ("leaf.key", "leaf.crt", ""),
        ("privkey.pem", "fullchain.pem", "privkey.pem"),
        ("leaf-key.pem", "leaf.pem", ""),
        ("leaf-key.pem", "leaf.pem", "leaf-key.pem"),
        ("leaf-key.pem", "leaf.pem", "leaf.pem"),
    ],
)
def test_a_plain_pair_is_found_by_its_folder_its_key_and_its_chain(
    podvisor: Podvisor, home: Path, key: str, chain: str, asked: str
) -> None:
    write(home / "leaf" / chain, WEB.chain)
    write(home / "leaf" / key, WEB.key_pem())
    done = podvisor("certs", "import", str(home / "leaf" / asked))
    assert done.code == 0, done.err
    assert len(waiting(home)) == 1


def test_which_files_are_looked_for_is_said_where_there_are_none(
    podvisor: Podvisor, home: Path
) -> None:
    write(home / "odd/mine", WEB.chain)
    done = podvisor("certs", "import", str(home / "odd"))
    assert done.code == 1
    assert "privkey.pem and fullchain.pem" in done.err
    assert "NAME.key and NAME.crt" in done.err


def test_one_account_of_each_issuer_is_taken_that_of_most_certificates(
    podvisor: Podvisor, home: Path, certbot: Certbot
) -> None:
    certbot.account(new_key(), name="b" * 32, url="https://ca.example.org:14000/my-account/2")
    found = json.loads(podvisor("certs", "import", str(certbot.root), "--json").out)
    outcomes = {one["key_type"]: one["outcome"] for one in found["accounts"]}
    assert outcomes == {"rsa-2048": "taken", "ecdsa-p256": "left"}
    arguments = ("--account", "my-account/2", "--replace", "--json")
    found = json.loads(podvisor("certs", "import", str(certbot.root), *arguments).out)
    assert [one["outcome"] for one in found["accounts"]] == ["taken"]


@pytest.mark.usefixtures("in_a_process")
def test_what_is_no_use_is_said_with_its_file_and_the_rest_is_taken(
    podvisor: Podvisor, home: Path
) -> None:
    write(home / "config/podvisor/config.toml", SETTINGS)
    lego = Lego(home / ".lego")
    lego.certificate(WEB, "www.example.org")
    write(lego.certificate(CA.issue("bad.example.org"), "bad.example.org"), "{")
    said = podvisor("certs", "import", str(lego.root))
    assert said.code == 3
    place = "~/.lego/certificates/bad.example.org.json"
    assert f"✗ {place}: it is not JSON, or damaged" in said.out
    assert len(waiting(home)) == 1


def test_an_issuer_that_the_settings_do_not_have_is_said(
    podvisor: Podvisor, home: Path, certbot: Certbot
) -> None:
    write(home / "config/podvisor/config.toml", "")
    said = podvisor("certs", "import", str(certbot.root))
    assert said.code == 1
    assert "Nothing in ~/le can be taken over." in said.out
    assert "the settings do not have" in said.out
    assert f'directory = "{DIRECTORY}"' in said.out
    assert waiting(home) == []


def test_what_expired_while_it_waited_is_removed(
    podvisor: Podvisor, home: Path, certbot: Certbot
) -> None:
    podvisor("certs", "import", str(certbot.root))
    (about,) = waiting(home)
    old = json.loads(about.read_text())
    old["facts"]["not_after"] = 1.0
    about.write_text(json.dumps(old))
    empty = Certbot(home / "other")
    empty.account()
    podvisor("certs", "import", str(empty.root))
    assert waiting(home) == []
    assert not about.with_suffix("").exists()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone", "cannot read"),
        ("empty", "there is nothing in"),
        ("config/podvisor", "there is nothing in"),
    ],
)
def test_where_nothing_is_to_be_had_that_is_an_error(
    podvisor: Podvisor, home: Path, certbot: Certbot, path: str, said: str
) -> None:
    (home / "empty").mkdir()
    done = podvisor("certs", "import", str(home / path))
    assert done.code == 1
    assert said in done.err
