"""A database in a volume: exported before a newer version comes, and put back with the older."""

import signal

import pytest

from tests.host.image_scenes import Images, digest_of
from tests.host.scenes import (
    app_of,
    deploy_folder,
    events,
    main_pid,
    ready,
    sleeper,
    sync,
    waiting_of,
)

SNAPSHOT = ("Volume=data.volume:/data", "[X-Podvisor]", "Snapshot=volumes", "[Container]")
SNAPSHOTS = ".local/state/podvisor/volumes/web"
SQL = """\
import sqlite3, sys
path, text = sys.argv[1:]
with sqlite3.connect(path + "/shop.db") as db:
    for line in filter(None, text.split(";")):
        found = db.execute(line).fetchall()
print(*(one for row in found for one in row))
"""


class Shop:
    """An app with a database in its volume, followed from a registry."""

    def __init__(self, images):
        self.images, self.user = images, images.user
        self.user.write("apps/web/data.volume", "[Volume]\n")

    def sql(self, text):
        """What a statement finds, in the database of the volume."""
        mounted = ".local/share/containers/storage/volumes/systemd-data/_data"
        home = f"/home/{self.user.name}"
        command = ("podman", "unshare", "/opt/podvisor/bin/python", "-c", SQL)
        return self.user.run(*command, f"{home}/{mounted}", text).stdout.strip()

    @property
    def bought(self):
        return self.sql("SELECT what FROM bought ORDER BY what")

    def deploy(self):
        digest = self.images.deploy(unit=SNAPSHOT)
        self.sql("CREATE TABLE bought (what); INSERT INTO bought VALUES ('apple')")
        return digest

    def history(self):
        return self.user.podvisor("history", "web").stdout


@pytest.fixture
def shop(user, registry):
    return Shop(Images.of(user, registry))


def test_a_restore_brings_back_the_version_and_the_data_and_can_be_undone(shop):
    user, images = shop.user, shop.images
    first = shop.deploy()
    second = images.push("two")
    images.answered("podvisor-test 2")
    ready(user, "web")
    shop.sql("ALTER TABLE bought ADD COLUMN price; INSERT INTO bought VALUES ('pear', 3)")
    (saved,) = (user.home / SNAPSHOTS).iterdir()
    (file,) = saved.glob("*.tar*")
    assert file.stat().st_mode & 0o077 == 0
    assert f"{saved.name}" in shop.history()
    steps = [one["step"] for one in events(user, app="web", kind="step")]
    last_write = len(steps) - 1 - steps[::-1].index("write")
    assert steps.index("snapshot-volumes") < last_write
    assert steps.index("pull") < steps.index("snapshot-volumes")
    # Nobody is there to be asked.
    asked = user.podvisor("restore", "web", saved.name, check=False)
    assert asked.returncode == 64
    assert "What was written to them since then goes." in asked.stdout
    assert digest_of(user) == second
    release = saved.name.partition("-")[0]
    user.podvisor("restore", "web", release, "--yes")
    assert app_of(user, "web")["state"] == "held"
    assert digest_of(user) == first
    assert shop.bought == "apple"
    images.answered("podvisor-test 1")
    (undo,) = {one.name for one in (user.home / SNAPSHOTS).iterdir()} - {saved.name}
    user.podvisor("restore", "web", undo, "--yes")
    user.podvisor("resume", "web")
    ready(user, "web")
    assert digest_of(user) == second
    assert shop.sql("SELECT what, price FROM bought WHERE price") == "pear 3"


def test_what_is_killed_in_the_middle_counts_for_nothing_and_is_done_again(shop):
    user, images = shop.user, shop.images
    shop.deploy()
    shop.sql("CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob(300000000))")
    second = images.push("two")
    user.wait_for(lambda: any((user.home / SNAPSHOTS).glob(".part-*/*")), what="an export")
    pid = int(main_pid(user, "podvisor.service"))
    user.run("kill", f"-{signal.SIGKILL.value}", str(pid))
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert digest_of(user) == second
    (saved,) = (user.home / SNAPSHOTS).iterdir()
    assert not saved.name.startswith(".")
    (file,) = saved.glob("*.tar*")
    assert file.name == "systemd-data.tar.zst"
    assert file.stat().st_size < 30_000_000, "300 MB of zeros"
    tar = user.run("sh", "-c", f"zstd -dc {SNAPSHOTS}/{saved.name}/{file.name} | wc -c").stdout
    assert int(tar) > 300_000_000
    assert shop.bought == "apple"


def test_what_does_not_fit_stops_nothing(shop):
    user, images = shop.user, shop.images
    first = shop.deploy()
    pid = main_pid(user, "web.service")
    # A file without blocks: it would have to be written as what it says that it is.
    sparse = "podman unshare truncate -s 900T"
    path = ".local/share/containers/storage/volumes/systemd-data/_data/huge"
    user.run("sh", "-c", f"{sparse} {path} || {sparse.replace('900T', '15T')} {path}")
    images.push("two")
    user.wait_for(lambda: "are free in" in " ".join(waiting_of(user, "web")), what="figures")
    assert app_of(user, "web")["state"] == "failing"
    assert (main_pid(user, "web.service"), digest_of(user)) == (pid, first)
    user.run("podman", "unshare", "rm", f"/home/{user.name}/{path}")
    user.podvisor("sync", "web")
    images.answered("podvisor-test 2")


def test_what_only_the_next_restore_empties_is_exported_before(user):
    folder = f"/home/{user.name}/.local/share/containers/storage/volumes"

    def write(volume, text):
        user.run("podman", "unshare", "sh", "-c", f"echo {text} >{folder}/systemd-{volume}/_data/x")

    def read(volume):
        return user.run("podman", "unshare", "cat", f"{folder}/systemd-{volume}/_data/x").stdout

    def deploy_version(version, *volumes):
        mounts = [f"Volume={name}.volume:/{name}" for name in volumes]
        text = sleeper(*mounts, f"Environment=V={version}", *SNAPSHOT[1:])
        files = {f"web/{name}.volume": "[Volume]\n" for name in volumes}
        deploy_folder(user, files | {"web/web.container": text})
        sync(user)
        ready(user, "web")
        for name in volumes:
            write(name, f"{name}-of-{version}")

    def saved():
        return {one.name: one for one in (user.home / SNAPSHOTS).iterdir()}

    deploy_version(1, "data", "more")
    (user.home / "apps/web/more.volume").unlink()
    deploy_version(2, "data")
    (first,) = saved()
    deploy_version(3, "data")
    (second,) = saved().keys() - {first}
    known = {first, second}
    (file,) = saved()[second].glob("*.tar*")
    file.write_bytes(b"x" * file.stat().st_size)
    user.podvisor("restore", "web", second, "--yes", check=False)
    user.wait_for(
        lambda: "nothing of the app runs" in " ".join(waiting_of(user, "web")), what="half"
    )
    assert user.run("systemctl", "--user", "is-active", "web.service", check=False).returncode
    write("more", "of-today")
    user.podvisor("restore", "web", first, "--yes")
    assert (read("data"), read("more")) == ("data-of-1\n", "more-of-1\n")
    undo = max(saved().keys() - known)
    user.podvisor("restore", "web", undo, "--yes")
    assert (read("data"), read("more")) == ("data-of-3\n", "of-today\n")
