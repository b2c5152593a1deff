"""Stories of an app: what `podvisor why` makes of what the ledger holds."""

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from supervisor.core.status.why import why
from supervisor.core.status.why_material import Material
from supervisor.model.events import Event, EventKind
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Hold, Outcome, Rollout, Scale, Suspension
from supervisor.model.source import FileKind, TreeFile
from supervisor.model.status import AppState, AppStatus, UnitStatus
from supervisor.model.why import FactKind, Why

NOW = 1_000_000.0
OLD, NEW = "a" * 40, "b" * 40


def rollout(revision: str, began_at: float, **more: Any) -> Rollout:
    words: dict[str, Any] = {
        "name": "web",
        "source": "home",
        "revision": revision,
        "root": "web",
        "files": (TreeFile("web.container", revision, FileKind.FILE, 1),),
        "release": f"release-{revision[0]}",
        "began_at": began_at,
        "ended_at": began_at + 9,
        "outcome": Outcome.GOOD,
    }
    return Rollout(**{**words, **more})


def applied(one: Rollout) -> AppliedApp:
    return AppliedApp(
        name="web",
        source="home",
        revision=one.revision,
        subject=one.subject,
        author=one.author,
        content="",
        release=one.release,
        applied_at=one.ended_at,
        units={},
    )


PUSHED = (
    Event(id=1, time=NOW - 103, kind=EventKind.WEBHOOK, source="home", reason="pushed: b main"),
    Event(
        id=2,
        time=NOW - 102,
        kind=EventKind.REVISION,
        source="home",
        revision=NEW,
        reason="use 1.2",
        author="Ann",
    ),
)
LAST = rollout(NEW, NOW - 100, subject="use 1.2")
UNIT = UnitStatus(name="web.service", active="active", sub="running", up=True, wanted=True)
WELL = AppStatus(name="web", source="home", state=AppState.READY, units=(UNIT,))
PLAIN = Material(
    app="web", standing=WELL, applied=applied(LAST), rollouts=(LAST,), of_sources=PUSHED
)


def told(**more: Any) -> Why:
    return why(msgspec.structs.replace(PLAIN, **more), NOW)


def lines(said: Why) -> list[str]:
    """All of it as people read it, without the moments."""
    found = []
    for fact in said.facts:
        found.append(fact.text)
        found += [f"< {cause.text}" for cause in fact.causes]
    return found


RUNS = "web runs bbbbbbbb “use 1.2” of source home, which passed its gate after 9s"
CAME = "< source home came to bbbbbbbb “use 1.2” (author “Ann”)"


def test_of_commits_that_came_together_it_is_said_which_one_is_the_apps() -> None:
    mine = rollout(OLD, NOW - 100, subject="use 1.1", author="Bo")
    said = told(applied=applied(mine), rollouts=(mine,))
    with_it = "< source home came to aaaaaaaa “use 1.1” (author “Bo”), and on to bbbbbbbb"
    assert with_it in lines(said)
    assert not [line for line in lines(said) if "Ann" in line]


def test_a_release_comes_of_a_commit_and_that_of_a_webhook() -> None:
    said = told()
    assert lines(said) == [RUNS, CAME, "< a webhook told of it: pushed: b main", "web is well"]
    release, state = said.facts
    assert (release.at, state.at) == (NOW - 91, NOW - 91)
    assert [(one.at, one.event) for one in release.causes] == [(NOW - 102, 2), (NOW - 103, 1)]


def test_the_author_of_a_release_is_known_also_where_the_log_does_not_go_back_so_far() -> None:
    release = msgspec.structs.replace(LAST, author="Ann “pi” (page)")
    said = told(of_sources=(), applied=applied(release), rollouts=(release,))
    assert lines(said)[1] == '< the author of bbbbbbbb is “Ann "pi" (page)”'


