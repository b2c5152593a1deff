"""Sources and registries that fail: what runs keeps running, and it is said since when."""

import re
import shutil
import time

import pytest

from tests.host.scenes import (
    IMAGE,
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
    stop_podvisor,
    sync,
    wait_for_states,
    waiting_of,
)

APPS = {"apps/one/one.service": service(), "apps/two/two.service": service()}
CHANGED = {"apps/one/one.service": service(2000000)}


@pytest.fixture
def repository(user, git_server):
    """Two apps, deployed."""
    made = deploy(user, git_server, APPS)
    ready(user, "one", "two")
    return made


@pytest.fixture
def pids(user, repository):
    """How the two run."""
    return pids_of(user)


def pids_of(user):
    return [main_pid(user, unit) for unit in ("one.service", "two.service")]


def failed(user, words):
    """Sync, which fails with these words; gives what the status says."""
    __tracebackhide__ = True
    assert sync(user).returncode == 3
    told = source(user)
    assert words in told["error"], told
    assert set(states(user).values()) == {"ready"}, "the apps are well all the same"
    return told


# --- Git ------------------------------------------------------------------------------------------


def test_git_unreachable(user, git_server, repository, pids):
    with git_server.stopped():
        first = failed(user, "cannot fetch http://localhost:8080/git/")
        assert first["next_poll_at"] - first["error_since"] < 60, "tried again soon"
        time.sleep(1.1)  # "now" is no answer to since when
        again = failed(user, "cannot fetch")
        assert again["error_since"] == first["error_since"], "since when, not when last"
        assert again["revision"] == repository.head
        assert again["next_poll_at"] - first["error_since"] > 15, "and then less often"
        shown = user.podvisor("status", check=False).stdout
        assert re.search(r"✗ home: cannot fetch .* \(for \d+s\)", " ".join(shown.split())), shown
        user.systemctl("kill", "-sKILL", "two.service")
        user.wait_for(lambda: active(user, "two.service"))
        # A start without Git keeps to what is stored, and is ready.
        user.systemctl("restart", "podvisor.service")
        assert set(states(user).values()) == {"ready"}
        user.systemctl("stop", "one.service")
        user.wait_for(lambda: active(user, "one.service"))
        user.wait_for(lambda: source(user).get("error_since"))
        repository.commit(CHANGED)
    user.wait_for(lambda: not source(user).get("error"), 180, "recovered by itself")
    user.wait_for(lambda: app_of(user, "one")["revision"] == repository.head)
    assert events(user, kind="source", reason="can be read again")


def test_git_unreachable_from_the_start(user, git_server):
    repository = git_server.create(f"{user.name}-home")
    repository.commit(APPS)
    configure(user, f'git = "{repository.url}"')
    with git_server.stopped():
        user.start_daemon()
        user.wait_for(lambda: source(user).get("error"))
        assert user.podvisor("status", check=False).returncode == 3
        assert states(user) == {}
    ready(user, "one", "two")


def test_wrong_credentials(user, git_server):
    repository = git_server.create(f"{user.name}-secret", private=True)
    repository.commit(APPS)
    machine = f"machine localhost login {repository.username} password"
    user.write(".netrc", f"{machine} {repository.password}\n", mode=0o600)
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    ready(user, "one", "two")
    before = pids_of(user)
    for secret in ("wrong-word", None):
        if secret:
            user.write(".netrc", f"{machine} {secret}\n", mode=0o600)
        else:
            (user.home / ".netrc").unlink()
        told = failed(user, "cannot fetch http://localhost:8080/private/")
        assert "deploy key" in told["error"]
        assert ".netrc" in told["error"]
    # A password in the URL works, and is shown nowhere.
    url = repository.url.replace("://", f"://{repository.username}:not-{repository.password}@")
    configure(user, f'git = "{url}"')
    user.reload_daemon()
    failed(user, "cannot fetch")
    configure(user, 'git = "' + url.replace(":not-", ":") + '"')
    user.reload_daemon()
    repository.commit(CHANGED)
    assert sync(user).returncode == 0
    assert app_of(user, "one")["revision"] == repository.head
    after = pids_of(user)
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)
    shown = [
        user.podvisor("status", "--json").stdout,
        user.podvisor("events", "--json").stdout,
        user.journal("podvisor.service"),
        user.run("ps", "-eo", "args").stdout,
    ]
    assert repository.password not in "".join(shown)


