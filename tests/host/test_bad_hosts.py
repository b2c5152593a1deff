"""Hosts that lack something, settings that are refused, disks that are full."""

import contextlib
import json
import time

import pytest

from tests.host.conftest import UNITS
from tests.host.scenes import (
    OWNED,
    active,
    app_of,
    configure,
    deploy,
    deploy_folder,
    events,
    main_pid,
    ready,
    runs_anew,
    service,
    sleeper,
    source,
    states,
    status,
    sync,
)

# --- settings -------------------------------------------------------------------------------------

GOOD = '[sources.home]\ngit = "https://git.example.org/home.git"\n'
REFUSED = [
    (GOOD + "pol = 5\n", 3, "pol", "poll"),
    (GOOD + 'poll = "5 minuts"\n', 3, "poll", "5m"),
    (GOOD + "poll = 300\n", 3, "poll", "1h30m"),
    (GOOD + 'select = "web"\n', 3, "select", "["),
    (GOOD + '\n[repare]\nresync = "1h"\n', 4, "repare", "repair"),
    (GOOD + '\n[limits]\nfile_size = "16 apples"\n', 5, "file_size", "16M"),
    ('[sources.home]\ngti = "https://git.example.org"\n', 2, "gti", "git"),
    (GOOD.replace("https", "gopher"), 2, "gopher", "https"),
    (GOOD + "ref =\n", 3, "", ""),
    ("", 0, "", ""),
]


def flat(done):
    """Everything that a command has said, in one line."""
    return " ".join((done.stdout + done.stderr).split())


def test_settings_are_refused_at_the_start(user):
    for text, line, word, mend in REFUSED[:-1]:
        user.write(".config/podvisor/config.toml", text)
        done = user.podvisor("run", check=False)
        said = flat(done)
        assert done.returncode == 78, (text, said)
        assert f"config.toml:{line}:" in said, (text, said)
        assert word in said, (text, said)
        assert mend in said, (text, said)
    done = user.podvisor("setup", check=False)
    assert done.returncode == 1
    assert "the settings are refused" in flat(done)
    assert user.unit_state("podvisor.service")["LoadState"] == "not-found"
    (user.home / ".config/podvisor/config.toml").unlink()
    done = user.podvisor("run", check=False)
    assert done.returncode == 78
    assert "podvisor init" in flat(done)


def test_the_service_does_not_loop_over_refused_settings(user):
    deploy_folder(user, {"one/one.service": service()})
    ready(user, "one")
    pid = main_pid(user, "one.service")
    user.write(".config/podvisor/config.toml", REFUSED[0][0])
    user.systemctl("restart", "podvisor.service", check=False)
    time.sleep(2.5)  # RestartSec= is 2 s
    state = user.unit_state("podvisor.service")
    assert (state["ActiveState"], state["ExecMainStatus"]) == ("failed", "78")
    assert state["NRestarts"] == "0"
    assert "config.toml:3: " in user.journal("podvisor.service")
    assert main_pid(user, "one.service") == pid


def test_settings_are_refused_at_a_reload(user):
    deploy_folder(user, {"one/one.service": service()})
    ready(user, "one")
    pid = main_pid(user, "one.service")
    for text, line, word, mend in REFUSED:
        user.write(".config/podvisor/config.toml", text)
        user.reload_daemon(check=not text)
        if not text:
            break  # no sources: nothing wrong with that, and nothing is pruned
        assert "the old settings stay" in user.journal("podvisor.service")
        problems = status(user)["problems"]
        (found,) = [one for one in problems if one.get("line") == line]
        assert word in found["message"], found
        assert mend in json.dumps(found, ensure_ascii=False), found
        assert user.podvisor("status", check=False).returncode == 3
        assert states(user) == {"one": "ready"}
        checked = " ".join(user.podvisor("check", "apps").stdout.split())
        assert "these settings are refused, and count for nothing here" in checked
        assert word in checked
    user.wait_for(lambda: states(user) == {"one": "kept"})
    (user.home / ".config/podvisor/config.toml").unlink()
    user.reload_daemon(check=False)
    assert "there are no settings" in status(user)["problems"][0]["message"]
    configure(user, 'folder = "~/apps"')
    user.reload_daemon()
    ready(user, "one")
    assert not status(user).get("problems")
    assert main_pid(user, "one.service") == pid
    assert events(user, kind="settings", reason="refused, the old ones stay")


