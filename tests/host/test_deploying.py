"""Order between apps, reloads instead of restarts, jobs before a deploy, and apps that move."""

import pytest

from tests.host.scenes import (
    IMAGE,
    OWNED,
    active,
    deploy,
    events,
    finding,
    main_pid,
    ready,
    runs_anew,
    service,
    sleeper,
    states,
    sync,
    waiting_of,
)


def own(*lines):
    return "\n[X-Podvisor]\n" + "".join(f"{line}\n" for line in lines)


def seen(user, container, path="/seen"):
    """What a container has read last."""
    return user.podman("exec", container, "cat", path, check=False).stdout


# Order


def started_at(user, unit):
    return int(user.unit_state(unit)["ExecMainStartTimestampMonotonic"])


SLOW = f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 2\n{own()}"
WANTED = "[Install]\nWantedBy=default.target\n"


def test_apps_come_one_after_the_other_and_a_failing_one_holds_the_next(user, git_server):
    after = own("After=app:zz-db")
    files = {"apps/web/web.service": service() + after, "apps/zz-db/db.service": SLOW + WANTED}
    repository = deploy(user, git_server, files)
    ready(user, "web", "zz-db")
    db = user.unit_state("db.service")
    assert started_at(user, "web.service") >= int(db["ActiveEnterTimestampMonotonic"])
    pid = main_pid(user, "web.service")
    bad = SLOW.replace("/bin/sleep 2", "/bin/false")
    repository.commit(
        {"apps/zz-db/db.service": bad + WANTED, "apps/web/web.service": service(5000000) + after}
    )
    assert sync(user).returncode == 3
    assert waiting_of(user, "web") == ["waits for app zz-db, of which the newest revision failed"]
    assert main_pid(user, "web.service") == pid
    user.systemctl("kill", "-sKILL", "web.service")
    user.wait_for(lambda: runs_anew(user, "web.service", pid))
    assert "1000000" in user.unit_state("web.service")["ExecStart"], "repaired as it was"
    repository.commit({"apps/zz-db/db.service": SLOW + WANTED})
    assert sync(user, "web").returncode == 0, "which waits for the one before it"
    assert "5000000" in user.unit_state("web.service")["ExecStart"]


def test_an_order_that_cannot_be_is_refused_with_its_line(user, git_server):
    files = {
        "apps/web/web.service": service() + own("After=app:bd"),
        "apps/db/db.service": service(),
        "apps/one/one.service": service() + own("After=app:two"),
        "apps/two/two.service": service() + own("After=app:one"),
    }
    deploy(user, git_server, files)
    user.wait_for(
        lambda: (
            states(user) == {"db": "ready", "one": "refused", "two": "refused", "web": "refused"}
        )
    )
    found = finding(user, "web")
    assert (found["path"], found["line"]) == ("apps/web/web.service", 8)
    assert found["hint"] == "did you mean app:db?"
    assert "one comes after two, two comes after one" in finding(user, "one")["message"]


# Reloads


def reloading(suite, name, *more, rules=("OnChange=reload",)):
    """A container that copies its configuration when it is reloaded."""
    copy = "/bin/busybox cp /conf/site.conf /seen"
    by_podman = (f"ReloadCmd={copy}",) if suite == "forky" else ()
    by_systemd = f"[Service]\nExecReload=/usr/bin/podman exec systemd-{name} {copy}\n"
    text = sleeper(*more, *by_podman)
    return text + ("" if by_podman else by_systemd) + own(*rules)


def test_a_folder_that_is_mounted_is_taken_up_by_a_reload(user, git_server, suite):
    unit = reloading(suite, "web", "Volume=./conf:/conf:ro")
    files = {"apps/web/web.container": unit, "apps/web/conf/site.conf": "one\n"}
    repository = deploy(user, git_server, files)
    ready(user, "web")
    pid = main_pid(user, "web.service")
    repository.commit({"apps/web/conf/site.conf": "two\n"})
    assert sync(user).returncode == 0
    assert seen(user, "systemd-web") == "two\n"
    assert main_pid(user, "web.service") == pid
    (reload,) = events(user, step="reload-unit")
    assert reload["reason"] == "conf/site.conf changed"
    # A folder in which nothing is as it was is still the same folder to its container.
    repository.commit({"apps/web/conf/site.conf": None, "apps/web/conf/more/site.conf": "three\n"})
    repository.commit({"apps/web/conf/site.conf": "three\n", "apps/web/conf/more/site.conf": None})
    assert sync(user).returncode == 0
    assert seen(user, "systemd-web") == "three\n"
    assert main_pid(user, "web.service") == pid


