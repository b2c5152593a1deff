"""Whatever fails, whenever: the daemon converges, and what fails for one app delays no other."""

import anyio
import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.settings import RepairSettings, RolloutSettings, Settings, SourceSettings
from supervisor.model.status import AppState, SyncRequest
from tests.examples import scaled
from tests.fakes.certificate_house import TODAY
from tests.fakes.ports import oid

HOUR = 3600.0
SEALED = "age-encryption.org/sealed:"
CALLS = [
    "reader.fetch",
    "reader.stored",
    "reader.holds",
    "reader.read",
    "reader.keep",
    "generator.version",
    "generator.surroundings",
    "generator.generate",
    "folder.observe",
    "folder.contents",
    "folder.manifests",
    "folder.foreign_units",
    "folder.write_manifest",
    "folder.write_files",
    "folder.remove_files",
    "systemd.units",
    "systemd.health_checks",
    "systemd.start",
    "systemd.stop",
    "systemd.restart",
    "systemd.run_once",
    "systemd.enable",
    "systemd.disable",
    "systemd.reload",
    "systemd.reset_failed",
    "systemd.watch_units",
    "podman.inventory",
    "podman.pull",
    "podman.health",
    "podman.secret",
    "podman.put_secret",
    "podman.remove_secret",
    "podman.remove_network",
    "decryptor.open",
    "issuer.issue",
    "issuer.renewal_info",
    "certificates.keep",
    "certificates.kept",
    "certificates.install",
    "certificates.is_installed",
    "certificates.forget",
    "certificates.remove",
]
WHY = {"retry": Retry("cannot do it: try again"), "stalled": Stalled("cannot do it", hint="mend")}


class Fault(msgspec.Struct, frozen=True):
    call: str
    why: str
    begins: float
    """Seconds after the start of the daemon."""
    lasts: float
    every: int
    """Which of the calls fail."""


