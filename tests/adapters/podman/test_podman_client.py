"""The Podman port against an API of our own, with stores on disk."""

import json
import os
from pathlib import Path

import pytest

from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.podman.stores import stores_of
from supervisor.model.errors import Retry, Stalled
from supervisor.model.health import Health, PlayedContainer
from supervisor.model.observed import Container
from tests.fakes.podman import FakePodman


async def test_only_what_is_named_is_asked(podman: FakePodman, client: PodmanClient) -> None:
    nothing = await client.inventory()
    assert nothing.networks is nothing.images is nothing.containers is None
    assert podman.asked == []
    found = await client.inventory(networks=True)
    assert found.networks == {"podman"}
    assert found.volumes is None
    assert podman.asked == ["GET info", "GET networks/json"]


async def test_everything(podman: FakePodman, client: PodmanClient) -> None:
    podman.images = {"docker.io/library/nginx:1", "x@sha256:1"}
    podman.add_network("n")
    podman.add_volume("v")
    podman.add_secret("s", "1")
    podman.containers = [
        {
            "Id": "abc",
            "Names": ["web"],
            "Labels": {"PODMAN_SYSTEMD_UNIT": "web.service"},
            "State": "running",
            "Status": "healthy",
            "Image": "docker.io/library/nginx:1",
        },
        {"Id": "def", "Names": ["odd"], "Labels": None, "State": "exited", "Status": "Up 2 days"},
    ]
    found = await client.inventory(
        images=["docker.io/library/nginx:1", "x@sha256:1", "y"],
        networks=True,
        volumes=True,
        secrets=True,
        containers=True,
    )
    assert found.images
    assert found.images.keys() == {"docker.io/library/nginx:1", "x@sha256:1"}
    assert found.networks == {"podman", "n"}
    assert found.volumes == {"v"}
    assert found.secrets == {"s": "1"}
    assert found.containers == (
        Container(
            id="abc",
            name="web",
            unit="web.service",
            state="running",
            health="healthy",
            image="docker.io/library/nginx:1",
        ),
        Container(id="def", name="odd", state="exited"),
    )


EVERYTHING = {"images": ["a", "b"], "networks": True, "volumes": True, "secrets": True}


