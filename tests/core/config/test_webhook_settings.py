import pytest

from supervisor.core.config.reader import read_settings

GITHUB = ("webhook = 'github'", "webhook_secret = 'file:/s'")
ACTIONS = ("webhook = 'github-actions'", "webhook_audience = 'x'")
OPEN = "listen = '127.0.0.1:9078'"


def settings(*source: str, webhooks: tuple[str, ...] = (OPEN,), place: str = "git = 'https://a/b'"):
    """A file whose source has these lines from the third on, and its [webhooks] those."""
    return "\n".join(["[sources.a]", place, *source, "[webhooks]", *webhooks])


@pytest.mark.parametrize(
    "text",
    [
        settings(*GITHUB),
        settings(*GITHUB, webhooks=("listen = '[::]:9078'", "trusted_proxies = ['10.0.0.0/8']")),
        settings(*ACTIONS, "webhook_repository = 'me/b'"),
        settings(webhooks=("listen = ''", "public_url = 'https://hooks.example.org/x'")),
        settings(webhooks=("oidc_issuer = 'https://github.example.org/_services/token'",)),
        settings(webhooks=("oidc_issuer = 'http://127.0.0.1:8080/x'",)),
    ],
)
def test_takes_these(text: str) -> None:
    reading = read_settings(text)
    assert reading.findings == ()
    assert reading.settings is not None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("listen = '9078'", ":4: cannot listen on “9078”: it does not end with a port"),
        ("listen = 'host:9078'", "cannot listen on “host:9078”: Expected 4 octets"),
        ("listen = 9078", "“listen” must be a text, in quotes (such as listen = "),
        ("trusted_proxies = ['proxy.example.org']", "cannot trust “proxy.example.org”"),
        ("trusted_proxies = ['::1', '10.0.0.1/8']", "“10.0.0.1/8”: 10.0.0.1/8 has host bits set"),
        ("trusted_proxies = 'x'", 'such as trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]'),
        ("public_url = 'hooks'", "“hooks” is no URL (write https://…)"),
        ("public_url = 'https://['", "is no URL"),
        ("oidc_issuer = 'http://a/b'", "cannot trust what “http://a/b” says"),
        ("oidc_issuer = ''", "cannot trust"),
        ("refusals_per_minute = 0", "must be more than 0"),
        ("lisen = ''", "did you mean “listen”?"),
    ],
)
def test_says_what_is_wrong_with_the_section(line: str, said: str) -> None:
    reading = read_settings(settings(webhooks=(line,)))
    assert reading.settings is None
    (finding,) = reading.findings
    assert said in str(finding)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("webhook = 'githab'", GITHUB[1]), ":3: no webhooks are known that are called “githab”"),
        (("webhook = 'x'",), "(there are github, forgejo, gitea, gitlab, bitbucket, generic, "),
        (GITHUB[:1], ":3: source “a” takes webhooks, but says no “webhook_secret” (webhook_secret"),
        (GITHUB[1:], "“webhook_secret” does nothing without “webhook”"),
        (
            (GITHUB[0], "webhook_secret = 's3cret'"),
            "cannot read “webhook_secret”: write file:",
        ),
        (ACTIONS, "but says no “webhook_repository”"),
        ((ACTIONS[0], "webhook_repository = 'a/b'"), "but says no “webhook_audience”"),
        ((*ACTIONS, "webhook_repository = 'me'"), "“me” is not OWNER/NAME"),
        (("webhook = ['github']",), "“webhook” must be a text, in quotes"),
    ],
)
def test_says_what_is_wrong_with_a_source(lines: tuple[str, ...], said: str) -> None:
    reading = read_settings(settings(*lines))
    assert reading.settings is None
    (finding,) = reading.findings
    assert said in str(finding)
    assert "s3cret" not in str(finding)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (settings(*GITHUB, webhooks=()), ":3: nobody hears the webhooks of source “a”"),
        (settings(*GITHUB, place="folder = '/a'"), ":3: “webhook” does nothing for a folder"),
        (
            settings(*GITHUB, place="oci = 'a.b/c:1'"),
            ":3: “webhook” does nothing for an artifact (name its registry below [webhooks.reg",
        ),
        (settings(*GITHUB, "webhook_audience = 'x'"), "“webhook_audience” is for github-actions"),
        (
            settings(*ACTIONS, "webhook_repository = 'me/b'", GITHUB[1]),
            ":6: “webhook_secret” does nothing for github-actions",
        ),
    ],
)
def test_warns_of_what_does_nothing(text: str, said: str) -> None:
    reading = read_settings(text)
    assert reading.settings is not None
    (finding,) = reading.findings
    assert said in str(finding)


@pytest.mark.parametrize("text", ["webhooks = 1", "[[webhooks]]", "sources = 1", "sources.a = 1"])
def test_what_is_no_section_is_said_once(text: str) -> None:
    assert len(read_settings(text).findings) == 1
