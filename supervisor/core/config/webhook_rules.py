"""What must hold for the settings of webhooks, beyond the types of their fields.

`core.config.reader` asks here, for `[webhooks]` and for what a source says of its own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.githost.client_address import network_fault, parse_listen
from supervisor.core.githost.hosts import github_actions
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.core.githost.payloads import repository_path
from supervisor.kit import texts

_ACTIONS = github_actions.HOST.name
_LOCAL = ("localhost", "127.0.0.1", "::1")


def webhook_problems(document: Mapping[str, Any], wrong: Collection[Path]) -> Iterator[Problem]:
    """Check it all; `wrong` names the settings that were complained of already."""
    section = document.get("webhooks", {})
    section = section if isinstance(section, dict) else {}
    for name, check in _CHECKS.items():
        if name in section and ("webhooks", name) not in wrong:
            yield from check(("webhooks", name), section[name])
    sources = document.get("sources", {})
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if isinstance(source, dict):
            yield from _source_problems(("sources", name), name, source, wrong)
            if source.get("webhook") and not section.get("listen"):
                yield Problem(
                    ("sources", name, "webhook"),
                    f"nobody hears the webhooks of source “{name}”",
                    'say where to listen, below [webhooks]: listen = "127.0.0.1:9078"',
                    fatal=False,
                )


def _source_problems(
    key: Path, name: str, source: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    words = ("webhook", "webhook_secret", "webhook_repository", "webhook_audience")
    given = {word: source.get(word) for word in words if source.get(word)}
    scheme = given.get("webhook")
    if any((*key, word) in wrong for word in words) or not given:
        return
    if scheme is None:
        word = next(iter(given))
        hint = f"say who sends them: webhook = one of {', '.join(HOSTS)}"
        yield Problem((*key, word), f"“{word}” does nothing without “webhook”", hint)
        return
    if scheme not in HOSTS:
        meant = texts.nearest(str(scheme), HOSTS)
        hint = f"did you mean “{meant}”?" if meant else f"there are {', '.join(HOSTS)}"
        message = f"no webhooks are known that are called {shown_text(str(scheme))}"
        yield Problem((*key, "webhook"), message, hint)
        return
    if not source.get("git"):
        hint = "a folder is watched, and needs nobody to tell"
        yield Problem((*key, "webhook"), "“webhook” does nothing for a folder", hint, fatal=False)
    if scheme == _ACTIONS:
        yield from _actions_problems(key, name, given)
        return
    if "webhook_secret" not in given:
        yield Problem(
            (*key, "webhook"),
            f"source “{name}” takes webhooks, but says no “webhook_secret”",
            f'webhook_secret = "file:~/.config/podvisor/webhook-{name}"',
        )
    for word in ("webhook_repository", "webhook_audience"):
        if word in given:
            hint = "the signature is by the secret"
            message = f"“{word}” is for {_ACTIONS} only"
            yield Problem((*key, word), message, hint, fatal=False)


def _actions_problems(key: Path, name: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    examples = {"webhook_repository": "me/home", "webhook_audience": f"podvisor-{name}"}
    for word, example in examples.items():
        if word not in given:
            yield Problem(
                (*key, "webhook"),
                f"source “{name}” takes tokens of GitHub Actions, but says no “{word}”",
                f'such as {word} = "{example}"',
            )
    repository = given.get("webhook_repository")
    if isinstance(repository, str) and repository_path(repository).count("/") != 1:
        message = f"{shown_text(repository)} is not OWNER/NAME"
        yield Problem((*key, "webhook_repository"), message, 'write it as "me/home"')
    if "webhook_secret" in given:
        hint = "the token is signed by its issuer"
        message = f"“webhook_secret” does nothing for {_ACTIONS}"
        yield Problem((*key, "webhook_secret"), message, hint, fatal=False)


def _listen(key: Path, value: str) -> Iterator[Problem]:
    try:
        if value:
            parse_listen(value)
    except ValueError as error:
        hint = "write ADDRESS:PORT, such as 127.0.0.1:9078, 0.0.0.0:9078 or [::]:9078"
        yield Problem(key, f"cannot listen on {shown_text(value)}: {error}", hint)


def _proxies(key: Path, value: list[str]) -> Iterator[Problem]:
    for text in value:
        if fault := network_fault(text):
            hint = 'write addresses and networks, such as "127.0.0.1", "10.0.0.0/8"'
            yield Problem(key, f"cannot trust {shown_text(text)}: {fault}", hint)


def _url(key: Path, value: str) -> Iterator[Problem]:
    if not value:
        return
    try:
        parts = urlsplit(value)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in {"https", "http"} or not host or not value.isprintable():
        yield Problem(key, f"{shown_text(value)} is no URL", "write https://…")


def _issuer(key: Path, value: str) -> Iterator[Problem]:
    problems = list(_url(key, value))
    yield from problems
    if not problems and (
        not value or (urlsplit(value).scheme != "https" and urlsplit(value).hostname not in _LOCAL)
    ):
        message = f"cannot trust what {shown_text(value)} says: it is not encrypted"
        yield Problem(key, message, "write https://…")


_CHECKS: dict[str, Callable[[Path, Any], Iterator[Problem]]] = {
    "listen": _listen,
    "trusted_proxies": _proxies,
    "public_url": _url,
    "oidc_issuer": _issuer,
}
