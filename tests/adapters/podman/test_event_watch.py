"""Podman's events from the cheapest place that works: signs on disk, a log, the API."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest

from supervisor.adapters.podman import event_source, event_watch
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.podman.events import SELF_TEST
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus
from tests.fakes.podman import FakePodman
from tests.fakes.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

JOURNALCTL = """\
#!/bin/sh
# Gives what is new in a file behind the line that the cursor tells.
at=0
for word in "$@"; do
    case $word in --after-cursor=*) at=${word#--after-cursor=} ;; --lines=1) last=yes ;; esac
done
[ -e "$JOURNAL" ] || { echo "No journal files were opened due to insufficient permissions." >&2
    exit 1; }
if [ "$last" ]; then tail -n 1 "$JOURNAL"; else tail -n +$((at + 1)) "$JOURNAL"; fi
"""


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME  # the kernel tells at once, and the fake lives on the same loop


class Watcher:
    """Someone who listens."""

    def __init__(self) -> None:
        self.events: list[PodmanEvent] = []
        self.statuses: list[WatchStatus] = []
        self.first_at = 0.0

    async def collect(self, stream: AsyncIterator[PodmanEvent]) -> None:
        async for event in stream:
            if not self.events:
                self.first_at = anyio.current_time()
            self.events.append(event)

    async def wait(self, there: Callable[[], bool]) -> None:
        with anyio.fail_after(60):
            while not there():  # noqa: ASYNC110  # of the fake's state, too, which does not tell
                await anyio.sleep(0.01)

    async def told(self, *wanted: tuple[str, str]) -> None:
        """Wait for these types and names, in any order, and see that nothing else comes."""
        await self.wait(lambda: set(wanted) <= {(one.type, one.name) for one in self.events})
        await anyio.sleep(0.4)
        assert {(one.type, one.name) for one in self.events} == set(wanted)
        self.events.clear()

    async def way(self, way: str) -> WatchStatus:
        await self.wait(lambda: any(one.way == way for one in self.statuses[-1:]))
        return self.statuses[-1]


@asynccontextmanager
async def watching(client: PodmanClient) -> AsyncIterator[Watcher]:
    watcher = Watcher()
    async with client.watch(watcher.statuses.append) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.collect, stream)
        yield watcher
        tasks.cancel_scope.cancel()


async def test_stores_tell_by_name_and_only_what_changed(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.logger = "none"
    podman.add_image("quay.io/a/old:1")
    async with watching(client) as watcher:
        await watcher.way("stores")
        podman.add_network("n")
        podman.add_volume("v")
        await watcher.told(("network", "n"), ("volume", "v"))
        podman.add_secret("s", "1")  # the index is made
        await watcher.told(("secret", "s"))
        podman.add_secret("t", "1")
        podman.add_secret("s", "2")  # and written in place
        await watcher.told(("secret", "s"), ("secret", "t"))
        (podman.root / "volumes" / "v").rmdir()
        await watcher.told(("volume", "v"))
        podman.add_image("localhost/foo:1")
        await watcher.wait(lambda: any(one.name == "localhost/foo:1" for one in watcher.events))
        assert {one.name for one in watcher.events} == {
            "localhost/foo:1",
            next(one.name for one in watcher.events if one.name != "localhost/foo:1"),
        }, "its name and its id"
        watcher.events.clear()
        podman.remove_image("quay.io/a/old:1")
        await watcher.wait(lambda: any(one.name == "quay.io/a/old:1" for one in watcher.events))
        await anyio.sleep(0.4)
        watcher.events.clear()
        for noise in ("networks/netavark.lock", "secrets/secrets.lock", "db.sql"):
            podman.write(noise)  # every process of Podman's does
        podman.write("overlay-images/images.lock")
        await anyio.sleep(0.5)
        assert watcher.events == []


async def test_all_who_ask_at_the_start_get_one_answer(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.add_image("localhost/foo:1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(client.inventory, networks=True, volumes=True))
        tasks.start_soon(partial(client.inventory, images=["localhost/foo:1"]))
        async with watching(client) as watcher:
            await watcher.way("file")
    assert podman.asked.count("GET info") == 1, "it starts some twenty programs each time"


async def test_an_image_is_told_at_once(podman: FakePodman, client: PodmanClient) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        waits = []
        for number in range(5):  # the quickest: what else the machine does is not its fault
            await anyio.sleep(0.6)
            watcher.events.clear()
            began = anyio.current_time()
            podman.add_image(f"localhost/foo:{number}")
            await watcher.wait(lambda: bool(watcher.events))
            waits.append(watcher.first_at - began)
            if waits[-1] < 0.2:
                return
        raise AssertionError(f"{waits}: it waits for the burst to end")


async def test_an_index_that_is_not_understood_means_any(
    podman: FakePodman, client: PodmanClient
) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        scratch = podman.root / "overlay-images" / "scratch"
        scratch.write_text('[{"id": 5}]')
        scratch.rename(podman.root / "overlay-images" / "images.json")
        await watcher.told(("image", ""))


async def test_the_log_file_is_read_when_containers_change(
    podman: FakePodman, client: PodmanClient
) -> None:
    async with watching(client) as watcher:
        status = await watcher.way("file")
        assert str(podman.log) in status.reason
        assert not status.hint
        await podman.happens("container", "health_status", "web", health_status="healthy")
        await anyio.sleep(0.5)
        assert watcher.events == [], "nobody reads at rest"
        await podman.happens(
            "container", "remove", "web", Attributes={"PODMAN_SYSTEMD_UNIT": "web.service"}
        )
        await podman.happens("image", "pull", "localhost/foo:1")
        podman.containers_change()
        await watcher.told(("container", "web"))
        podman.container_ends("abcd")
        await anyio.sleep(0.3)
        await podman.happens("container", "died", "late", ID="abcd")
        await watcher.told(("container", "late"))
    assert SELF_TEST not in podman.volumes


async def test_an_end_that_is_logged_late_is_told(podman: FakePodman, client: PodmanClient) -> None:
    """Whatever else is read in between: no other sign comes."""
    async with watching(client) as watcher:
        await watcher.way("file")
        await podman.happens("container", "create", "other", ID="1")
        podman.container_ends("2")
        await watcher.told(("container", "other"))
        await anyio.sleep(1.5)
        await podman.happens("container", "died", "late", ID="2")
        await watcher.told(("container", "late"))
        podman.container_ends("3")  # its end is not logged at all
        await watcher.told(("container", ""))


async def test_an_end_that_is_read_before_its_sign_comes_is_awaited_no_longer(
    podman: FakePodman, client: PodmanClient
) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        podman.containers_change()
        await anyio.sleep(0.3)  # it has been told, and is about to be read
        for number in range(3):
            await podman.happens("container", "died", f"c{number}", ID=f"{number}")
        await anyio.sleep(0.2)
        for number in range(3):
            podman.container_ends(f"{number}")
        await watcher.told(("container", "c0"), ("container", "c1"), ("container", "c2"))
        await anyio.sleep(5)
        assert watcher.events == []


async def test_a_sign_that_comes_when_its_end_has_long_been_read_announces_nothing(
    podman: FakePodman, client: PodmanClient
) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        await podman.happens("container", "died", "c", ID="1")
        podman.containers_change()
        await watcher.told(("container", "c"))
        await anyio.sleep(1.5)  # nothing is read any more
        watcher.events.clear()
        podman.container_ends("1")
        await anyio.sleep(5)
        assert watcher.events == []


async def test_without_a_log_that_can_be_read_any_container_may_have_changed(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.logger = "none"
    async with watching(client) as watcher:
        status = await watcher.way("stores")
        assert "no events" in status.reason
        assert "events_logger" in status.hint
        podman.containers_change()
        await watcher.told(("container", ""))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # a program reads it
async def test_the_journal_is_read_from_where_it_was_left(
    podman: FakePodman,
    client: PodmanClient,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_source, "_WAITS_SECONDS", (0.0, 0.02))  # nothing comes late here
    monkeypatch.setattr(event_watch, "_READS_AFTER_SECONDS", (0.01, 0.07, 0.3))
    journal = tmp_path / "journal"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "journalctl").write_text(JOURNALCTL)
    (tmp_path / "bin" / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("JOURNAL", str(journal))
    podman.logger = "journald"
    podman.tells = False  # so it is with a journal that its user cannot read
    lines = 0

    async def enter(type: str, action: str, name: str, **_: object) -> None:  # noqa: A002
        nonlocal lines
        lines += 1
        with journal.open("a") as file:
            file.write(
                f'{{"__CURSOR": "{lines}", "PODMAN_TYPE": "{type}", "PODMAN_EVENT": "{action}",'
                f' "PODMAN_NAME": "{name}"}}\n'
            )

    async with watching(client) as watcher:
        status = await watcher.way("stores")
        assert "No journal files were opened" in status.reason
        assert "systemd-journal" in status.hint
        podman.happens = enter  # type: ignore[method-assign]  # it can be read from now on
        await enter("container", "died", "long ago")
        client.recheck()
        await watcher.way("journal")
        for name in ("one", "two"):
            await enter("container", "died", name)
            podman.containers_change()
            await watcher.told(("container", name))
        journal.unlink()
        podman.containers_change()
        await watcher.told(("container", ""))
        await watcher.way("stores")


async def test_the_api_is_the_last_resort(podman: FakePodman, client: PodmanClient) -> None:
    podman.log.parent.rmdir()  # it logs elsewhere, and does not say where
    podman.log = podman.runtime / "elsewhere.log"
    async with watching(client) as watcher:
        status = await watcher.way("api")
        assert "process" in status.cost
        await watcher.wait(lambda: podman.listeners == 1)
        await podman.happens("container", "died", "one")
        await watcher.told(("container", "one"))
        await podman.hang_up()
        await podman.happens("container", "died", "two")  # nobody listens
        await watcher.told(("container", "two"))
        await watcher.wait(lambda: podman.listeners == 1)
        await podman.happens("container", "died", "three")
        await watcher.told(("container", "three"))


async def test_ends_are_awaited_of_no_log_where_the_api_tells_them(
    podman: FakePodman, client: PodmanClient
) -> None:
    log, podman.log = podman.log, podman.runtime / "elsewhere.log"
    async with watching(client) as watcher:
        await watcher.way("api")
        for number in range(50):
            podman.container_ends(f"{number}")
        await anyio.sleep(0.5)
        assert ends(client) == set()
        podman.log = log
        client.recheck()
        await watcher.way("file")
        await watcher.wait(lambda: bool(watcher.events))  # what may stand in no log any more
        watcher.events.clear()
        await podman.hang_up()  # as its client did
        await podman.happens("container", "died", "one", ID="one")
        podman.container_ends("one")
        await watcher.told(("container", "one"))
        await anyio.sleep(4)
        assert watcher.events == []


async def test_an_end_before_the_api_was_chosen_is_not_awaited(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.log = podman.runtime / "elsewhere.log"
    async with watching(client) as watcher:
        podman.container_ends("1")
        await watcher.way("api")
        await anyio.sleep(0.5)
        assert ends(client) == set()


async def test_of_a_storm_of_ends_not_all_are_awaited(
    podman: FakePodman, client: PodmanClient
) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        for number in range(3_000):
            podman.container_ends(f"{number}")
        await watcher.wait(lambda: bool(ends(client)))
        await anyio.sleep(1)
        assert len(ends(client)) <= 1_000
        await watcher.wait(lambda: PodmanEvent(type="container") in watcher.events)


def ends(client: PodmanClient) -> set[str]:
    """Of which containers it remembers that an end is to be logged yet: that is not to grow."""
    return client._events._ends.unlogged


async def test_it_chooses_anew_when_podmans_settings_change(
    podman: FakePodman,
    client: PodmanClient,
    tmp_path,
) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        podman.logger = "none"
        settings = tmp_path / "config" / "containers" / "containers.conf"
        settings.write_text('[engine]\nevents_logger = "none"\n')
        await watcher.way("stores")


async def test_the_watch_begins_when_podman_can_be_asked(
    podman: FakePodman, client: PodmanClient
) -> None:
    await podman.close()
    (podman.root / "networks").rmdir()
    async with watching(client) as watcher:
        assert "cannot reach Podman" in (await watcher.way("stores")).reason
        await podman.serve()
        await client.inventory(volumes=True)
        await watcher.way("file")
        podman.add_volume("v")
        await watcher.told(("volume", "v"))
        (podman.root / "networks").mkdir()
        await client.inventory(networks=True)
        podman.add_network("n")
        await watcher.told(("network", "n"))


async def test_a_storm_is_told_in_a_bounded_way(podman: FakePodman, client: PodmanClient) -> None:
    async with watching(client) as watcher:
        await watcher.way("file")
        for number in range(5_000):
            await podman.happens("container", "died", f"c{number}")
        podman.containers_change()
        await watcher.wait(lambda: any(not one.name for one in watcher.events))
        assert len(watcher.events) <= 3_000
        watcher.events.clear()
        for number in range(5_000):
            podman.add_volume(f"v{number}")
        await watcher.wait(lambda: any(one.type == "volume" for one in watcher.events))
        await anyio.sleep(0.4)
        assert PodmanEvent(type="volume") in watcher.events
        assert len(watcher.events) <= 3_000
