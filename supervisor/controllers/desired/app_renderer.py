"""Have Podman's generator judge candidates, and remember what it said.

Serves `controllers.desired.desired_state`. A judgement is kept until the candidate, what it refers
to, or the generator changes. What keeps one app from being judged keeps no other.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from supervisor.controllers.desired.contents import contents_of
from supervisor.controllers.isolate import each, each_now
from supervisor.controllers.ports import Generator, SourceReader
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.desired.discovery import references
from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.certificate_files import (
    HostFolders,
    is_certificate,
    read_certificate_files,
)
from supervisor.core.files.lfs import may_be_pointer, pointers
from supervisor.core.files.linked import links_of, shaping_by_link
from supervisor.core.files.names import KEY_SUFFIXES, LARGEST_KEY, shapes_units
from supervisor.core.files.secret_files import is_secret, read_secret_files
from supervisor.core.files.templates import rendered_findings
from supervisor.core.render.drop_ins import shaped_outside
from supervisor.core.render.generator_errors import is_staged
from supervisor.model.app import AppOptions, Candidate, DesiredApp
from supervisor.model.certificate import DesiredCertificate
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.errors import Failure, Finding
from supervisor.model.generated import Generated
from supervisor.model.source import AppRevision, TreeFile

_LARGEST_AGE_FILE = 1 << 20


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator said of one candidate, and what that rests on."""

    near: dict[str, str | None]
    """Quadlet files of others that it mentions: the base of the app that has each, if any."""
    app: DesiredApp | None = None
    certificates: tuple[DesiredCertificate, ...] = ()
    """What its files ask for, be it refused."""
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    """Why nothing can be said of it now; it is not remembered, and asked anew the next time."""


class _Gathered(msgspec.Struct, kw_only=True):
    """What has to be staged to judge some apps."""

    staged: dict[str, Candidate]
    """Those that are judged, and those that they refer to, by name."""
    contents: dict[str, bytes] = {}
    """By blob id."""
    mentions: dict[str, frozenset[str]] = {}
    """App to the Quadlet files of others that it mentions."""
    failures: dict[str, Failure] = {}
    """Apps whose files, or those that they refer to, cannot be read."""


