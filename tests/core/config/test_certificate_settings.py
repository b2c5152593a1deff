import pytest

from supervisor.core.config.reader import read_settings, secret_refs
from supervisor.model.certificate_settings import (
    CertificateSettings,
    IssuerSettings,
    ZoneSettings,
)
from supervisor.model.setting_types import Seconds, SecretRef

COMPANY = '[certificates.issuers.company]\ndirectory = "https://ca.example.org/directory"\n'
RFC2136 = (
    '[certificates.zones."example.org"]\nprovider = "rfc2136"\nserver = "ns1.example.org:53"\n'
)
HOOK = "[certificates.zones.'example.org']\nprovider = 'hook'\nhook = '~/bin/dns'\n"
LEXICON = "[certificates.zones.'example.org']\nprovider = 'ovh'\nsecret = 'file:/ovh'\n"


@pytest.mark.parametrize(
    "text",
    [
        COMPANY,
        COMPANY + "eab_key_id = 'kid-1'\neab_key = 'credential:eab'\nchain = 'Root X1'",
        COMPANY + "authority = '/ca.pem'\ntrust = '~/roots.pem'\nemail = 'me@example.org'",
        "[certificates.issuers.pebble]\ndirectory = 'https://localhost:14000/dir'",
        "[certificates.issuers.pebble]\ndirectory = 'http://127.0.0.1:4000/dir'",
        "[certificates.issuers.letsencrypt]\nchain = 'ISRG Root X2'",
        COMPANY + "staging = 'letsencrypt-staging'",
        COMPANY + "staging = 'company'",
        COMPANY + "staging = 'https://staging.example.org/directory'",
        "[certificates]\nissuer = 'company'\n" + COMPANY,
        "[certificates]\nissuer = 'internal'",
        "[certificates]\nhttp_listen = '[::]:8080'\ntls_listen = '127.0.0.1:8443'\nwebroot = '/w'",
        "[certificates]\nresolvers = ['9.9.9.9', '127.0.0.1:5353', '::1', '[::1]:53']",
        RFC2136,
        RFC2136 + "key_name = 'k'\nkey_algorithm = 'hmac-sha512'\nsecret = 'file:/k'",
        HOOK,
        LEXICON + "propagation = '10m'",
        "[certificates.zones.'xn--bcher-kva.example']\nprovider = 'hook'\nhook = '/h'",
        "[certificates]\nissuers = {}\nzones = {}",
    ],
)
def test_takes_these(text: str) -> None:
    reading = read_settings(text)
    assert reading.findings == ()
    assert reading.settings is not None


def test_what_is_meant() -> None:
    text = f"[certificates]\nemail = 'me@example.org'\ntimeout = '5m'\n{COMPANY}{LEXICON}"
    settings = read_settings(text).settings
    assert settings is not None
    directory = "https://ca.example.org/directory"
    assert settings.certificates == CertificateSettings(
        email="me@example.org",
        timeout=Seconds(300),
        issuers={"company": IssuerSettings(directory=directory)},
        zones={"example.org": ZoneSettings(provider="ovh", secret=SecretRef("file:/ovh"))},
    )
    assert settings.certificates.known_issuers == (
        "letsencrypt",
        "letsencrypt-staging",
        "internal",
        "company",
    )
    company = IssuerSettings(directory=directory, email="me@example.org")
    assert settings.certificates.issuer_of("company") == company
    public = settings.certificates.issuer_of("letsencrypt")
    assert public is not None
    assert (public.directory[:20], public.email) == ("https://acme-v02.api", "me@example.org")
    assert settings.certificates.issuer_of("internal") is None
    assert settings.certificates.issuer_of("nobody") is None


