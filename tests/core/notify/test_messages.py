"""What messages say."""

import msgspec
import pytest

from supervisor.core.notify.message import LONGEST_BODY, message_of, sample_message
from supervisor.core.notify.news import of_board, of_event, of_incidents
from supervisor.model.events import Event, EventKind
from supervisor.model.image import HeldUpdate, ImageVersion
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import Lasts, News
from supervisor.model.notify_settings import NotifyKind
from supervisor.model.pull_request import ProposalStatus
from supervisor.model.status import AppState, AppStatus


def problem(app="web", text="web.service is down (exit-code)", **more):
    return News(
        key=app, kind=NotifyKind.PROBLEM, lasts=Lasts.OPEN, app=app, text=text, since=1.0, **more
    )


def test_one_problem_is_told_with_all_that_is_known():
    one = problem(
        hint="look at its settings",
        command="podvisor logs web.service -n 30",
        log=("starting", "no such table: users"),
    )
    message = message_of([one], host="pi")
    assert message.title == "pi: web.service is down (exit-code)"
    assert message.body.splitlines() == [
        "web.service is down (exit-code)",
        "look at its settings",
        "Last lines:",
        "  starting",
        "  no such table: users",
        "Next: podvisor logs web.service -n 30",
    ]
    assert message.type == "failure"


def test_several_are_counted_and_named():
    batch = [problem(app) for app in ("a", "b", "c", "d", "e")]
    message = message_of(batch, host="pi")
    assert message.title == "pi: 5 problems: a, b, c and 2 more"
    assert message.body.count("is down") == 5


def test_of_too_many_each_has_a_line_and_the_rest_is_counted():
    log = tuple("x" * 200 for _ in range(20))
    batch = [problem(f"app{number}", hint="h" * 300, log=log) for number in range(50)]
    message = message_of(batch, host="pi", left_out=7)
    *lines, last = message.body.splitlines()
    assert len(message.body) <= LONGEST_BODY
    cut = 50 - len(lines)
    assert last == f"And {cut + 7} more: podvisor status ({cut} problems, 7 left out)"
    assert lines[0] == "app0: web.service is down (exit-code)"


def test_ends_are_good_news():
    end = problem(is_end=True)
    message = message_of([end], host="pi")
    assert message.type == "success"
    mixed = message_of([end, problem("db")], host="pi")
    assert mixed.title == "pi: 1 problem, 1 recovered: db, web"
    assert mixed.type == "failure"


def deployed(number):
    name = f"a{number:02}"
    return News(key=name, kind=NotifyKind.DEPLOYED, app=name, text=f"{name} runs 1234 of home")


def waiting(app="kept"):
    return News(key=app, kind=NotifyKind.WAITING, app=app, text=f"{app} waits", hint="say so")


@pytest.mark.parametrize("number", [1, 13, 22, 199])
def test_a_problem_comes_first_and_gives_way_to_no_good_news(number):
    bad = problem(
        "zoo", text="zoo.service is down", hint="look", command="podvisor why zoo", log=("a", "b")
    )
    batch = [*map(deployed, range(number)), problem("old", is_end=True), waiting(), bad]
    message = message_of(batch, host="pi")
    assert message.title.startswith(f"pi: 1 problem, 1 waits for you, {number} deployed, 1 rec")
    assert ": zoo, kept, a00" in message.title
    assert message.body.startswith(
        "zoo.service is down\nlook\nLast lines:\n  a\n  b\nNext: podvisor why zoo\n"
    )
    assert "kept waits\nsay so" in message.body
    last = message.body.splitlines()[-1]
    said = sum(f"a{one:02} runs" in message.body for one in range(number))
    if number > said:
        assert last == (
            f"And {number - said + 1} more: podvisor status ({number - said} deployed, 1 recovered)"
        )


def test_nothing_is_well_of_which_some_still_is():
    end = msgspec.structs.replace(
        problem("duo", text="one.service is no longer unhealthy, after 20s", is_end=True),
        kind=NotifyKind.RECOVERED,
    )
    two = msgspec.structs.replace(problem("duo", text="two.service is unhealthy"), key="two")
    other = problem("else", text="else.service is down")
    well = message_of([end], host="pi", open_now=[other])
    assert (well.title, well.type) == ("pi: duo is well again", "success")
    assert well.body == "duo: one.service is no longer unhealthy, after 20s"
    half = message_of([end], host="pi", open_now=[two, other])
    assert half.title == "pi: one problem of duo is over, 1 goes on"
    assert half.type == "warning"
    assert half.body.splitlines()[-1] == "Goes on: duo: two.service is unhealthy"
    third = msgspec.structs.replace(end, key="third")
    more = message_of([end, third], host="pi", open_now=[two])
    assert more.title == "pi: 2 over: duo; 1 goes on"
    assert more.type == "warning"


def test_what_was_deployed_and_is_not_well_any_more_is_not_praised():
    deployed = News(
        key="deployed duo", kind=NotifyKind.DEPLOYED, app="duo", text="duo runs a, which passed"
    )
    wrong = problem("duo", text="one.service is down")
    well = message_of([deployed], host="pi", open_now=[problem("else", text="x")])
    assert (well.title, well.type) == ("pi: duo was deployed", "info")
    bad = message_of([deployed], host="pi", open_now=[wrong])
    assert (bad.title, bad.type) == ("pi: duo was deployed, and is not well", "warning")
    assert bad.body.splitlines()[-1] == "Goes on: duo: one.service is down"


