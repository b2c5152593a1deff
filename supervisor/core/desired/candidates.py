"""One app's share of a source: the files to be installed of it, and what keeps them from it.

Serves `core.desired.discovery`.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping

from supervisor.core.desired.layout import Part, builds_of, is_unit, texts_of
from supervisor.core.desired.left_out import not_deployed
from supervisor.core.desired.overlay import Overlay, lay_over
from supervisor.core.files.image_context import ImageContexts
from supervisor.core.files.names import unit_kind
from supervisor.core.files.templates import template_of, template_problem
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding
from supervisor.model.quadlet import UnitKind
from supervisor.model.settings import LimitSettings
from supervisor.model.source import Snapshot

_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
"""What systemd takes as the name of a unit."""


def candidate_of(
    snapshot: Snapshot, part: Part, over: Overlay, contents: Mapping[str, bytes]
) -> tuple[Candidate, dict[str, str]]:
    """Return an app, and what of its units is an image's: path in the source to its folder.

    Quadlet would make units of those of its own kinds wherever they stand in its folder: they are
    not installed. Others are files like any other.
    """
    name, root = part.name, part.root
    overlay, overlaid = f"{over.folder}/{name}", over.files.get(name, ())
    files = part.files
    if root == overlay:
        files, overlaid = overlaid, ()
    files = lay_over(files, overlaid) if overlaid else files
    contexts = ImageContexts((file.path for file in files), builds_of(texts_of(files, contents)))
    image = {
        file.path: posixpath.join(root, folder).rstrip("/")
        for file in files
        if is_unit(file.path) and (folder := contexts.holding(file.path)) is not None
    }
    commit = snapshot.newest_of(root, overlay)
    candidate = Candidate(
        name=name,
        source=snapshot.source,
        revision=commit.revision,
        subject=commit.subject,
        author=commit.author,
        root=root,
        files=tuple(f for f in files if f.path not in image or _is_plain(f.path)),
        overlay=overlay if overlaid else "",
        overlaid=tuple(file.path for file in overlaid),
    )
    return candidate, {posixpath.join(root, path): folder for path, folder in image.items()}


def _is_plain(path: str) -> bool:
    return unit_kind(path) is UnitKind.PLAIN


def look_through(one: Candidate, limits: LimitSettings, image: Mapping[str, str]) -> list[Finding]:
    """List what keeps a folder from being an app, and what of it comes to nothing."""
    name, files = one.name, one.files
    problems: list[Finding] = []
    size = sum(file.size for file in files)
    if size > limits.app_size or len(files) > limits.app_files:
        message = f"app {name} is too large: {len(files)} files, {size} bytes"
        hint = "keep data out of the source, or raise [limits] app_size / app_files"
        problems.append(one.finding(message, one.root, hint))
    problems += _image_findings(one, image)
    seen: dict[str, str] = {}
    for file in files:
        place = one.source_path(file.path)
        base = posixpath.basename(file.path)
        if why := not_deployed(file.path):
            problems.append(one.finding(why[0], place, why[1], fatal=False))
        if not is_unit(file.path) or place in image:
            continue
        if template_of(file.path):
            message, hint = template_problem(file.path)
            problems.append(one.finding(message, place, hint))
            continue
        if not _UNIT_NAME.fullmatch(base):
            message = "systemd takes no unit of this name"
            hint = "use letters, digits, and : - _ . @"
            problems.append(one.finding(message, place, hint))
        if base in seen:
            message = f"{seen[base]} and {file.path} define the same unit"
            problems.append(one.finding(message, place, "rename one of them"))
        seen.setdefault(base, file.path)
    return problems


def _image_findings(one: Candidate, image: Mapping[str, str]) -> Iterable[Finding]:
    """Warn of Quadlet files that an image is to hold, and would become units of this host."""
    for path, folder in image.items():
        if not _is_plain(path):
            place = folder or "the source's root"
            message = f"is not installed: it is part of what an image is built from ({place})"
            hint = (
                "Quadlet would make a unit of this host of it; `ignore` it, or give it another"
                " name, and the right one in the Containerfile; a folder of units has to be named"
                " in `apps`"
            )
            yield one.finding(message, path, hint, fatal=False)