class AppRenderer(msgspec.Struct, kw_only=True):
    """Reads contents and runs the generator as little as it can."""

    reader: SourceReader
    generator: Generator
    settings: CurrentSettings
    folders: HostFolders
    _judged: dict[tuple[str, str], Judged] = {}
    """By app and content."""
    _version: str = ""
    _around: dict[str, str] = {}
    """The user's own Quadlet files and drop-ins, as they were judged with."""
    _issuers: CertificateSettings = CertificateSettings()
    """As certificates were judged with."""
    _places: HostFolders | None = None
    """So, too."""
    _unusable: Failure | None = None
    """Why the generator could not even say which one it is."""

    async def is_new(self) -> bool:
        """Whether the generator, what it reads beside the apps, an issuer or a source is another.

        While it cannot be asked, what it said before stands.
        """
        try:
            now = await self.generator.version(), await self.generator.surroundings()
        except Failure as failure:
            self._unusable = failure
            return False
        self._unusable = None
        settings = self.settings.now
        places = self.folders.with_sources(one.folder for one in settings.sources.values())
        given = (settings.certificates, places)
        is_new = (*now, *given) != (self._version, self._around, self._issuers, self._places)
        if is_new:
            self._judged.clear()
        self._version, self._around = now
        self._issuers, self._places = given
        return is_new

    def known(self, one: Candidate) -> DesiredApp | None:
        """Return what is remembered of a candidate that was judged before."""
        judged = self._remembered(one)
        return judged.app if judged else None

    def certificates(self, one: Candidate) -> tuple[DesiredCertificate, ...]:
        """Return what a candidate that was judged asks for, be it refused."""
        judged = self._remembered(one, at_any=True)
        return judged.certificates if judged else ()

    def _remembered(self, one: Candidate, *, at_any: bool = False) -> Judged | None:
        judged = self._judged.get((one.name, one.content))
        if at_any:
            return judged
        if judged and judged.app and judged.app.revision != one.revision:
            judged = msgspec.structs.replace(judged, app=judged.app.at(one))
            self._judged[one.name, one.content] = judged
        return judged

    def remember_only(self, apps: Iterable[AppRevision]) -> None:
        """Forget all but what these hold."""
        kept = {(one.name, one.content) for one in apps}
        self._judged = {key: judged for key, judged in self._judged.items() if key in kept}

    async def judge(
        self,
        candidates: Sequence[Candidate],
        others: Sequence[Candidate] = (),
        *,
        at_any: bool = False,
    ) -> dict[str, Judged]:
        """Judge these; the generator is asked about those that are not known yet.

        `others` may be referred to, but are not judged themselves. With `at_any`, the apps are at
        the revisions at which they were judged first.
        """
        pool = {one.name: one for one in (*others, *candidates)}
        providers = _providers(pool)
        content_of = {name: one.base for one in pool.values() for name in one.quadlets}

        def near(mentions: Iterable[str]) -> dict[str, str | None]:
            return {name: content_of.get(name) for name in mentions}

        known = {
            one.name: judged
            for one in candidates
            if (judged := self._remembered(one, at_any=at_any)) and judged.near == near(judged.near)
        }
        fresh = [one for one in candidates if one.name not in known]
        if not fresh:
            return known
        gathered = await self._gather(fresh, pool, providers)
        able = [one for one in fresh if one.name not in gathered.failures]
        generated, failures = await self._generate(able, gathered)
        concluded, defects = each_now(
            [one for one in able if one.name in generated],
            lambda one: self._conclude(one, generated[one.name], gathered.contents),
            doing="judging",
        )
        failures = {**gathered.failures, **failures, **defects}
        for one in fresh:
            app, certificates, findings = concluded.get(one.name, (None, (), ()))
            known[one.name] = Judged(
                near=near(gathered.mentions[one.name]),
                app=app,
                certificates=certificates,
                findings=findings,
                failure=failures.get(one.name),
            )
            if one.name not in failures:
                self._judged[one.name, one.content] = known[one.name]
        return known

    async def _generate(
        self, apps: Sequence[Candidate], gathered: _Gathered
    ) -> tuple[dict[str, Generated], dict[str, Failure]]:
        """Ask the generator about all in one run; after a defect, about each app by itself."""
        if not apps:
            return {}, {}
        if self._unusable and not self._version:
            return {}, dict.fromkeys((one.name for one in apps), self._unusable)

        async def ask(some: Sequence[Candidate]) -> Generated:
            beside = [one for one in gathered.staged.values() if one not in some]
            return await self.generator.generate(some, contents=gathered.contents, beside=beside)

        try:
            return dict.fromkeys((one.name for one in apps), await ask(apps)), {}
        except Failure as failure:  # it concerns all: what concerns one app is a finding of it
            return {}, dict.fromkeys((one.name for one in apps), failure)
        except Exception:  # noqa: BLE001  # it is met again where it belongs, and told there
            return await each(apps, lambda one: ask([one]), doing="judging")

    def _conclude(
        self, one: Candidate, generated: Generated, contents: Mapping[str, bytes]
    ) -> tuple[DesiredApp | None, tuple[DesiredCertificate, ...], tuple[Finding, ...]]:
        """Make an app of what the generator said of a candidate, unless it is refused.

        Returned with the certificates that it asks for, and what was found.
        """
        files = AppFiles(one, contents)
        if unfilled := tuple(rendered_findings(files)):
            return None, (), unfilled  # what the generator says of a template only confuses
        secrets, of_secrets = read_secret_files(files)
        certificates, of_certificates = read_certificate_files(
            files, self._issuers, self._places or self.folders, secrets
        )
        generators = generated.findings.get(one.name, ())
        findings = (*generators, *of_secrets, *of_certificates, *pointers(files))
        if any(finding.fatal for finding in findings):
            return None, certificates, findings
        app = DesiredApp.of(
            one,
            units=tuple(
                shaped_outside(unit, self._around) for unit in generated.units.get(one.name, ())
            ),
            generator=self._version,
            options=generated.options.get(one.name, AppOptions()),
            secrets=secrets,
            certificates=certificates,
        )
        return app, certificates, findings

    async def texts(self, app: DesiredApp, others: Iterable[DesiredApp]) -> dict[str, str]:
        """Return the units that the generator makes of an app, by name."""
        pool = {one.name: Candidate.of(one) for one in others}
        pool[app.name] = mine = Candidate.of(app)
        gathered = await self._gather([mine], pool, _providers(pool))
        if failure := gathered.failures.get(app.name):
            raise failure
        beside = [one for name, one in gathered.staged.items() if name != app.name]
        return await self.generator.texts(mine, contents=gathered.contents, beside=beside)

    async def _gather(
        self,
        fresh: Iterable[Candidate],
        pool: Mapping[str, Candidate],
        providers: Mapping[str, str],
    ) -> _Gathered:
        """Find what has to be staged with these, directly or not."""
        found = _Gathered(staged={one.name: one for one in fresh})
        while new := [one for one in found.staged.values() if one.name not in found.mentions]:
            await self._read(new, found)
            for one in new:
                found.mentions[one.name] = _mentions(one, found.contents)
                for name in found.mentions[one.name]:
                    provider = providers.get(name)
                    if provider and provider not in found.staged:
                        found.staged[provider] = pool[provider]
        # Without what it refers to, an app would be refused for the wrong reason.
        while lost := {
            name: found.failures[provider]
            for name, mentions in found.mentions.items()
            if name not in found.failures
            for mention in mentions
            if (provider := providers.get(mention)) in found.failures
        }:
            found.failures.update(lost)
        found.staged = {
            name: one for name, one in found.staged.items() if name not in found.failures
        }
        return found

    async def _read(self, candidates: Sequence[Candidate], found: _Gathered) -> None:
        """Read what the generator reads, and podvisor's own kinds: at once, else app by app."""
        for source in dict.fromkeys(one.source for one in candidates):
            mine = [one for one in candidates if one.source == source]
            try:
                found.contents.update(await self._contents(source, mine))
            except Exception:  # noqa: BLE001  # it is met again where it belongs, and told there
                contents, failures = await each(
                    mine, lambda one: self._contents(one.source, [one]), doing="reading"
                )
                found.failures.update(failures)
                for some in contents.values():
                    found.contents.update(some)

    async def _contents(self, source: str, apps: Iterable[Candidate]) -> dict[str, bytes]:
        apps = list(apps)
        files = [file for one in apps for file in one.files if _is_read_by_generator(file)]
        found = await contents_of(self.reader, source, files)
        linked = [file for one in apps for _, file in shaping_by_link(one, links_of(one, found))]
        if more := [file for file in linked if file.oid not in found]:
            found |= await contents_of(self.reader, source, more)
        return found


def _providers(pool: Mapping[str, Candidate]) -> dict[str, str]:
    """Quadlet file to the app that has it."""
    return {name: one.name for one in pool.values() for name in one.quadlets}


def _is_read_by_generator(file: TreeFile) -> bool:
    return (
        shapes_units(file.path)
        or is_staged(file.path, file.kind)
        or file.path.endswith((".yaml", ".yml"))
        or is_secret(file.path)
        or is_certificate(file.path)
        or may_be_pointer(file)
        or (file.path.endswith(".age") and file.size <= _LARGEST_AGE_FILE)
        or (file.path.endswith(KEY_SUFFIXES) and file.size <= LARGEST_KEY)
    )


def _mentions(one: Candidate, contents: Mapping[str, bytes]) -> frozenset[str]:
    """Names of Quadlet files of other apps that this one's files mention."""
    own = {file.path.rpartition("/")[2] for file in one.files}
    return frozenset(
        name
        for file in one.files
        if shapes_units(file.path)
        for name in references(contents.get(file.oid, b""))
        if name not in own
    )