def test_what_is_said_of_an_end_says_what_is_so_now():
    for code in IncidentCode:
        one = Incident(code=code, app="web", subject="x", text="x is down", opened_at=5.0)
        for news in of_incidents({one.key: one}).values():
            assert news.end
            assert "{" not in news.end
            assert "is down" not in news.end


@pytest.mark.parametrize(
    ("wrote", "never"),
    [
        ("hello @everyone", "@everyone"),
        ("<!channel> look", "<!channel"),
        ("<@123>", "<@123"),
        ("a\x1b[2Jb", "\x1b"),
        ("a\u202eb", "\u202e"),
        ("a\r\nSubject: b", "\r"),
    ],
)
def test_nothing_that_others_wrote_does_anything(wrote, never):
    one = problem(wrote, text=wrote, hint=wrote, command=wrote, log=(wrote,))
    message = message_of([one], host="pi")
    assert never not in message.title + message.body
    assert "\n" not in message.title


def test_names_of_units_stay_as_they_are_typed():
    one = problem(command="podvisor logs web@1.service")
    assert "podvisor logs web@1.service" in message_of([one], host="pi").body


def test_a_test_says_that_it_is_one():
    message = sample_message("phone", host="pi")
    assert "test" in message.title
    assert "notifier phone" in message.body


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (IncidentCode.APP_REFUSED, NotifyKind.PROBLEM),
        (IncidentCode.APP_REVERTED, NotifyKind.REVERTED),
        (IncidentCode.SOURCE_UNREADABLE, NotifyKind.PROBLEM),
    ],
)
def test_each_incident_has_a_kind(code, kind):
    one = Incident(code=code, subject="home", text="why", opened_at=5.0)
    (news,) = of_incidents({one.key: one}).values()
    assert (news.kind, news.since, news.lasts) == (kind, 5.0, Lasts.OPEN)
    assert bool(news.about) == (code is IncidentCode.SOURCE_UNREADABLE)


def test_every_code_of_incidents_has_a_kind():
    kinds = {code: of_code(code) for code in IncidentCode}
    certificates = {code for code, kind in kinds.items() if kind is NotifyKind.CERTIFICATE}
    assert certificates == {code for code in IncidentCode if "certificate" in code}
    disks = {code for code, kind in kinds.items() if kind is NotifyKind.DISK}
    assert disks == {code for code in IncidentCode if "disk" in code}


def of_code(code):
    one = Incident(code=code, text="why")
    return next((news.kind for news in of_incidents({one.key: one}).values()), None)


def held(**more):
    version = ImageVersion(runs="docker.io/library/nginx@sha256:" + "a" * 64, tag="1.28")
    return HeldUpdate(
        app="web",
        question="nginx ^1",
        image="docker.io/library/nginx:1.27",
        version=version,
        **more,
    )


def board(*updates, state=AppState.READY, proposals=None):
    app = AppStatus(name="web", source="home", state=state, updates=updates)
    return list(of_board([app], proposals or {}))


def test_what_waits_for_time_and_what_for_a_person():
    (timed,) = board(held(why="it is too new (cooldown)", until=9.0, early=True))
    assert (timed.kind, timed.also, timed.until) == (NotifyKind.UPDATE, None, 9.0)
    (shown,) = board(held(why="update is notify", early=True))
    assert (shown.kind, shown.also) == (NotifyKind.UPDATE, NotifyKind.WAITING)
    assert shown.command == "podvisor update web --now"
    assert not board(held(why="it failed", failed=True)), "that is an incident"
    (kept,) = board(state=AppState.KEPT)
    assert kept.kind is NotifyKind.WAITING
    proposal = ProposalStatus(name="pull request #5", url="https://git.example/5")
    (pull,) = board(proposals={"home": proposal})
    assert pull.kind is NotifyKind.WAITING
    assert "pull request #5 waits for you" in pull.text
    assert pull.hint == "https://git.example/5"


def test_what_is_news_of_the_event_log():
    applied = Event(
        kind=EventKind.APPLIED, app="web", source="home", revision="a" * 40, reason="new"
    )
    news = of_event(applied)
    assert news.text == "web runs aaaaaaaa of home, which passed its gate (new)"
    whose = of_event(msgspec.structs.replace(applied, author="Ann"))
    assert whose.text == "web runs aaaaaaaa (author “Ann”) of home, which passed its gate (new)"
    ordered = of_event(msgspec.structs.replace(applied, by="anna (page)"))
    assert (
        ordered.text
        == "web runs aaaaaaaa of home as anna (page) ordered, which passed its gate (new)"
    )
    assert of_event(Event(kind=EventKind.STEP, app="web")) is None
    assert of_event(Event(kind=EventKind.STARTED, code="started", reason="podvisor 1")) is None
    for code in ("started-crashed", "started-power-lost"):
        crash = of_event(Event(kind=EventKind.STARTED, code=code, reason="podvisor 1; killed"))
        assert (crash.kind, crash.text) == (
            NotifyKind.CRASH,
            "podvisor runs again: podvisor 1; killed",
        )
    removed = of_event(Event(kind=EventKind.REMOVED, app="web", reason="no longer in the source"))
    assert removed.text == "web was removed: no longer in the source"
    assert removed.command == "podvisor events web", "of its releases nothing is left"
    assert removed.key == news.key


def test_lines_in_a_headline_are_still_told_apart():
    message = message_of([problem(text="web failed: cannot open /data\ngiving up")], host="pi")
    assert message.title == "pi: web failed: cannot open /data / giving up"
