import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.model.webhook import ListenerStatus, SourceWebhook, WebhookTest

Podvisor = Callable[..., Any]
SECRET = "not to be shown unless it is asked for"


@pytest.fixture
def settings(home: Path) -> Callable[..., None]:
    def write(
        webhook: str = "github", *lines: str, more: str = "", listen: str = "0.0.0.0:9078"
    ) -> None:
        path = home / "config/podvisor/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        secret = f"webhook_secret = 'file:{home}/hook'"
        own = [secret] if webhook != "github-actions" else []
        text = ["[sources.home]", "git = 'https://example.org/me/home.git'", *own, *lines]
        hook = [f"webhook = '{webhook}'"] if webhook else []
        path.write_text("\n".join([*text, *hook, "[webhooks]", f"listen = '{listen}'", more]))
        (home / "hook").write_text(SECRET)
        (home / "hook").chmod(0o600)

    return write


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("github", ("Payload URL", "Just the push event", "X-Hub-Signature-256")),
        ("forgejo", ("Target URL", "Push events", "X-Forgejo-Signature")),
        ("gitea", ("Target URL", "X-Gitea-Signature")),
        ("gitlab", ("Secret token", "X-Gitlab-Token", "whsec_")),
        ("bitbucket", ("Repository push", "X-Hub-Signature")),
        ("generic", ("X-Signature", "openssl dgst -sha256")),
    ],
)
def test_shows_what_to_enter(
    podvisor: Podvisor, settings: Callable[..., None], scheme: str, said: tuple[str, ...]
) -> None:
    settings(scheme, more="public_url = 'https://hooks.example.org/'")
    shown = podvisor("webhook", "show", "home")
    assert shown.code == 0
    for text in (*said, "https://hooks.example.org/hooks/home", "~/hook"):
        assert text in shown.out
    assert SECRET not in shown.out
    assert SECRET in podvisor("webhook", "show", "home", "--reveal").out


def test_shows_a_workflow_for_tokens(podvisor: Podvisor, settings: Callable[..., None]) -> None:
    settings("github-actions", "webhook_repository = 'me/home'", "webhook_audience = 'podvisor-x'")
    shown = podvisor("webhook", "show", "home", "--reveal")
    assert shown.code == 0
    assert "  id-token: write\n" in shown.out
    assert "&audience=podvisor-x" in shown.out


def test_says_what_is_still_missing(
    podvisor: Podvisor, settings: Callable[..., None], home: Path
) -> None:
    settings("gitlab", listen="127.0.0.1:9078")
    (home / "hook").unlink()
    shown = podvisor("webhook", "show", "home")
    assert "Only this machine reaches 127.0.0.1:9078" in shown.out
    assert "public_url" in shown.out
    assert "(umask 077; head -c 32 /dev/urandom | base64 >~/hook)" in shown.out
    assert podvisor("webhook", "show", "home", "--reveal").code == 1
    settings("gitlab", listen="")
    assert "Nothing listens yet" in podvisor("webhook", "show", "home").out


def test_shows_it_as_json(podvisor: Podvisor, settings: Callable[..., None]) -> None:
    settings()
    told = json.loads(podvisor("webhook", "show", "home", "--json").out)
    assert told["fields"]["Path"] == "/hooks/home"
    assert SECRET not in str(told)


def test_a_source_that_is_not_there_or_takes_none(
    podvisor: Podvisor, settings: Callable[..., None]
) -> None:
    settings()
    said = podvisor("webhook", "show", "away")
    assert said.code == 1
    assert "there are: home" in said.err
    assert "did you mean “home”?" in podvisor("webhook", "show", "hmoe").err
    settings("")
    assert podvisor("webhook", "show", "home").code == 1


@pytest.mark.parametrize(
    ("came", "code", "said"),
    [
        ({"status": 202, "read": True, "revision": "abcdef0123456789"}, 0, "was read: abcdef01"),
        ({"status": 202, "error": "it is down"}, 1, "reading source home: it is down"),
        ({"status": 401, "answer": "refused: its token is wrong"}, 1, "401, refused: its token"),
        ({"status": 202, "answer": "ignored: it is of main"}, 1, "ignored: it is of main"),
    ],
)
def test_a_test_says_what_came_of_it(
    podvisor: Podvisor, daemon: Any, came: dict[str, Any], code: int, said: str
) -> None:
    told = {"answer": "podvisor looks at source home", **came}
    test = WebhookTest(address="127.0.0.1:9078", path="/hooks/home", target="home", **told)
    daemon.answer("/v1/webhook-test", msgspec.to_builtins(test))
    shown = podvisor("webhook", "test", "home")
    assert shown.code == code
    assert "POST http://127.0.0.1:9078/hooks/home: " in shown.out
    assert said in shown.out
    assert daemon.asked[-1].body == {"target": "home"}
    assert json.loads(podvisor("webhook", "test", "home", "--json").out)["target"] == "home"


def test_a_test_needs_the_daemon(podvisor: Podvisor) -> None:
    assert podvisor("webhook", "test", "home").code == 4


def test_the_status_shows_how_webhooks_stand(podvisor: Podvisor, daemon: Any) -> None:
    webhook = SourceWebhook(
        scheme="github", accepted=3, ignored=1, refused=2, heard_at=1.0, works=True, poll=3600.0,
        last="ignored: it is of refs/heads/dev, not of main", last_ignored=True,
    )  # fmt: skip
    listener = ListenerStatus(address="127.0.0.1:9078", open=True, refused={"signature": 2})
    source = {"name": "home", "location": "x", "webhook": msgspec.to_builtins(webhook)}
    status = {"running": True, "version": "1", "sources": [source]}
    daemon.answer("/v1/status", status | {"webhooks": msgspec.to_builtins(listener)})
    shown = podvisor("status").out
    assert "home: webhooks of github: heard " in shown
    assert "3 accepted, 1 ignored, 2 refused; polled every 1h while they arrive" in shown
    assert "the last one was ignored: it is of refs/heads/dev, not of main" in shown
    assert (
        "webhooks: listening on 127.0.0.1:9078; refused since the start: 2 for signature" in shown
    )
    shut = ListenerStatus(address="127.0.0.1:9078")
    daemon.answer("/v1/status", status | {"webhooks": msgspec.to_builtins(shut)})
    assert "nobody listens on 127.0.0.1:9078" in podvisor("status").out
