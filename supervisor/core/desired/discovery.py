"""From a source's files to candidate apps: which folders are apps, and which files are theirs.

Before it: a `Snapshot` from the source reader. After it: Podman's generator judges the candidates.
`core.desired.layout` divides the files; `core.desired.candidates` looks at each app's share.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from supervisor.core.desired.advice import apart, with_advice
from supervisor.core.desired.candidates import candidate_of, look_through
from supervisor.core.desired.layout import (
    APP_NAME,
    Part,
    divide,
    find_layout,
    is_unit,
    names_units,
    texts_of,
)
from supervisor.core.desired.left_out import (
    LeftOut,
    of_certificates,
    of_several_units,
    overlooked,
    weighed,
)
from supervisor.core.desired.overlay import Overlay
from supervisor.core.desired.unfitting import selected, unfitting, used
from supervisor.core.files.certificate_files import is_certificate
from supervisor.core.files.names import shapes_units as shapes
from supervisor.core.files.names import unit_kind
from supervisor.core.files.secret_files import is_secret
from supervisor.core.files.source_paths import ignoring, is_hidden, with_parents
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding
from supervisor.model.quadlet import LEADING, QUADLETS
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import FileKind, Snapshot, TreeFile

_REFERENCE = re.compile(
    rb"([A-Za-z0-9@:_.\\-]+\.(?:" + b"|".join(s[1:].encode() for s in QUADLETS) + rb"))\b"
)


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot holds."""

    candidates: tuple[Candidate, ...]
    refused: dict[str, tuple[Finding, ...]]
    """Apps that cannot be deployed as they are."""
    unfit: tuple[Candidate, ...] = ()
    """These apps."""
    warnings: dict[str, tuple[Finding, ...]] = {}
    """What is worth knowing of the candidates, by app."""
    findings: tuple[Finding, ...] = ()
    """Of the source as a whole."""
    left_out: tuple[LeftOut, ...] = ()
    """Its unit files that are part of no app."""
    layout: tuple[str, ...] = ()
    """Globs of its apps, as the settings say or as they were found."""
    used: tuple[str, ...] = ()
    """Those of these globs that fit something."""
    ignore: tuple[str, ...] = ()
    """Globs of what the settings leave out."""
    roots: frozenset[str] = frozenset()
    """Folders of its apps."""


def _layout(settings: SourceSettings, considered: Iterable[TreeFile]) -> tuple[str, ...]:
    """Globs of a source's apps, as the settings say or as they are found."""
    return tuple(settings.apps) or find_layout(considered)


def texts_needed(snapshot: Snapshot, settings: SourceSettings) -> frozenset[str]:
    """Blob ids of what `compose` has to have read: how images are built, what units refer to."""
    each = any(names_units(glob) for glob in settings.apps)
    return frozenset(
        file.oid
        for file in _considered(snapshot, settings)
        if file.kind is not FileKind.SYMLINK
        and (
            file.path.endswith(".build")
            or is_certificate(file.path)
            or (each and (shapes(file.path) or is_secret(file.path)))
        )
    )


