"""Secrets of apps, from their files to the units that use them."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.health import Health
from supervisor.model.status import AppState
from tests.words import waiting

CANARY = "c4n4ry-in-clear"
AGE = "[Secret]\nSource=age:db.age\n"


def sealed(text):
    return f"age-encryption.org/sealed:{text}"


APP = {
    "apps/web/web.container": "secret=db",
    "apps/web/side.container": "v1",
    "apps/web/db.secret": AGE,
    "apps/web/db.age": sealed(CANARY),
}


async def settle(daemon):
    """What the watches saw is seen to."""
    await anyio.sleep(2)
    await daemon.queue.wait_idle()


def steps(world, step):
    return [event for event in world.events(EventKind.STEP) if event.step == step]


async def test_a_secret_is_made_before_the_unit_that_uses_it(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        assert world.podman.secrets == {"db": CANARY.encode()}
        assert world.machine.running.keys() == {"web.service", "side.service"}
        names = [event.step for event in world.events(EventKind.STEP)]
        assert names.index("put-secrets") < names.index("write") < names.index("start")
        assert daemon.board.apps["web"].state is AppState.READY
        (put,) = steps(world, "put-secrets")
        assert (put.subject, put.reason) == ("db", "db is not there")


async def test_a_pass_that_finds_nothing_to_do_opens_nothing(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        opened = list(world.decryptor.opened)
        daemon.queue.add("app:web", "resync")
        await daemon.queue.wait_idle()
        assert world.decryptor.opened == opened
        assert not steps(world, "restart")


async def test_a_changed_secret_restarts_its_users_only_and_once(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await world.push(daemon, {**APP, "apps/web/db.age": sealed("another")})
        assert world.podman.secrets["db"] == b"another"
        (restart,) = steps(world, "restart")
        assert (restart.unit, restart.reason) == ("web.service", "secret db changed")


async def test_a_file_encrypted_anew_with_the_same_content_restarts_nothing(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        # The fake decryptor opens both to the same text; what was made is another secret to Podman.
        await world.push(daemon, {**APP, "apps/web/db.secret": f"# moved\n{AGE}"})
        again = {**APP, "apps/web/db.secret": AGE.replace("db.age", "b.age")}
        again["apps/web/b.age"] = again.pop("apps/web/db.age")
        await world.push(daemon, again)
        assert not steps(world, "restart")
        assert daemon.board.apps["web"].state is AppState.READY


async def test_a_secret_that_cannot_be_opened_leaves_all_as_it_is(world):
    async with world.running() as daemon:
        await world.push(
            daemon,
            {
                **APP,
                "apps/web/b.secret": "[Secret]\nSource=age:b.age\n",
                "apps/web/b.age": sealed(1),
            },
        )
        await world.push(
            daemon,
            {
                **APP,
                "apps/web/web.container": "secret=db changed",
                "apps/web/db.age": sealed("new"),
                "apps/web/b.secret": "[Secret]\nSource=age:b.age\n",
                "apps/web/b.age": "age-encryption.org/damaged",
            },
        )
        assert world.podman.secrets["db"] == CANARY.encode(), "none, if not all"
        assert not steps(world, "restart")
        status = daemon.board.apps["web"]
        assert status.state is AppState.REFUSED
        (found,) = status.findings
        assert "apps/web/b.secret: cannot open b.age" in str(found)
        world.systemd.dies("web.service")
        await settle(daemon)
        assert "web.service" in world.machine.running, "the last good state is repaired meanwhile"
        await world.push(daemon, {**APP, "apps/web/db.age": sealed("new")})
        assert daemon.board.apps["web"].state is AppState.READY
        assert world.podman.secrets["db"] == b"new"


async def test_a_missing_secret_stops_its_app_until_somebody_makes_it(world):
    async with world.running() as daemon:
        await world.push(
            daemon, {"apps/web/web.container": "secret=token", "apps/b/b.container": ""}
        )
        assert world.machine.running.keys() == {"b.service"}
        (found,) = daemon.board.apps["web"].findings
        assert (found.path, found.line) == ("apps/web/web.container", 1)
        assert "podman secret create token -" in found.hint
        world.podman.has_secret("token", b"1")
        await settle(daemon)
        assert daemon.board.apps["web"].state is AppState.READY
        assert "web.service" in world.machine.running


async def test_a_secret_that_is_taken_away_is_made_again_and_one_by_hand_is_missed(world):
    async with world.running() as daemon:
        world.podman.has_secret("token", b"1")
        await world.push(daemon, {**APP, "apps/hand/hand.container": "secret=token"})
        world.podman.loses_secret("db")
        world.podman.loses_secret("token")
        await settle(daemon)
        assert world.podman.secrets == {"db": CANARY.encode()}
        assert daemon.board.apps["web"].state is AppState.READY
        assert daemon.board.apps["hand"].state is AppState.REFUSED
        assert world.machine.running.keys() >= {"hand.service"}, "what runs keeps running"
        world.systemd.dies("hand.service")
        await settle(daemon)
        assert world.systemd.jobs.count(("start", "hand.service")) == 1, "it would fail"
        assert "secret token" in str(daemon.board.apps["hand"].findings)
        world.podman.has_secret("token", b"1")
        await settle(daemon)
        assert "hand.service" in world.machine.running


async def test_a_secret_that_is_not_podvisors_is_never_overwritten(world):
    async with world.running() as daemon:
        world.podman.has_secret("db", b"mine")
        await world.push(daemon, APP)
        assert world.podman.secrets == {"db": b"mine"}
        (found,) = daemon.board.apps["web"].findings
        assert "not podvisor's" in found.message
        assert (found.path, found.line) == ("apps/web/db.secret", 2)


async def test_one_app_uses_what_another_describes(world):
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/a/a.container": "secret=db"})
        assert world.machine.running.keys() == {"a.service", "web.service", "side.service"}
        await world.push(
            daemon, {**APP, "apps/a/a.container": "secret=db", "apps/web/db.age": sealed(2)}
        )
        assert {event.unit for event in steps(world, "restart")} == {"a.service", "web.service"}


async def test_what_waits_for_anothers_secret_leaves_those_that_are_used_as_they_are(world):
    later = {
        "apps/web/db.age": sealed("another"),
        "apps/web/new.container": "secret=late",
        "apps/late/late.container": "secret=late image=img:late",
        "apps/late/late.secret": AGE.replace("db.age", "late.age"),
        "apps/late/late.age": sealed("at last"),
    }
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await world.push(daemon, APP | later)
        for _ in range(4):
            daemon.queue.add("app:web")
            await settle(daemon)
        assert world.podman.secrets["db"] == CANARY.encode()
        assert not steps(world, "restart")
        assert "secret late of app late" in waiting(daemon.board.apps["web"])
        world.podman.registry.add("img:late")
        await anyio.sleep(1000)
        assert world.podman.secrets == {"db": b"another", "late": b"at last"}
        assert [event.unit for event in steps(world, "restart")] == ["web.service"]
        assert daemon.board.apps["web"].state is AppState.READY


async def test_two_apps_that_describe_a_secret_for_each_other_come_up(world):
    def one(name, other):
        return {
            f"apps/{name}/{name}.container": f"secret={other}",
            f"apps/{name}/{name}.secret": AGE.replace("db.age", f"{name}.age"),
            f"apps/{name}/{name}.age": sealed(name),
        }

    async with world.running() as daemon:
        await world.push(daemon, one("a", "b") | one("b", "a"))
        await settle(daemon)
        assert world.machine.running.keys() == {"a.service", "b.service"}


async def test_a_secret_leaves_with_its_file(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        rest = {"apps/web/web.container": "v2", "apps/web/side.container": "v1"}
        await world.push(daemon, rest)
        assert world.podman.secrets == {}
        assert "secret=db" not in str(world.machine.files)
        (gone,) = steps(world, "remove-secret")
        assert (gone.subject, gone.reason) == ("db", "no longer in the source")


async def test_a_secret_leaves_with_its_app(world):
    async with world.running() as daemon:
        world.podman.has_secret("others", b"1")
        await world.push(daemon, {**APP, "apps/b/b.container": ""})
        await world.push(daemon, {"apps/b/b.container": ""})
        assert world.podman.secrets == {"others": b"1"}


async def test_a_secret_moves_to_an_app_of_another_name(world):
    async with world.running() as daemon:
        generated = {**APP, "apps/web/key.secret": "[Secret]\nGenerate=32\n"}
        await world.push(daemon, {**generated, "apps/b/b.container": ""})
        moved = {path.replace("apps/web", "apps/site"): text for path, text in generated.items()}
        await world.push(daemon, {**moved, "apps/b/b.container": ""})
        assert world.podman.secrets == {"db": CANARY.encode(), "key": b"generated-1"}
        assert {one["io.podvisor.app"] for one in world.podman.labels.values()} == {"site"}
        assert daemon.board.apps["site"].state is AppState.READY


async def test_a_generated_secret_is_made_once_and_stays(world):
    generated = {
        "apps/web/web.container": "secret=key",
        "apps/web/key.secret": "[Secret]\nGenerate=32\n",
        "apps/b/b.container": "",
    }
    async with world.running() as daemon:
        await world.push(daemon, generated)
        assert world.podman.secrets == {"key": b"generated-1"}
        longer = {**generated, "apps/web/key.secret": "[Secret]\nGenerate=64\n"}
        await world.push(daemon, longer)
        await world.push(daemon, {"apps/b/b.container": ""})
        await world.push(daemon, generated)
        assert world.podman.secrets == {"key": b"generated-1"}
        assert not steps(world, "restart")
        assert not steps(world, "remove-secret")


async def test_a_rotated_secret_restarts_its_users(world):
    async with world.running() as daemon:
        await world.push(
            daemon,
            {
                "apps/web/web.container": "secret=key",
                "apps/web/key.secret": "[Secret]\nGenerate=32\n",
                "apps/b/b.container": "secret=key",
                "apps/b/c.container": "",
            },
        )
        await daemon.service.rotate("key")
        assert world.podman.secrets == {"key": b"generated-2"}
        assert {event.unit for event in steps(world, "restart")} == {"web.service", "b.service"}
        assert {event.reason for event in steps(world, "restart")} == {"secret key changed"}


async def test_what_is_encrypted_is_rotated_where_it_is(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        with pytest.raises(Stalled, match="cannot rotate db") as caught:
            await daemon.service.rotate("db")
        assert "podvisor secret edit apps/web/db.age" in caught.value.hint
        with pytest.raises(Stalled, match="no app describes such a secret"):
            await daemon.service.rotate("nothing")


async def test_one_app_that_cannot_be_opened_keeps_no_other(world):
    many = {}
    for n in range(5):
        many |= {
            path.replace("web", f"w{n}").replace("db.", f"d{n}."): text
            for path, text in APP.items()
        }
        many[f"apps/w{n}/d{n}.secret"] = f"[Secret]\nSource=age:d{n}.age\n"
        many[f"apps/w{n}/w{n}.container"] = f"secret=d{n}"
        many[f"apps/w{n}/s{n}.container"] = many.pop(f"apps/w{n}/side.container")
    many["apps/w3/d3.age"] = "age-encryption.org/damaged"
    async with world.running() as daemon:
        await world.push(daemon, many)
        states = {name: one.state for name, one in daemon.board.apps.items()}
        assert states.pop("w3") is AppState.REFUSED
        assert set(states.values()) == {AppState.READY}
        assert world.podman.secrets.keys() == {"d0", "d1", "d2", "d4"}


async def test_how_secrets_stand(world):
    async with world.running() as daemon:
        world.podman.has_secret("token", b"1")
        await world.push(
            daemon,
            {
                **APP,
                "apps/hand/hand.container": "secret=token",
                "apps/lack/lack.container": "secret=none",
            },
        )
        told = {one.name: one for one in (await daemon.service.secrets()).secrets}
        assert {name: str(one.state) for name, one in told.items()} == {
            "db": "current",
            "none": "missing",
            "token": "made by hand",
        }
        assert (told["db"].source, told["db"].units) == ("age:db.age", ("web.service",))


async def test_a_clear_text_is_nowhere(world, caplog):
    async with world.running() as daemon:
        plans = []
        await world.push(daemon, APP)
        plans.append(await daemon.service.plan([]))
        world.podman.loses_secret("db")
        plans.append(await daemon.service.plan([]))
        await settle(daemon)
        told = [
            *map(msgspec.json.encode, plans),
            msgspec.json.encode(daemon.service.status()),
            msgspec.json.encode(await daemon.service.secrets()),
            *map(msgspec.json.encode, world.events()),
            world.path.read_bytes(),
            *(path.read_bytes() for path in world.path.parent.iterdir()),
            caplog.text.encode(),
            repr(world.podman.labels).encode(),
            repr(daemon).encode(),
        ]
    assert any(b"put-secrets" in one for one in told)
    for one in told:
        assert CANARY.encode() not in one


async def test_a_failing_revision_with_another_secret_is_taken_back_once(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        bad = {"apps/web/web.container": "secret=db dies", "apps/web/db.age": sealed("another")}
        await world.push(daemon, APP | bad)
        await anyio.sleep(600)
        assert daemon.board.apps["web"].state is AppState.REVERTED
        assert world.podman.secrets["db"] == CANARY.encode()
        assert world.podman.puts == ["db"] * 3
        assert len(world.events(EventKind.REVERTED)) == 1
        assert "web.service" in world.machine.running


LOUD = APP | {
    "apps/web/web.container": "secret=db reads=conf can=reload onchange=reload",
    "apps/web/conf": "1",
}
PRINTS = {
    "a start": ("web.service", {"apps/web/web.container": "secret=db v2 dies"}),
    "a loop": ("web.service", {"apps/web/web.container": "secret=db v2 loops=2"}),
    "a health check": ("web.service", {"apps/web/web.container": "secret=db v2 health=30"}),
    "a reload": ("web.service", {"apps/web/conf": "2"}),
    "a job": ("job.service", {"apps/web/job.container": "job=yes v2"}),
    "a build": ("podvisor-img-build.service", {"apps/web/img.build": "v2 unbuildable"}),
}


async def everything_told(world, daemon, caplog):
    return [
        msgspec.json.encode(daemon.service.status()),
        repr(await daemon.service.history("web")).encode(),
        *map(msgspec.json.encode, world.events()),
        *(path.read_bytes() for path in world.path.parent.iterdir()),
        caplog.text.encode(),
    ]


@pytest.mark.parametrize("unreadable", [False, True], ids=["known", "not-to-be-read"])
@pytest.mark.parametrize("what", PRINTS)
async def test_a_secret_that_a_failing_program_prints_is_nowhere(world, caplog, what, unreadable):
    unit, change = PRINTS[what]
    said = f"password {CANARY} failed"
    async with world.running() as daemon:
        await world.push(daemon, LOUD)
        world.systemd.said[unit] = said
        world.podman.unreadable = unreadable
        if what in ("a job", "a reload"):
            world.machine.broken.add(unit)
        await world.push(daemon, LOUD | change)
        if what == "a health check":
            world.machine.answers(unit, Health.UNHEALTHY, streak=3, output=said)
        seen = []
        for _ in range(10):
            await anyio.sleep(20)
            seen += await everything_told(world, daemon, caplog)
    for one in seen:
        assert CANARY.encode() not in one
    shown = "its words are withheld" if unreadable else "password … failed"
    assert any(shown.encode() in one for one in seen)


@pytest.mark.parametrize("what", ["another value", "no secret any more"])
async def test_a_replaced_secret_that_is_printed_yet_is_nowhere(world, caplog, what):
    """What runs was started with it, or has kept it."""
    other = "another-canary"
    change = {"apps/web/db.age": sealed(other)}
    if what == "no secret any more":
        change = {"apps/web/db.age": None, "apps/web/web.container": "v=2"}
    async with world.running() as daemon:
        await world.push(daemon, APP)
        files = {path: text for path, text in (APP | change).items() if text is not None}
        world.systemd.said["web.service"] = f"old {CANARY}, new {other}"
        await world.push(daemon, files)
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        seen = []
        for _ in range(5):
            await anyio.sleep(20)
            seen += await everything_told(world, daemon, caplog)
        words = daemon.loop.apps.executor.jobs.words
        assert words._overtaken, "it is kept in mind"
        seen += [repr(daemon).encode(), repr(words).encode()]
    for one in seen:
        assert CANARY.encode() not in one
        assert what == "no secret any more" or other.encode() not in one
    assert any("old …, new".encode() in one for one in seen)


async def test_words_of_an_app_without_secrets_are_shown_without_asking_podman(world):
    world.podman.unreadable = True
    world.systemd.said["b.service"] = "no such table"
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/b/b.container": "dies"})
        assert "no such table" in str(world.events())


async def test_words_that_were_withheld_are_shown_when_the_secrets_can_be_read(world):
    world.systemd.said["web.service"] = f"password {CANARY} failed"
    async with world.running() as daemon:
        await world.push(daemon, APP)
        world.podman.unreadable = True
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        await settle(daemon)
        world.podman.unreadable = False
        await anyio.sleep(600)
        assert "password … failed" in str(daemon.board.apps["web"])


@pytest.mark.parametrize("text", [AGE, "[Secret]\nGenerate=32\n"], ids=["age", "generated"])
async def test_a_secret_that_goes_to_another_app_stays_as_it_is(world, text):
    """As in a flat folder, where it is the first's that uses it."""
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/web/db.secret": text})
        before = dict(world.podman.secrets)
        rest = {"apps/web/web.container": "secret=db", "apps/web/side.container": "v1"}
        new = {
            "apps/a/a.container": "secret=db",
            "apps/a/db.secret": text,
            "apps/a/db.age": APP["apps/web/db.age"],
        }
        await world.push(daemon, {**rest, **new})
        await settle(daemon)
        assert world.podman.secrets == before
        assert world.machine.running.keys() == {"web.service", "side.service", "a.service"}
        assert not steps(world, "restart")
        assert not steps(world, "remove-secret")
        assert {one.state for one in daemon.board.apps.values()} == {AppState.READY}
        await world.push(daemon, rest | {"apps/web/x": "y"})
        await settle(daemon)
        assert "web.service" in world.machine.running
