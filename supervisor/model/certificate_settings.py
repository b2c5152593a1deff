"""Settings of certificates: who issues them, and how names are proven to be ours."""

from typing import Annotated

import msgspec

from supervisor.model.certificate import INTERNAL
from supervisor.model.setting_rule import PATH, PATH_HINT, Rule
from supervisor.model.setting_types import Seconds, SecretRef

LETS_ENCRYPT = "letsencrypt"
STAGING = "letsencrypt-staging"
DIRECTORIES = {
    LETS_ENCRYPT: "https://acme-v02.api.letsencrypt.org/directory",
    STAGING: "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Of the issuers that need not be described."""
RFC2136 = "rfc2136"
HOOK = "hook"
"""Providers of podvisor's own; others are those of dns-lexicon."""
_EMAIL = r"[^@\s]+@[^@\s]+"
_EMAIL_REFUSAL = "{} is no e-mail address"


def _pem(example: str, name: str) -> Rule:
    refusal = f"“{name}” names no file of this machine"
    return Rule(example=example, pattern=PATH, refusal=refusal, hint=PATH_HINT)


class IssuerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[certificates.issuers.NAME]`: an issuer that speaks ACME (RFC 8555)."""

    directory: Annotated[
        str, Rule(example="https://ca.example.org/acme/directory", format="issuer")
    ] = ""
    """URL of its directory; `letsencrypt` and `letsencrypt-staging` have theirs."""
    email: Annotated[
        str, Rule(example="me@example.org", pattern=_EMAIL, refusal=_EMAIL_REFUSAL)
    ] = ""
    """What the account at this issuer says of whom to write to; empty is as for all of them."""
    authority: Annotated[str, _pem("~/.config/podvisor/ca.example.org.pem", "authority")] = ""
    """PEM file of who signed the certificate of the directory itself; empty is whom this machine
    trusts."""
    trust: Annotated[str, _pem("~/.config/podvisor/roots.pem", "trust")] = ""
    """PEM file of roots: what this issuer issues must lead to one of them; empty is to any."""
    eab_key_id: Annotated[str, Rule(example="kid-1")] = ""
    """External account binding: which of the keys that the issuer gave out `eab_key` is."""
    eab_key: Annotated[SecretRef, Rule(example="file:~/.config/podvisor/eab-key")] = SecretRef("")
    """Where that key is, in base64url."""
    chain: Annotated[str, Rule(example="ISRG Root X1")] = ""
    """Common name of the root that is preferred, where the issuer has several chains."""
    staging: Annotated[str, Rule(example="ca-staging", format="staging")] = ""
    """Where `podvisor certs test` tries orders: another issuer, by its name, or the URL of a
    directory; also this one itself, if orders cost nothing there. Empty is nowhere, and
    `letsencrypt-staging` for `letsencrypt`."""


class ZoneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[certificates.zones."DOMAIN"]`: how TXT records of a domain are set, for `dns-01`."""

    provider: Annotated[
        str,
        Rule(
            example="rfc2136",
            pattern="[a-z0-9][a-z0-9_-]*",
            refusal="{} cannot be a provider",
            hint="rfc2136, hook, or one that dns-lexicon has",
        ),
    ] = ""
    """`rfc2136` (DNS updates), `hook` (a program of yours), or a provider of dns-lexicon's:
    `cloudflare`, `hetzner`, `ovh`."""
    server: Annotated[str, Rule(example="ns1.example.org", format="host")] = ""
    """For rfc2136: HOST or HOST:PORT of the server that takes the updates."""
    key_name: Annotated[str, Rule(example="podvisor")] = ""
    """For rfc2136: name of the TSIG key (RFC 8945)."""
    key_algorithm: Annotated[
        str,
        Rule(
            example="hmac-sha512",
            pattern=r"hmac-sha(?:1|224|256(?:-128)?|384(?:-192)?|512(?:-256)?)",
            refusal="{} is no algorithm of TSIG keys",
            hint="hmac-sha256, or as `tsig-keygen` wrote it beside the key",
            may_be_empty=False,
        ),
    ] = "hmac-sha256"
    """For rfc2136: its algorithm."""
    secret: Annotated[SecretRef, Rule(example="file:~/.config/podvisor/tsig-key")] = SecretRef("")
    """Where the TSIG key is, in base64; for a provider of dns-lexicon's, lines of OPTION=VALUE,
    named as dns-lexicon names them: `auth_token=…`."""
    hook: Annotated[str, _pem("~/.local/bin/dns-hook", "hook")] = ""
    """For hook: the program; it is run as `hook present NAME VALUE`, `hook cleanup NAME VALUE`."""
    propagation: Seconds = Seconds(120)
    """How long all servers of the zone are waited for, until they answer with the record."""


class CertificateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[certificates]`: who issues the certificates of `.certificate` files, and how."""

    issuer: Annotated[
        str,
        Rule(
            example="letsencrypt",
            pattern="[a-z0-9][a-z0-9._-]{0,62}",
            refusal="{} cannot be an issuer",
            may_be_empty=False,
        ),
    ] = LETS_ENCRYPT
    """What a file without `Issuer=` means: `letsencrypt`, `letsencrypt-staging`, `internal`
    (podvisor's own authority), or one of `[certificates.issuers]`."""
    email: Annotated[
        str, Rule(example="me@example.org", pattern=_EMAIL, refusal=_EMAIL_REFUSAL)
    ] = ""
    """What accounts at issuers say of whom to write to."""
    http_listen: Annotated[
        str, Rule(example="127.0.0.1:8402", format="listen", may_be_empty=False)
    ] = "[::]:80"
    """ADDRESS:PORT that answers `http-01`, while an order is open; `[::]` is every address, of IPv6
    (where there is any) and IPv4. Port 80 of the domain must lead there."""
    tls_listen: Annotated[
        str, Rule(example="127.0.0.1:8403", format="listen", may_be_empty=False)
    ] = "[::]:443"
    """ADDRESS:PORT that answers `tls-alpn-01`, while an order is open; as `http_listen`."""
    webroot: Annotated[str, Rule(example="~/www", format="folder")] = ""
    """For `http-01`: a folder that a web server shows at port 80, instead of `http_listen`."""
    resolvers: Annotated[
        tuple[str, ...], Rule(example=("9.9.9.9",), may_be_empty=False, format="resolver")
    ] = ()
    """Addresses of DNS servers to ask (with `:PORT` if that is not 53); empty is the machine's."""
    internal_key: Annotated[SecretRef, Rule(example="podman:authority-key")] = SecretRef("")
    """For `internal`: where the key of an authority of your own is, in PEM, in place of the one
    that podvisor makes; its certificate may stand there too."""
    internal_certificate: Annotated[
        str, _pem("~/.config/podvisor/authority.pem", "internal_certificate")
    ] = ""
    """PEM file of its certificate, and of those up to the root, if it is none itself; empty is
    beside the key."""
    timeout: Seconds = Seconds(600)
    """An order that takes longer has failed, and is tried again later."""
    issuers: dict[str, IssuerSettings] = {}
    """Issuers, each by a name of your own."""
    zones: dict[str, ZoneSettings] = {}
    """Domains, with what is below them, whose TXT records podvisor may set."""

    @property
    def known_issuers(self) -> tuple[str, ...]:
        """Every name that `Issuer=` can have."""
        return tuple(dict.fromkeys((*DIRECTORIES, INTERNAL, *self.issuers)))

    def issuer_of(self, name: str) -> IssuerSettings | None:
        """Return an issuer that speaks ACME, complete; None if there is none of this name."""
        described = self.issuers.get(name)
        if described is None and name not in DIRECTORIES:
            return None
        described = described or IssuerSettings()
        return msgspec.structs.replace(
            described,
            directory=described.directory or DIRECTORIES.get(name, ""),
            email=described.email or self.email,
        )

    def directory_of(self, name: str) -> str:
        """Return the URL by which an issuer is asked; empty if there is none."""
        issuer = self.issuer_of(name)
        return issuer.directory if issuer else ""

    def alike(self, name: str) -> tuple[str, ...]:
        """Return every name that an issuer has here: it counts what is asked by all of them."""
        directory = self.directory_of(name)
        return tuple(one for one in self.known_issuers if self.directory_of(one) == directory)

    def staging_of(self, name: str) -> tuple[str, IssuerSettings] | None:
        """Return the issuer at which orders are tried that are another one's; None without any."""
        described = self.issuers.get(name, IssuerSettings()).staging
        is_known = name in DIRECTORIES and self.directory_of(name) == DIRECTORIES[name]
        staging = described or (STAGING if is_known else "")
        if "://" not in staging:
            found = self.issuer_of(staging)
            return (staging, found) if found else None
        real = self.issuer_of(name) or IssuerSettings()
        own = IssuerSettings(directory=staging, email=real.email, authority=real.authority)
        return f"{name}-staging", own
