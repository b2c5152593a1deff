"""Settings that change while the daemon runs: taken up at any moment, or said to be others."""

import anyio
import pytest

from supervisor import daemon as daemon_module
from supervisor.kit.sd_notify import Notifier
from supervisor.model.events import EventKind
from supervisor.model.setting_types import SecretRef
from supervisor.wiring.environment import Paths, load_settings

pytestmark = pytest.mark.anyio

ONE = """\
[sources.home]
git = "https://git.example/home"
[rollout]
settle = "0"
"""
OTHER = ONE + '[repair]\nresync = "2h"\n'
REFUSED = ONE + "[repair]\nresync = 2\n"


@pytest.fixture
def config(world, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(ONE)
    world.settings = load_settings(path).settings
    return path


def in_force(daemon):
    return daemon.desired_state.settings


def on_disk(config):
    return load_settings(config).settings


async def test_are_taken_up_whatever_a_pass_is_doing(world, config):
    world.reader.put("home", {"web/web.container": "v=1"})
    world.systemd.slow["web.service"] = 600.0
    async with world.running(first_pass=False, config=config) as daemon:
        await anyio.sleep(100)
        assert daemon.queue.is_busy("app:web".__eq__), "it starts web.service"
        config.write_text(OTHER)
        began = anyio.current_time()
        assert (await daemon.service.reload()).ok
        assert anyio.current_time() == began
        assert in_force(daemon) == on_disk(config)
        config.write_text(REFUSED)
        assert not (await daemon.service.reload()).ok
        assert anyio.current_time() == began


async def test_a_source_that_they_name_since_is_shown_before_it_is_read(world, config):
    async with world.running(config=config) as daemon:
        config.write_text(ONE + '[sources.new]\ngit = "https://git.example/new"\n')
        assert (await daemon.service.reload()).ok
        home, new = daemon.service.status().sources
        assert (home.name, new.name) == ("home", "new")
        assert (new.location, new.read_at, new.error) == ("https://git.example/new", 0.0, "")


async def test_that_changed_are_said_until_they_are_taken_up(world, config):
    async with world.running(config=config) as daemon:

        async def told():
            (plan, status) = await daemon.service.plan([]), daemon.service.status()
            assert plan.problems == status.problems
            return [(one.message, one.fatal) for one in status.problems]

        changed = "the settings were changed since the daemon read them"
        assert await told() == []
        config.write_text("# nothing of it matters\n" + ONE)
        assert await told() == []
        config.write_text(OTHER)
        assert await told() == [(changed, False)]
        config.write_text(REFUSED)
        (why, fatal), (stays, _) = await told()
        assert "resync" in why
        assert fatal
        assert "those from before stay in force" in stays
        await daemon.service.reload()
        config.write_text(OTHER)
        assert await told() == [(changed, False)]
        await daemon.service.reload()
        assert await told() == []
        config.unlink()
        assert (await told())[0] == ("there are no settings", True)


async def test_that_name_secrets_that_are_not_there_say_so_and_count(world, config):
    listed = ONE + '[webhooks]\nlisten = "127.0.0.1:9078"\n'
    hooked = listed.replace(
        "[rollout]", 'webhook = "github"\nwebhook_secret = "file:/nowhere"\n[rollout]'
    )
    world.reader.put("home", {"web/web.container": "v=1"})
    async with world.running(config=config) as daemon:
        config.write_text(hooked)
        answer = await daemon.service.reload()
        assert answer.ok
        assert [str(one) for one in answer.findings] == [
            f"{config}:4: cannot read file:/nowhere (make it)"
        ]
        assert not answer.findings[0].fatal
        assert in_force(daemon) == on_disk(config)
        assert "web.service" in world.machine.running
        assert str(answer.findings[0]) in world.events(EventKind.SETTINGS)[-1].detail
        world.secrets.known[SecretRef("file:/nowhere")] = b"something"
        assert (await daemon.service.reload()).findings == ()


def hooked(*references):
    """Sources that each have one of these secrets."""
    sources = (
        f'[sources.s{n}]\ngit = "https://git.example/s{n}"\nwebhook = "github"\n'
        f'webhook_secret = "{reference}"\n'
        for n, reference in enumerate(references)
    )
    return ONE + '[webhooks]\nlisten = "127.0.0.1:9078"\n' + "".join(sources)


async def test_are_taken_up_in_a_moment_though_podman_does_not_tell_of_their_secrets(world, config):
    world.secrets.slow["podman:one"] = world.secrets.slow["podman:two"] = 120.0
    async with world.running(config=config) as daemon:
        config.write_text(hooked("file:/nowhere", "podman:one", "podman:two"))
        began = anyio.current_time()
        answer = await daemon.service.reload()
        assert anyio.current_time() - began <= 1.0
        assert in_force(daemon) == on_disk(config)
        assert [one.message for one in answer.findings] == ["cannot read file:/nowhere"]


async def test_that_name_one_secret_often_have_it_read_once_and_say_so_of_each(world, config):
    async with world.running(config=config) as daemon:
        config.write_text(hooked("file:/nowhere", "file:/nowhere", "file:/nowhere"))
        world.secrets.asked.clear()
        answer = await daemon.service.reload()
        assert world.secrets.asked == ["file:/nowhere"]
        assert [one.line for one in answer.findings] == [10, 14, 18]


async def test_of_two_that_are_read_at_once_the_later_ones_stay(world, config):
    world.secrets.slow["podman:one"] = 0.5
    async with world.running(config=config) as daemon, anyio.create_task_group() as tasks:
        config.write_text(hooked("podman:one"))
        tasks.start_soon(daemon.service.reload)
        await anyio.sleep(0.1)
        config.write_text(OTHER)
        await daemon.service.reload()
        await anyio.sleep(1)
        assert in_force(daemon) == on_disk(config)


async def test_asked_of_systemd_during_the_start_they_are_taken_up_at_its_end(
    world, config, monkeypatch
):
    """To systemd, such a reload is a part of the start: nobody calls for it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(config.parent))
    paths = Paths.from_environment(config)
    world.reader.put("home", {"web/web.container": "v=1"})
    world.systemd.slow["web.service"] = 600.0
    async with world.running(first_pass=False, config=config) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon_module._tell_ready, daemon, paths, Notifier())
            await anyio.sleep(100)
            config.write_text(OTHER)
        assert daemon.board.has_looked
        assert in_force(daemon) == on_disk(config)


async def test_say_what_they_name_that_is_not_there(world, config):
    image = "reg.example/web:1"
    world.reader.put("home", {"web/web.container": f"image={image} track=digest"})
    world.registry.push(image)
    typo = ONE + '[images.by_app.wbe]\nupdate = "off"\n[images.by_image."*/wbe"]\nupdate = "off"\n'
    words = (
        "“wbe” in `images.by_app` fits no app",
        "“*/wbe” in `images.by_image` fits no image that is kept up to date",
    )

    def messages(findings):
        return tuple(one.message for one in findings)

    async with world.running(config=config) as daemon:
        assert daemon.service.status().problems == ()
        config.write_text(typo)
        assert messages((await daemon.service.reload()).findings) == words
        await daemon.queue.wait_idle()
        assert messages(daemon.service.status().problems) == words
        assert not any(one.fatal for one in daemon.service.status().problems)
        config.write_text(typo.replace("wbe", "web"))
        assert (await daemon.service.reload()).findings == ()
        await daemon.queue.wait_idle()
        assert daemon.service.status().problems == ()
        # Of what cannot be read, nothing is known.
        config.write_text(typo + '[sources.other]\ngit = "https://git.example/other"\n')
        assert (await daemon.service.reload()).findings == ()
