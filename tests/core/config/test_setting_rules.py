"""What holds for the rule of every field of the settings."""

import json
import re

import msgspec
import pytest

from supervisor.core.config.formats import FORMATS
from supervisor.core.config.reader import read_settings
from supervisor.model.certificate_settings import IssuerSettings, ZoneSettings
from supervisor.model.setting_rule import typed
from supervisor.model.settings import ImageUpdateSettings, Settings, SourceSettings

SHAPES = {"sources.a": SourceSettings} | {
    field.name: field.type
    for field in msgspec.structs.fields(Settings)
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
}
SHAPES |= dict.fromkeys(("images.by_app.web", "images.by_image.'quay.io/*'"), ImageUpdateSettings)
SHAPES |= {
    "certificates.issuers.company": IssuerSettings,
    "certificates.zones.'example.org'": ZoneSettings,
}
FIELDS = [
    pytest.param(section, field.name, *typed(field), id=f"{section}.{field.name}")
    for section, shape in SHAPES.items()
    for field in msgspec.structs.fields(shape)
]


@pytest.mark.parametrize(("section", "name", "kind", "rule"), FIELDS)
def test_it_can_be_held_to(section, name, kind, rule):
    shape = SHAPES[section]
    assert not rule.format or rule.format in FORMATS
    assert not rule.needs or (rule.needs in shape.__struct_fields__ and rule.needs_hint)
    assert bool(rule.pattern) == bool(rule.refusal)


@pytest.mark.parametrize(("section", "name", "kind", "rule"), FIELDS)
def test_its_example_is_taken_and_a_wrong_type_names_it(section, name, kind, rule):
    said = [str(one) for one in read_settings(f"[{section}]\n{name} = 1979-05-27").findings]
    (said,) = [one for one in said if f"“{name}” must be" in one]
    assert f"(such as {name} = " in said
    assert not rule.example or json.dumps(rule.example) in said
    if rule.example and rule.pattern:
        assert re.fullmatch(rule.pattern, rule.example)
    if rule.format and isinstance(kind, type) and issubclass(kind, str):
        assert not list(FORMATS[rule.format]((section, name), rule.example))


@pytest.mark.parametrize("text", ["-x", "a b", "\u0000", ""])
@pytest.mark.parametrize(("section", "name", "kind", "rule"), FIELDS)
def test_any_text_is_taken_or_refused(section, name, kind, rule, text):
    reading = read_settings(f"[{section}]\n{name} = {json.dumps(text)}")
    assert reading.settings is not None or any(one.fatal for one in reading.findings)
