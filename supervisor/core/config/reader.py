"""The text of `config.toml` → `Settings`, or everything that is wrong with it, line by line.

`core.config.toml_lines` finds the lines; the shape, the defaults and the rule of each field are
those of `model.settings`; what must hold for a source or a registry as a whole is in
`core.config.source_rules`, `core.config.registry_rules`, `core.config.certificate_rules` and
`core.config.web_rules`.
"""

import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec

from supervisor.core.config.certificate_rules import certificate_problems
from supervisor.core.config.formats import FORMATS
from supervisor.core.config.notify_rules import notify_problems
from supervisor.core.config.problem import Problem, name_problems, shown_text
from supervisor.core.config.registry_rules import registry_problems
from supervisor.core.config.source_rules import source_problems
from supervisor.core.config.toml_lines import Path, key_lines
from supervisor.core.config.web_rules import web_problems
from supervisor.kit import texts
from supervisor.model.certificate_settings import IssuerSettings, ZoneSettings
from supervisor.model.errors import Finding
from supervisor.model.git_url import GitUrl
from supervisor.model.image import UpdateMode
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.setting_rule import Rule, tables_of, typed
from supervisor.model.setting_types import Bytes, Globs, Seconds, SecretRef
from supervisor.model.settings import (
    ImageUpdateSettings,
    RegistryWebhookSettings,
    Settings,
    SourceSettings,
)

_SECTIONS: dict[str, type[msgspec.Struct]] = {
    field.name: field.type
    for field in msgspec.structs.fields(Settings)
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
}
"""Limits, ledger and so on: every section but that of the sources."""
_WHOLES = {
    "webhooks": registry_problems,
    "certificates": certificate_problems,
    "web": web_problems,
}
"""What must hold for a section as a whole."""
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_SAID_TWICE = re.compile("Cannot (overwrite|declare|mutate|redefine)|Duplicate")
"""How `tomllib` begins its complaint of a key or a section that is there already."""
_SECRET_REF = re.compile(
    r"file:(?:/|~/)[^\x00-\x1f]+|(?:credential|podman):[A-Za-z0-9][A-Za-z0-9._-]*"
)
_PARSERS: dict[type, Callable[[str], object]] = {
    Seconds: texts.parse_duration,
    Bytes: texts.parse_size,
}
_EXPECTED: dict[object, tuple[str, str]] = {
    GitUrl: ("a text, in quotes", '"apps/*"'),
    str: ("a text, in quotes", '"apps/*"'),
    Seconds: ("a duration, in quotes", '"1h30m"'),
    Bytes: ("a size, in quotes", '"16M"'),
    int: ("a whole number", "100"),
    bool: ("true or false", "true"),
    SecretRef: ("where the secret is, in quotes", '"file:~/.config/podvisor/{}"'),
    Globs: ("a text, or a list of texts", '["apps/*", "proxy"]'),
    UpdateMode: (f"one of {', '.join(UpdateMode)}", '"notify"'),
    dict[str, ImageUpdateSettings]: ("a table of tables", '{{ web = {{ update = "notify" }} }}'),
    dict[str, RegistryWebhookSettings]: (
        "a table of tables",
        '{{ ghcr = {{ sender = "ghcr", secret = "file:~/.config/podvisor/webhook-ghcr" }} }}',
    ),
    dict[str, IssuerSettings]: (
        "a table of tables",
        '{{ company = {{ directory = "https://ca.example.org/acme/directory" }} }}',
    ),
    dict[str, ZoneSettings]: (
        "a table of tables",
        '{{ "example.org" = {{ provider = "rfc2136", server = "ns1.example.org" }} }}',
    ),
    dict[str, Seconds]: ("a table of durations", '{{ web = "10m" }}'),
    tuple[str, ...]: ("a list of texts", '["web", "db-*"]'),
}
"""What each type wants, and an example, where the rule of the field has none; {} is its name."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a text: settings, unless one of the findings is fatal."""

    settings: Settings | None
    findings: tuple[Finding, ...] = ()
    text: str = ""
    path: str = ""
    """How findings name the file."""


