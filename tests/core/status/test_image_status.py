"""How images stand: from what is asked of an app, what was tried, and what is known."""

import msgspec

from supervisor.core.status.image_status import Known, image_statuses, last_image_statuses
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.image import (
    HeldUpdate,
    ImageKnowledge,
    ImageOrder,
    ImageQuestion,
    ImageRule,
    ImageVersion,
    Pin,
    UpdateMode,
)
from supervisor.model.observed import AppliedApp
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.settings import ImageSettings
from supervisor.model.source import TreeFile

NGINX = ImageQuestion(image="docker.io/library/nginx:1.27")
OLD, NEW = (
    ImageVersion(runs=f"docker.io/library/nginx@sha256:{digit * 64}", tag="1.27") for digit in "ab"
)
PLACE = {"name": "web", "source": "home", "revision": "c0ffee", "root": "web"}


def unit(name, **more):
    return DesiredUnit(
        name=f"{name}.service",
        kind=UnitKind.CONTAINER,
        path=f"{name}.container",
        digest="",
        **more,
    )


def follows(name, update=None):
    rule = ImageRule(question=NGINX, path=f"{name}.container", update=update)
    return unit(name, image_rule=rule)


def deployment(*units, updates=()):
    app = DesiredApp(**PLACE, files=(), units=units, generator="")
    return Deployment(name="web", wanted=app, updates=updates)


def release(name, version, **more):
    pin = Pin(path="web.container", question=NGINX.key, runs=version.runs, tag=version.tag)
    return Rollout(**PLACE, files=(), release=name, pins=(pin,), began_at=1.0, **more)


def known(newest=NEW, **order):
    knowledge = ImageKnowledge(question=NGINX, newest=newest, asked_at=5.0, answered_at=5.0)
    orders = [ImageOrder(app="web", question=NGINX.key, at=1.0, **order)] if order else []
    return Known(
        knowledge=({NGINX.key: knowledge} if newest else {}).get,
        order={one.key: one for one in orders}.get,
        next_check_at=lambda key: 9.0 if key == NGINX.key else 0.0,
    )


def statuses(*given, rollouts=(), applied="", facts=None):
    last = AppliedApp(
        name="web",
        source="home",
        revision="c0ffee",
        content="",
        release=applied,
        applied_at=2.0,
        units={},
    )
    return list(image_statuses(*given, rollouts, last, facts or known()))


def test_units_of_one_question_are_one_image():
    (one,) = statuses(
        deployment(follows("web"), follows("admin")),
        rollouts=[release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0)],
        applied="one",
    )
    assert (one.app, one.image) == ("web", "docker.io/library/nginx:1.27")
    assert one.paths == ("web.container", "admin.container")
    assert one.running == OLD
    assert one.newer == NEW
    assert one.next_check_at == 9.0
    assert not one.on_trial


def test_what_is_on_trial_runs():
    good = release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0)
    (one,) = statuses(deployment(follows("web")), rollouts=[good, release("two", NEW)])
    assert one.running == NEW
    assert one.on_trial
    assert one.newer is None


def test_what_failed_does_not():
    good = release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0)
    failed = release("two", NEW, outcome=Outcome.FAILED, ended_at=3.0)
    update = HeldUpdate(
        app="web",
        question=NGINX.key,
        image=NGINX.image,
        version=NEW,
        why="web.service failed",
        failed=True,
    )
    (one,) = statuses(
        deployment(follows("web"), updates=(update,)), rollouts=[good, failed], applied="one"
    )
    assert one.running == OLD
    assert one.held == update


def test_what_cannot_be_pulled_waits():
    facts = msgspec.structs.replace(
        known(), pull_error=lambda runs: "nobody signed it" if runs == NEW.runs else ""
    )
    good = release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0)
    (one,) = statuses(deployment(follows("web")), rollouts=[good], applied="one", facts=facts)
    assert one.held
    assert (one.held.version, one.held.why) == (NEW, "nobody signed it")
    runs = release("two", NEW, outcome=Outcome.GOOD, ended_at=2.0)
    (one,) = statuses(deployment(follows("web")), rollouts=[runs], applied="two", facts=facts)
    assert one.held is None


