"""What an issuer is asked for, out of a file, the settings and what they refer to."""

import pytest

from supervisor.controllers.certificates.orders import Orders
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.model.acme import OrderFolders
from supervisor.model.certificate import CertificateTerms, Challenge, DesiredCertificate
from supervisor.model.certificate_settings import (
    CertificateSettings,
    IssuerSettings,
    ZoneSettings,
)
from supervisor.model.errors import Stalled
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.settings import Settings
from tests.fakes.ports import FakeSecrets, at_once

pytestmark = pytest.mark.anyio

PEM = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
KEY = SecretRef("file:~/eab")
FOLDERS = OrderFolders(kept="/state/certificates", accounts="/state/acme-accounts")


def asks(*domains, challenge=Challenge.HTTP, issuer="letsencrypt"):
    terms = CertificateTerms(domains=domains or ("example.org",), issuer=issuer)
    return DesiredCertificate(name="web", path="web.certificate", terms=terms, challenge=challenge)


def orders(secrets=None, **settings):
    fake = FakeSecrets()
    fake.known.update(secrets or {})
    current = CurrentSettings(Settings(certificates=CertificateSettings(**settings)))
    return Orders(settings=current, secrets=fake, aside=at_once, folders=FOLDERS)


async def test_what_the_settings_say_is_in_the_order():
    made = await orders(
        email="me@example.org", timeout=Seconds(60), resolvers=("192.0.2.1",)
    ).order(asks(), key="pem", replaces="a.b")
    assert (made.name, made.folder) == ("web", "/state/certificates/web")
    assert made.accounts == "/state/acme-accounts"
    assert made.issuer.directory == "https://acme-v02.api.letsencrypt.org/directory"
    assert made.issuer.email == "me@example.org"
    assert (made.key, made.replaces, made.timeout_seconds) == ("pem", "a.b", 60.0)
    assert (made.listen, made.webroot, made.zones) == ("[::]:80", "", ())
    assert made.resolvers == ("192.0.2.1",)


async def test_the_staging_issuer_needs_no_settings():
    made = await orders().issuer(asks(issuer="letsencrypt-staging").terms)
    assert made.directory == "https://acme-staging-v02.api.letsencrypt.org/directory"


async def test_only_the_challenge_says_where_it_is_answered():
    settings = {"webroot": "~/www", "tls_listen": "127.0.0.1:1443"}
    made = await orders(**settings).order(asks())
    assert (made.listen, made.webroot.endswith("/www")) == ("", True)
    assert not made.webroot.startswith("~")
    made = await orders(**settings).order(asks(challenge=Challenge.TLS_ALPN))
    assert (made.listen, made.webroot) == ("127.0.0.1:1443", "")
    made = await orders(**settings).order(asks(challenge=Challenge.DNS))
    assert (made.listen, made.webroot) == ("", "")


async def test_files_and_secrets_of_an_issuer_are_read(tmp_path):
    (tmp_path / "ca.pem").write_text(PEM)
    issuer = IssuerSettings(
        directory="https://ca.example/dir",
        authority=str(tmp_path / "ca.pem"),
        trust=str(tmp_path / "ca.pem"),
        eab_key_id="kid",
        eab_key=KEY,
        chain="Root",
    )
    made = await orders({KEY: b"bWFj"}, issuers={"mine": issuer}).issuer(asks(issuer="mine").terms)
    assert (made.authority, made.trust, made.key_id, made.key) == (PEM, PEM, "kid", "bWFj")
    assert (made.name, made.chain) == ("mine", "Root")


async def test_an_issuer_that_nobody_described_is_said():
    with pytest.raises(Stalled, match="cannot ask the issuer mine") as met:
        await orders().order(asks(issuer="mine"))
    assert "[certificates.issuers.mine]" in met.value.hint
    assert "letsencrypt-staging" in met.value.hint


@pytest.mark.parametrize("content", [None, b"nothing", b"\xff\xfe"])
async def test_a_pem_file_that_is_none_is_said(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    issuer = IssuerSettings(directory="https://ca.example/dir", authority=str(path))
    with pytest.raises(Stalled, match="“authority” of issuer mine") as met:
        await orders(issuers={"mine": issuer}).issuer(asks(issuer="mine").terms)
    assert str(path) in str(met.value)
    assert met.value.hint


async def test_a_key_that_is_no_text_is_never_shown():
    issuer = IssuerSettings(directory="https://ca.example/dir", eab_key=KEY)
    with pytest.raises(Stalled) as met:
        await orders({KEY: b"\xffsecret"}, issuers={"mine": issuer}).issuer(
            asks(issuer="mine").terms
        )
    assert "secret" not in str(met.value).replace("“eab_key”", "")


def zone(secret="", **more):
    return ZoneSettings(provider="rfc2136", server="ns1", secret=SecretRef(secret), **more)


async def test_zones_are_handed_over_as_far_as_their_secrets_can_be_read():
    zones = {
        "example.org": zone("file:~/a"),
        "sub.example.org": zone("file:~/b"),
        "other.example": zone("file:~/c"),
        "le.org": zone("file:~/d"),
    }
    made = orders({"file:~/a": b"A", "file:~/b": b"B"}, zones=zones)
    order = await made.order(asks("*.sub.example.org", "example.org", challenge=Challenge.DNS))
    assert [(one.zone, one.secret) for one in order.zones] == [
        ("example.org", "A"),
        ("sub.example.org", "B"),
    ]
    with pytest.raises(Stalled):
        await made.order(asks("www.le.org", challenge=Challenge.DNS))
    order = await made.order(asks("example.org", challenge=Challenge.HTTP))
    assert order.zones == ()


async def test_a_domain_with_a_zone_of_its_own_may_be_delegated_to_another():
    zones = {"example.org": zone("file:~/a"), "dyn.example": zone("file:~/b")}
    made = orders({"file:~/a": b"A", "file:~/b": b"B"}, zones=zones)
    order = await made.order(asks("example.org", challenge=Challenge.DNS))
    assert [one.zone for one in order.zones] == ["example.org", "dyn.example"]


async def test_a_domain_without_a_zone_of_its_own_may_be_delegated_to_any():
    zones = {"dyn.example": zone("file:~/a"), "other.example": zone("file:~/gone")}
    made = orders({"file:~/a": b"A"}, zones=zones)
    order = await made.order(asks("example.org", challenge=Challenge.DNS))
    assert [one.zone for one in order.zones] == ["dyn.example"]
    with pytest.raises(Stalled):
        await orders(zones=zones).order(asks("example.org", challenge=Challenge.DNS))
