"""The Podman port against a real Podman; run inside a host as a user (test_contract_podman)."""
# A plain program, without pytest's help:
# ruff: noqa: PT017, T201

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import anyio
import msgspec
import uvloop

from supervisor.adapters.podman.api import Api
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.model.errors import Retry, Stalled
from supervisor.model.health import CheckRun, Health
from supervisor.model.secret import LARGEST

SOCKET = Path(os.environ["XDG_RUNTIME_DIR"], "podman", "podman.sock")
HOME = Path.home()
IMAGE = "localhost/podvisor-test:1"
PULLED = "localhost:5000/podvisor-test:2"


def sh(command: str, *, check: bool = True) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def service_pid() -> str:
    return sh("systemctl --user show --property=MainPID --value podman.service")


def let_files_settle() -> None:
    time.sleep(2.2)


def rest_service() -> None:
    sh("systemctl --user stop podman.service")


async def objects(podman: PodmanClient) -> None:
    empty = await podman.inventory()
    assert (empty.images, empty.networks, empty.volumes, empty.secrets, empty.containers) == (
        *(None, None, None, None, None),
    )
    assert service_pid() == "0", "asking for nothing starts nothing"
    sh("podman network create ct-net; podman volume create ct-vol")
    sh("printf one | podman secret create ct-secret -")
    assert await podman.secret("ct-secret") == b"one"
    assert await podman.secret("ct-none") is None
    sh(
        "podman run -d --name ct-box --label PODMAN_SYSTEMD_UNIT=ct.service -v ct-vol:/data"
        f' --health-cmd \'["/bin/busybox","true"]\' {IMAGE}'
    )
    sh("podman healthcheck run ct-box")
    found = await podman.inventory(
        images=[
            IMAGE,
            "podvisor-test:1",
            "localhost/none:1",
            "docker.io/library/x@sha256:" + 64 * "0",
        ],
        networks=True,
        volumes=True,
        secrets=True,
        containers=True,
    )
    identity = sh(f"podman image inspect --format {{{{.Id}}}} {IMAGE}")
    assert found.images == {IMAGE: identity, "podvisor-test:1": identity}, found.images
    assert found.networks == {"podman", "ct-net"}, found.networks
    assert found.volumes == {"ct-vol"}, found.volumes
    assert list(found.secrets) == ["ct-secret"], found.secrets
    (box,) = found.containers
    assert (box.name, box.unit, box.state, box.health, box.image) == (
        *("ct-box", "ct.service", "running", "healthy", IMAGE),
    ), box
    sh(f"podman create --name ct-still -v ct-vol:/data {IMAGE}")
    (user,) = await podman.volume_users(["ct-vol", "ct-none"])
    assert (user.name, user.unit, user.state) == ("ct-box", "ct.service", "running"), user
    for others in ((), ("ct-none",), ("ct-vo",), ("ct-vol2",)):
        assert await podman.volume_users(others) == (), others
    sh("podman rm ct-still")
    old = found.secrets["ct-secret"]
    sh("printf two | podman secret create --replace ct-secret -")
    found = await podman.inventory(secrets=True)
    assert found.secrets["ct-secret"] != old, "a replaced secret has a new id"


async def asks_once(podman: PodmanClient) -> None:
    async def ask(**what: bool) -> tuple[float, bool]:
        rest_service()
        began = time.monotonic()
        found = await podman.inventory(images=[IMAGE, "localhost/none:1"], **what)
        assert set(found.images or ()) == {IMAGE}
        return time.monotonic() - began, service_pid() != "0"

    let_files_settle()
    await podman.inventory(
        images=[IMAGE, "localhost/none:1"], networks=True, volumes=True, secrets=True
    )
    seconds, asked = await ask(networks=True, volumes=True, secrets=True)
    assert not asked, "what has not changed is not asked again"
    print(f"the same again: {seconds * 1000:.1f} ms")
    for change, undo, what in (
        ("podman network create ct-new", "podman network rm ct-new", "networks"),
        ("podman volume create ct-new", "podman volume rm ct-new", "volumes"),
        ("printf x | podman secret create ct-new -", "podman secret rm ct-new", "secrets"),
    ):
        let_files_settle()
        await podman.inventory(networks=True, volumes=True, secrets=True)
        sh(change)
        found = await podman.inventory(**{what: True})
        assert "ct-new" in getattr(found, what), what
        sh(undo)
        found = await podman.inventory(**{what: True})
        assert "ct-new" not in getattr(found, what), what
    sh(f"podman tag {IMAGE} localhost/none:1")
    assert (await podman.inventory(images=["localhost/none:1"])).images
    sh("podman untag localhost/none:1 localhost/none:1", check=False)
    sh("podman rmi localhost/none:1", check=False)
    assert not (await podman.inventory(images=["localhost/none:1"])).images