def test_a_file_that_is_mounted_by_itself_takes_a_restart(user, git_server, suite):
    unit = reloading(suite, "web", "Volume=./site.conf:/conf/site.conf:ro")
    files = {"apps/web/web.container": unit, "apps/web/site.conf": "one\n"}
    repository = deploy(user, git_server, files)
    ready(user, "web")
    pid = main_pid(user, "web.service")
    repository.commit({"apps/web/site.conf": "two\n"})
    assert sync(user).returncode == 0
    assert seen(user, "systemd-web", "/conf/site.conf") == "two\n"
    assert main_pid(user, "web.service") != pid
    (restart,) = events(user, step="restart")
    assert "a reload would not show it site.conf" in restart["reason"]
    # So it is: once replaced, the file that the container has is the old one.
    pid = main_pid(user, "web.service")
    user.systemctl("stop", "podvisor.service")
    user.write(f"{OWNED}/web/new", "three\n").rename(user.home / OWNED / "web/site.conf")
    user.systemctl("reload", "web.service")
    assert seen(user, "systemd-web") == "two\n"


def test_what_a_unit_says_to_leave_is_left(user, git_server):
    unit = sleeper("Volume=./conf:/conf:ro") + own("OnChange=none conf/*.md")
    files = {
        "apps/web/web.container": unit,
        "apps/web/conf/README.md": "one\n",
        "apps/web/conf/site.conf": "one\n",
    }
    repository = deploy(user, git_server, files)
    ready(user, "web")
    pid = main_pid(user, "web.service")
    repository.commit({"apps/web/conf/README.md": "two\n"})
    assert "leave" in user.podvisor("plan").stdout
    assert sync(user).returncode == 0
    assert main_pid(user, "web.service") == pid
    assert seen(user, "systemd-web", "/conf/README.md") == "two\n"
    repository.commit({"apps/web/conf/site.conf": "two\n"})
    assert sync(user).returncode == 0
    assert main_pid(user, "web.service") != pid


# Jobs


def migration(script, image=f"{IMAGE}:1"):
    return (
        f"[Container]\nImage={image}\nNetwork=none\nVolume=data.volume:/data\n"
        f"Volume=./migrations:/migrations:ro\nExec=/bin/sh -c '{script}'\n"
        f"[Service]\nType=oneshot\n{own('Run=before-deploy')}"
    )


COPY = "cat /migrations/* >>/data/schema"
SHOP = {
    "apps/shop/shop.container": sleeper("Volume=data.volume:/data"),
    "apps/shop/data.volume": "[Volume]\n",
    "apps/shop/migrate.container": migration(COPY),
    "apps/shop/migrations/1": "one\n",
}


def schema(user):
    return seen(user, "systemd-shop", "/data/schema")


def test_a_migration_runs_before_each_deploy_and_never_else(user, git_server):
    repository = deploy(user, git_server, SHOP)
    ready(user, "shop")
    assert schema(user) == "one\n"
    pid = main_pid(user, "shop.service")
    repository.commit(
        {
            "apps/shop/shop.container": sleeper("Volume=data.volume:/data", "Environment=A=2"),
            "apps/shop/migrations/1": "two\n",
        }
    )
    plan = user.podvisor("plan").stdout
    assert "migrate.service first, then restart shop.service" in plan
    assert sync(user).returncode == 0
    assert schema(user) == "one\ntwo\n"
    assert main_pid(user, "shop.service") != pid
    run, restart = [one for one in events(user) if one.get("step") in {"run", "restart"}][-2:]
    assert (run["step"], restart["step"]) == ("run", "restart")
    user.systemctl("stop", "shop.service")
    user.wait_for(lambda: active(user, "shop.service"))
    assert sync(user).returncode == 0
    assert schema(user) == "one\ntwo\n", "neither a repair nor a sync is a deploy"


