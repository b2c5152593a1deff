"""Files that something has to fill in before they are units."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.templates import rendered_findings
from tests.core.candidates import from_texts


def lines(text):
    candidate, contents = from_texts("web", {"web.container": text})
    return [one.line for one in rendered_findings(AppFiles(candidate, contents))]


@pytest.mark.parametrize(
    "text",
    [
        "[Container]\nImage={{ image }}\n",
        "[Container]\n{{#if x}}\nImage=x\n{{/if}}\n",
        "[Container]\n{% if x %}\nImage=x\n{% endif %}\n",
        "[Container]\nVolume={{ .Values.data }}:/data\n",
    ],
)
def test_a_template_is_told_at_its_first_mark(text):
    assert lines(text) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "[Container]\nImage=x\nHealthCmd=podman inspect --format {{.State}}\n",
        "[Container]\nImage=x\nLabel=rule=Host({{ name }})\nEnvironment=F={{a}}\n",
        "[Service]\nExecStart=podman ps --format \\\n  {{.Names}}\n",
        "[Container]\nImage=x\nPodmanArgs=--log-opt tag={{.Name}}\n",
    ],
)
def test_formats_of_podmans_are_none(text):
    assert lines(text) == []
