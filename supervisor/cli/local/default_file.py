"""The settings file that `podvisor init` writes: every setting, its effect and its default.

Effects are the docstrings of the fields in `model.settings` and its parts. Prose
begins with `# `, a setting that is only to be uncommented with `#` alone.
"""

import json
import textwrap
from collections.abc import Collection, Iterator

import msgspec

from supervisor.kit.field_docs import ClassDocs, class_docs
from supervisor.kit.texts import format_duration, format_size
from supervisor.model import certificate_settings, notify_settings, settings, web_settings
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.setting_rule import tables_of, typed
from supervisor.model.setting_types import Bytes, Seconds
from supervisor.model.settings import Settings, SourceSettings

_WIDTH = 96
_HEAD = """\
# Settings of podvisor. Uncomment what should differ from the default that is shown.
# Durations are written 90s, 5m, 1h30m or 7d; sizes 512K, 16M or 1G.
# After a change: podvisor reload
"""
_OVER_SSH = ("ssh_key", "known_hosts", "writeback_ssh_key")
"""Settings that mean nothing for the source whose example is over https."""
_NO_EXAMPLES = (
    "digest",
    "email",
    "hook",
    "hosts",
    "internal_certificate",
    "internal_key",
    "resolvers",
    "staging",
    "user_header",
    "webhook",
    "webhook_repository",
    "webhook_audience",
    "listen",
    "public_url",
    "quiet",
    "registry",
    "webroot",
    "window",
    "writeback_branch",
    "writeback_author",
    "writeback_key",
    "writeback_password",
    "writeback_ssh_key",
)
"""Settings that would have something heard, put off, or be useless, if all were uncommented."""
_TABLES = {
    "by_app": "web",
    "by_image": '"docker.io/library/*"',
    "registries": "ghcr",
    "issuers": "company",
    "zones": '"example.org"',
}
"""Settings that hold tables by name, each with a name."""


def default_text() -> str:
    """Return the text of the file."""
    explained = docstrings()
    effects = explained[SourceSettings.__name__][1]
    fields = {field.name: field for field in msgspec.structs.fields(SourceSettings)}
    parts = [_HEAD]
    parts += _section(
        "sources.apps", SourceSettings, explained, without=("oci", "folder", *_OVER_SSH)
    )
    parts += ["# A second source, a folder of this machine:", "#[sources.local]"]
    parts += [*_setting(fields["folder"], effects), ""]
    parts += ["# A third one, an artifact in a registry:", "#[sources.artifact]"]
    parts += [*_setting(fields["oci"], effects), ""]
    parts += ["# A fourth one, a Git repository over ssh:", "#[sources.over-ssh]"]
    parts.append('#git = "ssh://git@example.org/me/apps.git"')
    for name in _OVER_SSH:
        parts += _setting(fields[name], effects)
    parts.append("")
    for field in msgspec.structs.fields(Settings):
        shape = field.type
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
            parts += _section(field.name, shape, explained)
    parts += _section("notify.phone", NotifySettings, explained)
    return "\n".join(parts)


def _section(
    name: str, shape: type[msgspec.Struct], explained: ClassDocs, *, without: Collection[str] = ()
) -> Iterator[str]:
    text, effects = explained[shape.__name__]
    yield from _prose(text)
    yield f"#[{name}]"
    tables = {}
    for field in msgspec.structs.fields(shape):
        if inner := tables_of(field.type):
            tables[field.name] = inner
        elif field.name not in without:
            yield from _setting(field, effects)
    yield ""
    for key, inner in tables.items():
        yield from _prose(effects[key])
        yield f"#[{name}.{key}.{_TABLES[key]}]"
        for field in msgspec.structs.fields(inner):
            yield from _setting(field, explained[inner.__name__][1])
        yield ""


def _setting(field: msgspec.structs.FieldInfo, effects: dict[str, str]) -> Iterator[str]:
    yield from _prose(effects[field.name])
    default = default_of(field)
    is_shown = field.name not in _NO_EXAMPLES or default is None
    example = typed(field)[1].example if is_shown else default
    yield f"#{field.name} = {value_text(default or example or default)}"


def default_of(field: msgspec.structs.FieldInfo) -> object:
    """Return what a setting is where the file says nothing."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _prose(text: str) -> list[str]:
    plain = text.replace("`", "")
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def value_text(value: object) -> str:
    """Write a value as it stands in the file."""
    if isinstance(value, Seconds):
        return f'"{format_duration(value)}"'
    if isinstance(value, Bytes):
        return f'"{format_size(value)}"'
    return json.dumps(value)


def docstrings() -> ClassDocs:
    """Return each class of settings with its docstring and those of its fields."""
    modules = settings, certificate_settings, notify_settings, web_settings
    return {name: docs for one in modules for name, docs in class_docs(one).items()}