def test_a_webhook_of_another_push_told_nothing_of_it() -> None:
    older = msgspec.structs.replace(PUSHED[1], id=1, revision=OLD, time=NOW - 102.5)
    early = msgspec.structs.replace(PUSHED[0], id=0 + 1)
    revision = msgspec.structs.replace(PUSHED[1], id=3)
    older = msgspec.structs.replace(older, id=2)
    said = told(of_sources=(early, older, revision))
    assert "< podvisor saw it when it looked at the source; no webhook told of it" in lines(said)


def test_who_ordered_a_sync_comes_before_a_start_and_what_is_long_ago_is_no_cause() -> None:
    started = Event(id=1, time=NOW - 110, kind=EventKind.STARTED, reason="podvisor 1")
    order = Event(id=2, time=NOW - 103, kind=EventKind.ORDERED, subject="sync", by="pi")
    revision = msgspec.structs.replace(PUSHED[1], id=3)
    assert "< pi ordered a sync" in lines(told(of_sources=(started, order, revision)))
    renewal = msgspec.structs.replace(order, subject="renew web")
    said = lines(told(of_sources=(started, renewal, revision)))
    assert "< podvisor had just started, and read its sources" in said
    early = msgspec.structs.replace(started, time=NOW - 149)
    before = msgspec.structs.replace(order, time=NOW - 148)
    said = lines(told(of_sources=(early, before, revision)))
    assert "< podvisor saw it when it looked at the source; no webhook told of it" in said


def test_what_had_a_source_read_that_was_as_before_brought_nothing() -> None:
    """Each read answers what was told before it began; who asks later has it read anew."""
    order = Event(id=1, time=NOW - 104, kind=EventKind.ORDERED, subject="sync", by="pi")
    webhook = msgspec.structs.replace(PUSHED[0], id=2, time=NOW - 104)
    started = Event(id=3, time=NOW - 104, kind=EventKind.STARTED, reason="podvisor 1")
    seen = "< podvisor saw it when it looked at the source; no webhook told of it"
    for one, said in (
        (order, "< pi ordered a sync"),
        (webhook, "< a webhook told of it: pushed: b main"),
        (started, "< podvisor had just started, and read its sources"),
    ):
        for unchanged_at, cause in ((NOW - 104, seen), (NOW - 103, seen), (NOW - 105, said)):
            revision = msgspec.structs.replace(PUSHED[1], id=4, unchanged_at=unchanged_at)
            assert cause in lines(told(of_sources=(one, revision)))


def test_an_order_is_why_a_source_was_read_however_long_that_took() -> None:
    order = Event(id=1, time=NOW - 400, kind=EventKind.ORDERED, subject="sync", by="pi")
    revision = msgspec.structs.replace(PUSHED[1], id=2, unchanged_at=NOW - 700)
    assert "< pi ordered a sync" in lines(told(of_sources=(order, revision)))


def test_who_suspended_it_is_named() -> None:
    by = "anna (page)"
    order = Suspension(app="web", at=NOW - 9, reason="a look", by=by)
    scale = Scale(app="web", unit="web@.service", replicas=3, instead_of=1, at=NOW - 8, by=by)
    said = lines(told(suspensions=(order,), scales=(scale,)))
    assert f"{by} has web left alone: a look" in said
    assert f"{by} asked for 3 replicas of web@.service, whose file says 1" in said


def test_who_had_it_tried_again_is_named_before_whose_commit_it_is() -> None:
    again = msgspec.structs.replace(LAST, by="pi")
    assert lines(told(rollouts=(again,)))[1:3] == ["< pi had it tried", CAME]


def test_what_was_there_when_podvisor_started_is_said_to_be() -> None:
    started = Event(id=1, time=NOW - 103, kind=EventKind.STARTED, reason="podvisor 1")
    said = told(of_sources=(started, PUSHED[1]))
    assert "< podvisor had just started, and read its sources" in lines(said)


