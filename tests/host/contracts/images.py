"""Images of a real Podman: pulled by digest, kept, removed; run inside a host as a user."""
# A plain program, without pytest's help:
# ruff: noqa: PT017, T201

import json
import os
import subprocess
from pathlib import Path

import uvloop

from supervisor.adapters.podman.client import PodmanClient
from supervisor.core.images.keep import chores, kept_name
from supervisor.model.errors import Failure, Stalled
from supervisor.model.image import PullProgress

SOCKET = Path(os.environ["XDG_RUNTIME_DIR"], "podman", "podman.sock")
POLICY = Path.home() / ".config/containers/policy.json"
REGISTRY = "localhost:5000"
NAME = f"{REGISTRY}/podvisor-test"


def sh(command: str, *, check: bool = True) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def pinned(tag: str) -> str:
    said = sh(f"skopeo inspect --tls-verify=false --format '{{{{.Digest}}}}' docker://{NAME}:{tag}")
    return f"{NAME}@{said}"


async def names(podman: PodmanClient) -> set[str]:
    return {name for one in await podman.stored_images() for name in one.names}


async def pulls_by_digest(podman: PodmanClient) -> None:
    one = pinned("1")
    heard: list[PullProgress] = []
    await podman.pull(one, timeout_seconds=60, show=heard.append)
    print(heard)
    assert heard[-1].layers == heard[-1].layers_here >= 2, heard
    assert await names(podman) == {one}, await podman.stored_images()
    assert (await podman.inventory(images=[one])).images
    room = await podman.room()
    assert room
    print(room)
    assert min(room.layers_free, room.downloads_free) > 0


async def finds_by_digest_what_was_pulled_by_a_tag(podman: PodmanClient) -> None:
    two = pinned("2")
    await podman.pull(f"{NAME}:2", timeout_seconds=60)
    sh("systemctl --user stop podman.service")
    assert (await podman.inventory(images=[two])).images
    pid = sh("systemctl --user show --property=MainPID --value podman.service")
    assert pid == "0", "the store's index tells"


async def keeps_and_removes(podman: PodmanClient) -> None:
    one, two = pinned("1"), pinned("2")
    for _ in range(2):
        todo = chores({one, two}, await podman.stored_images(), tried=set(), used=())
        for name, runs in todo.tag.items():
            await podman.tag_image(runs, name)
    assert todo == chores({one, two}, await podman.stored_images(), tried=set(), used=())
    kept = {kept_name(one), kept_name(two)}
    assert await names(podman) == {one, f"{NAME}:2", *kept}
    sh(f"podman untag {NAME}:2 {NAME}:2; podman image prune -f")
    assert await names(podman) == {one, *kept}, "the tag moved on"
    (used,) = (box.id for box in await podman.stored_images() if one in box.names)
    sh(f"podman create --name ct-keep {one}")
    containers = (await podman.inventory(containers=True)).containers
    assert used in {box.image_id for box in containers or ()}
    await podman.remove_image(kept_name(one))
    await podman.remove_image(one)
    assert one in await names(podman), "a container uses it"
    sh("podman rm ct-keep")
    await podman.tag_image(one, kept_name(one))
    ((*gone,),) = chores({two}, await podman.stored_images(), tried=set(), used=()).remove
    for name in (*gone, *gone):
        await podman.remove_image(name)
    assert await names(podman) == {kept_name(two)}
    await podman.untag_image(kept_name(two))
    await podman.untag_image(kept_name(two))
    (left,) = await podman.stored_images()
    assert left.names == (), "it is as it was before"
    sh("podman image prune -f")
    assert await podman.stored_images() == ()


async def says_who_should_have_signed(podman: PodmanClient) -> None:
    for asked, words in (
        ({"type": "reject"}, "lets nobody pull it"),
        (
            {"type": "sigstoreSigned", "keyPath": "/etc/pki/nobody.pub"},
            "asks for a signature with the key /etc/pki/nobody.pub, and it has none",
        ),
    ):
        docker = {"docker": {REGISTRY: [asked]}}
        anything = [{"type": "insecureAcceptAnything"}]
        POLICY.write_text(json.dumps({"default": anything, "transports": docker}))
        try:
            await podman.pull(pinned("1"), timeout_seconds=60)
        except Failure as error:
            print(f"{error} ({error.hint})")
            assert words in str(error), error
            assert f'{POLICY}, "docker" "{REGISTRY}"' in str(error), error
        else:
            raise AssertionError("it was pulled")
        finally:
            POLICY.unlink()
    gone = f"{NAME}@sha256:{'7' * 64}"
    try:
        await podman.pull(gone, timeout_seconds=60)
    except Stalled as error:
        assert "does not have it any more" in str(error), error
    else:
        raise AssertionError("it was pulled")


async def main() -> None:
    sh("systemctl --user start podman.socket")
    sh("podman rm -aft0; podman rmi -af", check=False)
    POLICY.parent.mkdir(parents=True, exist_ok=True)
    podman = PodmanClient(SOCKET)
    for part in (
        pulls_by_digest,
        finds_by_digest_what_was_pulled_by_a_tag,
        keeps_and_removes,
        says_who_should_have_signed,
    ):
        await part(podman)
        print("ok", part.__name__, flush=True)


uvloop.run(main())  # as the daemon does
