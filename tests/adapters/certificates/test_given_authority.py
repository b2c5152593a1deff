"""An authority that the settings name signs in place of podvisor's own, or it is said why not."""

import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from supervisor.adapters.certificates.authority import InternalAuthority
from supervisor.adapters.certificates.authority_process import sign
from supervisor.adapters.certificates.questions import Asked, GivenAuthority, Signed
from supervisor.core.x509.keys import PrivateKey, key_pem, new_key
from supervisor.core.x509.pairs import pair_problem
from supervisor.kit import helper
from supervisor.model.certificate import CertificateTerms, KeyType
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.errors import NotAllowed, Stalled
from supervisor.model.setting_types import SecretRef
from tests.fakes.answers import answer_here
from tests.fakes.ports import FakeSecrets

DAY = timedelta(days=1)
TERMS = CertificateTerms(domains=("www.corp.example", "10.0.0.7"), issuer="internal")


class Made:
    """A certificate of an authority, with its key."""

    def __init__(
        self,
        *,
        signer: "Made | None" = None,
        is_authority: bool = True,
        limits: x509.NameConstraints | None = None,
        may_sign: bool = True,
        starts: timedelta = -DAY,
        lasts: timedelta = 60 * DAY,
        names_key: bool = True,
    ) -> None:
        self.key: PrivateKey = new_key(KeyType.ECDSA_P256)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {id(self)}")])
        start = datetime.now(UTC) + starts
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=may_sign,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(signer.one.subject if signer else name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lasts)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        if limits:
            made = made.add_extension(limits, critical=True)
        if names_key:  # in a way of its own, as some programs do
            own = x509.SubjectKeyIdentifier(f"key {id(self)}".encode())
            made = made.add_extension(own, critical=False)
        self.one = made.sign(signer.key if signer else self.key, SHA256())

    @property
    def pem(self) -> str:
        return self.one.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)


def ask(tmp_path: Path, key: str, path: str, terms: CertificateTerms = TERMS) -> Signed:
    given = GivenAuthority(key=key, path=path)
    folder = str(tmp_path / "authority")
    signed = sign(Asked(folder=folder, host="pi", terms=terms, key="", given=given))
    assert not Path(folder).exists(), "none of podvisor's own is made"
    return signed


@pytest.mark.parametrize("names_key", [True, False])
def test_it_signs_for_whatever_its_certificate_does_not_forbid(
    tmp_path: Path, *, names_key: bool
) -> None:
    root = Made(names_key=names_key)
    pair = ask(tmp_path, root.key_pem, root.pem).pair
    assert pair
    assert not pair_problem(
        pair.key, pair.chain, names=TERMS.domains, now=time.time(), trust=root.pem
    )
    assert pair.chain.count("BEGIN") == 1
    leaf = x509.load_pem_x509_certificate(pair.chain.encode())
    assert leaf.not_valid_after_utc <= root.one.not_valid_after_utc, "it ends before its signer"


def test_one_that_another_signed_is_shown_beside_what_it_signs(tmp_path: Path) -> None:
    root = Made(lasts=90 * DAY)
    between = Made(signer=root)
    pair = ask(tmp_path, between.key_pem, between.pem + root.pem).pair
    assert pair
    assert pair.chain.count("BEGIN") == 2
    assert pair.chain.endswith(between.pem)
    assert not pair_problem(
        pair.key, pair.chain, names=TERMS.domains, now=time.time(), trust=root.pem
    )


SPOILED: dict[str, tuple[dict[str, Any], str]] = {
    "leaf": ({"is_authority": False, "may_sign": False}, "is of no authority: it says CA:FALSE"),
    "usage": ({"may_sign": False}, "is of no authority: its key is not for signing certificates"),
    "over": ({"starts": -90 * DAY}, "it was valid until"),
    "early": ({"starts": 9 * DAY}, "it is valid only from"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_certificate_that_cannot_sign_is_said(tmp_path: Path, how: str) -> None:
    changes, why = SPOILED[how]
    root = Made(**changes)
    signed = ask(tmp_path, root.key_pem, root.pem)
    assert signed.problem.startswith("the authority of the settings")
    assert why in signed.problem
    assert signed.hint
    assert not signed.not_allowed, "it is tried again"


@pytest.mark.parametrize(
    ("key", "path", "why"),
    [
        ("", "", "as its key, it is no private key in PEM"),
        ("own", "", "there is no certificate of it in PEM"),
        ("own", "nonsense", "there is no certificate of it in PEM"),
        ("other", "own", "its key is not the one of the certificate"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path: Path, key: str, path: str, why: str) -> None:
    root, other = Made(), Made()
    keys = {"own": root.key_pem, "other": other.key_pem}
    signed = ask(tmp_path, keys.get(key, key), {"own": root.pem}.get(path, path))
    assert why in signed.problem
    assert signed.hint


@pytest.mark.parametrize(
    ("permitted", "excluded", "refused"),
    [
        (["corp.example"], [], []),
        (["corp.example", ip_network("10.0.0.0/8")], [], []),
        ([".corp.example"], [], []),
        ([""], [], []),
        (["other.example"], [], ["www.corp.example"]),
        ([ip_network("192.168.0.0/16")], [], ["10.0.0.7"]),
        ([], ["corp.example"], ["www.corp.example"]),
        (["example"], [ip_network("10.0.0.0/24")], ["10.0.0.7"]),
    ],
)
def test_what_its_certificate_does_not_permit_is_not_signed(
    tmp_path: Path, permitted: list[Any], excluded: list[Any], refused: list[str]
) -> None:
    def subtrees(some: list[Any]) -> list[x509.GeneralName] | None:
        made = [x509.DNSName(o) if isinstance(o, str) else x509.IPAddress(o) for o in some]
        return made or None

    root = Made(limits=x509.NameConstraints(subtrees(permitted), subtrees(excluded)))
    signed = ask(tmp_path, root.key_pem, root.pem)
    if not refused:
        assert signed.pair, signed.problem
        return
    assert signed.not_allowed
    assert f"may not sign for {', '.join(refused)}" in signed.problem
    assert "its certificate permits" in signed.hint


@pytest.mark.anyio
@pytest.mark.parametrize("is_apart", [True, False])
async def test_where_the_settings_say_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_apart: bool
) -> None:
    answer_here(monkeypatch, helper, sign)
    root, secrets = Made(), FakeSecrets()
    text = root.key_pem if is_apart else root.key_pem + root.pem
    secrets.known["podman:authority"] = text.encode()
    file = tmp_path / "root.pem"
    file.write_text(root.pem)
    settings = CertificateSettings(
        internal_key=SecretRef("podman:authority"),
        internal_certificate=str(file) if is_apart else "",
    )
    authority = InternalAuthority(tmp_path / "own", settings=lambda: settings, read=secrets.read)
    pair = await authority.issue(TERMS)
    assert await authority.root() == root.pem
    assert not pair_problem(
        pair.key, pair.chain, names=TERMS.domains, now=time.time(), trust=root.pem
    )
    await authority.may_sign(TERMS)
    file.unlink()
    if is_apart:
        with pytest.raises(Stalled, match=r"cannot read .*root\.pem, “internal_certificate”"):
            await authority.issue(TERMS)
    secrets.known.clear()
    with pytest.raises(Stalled, match="podman:authority"):
        await authority.issue(TERMS)
    settings = CertificateSettings()
    with pytest.raises(NotAllowed, match="podvisor's own authority may not sign"):
        await authority.issue(TERMS)