def test_says_where_the_secrets_are() -> None:
    text = COMPANY + "eab_key_id = '1'\neab_key = 'podman:eab'\n" + LEXICON
    settings = read_settings(text).settings
    assert settings is not None
    assert secret_refs(settings) == {
        ("certificates", "issuers", "company", "eab_key"): "podman:eab",
        ("certificates", "zones", "example.org", "secret"): "file:/ovh",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[certificates]\nissuer = 'letsencrpyt'", ":2: there is no issuer “letsencrpyt” (did you"),
        ("[certificates]\nissuer = ''", "“” cannot be an issuer"),
        ("[certificates]\nemail = 'me'", ":2: “me” is no e-mail address"),
        ("[certificates]\nhttp_listen = '80'", ":2: cannot listen on “80”"),
        ("[certificates]\nhttp_listen = ''", ":2: cannot listen on “”"),
        ("[certificates]\nwebroot = 'www'", ":2: the folder “www” is relative"),
        ("[certificates]\nresolvers = ['dns.example.org']", "“dns.example.org”: it is a name"),
        ("[certificates]\nresolvers = ['dns.lan:53']", "“dns.lan:53”: it is a name, and no addr"),
        ("[certificates]\nresolvers = ['9.9.9.9:0']", "“9.9.9.9:0”: it does not end with a port"),
        ("[certificates]\ntimeout = '0s'", "“timeout” must be more than 0"),
        ("[certificates]\nissuers = 5", "“issuers” must be a table of tables (such as issuers ="),
        ("[certificates]\nzones = 5", "“zones” must be a table of tables (such as zones = { "),
        ("[certificates.issuers.company]\nemail = 'a@b'", "does not say where its “directory” is"),
        ("[certificates.issuers.letsencript]\nemail = 'a@b'", "did you mean “letsencrypt”?"),
        ("[certificates.issuers.internal]\n", "“internal” is podvisor's own authority"),
        ("[certificates.issuers.'a b']\ndirectory = 'https://a/b'", "cannot call an issuer “a b”"),
        ("[certificates.issuers.a]\ndirectory = 'http://a/b'", ":2: cannot trust what “http://a/b"),
        ("[certificates.issuers.a]\ndirectory = 'http://10.0.0.2:14000/d'", "it is not encrypted"),
        ("[certificates.issuers.a]\ndirectory = 'a/b'", ":2: “a/b” is no URL"),
        (COMPANY + "trust = 'roots.pem'", ":3: “trust” names no file of this machine"),
        (COMPANY + "staging = 'compny'", ":3: there is no issuer “compny” (did you mean “company”"),
        (COMPANY + "staging = 'internal'", ":3: there is no issuer “internal”"),
        (COMPANY + "staging = 'letsencrypt'", ":3: orders that are tried at letsencrypt count"),
        (COMPANY + "staging = 'http://ca.example.org/d'", ":3: cannot trust what “http://ca"),
        (COMPANY + "eab_key_id = 'kid'", ":3: “eab_key_id” needs “eab_key”"),
        (COMPANY + "eab_key = 'file:/k'", ":3: “eab_key” needs “eab_key_id”"),
        (COMPANY + "eab_key_id = 'a'\neab_key = 's3cret'", ":4: cannot read “eab_key”"),
        ("[certificates.zones.'a.org']", ":1: zone “a.org” does not say how its records are set"),
        ("[certificates.zones.'a.org']\nprovider = 'rfc2136'", ":2: “rfc2136” needs “server” (se"),
        ("[certificates.zones.'a.org']\nprovider = 'hook'", ":2: “hook” needs “hook”"),
        ("[certificates.zones.'a.org']\nprovider = 'ovh'", ":2: “ovh” needs “secret” (secret = "),
        ("[certificates.zones.'a.org']\nprovider = 'O V H'", "“O V H” cannot be a provider"),
        (RFC2136 + "key_name = 'k'", ":4: “key_name” needs “secret”"),
        (RFC2136 + "secret = 'file:/k'", ":4: “secret” needs “key_name”"),
        (RFC2136 + "key_algorithm = 'md5'", ":4: “md5” is no algorithm of TSIG keys"),
        (RFC2136.replace(":53", ":x"), ":3: “ns1.example.org:x” is no server"),
        (HOOK.replace("~/", ""), ":3: “hook” names no file"),
        (HOOK.replace("'example", "'*.example"), ":1: “*.example.org” is no zone"),
        (HOOK.replace("example.org", "192.0.2.1"), ":1: “192.0.2.1” is no zone"),
        (HOOK.replace("example.org", "Example.org"), "is written in another way (“example.org”)"),
        (HOOK.replace("example.org", "a..org"), "cannot call a zone “a..org”: "),
    ],
)
def test_says_what_is_wrong(text: str, said: str) -> None:
    reading = read_settings(text)
    assert reading.settings is None
    assert said in "\n".join(map(str, reading.findings))
    assert "s3cret" not in str(reading.findings)


@pytest.mark.parametrize(
    ("text", "word", "provider"),
    [
        (RFC2136 + "hook = '/h'", "hook", "rfc2136"),
        (HOOK + "secret = 'file:/s'", "secret", "hook"),
        (HOOK + "server = 'a'", "server", "hook"),
        (LEXICON + "key_name = 'a'", "key_name", "ovh"),
    ],
)
def test_what_another_provider_has_is_a_warning(text: str, word: str, provider: str) -> None:
    reading = read_settings(text)
    assert reading.settings is not None
    (finding,) = reading.findings
    assert finding.message == f"“{word}” does nothing for the provider “{provider}”"
    assert finding.line == 4


def test_an_authority_of_ones_own_needs_its_key() -> None:
    reading = read_settings("[certificates]\ninternal_certificate = '~/root.pem'", path="c")
    (finding,) = reading.findings
    assert finding.line == 2
    assert finding.message == "“internal_certificate” needs “internal_key”"
    text = "[certificates]\ninternal_key = 'podman:ca'\ninternal_certificate = '~/root.pem'"
    reading = read_settings(text, path="c")
    assert not reading.findings
    assert reading.settings
    assert secret_refs(reading.settings) == {("certificates", "internal_key"): "podman:ca"}