def test_a_migration_that_fails_stops_the_deploy(user, git_server):
    repository = deploy(user, git_server, SHOP)
    ready(user, "shop")
    pid = main_pid(user, "shop.service")
    bad = migration("test -e /data/go || { echo no such table; exit 3; }")
    changed = sleeper("Volume=data.volume:/data", "Environment=A=2")
    repository.commit({"apps/shop/migrate.container": bad, "apps/shop/shop.container": changed})
    assert sync(user).returncode == 3
    found = finding(user, "shop")
    assert "its job migrate.service failed" in found["message"]
    assert "no such table" in found["message"]
    assert found["path"] == "apps/shop/migrate.container"
    assert main_pid(user, "shop.service") == pid
    assert user.read(f"{OWNED}/shop/shop.container") == SHOP["apps/shop/shop.container"]
    assert user.read(f"{OWNED}/shop/migrate.container") == SHOP["apps/shop/migrate.container"]
    assert sync(user).returncode == 3
    assert len([one for one in events(user, step="run") if not one.get("ok", True)]) == 1
    user.podman("exec", "systemd-shop", "touch", "/data/go")
    assert sync(user, "shop").returncode == 0
    assert main_pid(user, "shop.service") != pid


def test_what_crashes_while_a_migration_runs_comes_back_as_it_was(user, git_server):
    repository = deploy(user, git_server, SHOP)
    ready(user, "shop")
    pid = main_pid(user, "shop.service")
    slow = migration("until test -e /data/go; do sleep 0.1; done")
    changed = sleeper("Volume=data.volume:/data", "Environment=A=2")
    restarts = "\n[Service]\nRestart=always\n"
    repository.commit({"apps/shop/shop.container": SHOP["apps/shop/shop.container"] + restarts})
    assert sync(user).returncode == 0
    pid = main_pid(user, "shop.service")
    repository.commit(
        {"apps/shop/migrate.container": slow, "apps/shop/shop.container": changed + restarts}
    )
    user.systemctl("reload", "podvisor.service")  # which reads the source
    user.wait_for(lambda: user.unit_state("migrate.service")["ActiveState"] == "activating")
    user.podman("kill", "systemd-shop")
    user.wait_for(lambda: runs_anew(user, "shop.service", pid))
    assert "A=2" not in user.podman("inspect", "systemd-shop").stdout
    # Nor does a daemon that is killed meanwhile make it another.
    user.systemctl("kill", "-sKILL", "podvisor.service")
    pid = main_pid(user, "shop.service")
    user.podman("kill", "systemd-shop")
    user.wait_for(lambda: runs_anew(user, "shop.service", pid))
    assert "A=2" not in user.podman("inspect", "systemd-shop").stdout
    user.podman("exec", "systemd-shop", "touch", "/data/go")
    user.wait_for(lambda: "A=2" in user.podman("inspect", "systemd-shop", check=False).stdout)
    ready(user, "shop")


# Apps and units that move


@pytest.mark.parametrize("kind", ["container", "service"])
def test_a_unit_that_moves_to_another_app_is_not_stopped(user, git_server, kind):
    unit = sleeper("Volume=data.volume:/data") if kind == "container" else service()
    files = {f"apps/one/web.{kind}": unit, "apps/one/side.service": service()}
    if kind == "container":
        files["apps/one/data.volume"] = "[Volume]\n"
    repository = deploy(user, git_server, files)
    ready(user, "one")
    pids = {name: main_pid(user, name) for name in ("web.service", "side.service")}
    moved = {path: text for path, text in files.items() if "side" not in path}
    repository.commit(
        {
            **dict.fromkeys(moved),
            **{path.replace("apps/one", "apps/two"): text for path, text in moved.items()},
        }
    )
    assert sync(user).returncode == 0
    ready(user, "one", "two")
    assert {name: main_pid(user, name) for name in pids} == pids
    assert not events(user, step="restart")
    assert not events(user, step="stop")