def compose(
    snapshot: Snapshot,
    settings: SourceSettings,
    limits: LimitSettings,
    *,
    specifiers: Mapping[str, str] | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> Composition:
    """Divide a snapshot into apps.

    `specifiers` are the values for its overlay; `contents` is what `texts_needed` asks for, by blob
    id.
    """
    source = snapshot.source
    over = Overlay(settings.overlay, snapshot, specifiers or {})
    files = _considered(snapshot, settings)
    globs = _layout(settings, files)
    parts = _parts(files, globs, source, over, contents or {})
    again = partial(_chosen, snapshot, over, contents or {})
    found_in = snapshot.paths
    ignored = ignoring(settings.ignore)
    considered = [path for path in found_in if not ignored(path)]
    fit = used(globs, considered)
    in_apps = {posixpath.join(part.root, file.path) for part in parts for file in part.files}
    of_none = [path for path in considered if path not in in_apps and not over.covers(path)]
    lonely = {path for path in of_none if is_certificate(path) and not is_hidden(path, root="")}
    names = frozenset(part.name for part in parts)
    unread, of_no_app = _divide_findings(snapshot, settings, parts, over)
    candidates: dict[str, Candidate] = {}
    found_twice: list[Candidate] = []
    problems: dict[str, list[Finding]] = {}
    findings: list[Finding] = []
    images: dict[str, str] = {}
    for part in sorted(parts, key=lambda one: (one.root, one.name)):
        if not selected(part.name, settings):
            continue
        candidate, image = candidate_of(snapshot, part, over, contents or {})
        images.update(image)
        units = [file.path for file in candidate.files if is_unit(file.path)]
        if all(candidate.source_path(path) in image for path in units):
            continue
        found = [*unread.get(part.name, ()), *look_through(candidate, limits, image)]
        if not APP_NAME.fullmatch(part.name):
            hint = "use letters, digits, '.', '_' and '-', 63 at most, a letter or digit first"
            message = f"{part.name!r} cannot name an app"
            findings.append(Finding(message=message, source=source, path=part.root, hint=hint))
            continue
        if first := candidates.get(part.name):
            message = f"two folders make an app named {part.name}: {first.root} and {part.root}"
            found.append(candidate.finding(message, part.root, "rename one of them"))
            found_twice.append(candidate)
        if not settings.apps:
            units = [path for path in units if candidate.source_path(path) not in images]
            leading = [path for path in units if unit_kind(path) in LEADING]
            one = apart(
                part, units, leading, source=source, settings=settings, globs=globs, divide=again
            )
            findings.extend((one,) if one else ())
        candidates.setdefault(part.name, candidate)
        problems.setdefault(part.name, []).extend(found)
    refused = {
        name: tuple(some) for name, some in problems.items() if any(one.fatal for one in some)
    }
    left = _left_out(snapshot, settings, over, parts, images)
    if any(not one.meant for one in left):
        left = with_advice(left, settings, fit, again)
    return Composition(
        candidates=tuple(one for name, one in candidates.items() if name not in refused),
        refused=refused,
        unfit=(*(one for name, one in candidates.items() if name in refused), *found_twice),
        warnings={
            name: tuple(some) for name, some in problems.items() if some and name not in refused
        },
        findings=(
            *findings,
            *(weighed(one, globs) for one in of_no_app),
            *unfitting(
                settings, source=source, paths=found_in, considered=considered, fit=fit, apps=names
            ),
            *of_several_units(of_none, source),
            *of_certificates(
                texts_of((file for file in files if file.path in lonely), contents or {}), source
            ),
            *over.problems(names),
        ),
        left_out=left,
        layout=globs,
        used=fit,
        ignore=settings.ignore,
        roots=frozenset(part.root for part in parts),
    )


def _parts(
    considered: Iterable[TreeFile],
    globs: Sequence[str],
    source: str,
    over: Overlay,
    contents: Mapping[str, bytes],
) -> list[Part]:
    files = tuple(file for file in considered if not over.covers(file.path))
    parts = divide(files, globs, source, overlaid=over.files, contents=contents)
    names = {part.name for part in parts}
    parts += [
        Part(name=name, root=f"{over.folder}/{name}", files=())  # an app of this host alone
        for name, overlaid in over.files.items()
        if name not in names and any(unit_kind(file.path) for file in overlaid)
    ]
    return parts


def _chosen(
    snapshot: Snapshot, over: Overlay, contents: Mapping[str, bytes], settings: SourceSettings
) -> list[Part]:
    considered = _considered(snapshot, settings)
    globs = _layout(settings, considered)
    parts = _parts(considered, globs, snapshot.source, over, contents)
    return [part for part in parts if selected(part.name, settings)]


def with_contents(
    composition: Composition, before: Snapshot, now: Snapshot, *, read: Collection[str], limit: int
) -> Composition | None:
    """Return what `compose` would of another snapshot, if only contents differ; None if it may not.

    `before` is what was composed, `read` the blob ids of which both need the contents, and `limit`
    how large an app may be, in bytes. A division looks at paths, not at contents but for those: so
    each app that did not change is taken over as it is.
    """
    if before.findings != now.findings or len(before.files) != len(now.files):
        return None
    changed: dict[str, TreeFile] = {}
    for old, new in zip(before.files, now.files, strict=True):
        if old == new:
            continue
        if (old.path, old.kind) != (new.path, new.kind) or old.oid in read or new.oid in read:
            return None
        changed[new.path] = new
    folders = {folder for path in changed for folder in with_parents(path)}

    def at_revision(one: Candidate) -> Candidate | None:
        if folders.isdisjoint((one.root, one.overlay or one.root)):
            return one.at(now)
        files = tuple(
            replace(new, path=file.path)
            if (new := changed.get(one.source_path(file.path)))
            else file
            for file in one.files
        )
        if any(sum(file.size for file in some) > limit for some in (one.files, files)):
            return None
        return replace(one.at(now.newest_of(one.root, one.overlay or one.root)), files=files)

    candidates = tuple(filter(None, map(at_revision, composition.candidates)))
    unfit = tuple(filter(None, map(at_revision, composition.unfit)))
    if (len(candidates), len(unfit)) != (len(composition.candidates), len(composition.unfit)):
        return None
    return replace(composition, candidates=candidates, unfit=unfit)


def told(
    composition: Composition, source: str, beside: Iterable[Composition] = ()
) -> tuple[Finding, ...]:
    """Return the findings of a source, with what is in no app: none of those `beside` either.

    They are of the same source, by other settings.
    """
    elsewhere = [{left.path for left in one.left_out} for one in beside]
    left = [one for one in composition.left_out if all(one.path in some for some in elsewhere)]
    return (
        *composition.findings,
        *overlooked(left, composition.used, composition.ignore, source, composition.roots),
    )


def references(content: bytes) -> frozenset[str]:
    """Names of Quadlet files that a Quadlet file's text mentions (`site.network` …)."""
    return frozenset(match.decode() for match in _REFERENCE.findall(content))


def _considered(snapshot: Snapshot, settings: SourceSettings) -> Sequence[TreeFile]:
    """Files of a snapshot that are not ignored."""
    if not settings.ignore:
        return snapshot.files
    ignored = ignoring(settings.ignore)
    return tuple(file for file in snapshot.files if not ignored(file.path))


def _divide_findings(
    snapshot: Snapshot, settings: SourceSettings, parts: Iterable[Part], over: Overlay
) -> tuple[dict[str, list[Finding]], list[Finding]]:
    """What was refused while reading: by app, and what is part of none.

    What lies below a hidden folder (`.venv`) is part of no app, and harms none; what other hosts
    lay over their apps is nothing to this one.
    """
    ignored = ignoring(settings.ignore)
    by_app: dict[str, list[Finding]] = {}
    of_no_app: list[Finding] = []
    roots = {part.root: part.name for part in parts}
    for one in snapshot.findings:
        if ignored(one.path) or over.is_elsewhere(one.path):
            continue
        name = over.app_of(one.path)
        root = next((root for root in with_parents(one.path) if root in roots), None)
        if name and name in roots.values() and not is_hidden(one.path, f"{over.folder}/{name}"):
            pass
        elif root is not None and not is_hidden(one.path, root):
            name = roots[root]
        else:
            if not is_hidden(f"{one.path}/" if one.hides else one.path, root=""):
                of_no_app.append(one)
            continue
        by_app.setdefault(name, []).append(replace(one, source=snapshot.source, app=name))
    return by_app, of_no_app


def _left_out(
    snapshot: Snapshot,
    settings: SourceSettings,
    over: Overlay,
    parts: Iterable[Part],
    images: Mapping[str, str],
) -> tuple[LeftOut, ...]:
    ignored = ignoring(settings.ignore)
    homes = {
        posixpath.join(part.root, file.path): part.name
        for part in parts
        for file in part.files
        if is_unit(file.path)
    }
    left: list[LeftOut] = []
    for file in snapshot.files:
        if not is_unit(file.path) or over.covers(file.path):
            continue
        home, path = homes.get(file.path), file.path
        if glob := ignored(path):
            left.append(LeftOut(path=path, reason=f"ignored ({glob})", meant=True))
        elif path in images:
            reason = f"part of what an image is built from ({images[path] or 'the root'})"
            left.append(LeftOut(path=path, reason=reason, meant=True))
        elif home is not None and not selected(home, settings):
            reason = f"`select` or `exclude` leaves out app {home}"
            left.append(LeftOut(path=path, reason=reason, meant=True))
        elif home is None:
            hidden = is_hidden(path, root="")
            reason = "in a hidden folder that `apps` does not name" if hidden else "in no app"
            left.append(LeftOut(path=path, reason=reason))
    return tuple(left)