async def pulls(podman: PodmanClient) -> None:
    sh(f"podman rmi -f {PULLED}", check=False)
    assert not (await podman.inventory(images=[PULLED])).images
    await podman.pull(PULLED, timeout_seconds=60)
    assert (await podman.inventory(images=[PULLED])).images
    await podman.pull(PULLED, timeout_seconds=60)
    await podman.pull(IMAGE, timeout_seconds=60)  # is there; its registry is not asked
    for image, failure, words, hint in (
        ("localhost:5000/podvisor-test:none", Stalled, "manifest unknown", "name and tag"),
        ("localhost:5000/none:1", Stalled, "manifest unknown", "name and tag"),
        (
            "localhost:5001/podvisor-test:1",
            Stalled,
            "authentication required",
            "podman login localhost:5001",
        ),
        ("localhost:5999/x:1", Retry, "connection refused", ""),
        ("registry.invalid/x:1", Retry, "", ""),
        ("Bad:Name", Stalled, "lowercase", "write it in small letters: bad:Name"),
        ("ct-no-such-short-name", Stalled, "short-name", "full name"),
    ):
        try:
            await podman.pull(image, timeout_seconds=60)
        except failure as error:
            assert str(error).startswith(f"cannot pull {image}: "), error
            assert words in str(error), error
            assert hint in getattr(error, "hint", ""), error.hint
            print(f"{failure.__name__}: {error}")
        else:
            raise AssertionError(f"{image} was pulled")
    try:
        await podman.pull(PULLED.replace(":2", ":none"), timeout_seconds=0.0)
    except Retry as error:
        assert "was not done after 0 s" in str(error)
    sh(f"podman rmi {PULLED}")


async def removes(podman: PodmanClient) -> None:
    sh("podman network create ct-used")
    sh(f"podman run -d --name ct-user --network ct-used -v ct-keep:/x {IMAGE}", check=False)
    if sh("podman ps -q --filter name=ct-user"):
        for attempt in (podman.remove_network("ct-used"), podman.remove_volume("ct-keep")):
            try:
                await attempt
            except Retry as error:
                print(f"Retry: {error}")
            else:
                raise AssertionError("what is in use stays")
    await podman.remove_volume("ct-vo")  # the beginning of a name is no name
    assert "ct-vol" in (await podman.inventory(volumes=True)).volumes
    identity = sh("podman inspect --format '{{.Id}}' ct-box")
    await podman.remove_container(identity[:2])  # nor is the beginning of an id
    assert sh("podman ps -q --filter name=ct-box")
    for _ in range(2):  # gone already is well
        await podman.remove_container("ct-box")
        await podman.remove_container("ct-user")
        await podman.remove_network("ct-net")
        await podman.remove_network("ct-used")
        await podman.remove_volume("ct-vol")
        await podman.remove_volume("ct-keep")
    found = await podman.inventory(networks=True, volumes=True, containers=True)
    assert found.networks == {"podman"}
    assert not {name for name in found.volumes if name.startswith("ct-")}, found.volumes
    assert found.containers == ()
    sh("podman secret rm ct-secret")


