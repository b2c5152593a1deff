"""Folders as certbot, lego and Caddy write them, with an issuer that issues without being asked.

Held to what the real ones write by tests/host/test_take_over_certificates.py.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from josepy.jwk import JWKEC, JWKRSA

from supervisor.core.x509.keys import PrivateKey, general_names

DIRECTORY = "https://ca.example.org:14000/dir"
ACCOUNT = "https://ca.example.org:14000/my-account/1"
EMAIL = "me@example.org"
_TRADITIONAL = Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
_PKCS8 = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One for all tests: it takes its time."""
    return rsa.generate_private_key(65_537, 2_048)


class Made(NamedTuple):
    """A certificate of the issuer's, in PEM."""

    key: PrivateKey
    leaf: str
    middle: str

    @property
    def chain(self) -> str:
        return self.leaf + self.middle

    @property
    def serial(self) -> str:
        return f"{x509.load_pem_x509_certificate(self.leaf.encode()).serial_number:X}"

    def key_pem(self, *, traditional: bool = False) -> str:
        return self.key.private_bytes(*(_TRADITIONAL if traditional else _PKCS8)).decode()


class CertificateAuthority:
    """One with a root and what is between."""

    def __init__(self, organization: str = "Example") -> None:
        self.organization = organization
        self._root, self._middle = new_key(), new_key()
        self.root = self._sign("Root", self._root, "Root", self._root, is_authority=True)
        self.middle = self._sign("Middle", self._middle, "Root", self._root, is_authority=True)

    def issue(
        self, *names: str, key: PrivateKey | None = None, age: float = 10.0, days: float = 90.0
    ) -> Made:
        """Issue one, so many days ago."""
        key = key or new_key()
        leaf = self._sign(
            names[0] if names else "", key, "Middle", self._middle, names=names, age=age, days=days
        )
        return Made(key, leaf, self.middle)

    def self_signed(self, name: str) -> Made:
        """Make one that nobody has issued, as people do with openssl."""
        key = new_key()
        return Made(key, self._sign("Root", key, "Root", key, names=(name,), is_authority=True), "")

    def _sign(
        self,
        subject: str,
        key: PrivateKey,
        issuer: str,
        signer: ec.EllipticCurvePrivateKey,
        *,
        names: tuple[str, ...] = (),
        is_authority: bool = False,
        age: float = 100.0,
        days: float = 1_000.0,
    ) -> str:
        start = datetime.fromtimestamp(time.time() // 1, UTC) - timedelta(days=age)
        made = (
            x509.CertificateBuilder()
            .subject_name(self._name(subject, is_authority=is_authority))
            .issuer_name(self._name(issuer, is_authority=True))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if names:
            alternative = x509.SubjectAlternativeName(general_names(names))
            made = made.add_extension(alternative, critical=False)
        return made.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def _name(self, common: str, *, is_authority: bool) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
        if is_authority:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization))
        return x509.Name(parts)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class Certbot:
    """`/etc/letsencrypt` of certbot 2 to 5."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def account(
        self,
        key: PrivateKey | None = None,
        *,
        name: str = "7461758ae5ed735b215dd8b69c6e4acc",
        server: str = DIRECTORY,
        url: str = ACCOUNT,
    ) -> Path:
        key = key or rsa_key()
        folder = self.root / "accounts" / server.removeprefix("https://") / name
        jwk = JWKRSA(key=key) if isinstance(key, rsa.RSAPrivateKey) else JWKEC(key=key)
        write(folder / "private_key.json", jwk.json_dumps(), 0o400)
        write(folder / "regr.json", json.dumps({"body": {}, "uri": url}), 0o644)
        about = {"creation_dt": "2026-11-30T01:59:30Z", "creation_host": "pi"}
        write(folder / "meta.json", json.dumps(about), 0o644)
        return folder

    def certificate(
        self,
        made: Made,
        name: str,
        *lines: str,
        number: int = 1,
        server: str = DIRECTORY,
        account: str = "7461758ae5ed735b215dd8b69c6e4acc",
    ) -> Path:
        texts = {
            "cert": made.leaf,
            "chain": made.middle,
            "fullchain": made.chain,
            "privkey": made.key_pem(),
        }
        live = self.root / "live" / name
        live.mkdir(parents=True, exist_ok=True)
        for kind, text in texts.items():
            mode = 0o600 if kind == "privkey" else 0o644
            write(self.root / "archive" / name / f"{kind}{number}.pem", text, mode)
            link = live / f"{kind}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../archive/{name}/{kind}{number}.pem")
        write(live / "README", "This directory contains your keys and certificates.\n")
        conf = [
            "# renew_before_expiry = 30 days",
            "version = 4.0.0",
            f"archive_dir = /etc/letsencrypt/archive/{name}",
            f"privkey = /etc/letsencrypt/live/{name}/privkey.pem",
            "",
            "# Options used in the renewal process",
            "[renewalparams]",
            f"account = {account}",
            f"server = {server}",
            *(lines or ("authenticator = standalone", "key_type = ecdsa")),
        ]
        write(self.root / "renewal" / f"{name}.conf", "\n".join(conf) + "\n", 0o644)
        return live


class Lego:
    """`.lego` of lego 4, or of 5."""

    server = "ca.example.org_14000"

    def __init__(self, root: Path, *, version: int = 4) -> None:
        self.root = root
        self.version = version
        root.mkdir(parents=True, exist_ok=True)

    def account(self, key: PrivateKey | None = None, *, url: str = ACCOUNT) -> Path:
        folder = self.root / "accounts" / self.server / EMAIL
        if self.version > 4:
            folder /= "EC256"
        about = {
            "email": EMAIL,
            "registration": {
                "body": {"status": "valid", "contact": [f"mailto:{EMAIL}"]},
                "uri": url,
            },
        }
        write(folder / "account.json", json.dumps(about, indent="\t"))
        keys = folder if self.version > 4 else folder / "keys"
        pem = (key or new_key()).private_bytes(*_TRADITIONAL).decode()
        write(keys / f"{EMAIL}.key", pem, 0o644)
        return folder

    def certificate(self, made: Made, name: str, *, bundle: bool = True) -> Path:
        folder = self.root / "certificates"
        url = "https://ca.example.org:14000/certZ/4f18e112f43bfd2c"
        about = {"domain": name.replace("_.", "*."), "certUrl": url, "certStableUrl": url}
        write(folder / f"{name}.crt", made.chain if bundle else made.leaf)
        write(folder / f"{name}.issuer.crt", made.middle)
        write(folder / f"{name}.key", made.key_pem(traditional=True))
        return write(folder / f"{name}.json", json.dumps(about, indent="\t"))


class Caddy:
    """`caddy` of Caddy 2."""

    issuer = "ca.example.org-14000-dir"

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def account(self, key: PrivateKey | None = None, *, status: str = "valid") -> Path:
        folder = self.root / "acme" / self.issuer / "users" / EMAIL
        about = {
            "status": status,
            "contact": [f"mailto:{EMAIL}"],
            "termsOfServiceAgreed": True,
            "location": ACCOUNT,
        }
        write(folder / "me.json", json.dumps(about, indent="\t"))
        write(folder / "me.key", (key or new_key()).private_bytes(*_TRADITIONAL).decode())
        return folder

    def certificate(self, made: Made, name: str, *names: str, issuer: str = "") -> Path:
        folder = self.root / "certificates" / (issuer or self.issuer) / name
        url = "https://ca.example.org:14000/certZ/311bcd028710ff2e"
        about = {"sans": [*(names or (name,))], "issuer_data": {"url": url}}
        write(folder / f"{name}.crt", made.chain)
        write(folder / f"{name}.key", made.key_pem(traditional=True))
        write(folder / f"{name}.json", json.dumps(about, indent="\t"))
        return folder