def test_what_the_log_does_not_hold_any_more_is_left_out() -> None:
    assert lines(told(of_sources=())) == [RUNS, "web is well"]


def test_a_unit_was_restarted_since_its_health_check_failed() -> None:
    events = (
        Event(
            id=9,
            time=NOW - 50,
            kind=EventKind.HEALTH,
            ok=False,
            app="web",
            unit="web.service",
            reason="unhealthy after 3 failed checks in a row",
            detail="curl: (7) refused\nmore",
        ),
        Event(
            id=10,
            time=NOW - 49,
            kind=EventKind.STEP,
            step="restart",
            app="web",
            unit="web.service",
            reason="unhealthy",
        ),
        Event(
            id=11,
            time=NOW - 40,
            kind=EventKind.HEALTH,
            app="web",
            unit="web.service",
            reason="healthy, was unhealthy",
        ),
    )
    said = told(events=events)
    assert lines(said)[-3:] == [
        "web.service was restarted: unhealthy",
        "< it was unhealthy after 3 failed checks in a row: curl: (7) refused / more",
        "web is well",
    ]
    assert said.facts[-1].at == NOW - 40


def test_what_a_release_did_to_its_units_is_said_of_the_unit_alone() -> None:
    start = Event(
        id=5,
        time=NOW - 99,
        kind=EventKind.STEP,
        step="restart",
        app="web",
        unit="web.service",
        reason="web.container changed",
    )
    assert lines(told(events=(start,))) == lines(told())
    said = lines(told(events=(start,), unit="web.service"))
    assert said[3:] == [
        "web.service was restarted: web.container changed",
        "< bbbbbbbb “use 1.2” came",
        CAME,
        "< a webhook told of it: pushed: b main",
        "web.service is active now",
    ]


def test_a_person_who_rolled_it_back_is_the_cause() -> None:
    first = rollout(OLD, NOW - 900, subject="use 1.1")
    hold = Hold(app="web", release=first.release, revision=OLD, instead_of=NEW, at=NOW - 20)
    event = Event(
        id=7,
        time=NOW - 20,
        kind=EventKind.HELD,
        app="web",
        revision=OLD,
        reason="a person rolled it back: broken",
    )
    said = told(
        applied=applied(first),
        rollouts=(first, LAST),
        held=hold,
        events=(event,),
        standing=msgspec.structs.replace(WELL, state=AppState.HELD, held=hold),
    )
    assert lines(said)[:2] == [
        "web runs aaaaaaaa “use 1.1” of source home, which passed its gate after 9s",
        "< a person rolled it back: broken, while its source asked for bbbbbbbb",
    ]
    assert said.facts[-1].command == "podvisor resume web"


def test_a_release_that_was_taken_back_is_told_with_its_reason() -> None:
    first = rollout(OLD, NOW - 900)
    failed = msgspec.structs.replace(LAST, outcome=Outcome.FAILED, reason="web.service failed")
    said = told(applied=applied(first), rollouts=(first, failed))
    newer = next(one for one in said.facts if one.about is FactKind.NEWER)
    reason = "bbbbbbbb “use 1.2” failed its gate and was taken back: web.service failed"
    assert (newer.text, newer.command) == (reason, "podvisor retry web")
    assert newer.causes[0].text == CAME.removeprefix("< ")


def test_a_refused_revision_is_told_as_long_as_it_is_refused() -> None:
    refused = Event(
        id=8,
        time=NOW - 5,
        kind=EventKind.REFUSED,
        ok=False,
        app="web",
        source="home",
        revision=NEW,
        subject="web.container:3",
        reason="no such key",
    )
    state = msgspec.structs.replace(WELL, state=AppState.REFUSED)
    text = "bbbbbbbb is refused (web.container:3): no such key"
    assert text in lines(told(events=(refused,), standing=state))
    assert text not in lines(told(events=(refused,)))


