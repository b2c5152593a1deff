"""Templates of unit files: something has to render them before they are any units."""

import re
from collections.abc import Iterator

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.names import unit_kind
from supervisor.core.files.redact import OPEN_KEYS
from supervisor.model.errors import Finding

_ENGINES = {
    ".j2": "Jinja",
    ".jinja": "Jinja",
    ".jinja2": "Jinja",
    ".hbs": "Handlebars",
    ".handlebars": "Handlebars",
    ".mustache": "Mustache",
    ".gotmpl": "Go",
    ".tmpl": "Go",
    ".tpl": "Go",
    ".erb": "ERB",
}
_HINT = (
    "podvisor deploys files as they are: render it ahead, in a pipeline or a commit hook; for what"
    " differs between hosts there are systemd's specifiers (%h, %H) and overlays"
)
_LITERAL = OPEN_KEYS | {"Secret"}
"""Keys whose values are never a format of Podman's, as those of commands and labels may be."""
_CONTROL = re.compile(r"\s*(\{%|\{\{|<%)")


def template_of(path: str) -> str:
    """Return what a file is a template of: `web.container` for `web.container.j2`, else nothing."""
    stem, dot, suffix = path.rpartition(".")
    return stem if f"{dot}{suffix}" in _ENGINES and unit_kind(stem) else ""


def template_problem(path: str) -> tuple[str, str]:
    """Say that a file is a template by its name: message and hint."""
    suffix = path[path.rfind(".") :]
    return f"is a template ({_ENGINES[suffix]}), not a unit file", _HINT


def rendered_findings(files: AppFiles) -> Iterator[Finding]:
    """Refuse unit files in which something is still to be filled in, at the first such line."""
    for file in files.app.files:
        if not unit_kind(file.path) or (text := files.text(file.path)) is None:
            continue
        if line := _first_mark(text, files, file.path):
            message = "is a template: something has to be filled in here"
            yield files.finding(message, path=file.path, line=line, hint=_HINT)


def _first_mark(text: str, files: AppFiles, path: str) -> int:
    if "{{" not in text and "{%" not in text and "<%" not in text:
        return 0
    before = ["", *(line.rstrip() for line in text.split("\n"))]
    lines = [
        number
        for number, line in enumerate(before)
        if _CONTROL.match(line) and not before[number - 1].endswith("\\")  # a command goes on
    ]
    lines += [
        entry.line
        for entry in files.unit_file(path).entries
        if entry.key in _LITERAL and ("{{" in entry.value or "<%" in entry.value)
    ]
    return min(lines, default=0)
