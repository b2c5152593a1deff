"""Which version of an image an app runs, and what keeps a newer one from it."""

from datetime import UTC

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.core.desired.pinned import with_pins
from supervisor.core.health.release import images_between
from supervisor.core.images.choose import Choosing, Standing, failed_images
from supervisor.core.images.rules import effective
from supervisor.model.app import Candidate
from supervisor.model.image import (
    ImageAhead,
    ImageKnowledge,
    ImageOrder,
    ImagePolicy,
    ImageQuestion,
    ImageRule,
    ImageVersion,
    Pin,
    PolicyKind,
    UpdateMode,
)
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import ImageSettings, ImageUpdateSettings
from supervisor.model.source import TreeFile

NOW = 1_000_000.0
"""Monday, 12 January 1970, 13:46:40."""
WEB, DB = ImageQuestion(image="reg.example/web:1"), ImageQuestion(image="reg.example/db:1")
FILES = ("web.container", "worker.container", "db.container")
ASKS = {"web.container": WEB, "worker.container": WEB, "db.container": DB}
DEFAULTS = ImageSettings()
RULES = tuple(ImageRule(question=ASKS[path], path=path) for path in FILES)


def runs(question, letter):
    return f"{question.image.rpartition(':')[0]}@sha256:{letter * 64}"


def candidate(text, web="", db=""):
    """The app with these files, and these versions of its images, if any."""
    files = tuple(TreeFile(path, text) for path in sorted(FILES))
    made = Candidate(name="web", source="home", revision=f"r{text}", root="web", files=files)
    chosen = {WEB: web, DB: db}
    return with_pins(
        made,
        [
            Pin(path=path, question=asked.key, runs=runs(asked, chosen[asked]))
            for path, asked in ASKS.items()
            if chosen[asked]
        ],
    )


def tried(app, outcome=Outcome.GOOD, *, at=1.0, ended_at=2.0, blamed=(), superseded=False):
    return Rollout.of(
        app,
        release=f"{app.content}{outcome}",
        began_at=at,
        ended_at=ended_at,
        outcome=outcome,
        blamed=blamed,
        superseded=superseded,
    )


def knows(question, letter, **more):
    version = ImageVersion(runs=runs(question, letter), seen_at=NOW - 10, **more)
    return ImageKnowledge(question=question, newest=version)


def choosing(*known, settings=DEFAULTS):
    return Choosing(
        knowledge={one.question.key: one for one in known},
        settings=settings,
        now=NOW,
        zone=UTC,
    )


def standing(text="1", good=None, rollouts=(), **more):
    return Standing(
        app="web", base=candidate(text).base, good=good, rollouts=tuple(rollouts), **more
    )


def chosen(choice):
    return {pin.path: pin.runs[-1] for pin in choice.pins}


def test_what_is_not_known_is_said():
    choice = choosing(knows(WEB, "a")).choose(RULES, standing())
    assert chosen(choice) == {"web.container": "a", "worker.container": "a"}
    assert [one.path for one in choice.unknown] == ["db.container"]


def test_what_runs_stays_where_nothing_is_known():
    good = candidate("1", "a", "b")
    choice = choosing().choose(RULES, standing(good=good))
    assert choice.pins == list(good.pins)
    assert not choice.unknown


@pytest.mark.parametrize(
    ("idle", "runs"),
    [((), "c"), (("web.container",), "c"), (("web.container", "worker.container"), "a")],
)
def test_what_nothing_runs_of_moves_with_the_first_that_does(idle, runs):
    good = candidate("1", "a", "b")
    choice = choosing(knows(WEB, "c")).choose(RULES, standing(good=good, idle=idle))
    assert chosen(choice)["worker.container"] == runs
    assert [one.why[:22] for one in choice.updates] == (
        ["nothing of it runs, as"] if runs == "a" else []
    )


def test_units_of_one_image_move_together():
    good = candidate("1", "a", "b")
    choice = choosing(knows(WEB, "c")).choose(RULES, standing(good=good))
    assert chosen(choice) == {"web.container": "c", "worker.container": "c", "db.container": "b"}


def test_a_unit_that_comes_runs_what_the_others_of_its_image_run():
    good = candidate("1", "a", "b")
    good = msgspec.structs.replace(good, pins=good.pins[:2])  # the worker was not there yet
    choice = choosing(knows(WEB, "c"), knows(DB, "b")).choose(RULES, standing("2", good=good))
    assert chosen(choice) == {"web.container": "a", "worker.container": "a", "db.container": "b"}


