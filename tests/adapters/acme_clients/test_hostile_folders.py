"""What is no use, or meant to harm: said with its file, and the others go on."""

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from supervisor.model.client_folders import Note
from tests.adapters.acme_clients.test_client_folders import CA, WEB, found_in
from tests.fakes.client_folders import (
    Caddy,
    Certbot,
    CertificateAuthority,
    Lego,
    new_key,
    rsa_key,
    write,
)

GOOD = "www.example.org"
BAD = "bad.example.org"


@pytest.fixture
def certbot(tmp_path: Path) -> Certbot:
    """One with a good certificate, and another to be spoiled; an RSA key takes long to check."""
    made = Certbot(tmp_path / "le")
    made.account(new_key())
    made.certificate(WEB, GOOD)
    made.certificate(CA.issue(BAD), BAD)
    return made


def the_note(certbot: Certbot, *, trust: str = "") -> Note:
    """What is said of the bad one; the good one is there, and the account."""
    found = found_in(certbot.root, trust=trust)
    assert [one.name for one in found.certificates] == [GOOD]
    assert len(found.accounts) == 1
    (note,) = found.notes
    return note


def chain_of(certbot: Certbot) -> Path:
    return certbot.root / f"archive/{BAD}/fullchain1.pem"


def key_of(certbot: Certbot) -> Path:
    return certbot.root / f"archive/{BAD}/privkey1.pem"


def a_link_out(path: Path) -> None:
    outside = path.parents[3] / "outside.pem"
    outside.write_text(path.read_text())
    path.unlink()
    path.symlink_to(outside)


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_huge_one(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (a_link_out, "it is a link that leads out of"),
        (a_link_to_itself, "it cannot be read: Too many levels"),
        (a_pipe, "it is no file"),
        (a_device, "it is a link that leads out of"),
        (a_folder, "it is no file"),
        (a_huge_one, "it is larger than 256 KB"),
        (Path.unlink, "it is not there"),
        (lambda path: path.write_bytes(b"\xff\xfe" * 40), "it is no text"),
        (lambda path: path.write_text("-----BEGIN NOTHING-----"), "in PEM"),
        (lambda path: path.write_text(""), "in PEM"),
        (lambda path: path.write_text(path.read_text()[:200]), "in PEM"),
    ],
)
@pytest.mark.parametrize("which", [chain_of, key_of])
def test_a_file_that_is_no_use_is_named(
    certbot: Certbot,
    which: Callable[[Certbot], Path],
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spoil(which(certbot))
    note = the_note(certbot)
    assert said in note.text
    assert note.is_fault
    assert Path(note.path).name in ("fullchain.pem", "privkey.pem")
    assert BAD in note.path
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def spoiled(name: str) -> tuple[str, str]:
    """The key and the chain of one that nobody could serve."""
    made = CA.issue(BAD)
    match name:
        case "key":
            return CA.issue(BAD).key_pem(), made.chain
        case "order":
            return made.key_pem(), made.middle + made.leaf
        case "middle":
            return made.key_pem(), made.leaf + WEB.leaf
        case "early":
            made = CA.issue(BAD, age=-3)
        case "no name":
            made = CA.issue()
        case "odd name":
            made = CA.issue("under_score.example.org")
        case "curve":
            made = CA.issue(BAD, key=ec.generate_private_key(ec.SECP521R1()))
        case "many":
            return made.key_pem(), made.leaf + made.middle * 20
    return made.key_pem(), made.chain


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("key", "its key is not the one of the certificate"),
        ("order", "its key is not the one of the certificate"),
        ("middle", "has not signed"),
        ("early", "it is valid only from"),
        ("no name", "it is for no name"),
        ("odd name", "it is for what is no domain"),
        ("curve", "its key is secp521r1, which no KeyType= asks for"),
        ("many", "there are 21 certificates in it"),
    ],
)
def test_what_nobody_could_serve_is_not_taken(certbot: Certbot, name: str, said: str) -> None:
    key, chain = spoiled(name)
    key_of(certbot).write_text(key)
    chain_of(certbot).write_text(chain)
    note = the_note(certbot)
    assert said in note.text
    assert note.is_fault


def test_what_has_expired_is_passed_over_and_said(certbot: Certbot) -> None:
    certbot.certificate(CA.issue(BAD, age=100), BAD)
    note = the_note(certbot)
    assert note.text.startswith("it expired on 20")
    assert not note.is_fault


def test_one_that_signed_itself_is_nobodys(tmp_path: Path) -> None:
    write(tmp_path / "cert.pem", CA.root)
    write(tmp_path / "key.pem", new_key_pem())
    (note,) = found_in(tmp_path).notes
    assert "self-signed" in note.text
    assert not note.is_fault