def test_ref_gone(user, git_server):
    repository = git_server.create(f"{user.name}-home")
    repository.commit(APPS)
    repository.git("push", "--quiet", "origin", "main:live")
    configure(user, f'git = "{repository.url}"', 'ref = "live"')
    user.start_daemon()
    ready(user, "one", "two")
    before = pids_of(user)
    repository.commit(CHANGED)
    sync(user)
    assert pids_of(user) == before, "another branch is another branch"
    repository.git("push", "--quiet", "origin", ":live")
    told = failed(user, "no branch or tag live")
    assert "check `ref`" in told["error"]
    assert told["next_poll_at"], "asked again at the next poll"
    repository.git("push", "--quiet", "origin", "main:live")
    assert sync(user).returncode == 0
    assert app_of(user, "one")["revision"] == repository.head


def test_history_rewritten(user, repository, pids):
    first = repository.head
    repository.commit(CHANGED)
    sync(user)
    assert pids_of(user)[0] != pids[0]
    # Back to the first: what the branch says now is what counts.
    repository.git("reset", "--quiet", "--hard", first)
    repository.push(force=True)
    assert sync(user).returncode == 0
    assert app_of(user, "one")["revision"] == first
    assert "1000000" in user.read(f"{OWNED}/one/one.service")
    # And to one without a common ancestor.
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit({"apps/two/two.service": service(3000000)}, push=False)
    repository.git("push", "--quiet", "--force", "origin", "other:main")
    before = pids_of(user)
    assert sync(user).returncode == 0
    after = pids_of(user)
    assert (before[0] == after[0], before[1] != after[1]) == (True, True)


def test_repository_emptied_or_deleted(user, git_server, repository, pids):
    kept = dict.fromkeys(("one", "two"), "kept")
    first = repository.head
    repository.commit(dict.fromkeys(APPS), "Remove everything")
    assert sync(user).returncode == 0
    assert states(user) == kept
    assert "podvisor sync --prune-all" in user.podvisor("status").stdout
    # What is kept is kept running.
    user.systemctl("stop", "two.service")
    user.wait_for(lambda: active(user, "two.service"))
    repository.git("reset", "--quiet", "--hard", first)
    repository.push(force=True)
    sync(user)
    assert set(states(user).values()) == {"ready"}
    # The only branch is deleted: the repository has no commit at all.
    repository.git("--git-dir", repository.bare, "update-ref", "-d", "refs/heads/main")
    failed(user, "has no commit yet")
    away = repository.bare.with_name("away")
    repository.bare.rename(away)
    told = failed(user, "not found")
    assert "check the URL" in told["error"]
    user.systemctl("restart", "podvisor.service")
    failed(user, "not found")
    away.rename(repository.bare)
    repository.push()
    assert sync(user).returncode == 0
    assert main_pid(user, "one.service") == pids[0], "never restarted in all of this"
    # A person may say so.
    repository.commit(dict.fromkeys(APPS), "Remove everything")
    sync(user, "--prune-all")
    assert states(user) == {}
    assert user.unit_state("one.service")["LoadState"] == "not-found"


def test_one_app_left_of_many(user, repository, pids):
    repository.commit({"apps/one/one.service": None})
    assert sync(user).returncode == 0
    assert states(user) == {"two": "ready"}
    assert user.unit_state("one.service")["LoadState"] == "not-found"
    assert not (user.home / OWNED / "one").exists()
    # The last one is all of them.
    repository.commit({"apps/two/two.service": None})
    sync(user)
    assert states(user) == {"two": "kept"}
    assert main_pid(user, "two.service") == pids[1]


def test_the_only_app_is_renamed(user, git_server):
    """Nothing is lost, since its unit is there by another name: nobody has to be asked."""
    repository = deploy(user, git_server, {"apps/old/web.service": service()})
    ready(user, "old")
    pid = main_pid(user, "web.service")
    repository.commit({"apps/old/web.service": None, "apps/new/web.service": service()})
    assert sync(user).returncode == 0
    assert states(user) == {"new": "ready"}
    assert main_pid(user, "web.service") == pid, "the unit moved as it is"


def test_a_source_that_left_the_settings(user, git_server, repository, pids):
    user.write("more/three/three.service", service())
    user.write(".config/podvisor/config.toml", '[sources.more]\nfolder = "~/more"\n')
    user.reload_daemon()
    wait_for_states(user, one="kept", two="kept", three="ready")
    assert pids_of(user) == pids