def test_a_pin_is_told():
    (one,) = statuses(deployment(follows("web")), facts=known(pinned=OLD))
    assert one.pinned == OLD


def test_before_the_first_release_nothing_runs_and_before_the_first_answer_nothing_is_known():
    (one,) = statuses(deployment(follows("web")), facts=known(newest=None))
    assert one.running is None
    assert one.newer is None
    assert one.known == ImageKnowledge(question=NGINX)


def test_updates_that_are_off_are_told_and_nothing_is_asked_next():
    (one,) = statuses(deployment(follows("web"), follows("admin", UpdateMode.OFF)))
    assert one.off, "of several words on one image the most careful counts"
    assert one.known.question == NGINX
    assert one.next_check_at == 0.0
    facts = msgspec.structs.replace(known(), settings=ImageSettings(update=UpdateMode.OFF))
    assert [one.off for one in statuses(deployment(follows("web")), facts=facts)] == [True]
    unit = follows("web", UpdateMode.NOTIFY)
    assert [one.off for one in statuses(deployment(unit), facts=facts)] == [False]


def test_an_image_that_is_not_followed_is_told_with_what_it_is_here():
    tried = msgspec.structs.replace(
        release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0),
        pins=(),
        images={"docker.io/library/redis:7": "f" * 64},
    )
    (one,) = statuses(
        deployment(unit("cache", images=("docker.io/library/redis:7",))),
        rollouts=[tried],
        applied="one",
    )
    assert one.known is None
    assert one.running == ImageVersion(runs="f" * 64, tag="7")


def test_what_runs_is_of_the_former_revision_where_the_newest_was_taken_back():
    former, newest = (
        DesiredApp(
            **PLACE,
            files=(TreeFile(path="web.container", oid=image),),
            units=(unit("web", images=(f"docker.io/library/web:{image}",)),),
            generator="",
        )
        for image in ("good", "crash")
    )
    good = Rollout(
        **PLACE,
        files=former.files,
        release="one",
        images={"docker.io/library/web:good": "f" * 64},
        began_at=1.0,
        ended_at=2.0,
        outcome=Outcome.GOOD,
    )
    bad = msgspec.structs.replace(
        good,
        files=newest.files,
        release="two",
        images={},
        began_at=3.0,
        outcome=Outcome.FAILED,
    )
    reverted = Deployment(name="web", wanted=newest, last_good=former)
    (one,) = statuses(reverted, rollouts=[good, bad], applied="one")
    assert (one.image, one.running) == (
        "docker.io/library/web:good",
        ImageVersion(runs="f" * 64, tag="good"),
    )


def test_what_ran_last_is_told_by_what_was_tried():
    good = msgspec.structs.replace(
        release("one", OLD, outcome=Outcome.GOOD, ended_at=2.0),
        images={OLD.runs: "e" * 64, "docker.io/library/redis:7": "f" * 64},
    )
    followed, other = last_image_statuses("web", [good], "one", known(pinned=OLD))
    assert (followed.image, followed.running, followed.newer) == (NGINX.image, OLD, NEW)
    assert followed.pinned == OLD
    assert (other.image, other.known) == ("docker.io/library/redis:7", None)
    assert followed.held is None
    assert not list(last_image_statuses("web", [good], "none", known()))
    pin = Pin(path="web.container", question=NGINX.key, runs=NEW.runs, tag=NEW.tag)
    failed = release(
        "two", NEW, outcome=Outcome.FAILED, ended_at=3.0, reason="it is down", blamed=(pin,)
    )
    (followed, _) = last_image_statuses("web", [good, failed], "one", known())
    assert followed.held.failed
    assert followed.held.why == "it is down"
    silent = msgspec.structs.replace(failed, reason="")
    (followed, _) = last_image_statuses("web", [good, silent], "one", known())
    assert followed.held.failed
    (bare,) = last_image_statuses(
        "web", [release("one", OLD)], "one", Known(knowledge={}.get, order={}.get)
    )
    assert bare.image == NGINX.image
