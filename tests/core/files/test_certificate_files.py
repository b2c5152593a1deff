"""`.certificate` files: what they ask for, and what is said of those that mean nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.certificate_files import (
    CERTIFICATES,
    HostFolders,
    is_certificate,
    read_certificate_files,
)
from supervisor.model.certificate import (
    CertificateTerms,
    Challenge,
    DesiredCertificate,
    KeyType,
)
from supervisor.model.certificate_settings import (
    CertificateSettings,
    IssuerSettings,
)
from supervisor.model.errors import Finding
from supervisor.model.secret import DesiredSecret, SecretKind
from supervisor.model.setting_types import SecretRef
from tests.core.candidates import from_texts

FOLDERS = HostFolders(
    home="/home/pi",
    apps="/home/pi/.config/containers/systemd/podvisor",
    certificates="/home/pi/.local/share/podvisor/certificates",
).with_sources(["", "~/apps/", "/srv/more"])
SETTINGS = CertificateSettings(issuers={"company": IssuerSettings(directory="https://ca/dir")})
DOMAIN = "[Certificate]\nDomain=www.example.org\n"
INTERNAL = "[Certificate]\nIssuer=internal\n"
SHORT = "[Certificate]\nProfile=shortlived\n"


def read(
    files: dict[str, str], settings: CertificateSettings = SETTINGS
) -> tuple[tuple[DesiredCertificate, ...], tuple[Finding, ...]]:
    app = AppFiles(*from_texts("web", files, links={}))
    return read_certificate_files(app, settings, FOLDERS)


def one(text: str, settings: CertificateSettings = SETTINGS) -> DesiredCertificate:
    (certificate,), findings = read({"web.certificate": text}, settings)
    assert findings == ()
    return certificate


def warned(text: str) -> tuple[DesiredCertificate, Finding]:
    (certificate,), (finding,) = read({"web.certificate": text})
    assert not finding.fatal
    assert (finding.path, bool(finding.hint)) == ("apps/web/web.certificate", True)
    return certificate, finding


def names(number: int) -> str:
    return "".join(f"Domain=w{n}.example.org\n" for n in range(number))


def test_little_is_needed() -> None:
    assert one("# why\n" + DOMAIN) == DesiredCertificate(
        name="web",
        path="web.certificate",
        line=3,
        terms=CertificateTerms(domains=("www.example.org",), issuer="letsencrypt"),
    )


def test_all_of_it() -> None:
    text = (
        "[Certificate]\nDomain=Bücher.example.org\nDomain=*.example.org\nIssuer=company\n"
        "Profile=tls\nChallenge=dns-01\nKeyType=rsa-4096\nReuseKey=yes\nDirectory=%h/tls/\n"
        "Mode=0640\nReload=web.container proxy\nReload=mail@1.service\nRestart=db.service\n"
        "Standin=true\nCheck=https://localhost:8443/\nCheck=https://Bücher.example.org\n"
        "Check=https://[::1]\n"
    )
    assert one(text) == DesiredCertificate(
        name="web",
        path="web.certificate",
        line=2,
        terms=CertificateTerms(
            domains=("xn--bcher-kva.example.org", "*.example.org"),
            issuer="company",
            profile="tls",
            key_type=KeyType.RSA_4096,
        ),
        challenge=Challenge.DNS,
        reuse_key=True,
        directory="/home/pi/tls",
        mode=0o640,
        reload=("web.container", "proxy.service", "mail@1.service"),
        restart=("db.service",),
        unit_lines=(11, 11, 12, 13),
        standin=True,
        check=(
            "https://localhost:8443",
            "https://xn--bcher-kva.example.org:443",
            "https://[::1]:443",
        ),
    )


def test_what_no_file_says_is_as_the_settings_say() -> None:
    settings = CertificateSettings(issuer="letsencrypt-staging")
    assert one(DOMAIN, settings).terms.issuer == "letsencrypt-staging"


def test_the_last_of_several_counts_and_an_empty_one_takes_it_back() -> None:
    text = "[Certificate]\nDomain=a.org\nDomain=\nDomain=b.org\nMode=0600\nMode=0400\nMode=\n"
    assert one(text).terms.domains == ("b.org",)
    assert one(text).mode == 0o600
    assert one(text).line == 4


@pytest.mark.parametrize(
    "text",
    [
        "[Certificate]\nDomain=*.example.org\nChallenge=dns-01",
        "[Certificate]\nDomain=*.example.org\nChallenge=dns-persist-01",
        "[Certificate]\nDomain=example.org\nDomain=*.example.org\nChallenge=dns-01",
        INTERNAL + "Domain=*.home.arpa\nDomain=nas.lan\nDomain=192.168.1.2",
        INTERNAL + names(300).replace("example.org", "lan"),
        SHORT + "Domain=192.0.2.1\nDomain=2001:db8::1",
        SHORT + "Domain=192.0.2.1\nChallenge=tls-alpn-01",
        SHORT + names(25),
        "[Certificate]\n" + names(100),
        "[Certificate]\nIssuer=letsencrypt-staging\nProfile=classic\n" + names(100),
        "[Certificate]\nIssuer=company\nDomain=192.0.2.1\nDomain=nas.lan\n" + names(101),
        DOMAIN + "Directory=~/tls\n[X-Mine]\nFor=me",
    ],
)
def test_takes_these(text: str) -> None:
    assert one(text)


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("[Certificat]\nDomain=a.org", 0, "no [Certificate] section", "write [Certificate]"),
        ("Domain=a.org", 0, "no [Certificate] section", ""),
        ("[Certificate]\n", 0, "does not say for which domain", "write Domain="),
        ("[Certificate]\nDomain=", 0, "does not say for which domain", ""),
        ("[Certificate]\nDomain=https://a.org/", 2, "is a URL, and no domain", "write a.org"),
        ("[Certificate]\nDomain=a.org:443", 2, "names a port", "write a.org"),
        ("[Certificate]\nDomain=a.org b.org", 2, "cannot be a domain", "one in each line"),
        ("[Certificate]\nDomain=a_b.org", 2, "“a_b” has other letters", ""),
        ("[Certificate]\nDomain=*.a.org", 2, "cannot be proven by http-01", "Challenge=dns-01"),
        (
            "[Certificate]\nDomain=*.a.org\nChallenge=tls-alpn-01",
            3,
            "cannot be proven by tls-alpn-01",
            "Challenge=dns-01",
        ),
        ("[Certificate]\nDomain=a.*.org", 2, "is no wildcard", "*.example.org"),
        ("[Certificate]\nDomain=192.0.2.1", 2, "has no addresses in the profile classic", "shortl"),
        ("[Certificate]\nProfile=tlsserver\nDomain=::1", 3, "no addresses in the profile tls", ""),
        (
            SHORT + "Domain=::1\nChallenge=dns-persist-01",
            4,
            "be proven by dns-persist-01",
            "http-01",
        ),
        (SHORT + "Domain=::1\nChallenge=dns-01", 4, "cannot be proven by dns-01", "http-01 or"),
        ("[Certificate]\n" + names(101), 2, "101 names are too many", "100: make two files"),
        (SHORT + names(26), 2, "26 names are too many for the profile", "Profile=classic"),
        (
            DOMAIN + "Domain=*.example.org\nChallenge=dns-01",
            2,
            "www.example.org is within *.example.org",
            "leave it out",
        ),
        (DOMAIN + "Profile=shortlive", 3, "letsencrypt has no profile shortlive", "“shortlived”"),
        (DOMAIN + "Profile=a b", 3, "cannot be a profile", ""),
        (DOMAIN + "Issuer=Lets Encrypt", 3, "cannot be an issuer", "letsencrypt"),
        (DOMAIN + "Challenge=http", 3, "Challenge=http is not known", "there are http-01"),
        (DOMAIN + "KeyType=ecdsa", 3, "KeyType=ecdsa is not known", "there are ecdsa-p256"),
        (DOMAIN + "KeyType=rsa-2049", 3, "KeyType=rsa-2049 is not known", "“rsa-2048”"),
        (DOMAIN + "ReuseKey=perhaps", 3, "ReuseKey= is neither yes nor no", ""),
        (DOMAIN + "Standin=perhaps", 3, "Standin= is neither yes nor no", ""),
        (DOMAIN + "Mode=rw", 3, "Mode=rw is no mode", "0600"),
        (DOMAIN + "Mode=0200", 3, "Mode=0200 is no mode", ""),
        (DOMAIN + "Mode=0700", 3, "Mode=0700 is no mode", ""),
        (DOMAIN + "Mode=4600", 3, "Mode=4600 is no mode", ""),
        (DOMAIN + "Mode=0888", 3, "Mode=0888 is no mode", ""),
        (DOMAIN + "Owner=postgres", 3, "Owner=postgres is no UID", "Owner=999"),
        (DOMAIN + "Owner=999:", 3, "Owner=999: is no UID", ""),
        (DOMAIN + "Owner=:998", 3, "Owner=:998 is no UID", ""),
        (DOMAIN + "Owner=-1", 3, "Owner=-1 is no UID", ""),
        (DOMAIN + "Owner=1:2:3", 3, "Owner=1:2:3 is no UID", ""),
        (DOMAIN + "Owner=4294967295", 3, "is larger than any id", ""),
        (DOMAIN + "Directory=./tls", 3, "Directory=./tls is relative", "or ~/tls"),
        (DOMAIN + "Directory=/", 3, "is the root of all files", ""),
        (DOMAIN + "Directory=%t/tls", 3, "Directory= cannot be that", "~/"),
        (DOMAIN + "Directory=/srv/%i", 3, "Directory= cannot be that", ""),
        (DOMAIN + f"Directory={FOLDERS.apps}/web", 3, "is a folder of podvisor's apps", ""),
        (
            DOMAIN + "Directory=%h/.config/containers/systemd/podvisor/web/tls",
            3,
            "is a folder of podvisor's apps",
            "",
        ),
        (
            DOMAIN + f"Directory=~/x/../.local/share/podvisor/certificates/{'web'}",
            3,
            "is podvisor's own place",
            "leave it out",
        ),
        (DOMAIN + "Directory=~/apps/d4/tls", 3, "is in /home/pi/apps, which is a source", "elsewh"),
        (DOMAIN + "Directory=%h/apps", 3, "is in /home/pi/apps, which is a source of apps", ""),
        (DOMAIN + "Directory=/srv/x/../more/tls", 3, "is in /srv/more, which is a source", ""),
        (DOMAIN + "Secret=a/b", 3, "Secret=a/b cannot name a secret", "letter or digit first"),
        (DOMAIN + "Secret=-tls", 3, "Secret=-tls cannot name a secret", ""),
        (DOMAIN + f"Secret={'x' * 201}", 3, "cannot name a secret", ""),
        (DOMAIN + "Secret=tls,type=mount", 3, "Secret= has options", "Secret=tls"),
        (DOMAIN + "Secret=a\nSecret=tls.key", 4, "makes tls.key.key", "write Secret=tls"),
        (DOMAIN + "Secret=tls.crt", 3, "makes tls.crt.crt", "write Secret=tls"),
        (DOMAIN + "Reload=a/b", 3, "Reload= names no unit", ""),
        (DOMAIN + "Restart=web.service a$b", 3, "Restart= names no unit", ""),
        (DOMAIN + "Check=http://a.org", 3, "is no URL of a server with TLS", "https://HOST"),
        (DOMAIN + "Check=a.org:443", 3, "is no URL of a server with TLS", ""),
        (DOMAIN + "Check=https://", 3, "is no URL of a server with TLS", ""),
        (DOMAIN + "Check=https://a.org:0", 3, "has no port", ""),
        (DOMAIN + "Check=https://a.org:70000", 3, "is no URL", ""),
        (DOMAIN + "Check=https://a.org/health", 3, "names more than a server", ""),
        (DOMAIN + "Check=https://me@a.org", 3, "names more than a server", ""),
        (DOMAIN + "Check=https://*.a.org", 3, "names no single server", ""),
    ],
)
def test_what_means_nothing(text: str, line: int, said: str, hint: str) -> None:
    certificates, findings = read({"web.certificate": text})
    assert certificates == ()
    (finding,) = [finding for finding in findings if finding.fatal]
    assert finding.path == "apps/web/web.certificate"
    assert said in finding.message
    assert finding.line == line
    assert finding.hint
    assert hint in finding.hint


def test_everything_that_is_wrong_is_told_of_at_once() -> None:
    text = "[Certificate]\nDomain=a_b.org\nDomain=c.org:1\nMode=1\nCheck=x\n"
    _, findings = read({"web.certificate": text})
    assert [finding.line for finding in findings] == [2, 3, 4, 5]


@pytest.mark.parametrize("name", ["-web", "we b", "we:b", "wéb", "x" * 254, ".web"])
def test_what_cannot_name_a_folder(name: str) -> None:
    certificates, (finding,) = read({f"{name}.certificate": DOMAIN})
    assert certificates == ()
    assert "cannot name a certificate" in finding.message
    assert finding.fatal


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        (DOMAIN + "Domian=b.org", 3, "Domian= has no meaning in [Certificate]", "mean Domain=?"),
        (DOMAIN + "Owners=1", 3, "Owners= has no meaning", "mean Owner=?"),
        (DOMAIN + "Secrets=tls", 3, "Secrets= has no meaning", "mean Secret=?"),
        (DOMAIN + "[Service]\nRestart=always", 4, "stands in [Service]", ""),
        (DOMAIN + "nonsense", 3, "neither KEY=VALUE nor", None),
        (DOMAIN + "Domain=WWW.example.org.", 3, "Domain=www.example.org stands there twice", ""),
        (DOMAIN + "Issuer=compny", 3, "this host have no issuer compny", "mean “company”?"),
        (DOMAIN + "Issuer=elsewhere", 3, "no issuer elsewhere", "[certificates.issuers.elsewhe"),
        (DOMAIN + "Mode=0644", 3, "with Mode=0644 others can read the key", "0640"),
        (DOMAIN + "Mode=0660", 3, "with Mode=0660 others can write over the key", ""),
        (INTERNAL + "Domain=nas.lan\nProfile=classic", 4, "Profile= does nothing for internal", ""),
        (INTERNAL + "Domain=nas.lan\nChallenge=dns-01", 4, "Challenge= does nothing for int", ""),
        (INTERNAL + "Domain=a.example.org", 3, "may not sign for a.example.org", "machine's own"),
        (INTERNAL + "Domain=nas.lan\nDomain=8.8.8.8", 4, "may not sign for 8.8.8.8", ""),
        ("[Certificate]\nDomain=nas.lan", 2, "letsencrypt issues nothing for nas.lan", "internal"),
        ("[Certificate]\nDomain=nas", 2, "it is no name of the public DNS", ""),
    ],
)
def test_what_is_odd_is_a_warning(text: str, line: int, said: str, hint: str | None) -> None:
    (certificate,), findings = read({"web.certificate": text})
    assert certificate
    (finding,) = findings
    assert not finding.fatal
    assert said in finding.message
    assert finding.line == line
    assert hint is None or (finding.hint and hint in finding.hint)


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----\nMIIB\n", "\0\1", "[ca]\nname=x\n", "{}"]
)
def test_another_tools_file_is_installed_as_it_is(text: str) -> None:
    certificates, (finding,) = read({"web.certificate": text})
    assert (certificates, finding.fatal, finding.path) == ((), False, "apps/web/web.certificate")
    assert "begins with [Certificate]" in finding.hint


def test_two_of_one_name_and_two_in_one_place() -> None:
    certificates, (finding,) = read({"a/web.certificate": DOMAIN, "b/web.certificate": DOMAIN})
    assert len(certificates) == 1
    message = "a/web.certificate and b/web.certificate both make the certificate web"
    assert (finding.message, finding.fatal) == (message, True)

    text = DOMAIN + "Directory=/srv/tls"
    _, (finding,) = read({"a.certificate": text, "b.certificate": text + "/"})
    message = "a.certificate and b.certificate are both installed in /srv/tls"
    assert (finding.message, finding.line, finding.fatal) == (message, 3, True)


@pytest.mark.parametrize(
    ("text", "owner"),
    [("999", (999, 0)), ("999:998", (999, 998)), ("0:5", (0, 5)), ("0", None), ("0:0", None)],
)
def test_owners_of_the_key(text: str, owner: tuple[int, int] | None) -> None:
    assert one(f"{DOMAIN}Owner={text}\n").owner == owner


def test_podman_secrets_of_a_certificate() -> None:
    text = DOMAIN + "Secret=old\nSecret=\nSecret=tls\nSecret=more\nSecret=tls\n"
    assert one(text).podman_secrets == {
        "tls.key": 5,
        "tls.crt": 5,
        "tls": 5,
        "more.key": 6,
        "more.crt": 6,
        "more": 6,
    }
    assert one(DOMAIN).podman_secrets == {}


@pytest.mark.parametrize(
    ("secrets", "line"), [(("tls.key",), 3), (("more.crt", "more"), 4), (("other", "tls.pem"), 0)]
)
def test_a_secret_that_a_secret_file_makes_too(secrets: tuple[str, ...], line: int) -> None:
    app = AppFiles(
        *from_texts("web", {"web.certificate": DOMAIN + "Secret=tls\nSecret=more\n"}, links={})
    )
    made = [DesiredSecret(name=x, kind=SecretKind.GENERATE, path="x.secret") for x in secrets]
    _, findings = read_certificate_files(app, SETTINGS, FOLDERS, made)
    assert [(one.line, one.fatal) for one in findings] == ([(line, True)] if line else [])
    for finding in findings:
        assert f"x.secret and web.certificate both make the secret {secrets[0]}" in finding.message
        assert finding.hint == "give Secret= another name"


def test_two_certificates_with_one_secret() -> None:
    text = DOMAIN + "Secret=tls\n"
    _, (finding,) = read({"a.certificate": text, "b.certificate": text})
    assert finding.message == "a.certificate and b.certificate both make the secret tls.key"
    assert (finding.path, finding.line, finding.fatal) == ("apps/web/b.certificate", 3, True)


def test_files_that_describe_certificates() -> None:
    assert is_certificate("web.certificate")
    assert is_certificate("deep/web.certificate")
    assert not is_certificate(".certificate")
    assert not is_certificate("web.certificate.d")


KEYS = st.sampled_from([*CERTIFICATES.keys, "Nonsense", "domain"])
VALUES = st.text(max_size=12) | st.sampled_from(
    ["a.org", "*.a.org", "::1", "internal", "dns-01", "~/x", "/", "yes", "0600", "https://a.org"]
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=8), st.text(max_size=8))
def test_any_file_is_read_or_refused(lines: list[tuple[str, str]], rest: str) -> None:
    text = "\n".join(["[Certificate]", *(f"{key}={value}" for key, value in lines), rest])
    certificates, findings = read({"web.certificate": text})
    assert bool(certificates) != any(finding.fatal for finding in findings)
    for finding in findings:
        assert str(finding).isprintable()
    for certificate in certificates:
        assert certificate.terms.domains
        assert not certificate.directory or certificate.directory.startswith("/")


@pytest.mark.parametrize(
    ("links", "directory"),
    [
        ({"/home/pi/apps": "/srv/apps"}, "/srv/apps/tls"),
        ({"/home/pi/link": "/home/pi/apps/web"}, "~/link/tls"),
        ({"/home/pi/apps": "/srv/apps", "/mnt": "/srv"}, "/mnt/apps/tls"),
    ],
)
def test_a_source_is_found_through_links(links: dict[str, str], directory: str) -> None:
    def real(path: str) -> str:
        for link, target in links.items():
            if path == link or path.startswith(f"{link}/"):
                return target + path.removeprefix(link)
        return path

    folders = msgspec.structs.replace(FOLDERS, real=real)
    text = f"{DOMAIN}Directory={directory}\n"
    app = AppFiles(*from_texts("web", {"web.certificate": text}, links={}))
    _, (finding,) = read_certificate_files(app, SETTINGS, folders)
    assert finding.fatal
    assert (
        finding.message == f"Directory={directory} is in /home/pi/apps, which is a source of apps"
    )


def test_an_authority_of_the_settings_has_limits_of_its_own() -> None:
    text = f"{INTERNAL}Domain=www.example.org\n"
    _, (finding,) = read({"web.certificate": text})
    assert "podvisor's own authority may not sign for www.example.org" in finding.message
    settings = CertificateSettings(internal_key=SecretRef("podman:authority"))
    _, findings = read({"web.certificate": text}, settings)
    assert findings == ()