def test_settings_are_taken_up_while_the_first_pass_lasts(user):
    """The service starts until then: systemd has every reload of it wait, and calls for none."""

    def is_starting():
        return user.unit_state("podvisor.service")["ActiveState"] == "activating"

    def change(resync):
        configure(user, 'folder = "~/apps"', more=f'[repair]\nresync = "{resync}"\n')
        user.wait_for(lambda: "were changed" in json.dumps(status(user)["problems"]))

    slow = service().replace("[Service]", "[Service]\nExecStartPre=sleep 12")
    deploy_folder(user, {"slow/slow.service": slow})
    user.wait_for(lambda: states(user).get("slow") == "changing")
    change("2h")
    user.podvisor("setup")
    assert not status(user).get("problems")
    change("3h")
    user.podvisor("reload")
    assert not status(user).get("problems")
    change("4h")
    assert is_starting()
    user.systemctl("reload", "podvisor.service")
    assert not is_starting()
    assert not status(user).get("problems")
    ready(user, "slow")


def test_what_set_up_once_stays_as_it_is(user):
    """So does what scenarios write in its place."""

    def written():
        found = [one for one in (user.home / UNITS).rglob("pod*.*") if not one.is_dir()]
        return {one: one.readlink() if one.is_symlink() else one.read_text() for one in found}

    deploy_folder(user, {"one/one.service": service()})
    ready(user, "one")
    before, pid = written(), main_pid(user, "podvisor.service")
    assert "write" not in user.podvisor("setup").stdout
    assert written() == before
    assert main_pid(user, "podvisor.service") == pid
    # And the other way round: what it writes where there is nothing.
    user.podvisor("setup", "--undo")
    user.systemctl("disable", "--now", "podman.socket")
    assert written() == {}
    user.podvisor("setup")
    assert written() == before


# --- what the host lacks --------------------------------------------------------------------------


@pytest.fixture
def source_of_one(user):
    """Settings and an app, and no daemon yet."""
    user.write("apps/one/one.container", sleeper())
    configure(user, 'folder = "~/apps"')


def refuses(user, command, *words, code=1):
    """Both of these commands end, soon, and say these words."""
    __tracebackhide__ = True
    done = user.podvisor(command, check=False)
    said = flat(done)
    assert done.returncode == code, said
    for word in words:
        assert word in said, said


def test_no_user_bus(user, source_of_one):
    user.systemctl("stop", "dbus.socket", "dbus.service")
    words = ("session bus", "cannot be reached", "systemctl --user start dbus.socket")
    refuses(user, "run", *words)
    refuses(user, "setup", *words)
    user.systemctl("start", "dbus.socket")
    user.start_daemon()
    ready(user, "one")


def test_the_bus_goes_while_it_runs(user, source_of_one):
    user.start_daemon()
    ready(user, "one")
    pid = main_pid(user, "one.service")
    user.systemctl("stop", "dbus.socket", "dbus.service")
    time.sleep(0.5)
    user.systemctl("start", "dbus.socket")
    user.write("apps/one/one.container", sleeper("HostName=two"))
    user.wait_for(lambda: runs_anew(user, "one.service", pid), what="applied over the new bus")
    ready(user, "one")
    user.systemctl("stop", "one.service")
    user.wait_for(lambda: active(user, "one.service"), what="signals come again")


def test_no_podman_socket(user, source_of_one):
    user.systemctl("stop", "podman.socket")
    user.run("rm", "-f", f"{user.runtime}/podman/podman.sock")
    refuses(user, "run", "Podman's API", "systemctl --user enable --now podman.socket")
    # `setup` mends that by itself.
    done = user.podvisor("setup")
    assert "systemctl --user enable --now podman.socket" in flat(done)
    ready(user, "one")
    # Masked, it is a person's word; it cannot be mended here, only said.
    user.systemctl("stop", "podvisor.service")
    user.systemctl("mask", "--now", "podman.socket")
    user.run("rm", "-f", f"{user.runtime}/podman/podman.sock")
    refuses(user, "setup", "cannot start Podman's socket")


def test_the_podman_socket_goes_while_it_runs(user, source_of_one):
    user.start_daemon()
    ready(user, "one")
    pid = main_pid(user, "one.service")
    user.systemctl("stop", "podman.socket", "podman.service")
    # What needs no API goes on.
    user.systemctl("stop", "one.service")
    user.wait_for(lambda: active(user, "one.service"))
    user.write("apps/two/two.service", service())
    user.write("apps/one/one.container", sleeper("HostName=two"))
    user.wait_for(lambda: "Podman" in json.dumps(status(user).get("problems", "")))
    shown = flat(user.podvisor("status", check=False))
    assert "cannot" in shown
    assert "podman.socket" in shown, "and what mends it"
    pid = main_pid(user, "one.service")
    user.systemctl("start", "podman.socket")
    user.wait_for(lambda: runs_anew(user, "one.service", pid), what="by itself")
    ready(user, "one", "two")
    assert not status(user).get("problems")