async def health(podman: PodmanClient) -> None:
    """A running container's check is asked less often, without a restart; systemd sees it fail."""
    systemd = SystemdManager()
    ask = '["/bin/busybox","test","-e","/ok"]'
    sh(f"podman run -d --name ct-well --health-cmd '{ask}' --health-interval 1h {IMAGE}")
    (identity,) = [sh("podman inspect ct-well --format '{{.Id}}'")]
    try:
        sh("podman exec ct-well /bin/busybox touch /ok; podman healthcheck run ct-well")
        assert identity in await systemd.health_checks()
        (before,) = (await podman.health([identity, "0" * 64])).values()
        assert (before.id, before.name, before.health, before.interval) == (
            *(identity, "ct-well", Health.HEALTHY, 3600.0),
        ), before
        assert before.adjustable, before
        assert before.image_interval == 0.0, before
        assert abs(time.time() - before.started_at) < 600, before
        await podman.set_health_interval(identity, 5400.0)
        after = (await podman.health([identity]))[identity]
        assert after == msgspec.structs.replace(before, interval=5400.0), (before, after)
        sh("podman exec ct-well /bin/busybox rm /ok")
        await podman.set_health_interval(identity, 3600.0)  # which asks at once
        for _ in range(600):
            if (await systemd.health_checks(troubled=True)).get(identity) is CheckRun.FAILED:
                break
            await anyio.sleep(0.1)
        else:
            raise AssertionError("a failed check leaves a failed service")
        failed = (await podman.health([identity]))[identity]
        assert (failed.health, failed.streak) == (Health.HEALTHY, 1), failed
        await podman.set_health_interval("0" * 64, 60.0)  # gone already is well
        sh("podman rm -ft0 ct-well")
        assert identity not in await systemd.health_checks()
        await of_an_image(podman)
    finally:
        sh("podman rm -ft0 ct-well ct-image; podman rmi -f localhost/ct-health", check=False)
        systemd.close()


async def hidden_failures(podman: PodmanClient) -> None:
    """A check that fails as under Podman 6 and later: systemd tells nothing, Podman's file does.

    A drop-in lets the check's service end well; this Podman gives itself out for a newer one.
    """
    real = podman._api

    class Newer(Api):
        async def get(self, path: str, **query: str) -> Any:
            return {"Version": "6.0.2"} if path == "/version" else await real.get(path, **query)

    podman._api = Newer(real.socket)
    systemd = SystemdManager()
    logs = HOME / "ct-logs"
    logs.mkdir(exist_ok=True)
    ask = '["/bin/busybox","test","-e","/ok"]'
    try:
        for place in ("", f"--health-log-destination={logs}"):
            check = f"--health-cmd '{ask}' --health-interval 1h --health-retries 9"
            one = sh(f"podman create --name ct-hides {place} {check} {IMAGE}")
            drop_in = HOME / ".config/systemd/user" / f"{one}-.service.d"
            drop_in.mkdir(parents=True)
            (drop_in / "as-podman-6.conf").write_text("[Service]\nSuccessExitStatus=1\n")
            sh("systemctl --user daemon-reload; podman start ct-hides")
            await podman.health([one])
            await until(podman, one, failed=True)
            # Podman writes down how the check ended a moment before its service ends.
            for _ in range(600):
                run = (await systemd.health_checks())[one]
                if run is not CheckRun.RUNNING:
                    break
                await anyio.sleep(0.1)
            assert run is CheckRun.WAITING, "systemd cannot tell"
            rest_service()
            sh("podman exec ct-hides /bin/busybox touch /ok; podman healthcheck run ct-hides")
            await until(podman, one, failed=False)
            assert service_pid() == "0", "Podman is not asked"
            sh(f"podman rm -ft0 ct-hides; rm -r {drop_in}")
    finally:
        podman._api = real
        sh("podman rm -ift0 ct-hides; rm -r ~/ct-logs", check=False)
        systemd.close()


async def until(podman: PodmanClient, container: str, *, failed: bool) -> None:
    for _ in range(600):
        if (await podman.failed_checks([container]) == {container}) is failed:
            return
        await anyio.sleep(0.1)
    raise AssertionError(f"its last check failed: {not failed}")


