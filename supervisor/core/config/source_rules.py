"""What must hold for one source of the settings as a whole, beyond the types of its fields.

`core.config.reader` asks here; nothing is looked at outside: whether a folder is there or a server
answers shows when the source is read.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.source_access import access_problems
from supervisor.core.config.toml_lines import Path
from supervisor.core.files.source_paths import glob_problem
from supervisor.kit import texts
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import Seconds

_SCHEMES = ("https", "http", "ssh", "git+ssh", "file")
_FASTEST_POLL = Seconds(10)
_GIT_HINT = "write https://…, ssh://…, user@host:path or file:///…"


def source_problems(
    key: Path, name: str, source: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    """Check a source as a whole; `wrong` names its settings that were complained of already."""
    git, folder = source.get("git", ""), source.get("folder", "")
    if git and folder:
        hint = "a source has one of them; make two sources of it"
        yield Problem((*key, "folder"), f"source “{name}” has both “git” and “folder”", hint)
    elif (
        not git
        and not folder
        # One that is there but misspelt or mistyped was complained of already.
        and not any(texts.nearest(word[-1], ("git", "folder")) for word in wrong)
    ):
        hint = 'say where its apps come from: git = "https://…" or folder = "~/apps"'
        yield Problem(key, f"source “{name}” has neither “git” nor “folder”", hint)
    if git and isinstance(git, str):
        yield from _git_problems((*key, "git"), GitUrl(git))
    if folder and isinstance(folder, str):
        yield from _folder_problems((*key, "folder"), folder)
        for word in ("ref", "poll"):
            if word in source and not git:
                hint = "a folder is watched, and has no revisions of its own"
                yield Problem(
                    (*key, word), f"“{word}” does nothing for a folder", hint, fatal=False
                )
    yield from _detail_problems(key, source)
    yield from access_problems(key, source)


def _git_problems(key: Path, url: GitUrl) -> Iterator[Problem]:
    odd = _control_characters(url) or url != url.strip() or url.startswith("-")
    if odd or (" " in url and url.scheme in _SCHEMES):
        yield Problem(key, f"cannot use {shown_text(url)} as the URL of a Git repository")
        return
    if url.fault:
        yield Problem(key, f"cannot read the URL of the Git repository: {url.fault}")
    elif "://" not in url:
        if url.startswith(("/", "~", ".")):
            hint = f"write file://{url if url.startswith('/') else '/…'}, or use “folder”"
            yield Problem(key, f"“{url}” is a path, not a URL", hint)
        elif not url.scheme:
            yield Problem(key, f"“{url}” is not the URL of a Git repository", _GIT_HINT)
    elif url.scheme not in _SCHEMES:
        message = f"cannot fetch “{url.shown}”: {url.scheme}:// is not supported"
        yield Problem(key, message, _GIT_HINT)
    elif url.scheme == "file":
        if url.host or not url.path.startswith("/"):
            hint = "write three slashes: file:///srv/…"
            yield Problem(key, f"“{url.shown}” is not absolute", hint)
    elif not url.host or not url.repository:
        yield Problem(key, f"“{url.shown}” names no repository", "write https://HOST/PATH")
    elif url.scheme == "http" and url.host not in ("localhost", "127.0.0.1", "::1"):
        hint = "whoever is on the way can decide what runs here; use https://"
        yield Problem(key, f"“{url.shown}” is not encrypted", hint, fatal=False)
    if url.password is not None:
        hint = (
            "whoever reads this file has it; use “password”, which says where it is, or an SSH key"
        )
        yield Problem(key, f"“{url.shown}” holds a password", hint, fatal=False)


def _folder_problems(key: Path, folder: str) -> Iterator[Problem]:
    if _control_characters(folder):
        yield Problem(key, f"cannot use {shown_text(folder)} as a folder")
    elif folder != "~" and not folder.startswith(("/", "~/")):
        hint = f"write it from the root, or ~/{folder.removeprefix('./')}"
        yield Problem(key, f"the folder “{folder}” is relative", hint)


def _detail_problems(key: Path, source: Mapping[str, Any]) -> Iterator[Problem]:
    ref, poll = source.get("ref", ""), source.get("poll")
    if isinstance(ref, str) and (_control_characters(ref) or ref.startswith("-") or " " in ref):
        hint = "a branch, a tag or a commit"
        yield Problem((*key, "ref"), f"cannot follow {shown_text(ref)}", hint)
    for word in ("apps", "ignore"):
        yield from _glob_problems((*key, word), source.get(word, ()))
    if isinstance(poll, str) and source.get("git"):
        try:
            seconds = texts.parse_duration(poll)
        except ValueError:
            return
        if 0 < seconds < _FASTEST_POLL:
            fastest = texts.format_duration(_FASTEST_POLL)
            hint = f"{fastest} or more is kinder to the server, and to this machine's rest"
            yield Problem((*key, "poll"), f"asking every {poll} is very often", hint, fatal=False)


def _glob_problems(key: Path, value: object) -> Iterator[Problem]:
    globs = [value] if isinstance(value, str) else value
    for glob in globs if isinstance(globs, list) else ():
        if isinstance(glob, str) and (why := glob_problem(key[-1], glob)):
            hint = "it is looked up within the source, such as apps/*"
            yield Problem(key, f"“{key[-1]}” cannot be {shown_text(glob)}: {why}", hint)


def _control_characters(text: str) -> bool:
    return not text.isprintable()