def test_a_folder_that_is_emptied_unreadable_or_gone(user):
    deploy_folder(user, {"one/one.service": service(), "two/two.service": service()})
    ready(user, "one", "two")
    before = pids_of(user)
    folder = user.home / "apps"
    away = user.home / "away"
    folder.rename(away)
    failed(user, "cannot read folder")
    folder.mkdir()  # as a disk that is not mounted
    wait_for_states(user, one="kept", two="kept")
    assert pids_of(user) == before
    folder.rmdir()
    away.rename(folder)
    ready(user, "one", "two")
    folder.chmod(0)
    failed(user, "cannot read folder")
    folder.chmod(0o755)
    assert sync(user).returncode == 0
    user.write("apps/two/two.service", service(2000000))
    user.wait_for(lambda: runs_anew(user, "two.service", before[1]))
    assert main_pid(user, "one.service") == before[0]
    shutil.rmtree(folder / "one")
    shutil.rmtree(folder / "two")
    wait_for_states(user, one="kept", two="kept")
    assert sync(user, "--prune-all").returncode == 0
    assert states(user) == {}


def test_an_app_that_cannot_be_read_or_was_emptied_stays(user):
    lost = {f"apps/{name}/{name}.service": service() for name in ("one", "two", "three")}
    deploy_folder(user, lost)
    ready(user, "one", "two", "three")
    before = pids_of(user)
    one, two = (user.home / "apps/apps" / name for name in ("one", "two"))
    one.chmod(0)
    unit = two / "two.service"
    unit.chmod(0)
    wait_for_states(user, one="refused", two="refused", three="ready")
    assert "Permission denied" in app_of(user, "one")["findings"][0]["message"]
    check = user.podvisor("check", "apps", check=False)
    assert check.returncode == 1, check.stdout
    assert "cannot be read" in check.stdout
    one.chmod(0o755)
    unit.chmod(0o644)
    ready(user, "one", "two", "three")
    unit.rename(user.home / "two.service")
    wait_for_states(user, one="ready", two="kept", three="ready")
    assert pids_of(user) == before, "nothing was stopped"
    two.rmdir()
    wait_for_states(user, one="ready", three="ready")
    assert not active(user, "two.service")


def test_a_damaged_store_is_made_anew(user, repository, pids):
    objects = next((user.home / ".local/state/podvisor/sources").glob("*.git")) / "objects"
    user.systemctl("stop", "podvisor.service")
    for one in objects.rglob("*"):
        if one.is_file():
            one.write_bytes(b"")
    user.systemctl("start", "podvisor.service")
    repository.commit(CHANGED)
    done = sync(user)
    assert done.returncode == 0, done.stdout
    assert app_of(user, "one")["revision"] == repository.head
    assert pids_of(user)[1] == pids[1]


# --- images ---------------------------------------------------------------------------------------

