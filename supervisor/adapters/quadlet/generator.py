"""Podman's Quadlet generator: stage the candidates, run it, read what it printed.

The `Generator` port. `stage` makes the folder that the generator sees; `core.generated`,
`core.refusals` and `core.plain` understand its output. What one run says of one app does not
depend on the other apps being right: an app that is refused takes nobody with it.
"""

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from supervisor.adapters.quadlet.stage import remove_abandoned, signature, staged
from supervisor.adapters.quadlet.verify import passed_over
from supervisor.adapters.quadlet.vocabulary import SystemdKeys
from supervisor.core.app_files import AppFiles
from supervisor.core.drop_ins import report_reaching
from supervisor.core.generated import Reading, divide, read_units
from supervisor.core.plain import read_plain_units
from supervisor.core.reads import Place
from supervisor.core.refusals import (
    quadlet_files,
    read_refusals,
    report_dependents,
    report_links,
    report_missing,
    report_twice,
)
from supervisor.core.vocabulary import report_unknown
from supervisor.kit.process import Completed, ProcessError, run
from supervisor.model.app import Candidate, DesiredApp, Generated, UnitKind
from supervisor.model.errors import Finding, Retry, Stalled

BINARIES = (
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/local/libexec/podman/quadlet",
    "/usr/local/lib/podman/quadlet",
)
"""Where distributions and `make install` put it."""

ADMIN_FOLDER = Path("/etc/containers/systemd/users")
"""For all users; in it, a folder named by its uid for each who has more."""

_TIMEOUT_SECONDS = 120.0
_OUTPUT_LIMIT = 64 << 20
_REMEMBERED = 4


