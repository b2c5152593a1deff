"""Keys of `[X-Podvisor]` that are about deploying: After=, OnChange=, Rollout=, Run=.

A value that means nothing raises ValueError, with what to write instead.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.install import INSTALL_KEYS
from supervisor.core.files.source_paths import is_below
from supervisor.core.files.unitfile import Entry, UnitFile
from supervisor.model.app import AfterApp, ChangeAction, ChangeRule
from supervisor.model.errors import Finding

_APP = "app:"
_BEFORE = "before-deploy"


def read_after(text: str) -> tuple[str, ...]:
    """Return the names of the apps in `app:db app:cache`."""
    words = text.split()
    for word in words:
        if not word.startswith(_APP) or word == _APP:
            raise ValueError(f"{word} is no app; write app:NAME (units have After= in [Unit])")
    return tuple(word.removeprefix(_APP) for word in words)


def read_on_change(text: str) -> ChangeRule:
    """Read `reload conf/*.conf`."""
    action, *globs = text.split()
    try:
        return ChangeRule(action=ChangeAction(action.lower()), globs=tuple(globs))
    except ValueError:
        raise ValueError("write reload, restart or none, then globs of paths, if any") from None


def read_run(text: str) -> bool:
    """Whether the unit is a job before a deploy."""
    if text.lower() != _BEFORE:
        raise ValueError(f"write Run={_BEFORE}")
    return True


def read_rollout(text: str) -> bool:
    """Whether the units of an app are restarted one by one."""
    words = {"together": False, "one-by-one": True}
    if text.lower() not in words:
        raise ValueError("write together or one-by-one")
    return words[text.lower()]


def needs_of(
    entries: Iterable[tuple[Entry, tuple[str, ...]]], path: str, files: AppFiles
) -> Iterator[AfterApp]:
    """Say of each app that is named where that stands."""
    for entry, names in entries:
        at = files.origin(path, entry)
        for name in names:
            yield AfterApp(app=name, path=files.app.source_path(at.path), line=at.line)


def judge_rules(
    rules: Iterable[tuple[Entry, ChangeRule]],
    path: str,
    files: AppFiles,
    *,
    reads: Iterable[str],
    can_reload: bool,
) -> Iterator[Finding]:
    """Warn of rules that cannot have the effect that they ask for."""
    rules, read = tuple(rules), tuple(reads)
    mine = [
        file.path
        for file in (files.app.files if rules else ())
        if any(is_below(file.path, one) for one in read)
    ]
    for entry, rule in rules:
        problem, hint = "", ""
        idle = [glob for glob in rule.globs if not any(fits(glob, one) for one in mine)]
        if rule.action is ChangeAction.RELOAD and not can_reload:
            problem = "it cannot be reloaded, so a change restarts it"
            hint = "give it ReloadCmd= or ReloadSignal= (Podman 5.5), or ExecReload= in [Service]"
        elif idle:
            problem = f"{idle[0]} fits no file of the app that this unit reads"
            hint = "paths are as seen from the app's folder"
        if problem:
            message = f"{entry.key}={entry.value}: {problem}"
            at = files.origin(path, entry)
            yield files.finding(message, at=at, hint=hint, fatal=False)


def judge_job(entry: Entry, unit: UnitFile, path: str, files: AppFiles) -> Iterator[Finding]:
    """Say why a unit cannot be a job, or what else starts it."""
    at = files.origin(path, entry)
    said = f"{entry.key}={entry.value}:"
    if unit.last("Service", "Type") != "oneshot":
        hint = "write Type=oneshot in [Service]"
        yield files.finding(f"{said} it must come to an end", at=at, hint=hint)
    if unit.last("X-Container", "Pod"):
        hint = "take it out of the pod, and give it the pod's network"
        yield files.finding(f"{said} a pod starts its containers itself", at=at, hint=hint)
    if unit.words("Install", *INSTALL_KEYS):
        message = f"{said} systemd starts it at every boot as well"
        yield files.finding(message, at=at, hint="leave out its [Install]", fatal=False)


def fits(glob: str, path: str) -> bool:
    """Whether a path is what a glob names, or lies below it."""
    glob = glob.removeprefix("./").rstrip("/")
    return fnmatchcase(path, glob) or fnmatchcase(path, f"{glob}/*")