async def of_an_image(podman: PodmanClient) -> None:
    """What the image declares is still known when the container's check was changed."""
    check = 'HEALTHCHECK --interval=7m CMD ["/bin/busybox","true"]'
    sh(
        f"printf '%s\\n' 'FROM {IMAGE}' '{check}' > ct.file;"
        " podman build -q --format docker -t localhost/ct-health -f ct.file . && rm ct.file"
    )
    identity = sh("podman run -d --name ct-image localhost/ct-health")
    await podman.set_health_interval(identity, 900.0)
    found = (await podman.health([identity]))[identity]
    assert (found.interval, found.image_interval) == (900.0, 420.0), found


async def makes_secrets(podman: PodmanClient) -> None:
    labels = {
        "io.podvisor.app": "web",
        "io.podvisor.made-of": "m1",
        "io.podvisor.content": "c1",
        "io.podvisor.removal": "never",
    }
    await podman.put_secret("cs-own", b"one", labels=labels)
    found = await podman.inventory(secrets=True)
    assert (found.secrets or {})["cs-own"] == "c1", found.secrets
    own = found.owned_secrets["cs-own"]
    assert (own.app, own.made_of, own.content, own.stays) == ("web", "m1", "c1", True), own
    await podman.put_secret("cs-own", b"two", labels=labels | {"io.podvisor.content": "c2"})
    assert await podman.secret("cs-own") == b"two", "it is replaced"
    found = await podman.inventory(secrets=True)
    assert (found.secrets or {})["cs-own"] == "c2", "and with it its labels"

    sh("printf theirs | podman secret create cs-theirs -")
    try:
        await podman.put_secret("cs-theirs", b"ours", labels=labels)
    except Stalled as error:
        assert "not podvisor's" in str(error), error
    else:
        raise AssertionError("it is somebody else's")
    await podman.remove_secret("cs-theirs")
    assert await podman.secret("cs-theirs") == b"theirs"

    inside = f"podman run --rm --network=none --secret cs-bytes {IMAGE} /bin/busybox"
    await podman.put_secret("cs-bytes", bytes(range(256)), labels=labels)
    octets = "".join(sh(f"{inside} od -An -v -tx1 /run/secrets/cs-bytes").split())
    assert bytes.fromhex(octets) == bytes(range(256)), "any bytes come out as they went in"
    await podman.put_secret("cs-bytes", bytes(LARGEST), labels=labels)
    assert sh(f"{inside} wc -c /run/secrets/cs-bytes").split()[0] == str(LARGEST)
    for wrong in (bytes(LARGEST + 1), b""):
        try:
            await podman.put_secret("cs-wrong", wrong, labels=labels)
        except Retry as error:
            assert "less than 512000 bytes" in str(error), error
        else:
            raise AssertionError("Podman takes no such secret")

    identity = sh("podman secret inspect --format={{.ID}} cs-own")
    await podman.remove_secret(identity[:8])
    assert await podman.secret("cs-own") == b"two", "the beginning of an id is no name"
    await podman.remove_secret("cs-own")
    await podman.remove_secret("cs-own")
    assert await podman.secret("cs-own") is None


async def unreachable() -> None:
    podman = PodmanClient(Path("/nonexistent/podman.sock"))
    for attempt in (
        podman.inventory(networks=True),
        podman.pull(IMAGE, timeout_seconds=5),
        podman.remove_volume("x"),
    ):
        try:
            await attempt
        except Retry as error:
            assert "systemctl --user enable --now podman.socket" in str(error), error
        else:
            raise AssertionError("it cannot be reached")
    async with podman.watch(lambda _: None):
        pass


async def main() -> None:
    sh("systemctl --user start podman.socket")
    rest_service()
    podman = PodmanClient(SOCKET)
    for part in (objects, asks_once, pulls, removes, health, hidden_failures, makes_secrets):
        await part(podman)
        print("ok", part.__name__, flush=True)
    await unreachable()
    print("ok unreachable")


sh(
    "podman rm -aft0; podman volume rm -af; podman network prune -f; podman secret rm -a",
    check=False,
)
uvloop.run(main())  # as the daemon does
