"""The Generator port: stage the candidates, run Podman's Quadlet generator, read what it printed.

What one run says of an app does not depend on the other apps being right: one that is refused takes
nobody with it, and one at which the generator crashes or hangs is found (`culprits`) and left out.
"""

import asyncio
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from supervisor.adapters.quadlet.culprits import find_culprits
from supervisor.adapters.quadlet.runner import Crashed, Runner
from supervisor.adapters.quadlet.values import SystemdValues
from supervisor.adapters.quadlet.vocabulary import SystemdKeys
from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.render.drop_ins import report_reaching
from supervisor.core.render.generator_errors import (
    is_staged,
    quadlet_files,
    read_refusals,
    report_dependents,
    report_links,
    report_missing,
    report_twice,
)
from supervisor.core.render.pitfalls import report_pitfalls
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import divide, read_units
from supervisor.core.render.reading import Reading
from supervisor.core.render.vocabulary import (
    Said,
    Vocabulary,
    report_unknown,
    report_unread,
    said_to_systemd,
)
from supervisor.kit.process import Completed
from supervisor.kit.threads import aside
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding, Retry
from supervisor.model.generated import Generated
from supervisor.model.source import FileKind

_REMEMBERED = 4
_REMEMBERED_CRASHES = 256


class QuadletGenerator(msgspec.Struct):
    """Runs the generator on candidates. Answers a question that it had before from memory."""

    runner: Runner
    home: Path = msgspec.field(default_factory=Path.home)
    certificates: Path | None = None
    """Podvisor's own place of certificates."""
    _answers: dict[object, Generated] = {}
    _crashes: dict[object, tuple[Finding, ...]] = {}
    """Staged files of an app at which it crashed, to what is said of them."""
    _keys: SystemdKeys = msgspec.field(default_factory=SystemdKeys)
    _values: SystemdValues = msgspec.field(default_factory=SystemdValues)

    async def version(self) -> str:
        """Return the generator's version, and a mark that changes when its file does."""
        return await self.runner.version()

    async def surroundings(self) -> dict[str, str]:
        """Return the user's own Quadlet files and drop-ins: path, and a mark that changes."""
        seen = self.runner.own_state()
        return {path: f"{changed_at:x} {size}" for path, changed_at, size in seen}

    async def generate(
        self,
        apps: Sequence[Candidate],
        *,
        contents: Mapping[str, bytes],
        beside: Sequence[Candidate] = (),
    ) -> Generated:
        """Judge `apps`, with `beside` at hand for what they refer to.

        Raises Retry (no room on the stage, the generator was killed) or Stalled (not installed).
        """
        question = (
            await self.version(),
            self.runner.own_state(),
            *(
                tuple((one.name, one.root, one.source, one.files, one.overlay) for one in g)
                for g in (apps, beside)
            ),
        )
        if question in self._answers:
            return self._answers[question]
        size = _size(apps)
        readings = await aside(
            lambda: {app.name: Reading(AppFiles(app, contents)) for app in apps}, items=size
        )
        vocabulary = await self._keys.known()
        lines = await aside(lambda: _said(readings, vocabulary), items=size)
        asking = asyncio.ensure_future(self._values.unread(lines))
        try:
            for chosen, neighbours in _divide(apps, beside):
                some = {app.name: readings[app.name] for app in chosen}
                await self._judge(some, [*chosen, *neighbours], contents)
            unread = await asking
        finally:
            asking.cancel()
        answer = await aside(lambda: _conclude(readings, vocabulary, unread), items=size)
        while len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = answer
        return answer

    async def texts(
        self, app: Candidate, *, contents: Mapping[str, bytes], beside: Sequence[Candidate] = ()
    ) -> dict[str, str]:
        """Return the units that come out of an app's Quadlet files, as they would be installed."""
        (chosen, neighbours), *_ = _divide([app], beside)
        async with self.runner.staged([*chosen, *neighbours], contents) as folder:
            try:
                done = await self.runner.dry_run(folder)
            except Crashed as crash:
                raise Retry(f"cannot run Podman's generator: {crash}") from crash
        live = self.runner.live
        output = done.output.decode(errors="replace")
        return {
            name: text.replace(str(folder), str(live)).strip() + "\n"
            for name, text in divide(output)
            if f"SourcePath={folder}/{app.name}/" in text
        }

    async def _judge(
        self,
        readings: Mapping[str, Reading],
        apps: Sequence[Candidate],
        contents: Mapping[str, bytes],
    ) -> None:
        """Add to the readings what one run of the generator says, and the plain units."""
        left = [app for app in apps if self._crash_key(app) not in self._crashes]
        for app in apps:
            if app.name in readings:
                readings[app.name].findings.extend(self._crashes.get(self._crash_key(app), ()))
        asked = {one.name: readings[one.name] for one in left if one.name in readings}
        async with self.runner.staged(left, contents) as folder:
            done: Completed | None = None
            if any(quadlet_files(reading.files.app) for reading in asked.values()):
                try:
                    done = await self.runner.dry_run(folder)
                except Crashed as crash:
                    await self._blame(left, contents, crash)
                    return await self._judge(readings, left, contents)
            place = Place(
                stage=str(folder),
                live=str(self.runner.live),
                home=str(self.home),
                certificates=str(self.certificates or ""),
            )
            await aside(lambda: _read(asked, done, place), items=_size(left))
        return None

    async def _blame(
        self, apps: Sequence[Candidate], contents: Mapping[str, bytes], crash: Crashed
    ) -> None:
        """Remember at which apps it crashes. Raises Retry if it is none of them."""
        found = await find_culprits(self.runner, apps, contents, crash)
        for app in apps:
            if app.name in found:
                self._crashes[self._crash_key(app)] = found[app.name]
        while len(self._crashes) > max(_REMEMBERED_CRASHES, len(apps)):
            del self._crashes[next(iter(self._crashes))]

    def _crash_key(self, app: Candidate) -> object:
        # What links lead to is staged, too.
        whole = any(one.kind is FileKind.SYMLINK for one in app.files)
        staged = tuple(
            (one.path, one.oid) for one in app.files if whole or is_staged(one.path, one.kind)
        )
        return (self.runner.known_version, app.name, app.source, app.root, staged)


