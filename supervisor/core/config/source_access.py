"""Rules for the settings of a source that say how it is reached, verified, overlaid and told of.

Called by `core.config.source_rules`. Whether a key opens the door shows when the source is read.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.core.config.overlay_setting import problem as overlay_problem
from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.githost import commit_status_api
from supervisor.core.githost.hosts.registry import STATUS_APIS
from supervisor.model.git_url import GitUrl

_GIT_ONLY = (
    *("user", "password", "ssh_key", "known_hosts", "verify", "allowed_signers"),
    *("status", "status_token", "status_url", "status_context"),
)
_PLAIN_PATH = re.compile(r"(?:/|~/)[^\x00-\x1f\"\\$%]+")
_CREDENTIAL = re.compile(r"credential:[A-Za-z0-9][A-Za-z0-9._-]*")
_VERIFIERS = ("ssh", "gpg")
_PATH_HINT = "write it from the root or from ~/, without quotes, \\, $ and %"


def access_problems(key: Path, source: Mapping[str, Any]) -> Iterator[Problem]:
    """Check these settings of a source together; those of a wrong type were complained of."""
    given: dict[str, str] = {
        name: value for name, value in source.items() if isinstance(value, str) and value
    }
    git = GitUrl(given.get("git", ""))
    if not git:
        for name in _GIT_ONLY:
            if name in given:
                hint = "only a Git repository has it"
                yield Problem((*key, name), f"“{name}” does nothing for a folder", hint)
        yield from _overlay_problems(key, given)
        return
    yield from _https_problems(key, given, git)
    yield from _ssh_problems(key, given, over_ssh=git.over_ssh)
    yield from _verify_problems(key, given)
    yield from _overlay_problems(key, given)
    yield from _status_problems(key, given, git)


def _https_problems(key: Path, given: Mapping[str, str], git: GitUrl) -> Iterator[Problem]:
    for name in ("user", "password"):
        if name in given and not git.over_http:
            yield Problem((*key, name), f"“{name}” is for https://", "over ssh, name “ssh_key”")
    if "user" in given and "password" not in given:
        hint = 'say where it is: password = "file:~/.config/podvisor/git-token"'
        yield Problem((*key, "user"), "“user” needs “password”", hint)
    if "user" in given and (":" in given["user"] or not given["user"].isprintable()):
        yield Problem((*key, "user"), f"{shown_text(given['user'])} cannot be a user")
    if "password" in given and git.over_http and git.password is not None:
        hint = "take it out of “git”"
        yield Problem((*key, "password"), "there is a password in “git”, too", hint)


def _ssh_problems(key: Path, given: Mapping[str, str], *, over_ssh: bool) -> Iterator[Problem]:
    for name in ("ssh_key", "known_hosts"):
        if name in given and not over_ssh:
            hint = "over https, name “password”"
            yield Problem((*key, name), f"“{name}” is for ssh://", hint)
    ssh_key = given.get("ssh_key", "")
    if ssh_key and not _PLAIN_PATH.fullmatch(ssh_key) and not _CREDENTIAL.fullmatch(ssh_key):
        yield Problem((*key, "ssh_key"), "“ssh_key” names no file", f"{_PATH_HINT}; or credential:")
    hosts = given.get("known_hosts", "")
    if hosts.startswith(("/", "~")):
        if not _PLAIN_PATH.fullmatch(hosts):
            yield Problem((*key, "known_hosts"), "“known_hosts” names no file", _PATH_HINT)
    elif hosts and not all(_is_host_line(line) for line in hosts.splitlines()):
        hint = 'a path, or the lines that ssh-keyscan HOST prints, between """ and """'
        yield Problem((*key, "known_hosts"), "“known_hosts” holds no lines of that kind", hint)


def _is_host_line(line: str) -> bool:
    words = line.split()
    return not words or words[0].startswith("#") or (len(words) >= 3 and line.isprintable())  # noqa: PLR2004


def _verify_problems(key: Path, given: Mapping[str, str]) -> Iterator[Problem]:
    verify, signers = given.get("verify", ""), given.get("allowed_signers", "")
    if verify and verify not in _VERIFIERS:
        yield Problem((*key, "verify"), f"cannot verify by {shown_text(verify)}", "ssh or gpg")
    elif verify and not signers:
        hint = 'say whose: allowed_signers = "~/.config/podvisor/allowed_signers"'
        yield Problem((*key, "verify"), "“verify” needs “allowed_signers”", hint)
    if signers and not verify:
        hint = 'say how: verify = "ssh" or "gpg"'
        yield Problem((*key, "allowed_signers"), "“allowed_signers” needs “verify”", hint)
    if signers and not _PLAIN_PATH.fullmatch(signers):
        message = "“allowed_signers” names no file of this machine"
        hint = f"{_PATH_HINT}; it must not come from the repository itself"
        yield Problem((*key, "allowed_signers"), message, hint)


def _overlay_problems(key: Path, given: Mapping[str, str]) -> Iterator[Problem]:
    if (text := given.get("overlay")) and (why := overlay_problem(text)):
        yield Problem((*key, "overlay"), f"cannot use {shown_text(text)} as an overlay: {why}")


def _status_problems(key: Path, given: Mapping[str, str], git: GitUrl) -> Iterator[Problem]:
    kind = given.get("status", "")
    if not kind:
        for name in ("status_token", "status_url", "status_context"):
            if name in given:
                kinds = ", ".join(STATUS_APIS)
                hint = f"say what the Git host is: status = one of {kinds}"
                yield Problem((*key, name), f"“{name}” needs “status”", hint)
        return
    if kind not in STATUS_APIS:
        hint = f"there are {', '.join(STATUS_APIS)}"
        yield Problem((*key, "status"), f"cannot tell a Git host {shown_text(kind)}", hint)
        return
    if "status_token" not in given:
        hint = 'say where it is: status_token = "file:~/.config/podvisor/status-token"'
        yield Problem((*key, "status"), "“status” needs “status_token”", hint)
    url = given.get("status_url", "")
    place = commit_status_api.api_of(kind, git=git, url=url)
    if place is None and git.scheme and not git.fault:
        name = "status_url" if url else "status"
        message = f"cannot tell from “{'status_url' if url else 'git'}” where the API is"
        hint = 'status_url = "https://git.example.org/api/v1", and OWNER/NAME at the end of “git”'
        yield Problem((*key, name), message, hint)
    elif place and place.base.startswith("http://") and not commit_status_api.is_local(place.base):
        hint = "whoever is on the way can read the token; use https://"
        name = "status_url" if url else "status"
        yield Problem((*key, name), f"“{place.base}” is not encrypted", hint, fatal=False)