faults = st.lists(
    st.builds(
        Fault,
        call=st.sampled_from(CALLS),
        why=st.sampled_from(sorted(WHY)),
        begins=st.sampled_from([0.0, 9.9, 30.0, 40.1]),
        lasts=st.sampled_from([0.5, 20.0, 90.0]),
        every=st.integers(1, 3),
    ),
    min_size=1,
    max_size=4,
)
quick = settings(
    max_examples=scaled(8), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def ignore(_):
    """For what nobody listens to."""


def apps(version):
    return {
        "web/web.container": f"needs=site.network v={version} reads=conf",
        "web/site.network": "x",
        "web/conf": f"c{version}",
        "db/db.container": f"secret=word image=img:{version}",
        "db/word.age": f"{SEALED}word-{version}",
        "db/word.secret": "[Secret]\nSource=age:word.age\n",
        "plain/plain.service": f"install=default.target v={version}",
        "site/site.container": f"tls=site v={version} can=reload",
        "site/site.certificate": "[Certificate]\nDomain=site.example.org\n",
        f"went{version}/went{version}.container": f"tls=went{version} needs=went{version}.network",
        f"went{version}/went{version}.network": "x",
        f"went{version}/went{version}.certificate": "[Certificate]\nDomain=went.example.org\n",
        "made/made.container": f"v={version} needs=img.build",
        "made/img.build": f"v={version}",
        f"gone{version}/gone{version}.container": f"needs=gone{version}.network",
        f"gone{version}/gone{version}.network": "x",
    }


def set_up(world):
    world.settings = msgspec.structs.replace(
        world.settings,
        sources={
            name: SourceSettings(git=GitUrl(f"https://git.example/{name}"), poll=1200.0)
            for name in ("home", "o")
        },
        repair=RepairSettings(resync=1200.0),
    )
    world.clock.offset = TODAY
    world.podman.registry.update({"img:1", "img:2", "img:3"})
    world.reader.put("home", apps(1))
    world.reader.put("o", {"other/other.container": "v=1"})


def stands(world, version):
    running, wanted = world.machine.running, apps(version)
    return (
        running.get("web.service") == oid(wanted["web/web.container"])
        and running.get("db.service") == oid(wanted["db/db.container"])
        and f"gone{version}.service" in running
        and f"gone{version - 1}.service" not in running
        and running.get("site.service") == oid(wanted["site/site.container"])
        and running.get("plain.service") == oid(wanted["plain/plain.service"])
        and running.get("made.service") == oid(wanted["made/made.container"])
        and f"systemd-gone{version - 1}" not in world.machine.networks
    )


def as_of(faults):
    """Have these calls fail, as of now."""
    began = anyio.current_time()
    counts = {}

    def whether(call, _args):
        now = anyio.current_time() - began
        counts[call] = counts.get(call, 0) + 1
        for one in faults:
            if (
                one.call == call
                and one.begins <= now < one.begins + one.lasts
                and counts[call] % one.every == 0
            ):
                return WHY[one.why]
        return None

    return whether


@quick
@given(faults=faults, deaths=st.lists(st.integers(0, 23), max_size=6))
def test_what_is_wrong_is_in_the_ledger_as_in_the_status_since_it_was_first_seen(
    in_world, faults, deaths
):
    async def case(world):
        set_up(world)
        world.whether = as_of(faults)
        since = {}

        def tell(opened, over):
            for one in over:
                del since[one.key]
            for one in opened:
                assert one.key not in since
                since[one.key] = one.opened_at

        async with world.running() as daemon:
            since.update((key, one.opened_at) for key, one in world.ledger.all(Incident).items())
            daemon.incidents.subscribe(tell)
            for moment in range(24):
                if moment == 6:
                    world.reader.put("home", apps(2))
                    daemon.queue.add("source:home")
                if moment in deaths and "web.service" in world.machine.running:
                    world.systemd.dies("web.service")
                await anyio.sleep(5)
                await daemon.queue.wait_idle()
                kept = {key: one.opened_at for key, one in world.ledger.all(Incident).items()}
                told = {one.key: one.opened_at for one in daemon.service.status().incidents}
                assert kept == told == since
            world.whether = None
            await anyio.sleep(2 * HOUR)
            left = {one.code for one in world.ledger.all(Incident).values()}
            assert left <= {IncidentCode.APP_REVERTED}, "what died on trial waits for a person"

    in_world(case)


@quick
@given(faults=faults)
@example(faults=[Fault(call="reader.keep", why="stalled", begins=0.0, lasts=0.5, every=1)])
def test_whatever_fails_for_some_time_the_house_converges(in_world, faults):
    async def case(world):
        set_up(world)
        world.whether = as_of(faults)
        async with world.running() as daemon:
            await anyio.sleep(30)
            world.reader.put("home", apps(2))
            daemon.queue.add("source:home")
            await anyio.sleep(10)
            if "other.service" in world.machine.running:
                world.systemd.dies("other.service")
            await anyio.sleep(1.5 * HOUR)
            for one in daemon.service.status().apps:
                assert one.state in {AppState.READY, AppState.REVERTED}, one
            assert "other.service" in world.machine.running
            assert not daemon.board.problems
            world.reader.put("home", apps(3))
            world.machine.running.pop("gone1.service", None)
            await daemon.service.sync(SyncRequest(), ignore)
            assert stands(world, 3), daemon.service.status().apps
            issued = [one.facts.names for one in world.issuer.issued]
            assert issued.count(("site.example.org",)) == 1
            await anyio.sleep(400)
            there = {one.name for one in world.certificates.installed.values()}
            assert there == {"site", "went3"}
            assert {one.state for one in daemon.service.status().apps} == {AppState.READY}

    in_world(case)


def concerns_db(call, args):
    """Whether a call is about the app db, and no other."""
    match call, args:
        case "folder.write_manifest", (manifest,):
            return manifest.name == "db"
        case "reader.read", (_, oids):
            mine = {oid(text) for v in (1, 2) for path, text in apps(v).items() if "db/" in path}
            return not mine.isdisjoint(oids)
        case (("podman.pull" | "podman.put_secret" | "podman.secret" | "decryptor.open"), _):
            return True
        case _, (str(first), *_):
            return first in {"db", "db.service"}
    return False


@quick
@given(
    calls=st.sets(
        st.sampled_from([one for one in CALLS if one.startswith(("folder", "systemd", "podman"))])
        | st.sampled_from(["reader.read", "decryptor.open"]),
        min_size=1,
    ),
    why=st.sampled_from(sorted(WHY)),
)
def test_what_fails_for_one_app_delays_no_other(in_world, calls, why):
    async def case(world):
        set_up(world)
        fails = []
        world.whether = lambda call, args: (
            WHY[why] if fails and call in calls and concerns_db(call, args) else None
        )
        async with world.running() as daemon:
            await anyio.sleep(100)
            fails.append(True)
            world.reader.put("home", apps(2))
            daemon.queue.add("source:home")
            await anyio.sleep(5)
            assert world.machine.running["web.service"] == oid(apps(2)["web/web.container"])
            assert "gone2.service" in world.machine.running
            assert "gone1.service" not in world.machine.running
            world.systemd.dies("web.service")
            world.systemd.dies("other.service")
            await anyio.sleep(5)
            assert {"web.service", "other.service"} <= world.machine.running.keys()
            fails.clear()
            await daemon.service.sync(SyncRequest(), ignore)
            assert stands(world, 2), daemon.service.status().apps

    in_world(case)


some_settings = st.builds(
    Settings,
    sources=st.dictionaries(
        st.sampled_from(["home", "o", "new"]),
        st.builds(
            SourceSettings,
            git=st.sampled_from(
                [GitUrl("https://git.example/home"), GitUrl("https://git.example/moved")]
            ),
            poll=st.sampled_from([0.0, 60.0]),
            exclude=st.sampled_from([(), ("web",), ("*",)]),
        ),
    ),
    repair=st.builds(RepairSettings, resync=st.sampled_from([0.0, 60.0])),
    rollout=st.builds(RolloutSettings, settle=st.sampled_from([0.0, 30.0])),
)


@quick
@given(
    reloads=st.lists(
        st.tuples(st.sampled_from([0.05, 0.1, 0.4, 5.0, 70.0]), some_settings),
        min_size=1,
        max_size=5,
    )
)
def test_settings_may_be_read_anew_at_any_moment(in_world, reloads):
    async def case(world):
        set_up(world)
        world.reader.put("new", {"new/new.container": ""})
        async with world.running() as daemon:
            world.reader.put("home", apps(2))
            daemon.queue.add("source:home")
            for seconds, other in reloads:
                await anyio.sleep(seconds)
                await daemon.settings.take(other)
            await anyio.sleep(1)
            await daemon.settings.take(world.settings)
            await anyio.sleep(HOUR)
            await daemon.service.sync(SyncRequest(prune_all=True), ignore)
            assert stands(world, 2), daemon.service.status().apps
            assert "other.service" in world.machine.running
            assert {one.state for one in daemon.service.status().apps} == {AppState.READY}
            assert not daemon.board.problems

    in_world(case)
