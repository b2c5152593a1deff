"""Who is refused for the order between apps, and in which order a push of all of them ends."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.desired.dependencies import comes_after, refused_for_order, waits_for
from supervisor.model.app import AfterApp, AppOptions
from supervisor.model.status import AppState, AppStatus
from tests.fakes.machine import app, container, deploy

NAMES = "abcdef"


def an_app(name, needs):
    after = tuple(AfterApp(app=one, path=f"{name}.container", line=1) for one in needs)
    return msgspec.structs.replace(app(name, container(name)), options=AppOptions(after=after))


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES + "xyz"))))
def test_what_is_not_refused_comes_to_its_turn_and_what_is_never_could(graph):
    apps = {name: an_app(name, sorted(needs)) for name, needs in graph.items()}
    refused = refused_for_order(apps, apps)
    everything = {name: deploy(one) for name, one in apps.items() if name not in refused}
    standing = {}

    def free():
        return [
            name
            for name, one in everything.items()
            if name not in standing and not [*waits_for(one, everything, standing)]
        ]

    while ready := free():
        for name in ready:
            standing[name] = AppStatus(
                name=name, source="home", state=AppState.READY, revision="r1"
            )
    # What is left waits for one that is refused, be it through others.
    for name in everything.keys() - standing.keys():
        assert comes_after(name, {n: deploy(one) for n, one in apps.items()}) & refused.keys()
    for name in refused:
        unknown = graph[name] - apps.keys()
        reachable = {
            one
            for need in graph[name] & apps.keys()
            for one in comes_after(need, {n: deploy(a) for n, a in apps.items()})
        }
        assert unknown or name in reachable


def test_a_long_circle_is_named_whole_and_once_for_each():
    apps = {name: an_app(name, [NAMES[(n + 1) % 6]]) for n, name in enumerate(NAMES)}
    refused = refused_for_order(apps, apps)
    assert set(refused) == set(NAMES)
    assert all(len(findings) == 1 for findings in refused.values())
    assert "f comes after a" in refused["c"][0].message


def test_a_state_of_another_revision_does_not_count():
    everything = {"a": deploy(an_app("a", ["b"])), "b": deploy(an_app("b", []))}
    ready = AppStatus(name="b", source="home", state=AppState.READY, revision="r0")
    (hold,) = waits_for(everything["a"], everything, {"b": ready})
    assert (hold.app, hold.text) == ("b", "waits for app b")
    ready = msgspec.structs.replace(ready, revision="r1")
    assert not [*waits_for(everything["a"], everything, {"b": ready})]


def test_an_app_that_is_kept_is_as_new_as_it_can_be():
    kept = deploy(None, an_app("b", []), keep=True)
    everything = {"a": deploy(an_app("a", ["b"])), "b": kept}
    status = AppStatus(name="b", source="home", state=AppState.KEPT, revision="r1")
    assert not [*waits_for(everything["a"], everything, {"b": status})]
