"""Apps, and what is asked of them."""

import msgspec

from supervisor.model.app import AfterApp, AppOptions
from tests.fakes.machine import app, container, deploy


def test_a_template_runs_as_its_instances():
    template = msgspec.structs.replace(container("web@"), name="web@.service", instances=("1",))
    one = app("web", template, container("db"))
    assert set(one.runtime_units) == {"web@1.service", "db.service"}
    assert one.runtime_units["web@1.service"] is template


def test_an_app_that_stands_as_wanted_counts_once():
    one, other = app("web", container("web")), app("web", container("old"), revision="r0")
    assert deploy(one, one).apps == (one,)
    assert deploy(one, other).apps == (one, other)
    assert deploy(None, other).apps == (other,)
    assert deploy(one, other).runtime_names == {"web.service", "old.service"}


def test_what_units_of_one_app_say_is_joined():
    need = AfterApp(app="db", path="web.container")
    one = AppOptions(settle=5.0, after=(need,))
    other = AppOptions(prune_volumes=True, rollback=False, settle=10.0)
    whole = AppOptions(prune_volumes=True, rollback=False, settle=10.0, after=(need,))
    assert one.joined(other) == whole
    assert AppOptions().joined(AppOptions()) == AppOptions()
