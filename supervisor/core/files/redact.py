"""Others' words about an app's files, without what may be a secret in them.

Podman's generator and systemd quote what they complain of, and findings end in status, plan, event
log and pipelines. A value goes, unless its key is one whose values are plain by nature.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import Entry
from supervisor.model.plan import BuildImage, Plan, Step

HIDDEN = "…"

_OPEN_SECTIONS = frozenset({"Unit", "Install", "Timer", "Path", "Quadlet"})
_SAYS_HOW_IT_RUNS = """
    AddDevice Artifact AutoUpdate ConfigMap ContainerName Cooldown DNS Device Driver
    EnvironmentFile ExposeHostPort File GIDMap Gateway Group GroupAdd HostName IP IP6 IPRange
    Image ImageFilter ImagePolicy ImagePrereleases ImageTag KeepImages KillMode KillSignal
    LogDriver Memory Mount Network NetworkAlias NetworkName Notify OnChange Pod PodName Prune
    PublishPort Pull ReloadSignal RemainAfterExit Restart RestartSec Rollback Rootfs ServiceName
    SetWorkingDirectory Settle ShmSize Snapshot StopSignal StopTimeout SubGIDMap SubUIDMap Subnet
    TimeoutSec TimeoutStartSec TimeoutStopSec Timezone Tmpfs Type UIDMap Ulimit Update User
    UserNS VerifyImage Volume VolumeName Window WorkingDir WorkingDirectory Yaml
"""
OPEN_KEYS = frozenset(_SAYS_HOW_IT_RUNS.split())
"""Whose values are repeated; those of all others, and of keys that nobody knows, may be secret."""

_PLAIN_OPTIONS = frozenset({"--arch", "--file", "--network", "--tag", "--target", "--variant"})
_LONGEST_PLAIN = 7
_QUOTED = tuple(
    re.compile(text) for text in ("“(.*)”", r'"((?:[^"\\]|\\.)*)"', r"(?<!\w)'([^']*)'(?!\w)")
)
_PIECES = re.compile(r"[\s'\"=,;:(){}<>\[\]]+")
_SHORTEST = 4


def redacted(words: str, files: AppFiles) -> str:
    """Return what another program said of the app's files, its quotations of values hidden."""
    public = _public(files)
    spare: list[str] = []

    def hide(match: re.Match[str]) -> str:
        text = match[1]
        if text not in public and not (set(_PIECES.split(text)) <= public):
            return match[0].replace(text, HIDDEN) if text else match[0]
        spare.append(match[0])
        return f"\0{len(spare) - 1}\0"

    for quoted in _QUOTED:
        words = quoted.sub(hide, words)
    for text in sorted(_closed(files, public), key=len, reverse=True):
        words = words.replace(text, HIDDEN)
    return re.sub("\0(\\d+)\0", lambda match: spare[int(match[1])], words)


def without_value(words: str, line: str) -> str:
    """Return what another program said of a line of a unit file, the line's value hidden."""
    key, equals, value = line.partition("=")
    value = value if equals else line
    if key.strip() in OPEN_KEYS:
        return words
    for text in sorted({value.strip(), *_PIECES.split(value)}, key=len, reverse=True):
        if not _is_plain(text):
            words = words.replace(text, HIDDEN)
    return words


def without_values(plan: Plan) -> Plan:
    """Return a plan for people and pipelines: of what it builds, no environment nor arguments."""
    verdicts = (
        replace(one, afterwards=_without_values(one.afterwards)) if one.afterwards else one
        for one in plan.verdicts
    )
    return replace(plan, steps=_without_values(plan.steps), verdicts=tuple(verdicts))


def _without_values(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(
        replace(step, command=_masked(step.command)) if isinstance(step, BuildImage) else step
        for step in steps
    )


def _masked(command: Sequence[str]) -> tuple[str, ...]:
    """Hide the values of options, those aside that are plain, and the last word: the context."""
    words: list[str] = []
    before = ""
    for word in command[:-1]:
        name, equals, _ = word.partition("=")
        if word.startswith("-"):
            words.append(f"{name}={HIDDEN}" if equals else word)
        else:
            words.append(word if not before.startswith("-") or before in _PLAIN_OPTIONS else HIDDEN)
        before = word
    return (*words, *command[-1:])


def is_open(entry: Entry) -> bool:
    """Whether an assignment's value may be repeated to people."""
    return entry.section in _OPEN_SECTIONS or entry.key in OPEN_KEYS


def _entries(files: AppFiles) -> Iterator[Entry]:
    for path in files.unit_paths():
        yield from files.unit_file(path).entries


def _public(files: AppFiles) -> set[str]:
    """What is no value, or a plain one: names of files, sections and keys, and their pieces."""
    known = {"", HIDDEN, *OPEN_KEYS}
    for file in files.app.files:
        known.update((file.path, posixpath.basename(file.path)))
    for path in files.unit_paths():
        known.update(files.unit_file(path).sections)
    for entry in _entries(files):
        known.add(entry.key)
        if is_open(entry):
            known.update((entry.value, *_PIECES.split(entry.value)))
    return known


def _closed(files: AppFiles, public: set[str]) -> set[str]:
    """What may be secret: values, their pieces, and lines that mean nothing."""
    texts = {entry.value for entry in _entries(files) if not is_open(entry)}
    for path in files.unit_paths():
        lines = (files.text(path) or "").split("\n")
        problems = files.unit_file(path).problems
        texts.update(lines[problem.line - 1].strip() for problem in problems)
    pieces = {piece for text in texts for piece in _PIECES.split(text)}
    return {text for text in texts | pieces if text not in public and not _is_plain(text)}


def _is_plain(text: str) -> bool:
    """Whether it is too short to hide anything, or a word as it stands in any sentence."""
    if len(text) <= _LONGEST_PLAIN and text.isalpha() and text.islower():
        return True
    return len(text) < _SHORTEST