def test_orders_of_people_are_told() -> None:
    said = lines(
        told(
            suspensions=(Suspension(app="web", at=NOW - 9, reason="moving disks"),),
            scales=(Scale(app="web", unit="web@.service", replicas=3, instead_of=1, at=NOW - 8),),
            events=(
                Event(id=6, kind=EventKind.PINNED, app="web", subject="nginx:1", reason="at 1.2"),
            ),
        )
    )
    assert "a person has web left alone: moving disks" in said
    assert "a person asked for 3 replicas of web@.service, whose file says 1" in said
    assert "a person pinned an image: at 1.2" in said


def test_what_is_wrong_now_comes_last_with_what_to_type() -> None:
    incident = Incident(
        code=IncidentCode.UNIT_DOWN,
        app="web",
        subject="web.service",
        text="web.service is down (exit-code)",
        command="podvisor logs web.service -n 30",
        opened_at=NOW - 4,
    )
    fact = told(incidents=(incident,)).facts[-1]
    assert (fact.text, fact.at, fact.command) == (incident.text, NOW - 4, incident.command)


def test_without_a_daemon_nobody_says_how_it_is_now() -> None:
    said = lines(told(running=False, standing=None))
    assert said[-1] == "how web is now nobody can say: the daemon is not running"


def test_an_app_that_left_is_told_to_be_gone() -> None:
    removed = Event(
        id=3, time=NOW, kind=EventKind.REMOVED, app="web", reason="no longer in the source"
    )
    said = told(applied=None, rollouts=(), standing=None, events=(removed,))
    assert lines(said) == ["web is gone: no longer in the source"]


# Ledgers that are odd

moments = st.floats(allow_nan=False) | st.sampled_from([NOW - 102, NOW - 100, NOW, 0.0])
words = st.sampled_from(["", "web", "web.service", "home", OLD, NEW]) | st.text(max_size=20)
events = st.builds(
    Event,
    id=st.integers(0, 40),
    time=moments,
    kind=st.sampled_from(EventKind),
    ok=st.booleans(),
    app=words,
    unit=words,
    source=words,
    revision=words,
    step=st.sampled_from(["", "start", "restart", "stop", "pull", "odd"]),
    subject=words,
    reason=words,
    detail=words,
)
rollouts = st.builds(
    rollout,
    st.sampled_from([OLD, NEW]),
    moments,
    ended_at=moments,
    outcome=st.sampled_from(Outcome),
    subject=words,
    reason=words,
)
materials = st.builds(
    Material,
    app=st.just("web"),
    unit=st.sampled_from(["", "web.service"]),
    running=st.booleans(),
    standing=st.none() | st.just(WELL),
    applied=st.none() | st.builds(applied, rollouts),
    rollouts=st.lists(rollouts, max_size=3).map(tuple),
    events=st.lists(events, max_size=8).map(tuple),
    of_sources=st.lists(events, max_size=8).map(tuple),
)


@given(materials)
def test_however_odd_the_ledger_it_says_sentences(material: Material) -> None:
    said = why(material, NOW)
    for one in (part for fact in said.facts for part in (fact, *fact.causes)):
        assert one.text.strip()
        assert one.text.isprintable()
        assert one.at >= 0
    assert json.loads(msgspec.json.encode(said))["app"] == "web"


def test_what_is_on_trial_runs_and_what_was_before_was_good_last() -> None:
    before = rollout(OLD, NOW - 900, subject="use 1.1")
    trial = msgspec.structs.replace(LAST, outcome=Outcome.TRIAL, ended_at=0.0)
    told = why(
        msgspec.structs.replace(PLAIN, applied=applied(before), rollouts=(before, trial)), NOW
    )
    good, newer = (
        next(one.text for one in told.facts if one.about is about)
        for about in (FactKind.RELEASE, FactKind.NEWER)
    )
    assert good.startswith("web was last good at aaaaaaaa")
    assert newer.startswith("web runs bbbbbbbb “use 1.2”, which is on trial")