SLOW = """\
import os, socket, sys, threading, time
# Takes connections for a registry, and hands them on once the file is there.
port, go = int(sys.argv[1]), sys.argv[2]
def copy(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(client):
    while not os.path.exists(go):
        time.sleep(0.05)
    with socket.create_connection(("localhost", 5000)) as server:
        threads = [threading.Thread(target=copy, args=pair, daemon=True)
                   for pair in ((client, server), (server, client))]
        [one.start() for one in threads]
        [one.join() for one in threads]
with socket.create_server(("127.0.0.1", port)) as listener:
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""
SLOW_PORT = 8101


@pytest.fixture
def slow_registry(user):
    """A registry that answers nothing before `go` is there; gives that path."""
    user.write("slow.py", SLOW)
    user.write(
        ".config/containers/registries.conf.d/slow.conf",
        f'[[registry]]\nlocation = "localhost:{SLOW_PORT}"\ninsecure = true\n',
    )
    folder = f"/home/{user.name}"
    user.run(
        "systemd-run",
        "--user",
        "--quiet",
        "--unit=slow",
        *("python3", f"{folder}/slow.py", str(SLOW_PORT), f"{folder}/go"),
    )
    return user.home / "go"


def test_an_image_that_does_not_exist(user, git_server, registry):
    repository = deploy(user, git_server, {"apps/web/web.container": sleeper()})
    ready(user, "web")
    first = repository.head
    pid = main_pid(user, "web.service")
    image = f"{registry.url}/{user.name}:later"
    repository.commit(
        {
            "apps/web/web.container": sleeper(image=image),
            "apps/web/more.container": sleeper(),
            "apps/fine/fine.service": service(),
        }
    )
    assert sync(user).returncode == 3
    assert states(user) == {"web": "failing", "fine": "ready"}
    web = app_of(user, "web")
    assert web["revision"] == first
    (waiting,) = waiting_of(user, "web")
    assert image in waiting
    assert "unknown" in waiting or "not found" in waiting, waiting
    assert main_pid(user, "web.service") == pid
    assert f"{IMAGE}:1" in user.read(f"{OWNED}/web/web.container"), "nothing is half-installed"
    user.systemctl("stop", "web.service")
    user.wait_for(lambda: active(user, "web.service"))
    # It comes to be: a sync is enough.
    registry.push("podvisor-test:2", f"{user.name}:later")
    assert sync(user).returncode == 0
    ready(user, "web", "fine")
    assert "tag" not in waiting_of(user, "web")
    assert active(user, "web.service", "more.service")
    assert user.podman("inspect", "--format={{.ImageName}}", "systemd-web").stdout.strip() == image
    registry.delete(f"{user.name}:later")


def test_a_registry_that_is_down(user, git_server, registry):
    repository = deploy(user, git_server, {"apps/web/web.container": sleeper()})
    ready(user, "web")
    pid = main_pid(user, "web.service")
    name = f"{user.name}:1"
    registry.push("podvisor-test:1", name)
    with registry.stopped():
        repository.commit({"apps/web/web.container": sleeper(image=f"{registry.url}/{name}")})
        assert sync(user).returncode == 3
        assert states(user) == {"web": "failing"}
        assert "refused" in waiting_of(user, "web")[0]
        assert main_pid(user, "web.service") == pid
        # Through a restart as well.
        user.systemctl("restart", "podvisor.service")
        user.wait_for(lambda: states(user) == {"web": "failing"})
        assert main_pid(user, "web.service") == pid
        assert events(user, kind="waiting", step="pull")
    # By itself, with its own backoff.
    user.wait_for(lambda: app_of(user, "web")["revision"] == repository.head, 180, "by itself")
    ready(user, "web")
    registry.delete(name)


def test_an_image_is_pulled_before_anything_stops(user, git_server, registry, slow_registry):
    repository = deploy(user, git_server, {"apps/web/web.container": sleeper()})
    ready(user, "web")
    pid = main_pid(user, "web.service")
    image = f"localhost:{SLOW_PORT}/podvisor-test:2"
    repository.commit(
        {"apps/web/web.container": sleeper(image=image), "apps/two/two.service": service()}
    )
    user.run("systemd-run", "--user", "--quiet", "--unit=sync", "podvisor", "sync")
    user.wait_for(lambda: any(image in text for text in waiting_of(user, "web")))
    ready_now = states(user)
    assert ready_now["web"] == "changing"
    user.wait_for(lambda: active(user, "two.service"), what="others do not wait for the pull")
    assert main_pid(user, "web.service") == pid
    # Neither does a repair of the old one.
    user.systemctl("kill", "-sKILL", "web.service")
    user.wait_for(lambda: runs_anew(user, "web.service", pid))
    # Nor the end: within five seconds, in the middle of the pull.
    stop_podvisor(user)
    assert active(user, "web.service", "two.service")
    user.systemctl("start", "podvisor.service")
    user.wait_for(lambda: states(user).get("web") == "changing")
    slow_registry.touch()
    user.wait_for(lambda: app_of(user, "web")["revision"] == repository.head)
    ready(user, "web", "two")
    assert user.podman("inspect", "--format={{.ImageName}}", "systemd-web").stdout.strip() == image


def test_a_private_registry(user, git_server, registry):
    name = f"{user.name}:1"
    registry.push("podvisor-test:1", name, private=True)
    image = f"{registry.private_url}/{name}"
    deploy(user, git_server, {"apps/web/web.container": sleeper(image=image)})
    user.wait_for(lambda: states(user) == {"web": "failing"})
    (waiting,) = waiting_of(user, "web")
    assert "unauthorized" in waiting or "authentication required" in waiting
    assert not (user.home / OWNED / "web").exists()
    # Where Podman keeps it for good; the default place goes at a reboot.
    user.podman(
        "login",
        "--username",
        registry.username,
        "--password",
        registry.password,
        registry.private_url,
    )
    assert sync(user).returncode == 0
    ready(user, "web")
    registry.delete(name, private=True)


def test_status_of_everything_at_once(user, git_server, repository, pids):
    """A source that is gone does not hide the others."""
    more = git_server.create(f"{user.name}-more")
    more.commit({"apps/three/three.service": service()})
    configure(user, f'git = "{repository.url}"', more=f'[sources.more]\ngit = "{more.url}"\n')
    user.reload_daemon()
    ready(user, "one", "two", "three")
    shutil.rmtree(more.bare)
    repository.commit(CHANGED)
    assert sync(user).returncode == 3
    told = {one["name"]: one for one in status(user)["sources"]}
    assert "not found" in told["more"]["error"]
    assert not told["home"].get("error")
    assert set(states(user).values()) == {"ready"}
    assert app_of(user, "one")["revision"] == repository.head