async def test_what_did_not_change_is_not_asked_again(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.images = {"a"}
    podman.write("secrets/secrets.json")
    podman.rest()
    first = await client.inventory(**EVERYTHING)
    podman.asked.clear()
    assert await client.inventory(**EVERYTHING) == first
    assert podman.asked == []
    await client.inventory(images=["a", "c"])
    assert podman.asked == ["GET images/c/json"], "what is known of a is known"
    await client.inventory(containers=True)
    assert podman.asked[1:] == ["GET containers/json"], "containers are always asked for"


async def test_what_changed_is_asked_again(podman: FakePodman, client: PodmanClient) -> None:
    podman.write("secrets/secrets.json")
    podman.rest()
    await client.inventory(**EVERYTHING)
    podman.add_image("b")
    podman.add_network("n")
    podman.add_volume("v")
    podman.add_secret("s", "2")
    found = await client.inventory(**EVERYTHING)
    assert found.images
    assert found.images.keys() == {"b"}
    assert found.networks == {"podman", "n"}
    assert found.volumes == {"v"}
    assert found.secrets == {"s": "2"}


async def test_the_index_of_the_store_tells_an_images_id(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.add_image("docker.io/library/nginx:latest")
    podman.add_image("quay.io/a/b:1")
    podman.rest()
    names = ["docker.io/nginx", "quay.io/a/b:1"]
    found = (await client.inventory(images=names)).images
    assert podman.asked == ["GET info"], "Podman need not be asked"
    stored = json.loads((podman.root / "overlay-images" / "images.json").read_text())
    ids = {name: one["id"] for one in stored for name in one.get("names", ())}
    assert found == dict(zip(names, map(ids.get, sorted(ids)), strict=True))


async def test_a_young_store_is_asked_again(podman: FakePodman, client: PodmanClient) -> None:
    podman.add_network("n")
    await client.inventory(networks=True)
    podman.networks.add("m")  # within one tick of the file system's clock
    podman.asked.clear()
    assert "m" in ((await client.inventory(networks=True)).networks or ())


async def test_networks_that_are_kept_elsewhere_are_asked_for_again(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.networks.add("elsewhere")
    await client.inventory(networks=True)
    podman.networks.add("another")
    assert "another" in ((await client.inventory(networks=True)).networks or ())


async def test_volumes_without_a_folder_are_noticed(
    podman: FakePodman, client: PodmanClient
) -> None:
    await client.inventory(volumes=True)
    podman.volumes.add("of-an-image")
    podman.write("db.sql")
    assert (await client.inventory(volumes=True)).volumes == {"of-an-image"}


async def test_an_unknown_kind_of_info_means_asking_always(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.errors["GET info"] = (500, "no info today")
    with pytest.raises(Retry, match="cannot read Podman's objects: no info today"):
        await client.inventory(networks=True)
    with pytest.raises(KeyError):
        stores_of({}, runtime=Path())


async def test_not_reachable_says_what_to_do(tmp_path: Path) -> None:
    client = PodmanClient(tmp_path / "none.sock")
    with pytest.raises(Retry, match=r"systemctl --user enable --now podman\.socket"):
        await client.inventory(networks=True)
    with pytest.raises(Retry, match="cannot reach Podman"):
        await client.pull("a", timeout_seconds=5)
    with pytest.raises(Retry, match="cannot reach Podman"):
        await client.remove_volume("a")


@pytest.mark.parametrize("told_by", ["Podman", "the index of its store"])
async def test_the_digest_of_an_index_is_named_before_the_machines_own(
    podman: FakePodman, client: PodmanClient, told_by: str
) -> None:
    names = [f"quay.io/me/x@sha256:{letter * 64}" for letter in "abc"]
    digest = f"sha256:{'a' * 64}"
    if told_by == "Podman":
        own = {"Id": "1" * 64, "Digest": digest, "RepoDigests": names}
        podman.inspected_images["quay.io/me/x:1"] = own
    else:
        items = [f"manifest-{name.partition('@')[2]}" for name in names]
        entry = {"id": "1" * 64, "digest": digest, "big-data-names": ["manifest", *items]}
        index = podman.root / "overlay-images" / "images.json"
        index.write_text(json.dumps([entry | {"names": ["quay.io/me/x:1"]}]))
    assert await client.image_digests("quay.io/me/x:1") == (*names[1:], names[0])


async def test_digests_are_read_from_the_index_where_that_tells(
    podman: FakePodman, client: PodmanClient
) -> None:
    image = f"quay.io/me/x@sha256:{'a' * 64}"
    podman.add_image(image)
    assert await client.image_digests(image) == (image,)
    assert podman.asked == ["GET info"]
    (podman.root / "overlay-images" / "images.json").write_text("{")
    podman.inspected_images[image] = {"Id": "1" * 64, "RepoDigests": [image]}
    assert await client.image_digests(image) == (image,)
    assert len(podman.asked) == 2


async def test_a_pull_fetches_what_is_absent(podman: FakePodman, client: PodmanClient) -> None:
    await client.pull("quay.io/a/b:1", timeout_seconds=5)
    assert podman.asked[-1] == "POST images/pull?reference=quay.io/a/b:1&policy=missing"
    podman.images = {"a"}
    podman.rest()
    await client.inventory(images=["a"])
    await client.pull("c", timeout_seconds=5)
    podman.asked.clear()
    await client.inventory(images=["a"])
    assert podman.asked == ["GET images/a/json"], "after a pull, images are asked for again"


async def test_a_pull_that_fails_ends_in_the_registrys_words(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.pull_lines = [
        {"stream": "Trying…"},
        {
            "error": "initializing source docker://quay.io/a:1: reading manifest 1 in quay.io/a:"
            " manifest unknown"
        },
    ]
    with pytest.raises(Stalled, match=r"^cannot pull quay\.io/a:1: manifest unknown$"):
        await client.pull("quay.io/a:1", timeout_seconds=5)
    podman.errors["POST images/pull"] = (500, "something else")
    with pytest.raises(Retry, match=r"cannot pull quay\.io/a:1: something else"):
        await client.pull("quay.io/a:1", timeout_seconds=5)


async def test_removing_takes_whole_names_only(podman: FakePodman, client: PodmanClient) -> None:
    podman.volumes = {"data", "data2"}
    podman.networks = {"podman", "net"}
    podman.containers = [
        {"Id": "db" + "0" * 62, "Names": ["web"]},
        {"Id": "ee" + "0" * 62, "Names": ["cache"]},
    ]
    await client.remove_volume("dat")
    await client.remove_network("ne")
    await client.remove_container("db")
    assert (len(podman.volumes), len(podman.networks), len(podman.containers)) == (2, 2, 2)
    await client.remove_volume("data")
    await client.remove_network("net")
    await client.remove_container("web")
    await client.remove_container("ee" + "0" * 10)
    assert podman.volumes == {"data2"}
    assert podman.networks == {"podman"}
    assert podman.containers == []
    await client.remove_volume("data")
    await client.remove_network("net")
    await client.remove_container("web")


async def test_what_is_in_use_is_tried_again(podman: FakePodman, client: PodmanClient) -> None:
    podman.volumes = {"data"}
    podman.errors["DELETE volumes/data"] = (409, "volume is being used")
    with pytest.raises(Retry, match="cannot remove volume data: volume is being used"):
        await client.remove_volume("data")


CHECK = {"Test": ["CMD", "/bin/true"], "Interval": 30_000_000_000}


def checked(**health: object) -> dict[str, object]:
    return {
        "Id": "a" * 64,
        "Names": ["web"],
        "Inspected": {
            "Image": "b" * 64,
            "RestartCount": 3,
            "State": {"StartedAt": "2026-11-24T02:28:20.828638943Z", "Health": health},
            "Config": {
                "Labels": {"PODMAN_SYSTEMD_UNIT": "web.service"},
                "Healthcheck": dict(CHECK),
            },
        },
    }


async def test_the_health_of_a_container(podman: FakePodman, client: PodmanClient) -> None:
    log = [{"ExitCode": 0, "Output": "well"}, {"ExitCode": 7, "Output": "no\nroute\x1b"}]
    podman.containers = [checked(Status="healthy", FailingStreak=1, Log=log)]
    (one,) = (await client.health(["a" * 64, "c" * 64])).values()
    assert (one.id, one.name, one.unit) == ("a" * 64, "web", "web.service")
    assert (one.health, one.streak, one.interval) == (Health.HEALTHY, 1, 30.0)
    assert one.output == "its health check `/bin/true` failed with exit status 7: no / route"
    assert one.restarts == 3
    assert one.started_at == pytest.approx(1795487300.828638)
    assert (one.adjustable, one.image_interval) == (True, 0.0)
    await client.set_health_interval("a" * 64, 300.0)
    assert (await client.health(["a" * 64]))["a" * 64].interval == 300.0
    await client.set_health_interval("c" * 64, 300.0)


async def test_a_check_that_the_image_declares(podman: FakePodman, client: PodmanClient) -> None:
    podman.containers = [checked(Status="starting", FailingStreak=0, Log=None)]
    podman.inspected_images["b" * 64] = {"Healthcheck": {**CHECK, "Interval": 7_000_000_000}}
    assert (await client.health(["a" * 64]))["a" * 64].image_interval == 7.0
    podman.inspected_images["b" * 64] = {"Healthcheck": {"Test": ["CMD", "/bin/other"]}}
    assert (await client.health(["a" * 64]))["a" * 64].image_interval == 0.0


@pytest.mark.parametrize(
    ("version", "able"),
    [("5.4.2", True), ("5.8.6", True), ("6.0.0-dev", True), ("5.4.1", False), ("", False)],
)
async def test_old_podmans_cannot_change_a_running_check(
    podman: FakePodman, client: PodmanClient, version: str, *, able: bool
) -> None:
    podman.version = version
    podman.containers = [checked()]
    assert (await client.health(["a" * 64]))["a" * 64].adjustable is able


ONE = "a" * 64
WELL, UNWELL = ({"Status": "healthy", "Log": [{"ExitCode": code, "Output": ""}]} for code in (0, 1))


def write_results(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_failed_check_that_systemd_does_not_tell_of(
    podman: FakePodman, client: PodmanClient, tmp_path: Path, *, elsewhere: bool
) -> None:
    """Read from Podman's own file of it, and Podman is not asked."""
    podman.version = "6.0.2"
    path = podman.runtime / "containers" / "overlay-containers" / ONE / "healthcheck.log"
    container = checked(Status="healthy", FailingStreak=0)
    if elsewhere:
        path = tmp_path / "logs" / f"{ONE}-healthcheck.log"
        container["Inspected"]["Config"]["HealthLogDestination"] = str(path.parent)
    podman.containers = [container]
    await client.health([ONE])
    podman.asked.clear()
    write_results(path, json.dumps(WELL))
    assert await client.failed_checks([ONE]) == frozenset()
    write_results(path, json.dumps(UNWELL))
    assert await client.failed_checks([ONE]) == {ONE}
    assert podman.asked == []


async def test_before_podman_6_systemd_tells_of_failed_checks(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.containers = [checked(Status="unhealthy", FailingStreak=3)]
    await client.health([ONE])
    podman.asked.clear()
    assert await client.failed_checks([ONE]) == frozenset()
    assert podman.asked == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Log": [{"ExitCode": "1"}]}', "[" * 100_000, None]
)
async def test_results_that_cannot_be_understood_are_asked_for(
    podman: FakePodman, client: PodmanClient, text: str | None
) -> None:
    podman.version = "6.1.0"
    podman.containers = [checked(Status="healthy", FailingStreak=1)]
    await client.health([ONE])
    path = podman.runtime / "containers" / "overlay-containers" / ONE / "healthcheck.log"
    if text is None:
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
    else:
        write_results(path, text)
    assert await client.failed_checks([ONE, "c" * 64]) == {ONE}
    assert f"GET containers/{ONE}/json" in podman.asked


def of_kube(name: str, policy: str = "always", **more: object) -> dict[str, object]:
    return {
        "Id": name * 64,
        "Names": [f"k-{name}"],
        "Labels": {"PODMAN_SYSTEMD_UNIT": "k.service"},
        "State": "running",
        "StartedAt": 100,
        "ExitedAt": -62135596800,
        "ExitCode": 0,
        "Restarts": 0,
        "Inspected": {"HostConfig": {"RestartPolicy": {"Name": policy}}},
        **more,
    }


async def test_what_becomes_of_the_containers_of_a_kube(
    podman: FakePodman, client: PodmanClient
) -> None:
    """Only of what has ended it takes a question more when it is to run again."""
    podman.containers = [
        of_kube("a", Restarts=2),
        of_kube("b", "on-failure", State="exited", ExitedAt=200, ExitCode=3),
        of_kube("c", "no", State="exited", ExitedAt=200, IsInfra=True),
        of_kube("d", Labels={"PODMAN_SYSTEMD_UNIT": "other.service"}, State="exited"),
        of_kube("e", Labels=None),
    ]
    a, b, c = await client.played(["k.service"])
    assert a == PlayedContainer(
        id="a" * 64, name="k-a", unit="k.service", state="running", started_at=100, restarts=2
    )
    assert (b.state, b.exit_code, b.ended_at, b.restart_policy) == ("exited", 3, 200, "on-failure")
    assert c.restart_policy == "always", "without it no other container of its pod is reached"
    assert podman.asked == ["GET containers/json", f"GET containers/{'b' * 64}/json"]


async def test_a_container_of_a_kube_that_is_removed_while_it_is_asked_about_is_gone(
    podman: FakePodman, client: PodmanClient
) -> None:
    """`podman rm --force` ends it first: it is no container that may stay ended."""
    podman.containers = [of_kube("a"), of_kube("b", State="exited", ExitCode=137)]
    podman.errors[f"GET containers/{'b' * 64}/json"] = (404, "no such container")
    (a,) = await client.played(["k.service"])
    assert a.name == "k-a"


async def test_containers_of_a_kube_that_cannot_be_asked_about(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.errors["GET containers/json"] = (500, "database is locked")
    with pytest.raises(Retry, match="database is locked"):
        await client.played(["k.service"])


async def test_the_lines_of_a_units_container(podman: FakePodman, client: PodmanClient) -> None:
    def part(stream: int, text: str) -> bytes:
        return bytes((stream, 0, 0, 0)) + len(text.encode()).to_bytes(4) + text.encode()

    podman.containers = [checked()]
    podman.written["a" * 64] = (
        part(1, "2026-11-30T10:00:02.474437894Z two\n")
        + part(2, "2026-11-30T12:00:01+02:00 one \x1b[31mred\n")
        + part(1, "no moment\n")
    )
    lines = await client.log("web.service", limit=5)
    assert [one.text for one in lines] == ["one red", "two"]
    assert lines[1].time - lines[0].time == pytest.approx(1.474437894)
    podman.written["a" * 64] += part(1, "2026-11-30T10:00:03Z cut off")[:-3] + b"\xff"
    assert (await client.log("web.service", limit=1))[0].text.startswith("cut")
    assert any("containers/" + "a" * 64 + "/logs" in one for one in podman.asked)