def _divide(
    apps: Sequence[Candidate], beside: Sequence[Candidate]
) -> Iterator[tuple[list[Candidate], list[Candidate]]]:
    """Group the apps into runs: of two files of one name, a run would only see one.

    Yields those to be judged, and those that stand beside them.
    """
    asked = {app.name for app in apps}
    others = [*apps, *(app for app in beside if app.name not in asked)]
    waiting = list(apps)
    while waiting:
        taken: set[str] = set()
        chosen, waiting = _choose(waiting, taken)
        names = {app.name for app in chosen}
        neighbours, _ = _choose([app for app in others if app.name not in names], taken)
        yield chosen, neighbours


def _choose(apps: Sequence[Candidate], taken: set[str]) -> tuple[list[Candidate], list[Candidate]]:
    """Split apps into those of which no file's name is taken yet, and the rest; the first fits."""
    chosen: list[Candidate] = []
    left: list[Candidate] = []
    for app in apps:
        names = {posixpath.basename(path) for path in quadlet_files(app)}
        if names & taken:
            left.append(app)
        else:
            taken |= names
            chosen.append(app)
    return chosen, left


def _size(apps: Iterable[Candidate]) -> int:
    return sum(len(app.files) for app in apps)


def _read(readings: Mapping[str, Reading], done: Completed | None, place: Place) -> None:
    for reading in readings.values():
        read_plain_units(reading, place)
    if done:
        read_units(done.output.decode(errors="replace"), readings, place)
        read_refusals(done.errors, readings, place.stage)


def _said(readings: Mapping[str, Reading], vocabulary: Vocabulary) -> list[Said]:
    return [line for one in readings.values() for line in said_to_systemd(one, vocabulary)]


def _conclude(
    readings: Mapping[str, Reading], vocabulary: Vocabulary, unread: Mapping[Said, str]
) -> Generated:
    for reading in readings.values():
        report_unknown(reading, vocabulary)
        report_unread(reading, unread)
        report_reaching(reading)
        report_pitfalls(reading)
        report_links(reading)
        report_twice(reading)
        report_missing(reading)
    report_dependents(readings.values())
    whole = {name: reading for name, reading in readings.items() if not reading.refused}
    return Generated(
        units={
            name: tuple(sorted(reading.units, key=lambda unit: unit.name))
            for name, reading in whole.items()
        },
        options={name: reading.options for name, reading in whole.items()},
        findings={
            name: tuple(dict.fromkeys(reading.findings))
            for name, reading in readings.items()
            if reading.findings
        },
    )
