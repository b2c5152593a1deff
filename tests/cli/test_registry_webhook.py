import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.core.config.reader import read_settings
from supervisor.core.registryhost.proofs import path_token
from supervisor.core.registryhost.senders.registry import senders
from supervisor.model.registry_webhook import RegistryWebhook
from supervisor.model.webhook import ListenerStatus, WebhookTest

Podvisor = Callable[..., Any]
SECRET = "not to be shown unless it is asked for"
TOKEN = path_token(SECRET.encode(), "ours")


@pytest.fixture
def settings(home: Path) -> Callable[..., None]:
    def write(*senders: str, registry: str = "", listen: str = "0.0.0.0:9078") -> None:
        """Write settings with these senders, the first of them as `ours`."""
        path = home / "config/podvisor/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ["[webhooks]", f"listen = '{listen}'", "public_url = 'https://hooks.example.org'"]
        for number, sender in enumerate(senders):
            name = f"ours{number or ''}"
            text += [f"[webhooks.registries.{name}]", f"sender = '{sender}'"]
            text += [f"secret = 'file:{home}/hook'"]
            text += [f"registry = '{registry}'"] if registry or sender == "zot" else []
        path.write_text("\n".join(text))
        (home / "hook").write_text(SECRET)
        (home / "hook").chmod(0o600)

    return write


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("distribution", ("/etc/docker/registry/config.yml", "ignore:", "actions: [pull]")),
        ("ghcr", ("Payload URL", "Packages", "X-Hub-Signature-256")),
        ("docker-hub", ("Webhook URL", "can prove nothing but its path")),
        ("harbor", ("Auth Header", "Artifact pushed")),
        ("quay", ("Push to Repository", "stops after three deliveries")),
        ("forgejo", ("Custom events: Package", "X-Forgejo-Signature")),
        ("gitea", ("Custom events: Package", "X-Gitea-Signature")),
        ("zot", ("credentials", "sinks")),
        ("generic", ("openssl dgst -sha256", "registry.example.org")),
    ],
)
def test_shows_what_to_enter(
    podvisor: Podvisor, settings: Callable[..., None], sender: str, said: tuple[str, ...]
) -> None:
    settings(sender, registry="registry.example.org" if sender == "zot" else "")
    shown = podvisor("webhook", "show", "ours")
    assert shown.code == 0
    for text in (*said, "https://hooks.example.org/hooks/images/ours"):
        assert text in shown.out
    assert SECRET not in shown.out
    assert TOKEN not in shown.out
    revealed = podvisor("webhook", "show", "ours", "--reveal").out
    if senders()[sender].signature is None:
        assert f"https://hooks.example.org/hooks/images/ours/{TOKEN}" in revealed
        assert SECRET not in revealed
    elif sender != "generic":
        assert SECRET in revealed
    assert json.loads(podvisor("webhook", "show", "ours", "--json").out)["fields"]["Checked by"]


@pytest.mark.parametrize(
    "case",
    [
        (("ghcr",), "", "ghcr.io/me/web:1", True),
        (("docker-hub",), "", "me/web", True),
        (("docker-hub",), "", "docker.io/me/web", True),
        (("distribution",), "", "registry.example.org:5000/web", True),
        (("distribution",), "registry.example.org:5000", "registry.example.org:5000/web", True),
        (("distribution",), "Registry.Example.org:5000", "registry.example.org:5000/web", True),
        (("distribution",), "registry.example.org:5000", "Registry.Example.org:5000/web", True),
        (("distribution",), "registry.example.org:5000", "other.example.org/web", False),
        (("distribution",), "", "ghcr.io/me/web", False),
        (("harbor", "ghcr"), "", "ghcr.io/me/web", True),
        (("ghcr",), "", "quay.io/me/web", False),
        ((), "", "quay.io/me/web", False),
    ],
)
def test_of_an_image_whoever_can_tell_of_it(
    podvisor: Podvisor,
    settings: Callable[..., None],
    case: tuple[tuple[str, ...], str, str, bool],
) -> None:
    senders, registry, image, fits = case
    settings(*senders, registry=registry)
    shown = podvisor("webhook", "show", image)
    assert shown.code == 0
    assert ("Checked by" in shown.out) == fits
    assert ("Nobody tells of" in shown.out) != fits
    assert "Checked by" in shown.out or "[webhooks.registries." in shown.out


