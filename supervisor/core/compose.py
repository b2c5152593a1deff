"""From a source's files to candidate apps: which folders are apps, and which files are theirs.

Before it: a `Snapshot` from the source reader. After it: Podman's generator judges the candidates.
"""

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

import msgspec

from supervisor.core.names import QUADLET_KINDS, unit_kind
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


def compose(snapshot: Snapshot, settings: SourceSettings, limits: LimitSettings) -> Composition:
    """Divide a snapshot into apps."""
    glob = settings.apps or find_layout(snapshot.files)
    folders = _app_folders(snapshot, glob)
    candidates: list[Candidate] = []
    refused: dict[str, tuple[Finding, ...]] = {}
    findings: list[Finding] = []
    claimed: set[str] = set()
    below = _by_folder(snapshot.files, folders)
    taken: dict[str, str] = {}
    for root, name in sorted(folders.items()):
        files = _below(below[root], root)
        if not any(unit_kind(file.path) for file in files):
            continue
        if not _selected(name, settings):
            continue
        own = tuple(
            msgspec.structs.replace(one, source=snapshot.source, app=name)
            for one in snapshot.findings
            if _is_below(one.path, root) and not _is_hidden(one.path, root)
        )
        claimed.update(one.path for one in own)
        problems = [*own, *_judge(name, root, files, limits, snapshot.source)]
        if name in taken:
            message = f"two folders make an app named {name}: {taken[name]} and {root}"
            problems.append(_fatal(message, snapshot.source, name, root, "rename one of them"))
        taken.setdefault(name, root)
        if any(problem.fatal for problem in problems):
            refused[name] = tuple(problems)
            continue
        findings.extend(problems)
        candidates.append(
            Candidate(
                name=name,
                source=snapshot.source,
                revision=snapshot.revision,
                root=root,
                files=files,
            )
        )
    # What lies below a hidden folder (`.venv`) is part of no app, and harms none.
    findings.extend(
        one
        for one in snapshot.findings
        if one.path not in claimed and not _is_hidden(one.path, root="")
    )
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
        name=app.name, source=app.source, revision=app.revision, root=app.root, files=app.files
    )


def _app_folders(snapshot: Snapshot, glob: str) -> dict[str, str]:
    """Folders that the glob names, each with its app's name (what the wildcards stand for)."""
    if glob.strip("./") == "":
        return {"": snapshot.source}
    patterns = glob.strip("/").split("/")
    depth = len(patterns)
    folders: dict[str, str] = {}
    for file in snapshot.files:
        parts = file.path.split("/")
        if len(parts) <= depth:
            continue
        head = parts[:depth]
        if any(
            part.startswith(".") and part != pattern
            for part, pattern in zip(head, patterns, strict=True)
        ):
            continue
        if all(fnmatchcase(part, pattern) for part, pattern in zip(head, patterns, strict=True)):
            varying = [
                p for p, pattern in zip(head, patterns, strict=True) if set(pattern) & set("*?[")
            ]
            folders["/".join(head)] = "-".join(varying) or head[-1]
    return folders


def _by_folder(files: Iterable[TreeFile], folders: Collection[str]) -> dict[str, list[TreeFile]]:
    """Give each folder the files that lie below it; folders do not lie in each other."""
    depths = {root.count("/") + 1 if root else 0 for root in folders}
    found: dict[str, list[TreeFile]] = {root: [] for root in folders}
    for file in files:
        parts = file.path.split("/")
        for depth in depths:
            root = "/".join(parts[:depth])
            if root in found and len(parts) > depth:
                found[root].append(file)
    return found


def _below(files: Iterable[TreeFile], root: str) -> tuple[TreeFile, ...]:
    """Files of an app, paths relative to its folder; hidden folders are not part of an app."""
    prefix = f"{root}/" if root else ""
    return tuple(
        msgspec.structs.replace(file, path=file.path[len(prefix) :])
        for file in files
        if file.path.startswith(prefix) and not _is_hidden(file.path, root)
    )


def _is_below(path: str, root: str) -> bool:
    return not root or path == root or path.startswith(f"{root}/")


def _is_hidden(path: str, root: str) -> bool:
    """Whether it lies below a hidden folder, as seen from `root`, which may be one itself."""
    return any(
        part.startswith(".") and part not in {".", ".."}
        for part in path[len(root) :].split("/")[:-1]
    )


def _selected(name: str, settings: SourceSettings) -> bool:
    chosen = not settings.select or any(fnmatchcase(name, glob) for glob in settings.select)
    return chosen and not any(fnmatchcase(name, glob) for glob in settings.exclude)


def _fatal(message: str, source: str, app: str, path: str, hint: str) -> Finding:
    return Finding(message=message, source=source, app=app, path=path, hint=hint)


def _judge(
    name: str, root: str, files: tuple[TreeFile, ...], limits: LimitSettings, source: str
) -> list[Finding]:
    """List what keeps a folder from being an app."""
    problems: list[Finding] = []
    if not _APP_NAME.fullmatch(name):
        hint = "use letters, digits, '.', '_' and '-', 63 at most, a letter or digit first"
        problems.append(_fatal(f"{name!r} cannot name an app", source, name, root, hint))
    size = sum(file.size for file in files)
    if size > limits.app_size or len(files) > limits.app_files:
        message = f"app {name} is too large: {len(files)} files, {size} bytes"
        hint = "keep data out of the source, or raise [limits] app_size / app_files"
        problems.append(_fatal(message, source, name, root, hint))
    seen: dict[str, str] = {}
    for file in files:
        if unit_kind(file.path) is None:
            continue
        base = file.path.rpartition("/")[2]
        if base in seen:
            message = f"{seen[base]} and {file.path} define the same unit"
            place = f"{root}/{file.path}" if root else file.path
            problems.append(_fatal(message, source, name, place, "rename one of them"))
        seen.setdefault(base, file.path)
    return problems