def test_no_generator(user, host, source_of_one):
    user.start_daemon()
    ready(user, "one")
    pid = main_pid(user, "one.service")
    link = "/usr/lib/systemd/user-generators/podman-user-generator"
    binary = "/usr/libexec/podman/quadlet"
    with contextlib.ExitStack() as restore:
        for path in (link, binary):
            host.run("mv", path, f"{path}.away")
            restore.callback(host.run, "mv", f"{path}.away", path)
        words = ("Quadlet generator", "not installed", "apt install podman")
        refuses(user, "setup", *words)
        user.write("apps/one/one.container", sleeper("HostName=two"))
        sync(user)
        shown = flat(user.podvisor("status", check=False))
        assert "cannot find Podman's Quadlet generator" in shown
        assert "apt install podman" in shown
        assert main_pid(user, "one.service") == pid
        user.systemctl("stop", "podvisor.service")
        refuses(user, "run", *words)
    user.systemctl("start", "podvisor.service")
    ready(user, "one")
    assert "HostName=two" in user.read(f"{OWNED}/one/one.container")


def test_no_podman(user, source_of_one):
    user.run("mkdir", "bin")
    for tool in ("systemctl", "loginctl", "git"):
        user.run("ln", "-s", f"/usr/bin/{tool}", f"bin/{tool}")
    for command in ("run", "setup"):
        path = f"PATH=/home/{user.name}/bin"
        done = user.run("env", path, "/opt/podvisor/bin/podvisor", command, check=False)
        assert done.returncode == 1
        assert "podman is not installed" in flat(done)
        assert "apt install podman" in flat(done)


def test_no_subordinate_ids(user, host, source_of_one):
    for name in ("subuid", "subgid"):
        before = host.run("cat", f"/etc/{name}").stdout
        try:
            host.run("sed", "-i", f"/^{user.name}:/d", f"/etc/{name}")
            words = (
                f"{user.name} has no subordinate ids in /etc/{name}",
                "sudo usermod --add-subuids",
            )
            refuses(user, "run", *words)
            refuses(user, "setup", *words)
        finally:
            host.run("tee", f"/etc/{name}", input=before)
    user.start_daemon()
    ready(user, "one")


def test_no_lingering(user, host, source_of_one):
    host.run("loginctl", "disable-linger", user.name)
    user.wait_for(lambda: host.run("test", "-e", user.runtime, check=False).returncode)
    mend = f"loginctl enable-linger {user.name}"
    refuses(user, "run", "does not linger", "no session", mend)
    # Nobody may do that for oneself here: no polkit.
    refuses(user, "setup", "cannot enable lingering", f"sudo {mend}")
    host.run("loginctl", "enable-linger", user.name)
    host.run("systemctl", "start", f"user@{user.uid}.service")
    user.start_daemon()
    ready(user, "one")


# --- disks that are full --------------------------------------------------------------------------


NEVER_FULL = '[limits]\nfree_space = "0"\n'
"""A disk of 2 MB would be nearly full with nothing on it."""


@pytest.fixture
def small(user, host):
    """`small(path, size)` puts a small disk under a folder of the user."""
    mounted = []

    def mount(path, size):
        place = f"/home/{user.name}/{path}"
        user.run("mkdir", "-p", place)
        options = f"size={size},uid={user.uid},gid={user.uid},mode=700"
        host.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
        mounted.append(place)
        return place

    yield mount
    if mounted:
        user.systemctl("stop", "podvisor.service", check=False)
    for place in mounted:
        host.run("umount", "--lazy", place)


def fill(user, place):
    user.run("dd", "if=/dev/zero", f"of={place}/fill", "bs=1k", check=False)
    user.run("dd", "if=/dev/zero", f"of={place}/more", "bs=1", "count=4096", check=False)


def make_room(user, place):
    user.run("rm", "-f", f"{place}/fill", f"{place}/more")


