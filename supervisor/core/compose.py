"""From a source's files to candidate apps: which folders are apps, and which files are theirs.

Before it: a `Snapshot` from the source reader. After it: Podman's generator judges the candidates.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from supervisor.core.names import QUADLET_KINDS, unit_kind
from supervisor.core.overlay import Overlay, is_hidden, lay_over, source_path
from supervisor.model.app import Candidate, DesiredApp, UnitKind
from supervisor.model.errors import Finding
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile

_APP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_REFERENCE = re.compile(
    rb"([A-Za-z0-9@:_.\\-]+\.(?:" + b"|".join(s[1:].encode() for s in QUADLET_KINDS) + rb"))\b"
)


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot holds."""

    candidates: tuple[Candidate, ...]
    refused: dict[str, tuple[Finding, ...]]
    """Apps that cannot be deployed as they are."""
    findings: tuple[Finding, ...]
    """Of the source as a whole, and what is worth knowing of its apps."""


def compose(
    snapshot: Snapshot,
    settings: SourceSettings,
    limits: LimitSettings,
    *,
    specifiers: Mapping[str, str] | None = None,
) -> Composition:
    """Divide a snapshot into apps; `specifiers` are the values for its overlay."""
    findings: list[Finding] = []
    over = Overlay(settings.overlay, snapshot, specifiers or {})
    files = tuple(file for file in snapshot.files if not over.covers(file.path))
    glob = settings.apps or find_layout(files)
    folders = _app_folders(files, glob, snapshot.source)
    parts = _divide(files, folders)
    names = frozenset(folders.values())
    for name, overlaid in over.files.items():
        if name not in names and any(unit_kind(file.path) for file in overlaid):
            folders[f"{over.folder}/{name}"] = name  # an app of this host alone
    unread = _divide_findings(snapshot.findings, folders, over)
    candidates: list[Candidate] = []
    refused: dict[str, tuple[Finding, ...]] = {}
    claimed: set[str] = set()
    taken: dict[str, str] = {}
    for root, name in sorted(folders.items()):
        candidate = _candidate(snapshot, name, root, parts.get(root, ()), over)
        if not any(unit_kind(file.path) for file in candidate.files):
            continue
        if not _selected(name, settings):
            continue
        own = tuple(
            msgspec.structs.replace(one, source=snapshot.source, app=name)
            for one in unread.get(root, ())
        )
        claimed.update(one.path for one in own)
        problems = [*own, *_judge(candidate, limits)]
        if name in taken:
            message = f"two folders make an app named {name}: {taken[name]} and {root}"
            problems.append(_fatal(message, snapshot.source, name, root, "rename one of them"))
        taken.setdefault(name, root)
        if any(problem.fatal for problem in problems):
            refused[name] = tuple(problems)
            continue
        findings.extend(problems)
        candidates.append(candidate)
    # What lies below a hidden folder (`.venv`) is part of no app, and harms none; what other hosts
    # lay over their apps is nothing to this one.
    findings.extend(
        one
        for one in snapshot.findings
        if one.path not in claimed
        and not is_hidden(one.path, root="")
        and not over.is_elsewhere(one.path)
    )
    findings.extend(over.problems(frozenset(folders.values())))
    return Composition(
        candidates=tuple(one for one in candidates if one.name not in refused),
        refused=refused,
        findings=tuple(findings),
    )


def find_layout(files: Iterable[TreeFile]) -> str:
    """Glob of the app folders of a source whose settings name none."""
    units = [file.path for file in files if unit_kind(file.path)]
    if any(path.startswith("apps/") and path.count("/") > 1 for path in units):
        return "apps/*"
    loose = (path for path in units if "/" not in path)
    return "." if any(unit_kind(path) is not UnitKind.PLAIN for path in loose) else "*"


def references(content: bytes) -> frozenset[str]:
    """Names of Quadlet files that a Quadlet file's text mentions (`site.network` …)."""
    return frozenset(match.decode() for match in _REFERENCE.findall(content))


def candidate_of(app: DesiredApp) -> Candidate:
    """Return an app as it was before it was judged."""
    return Candidate(
        name=app.name,
        source=app.source,
        revision=app.revision,
        root=app.root,
        files=app.files,
        overlay=app.overlay,
        overlaid=app.overlaid,
    )


