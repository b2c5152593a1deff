"""What must hold for one source of the settings as a whole, beyond the rules of its fields."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.githost.api import api_of
from supervisor.core.githost.hosts import github_actions
from supervisor.core.githost.hosts.registry import APIS, HOSTS
from supervisor.core.githost.payloads import repository_path
from supervisor.kit import texts
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_rule import typed
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import SourceSettings

_RULES = {field.name: typed(field)[1] for field in msgspec.structs.fields(SourceSettings)}
_STATUS_HOSTS = ", ".join(APIS)
_ACTIONS = github_actions.HOST.name
_STATUS_HINT = 'status_url = "https://git.example.org/api/v1", and OWNER/NAME at the end of “git”'
_FASTEST_POLL = Seconds(10)
_PLACES = {"git": "a Git repository", "oci": "an artifact", "folder": "a folder"}
_NO_BRANCH = re.compile(r"[0-9a-f]{40}$|refs/(?!heads/)")


def source_problems(
    key: Path, source: Mapping[str, Any], wrong: set[str], *, is_heard: bool
) -> Iterator[Problem]:
    """Check a source as a whole; `wrong` names its settings that were complained of already.

    `is_heard` if the settings say where webhooks are listened for.
    """
    given = {name: value for name, value in source.items() if isinstance(value, str) and value}
    git = GitUrl(given.get("git", ""))
    yield from _place_problems(key, source, wrong)
    yield from _rule_problems(key, given, git, wrong)
    yield from _signed_problems(key, given, wrong)
    yield from _git_problems(key, given, git, wrong)
    yield from _writeback_problems(key, source, git, wrong)
    words = ("webhook", "webhook_secret", "webhook_repository", "webhook_audience")
    if not any(word in wrong for word in words):
        yield from _webhook_problems(key, {one: given[one] for one in words if one in given})
    if "webhook" in given and not is_heard:
        message = f"nobody hears the webhooks of source “{key[-1]}”"
        hint = 'say where to listen, below [webhooks]: listen = "127.0.0.1:9078"'
        yield Problem((*key, "webhook"), message, hint, fatal=False)


def _place_problems(key: Path, source: Mapping[str, Any], wrong: set[str]) -> Iterator[Problem]:
    places = [name for name in _PLACES if source.get(name)]
    if len(places) > 1:
        hint = "a source has one of them; make two sources of it"
        message = f"source “{key[-1]}” has both “{places[0]}” and “{places[-1]}”"
        yield Problem((*key, places[-1]), message, hint)
    # One that is there but misspelt or mistyped was complained of already.
    if not places and not any(texts.nearest(word, _PLACES) for word in wrong):
        hint = 'say where its apps come from: git = "https://…" or folder = "~/apps"'
        yield Problem(key, f"source “{key[-1]}” has neither “git” nor “oci” nor “folder”", hint)


def _rule_problems(
    key: Path, given: Mapping[str, str], git: GitUrl, wrong: set[str]
) -> Iterator[Problem]:
    """Check which settings go together, by the rules at their fields."""
    is_artifact = not git and "oci" in given
    what = _what(given)
    for name in [one for one in given if one in _RULES]:
        rule, place = _RULES[name], (*key, name)
        if rule.over and not git and not (is_artifact and rule.over == "signed"):
            hint = "only a Git repository has it"
            yield Problem(place, f"“{name}” does nothing for {what}", hint)
            continue
        idle = rule.idle_oci if is_artifact else rule.idle
        if idle and not git and (is_artifact or "folder" in given):
            yield Problem(place, f"“{name}” does nothing for {what}", idle, fatal=False)
        elif rule.over == "https" and not git.over_http:
            yield Problem(place, f"“{name}” is for https://", "over ssh, name “ssh_key”")
        elif rule.over == "ssh" and not git.over_ssh:
            yield Problem(place, f"“{name}” is for ssh://", "over https, name “password”")
        if rule.needs and rule.needs not in given and name not in wrong:
            hint = rule.needs_hint.format(hosts=_STATUS_HOSTS)
            yield Problem(place, f"“{name}” needs “{rule.needs}”", hint)


def _what(source: Mapping[str, Any]) -> str:
    return _PLACES["oci" if source.get("oci") else "folder"]


def _signed_problems(key: Path, given: Mapping[str, str], wrong: set[str]) -> Iterator[Problem]:
    by = given.get("verify", "")
    if not by or "verify" in wrong:
        return
    place = (*key, "verify")
    if "oci" in given and by != "cosign":
        hint = "write cosign, and in “allowed_signers” a file of its public keys"
        yield Problem(place, f"an artifact is not signed by {by}", hint)
    elif "git" in given and by == "cosign":
        yield Problem(place, "a Git repository is not signed by cosign", "write ssh or gpg")


def _git_problems(
    key: Path, given: Mapping[str, str], git: GitUrl, wrong: set[str]
) -> Iterator[Problem]:
    if "password" in given and git.over_http and git.password is not None:
        hint = "take it out of “git”"
        yield Problem((*key, "password"), "there is a password in “git”, too", hint)
    if (git or "oci" in given) and "poll" in given and "poll" not in wrong:
        poll = given["poll"]
        if 0 < texts.parse_duration(poll) < _FASTEST_POLL:
            fastest = texts.format_duration(_FASTEST_POLL)
            hint = f"{fastest} or more is kinder to the server, and to this machine's rest"
            yield Problem((*key, "poll"), f"asking every {poll} is very often", hint, fatal=False)
    if git and "status" in given and "status" not in wrong and "git" not in wrong:
        name, word = ("status_url",) * 2 if "status_url" in given else ("status", "git")
        url = given.get("status_url", "")
        api = api_of(given["status"], git=git, url=url)
        if api is None:
            message = f"cannot tell from “{word}” where the API is"
            yield Problem((*key, name), message, _STATUS_HINT)
        elif api.base.startswith("http://") and not GitUrl(api.base).is_local:
            hint = "whoever is on the way can read the token; use https://"
            yield Problem((*key, name), f"“{api.base}” is not encrypted", hint, fatal=False)


def _writeback_problems(
    key: Path, source: Mapping[str, Any], git: GitUrl, wrong: set[str]
) -> Iterator[Problem]:
    if source.get("writeback") is not True:
        wishes = (word for word in source if word.startswith("writeback_"))
        words = (word for word in wishes if source[word] and source[word] is not True)
        if "writeback" not in wrong and (word := next(words, "")):
            hint = "say that it is asked for: writeback = true"
            yield Problem((*key, word), f"“{word}” needs “writeback”", hint)
    elif not git:
        if "git" not in wrong:
            hint = "only a Git repository has it"
            message = f"“writeback” does nothing for {_what(source)}"
            yield Problem((*key, "writeback"), message, hint)
    elif "ref" not in wrong and _NO_BRANCH.match(str(source.get("ref", ""))):
        hint = "commits are written back to a branch: name one in “ref”"
        yield Problem((*key, "writeback"), "“ref” names no branch to write back to", hint)
    elif source.get("verify") and not (
        source.get("writeback_key") or source.get("writeback_branch")
    ):
        message = "“writeback” beside “verify” needs “writeback_key”"
        hint = "say what it signs with, or its own commits would be refused here"
        yield Problem((*key, "writeback"), message, hint)


def _webhook_problems(key: Path, given: Mapping[str, str]) -> Iterator[Problem]:
    name = key[-1]
    if "webhook" not in given:
        for word in list(given)[:1]:
            hint = f"say who sends them: webhook = one of {', '.join(HOSTS)}"
            yield Problem((*key, word), f"“{word}” does nothing without “webhook”", hint)
    elif given["webhook"] != _ACTIONS:
        if "webhook_secret" not in given:
            message = f"source “{name}” takes webhooks, but says no “webhook_secret”"
            hint = f'webhook_secret = "file:~/.config/podvisor/webhook-{name}"'
            yield Problem((*key, "webhook"), message, hint)
        for word in ("webhook_repository", "webhook_audience"):
            if word in given:
                hint = "the signature is by the secret"
                message = f"“{word}” is for {_ACTIONS} only"
                yield Problem((*key, word), message, hint, fatal=False)
    else:
        examples = {"webhook_repository": "me/home", "webhook_audience": f"podvisor-{name}"}
        for word, example in examples.items():
            if word not in given:
                message = f"source “{name}” takes tokens of GitHub Actions, but says no “{word}”"
                yield Problem((*key, "webhook"), message, f'such as {word} = "{example}"')
        repository = given.get("webhook_repository")
        if repository and repository_path(repository).count("/") != 1:
            message = f"{shown_text(repository)} is not OWNER/NAME"
            yield Problem((*key, "webhook_repository"), message, 'write it as "me/home"')
        if "webhook_secret" in given:
            hint = "the token is signed by its issuer"
            message = f"“webhook_secret” does nothing for {_ACTIONS}"
            yield Problem((*key, "webhook_secret"), message, hint, fatal=False)