def test_disk_full_while_installing(user, git_server, small):
    place = small(OWNED, "200k")
    first = {
        "apps/one/one.container": sleeper("Volume=./conf:/srv:ro"),
        "apps/one/conf/a": "first\n",
        "apps/two/two.service": service(),
    }
    repository = deploy(user, git_server, first)
    ready(user, "one", "two")
    pids = [main_pid(user, unit) for unit in ("one.service", "two.service")]
    fill(user, place)
    repository.commit(
        {
            "apps/one/conf/a": "second\n",
            "apps/one/conf/b": "x" * 9000,
            "apps/one/one.container": sleeper("Volume=./conf:/srv:ro", "HostName=second"),
        }
    )
    assert sync(user).returncode == 3
    shown = flat(user.podvisor("status", check=False))
    assert "disk full" in shown
    assert [main_pid(user, unit) for unit in ("one.service", "two.service")] == pids
    there = {
        "apps/one/one.container": user.run("cat", f"{place}/one/one.container").stdout,
        "apps/one/conf/a": user.run("cat", f"{place}/one/conf/a").stdout,
    }
    assert there == {path: first[path] for path in there}, "old files are whole"
    assert user.run("find", place, "-name", "*.tmp").stdout == ""
    # Other apps are looked after meanwhile.
    user.systemctl("stop", "two.service")
    user.wait_for(lambda: active(user, "two.service"))
    pids[1] = main_pid(user, "two.service")
    make_room(user, place)
    user.wait_for(lambda: app_of(user, "one").get("revision") == repository.head, 180, "by itself")
    ready(user, "one", "two")
    read = user.podman("exec", "systemd-one", "cat", "/srv/a").stdout
    assert read == "second\n"
    assert main_pid(user, "two.service") == pids[1]
    assert not status(user).get("problems")


def test_disk_full_from_the_start(user, git_server, small):
    place = small(OWNED, "100k")
    fill(user, place)
    repository = git_server.create(f"{user.name}-home")
    repository.commit({"apps/one/one.container": sleeper()})
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    user.wait_for(lambda: "disk full" in flat(user.podvisor("status", check=False)))
    assert not active(user, "one.service")
    make_room(user, place)
    ready(user, "one")


def test_disk_full_while_the_ledger_is_written(user, git_server, small):
    place = small(".local/state/podvisor", "2m")
    repository = deploy(user, git_server, {"apps/one/one.service": service()}, more=NEVER_FULL)
    ready(user, "one")
    pid = main_pid(user, "one.service")
    fill(user, place)
    # Repairs go on, although they cannot be written down.
    for _ in range(2):
        pid = main_pid(user, "one.service")
        user.systemctl("kill", "-sKILL", "one.service")
        user.wait_for(lambda pid=pid: runs_anew(user, "one.service", pid))
    # What comes anew has nowhere to go, and says so.
    repository.commit({"apps/one/one.service": service(2000000)})
    assert sync(user).returncode == 3
    shown = flat(user.podvisor("status", check=False))
    assert "cannot write the ledger" in shown
    assert "disk full" in source(user)["error"]
    assert active(user, "one.service")
    # Even a restart does not need the disk.
    user.systemctl("restart", "podvisor.service")
    assert active(user, "one.service")
    user.wait_for(lambda: app_of(user, "one")["state"] == "ready", what="its gate anew")
    make_room(user, place)
    user.wait_for(lambda: app_of(user, "one").get("revision") == repository.head, 180, "by itself")
    user.wait_for(lambda: not status(user).get("problems"))
    user.wait_for(lambda: events(user, kind="applied", revision=repository.head), what="its gate")
    checked = user.run(
        "sqlite3", f"/home/{user.name}/.local/state/podvisor/ledger.db", "PRAGMA integrity_check"
    )
    assert checked.stdout.strip() == "ok"


def test_what_was_done_while_the_disk_was_full_is_written_down_later(user, small):
    place = small(".local/state/podvisor", "2m")
    deploy_folder(user, {"one/one.service": service()}, more=NEVER_FULL)
    ready(user, "one")
    fill(user, place)
    pid = main_pid(user, "one.service")
    user.systemctl("kill", "-sKILL", "one.service")
    user.wait_for(lambda: runs_anew(user, "one.service", pid))
    user.wait_for(lambda: "ledger" in json.dumps(status(user).get("problems", "")))
    make_room(user, place)
    user.systemctl("kill", "-sKILL", "one.service")
    user.wait_for(lambda: not status(user).get("problems"))
    user.wait_for(lambda: len(events(user, unit="one.service", step="start")) >= 3)
