"""A flat folder of units as many apps: each unit with what it refers to, as its files say.

What several of them refer to is an app of its own, so that none can harm the others. What has to be
in one app stays together: a pod and its containers, containers of one network namespace, a timer or
socket and its service, and what has one name.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from supervisor.core.files.certificate_files import CERTIFICATES
from supervisor.core.files.names import is_drop_in, unit_kind
from supervisor.core.files.secret_files import is_secret
from supervisor.core.files.templates import template_of
from supervisor.core.files.unitfile import UnitFile, parse, split_words
from supervisor.kit.graph import reachable
from supervisor.model.certificate_secret import secrets_of
from supervisor.model.quadlet import LEADING, QUADLETS, UnitKind

_SEPARATORS = re.compile(r"[,=:\s]")
_CERTIFICATE = CERTIFICATES.suffix
_OWN_PLACE = "podvisor/certificates"
"""The end of podvisor's own place of certificates, wherever that is."""
_OF_OWN_NAME = (".service", *(suffix for suffix, row in QUADLETS.items() if not row.service))
"""Suffixes of the files that make a service of their own name."""


def group_units(
    seeds: Iterable[str], paths: Collection[str], texts: Mapping[str, str]
) -> dict[str, set[str]]:
    """Group the units `seeds`, and what they refer to among `paths`; `texts` holds unit files.

    Returns the paths of the files that make up each app, by its name.
    """
    refers = _References(paths, texts)
    units = reachable(seeds, refers.units)
    serving = {unit for unit in units if _kind(unit) not in LEADING}
    near: dict[str, set[str]] = defaultdict(set)
    named: dict[str, str] = {}
    for unit in sorted(units.keys() - serving):
        for other in (named.setdefault(_stem(unit), unit), *refers.units(unit) - serving):
            near[unit].add(other)
            near[other].add(unit)
    groups: dict[str, set[str]] = {}
    grouped: set[str] = set()
    for unit in near:
        if unit not in grouped:
            some = set(reachable([unit], near.__getitem__))
            groups[_name(some)] = some
            grouped |= some
    users: dict[str, set[str]] = {unit: set() for unit in serving}
    for name, some in groups.items():
        for unit in reachable(some, refers.units).keys() & serving:
            users[unit].add(name)
    for unit, names in sorted(users.items()):
        if len(names) == 1:
            groups[next(iter(names))].add(unit)
        else:
            kind = unit.rpartition(".")[2]
            groups[_free(_stem(unit), kind, groups)] = {unit}
    found: dict[str, set[str]] = {}
    taken: set[str] = set()
    for name, some in sorted(groups.items()):
        # Units of other apps may use a certificate or a secret, too: one of them describes it.
        mine = (
            set[str]()
            .union(*map(refers.certificates, some), *map(refers.secrets, some))
            .difference(taken)
        )
        taken |= mine
        found[name] = some.union(mine, *map(refers.files, some), *map(refers.files_of_secret, mine))
    return found


def _name(units: Iterable[str]) -> str:
    """Name a group: after its pod, else after the first of its units."""
    return _stem(min(units, key=lambda unit: (_kind(unit) is not UnitKind.POD, _stem(unit), unit)))


def _free(stem: str, kind: str, taken: Collection[str]) -> str:
    return stem if stem not in taken else f"{stem}-{kind}"


def _kind(path: str) -> UnitKind | None:
    return unit_kind(template_of(path) or path)


def _stem(path: str) -> str:
    """Name of a unit file without its kind, and without the instance of a template."""
    name = posixpath.basename(template_of(path) or path)
    return name.rpartition(".")[0].partition("@")[0]