def test_an_app_that_is_renamed_goes_on_with_its_data(user, git_server):
    files = {
        "apps/one/web.container": sleeper("Volume=data.volume:/data", "Network=site.network"),
        "apps/one/data.volume": "[Volume]\n\n[X-Podvisor]\nPrune=volumes\n",
        "apps/one/site.network": "[Network]\n",
        "apps/one/tick.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "apps/one/tick.timer": "[Timer]\nOnCalendar=yearly\n\n[Install]\nWantedBy=timers.target\n",
    }
    files["apps/one/web.container"] = files["apps/one/web.container"].replace("Network=none\n", "")
    repository = deploy(user, git_server, files)
    ready(user, "one")
    user.podman("exec", "systemd-web", "touch", "/data/kept")
    pid = main_pid(user, "web.service")
    repository.commit(
        {
            **dict.fromkeys(files),
            **{path.replace("apps/one", "apps/two"): text for path, text in files.items()},
        }
    )
    assert sync(user).returncode == 0
    ready(user, "two")
    assert main_pid(user, "web.service") == pid
    assert user.podman("exec", "systemd-web", "ls", "/data").stdout == "kept\n"
    assert active(user, "web.service", "tick.timer")
    assert not (user.home / OWNED / "one").exists()
    user.systemctl("restart", "web.service")
    assert user.podman("exec", "systemd-web", "ls", "/data").stdout == "kept\n"
    assert user.podvisor("plan", "--exit-code", check=False).returncode == 0


def test_an_app_that_is_renamed_while_it_has_a_migration_is_never_without_its_units(
    user, git_server
):
    repository = deploy(user, git_server, SHOP)
    ready(user, "shop")
    pid = main_pid(user, "shop.service")
    slow = migration("until test -e /data/go; do sleep 0.1; done; " + COPY)
    renamed = {path.replace("/shop/", "/store/"): text for path, text in SHOP.items()}
    renamed["apps/store/migrate.container"] = slow
    repository.commit({**dict.fromkeys(SHOP), **renamed})
    user.systemctl("reload", "podvisor.service")
    user.wait_for(lambda: user.unit_state("migrate.service")["ActiveState"] == "activating")
    (waiting,) = waiting_of(user, "shop")
    assert waiting.startswith("waits for app store, which takes over ")
    assert (user.home / OWNED / "shop/shop.container").exists()
    assert not (user.home / OWNED / "store/data.volume").exists(), "not twice"
    user.systemctl("daemon-reload")
    user.podman("kill", "systemd-shop")
    user.wait_for(lambda: runs_anew(user, "shop.service", pid))
    pid = main_pid(user, "shop.service")
    user.podman("exec", "systemd-shop", "touch", "/data/go")
    ready(user, "store")
    assert main_pid(user, "shop.service") == pid
    assert schema(user) == "one\none\n"


# What would change


def test_a_diff_with_and_without_a_daemon(user, git_server):
    files = {
        "apps/web/web.container": sleeper("Volume=./conf:/conf:ro"),
        "apps/web/conf/site.conf": "one\n",
    }
    repository = deploy(user, git_server, files)
    ready(user, "web")
    assert user.podvisor("diff", "--units", "--exit-code").stdout.startswith("Nothing differs")
    repository.commit(
        {
            "apps/web/web.container": sleeper("Volume=./conf:/conf:ro", "Environment=A=2"),
            "apps/web/conf/site.conf": "two\n",
        }
    )
    told = user.podvisor("diff", "web")
    assert "-one\n+two\n" in told.stdout
    assert "+Environment=A=2\n" in told.stdout
    user.systemctl("stop", "podvisor.service")
    before = everything_of_podvisor(user)
    assert user.podvisor("diff", "web").stdout == told.stdout
    assert "restart" in user.podvisor("plan").stdout
    user.podvisor("secret", "list")
    user.podvisor("status", check=False)
    assert everything_of_podvisor(user) == before, "without a daemon nothing is changed"
    units = user.podvisor("diff", "--units", "--exit-code", check=False)
    assert units.returncode == 2
    assert "--- a/web/web.service\n" in units.stdout
    assert f"/home/{user.name}/{OWNED}/web/conf:/conf:ro" in units.stdout, "as it is installed"
    assert "--env A=2" in units.stdout


def everything_of_podvisor(user):
    """All that podvisor has on this machine, with when each was changed."""
    places = f".config .local/state/podvisor /run/user/{user.uid}/podvisor"
    shape = "%p %i %s %T@ %C@"
    return user.run("sh", "-c", f"find {places} -printf '{shape}\\n' | sort").stdout