class QuadletGenerator:
    """Runs the generator on candidates. Answers a question that it had before from memory."""

    def __init__(
        self,
        *,
        stage: Path,
        quadlets: Path,
        home: Path | None = None,
        system_folders: Sequence[Path] | None = None,
        binary: str = "",
    ) -> None:
        """Keep the places.

        `stage` is a folder in memory (`$XDG_RUNTIME_DIR/podvisor/stage`); `quadlets` the user's
        Quadlet folder, in which `podvisor/` holds the installed apps and everything else is the
        user's own. The administrator's files for users (`system_folders`) take part as well.
        Without `binary`, the usual places are searched.
        """
        self._stage = stage
        self._live = quadlets / "podvisor"
        self._home = home or Path.home()
        if system_folders is None:
            system_folders = [ADMIN_FOLDER, ADMIN_FOLDER / str(os.getuid())]
        self._own_folders = (quadlets, *system_folders)
        self._binaries = (binary,) if binary else BINARIES
        self._version: tuple[tuple[str, int, int], str] | None = None
        self._answers: dict[object, Generated] = {}
        self._tidied = False
        self._keys = SystemdKeys()

    async def version(self) -> str:
        """Return the generator's version, and a mark that changes when its file does."""
        binary, state = self._find_binary()
        identity = (binary, state.st_mtime_ns, state.st_size)
        if self._version is None or self._version[0] != identity:
            done = await self._run([binary, "-version"], env=None)
            said = done.output.decode(errors="replace").strip()
            mark = f"{(state.st_mtime_ns ^ state.st_size) & 0xFFFFFFFF:08x}"
            self._version = (identity, f"{said or 'unknown'} {mark}")
        return self._version[1]

    async def surroundings(self) -> dict[str, str]:
        """Return the user's own Quadlet files and drop-ins: path, and a mark that changes."""
        seen = signature(self._own_folders, self._real_live())
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
        live = self._real_live()
        question = (
            await self.version(),
            signature(self._own_folders, live),
            *(
                tuple((one.name, one.root, one.source, one.files, one.overlay) for one in g)
                for g in (apps, beside)
            ),
        )
        if question in self._answers:
            return self._answers[question]
        readings = {app.name: Reading(AppFiles(app, contents)) for app in apps}
        for chosen, neighbours in _divide(apps, beside):
            some = {app.name: readings[app.name] for app in chosen}
            await self._judge(some, [*chosen, *neighbours], contents, live)
        vocabulary = await self._keys.known()
        for reading in readings.values():
            report_unknown(reading, vocabulary)
        answer = _conclude(readings)
        while len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[question] = answer
        return answer

    async def texts(
        self, app: Candidate, *, contents: Mapping[str, bytes], beside: Sequence[Candidate] = ()
    ) -> dict[str, str]:
        """Return the units that come out of an app's Quadlet files, as they would be installed."""
        binary, _ = self._find_binary()
        live = self._real_live()
        (chosen, neighbours), *_ = _divide([app], beside)
        try:
            with staged(
                self._stage,
                [*chosen, *neighbours],
                contents=contents,
                own_folders=self._own_folders,
                live=live,
            ) as folder:
                env = os.environ | {"QUADLET_UNIT_DIRS": str(folder)}
                done = await self._run([binary, "-dryrun", "-user"], env=env)
        except OSError as error:
            raise Retry(f"cannot stage apps in {self._stage}: {error.strerror or error}") from error
        output = done.output.decode(errors="replace")
        return {
            name: text.replace(str(folder), str(live)).strip() + "\n"
            for name, text in divide(output)
            if f"SourcePath={folder}/{app.name}/" in text
        }

    async def passed_over(self, source: Path, app: DesiredApp) -> tuple[Finding, ...]:
        """Warn of what systemd would pass over in the units of an app whose files are on disk."""
        binary, _ = self._find_binary()
        plain = [unit.path for unit in app.units if unit.kind is UnitKind.PLAIN]
        found = await passed_over(source / app.root, plain, generator=binary)
        # Other apps, and what an image is built from, may stand in the same folder.
        own = {path for unit in app.units for path in (unit.path, *unit.drop_ins)}
        return tuple(
            replace(one, app=app.name, path=posixpath.join(app.root, one.path))
            for one in found
            if one.path in own
        )

    async def _judge(
        self,
        readings: Mapping[str, Reading],
        apps: Sequence[Candidate],
        contents: Mapping[str, bytes],
        live: Path,
    ) -> None:
        """Add to the readings what one run of the generator says, and the plain units."""
        binary, _ = self._find_binary()
        if not self._tidied:
            remove_abandoned(self._stage)
            self._tidied = True
        try:
            with staged(
                self._stage, apps, contents=contents, own_folders=self._own_folders, live=live
            ) as folder:
                place = Place(stage=str(folder), live=str(live), home=str(self._home))
                for reading in readings.values():
                    read_plain_units(reading, place)
                if any(quadlet_files(reading.files.app) for reading in readings.values()):
                    env = os.environ | {"QUADLET_UNIT_DIRS": str(folder)}
                    done = await self._run([binary, "-dryrun", "-user"], env=env)
                    read_units(done.output.decode(errors="replace"), readings, place)
                    read_refusals(done.errors, readings, place.stage)
        except OSError as error:
            raise Retry(f"cannot stage apps in {self._stage}: {error.strerror or error}") from error

    async def _run(self, argv: Sequence[str], *, env: Mapping[str, str] | None) -> Completed:
        try:
            done = await run(
                argv, env=env, timeout_seconds=_TIMEOUT_SECONDS, output_limit=_OUTPUT_LIMIT
            )
        except (ProcessError, OSError) as error:
            raise Retry(f"cannot run Podman's generator: {error}") from error
        if done.code not in (0, 1):  # 1: a file was refused
            words = done.errors.strip().splitlines()
            last = f": {words[-1]}" if words else ""
            raise Retry(f"cannot run Podman's generator: it ended with {done.code}{last}")
        return done

    def _real_live(self) -> Path:
        """Where it really is; pathlib would raise where a link leads round and round."""
        return Path(os.path.realpath(self._live))

    def _find_binary(self) -> tuple[str, os.stat_result]:
        for binary in self._binaries:
            try:
                return binary, Path(binary).stat()
            except OSError:
                continue
        places = " or ".join(self._binaries[:2])
        raise Stalled(
            f"cannot find Podman's Quadlet generator: it is not at {places}",
            hint="install Podman 4.4 or newer: sudo apt install podman",
        )


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


def _conclude(readings: Mapping[str, Reading]) -> Generated:
    for reading in readings.values():
        report_reaching(reading)
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
        prune_volumes=frozenset(n for n, reading in whole.items() if reading.prune_volumes),
        settle={n: one.settle for n, one in whole.items() if one.settle is not None},
        no_rollback=frozenset(n for n, reading in whole.items() if not reading.rollback),
        after={name: tuple(one.after) for name, one in whole.items() if one.after},
        findings={
            name: tuple(dict.fromkeys(reading.findings))
            for name, reading in readings.items()
            if reading.findings
        },
    )