class _References:
    """What unit files refer to: units by their names, other files by their paths."""

    def __init__(self, paths: Collection[str], texts: Mapping[str, str]) -> None:
        self._paths = frozenset(paths)
        self._folders: dict[str, list[str]] = defaultdict(list)
        self._drop_ins: dict[str, list[str]] = defaultdict(list)
        self._by_name: dict[str, str] = {}
        self._certificates = sorted(path for path in texts if path.endswith(_CERTIFICATE))
        self._members: dict[str, list[str]] = defaultdict(list)
        self._parsed = {path: parse(text, path=path) for path, text in texts.items()}
        self._secrets: dict[str, list[str]] = defaultdict(list)
        for path in filter(is_secret, texts):
            said = self._unit_file(path).last("Secret", "Name")
            self._secrets[said or posixpath.basename(path).rpartition(".")[0]].append(path)
        for path in sorted(paths):
            parent, name = posixpath.split(path)
            if is_drop_in(path):
                self._drop_ins[posixpath.basename(parent)].append(path)
            else:
                self._by_name.setdefault(name, path)
            while parent:
                self._folders[parent].append(path)
                parent = posixpath.dirname(parent)
        for path in paths:
            pod = self._unit_file(path).last("Container", "Pod")
            if pod and unit_kind(path):
                self._members[pod].append(path)

    def units(self, path: str) -> set[str]:
        """Units that one refers to, or that are its members: a pod's containers."""
        found = {self._by_name[word] for word in self._words(path) if word in self._by_name}
        found.update(self._members.get(posixpath.basename(path), ()))
        for started in self._started(path):
            found.update(self._services(started))
        return {one for one in found if unit_kind(one) and one != path}

    def secrets(self, path: str) -> set[str]:
        """Files of secrets that a unit uses."""
        return {one for word in self._words(path) for one in self._secrets.get(word, ())}

    def files_of_secret(self, path: str) -> set[str]:
        """Files that the file of a secret names."""
        return set(self._named(path, posixpath.dirname(path))) if is_secret(path) else set()

    def files(self, path: str) -> set[str]:
        """Other files that a unit is made of: drop-ins, and what it names by path."""
        found: set[str] = set(self._shaping(path))
        folder = posixpath.dirname(path)
        for one in (path, *self._shaping(path)):
            found.update(self._named(one, folder))
        return {one for one in found if not unit_kind(one)}

    def certificates(self, path: str) -> set[str]:
        """Files of certificates that a unit uses, or that name it."""
        found: set[str] = set()
        words = set(self._words(path))
        called = {posixpath.basename(path), f"{_stem(path)}.service", _stem(path)}
        for one in self._certificates:
            unit, name = self._unit_file(one), posixpath.basename(one).removesuffix(_CERTIFICATE)
            places = [unit.last("Certificate", "Directory").rstrip("/"), f"{_OWN_PLACE}/{name}"]
            for place in filter(None, places):
                if any(f"{place}/" in f"{word}/" for word in words):
                    found.add(one)
            named = unit.words("Certificate", "Secret")
            if not words.isdisjoint(secret for word in named for secret in secrets_of(word)):
                found.add(one)
            if called & set(unit.words("Certificate", "Reload", "Restart")):
                found.add(one)
        return found

    def _named(self, path: str, folder: str) -> Iterator[str]:
        for entry in self._unit_file(path).entries:
            for word in _SEPARATORS.split(entry.value):
                if not word or word.startswith(("/", "%")):
                    continue
                named = posixpath.normpath(posixpath.join(folder, word.lstrip("-")))
                if named in self._paths:
                    yield named
                elif "/" in word:
                    yield from self._folders.get(named, ())

    def _words(self, path: str) -> Iterator[str]:
        for one in (path, *self._shaping(path)):
            for entry in self._unit_file(one).entries:
                if entry.section not in ("Install", "Unit"):
                    yield from _SEPARATORS.split(entry.value)

    def _started(self, path: str) -> Iterator[str]:
        """Services that a timer, socket or path unit starts under another name."""
        unit = self._unit_file(path)
        for section, key in (("Timer", "Unit"), ("Path", "Unit"), ("Socket", "Service")):
            yield from split_words(unit.last(section, key))

    def _services(self, name: str) -> Iterator[str]:
        stem = name.rpartition(".")[0].partition("@")[0]
        for suffix in _OF_OWN_NAME:
            for mark in ("", "@"):
                if path := self._by_name.get(f"{stem}{mark}{suffix}"):
                    yield path

    def _shaping(self, path: str) -> list[str]:
        stem, dot, suffix = posixpath.basename(path).rpartition(".")
        folders = [f"{stem}{dot}{suffix}.d", f"{suffix}.d"]
        if "@" in stem:
            folders.append(f"{stem.partition('@')[0]}@.{suffix}.d")
        while "-" in stem.rstrip("-"):
            stem = stem.rstrip("-").rpartition("-")[0] + "-"
            folders.append(f"{stem}.{suffix}.d")
        return [path for folder in folders for path in self._drop_ins.get(folder, ())]

    def _unit_file(self, path: str) -> UnitFile:
        return self._parsed.get(path) or UnitFile()