@pytest.mark.parametrize(
    ("settings", "more", "why", "until"),
    [
        (ImageSettings(update=UpdateMode.NOTIFY), {}, "update is notify", 0),
        (ImageSettings(cooldown=Seconds(60)), {}, "cooldown", NOW + 50),
        (ImageSettings(cooldown=Seconds(60)), {"pushed_at": NOW - 20}, "cooldown", NOW + 40),
        (ImageSettings(window="Mon 14:00..15:00"), {}, "Mon 14:00..15:00", NOW + 800),
    ],
)
def test_what_comes_too_early_waits_and_a_person_may_pass_it(settings, more, why, until):
    good = candidate("1", "a", "b")
    asked = choosing(knows(WEB, "c", **more), settings=settings)
    choice = asked.choose(RULES, standing(good=good))
    assert choice.pins == list(good.pins)
    (held,) = choice.updates
    assert why in held.why
    assert (held.until, choice.look_at) == (until, until)
    order = ImageOrder(app="web", question=WEB.key, now=runs(WEB, "c"), at=NOW)
    choice = asked.choose(RULES, standing(good=good, orders={WEB.key: order}))
    assert chosen(choice)["web.container"] == "c"


def test_a_download_is_had_ahead():
    settings = ImageSettings(update=UpdateMode.DOWNLOAD)
    good = candidate("1", "a", "b")
    choice = choosing(knows(WEB, "c"), settings=settings).choose(RULES, standing(good=good))
    assert choice.ahead == [ImageAhead(image=runs(WEB, "c"))]
    assert not choice.soon


def test_what_is_newer_and_may_run_is_had_soon():
    good = candidate("1", "a", "b")
    choice = choosing(knows(WEB, "c"), knows(DB, "b")).choose(RULES, standing(good=good))
    assert choice.soon == [ImageAhead(image=runs(WEB, "c"))]
    assert not choice.ahead


def test_what_is_on_trial_goes_on_though_its_window_closed():
    good, trial = candidate("1", "a", "b"), candidate("1", "c", "b")
    asked = choosing(knows(WEB, "c"), settings=ImageSettings(window="Mon 14:00..15:00"))
    on = tried(trial, Outcome.TRIAL, at=2.0, ended_at=0.0)
    choice = asked.choose(RULES, standing(good=good, rollouts=[tried(good), on]))
    assert chosen(choice)["web.container"] == "c"


@pytest.mark.parametrize(("tag", "moves"), [("1.3.9", False), ("1.4.3", True), ("1.4.2", True)])
def test_an_older_version_is_not_taken_for_a_newer_one(tag, moves):
    asked = ImageQuestion(image=WEB.image, policy=ImagePolicy(kind=PolicyKind.SEMVER, pattern="^1"))
    pin = Pin(path="web.container", question=asked.key, runs=runs(WEB, "a"), tag="1.4.2")
    good = msgspec.structs.replace(candidate("1"), pins=(pin,))
    here = Standing(app="web", base=good.base, good=good)
    rule = ImageRule(question=asked, path="web.container")
    choice = choosing(knows(asked, "c", tag=tag)).choose([rule], here)
    assert chosen(choice)["web.container"] == ("c" if moves else "a")
    assert bool(choice.updates) is not moves
    said = [one.why for one in choice.updates]
    assert all(f"podvisor pin web reg.example/web {tag}" in one for one in said)


def test_what_an_edited_policy_finds_runs_at_once_and_the_pin_was_of_the_former_one():
    edited = msgspec.structs.replace(WEB, policy=ImagePolicy(kind=PolicyKind.NEWEST))
    rule = ImageRule(question=edited, path="web.container")
    pinned = ImageVersion(runs=runs(WEB, "a"))
    order = ImageOrder(app="web", question=WEB.key, at=1.0, pinned=pinned)
    here = standing("2", good=candidate("1", "a"), orders={WEB.key: order})
    careful = ImageSettings(
        update=UpdateMode.NOTIFY, cooldown=Seconds(3_600), window="Sun 03:00..05:00"
    )
    choice = choosing(knows(edited, "c"), settings=careful).choose([rule], here)
    assert chosen(choice) == {"web.container": "c"}
    assert not choice.updates


def test_a_pinned_version_stays_and_the_newer_one_is_shown():
    pinned = ImageVersion(runs=runs(WEB, "d"))
    order = ImageOrder(app="web", question=WEB.key, pinned=pinned, at=NOW)
    choice = choosing(knows(WEB, "c"), knows(DB, "b")).choose(
        RULES, standing(good=candidate("1", "a", "b"), orders={WEB.key: order})
    )
    assert chosen(choice)["web.container"] == "d"
    assert choice.updates[0].version.runs == runs(WEB, "c")


def test_what_runs_does_not_wait_where_the_pinned_version_failed():
    pinned = ImageVersion(runs=runs(WEB, "d"))
    order = ImageOrder(app="web", question=WEB.key, pinned=pinned, at=NOW)
    good = candidate("1", "c", "b")
    bad = tried(candidate("1", "d", "b"), Outcome.FAILED)
    choice = choosing(knows(WEB, "c"), knows(DB, "b")).choose(
        RULES, standing(good=good, rollouts=[bad], orders={WEB.key: order})
    )
    assert chosen(choice)["web.container"] == "d"
    assert not choice.updates


