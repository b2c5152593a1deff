"""What holds for every Git host of the registry."""

import pytest

from supervisor.cli.local.default_file import docstrings
from supervisor.core.githost.hosts.registry import APIS, HOSTS

EFFECTS = docstrings()["SourceSettings"][1]


@pytest.mark.parametrize("name", HOSTS)
def test_the_settings_name_it(name):
    assert f"`{name}`" in EFFECTS["webhook"]
    assert (f"`{name}`" in EFFECTS["status"]) == (name in APIS)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_its_form_can_be_filled_in(host):
    own = {"url": "u", "secret": "s", "repository": "r", "audience": "a"}
    for text in (*host.form.fields.values(), *host.form.text):
        assert text.format(**own)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_secret_or_a_token_proves_who_sent_it(host):
    assert (host.signature is None) == (host.payload is None)