def new_key_pem() -> str:
    return new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_chain_must_lead_where_the_settings_say(certbot: Certbot) -> None:
    found = found_in(certbot.root, trust=CA.root)
    assert len(found.certificates) == 2
    other = CertificateAuthority()
    found = found_in(certbot.root, trust=other.root)
    assert found.certificates == ()
    assert all("its chain leads to" in one.text for one in found.notes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        '{"kty": "RSA"}',
        '{"kty": "RSA", "n": 1}',
        '{"kty": "oct", "k": "AAAA"}',
        '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}',
        '{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}',
        json.dumps({"kty": "RSA", "n": "A" * 100_000, "e": "AQAB"}),
        "\x00",
    ],
)
def test_an_accounts_key_that_is_none_is_named(certbot: Certbot, text: str) -> None:
    folder = certbot.account(new_key(), name="b" * 32)
    write(folder / "private_key.json", text)
    found = found_in(certbot.root)
    assert len(found.accounts) == 1
    assert len(found.certificates) == 2
    (note,) = found.notes
    assert note.path == str(folder / "private_key.json")


def test_a_public_key_is_no_accounts(certbot: Certbot) -> None:
    folder = certbot.account(rsa_key(), name="b" * 32)
    parts = json.loads((folder / "private_key.json").read_text())
    public = {key: parts[key] for key in ("kty", "n", "e")}
    write(folder / "private_key.json", json.dumps(public))
    (note,) = found_in(certbot.root).notes
    assert "no private key in JSON" in note.text


def test_small_and_other_keys_are_said_of_lego(tmp_path: Path) -> None:
    lego = Lego(tmp_path / ".lego")
    path = lego.account() / "keys/me@example.org.key"
    small = rsa.generate_private_key(65_537, 1_024)  # noqa: S505  # it is refused
    edwards = ed25519.Ed25519PrivateKey.generate()
    for key, said in ((small, "1024 bits"), (edwards, "neither for ECDSA nor for RSA")):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        path.write_text(pem)
        (note,) = found_in(lego.root).notes
        assert said in note.text


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "null"])
def test_damaged_json_is_named(tmp_path: Path, text: str) -> None:
    lego, caddy = Lego(tmp_path / ".lego"), Caddy(tmp_path / "caddy")
    lego.certificate(WEB, GOOD)
    write(lego.account() / "account.json", text)
    caddy.certificate(WEB, GOOD)
    write(caddy.account() / "me.json", text)
    for root, name in ((lego.root, "account.json"), (caddy.root, "me.json")):
        found = found_in(root)
        assert len(found.certificates) == 1
        (note,) = found.notes
        assert Path(note.path).name == name
        assert "JSON" in note.text


def test_an_account_that_ended_is_not_taken(tmp_path: Path) -> None:
    caddy = Caddy(tmp_path / "caddy")
    caddy.account(status="deactivated")
    found = found_in(caddy.root)
    assert found.accounts == ()
    (note,) = found.notes
    assert "is deactivated" in note.text


def test_folders_without_an_end_are_left(certbot: Certbot) -> None:
    loop = certbot.root / "accounts/loop"
    loop.symlink_to(".")
    assert len(found_in(certbot.root).accounts) >= 1
    loop.unlink()
    many = certbot.root / "live/many"
    many.mkdir()
    for number in range(2_001):
        (certbot.root / f"archive/{number}").touch()
    notes = found_in(certbot.root).notes
    assert any("more than 2000" in one.text for one in notes)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everybody on this machine can look into."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(("mode", "who"), [(0o644, "everybody"), (0o640, "its group")])
def test_a_key_that_others_can_read_is_taken_and_said(
    open_folder: Path, mode: int, who: str
) -> None:
    write(open_folder / "privkey.pem", WEB.key_pem(), mode)
    write(open_folder / "fullchain.pem", WEB.chain)
    found = found_in(open_folder)
    assert len(found.certificates) == 1
    (note,) = found.notes
    assert note.text == f"{who} on this machine can read this key (mode {mode:04o})"
    assert "certs renew" in note.hint
    open_folder.chmod(0o700)
    assert found_in(open_folder).notes == ()


def test_nothing_is_written(certbot: Certbot) -> None:
    def state() -> list[tuple[str, int, int]]:
        stats = ((path, path.lstat()) for path in sorted(certbot.root.rglob("*")))
        return [(str(path), one.st_mtime_ns, one.st_mode) for path, one in stats]

    before = state()
    found_in(certbot.root)
    assert state() == before


@pytest.mark.parametrize(("name", "said"), [("empty", ""), ("gone", "it is not there")])
def test_where_nothing_is_nothing_is_found(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    found = found_in(tmp_path / name)
    assert found.clients == ()
    assert [one.text for one in found.notes] == ([said] if said else [])


def test_a_pipe_is_neither_a_folder_nor_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (note,) = found_in(tmp_path / "pipe").notes
    assert note.text == "it is no folder and no file"


@pytest.mark.parametrize("part", ["", "live", f"live/{GOOD}", f"live/{GOOD}/fullchain.pem"])
def test_what_only_root_may_read_is_said_with_how_to_have_it(certbot: Certbot, part: str) -> None:
    closed = [certbot.root / name for name in ("live", "archive", "accounts")]
    for one in closed:
        one.chmod(0)
    if os.access(closed[0], os.R_OK):
        pytest.skip("root may read all")
    try:
        found = found_in(certbot.root / part)
    finally:
        for one in closed:
            one.chmod(0o700)
    assert found.certificates == ()
    assert {one.text for one in found.notes} == {"only another user may read it"}
    hints = {one.hint for one in found.notes}
    assert len(hints) == 1
    assert f"sudo cp -a {certbot.root} ~/le-copy && sudo chown -R" in hints.pop()