@pytest.mark.parametrize(
    ("image", "sender"),
    [
        ("ghcr.io/me/web", "ghcr"),
        ("me/web:1", "docker-hub"),
        ("quay.io/me/web", "quay"),
        ("codeberg.org/me/web", "forgejo"),
        ("registry.gitlab.com/me/web", "generic"),
        ("registry.example.org:5000/web", "distribution"),
    ],
)
@pytest.mark.parametrize("listen", ["", "127.0.0.1:9078"])
def test_what_it_says_to_add_are_settings(
    podvisor: Podvisor, settings: Callable[..., None], image: str, sender: str, listen: str
) -> None:
    settings(listen=listen)
    told = json.loads(podvisor("webhook", "show", image, "--json").out)
    head = ["[webhooks]", f"listen = '{listen}'"] if listen else []
    reading = read_settings("\n".join([*head, *told["text"]]))
    assert reading.findings == ()
    assert reading.settings is not None
    assert reading.settings.webhooks.listen == "127.0.0.1:9078"  # what the other pages name
    (one,) = reading.settings.webhooks.registries.values()
    assert (one.sender, one.secret) == (sender, f"file:{told['secret']}")
    shown = podvisor("webhook", "show", image).out
    assert f"base64 >{told['secret']})" in shown
    assert "are asked for every" in shown
    assert "a registry elsewhere needs a reverse proxy before it" in " ".join(shown.split())


def test_what_is_neither(podvisor: Podvisor, settings: Callable[..., None]) -> None:
    settings("ghcr")
    said = podvisor("webhook", "show", "away")
    assert said.code == 1
    assert "there are: ours" in said.err
    assert podvisor("webhook", "show", "a b/c").code == 1


@pytest.mark.parametrize(("status", "code"), [(202, 0), (401, 1)])
def test_a_test_says_what_came_of_it(
    podvisor: Podvisor, daemon: Any, status: int, code: int
) -> None:
    test = WebhookTest(
        address="127.0.0.1:9078",
        path="/hooks/images/ours/…",
        status=status,
        answer="ignored: nothing here follows docker.io/podvisor/test:latest",
        target="ours",
        is_registry=True,
    )
    daemon.answer("/v1/webhook-test", msgspec.to_builtins(test))
    shown = podvisor("webhook", "test", "ours")
    assert shown.code == code
    assert f"/hooks/images/ours/…: {status}" in shown.out


def test_the_status_shows_when_registries_were_heard(podvisor: Podvisor, daemon: Any) -> None:
    heard = RegistryWebhook(name="ours", sender="quay", accepted=3, ignored=1, heard_at=1.0)
    odd = RegistryWebhook(
        name="odd",
        sender="zot",
        ignored=2,
        last="ignored: nothing here follows zot.example.org/x:1",
        last_ignored=True,
        problem="cannot read file:/secret",
    )
    listener = ListenerStatus(address="127.0.0.1:9078", open=True)
    status = {"running": True, "version": "1", "webhooks": msgspec.to_builtins(listener)}
    registries = [msgspec.to_builtins(one) for one in (heard, odd)]
    daemon.answer("/v1/status", status | {"registry_webhooks": registries})
    shown = podvisor("status").out
    assert "ours: webhooks of quay: heard " in shown
    assert " days ago; 3 accepted, 1 ignored" in shown
    assert "odd: webhooks cannot be checked: cannot read file:/secret" in shown
    assert "odd: webhooks of zot: none heard yet; 2 ignored" in shown
    assert "the last one was ignored: nothing here follows zot.example.org/x:1" in shown