def _app_folders(files: Iterable[TreeFile], glob: str, source: str) -> dict[str, str]:
    """Folders that the glob names, each with its app's name (what the wildcards stand for)."""
    if glob.strip("./") == "":
        return {"": source}
    patterns = glob.strip("/").split("/")
    depth = len(patterns)
    folders: dict[str, str] = {}
    passed: set[str] = set()
    for file in files:
        parts = file.path.split("/", depth)
        if len(parts) <= depth:
            continue
        head = parts[:depth]
        folder = "/".join(head)
        if folder in passed:
            continue
        passed.add(folder)
        if any(
            part.startswith(".") and part != pattern
            for part, pattern in zip(head, patterns, strict=True)
        ):
            continue
        if all(fnmatchcase(part, pattern) for part, pattern in zip(head, patterns, strict=True)):
            varying = [
                p for p, pattern in zip(head, patterns, strict=True) if set(pattern) & set("*?[")
            ]
            folders[folder] = "-".join(varying) or head[-1]
    return folders


def _divide(
    files: Iterable[TreeFile], folders: Mapping[str, str]
) -> dict[str, tuple[TreeFile, ...]]:
    """Files of each app, paths relative to its folder; hidden folders are not part of an app.

    All folders are equally deep, so that each file is looked at once, however many apps there are.
    """
    found: dict[str, list[TreeFile]] = {}
    depth = _depth(folders)
    for file in files:
        root = _head(file.path, depth)
        if root in folders and len(file.path) > len(root) and not is_hidden(file.path, root):
            path = file.path[len(root) + 1 :] if root else file.path
            found.setdefault(root, []).append(msgspec.structs.replace(file, path=path))
    return {root: tuple(some) for root, some in found.items()}


def _divide_findings(
    findings: Iterable[Finding], folders: Mapping[str, str], over: Overlay
) -> dict[str, list[Finding]]:
    """What was refused while reading, by the folder of the app that it is part of."""
    found: dict[str, list[Finding]] = {}
    roots = {name: root for root, name in sorted(folders.items(), reverse=True)}
    depth = _depth(root for root in folders if not over.covers(root))
    for one in findings:
        name = over.app_of(one.path)
        folder = f"{over.folder}/{name}" if name else _head(one.path, depth)
        root = roots.get(name, folder) if name else folder
        if root in folders and not is_hidden(one.path, folder):
            found.setdefault(root, []).append(one)
    return found


def _depth(folders: Iterable[str]) -> int:
    first = next(iter(folders), "")
    return first.count("/") + 1 if first else 0


def _head(path: str, depth: int) -> str:
    """Return the first parts of a path, the whole of it if it has no more."""
    return "/".join(path.split("/", depth)[:depth])


def _selected(name: str, settings: SourceSettings) -> bool:
    chosen = not settings.select or any(fnmatchcase(name, glob) for glob in settings.select)
    return chosen and not any(fnmatchcase(name, glob) for glob in settings.exclude)


def _fatal(message: str, source: str, app: str, path: str, hint: str) -> Finding:
    return Finding(message=message, source=source, app=app, path=path, hint=hint)


def _candidate(
    snapshot: Snapshot, name: str, root: str, files: tuple[TreeFile, ...], over: Overlay
) -> Candidate:
    overlay = f"{over.folder}/{name}"
    overlaid = over.files.get(name, ())
    if root == overlay:
        files, overlaid = overlaid, ()
    return Candidate(
        name=name,
        source=snapshot.source,
        revision=snapshot.revision,
        root=root,
        files=lay_over(files, overlaid) if overlaid else files,
        overlay=overlay if overlaid else "",
        overlaid=tuple(file.path for file in overlaid),
    )


def _judge(one: Candidate, limits: LimitSettings) -> list[Finding]:
    """List what keeps a folder from being an app."""
    name, files = one.name, one.files
    problems: list[Finding] = []
    if not _APP_NAME.fullmatch(name):
        hint = "use letters, digits, '.', '_' and '-', 63 at most, a letter or digit first"
        problems.append(_fatal(f"{name!r} cannot name an app", one.source, name, one.root, hint))
    size = sum(file.size for file in files)
    if size > limits.app_size or len(files) > limits.app_files:
        message = f"app {name} is too large: {len(files)} files, {size} bytes"
        hint = "keep data out of the source, or raise [limits] app_size / app_files"
        problems.append(_fatal(message, one.source, name, one.root, hint))
    seen: dict[str, str] = {}
    for file in files:
        if unit_kind(file.path) is None:
            continue
        base = file.path.rpartition("/")[2]
        if base in seen:
            message = f"{seen[base]} and {file.path} define the same unit"
            place = source_path(one, file.path)
            problems.append(_fatal(message, one.source, name, place, "rename one of them"))
        seen.setdefault(base, file.path)
    return problems
