import pytest

from supervisor.core.config.reader import read_settings, secret_refs
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import RegistryWebhookSettings

GHCR = ("sender = 'ghcr'", "secret = 'file:/s'")


def settings(*lines: str, listen: str = "127.0.0.1:9078", name: str = "hub") -> str:
    """A file whose registry has these lines from the fourth on."""
    return "\n".join(
        ["[webhooks]", f"listen = '{listen}'", f"[webhooks.registries.{name}]", *lines]
    )


@pytest.mark.parametrize(
    "text",
    [
        settings(*GHCR),
        settings("sender = 'zot'", "secret = 'podman:x'", "registry = 'zot.example.org'"),
        settings("sender = 'distribution'", "secret = 'file:/s'", "registry = '[::1]:5000'"),
        "[webhooks]\nregistries = {}",
    ],
)
def test_takes_these(text: str) -> None:
    reading = read_settings(text)
    assert reading.findings == ()
    assert reading.settings is not None


def test_says_where_all_secrets_are() -> None:
    text = settings(*GHCR) + "\n[sources.a]\ngit = 'https://a/b'\npassword = 'file:/p'"
    reading = read_settings(text)
    assert reading.settings is not None
    assert reading.settings.webhooks.registries == {
        "hub": RegistryWebhookSettings(sender="ghcr", secret=SecretRef("file:/s"))
    }
    assert secret_refs(reading.settings) == {
        ("sources", "a", "password"): "file:/p",
        ("webhooks", "registries", "hub", "secret"): "file:/s",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (settings("sender = 'gchr'", GHCR[1]), ":4: no registry's webhooks are known that are cal"),
        (settings("sender = 'gchr'", GHCR[1]), "(did you mean “ghcr”?)"),
        (settings(GHCR[1]), ":3: registry “hub” does not say whose webhooks it takes (sender = o"),
        (settings(GHCR[0]), ":3: registry “hub” takes webhooks, but says no “secret”"),
        (settings(GHCR[0], "secret = 's3cret'"), ":5: cannot read “secret”"),
        (settings("sender = 'zot'", GHCR[1]), "zot does not say of which registry it is"),
        (settings(*GHCR, "registry = 'https://ghcr.io'"), ":6: “https://ghcr.io” is no registry"),
        (settings(*GHCR, "registry = 'ghcr.io/me'"), "“ghcr.io/me” is no registry"),
        (settings(*GHCR, "registri = 'a'"), "did you mean “registry”?"),
        (settings(*GHCR, name="Hub"), "cannot call a registry “Hub”"),
        (settings(*GHCR, name="'a/b'"), "cannot call a registry “a/b”"),
        ("[webhooks]\nregistries = 5", "“registries” must be "),
        ("[webhooks]\nlisten = 'a:1'\nregistries.hub = 5", "“webhooks.registries.hub” is not a"),
        (settings("sender = 5", GHCR[1]), ":4: “sender” must be a text"),
    ],
)
def test_says_what_is_wrong(text: str, said: str) -> None:
    reading = read_settings(text)
    assert reading.settings is None
    assert said in "\n".join(map(str, reading.findings))
    assert "s3cret" not in str(reading.findings)


def test_a_registry_that_nobody_hears_is_a_warning() -> None:
    reading = read_settings(settings(*GHCR, listen=""))
    assert reading.settings is not None
    (finding,) = reading.findings
    assert str(finding).startswith("config.toml:3: nobody hears the webhooks of registry “hub”")