def test_the_most_careful_of_several_words_counts():
    rules = (
        msgspec.structs.replace(RULES[0], cooldown=5.0),
        msgspec.structs.replace(RULES[1], update=UpdateMode.NOTIFY),
    )
    choice = choosing(knows(WEB, "c")).choose(rules, standing(good=candidate("1", "a", "b")))
    assert "notify" in choice.updates[0].why


def test_a_unit_beats_its_image_that_beats_its_app_and_that_beats_the_rest():
    settings = ImageSettings(
        cooldown=Seconds(1),
        keep=9,
        by_app={"web": ImageUpdateSettings(cooldown=Seconds(2), window="w")},
        by_image={"reg.example/w*": ImageUpdateSettings(cooldown=Seconds(3))},
    )
    terms = effective(msgspec.structs.replace(RULES[0], cooldown=4.0), "web", settings)
    assert (terms.cooldown, terms.window, terms.keep) == (4.0, "w", 9)
    assert effective(RULES[0], "web", settings).cooldown == 3.0
    assert effective(RULES[2], "web", settings).cooldown == 2.0
    assert effective(RULES[2], "db", settings).cooldown == 1.0


B = candidate("1", "b")


@pytest.mark.parametrize(
    ("superseded", "between", "still", "runs_now"),
    [
        (True, [], "", "b"),
        (False, [], "", "a"),  # a person gave it up
        (True, [], "the app is held", "a"),
        (True, [tried(B, Outcome.FAILED, blamed=B.pins)], "", "a"),
        (True, [tried(candidate("1", "a"))], "", "a"),  # it is older than what is good now
    ],
)
def test_what_was_given_up_for_a_newer_one_that_failed_is_tried_again(
    superseded, between, still, runs_now
):
    good, newest = candidate("1", "a"), candidate("1", "c")
    cut = tried(B, Outcome.TRIAL, superseded=superseded)
    failed = tried(newest, Outcome.FAILED, blamed=images_between(good, newest))
    here = standing(good=good, rollouts=[tried(good), cut, *between, failed], still=still)
    choice = choosing(knows(WEB, "c")).choose(RULES[:1], here)
    assert chosen(choice) == {"web.container": runs_now}
    assert [one.failed for one in choice.updates] == [True]


LETTERS = st.sampled_from("abcd")
APPS = st.builds(candidate, st.sampled_from("12"), LETTERS, LETTERS)
OUTCOMES = st.sampled_from(list(Outcome))


@given(
    good=st.none() | APPS,
    history=st.lists(st.tuples(APPS, OUTCOMES, st.booleans()), max_size=5),
    text=st.sampled_from("12"),
    newest=st.tuples(st.none() | LETTERS, st.none() | LETTERS),
    still=st.sampled_from(["", "the app is held"]),
)
@example(  # it failed without a word
    good=candidate("2", "a", "a"),
    history=[(candidate("2", "c", "a"), Outcome.FAILED, False)],
    text="2",
    newest=("c", None),
    still="",
)
def test_no_choice_changes_two_things_or_tries_twice_what_failed(
    good, history, text, newest, still
):
    known = [knows(asked, one) for asked, one in zip((WEB, DB), newest, strict=True) if one]
    rollouts = [
        tried(app, outcome, at=float(n), blamed=images_between(good, app), superseded=superseded)
        for n, (app, outcome, superseded) in enumerate(history)
    ]
    here = standing(text, good=good, rollouts=rollouts, still=still)
    choice = choosing(*known).choose(RULES, here)
    answered = [pin.path for pin in choice.pins] + [one.path for one in choice.unknown]
    assert sorted(answered) == sorted(FILES)
    for asked in (WEB, DB):
        assert len({pin.runs for pin in choice.pins if pin.question == asked.key}) <= 1
    if good is None:
        questions = [one.question for one in known]
        assert len(choice.unknown) == sum(ASKS[path] not in questions for path in FILES)
        return
    assert not choice.unknown
    moved = {(pin.question, pin.runs) for pin in choice.pins} - {
        (pin.question, pin.runs) for pin in good.pins
    }
    on_trial = {
        (pin.question, pin.runs)
        for one in rollouts
        if one.outcome is Outcome.TRIAL and not one.ended_at
        for pin in one.pins
    }
    if still or good.base != here.base:
        assert moved <= on_trial
    assert not moved & failed_images(rollouts).keys()


def test_where_updates_are_off_what_runs_stays_and_a_new_app_runs_what_its_file_says():
    settings = ImageSettings(update=UpdateMode.OFF)
    good = candidate("1", "a", "b")
    choice = choosing(knows(WEB, "c"), settings=settings).choose(RULES, standing(good=good))
    assert (choice.pins, choice.updates, choice.unknown) == (list(good.pins), [], [])
    choice = choosing(settings=settings).choose(RULES, standing())
    assert (choice.pins, choice.updates, choice.unknown) == ([], [], [])
