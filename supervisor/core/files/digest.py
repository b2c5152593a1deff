"""The normal form of a unit, and its digest: equal as long as what systemd runs is equal.

Left out: where the text was staged (the live folder stands in its place), comments, SourcePath=,
the [X-…] sections (nobody runs them), [Install] (`DesiredUnit.wanted_by` holds what it asks), and
every order that means nothing: of keys, of dependencies, and of the options of Podman's commands,
which the generator prints in another order each time.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from supervisor.core.files.unitfile import UnitFile, split_words
from supervisor.model.quadlet import GENERATED

_DEPENDENCIES = """
    After Before BindsTo Conflicts Documentation OnFailure OnSuccess PartOf PropagatesReloadTo
    ReloadPropagatedFrom Requires RequiresMountsFor Requisite Upholds Wants WantsMountsFor
"""
_UNORDERED = frozenset(_DEPENDENCIES.split())

_KEYED = frozenset({"--annotation", "--build-arg", "--env", "--label", "--opt", "--sysctl"})
"""Options whose values are NAME=VALUE: of one name the last counts, of two the order does not."""

_TAKEN_ONE_BY_ONE = """
    --cap-add --cap-drop --device --dns-option --expose --group-add --mount --network-alias
    --publish --secret --tmpfs --ulimit --volume -v
"""
_SETS = frozenset(_TAKEN_ONE_BY_ONE.split())
"""Options of which Podman takes each value for itself, in whatever order they come.

Of all others it does not: name servers and hosts are asked in their order, networks become eth0,
eth1 and so on, a subnet goes with the gateway that has its place.
"""

_OPTION = re.compile(r"--?[^\d\s-]")
"""How an option begins; `-1` is a value."""


def digest(
    unit: UnitFile, *, stage: str = "", live: str = "", leave_out: Iterable[tuple[str, str]] = ()
) -> str:
    """Hash a unit; `leave_out` names (section, key) pairs that do not count for this one."""
    ignored = {("Unit", "SourcePath"), *leave_out}
    made_by = {GENERATED[name].command_key: name for name in unit.sections if name in GENERATED}
    values: dict[tuple[str, str], list[str]] = {}
    for entry in unit.entries:
        if entry.section == "Install" or entry.section.startswith("X-"):
            continue
        if (entry.section, entry.key) not in ignored:
            value = entry.value.replace(stage, live) if stage else entry.value
            values.setdefault((entry.section, entry.key), []).append(value)
    state = hashlib.sha256()
    for (section, key), assigned in sorted(values.items()):
        if section == "Unit" and key in _UNORDERED and "" not in assigned:
            assigned = sorted({word for value in assigned for word in split_words(value)})  # noqa: PLW2901
        if section == "Service" and key in made_by:
            assigned = [  # noqa: PLW2901
                text for value in assigned for text in _normal(value, unit, made_by[key])
            ]
        for text in (section, key, *assigned):
            encoded = text.encode(errors="replace")
            state.update(b"%d:" % len(encoded) + encoded)
        state.update(b";")
    return state.hexdigest()[:40]


def _normal(value: str, unit: UnitFile, section: str) -> Iterator[str]:
    """Yield a command of systemd's, its options sorted where it is the one that makes the unit."""
    words = split_words(value)
    making = tuple(GENERATED[section].command.split())
    places = (at for at in range(1, len(words)) if tuple(words[at:][: len(making)]) == making)
    if (at := next(places, 0)) == 0:
        yield value
        return
    begin = at + len(making)
    end = max(begin, len(words) - _operands(unit, section))
    yield from words[:begin]
    for option in _sorted_options(words[begin:end]):
        yield "\0".join(option)
    yield from words[end:]


def _operands(unit: UnitFile, section: str) -> int:
    """Count the words behind the options: what is made, and what runs in it."""
    match section:
        case "X-Container":
            return 1 + len(split_words(unit.last(section, "Exec")))
        case "X-Kube":
            return sum(len(split_words(value)) for value in unit.values(section, "Yaml"))
        case "X-Pod":
            return 0
        case _:
            return 1


def _sorted_options(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Read options, each with its value; those of one name keep their order if it has a meaning."""
    options: list[tuple[str, ...]] = []
    at = 0
    while at < len(words):
        word, after = words[at], words[at + 1 : at + 2]
        takes_next = _OPTION.match(word) and "=" not in word and after
        at += 1
        if takes_next and not _OPTION.match(after[0]):
            options.append((word, after[0]))
            at += 1
        else:
            options.append((word,))
    return sorted(options, key=_place)


def _place(option: tuple[str, ...]) -> tuple[str, str]:
    name, _, rest = option[0].partition("=")
    value = option[1] if len(option) > 1 else rest
    if name in _SETS:
        return name, value
    return name, value.partition("=")[0] if name in _KEYED else ""