def read_settings(text: str, *, path: str = "config.toml") -> Reading:
    """Read the text; `path` is how findings name the file."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        finding = _syntax_finding(text, path, error)
        return Reading(settings=None, findings=(finding,), text=text, path=path)
    problems = list(_problems(document))
    settings = None
    if not any(problem.fatal for problem in problems):
        settings = msgspec.convert(document, Settings, dec_hook=_decode)
    return Reading(settings=settings, findings=placed(problems, text, path), text=text, path=path)


def placed(problems: Collection[Problem], text: str, path: str) -> tuple[Finding, ...]:
    """Say what is wrong with the text, in the order of its lines."""
    lines = key_lines(text) if problems else {}
    findings = (
        Finding(
            message=problem.message,
            path=path,
            line=_line(lines, problem.key),
            hint=problem.hint,
            fatal=problem.fatal,
        )
        for problem in problems
    )
    return tuple(sorted(findings, key=lambda finding: finding.line))


def secret_refs(settings: Settings) -> dict[Path, SecretRef]:
    """Return where the secrets of sources, registries, certificates and the like are, by key."""
    several: dict[Path, Mapping[str, msgspec.Struct]] = {
        ("sources",): settings.sources,
        ("webhooks", "registries"): settings.webhooks.registries,
        ("certificates", "issuers"): settings.certificates.issuers,
        ("certificates", "zones"): settings.certificates.zones,
        ("notify",): settings.notify,
    }
    tables = {(*place, name): one for place, each in several.items() for name, one in each.items()}
    tables["certificates",] = settings.certificates
    if settings.web.token.kind == "file":  # a credential is one of the page's own service
        tables["web",] = settings.web
    return {
        (*place, key): value
        for place, table in tables.items()
        for key, value in msgspec.structs.asdict(table).items()
        if value and isinstance(value, SecretRef)
    }


def _syntax_finding(text: str, path: str, error: Exception) -> Finding:
    if isinstance(error, RecursionError):
        return Finding(message="cannot read this as TOML: it is nested too deeply", path=path)
    message = str(error)
    place = _AT_LINE.search(message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else 0
    hint = 'texts stand in quotes: git = "https://…"; the rules are at https://toml.io'
    if _SAID_TWICE.search(message):
        hint = "it stands twice in the file: leave out one of them"
    return Finding(
        message=f"cannot read this as TOML: {_AT_LINE.sub('', message)}",
        path=path,
        line=line,
        hint=hint,
    )


def _line(lines: Mapping[Path, int], key: Path) -> int:
    """Line of the key, or of the nearest table around it that has one."""
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 0)


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in document.items():
        if name == "sources":
            webhooks = document.get("webhooks")
            is_heard = isinstance(webhooks, dict) and bool(webhooks.get("listen"))
            yield from _sources_problems(value, is_heard=is_heard)
        elif name == "notify":
            yield from _notify_problems(value)
        elif name in _SECTIONS:
            problems = list(_table_problems((name,), value, _SECTIONS[name]))
            yield from problems
            if name in _WHOLES and isinstance(value, dict):
                wrong = {problem.key for problem in problems if problem.fatal}
                yield from _WHOLES[name](value, wrong)
        else:
            yield _unknown_section(name, value)


def _unknown_section(name: str, value: object) -> Problem:
    if isinstance(value, dict):
        if {"git", "oci", "folder"} & value.keys():
            return Problem((name,), f"there is no section [{name}]", f"write [sources.{name}]")
        known = ", ".join(f"[{section}]" for section in ("sources.NAME", *_SECTIONS, "notify.NAME"))
        sections = (*_SECTIONS, "sources", "notify")
        hint = texts.meant(name, sections, f"the sections are {known}", form="[{}]")
        return Problem((name,), f"there is no section [{name}]", hint)
    shapes: dict[str, type[msgspec.Struct]] = {
        "sources.NAME": SourceSettings,
        **_SECTIONS,
        "notify.NAME": NotifySettings,
    }
    for section, shape in shapes.items():
        if name in shape.__struct_fields__:
            return Problem(
                (name,), f"“{name}” stands outside its section", f"put it below [{section}]"
            )
    hint = "settings stand in sections; `podvisor init` writes a file that names them all"
    return Problem((name,), f"there is no setting “{name}” outside of a section", hint)


def _sources_problems(value: object, *, is_heard: bool) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(("sources",), "“sources” is not a section", "write [sources.NAME]")
        return
    for name, source in value.items():
        key = ("sources", name)
        if name in SourceSettings.__struct_fields__ and not isinstance(source, dict):
            hint = f"give the source a name: [sources.NAME], and “{name}” below it"
            yield Problem(key, f"“{name}” stands outside a source", hint)
            continue
        yield from name_problems(key, "a source")
        problems = list(_table_problems(key, source, SourceSettings))
        yield from problems
        if isinstance(source, dict):
            wrong = {problem.key[-1] for problem in problems if problem.fatal}
            yield from source_problems(key, source, wrong, is_heard=is_heard)


def _notify_problems(value: object) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(("notify",), "“notify” is not a section", "write [notify.NAME]")
        return
    for name, table in value.items():
        key = ("notify", name)
        if name in NotifySettings.__struct_fields__ and not isinstance(table, dict):
            hint = f"give the notifier a name: [notify.NAME], and “{name}” below it"
            yield Problem(key, f"“{name}” stands outside a notifier", hint)
            continue
        yield from name_problems(key, "a notifier")
        yield from _table_problems(key, table, NotifySettings)
        if isinstance(table, dict):
            yield from notify_problems(key, table)


def _table_problems(key: Path, value: object, shape: type[msgspec.Struct]) -> Iterator[Problem]:
    """Check each field on its own against its type and rule, so that none hides another."""
    title = ".".join(shown_text(part, quotes=False) for part in key)
    if not isinstance(value, dict):
        yield Problem(key, f"“{title}” is not a section", f"write [{title}] on a line of its own")
        return
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for name, item in value.items():
        if field := fields.get(name):
            yield from _field_problems((*key, name), item, *typed(field))
            continue
        message = f"there is no setting {shown_text(name)} in [{title}]"
        yield Problem((*key, name), message, texts.meant(name, fields))


def _field_problems(key: Path, item: object, kind: Any, rule: Rule) -> Iterator[Problem]:
    name = key[-1]
    if (shape := tables_of(kind)) and isinstance(item, dict):
        for one, table in item.items():
            yield from _table_problems((*key, one), table, shape)
        return
    try:
        value = msgspec.convert(item, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        if isinstance(item, str) and kind in (Seconds, Bytes, SecretRef):
            yield Problem(key, f"cannot read “{name}”: {error}")
        else:
            expected, example = _EXPECTED[kind]
            example = json.dumps(rule.example) if rule.example else example.format(name)
            hint = f"such as {name} = {example}"
            yield Problem(key, f"“{name}” must be {expected}", hint)
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not value > 0 and not rule.may_be_zero:
            yield Problem(key, f"“{name}” must be more than 0")
        return
    for text in [value] if isinstance(value, str) else value if isinstance(value, tuple) else ():
        if not text and rule.may_be_empty:
            continue
        if rule.pattern and not (text.isprintable() and re.fullmatch(rule.pattern, text)):
            yield Problem(key, rule.refusal.format(shown_text(text)), rule.hint)
        if rule.format:
            yield from FORMATS[rule.format](key, text)


def _decode(kind: type, value: object) -> object:
    """For msgspec: URLs, durations, sizes, globs and references to secrets from their texts."""
    if kind is Globs:
        return Globs([value] if isinstance(value, str) else msgspec.convert(value, list[str]))
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    if kind is SecretRef and value and not _SECRET_REF.fullmatch(value):
        # What stands there may be the secret itself: it is not repeated.
        raise ValueError(
            "write file:/PATH, credential:NAME or podman:NAME, and keep the secret there"
        )
    return kind(_PARSERS.get(kind, str)(value))
